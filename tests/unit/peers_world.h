/* A peer table in a world of the test: lookups are answered when the test does, what the table tells is kept,
 * and the nodes at the other end are the test's. It stands in for dist/epmd.h and dist/resolve.h. */
#ifndef HARNESSD_TESTS_PEERS_WORLD_H
#define HARNESSD_TESTS_PEERS_WORLD_H

#include "dist_world.h"

#include "peers_private.h"

#define GREATER "zeta@target" /* than the name of the node that is tested; APP is less */
#define TABLE_RELEASES 30

/* A question for a port. */
struct epmd_lookup {
    char host[64];
    char name[64];
    epmd_found *found;
    void *owner;
};

/* A question for addresses. */
struct resolve_request {
    char host[64];
    uint16_t port;
    resolve_done *done;
    void *owner;
};

struct wait {
    struct peer_wait wait;
    int told;
    char problem[600]; /* "" when the peer was up */
    bool connects_again;
    struct wait *cancels;
};

struct table {
    struct world world;
    struct peers *peers;
    int listener; /* where the table dials */
    struct resolve_address address;
    struct epmd_lookup *lookup; /* the last that is not answered, likewise */
    struct resolve_request *resolve;
    int lookups; /* in all */
    int resolves;
    bool has_no_name;      /* at epmd */
    const char *forbidden; /* no node of this name */
    int up;
    int down;
    int drained;
    char reason[600];
    enum conn_limit limit;
    char message[300];
    char too_large[100];             /* of the last message that was */
    struct wait *connects_when_down; /* with the peer that went down */
    struct peer *releases_when_down[TABLE_RELEASES];
    const char *holds_when_down; /* a peer that was not known before */
    bool disconnects_when_up;
};

static struct table *the_table; /* epmd and resolver have no owner of their own here */

struct epmd_lookup *epmd_lookup_start(struct epmd *epmd, const char *host, const char *name,
                                      epmd_found *found, void *owner)
{
    (void)epmd;
    struct epmd_lookup *lookup = memory_zalloc(1, sizeof(*lookup));
    *lookup = (struct epmd_lookup){.found = found, .owner = owner};
    snprintf(lookup->host, sizeof(lookup->host), "%s", host);
    snprintf(lookup->name, sizeof(lookup->name), "%s", name);
    assert_null(the_table->lookup);
    the_table->lookup = lookup;
    the_table->lookups++;
    return lookup;
}

bool epmd_is_registered(const struct epmd *epmd)
{
    (void)epmd;
    return !the_table->has_no_name;
}

void epmd_lookup_cancel(struct epmd_lookup *lookup)
{
    assert_ptr_equal(lookup, the_table->lookup);
    the_table->lookup = NULL;
    free(lookup);
}

struct resolve_request *resolve_start(struct resolver *resolver, const char *host, uint16_t port,
                                      resolve_done *done, void *owner)
{
    (void)resolver;
    struct resolve_request *request = memory_zalloc(1, sizeof(*request));
    *request = (struct resolve_request){.port = port, .done = done, .owner = owner};
    snprintf(request->host, sizeof(request->host), "%s", host);
    assert_null(the_table->resolve);
    the_table->resolve = request;
    the_table->resolves++;
    return request;
}

void resolve_cancel(struct resolve_request *request)
{
    assert_ptr_equal(request, the_table->resolve);
    the_table->resolve = NULL;
    free(request);
}

/* --- What the table tells --- */

static inline bool table_allowed(void *owner, const char *node)
{
    const struct table *table = owner;
    return !table->forbidden || strcmp(node, table->forbidden) != 0;
}

static inline void table_up(void *owner, struct peer *peer)
{
    struct table *table = owner;
    table->up++;
    assert_true(peer_is_up(peer));
    if (table->disconnects_when_up)
        peer_disconnect(peer, "not now");
}

static inline void table_message(void *owner, struct peer *peer, const struct control *control,
                                 struct term payload)
{
    struct table *table = owner;
    assert_true(peer_is_up(peer));
    assert_int_equal(control->operation, CONTROL_SEND);
    term_text(payload, table->message, sizeof(table->message));
    if (control->too_large.data)
        term_text(control->too_large, table->too_large, sizeof(table->too_large));
}

static inline void table_drained(void *owner, struct peer *peer)
{
    struct table *table = owner;
    assert_false(peer_is_congested(peer));
    table->drained++;
}

static inline void table_down(void *owner, struct peer *peer, const char *reason)
{
    struct table *table = owner;
    assert_false(peer_is_up(peer));
    table->down++;
    snprintf(table->reason, sizeof(table->reason), "%s", reason);
    table->limit = peer_limit(peer);
    if (table->connects_when_down)
        peer_connect(peer, &table->connects_when_down->wait);
    for (size_t i = 0; i < TABLE_RELEASES && table->releases_when_down[i]; i++)
        peer_release(table->releases_when_down[i]);
    if (table->holds_when_down)
        assert_non_null(peer_hold(table->peers, table->holds_when_down));
    table->connects_when_down = NULL;
    table->releases_when_down[0] = NULL;
    table->holds_when_down = NULL;
}

