#include "dist/peers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/random.h"
#include "peers_private.h"

#define RETRY_FIRST_NS (100 * CLOCK_NS_PER_MS)
#define RETRY_LAST_NS (30 * CLOCK_NS_PER_S)

static void peers_start_attempt(struct peer *peer);

static const char *peers_host_of(const char *node)
{
    return strchr(node, '@') + 1;
}

const char *peer_name(const struct peer *peer)
{
    return peer->name;
}

bool peer_is_up(const struct peer *peer)
{
    return peer->state == PEER_UP;
}

uint64_t peer_flags(const struct peer *peer)
{
    return peer->state == PEER_UP ? conn_flags(peer->conn) : 0;
}

bool peer_is_congested(const struct peer *peer)
{
    return peer->state == PEER_UP && conn_is_congested(peer->conn);
}

enum conn_limit peer_limit(const struct peer *peer)
{
    return peer->limit;
}

size_t peers_up_count(const struct peers *peers)
{
    return peers->up_count;
}

size_t peers_queued_bytes(const struct peers *peers)
{
    size_t bytes = 0;
    struct map_cursor cursor = {0};
    for (const struct map_entry *entry; (entry = map_next(&peers->by_name, &cursor));) {
        const struct peer *peer = entry->value;
        bytes += peer->state == PEER_UP ? conn_queued_bytes(peer->conn) : 0;
    }
    return bytes;
}

/* A peer that nobody holds, that is not kept and not connected, is forgotten. */
static void peers_forget_if_unused(struct peer *peer)
{
    if (peer->holds || peer->kept || peer->state != PEER_IDLE || peer->waits)
        return;
    map_remove(&peer->peers->by_name, peer->name, strlen(peer->name));
    loop_cancel(peer->peers->options.loop, &peer->answer);
    loop_timer_free(&peer->timer);
    free(peer);
}

struct peer *peers_find_up(const struct peers *peers, const char *node, size_t size)
{
    struct peer *peer = map_get(&peers->by_name, node, size);
    return peer && peer->state == PEER_UP ? peer : NULL;
}

void peer_set_data(struct peer *peer, void *data)
{
    peer->data = data;
}

void *peer_data(const struct peer *peer)
{
    return peer->data;
}

void peer_release(struct peer *peer)
{
    peer->holds--;
    peers_forget_if_unused(peer);
}

static struct peer_wait *peers_take_due_wait(struct peer *peer)
{
    for (struct peer_wait *wait = peer->waits; wait; wait = wait->next) {
        if (wait->due) {
            peer_wait_cancel(wait);
            return wait;
        }
    }
    return NULL;
}

/* Tells all that wait how it went. Those who are told may cancel other waits, start new ones, or let go of
 * the peer, which is held meanwhile. */
static void peers_answer_waits(void *owner)
{
    struct peer *peer = owner;
    if (peer->state != PEER_UP && peer->state != PEER_IDLE)
        return;
    peer->holds++;
    const char *problem = peer->state == PEER_UP ? NULL : peer->problem;
    for (struct peer_wait *wait = peer->waits; wait; wait = wait->next)
        wait->due = true;
    for (struct peer_wait *wait; (wait = peers_take_due_wait(peer));)
        wait->done(wait->owner, peer, problem);
    peer_release(peer);
}

/* The one function that changes a peer's state. */
static void peers_set_state(struct peer *peer, enum peer_state state)
{
    struct peers *peers = peer->peers;
    if (peer->state == PEER_UP)
        peers->up_count--;
    if (state == PEER_UP)
        peers->up_count++;
    peer->state = state;
    if (state != PEER_DIALLING && state != PEER_UP)
        peer->conn = NULL;
    if (state != PEER_AWAITED)
        peer->incoming = NULL;
    loop_timer_stop(&peer->timer);
    if (state == PEER_AWAITED)
        loop_timer_set(&peer->timer, CONN_SETUP_NS);
    if ((state == PEER_UP || state == PEER_IDLE) && peer->waits)
        loop_defer(peers->options.loop, &peer->answer);
}

