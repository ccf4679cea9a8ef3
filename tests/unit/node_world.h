/* This node with peers that are the test's: control messages go in as text, and what is sent to the peers is
 * kept. It stands in for dist/peers.h. The first process that a test spawns is $o. */
#ifndef HARNESSD_TESTS_NODE_WORLD_H
#define HARNESSD_TESTS_NODE_WORLD_H

#include "term_from_text.h"

#include "base/blob.h"
#include "base/loop.h"
#include "dist/flags.h"
#include "node/node.h"

#define APP "app@target" /* the node of $p, $q, $r and $s */
#define WORLD_SENT 64

struct peer {
    struct world *world;
    bool is_up;
    bool is_congested;
    enum conn_limit limit;
    void *data;
};

struct sent {
    struct buffer control;
    struct buffer payload;
};

struct world {
    struct loop loop;
    struct handshake_identity identity;
    struct node *node;
    struct peer app;
    struct sent sent[WORLD_SENT]; /* to APP */
    size_t sent_count;
    size_t looked_at; /* of those */
};

/* --- The peer table --- */

const char *peer_name(const struct peer *peer)
{
    (void)peer;
    return APP;
}

bool peer_is_up(const struct peer *peer)
{
    return peer->is_up;
}

enum conn_limit peer_limit(const struct peer *peer)
{
    return peer->limit;
}

size_t peer_frame_bytes(const struct peer *peer)
{
    (void)peer;
    return 1000;
}

bool peer_is_congested(const struct peer *peer)
{
    return peer->is_congested;
}

uint64_t peers_ticktime_s(const struct peers *peers)
{
    (void)peers;
    return 60;
}

void peer_set_data(struct peer *peer, void *data)
{
    peer->data = data;
}

void *peer_data(const struct peer *peer)
{
    return peer->data;
}

/* The table's one peer, where it is given as the table. */
struct peer *peers_find_up(const struct peers *peers, const char *node, size_t size)
{
    struct peer *peer = (struct peer *)(uintptr_t)peers;
    bool fits = size == strlen(APP) && memcmp(node, APP, size) == 0;
    return fits && peer->is_up ? peer : NULL;
}

/* The same, up or not: it is never gone. */
struct peer *peer_hold(struct peers *peers, const char *node)
{
    return strcmp(node, APP) == 0 ? (struct peer *)peers : NULL;
}

void peer_release(struct peer *peer)
{
    (void)peer;
}

void peer_disconnect(struct peer *peer, const char *reason)
{
    fail_msg("%s is disconnected: %s", peer_name(peer), reason);
}

bool peer_send(struct peer *peer, uint64_t sender, const struct control *control, struct term payload)
{
    struct world *world = peer->world;
    struct term_builder builder = {0};
    bool inside;
    (void)sender;
    if (!peer->is_up || !control_encode(&builder, control, FLAGS_OFFERED, &inside))
        return false;
    assert_true(world->sent_count < WORLD_SENT);
    struct sent *sent = &world->sent[world->sent_count++];
    term_keep(&sent->control, term_built(&builder));
    if (!inside && payload.data)
        term_keep(&sent->payload, payload);
    term_build_free(&builder);
    return true;
}

/* --- What the test does --- */

static inline bool world_allowed(void *owner, const char *node)
{
    (void)owner;
    (void)node;
    return true;
}

static inline void world_start(struct world *world,
                               struct process *(*spawn)(void *owner, struct peer *peer,
                                                        const struct control *control, struct term arguments))
{
    *world =
        (struct world){.identity = {OWN, "secret", FLAGS_OFFERED, 7}, .app = {.world = world, .is_up = true}};
    loop_init(&world->loop);
    struct node_options options = {.loop = &world->loop,
                                   .identity = &world->identity,
                                   .allowed = world_allowed,
                                   .spawn = spawn,
                                   .owner = world};
    world->node = node_new(&options);
    node_set_peers(world->node, (struct peers *)&world->app);
    node_peers_events()->up(world->node, &world->app);
}

static inline void world_app_goes(struct world *world)
{
    if (!world->app.is_up)
        return;
    world->app.is_up = false;
    node_peers_events()->down(world->node, &world->app, "gone");
}

static inline void world_end(struct world *world)
{
    world_app_goes(world);
    loop_finish(&world->loop);
    assert_int_equal(node_process_count(world->node), 0);
    node_free(world->node);
    loop_free(&world->loop);
    for (size_t i = 0; i < world->sent_count; i++) {
        buffer_free(&world->sent[i].control);
        buffer_free(&world->sent[i].payload);
    }
}

/* A control message of APP; `payload` NULL is none. What it defers has not run. */
static inline void world_tell(struct world *world, const char *control_text, const char *payload_text)
{
    struct term_builder parts[2] = {0};
    struct control control;
    struct term tuple = term_from_text(&parts[0], control_text), payload = {0};
    if (payload_text)
        payload = term_from_text(&parts[1], payload_text);
    assert_int_equal(control_decode(tuple, payload, &control), CONTROL_OK);
    node_peers_events()->message(world->node, &world->app, &control, payload);
    term_build_free(&parts[0]);
    term_build_free(&parts[1]);
}

/* The same of a payload that came in a message of its own, which may be held. */
static inline void world_tell_held(struct world *world, const char *control_text, const char *payload_text)
{
    struct term_builder parts[2] = {0};
    struct control control;
    struct term tuple = term_from_text(&parts[0], control_text);
    (void)term_from_text(&parts[1], payload_text);
    struct blob *held = blob_take(&parts[1].bytes, &world->loop);
    const struct term payload = {held->data, held->size};
    assert_int_equal(control_decode(tuple, payload, &control), CONTROL_OK);
    control.held = held;
    node_peers_events()->message(world->node, &world->app, &control, payload);
    blob_release(held);
    term_build_free(&parts[0]);
    term_build_free(&parts[1]);
}

/* The same of one that was too large, of which this is there. */
static inline void world_tell_too_large(struct world *world, const char *control_text,
                                        const char *payload_text, const char *too_large)
{
    struct term_builder parts[3] = {0};
    struct control control;
    struct term tuple = term_from_text(&parts[0], control_text);
    struct term payload = term_from_text(&parts[1], payload_text);
    assert_int_equal(control_decode_head(tuple, payload, term_from_text(&parts[2], too_large), &control),
                     CONTROL_OK);
    node_peers_events()->message(world->node, &world->app, &control, payload);
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++)
        term_build_free(&parts[i]);
}

/* The next message that was sent to APP, after what was deferred; `payload` NULL is none. */
static inline void world_expect_sent(struct world *world, const char *control, const char *payload)
{
    loop_finish(&world->loop);
    if (world->looked_at >= world->sent_count)
        fail_msg("nothing was sent instead of %s", control);
    const struct sent *sent = &world->sent[world->looked_at++];
    expect_term(term_of(&sent->control), control);
    if (payload)
        expect_term(term_of(&sent->payload), payload);
    else
        assert_int_equal(sent->payload.size, 0);
}

static inline void world_expect_nothing_sent(struct world *world)
{
    loop_finish(&world->loop);
    assert_int_equal(world->looked_at, world->sent_count);
}

#endif
