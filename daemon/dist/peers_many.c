#include <stdlib.h>

#include "base/memory.h"
#include "peers_private.h"

size_t peers_up_count(const struct peers *peers)
{
    return peers->up.count;
}

size_t peers_queued_bytes(const struct peers *peers)
{
    size_t bytes = 0;
    LIST_EACH(const struct peer, peer, &peers->up, up)
        bytes += conn_queued_bytes(peer->conn);
    return bytes;
}

/* --- Some of them --- */

struct peer **peers_pick(const struct peers *peers, bool (*wants)(struct peer *peer), size_t *count)
{
    struct peer **picked = NULL;
    size_t capacity = 0;
    struct map_cursor cursor = {0};
    *count = 0;
    for (const struct map_entry *entry; (entry = map_next(&peers->by_name, &cursor));) {
        if (!wants(entry->value))
            continue;
        if (*count == capacity) {
            capacity = capacity ? 2 * capacity : 64;
            picked = memory_resize(picked, capacity, sizeof(struct peer *));
        }
        picked[*count] = entry->value;
        picked[(*count)++]->holds++;
    }
    return picked;
}

void peers_release_picked(struct peer **picked, size_t count)
{
    for (size_t i = 0; i < count; i++)
        peer_release(picked[i]);
    free(picked);
}

/* --- Peers that do not read --- */

static bool peers_many_is_stalled(struct peer *peer)
{
    return peer->state == PEER_UP && !conn_has_written(peer->conn) && conn_queued_bytes(peer->conn);
}

void peers_drop_stalled(struct peers *peers)
{
    size_t count;
    struct peer **stalled = peers_pick(peers, peers_many_is_stalled, &count);
    for (size_t i = 0; i < count; i++)
        peer_disconnect(stalled[i], "this node stops, and the peer does not read");
    peers_release_picked(stalled, count);
}