static void peers_schedule_retry(struct peer *peer)
{
    struct peers *peers = peer->peers;
    if (!peer->kept || peers->closing)
        return;
    uint64_t quarter = peer->retry_ns / 4;
    uint64_t delay = peer->retry_ns - quarter + random_below(&peers->random, 2 * quarter);
    log_info("peer will be dialled again", log_string("peer", peer->name),
             log_integer("retry_ms", (int64_t)(delay / CLOCK_NS_PER_MS)));
    loop_timer_set(&peer->timer, delay);
    peer->retry_ns = peer->retry_ns * 2 < RETRY_LAST_NS ? peer->retry_ns * 2 : RETRY_LAST_NS;
}

static void peers_attempt_failed(struct peer *peer, const char *problem)
{
    snprintf(peer->problem, sizeof(peer->problem), "%s", problem);
    peers_set_state(peer, PEER_IDLE);
    peers_schedule_retry(peer);
}

static void peers_dial_next(struct peer *peer, const char *problem)
{
    while (peer->next_address < peer->address_count) {
        const struct resolve_address *address = &peer->addresses[peer->next_address++];
        peer->conn = conn_dial(&peer->peers->settings, address, peer->name);
        if (peer->conn) {
            conn_set_data(peer->conn, peer);
            peers_set_state(peer, PEER_DIALLING);
            return;
        }
        problem = strerror(errno);
    }
    peers_attempt_failed(peer, problem);
}

static void peers_on_resolved(void *owner, const struct resolve_address *addresses, size_t count,
                              const char *problem)
{
    struct peer *peer = owner;
    peer->holds++;
    peer->resolve = NULL;
    peer->address_count = count < RESOLVE_ADDRESSES ? count : RESOLVE_ADDRESSES;
    peer->next_address = 0;
    if (count)
        memcpy(peer->addresses, addresses, peer->address_count * sizeof(*addresses));
    peers_dial_next(peer, problem ? problem : "no address");
    peer_release(peer);
}

static void peers_resolve_host(struct peer *peer)
{
    peers_set_state(peer, PEER_RESOLVING);
    peer->resolve = resolve_start(peer->peers->options.resolver, peers_host_of(peer->name), peer->port,
                                  peers_on_resolved, peer);
}

static void peers_on_found(void *owner, uint16_t port, const char *problem)
{
    struct peer *peer = owner;
    peer->holds++;
    peer->lookup = NULL;
    peer->port = port;
    if (problem)
        peers_attempt_failed(peer, problem);
    else
        peers_resolve_host(peer);
    peer_release(peer);
}

static void peers_start_attempt(struct peer *peer)
{
    peer->port = peer->fixed_port;
    if (peer->port) {
        peers_resolve_host(peer);
        return;
    }
    char alive[NODE_NAME_BYTES + 1];
    snprintf(alive, sizeof(alive), "%.*s", (int)(peers_host_of(peer->name) - 1 - peer->name), peer->name);
    peers_set_state(peer, PEER_LOOKING_UP);
    peer->lookup =
        epmd_lookup_start(peer->peers->options.epmd, peers_host_of(peer->name), alive, peers_on_found, peer);
}

/* Gives up an attempt of ours, if there is one, in favour of the peer's own. */
static void peers_yield_attempt(struct peer *peer, struct conn *incoming)
{
    struct conn *conn = peer->state == PEER_DIALLING ? peer->conn : NULL;
    if (peer->lookup)
        epmd_lookup_cancel(peer->lookup);
    if (peer->resolve)
        resolve_cancel(peer->resolve);
    peer->lookup = NULL;
    peer->resolve = NULL;
    peers_set_state(peer, PEER_AWAITED);
    peer->incoming = incoming;
    if (conn)
        conn_close(conn, "simultaneous connect: the peer's own attempt goes on");
}

/* The attempt for which ours gave way, or which came first, has failed: whoever waits gets one of our own. */
static void peers_dial_failed(struct peer *peer, const char *problem)
{
    if (peer->waits && !peer->peers->closing)
        peers_start_attempt(peer);
    else
        peers_attempt_failed(peer, problem);
}