static const struct peers_events table_events = {.allowed = table_allowed,
                                                 .up = table_up,
                                                 .message = table_message,
                                                 .drained = table_drained,
                                                 .down = table_down};

static inline void table_start(struct table *table)
{
    *table = (struct table){0};
    the_table = table;
    world_start(&table->world);
    table->listener = world_listen(&table->address, true);
    struct peers_options options = {.loop = &table->world.loop,
                                    .identity = &table->world.identity,
                                    .ticktime_ns = 60 * CLOCK_NS_PER_S,
                                    .frame_bytes = 1024 * 1024,
                                    .queued_bytes = 1024 * 1024,
                                    .pending_handshakes = 3,
                                    .events = &table_events,
                                    .owner = table};
    table->peers = peers_new(&options);
}

static inline void table_end(struct table *table)
{
    peers_close(table->peers);
    assert_int_equal(peers_up_count(table->peers), 0);
    assert_null(table->lookup);
    assert_null(table->resolve);
    loop_finish(&table->world.loop);
    peers_free(table->peers);
    close(table->listener);
    world_end(&table->world);
}

/* --- What the test answers --- */

static inline void table_found(struct table *table, uint16_t port, const char *problem)
{
    struct epmd_lookup *lookup = table->lookup;
    assert_non_null(lookup);
    table->lookup = NULL;
    lookup->found(lookup->owner, port, problem);
    free(lookup);
    loop_finish(&table->world.loop);
}

static inline void table_resolved(struct table *table, const struct resolve_address *addresses, size_t count,
                                  const char *problem)
{
    struct resolve_request *resolve = table->resolve;
    assert_non_null(resolve);
    table->resolve = NULL;
    resolve->done(resolve->owner, addresses, count, problem);
    free(resolve);
    loop_finish(&table->world.loop);
}

/* Has the attempt that is under way dial `far`, which has taken the connection and said nothing yet. */
static inline void table_dialled(struct table *table, struct far *far, const char *name)
{
    if (table->lookup)
        table_found(table, 4000, NULL);
    table_resolved(table, &table->address, 1, NULL);
    far_open(far, &table->world, world_accept(table->listener), name);
    far_accept(far);
}

/* `far` connects to the table from there, and says its name when `speaks`. */
static inline void table_accepts_from(struct table *table, struct far *far, const char *name, bool speaks,
                                      const char *address)
{
    int ends[2];
    world_pair(ends);
    far_open(far, &table->world, ends[1], name);
    peers_accept(table->peers, ends[0], address);
    if (speaks)
        far_initiate(far);
}

static inline void table_accepts(struct table *table, struct far *far, const char *name, bool speaks)
{
    table_accepts_from(table, far, name, speaks, "127.0.0.1:1");
}

static inline void table_comes_up(struct table *table, struct far *far, const char *name)
{
    int before = table->up;
    table_accepts(table, far, name, true);
    far_shake(far);
    WORLD_UNTIL(&table->world, table->up > before)
        ;
}

/* --- Waits --- */

static inline void wait_done(void *owner, struct peer *peer, const char *problem)
{
    struct wait *wait = owner;
    wait->told++;
    assert_int_equal(peer_is_up(peer), problem == NULL);
    snprintf(wait->problem, sizeof(wait->problem), "%s", problem ? problem : "");
    if (wait->connects_again)
        peer_connect(peer, &wait->wait);
    if (wait->cancels)
        peer_wait_cancel(&wait->cancels->wait);
    wait->connects_again = false;
}

static inline void wait_start(struct wait *wait, struct peer *peer)
{
    *wait = (struct wait){.wait = {.done = wait_done, .owner = wait}};
    peer_connect(peer, &wait->wait);
    assert_int_equal(wait->told, 0);
}

/* Told once, for this reason; "" when the peer is up. */
static inline void wait_expect(struct wait *wait, const char *problem)
{
    WORLD_UNTIL(&the_table->world, wait->told)
        ;
    assert_int_equal(wait->told, 1);
    if (*problem ? !strstr(wait->problem, problem) : *wait->problem)
        fail_msg("'%s' is not about '%s'", wait->problem, problem);
}

/* Brings the peer to a state in which this node has an attempt of its own, or the peer's is awaited. */
static inline void bring(struct table *table, struct far *far, struct peer *peer, enum peer_state state,
                         struct wait *wait)
{
    wait_start(wait, peer);
    if (state >= PEER_RESOLVING)
        table_found(table, 4000, NULL);
    if (state >= PEER_DIALLING)
        table_dialled(table, far, peer_name(peer));
    if (state == PEER_AWAITED) {
        far->verdict = HANDSHAKE_REFUSE_SIMULTANEOUS;
        far_shake(far);
        WORLD_UNTIL(&table->world, peer->state == PEER_AWAITED)
            ;
    }
    assert_int_equal(peer->state, state);
    assert_int_equal(wait->told, 0);
}

#endif
