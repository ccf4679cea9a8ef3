/* The peers of the configuration, of which there may be very many. */
#include <string.h>

#include "base/map.h"
#include "daemon_parts.h"

/* What is kept in one pass of the loop: a few milliseconds. */
#define AT_ONCE 200

static void daemon_peers_keep_some(void *owner)
{
    struct daemon *daemon = owner;
    const struct config *config = daemon->config;
    for (size_t i = 0; i < AT_ONCE && daemon->kept_peers < config->peer_count && !daemon->stopping; i++) {
        const struct config_peer *peer = &config->peers[daemon->kept_peers++];
        peers_keep(daemon->peers, peer->node, peer->port);
    }
    if (daemon->kept_peers < config->peer_count && !daemon->stopping)
        loop_defer_next(&daemon->loop, &daemon->keep_peers);
}

void daemon_peers_keep(struct daemon *daemon)
{
    daemon->keep_peers = (struct loop_task){.run = daemon_peers_keep_some, .owner = daemon};
    loop_defer(&daemon->loop, &daemon->keep_peers);
}

void daemon_peers_change(struct daemon *daemon, const struct config *old)
{
    const struct config *config = daemon->config;
    struct map kept = {0};
    for (size_t i = 0; i < config->peer_count; i++)
        map_put(&kept, config->peers[i].node, strlen(config->peers[i].node), &config->peers[i]);
    for (size_t i = 0; i < old->peer_count; i++)
        if (!map_get(&kept, old->peers[i].node, strlen(old->peers[i].node)))
            peers_let_go(daemon->peers, old->peers[i].node);
    map_free(&kept);
    daemon->kept_peers = 0;
    loop_defer(&daemon->loop, &daemon->keep_peers);
}