static void peers_timer_fired(void *owner)
{
    struct peer *peer = owner;
    peer->holds++;
    if (peer->state == PEER_AWAITED)
        peers_dial_failed(peer, "the peer's own attempt did not come");
    else if (peer->state == PEER_IDLE)
        peers_start_attempt(peer);
    peer_release(peer);
}

static struct peer *peers_find_or_add(struct peers *peers, const char *node)
{
    struct peer *peer = map_get(&peers->by_name, node, strlen(node));
    if (peer)
        return peer;
    peer = memory_zalloc(1, sizeof(*peer));
    peer->peers = peers;
    snprintf(peer->name, sizeof(peer->name), "%s", node);
    peer->retry_ns = RETRY_FIRST_NS;
    peer->answer = (struct loop_task){.run = peers_answer_waits, .owner = peer};
    loop_timer_init(&peer->timer, peers->options.loop, peers_timer_fired, peer);
    map_put(&peers->by_name, node, strlen(node), peer);
    return peer;
}

struct peer *peer_hold(struct peers *peers, const char *node)
{
    if (!node_name_is_valid(node, strlen(node)) || strcmp(node, peers->options.identity->node) == 0)
        return NULL;
    struct peer *peer = peers_find_or_add(peers, node);
    peer->holds++;
    return peer;
}

void peer_connect(struct peer *peer, struct peer_wait *wait)
{
    wait->peer = peer;
    wait->due = false;
    wait->next = NULL;
    struct peer_wait **link = &peer->waits;
    while (*link)
        link = &(*link)->next;
    *link = wait;
    if (peer->peers->closing)
        snprintf(peer->problem, sizeof(peer->problem), "this node stops");
    if (peer->state == PEER_UP || peer->peers->closing)
        loop_defer(peer->peers->options.loop, &peer->answer);
    else if (peer->state == PEER_IDLE && !peer->answer.queued)
        peers_start_attempt(peer);
}

void peer_wait_cancel(struct peer_wait *wait)
{
    if (!wait->peer)
        return;
    struct peer_wait **link = &wait->peer->waits;
    while (*link != wait)
        link = &(*link)->next;
    *link = wait->next;
    wait->peer = NULL;
}

void peers_keep(struct peers *peers, const char *node, uint16_t port)
{
    struct peer *peer = peers_find_or_add(peers, node);
    peer->kept = true;
    peer->fixed_port = port;
    if (peer->state == PEER_IDLE)
        peers_start_attempt(peer);
}

void peers_let_go(struct peers *peers, const char *node)
{
    struct peer *peer = map_get(&peers->by_name, node, strlen(node));
    if (!peer || !peer->kept)
        return;
    peer->kept = false;
    peer->fixed_port = 0;
    if (peer->state == PEER_IDLE)
        loop_timer_stop(&peer->timer);
    peers_forget_if_unused(peer);
}

void peers_set_limits(struct peers *peers, size_t frame_bytes, size_t queued_bytes, size_t pending_handshakes)
{
    peers->settings.frame_bytes = frame_bytes;
    peers->settings.queued_bytes = queued_bytes;
    peers->options.pending_handshakes = pending_handshakes;
}

static bool peers_is_allowed(const struct peers *peers, const char *node)
{
    return peers->options.events->allowed(peers->options.owner, node);
}

/* A connection of a node that has said its name and may not connect any more. */
static struct conn *peers_find_forbidden(const struct peers *peers)
{
    for (const struct pending *pending = peers->pending; pending; pending = pending->next)
        if (*conn_peer(pending->conn) && !peers_is_allowed(peers, conn_peer(pending->conn)))
            return pending->conn;
    struct map_cursor cursor = {0};
    for (const struct map_entry *entry; (entry = map_next(&peers->by_name, &cursor));) {
        const struct peer *peer = entry->value;
        if (peer->state == PEER_UP && conn_was_accepted(peer->conn) && !peers_is_allowed(peers, peer->name))
            return peer->conn;
    }
    return NULL;
}

