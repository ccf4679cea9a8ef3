/* One connection in a world of the test, and what it has told. */
#ifndef HARNESSD_TESTS_CONN_WORLD_H
#define HARNESSD_TESTS_CONN_WORLD_H

#include "dist_world.h"

#define TICKTIME_NS (60 * CLOCK_NS_PER_S)
#define ARRIVED 1000
#define SEND "{22, $p, $o}" /* a control tuple of a message to this node */

enum callback { NONE, JUDGE, UP, MESSAGE, DRAINED, DOWN };

/* One connection, and what it has told. */
struct fixture {
    struct world world;
    struct conn_settings settings;
    struct kernel_clock kernel_clock;
    struct departures departures;
    struct conn *conn; /* NULL once it is closed */
    struct far far;
    int near; /* the descriptor that the connection was given */
    enum handshake_verdict verdict;
    char judged[NODE_NAME_BYTES + 1];
    int up;
    int drained;
    int messages;
    struct arrived arrived[ARRIVED]; /* of the first ones */
    char payload[300];               /* of the last one, "none" without */
    char longest[300];               /* of those so far */
    struct control control;
    int down;
    enum conn_state was;
    char reason[600];
    enum conn_limit limit;
    enum callback closes_in;
    bool sends_when_drained;
};

static inline void close_in(struct fixture *fixture, struct conn *conn, enum callback callback)
{
    if (fixture->closes_in == callback)
        conn_close(conn, "closed by the test");
}

static inline enum handshake_verdict on_judge(void *owner, struct conn *conn, const char *peer)
{
    struct fixture *fixture = owner;
    snprintf(fixture->judged, sizeof(fixture->judged), "%s", peer);
    assert_string_equal(conn_peer(conn), peer);
    close_in(fixture, conn, JUDGE);
    return fixture->verdict;
}

static inline void on_up(void *owner, struct conn *conn)
{
    struct fixture *fixture = owner;
    assert_int_equal(conn_state(conn), CONN_UP);
    fixture->up++;
    close_in(fixture, conn, UP);
}

static inline void on_message(void *owner, struct conn *conn, const struct control *control,
                              struct term payload)
{
    struct fixture *fixture = owner;
    if (fixture->messages < ARRIVED)
        fixture->arrived[fixture->messages] = control->arrived;
    fixture->messages++;
    fixture->control = *control;
    snprintf(fixture->payload, sizeof(fixture->payload), "none");
    if (payload.data)
        term_text(payload, fixture->payload, sizeof(fixture->payload));
    if (strlen(fixture->payload) > strlen(fixture->longest))
        strcpy(fixture->longest, fixture->payload);
    close_in(fixture, conn, MESSAGE);
}

static inline bool send_text(struct conn *conn, uint64_t sender, const char *payload)
{
    struct term_builder parts[2] = {0};
    bool sent = conn_send(conn, sender, term_from_text(&parts[0], "{22, $o, $p}"),
                          term_from_text(&parts[1], payload), NULL);
    term_build_free(&parts[0]);
    term_build_free(&parts[1]);
    return sent;
}

static inline void on_drained(void *owner, struct conn *conn)
{
    struct fixture *fixture = owner;
    assert_false(conn_is_congested(conn));
    fixture->drained++;
    if (fixture->sends_when_drained)
        assert_true(send_text(conn, 1, "drained"));
    close_in(fixture, conn, DRAINED);
}

static inline void on_down(void *owner, struct conn *conn, enum conn_state was, const char *reason)
{
    struct fixture *fixture = owner;
    assert_ptr_equal(conn, fixture->conn);
    assert_int_equal(conn_state(conn), CONN_CLOSING);
    fixture->down++;
    fixture->was = was;
    snprintf(fixture->reason, sizeof(fixture->reason), "%s", reason);
    fixture->limit = conn_limit(conn);
    close_in(fixture, conn, DOWN);
    assert_false(send_text(conn, 1, "late"));
    fixture->conn = NULL;
}

static const struct conn_events events = {
    .judge = on_judge, .up = on_up, .message = on_message, .drained = on_drained, .down = on_down};

static inline void start(struct fixture *fixture)
{
    *fixture = (struct fixture){.verdict = HANDSHAKE_ADMIT};
    world_start(&fixture->world);
    fixture->settings = (struct conn_settings){.loop = &fixture->world.loop,
                                               .identity = &fixture->world.identity,
                                               .events = &events,
                                               .owner = fixture,
                                               .ticktime_ns = TICKTIME_NS,
                                               .frame_bytes = 1024 * 1024,
                                               .queued_bytes = 1024 * 1024,
                                               .kernel_clock = &fixture->kernel_clock,
                                               .departures = &fixture->departures};
    kernel_clock_init(&fixture->kernel_clock, &clock_machine, &clock_machine_wall);
}

static inline void end(struct fixture *fixture)
{
    if (fixture->conn)
        conn_close(fixture->conn, "the test is over");
    if (fixture->far.world)
        far_close(&fixture->far);
    world_end(&fixture->world);
    departures_free(&fixture->departures);
}

/* The other node connects; it has said nothing yet. */
static inline void start_accepted(struct fixture *fixture)
{
    int ends[2];
    start(fixture);
    world_pair(ends);
    fixture->near = ends[0];
    far_open(&fixture->far, &fixture->world, ends[1], APP);
    fixture->conn = conn_accept(&fixture->settings, ends[0], "127.0.0.1:1");
}

/* This node connects; the other one has taken the connection and has said nothing yet. */
static inline void start_dialled(struct fixture *fixture)
{
    struct resolve_address address;
    start(fixture);
    int listener = world_listen(&address, true);
    fixture->conn = conn_dial(&fixture->settings, &address, APP);
    assert_non_null(fixture->conn);
    far_open(&fixture->far, &fixture->world, world_accept(listener), APP);
    far_accept(&fixture->far);
    close(listener);
}

static inline void start_up(struct fixture *fixture)
{
    start_accepted(fixture);
    far_initiate(&fixture->far);
    far_shake(&fixture->far);
    WORLD_UNTIL(&fixture->world, fixture->up)
        ;
}

static inline void expect_down(struct fixture *fixture, enum conn_state was, const char *reason)
{
    WORLD_UNTIL(&fixture->world, fixture->down)
        ;
    assert_int_equal(fixture->down, 1);
    assert_int_equal(fixture->was, was);
    if (!strstr(fixture->reason, reason))
        fail_msg("'%s' is not about '%s'", fixture->reason, reason);
    assert_null(fixture->conn);
}

/* What is left to be read is nothing, and nothing more comes. */
static inline void expect_end_of_stream(struct fixture *fixture)
{
    WORLD_UNTIL(&fixture->world, fixture->far.ended)
        ;
    assert_int_equal(fixture->far.input.size, 0);
}

/* Has the connection read all that was written to it, when it was accepted. */
static inline void have_it_read(struct fixture *fixture)
{
    int left = 1;
    while (left) {
        world_pass(&fixture->world);
        assert_int_equal(ioctl(fixture->near, FIONREAD, &left), 0);
    }
}

#endif
