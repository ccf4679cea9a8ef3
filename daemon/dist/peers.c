#include "dist/peers.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attempt_private.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/random.h"
#include "dist/flags.h"

#define RETRY_FIRST_NS (100 * CLOCK_NS_PER_MS)
#define RETRY_LAST_NS (30 * CLOCK_NS_PER_S)

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

bool peer_look_at_wire(const struct peer *peer, struct wire *wire)
{
    return peer->state == PEER_UP && conn_look_at_wire(peer->conn, wire);
}

enum conn_limit peer_limit(const struct peer *peer)
{
    return peer->limit;
}

size_t peer_frame_bytes(const struct peer *peer)
{
    return peer->state == PEER_UP ? conn_frame_bytes(peer->conn) : 0;
}

uint64_t peers_ticktime_s(const struct peers *peers)
{
    return peers->options.ticktime_ns / CLOCK_NS_PER_S;
}

/* A peer that nobody holds, that is not kept and not connected, is forgotten. */
static void peers_forget_if_unused(struct peer *peer)
{
    if (peer->holds || peer->kept || peer->state != PEER_IDLE || peer->waits)
        return;
    map_remove(&peer->peers->by_name, peer->name, strlen(peer->name));
    dial_queue_leave(&peer->peers->queue, peer);
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

void peers_set_state(struct peer *peer, enum peer_state state)
{
    struct peers *peers = peer->peers;
    if (state == PEER_UP && peer->state != PEER_UP)
        list_append(&peers->up, &peer->up);
    else if (state != PEER_UP)
        list_remove(&peers->up, &peer->up);
    dial_queue_note(&peers->queue, peer_is_attempt(peer->state), peer_is_attempt(state));
    peer->state = state;
    if (state != PEER_DIALLING && state != PEER_UP)
        peer->conn = NULL;
    loop_timer_stop(&peer->timer);
    if ((state == PEER_UP || state == PEER_IDLE) && peer->waits)
        loop_defer(peers->options.loop, &peer->answer);
}

void peers_schedule_retry(struct peer *peer, const char *reason)
{
    struct peers *peers = peer->peers;
    if (!peer->kept || peers->closing)
        return;
    uint64_t quarter = peer->retry_ns / 4;
    uint64_t delay = peer->retry_ns - quarter + random_below(&peers->random, 2 * quarter);
    if (peer->retry_ns == RETRY_FIRST_NS) /* it was up */
        (void)log_repeat_is_over(&peer->retries);
    if (log_repeat_is_due(&peer->retries))
        log_warning("peer is not connected, and will be dialled again", log_string("peer", peer->name),
                    log_string("reason", reason), log_integer("retry_ms", (int64_t)(delay / CLOCK_NS_PER_MS)),
                    log_times(&peer->retries));
    loop_timer_set(&peer->timer, delay);
    peer->retry_ns = peer->retry_ns * 2 < RETRY_LAST_NS ? peer->retry_ns * 2 : RETRY_LAST_NS;
}

static void peers_timer_fired(void *owner)
{
    struct peer *peer = owner;
    peer->holds++;
    if (peer->state == PEER_AWAITED)
        attempt_go_on(peer);
    else if (peer->state == PEER_IDLE)
        dial_queue_ask(&peer->peers->queue, peer);
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
        attempt_start(peer);
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
        dial_queue_ask(&peers->queue, peer);
}

void peers_know_port(struct peers *peers, const char *node, uint16_t port)
{
    struct peer *peer = peers_find_or_add(peers, node);
    peer->holds++; /* what is known of it stays */
    peer->fixed_port = port;
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
static struct conn *peers_find_forbidden_claim(const struct peers *peers)
{
    LIST_EACH(const struct claim, claim, &peers->claims.list, link)
        if (*conn_peer(claim->conn) && !peers_is_allowed(peers, conn_peer(claim->conn)))
            return claim->conn;
    return NULL;
}

static bool peers_is_forbidden(struct peer *peer)
{
    return peer->state == PEER_UP && conn_was_accepted(peer->conn) &&
           !peers_is_allowed(peer->peers, peer->name);
}

/* Whoever is told may connect with others, or end them. */
void peers_judge_again(struct peers *peers)
{
    for (struct conn *conn; (conn = peers_find_forbidden_claim(peers));)
        conn_close(conn, "no longer allowed");
    size_t count;
    struct peer **forbidden = peers_pick(peers, peers_is_forbidden, &count);
    for (size_t i = 0; i < count; i++)
        if (peers_is_forbidden(forbidden[i]))
            conn_close(forbidden[i]->conn, "no longer allowed");
    peers_release_picked(forbidden, count);
}

void peer_disconnect(struct peer *peer, const char *reason)
{
    if (peer->state == PEER_UP)
        conn_close(peer->conn, "%s", reason);
}

bool peer_send_encoded(struct peer *peer, uint64_t sender, struct term control, struct term payload)
{
    return peer->state == PEER_UP && conn_send(peer->conn, sender, control, payload, NULL);
}

/* The first fragment has the control tuple, which is in the builder, and then what the payload begins with:
 * where in that the one ends makes no difference. */
static bool peer_send_begun(struct peer *peer, uint64_t sender, struct term head, struct term tail,
                            struct blob *held)
{
    struct term_builder *begun = &peer->peers->control;
    term_build_term(begun, head);
    return conn_send(peer->conn, sender, term_built(begun), tail, held);
}

static bool peer_takes_tail(const struct peer *peer, struct term tail)
{
    return (conn_flags(peer->conn) & FLAG_FRAGMENTS) && tail.size > PEER_TAIL_BYTES;
}

bool peer_send_held(struct peer *peer, uint64_t sender, struct term control, struct term head,
                    struct term tail, struct blob *held)
{
    if (peer->state != PEER_UP || !peer_takes_tail(peer, tail))
        return false;
    term_build_reset(&peer->peers->control);
    term_build_term(&peer->peers->control, control);
    return peer_send_begun(peer, sender, head, tail, held);
}

/* `inside`: the payload is in the tuple already. */
static bool peer_encode(struct peer *peer, const struct control *control, struct term *tuple, bool *inside)
{
    struct term_builder *builder = &peer->peers->control;
    term_build_reset(builder);
    return peer->state == PEER_UP && control_encode(builder, control, conn_flags(peer->conn), inside) &&
           term_build_done(builder, tuple);
}

bool peer_send(struct peer *peer, uint64_t sender, const struct control *control, struct term payload)
{
    struct term tuple;
    bool inside;
    return peer_encode(peer, control, &tuple, &inside) &&
           conn_send(peer->conn, sender, tuple, inside ? (struct term){0} : payload, control->held);
}

bool peer_send_long(struct peer *peer, uint64_t sender, const struct control *control,
                    const struct term_long *payload)
{
    struct term tuple;
    bool inside;
    if (!peer_encode(peer, control, &tuple, &inside))
        return false;
    assert(!inside);
    if (term_long_is_held(payload) && peer_takes_tail(peer, payload->tail))
        return peer_send_begun(peer, sender, payload->head, payload->tail, payload->held);
    struct buffer joined = {0};
    bool sent = conn_send(peer->conn, sender, tuple, term_long_join(payload, &joined), NULL);
    buffer_free(&joined);
    return sent;
}

struct departure *peer_departure(struct peer *peer)
{
    return peer->state == PEER_UP ? conn_departure(peer->conn) : NULL;
}

void peers_accept(struct peers *peers, int descriptor, const char *address)
{
    if (peers->closing) {
        close(descriptor);
        return;
    }
    if (peers->claims.list.count >= peers->options.pending_handshakes)
        conn_close(claims_find_dispensable(&peers->claims)->conn, "too many pending handshakes");
    struct conn *conn = conn_accept(&peers->settings, descriptor, address);
    conn_set_data(conn, claims_add(&peers->claims, conn, address));
}

/* The connection has given the name of a peer, which is kept in mind meanwhile. */
static void peers_note_claim(struct peer *peer, struct conn *conn)
{
    struct claim *claim = conn_data(conn);
    claim->peer = peer;
    peer->claims++;
    peer->holds++;
}

/* It is proved, or gone. The peer, if it has given the name of one, is the caller's to release. */
static struct peer *peers_end_claim(struct peers *peers, struct conn *conn)
{
    struct claim *claim = conn_data(conn);
    struct peer *peer = claim->peer;
    claims_remove(&peers->claims, claim);
    conn_set_data(conn, NULL);
    if (peer)
        peer->claims--;
    return peer;
}

/* Nothing is given up for a name that is not proved yet: an attempt of this node goes on beside. */
static enum handshake_verdict peers_on_judge(void *owner, struct conn *conn, const char *node)
{
    struct peers *peers = owner;
    const char *own = peers->options.identity->node;
    if (peers->closing || strcmp(node, own) == 0 || !peers_is_allowed(peers, node))
        return HANDSHAKE_REFUSE;
    struct peer *peer = peers_find_or_add(peers, node);
    bool dialling = peer->state == PEER_DIALLING;
    if (dialling && strcmp(node, own) < 0)
        return HANDSHAKE_REFUSE_SIMULTANEOUS;
    peers_note_claim(peer, conn);
    if (peer->state == PEER_UP)
        return HANDSHAKE_ALIVE;
    return dialling ? HANDSHAKE_ADMIT_SIMULTANEOUS : HANDSHAKE_ADMIT;
}

static void peers_on_up(void *owner, struct conn *conn)
{
    struct peers *peers = owner;
    struct peer *peer = conn_was_accepted(conn) ? peers_end_claim(peers, conn) : conn_data(conn);
    if (!conn_was_accepted(conn))
        peer->holds++;
    if (peer->state == PEER_UP)
        conn_close(peer->conn, "replaced by a new connection of the peer");
    if (peer->conn != conn && peer->state != PEER_IDLE) /* whoever was told may have asked for another */
        attempt_give_up(peer);
    peer->conn = conn;
    peer->retry_ns = RETRY_FIRST_NS;
    conn_set_data(conn, peer);
    peers_set_state(peer, PEER_UP);
    attempt_tell_of_namesake(peer, conn);
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

static void peers_on_claim_down(struct peers *peers, struct conn *conn)
{
    struct peer *peer = peers_end_claim(peers, conn);
    if (!peer)
        return;
    attempt_claim_ended(peer);
    peer_release(peer);
}

static void peers_on_down(void *owner, struct conn *conn, enum conn_state was, const char *reason)
{
    struct peers *peers = owner;
    if (was != CONN_UP && conn_was_accepted(conn)) {
        peers_on_claim_down(peers, conn);
        return;
    }
    struct peer *peer = conn_data(conn);
    if (peer->conn != conn)
        return;
    peer->holds++;
    if (was == CONN_UP) {
        snprintf(peer->problem, sizeof(peer->problem), "%s", reason);
        peer->limit = conn_limit(conn);
        peers_set_state(peer, PEER_IDLE);
        peers->options.events->down(peers->options.owner, peer, reason);
        if (peer->state == PEER_IDLE)
            peers_schedule_retry(peer, reason);
    } else {
        attempt_dial_ended(peer, conn, reason);
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
                                             .queued_bytes = options->queued_bytes,
                                             .kernel_clock = &peers->kernel_clock,
                                             .departures = &peers->departures,
                                             .transports = options->transports,
                                             .spare = &peers->spare};
    kernel_clock_init(&peers->kernel_clock, &clock_machine, &clock_machine_wall);
    spare_init(&peers->spare, options->loop);
    uint64_t seed;
    random_secret(&seed, sizeof(seed));
    random_seed(&peers->random, seed);
    dial_queue_init(&peers->queue, options->loop, attempt_start);
    return peers;
}

static void peers_close_one(struct peer *peer)
{
    peer->holds++;
    if (peer->state == PEER_UP) {
        conn_close(peer->conn, "this node stops");
    } else {
        attempt_give_up(peer);
        attempt_fail(peer, "this node stops");
    }
    peer_release(peer);
}

static bool peers_is_active(struct peer *peer)
{
    return peer->state != PEER_IDLE;
}

/* Whoever is told may ask for others. */
void peers_close(struct peers *peers)
{
    peers->closing = true;
    struct map_cursor cursor = {0};
    for (const struct map_entry *entry; (entry = map_next(&peers->by_name, &cursor));) {
        struct peer *peer = entry->value;
        peer->kept = false;
        loop_timer_stop(&peer->timer);
    }
    for (struct claim *claim; (claim = LIST_FIRST(&peers->claims.list, struct claim, link));)
        conn_close(claim->conn, "this node stops");
    size_t count;
    for (struct peer **active; (active = peers_pick(peers, peers_is_active, &count));) {
        for (size_t i = 0; i < count; i++)
            if (peers_is_active(active[i]))
                peers_close_one(active[i]);
        peers_release_picked(active, count);
    }
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
    claims_free(&peers->claims);
    loop_cancel(peers->options.loop, &peers->queue.begin);
    term_build_free(&peers->control);
    spare_free(&peers->spare);
    departures_free(&peers->departures);
    free(peers);
}