/* One after the other: closing calls those back who hold and let go of peers. */
void peers_judge_again(struct peers *peers)
{
    for (struct conn *conn; (conn = peers_find_forbidden(peers));)
        conn_close(conn, "no longer allowed");
}

void peer_disconnect(struct peer *peer, const char *reason)
{
    if (peer->state == PEER_UP)
        conn_close(peer->conn, "%s", reason);
}

bool peer_send_encoded(struct peer *peer, uint64_t sender, struct term control, struct term payload)
{
    return peer->state == PEER_UP && conn_send(peer->conn, sender, control, payload);
}

bool peer_send(struct peer *peer, uint64_t sender, const struct control *control, struct term payload)
{
    struct term_builder *builder = &peer->peers->control;
    struct term tuple;
    bool inside;
    term_build_reset(builder);
    if (peer->state != PEER_UP || !control_encode(builder, control, conn_flags(peer->conn), &inside) ||
        !term_build_done(builder, &tuple))
        return false;
    return peer_send_encoded(peer, sender, tuple, inside ? (struct term){0} : payload);
}

static void peers_pending_add(struct peers *peers, struct conn *conn)
{
    struct pending *pending = memory_zalloc(1, sizeof(*pending));
    pending->conn = conn;
    struct pending **link = &peers->pending;
    while (*link)
        link = &(*link)->next;
    *link = pending;
    peers->pending_count++;
}

static void peers_pending_remove(struct peers *peers, const struct conn *conn)
{
    struct pending **link = &peers->pending;
    while (*link && (*link)->conn != conn)
        link = &(*link)->next;
    struct pending *pending = *link;
    if (!pending)
        return;
    *link = pending->next;
    free(pending);
    peers->pending_count--;
}

void peers_accept(struct peers *peers, int descriptor, const char *address)
{
    if (peers->closing) {
        close(descriptor);
        return;
    }
    if (peers->pending_count >= peers->options.pending_handshakes)
        conn_close(peers->pending->conn, "too many pending handshakes");
    peers_pending_add(peers, conn_accept(&peers->settings, descriptor, address));
}

static enum handshake_verdict peers_on_judge(void *owner, struct conn *conn, const char *node)
{
    struct peers *peers = owner;
    const char *own = peers->options.identity->node;
    if (peers->closing || strcmp(node, own) == 0 || !peers_is_allowed(peers, node))
        return HANDSHAKE_REFUSE;
    struct peer *peer = peers_find_or_add(peers, node);
    switch (peer->state) {
    case PEER_UP:
        return HANDSHAKE_ALIVE;
    case PEER_DIALLING:
        if (strcmp(node, own) < 0)
            return HANDSHAKE_REFUSE_SIMULTANEOUS;
        peers_yield_attempt(peer, conn);
        return HANDSHAKE_ADMIT_SIMULTANEOUS;
    case PEER_IDLE:
    case PEER_AWAITED:
        peers_yield_attempt(peer, conn);
        return HANDSHAKE_ADMIT;
    case PEER_LOOKING_UP: /* nothing of our attempt has reached the peer; it ends when the peer's is done */
    case PEER_RESOLVING:
        return HANDSHAKE_ADMIT;
    }
    return HANDSHAKE_REFUSE;
}

static void peers_on_up(void *owner, struct conn *conn)
{
    struct peers *peers = owner;
    peers_pending_remove(peers, conn);
    struct peer *peer = peers_find_or_add(peers, conn_peer(conn));
    peer->holds++;
    if (peer->state == PEER_UP)
        conn_close(peer->conn, "replaced by a new connection of the peer");
    if (peer->conn != conn && peer->state != PEER_IDLE) /* whoever was told may have asked for another */
        peers_yield_attempt(peer, conn);
    peer->conn = conn;
    peer->retry_ns = RETRY_FIRST_NS;
    conn_set_data(conn, peer);
    peers_set_state(peer, PEER_UP);
    log_info("peer up", log_string("peer", peer->name));
    peers->options.events->up(peers->options.owner, peer);
    peer_release(peer);
}

static void peers_on_message(void *owner, struct conn *conn, const struct control *control,
                             struct term payload)
{
    struct peers *peers = owner;
    struct peer *peer = conn_data(conn);
    peer->holds++;
    peers->options.events->message(peers->options.owner, peer, control, payload);
    peer_release(peer);
}

static void peers_on_drained(void *owner, struct conn *conn)
{
    struct peers *peers = owner;
    struct peer *peer = conn_data(conn);
    peer->holds++;
    peers->options.events->drained(peers->options.owner, peer);
    peer_release(peer);
}

static void peers_on_down(void *owner, struct conn *conn, enum conn_state was, const char *reason)
{
    struct peers *peers = owner;
    peers_pending_remove(peers, conn);
    struct peer *peer = conn_data(conn);
    if (!peer)
        peer = map_get(&peers->by_name, conn_peer(conn), strlen(conn_peer(conn)));
    if (!peer || (peer->conn != conn && peer->incoming != conn))
        return;
    peer->holds++;
    if (peer->incoming == conn) {
        peers_dial_failed(peer, reason);
    } else if (was == CONN_UP) {
        snprintf(peer->problem, sizeof(peer->problem), "%s", reason);
        peer->limit = conn_limit(conn);
        peers_set_state(peer, PEER_IDLE);
        peers->options.events->down(peers->options.owner, peer, reason);
        if (peer->state == PEER_IDLE)
            peers_schedule_retry(peer);
    } else if (conn_waits_for_peer(conn)) {
        peers_set_state(peer, PEER_AWAITED);
    } else {
        peers_dial_next(peer, reason);
    }
    peer_release(peer);
}

static const struct conn_events conn_events = {.judge = peers_on_judge,
                                               .up = peers_on_up,
                                               .message = peers_on_message,
                                               .drained = peers_on_drained,
                                               .down = peers_on_down};

struct peers *peers_new(const struct peers_options *options)
{
    struct peers *peers = memory_zalloc(1, sizeof(*peers));
    peers->options = *options;
    peers->settings = (struct conn_settings){.loop = options->loop,
                                             .identity = options->identity,
                                             .events = &conn_events,
                                             .owner = peers,
                                             .ticktime_ns = options->ticktime_ns,
                                             .frame_bytes = options->frame_bytes,
                                             .queued_bytes = options->queued_bytes};
    uint64_t seed;
    random_secret(&seed, sizeof(seed));
    random_seed(&peers->random, seed);
    return peers;
}

static void peers_close_one(struct peer *peer)
{
    peer->holds++;
    if (peer->state == PEER_UP) {
        conn_close(peer->conn, "this node stops");
    } else {
        peers_yield_attempt(peer, NULL);
        peers_attempt_failed(peer, "this node stops");
    }
    peer_release(peer);
}

static struct peer *peers_find_active(const struct peers *peers)
{
    struct map_cursor cursor = {0};
    for (const struct map_entry *entry; (entry = map_next(&peers->by_name, &cursor));) {
        struct peer *peer = entry->value;
        if (peer->state != PEER_IDLE)
            return peer;
    }
    return NULL;
}

/* One after the other, as in peers_judge_again(). */
void peers_close(struct peers *peers)
{
    peers->closing = true;
    struct map_cursor cursor = {0};
    for (const struct map_entry *entry; (entry = map_next(&peers->by_name, &cursor));) {
        struct peer *peer = entry->value;
        peer->kept = false;
        loop_timer_stop(&peer->timer);
    }
    while (peers->pending)
        conn_close(peers->pending->conn, "this node stops");
    for (struct peer *peer; (peer = peers_find_active(peers));)
        peers_close_one(peer);
}

void peers_free(struct peers *peers)
{
    struct map_cursor cursor = {0};
    for (const struct map_entry *entry; (entry = map_next(&peers->by_name, &cursor));) {
        struct peer *peer = entry->value;
        loop_cancel(peers->options.loop, &peer->answer);
        loop_timer_free(&peer->timer);
        free(peer);
    }
    map_free(&peers->by_name);
    term_build_free(&peers->control);
    free(peers);
}
