#include "conn_world.h"

#include <errno.h>

/* --- States up to the end of a handshake --- */

/* What a connection waits for, and how it is brought there: `steps` messages of the other node. */
static const struct waiting {
    bool accepted;
    int steps;
    enum conn_state state;
    const char *end; /* what it says of a peer that closes then */
} waiting[] = {
    {true, 0, CONN_HANDSHAKING, "closed by the peer"},                    /* the name */
    {true, 1, CONN_HANDSHAKING, "closed by the peer"},                    /* the reply */
    {false, 0, CONN_HANDSHAKING, "closed by the peer"},                   /* the status */
    {false, 1, CONN_HANDSHAKING, "closed by the peer"},                   /* the challenge */
    {false, 2, CONN_HANDSHAKING, "closed by the peer: cookie mismatch?"}, /* the acknowledgement */
    {true, 2, CONN_UP, "closed by the peer"},
    {false, 3, CONN_UP, "closed by the peer"},
};

/* Has the connection take the message of a handshake that was written: its deadline begins anew. */
static void have_it_taken(struct fixture *fixture)
{
    assert_int_equal(world_clock.count, 1);
    WORLD_UNTIL(&fixture->world, world_clock.set[0].due_ns == world_clock.now_ns + CONN_SETUP_NS)
        ;
}

static void bring_accepted(struct fixture *fixture, int steps)
{
    start_accepted(fixture);
    if (steps == 0)
        return;
    far_initiate(&fixture->far);
    far_step(&fixture->far); /* its status */
    if (steps == 1)
        return;
    far_shake(&fixture->far);
    WORLD_UNTIL(&fixture->world, fixture->up)
        ;
}

/* The answer to a name is a status and a challenge, which come here one after the other. */
static void bring_dialled(struct fixture *fixture, int steps)
{
    struct buffer said = {0};
    uint8_t name[HANDSHAKE_MESSAGE_BYTES];
    size_t status_size = 2 + strlen("sok");
    start_dialled(fixture);
    WORLD_UNTIL(&fixture->world, fixture->far.input.size)
        ; /* the name */
    if (steps == 0)
        return;
    size_t size = far_take(&fixture->far, name);
    handshake_input(&fixture->far.handshake, name, size, &said);
    world_advance(1);
    far_write(&fixture->far, buffer_bytes(&said), status_size);
    have_it_taken(fixture);
    buffer_consume(&said, status_size);
    if (steps > 1) {
        far_flush(&fixture->far, &said);
        WORLD_UNTIL(&fixture->world, fixture->far.input.size)
            ; /* the reply */
    }
    buffer_free(&said);
    if (steps > 2)
        far_shake(&fixture->far);
    WORLD_UNTIL(&fixture->world, steps < 3 || fixture->up)
        ;
}

static void bring(struct fixture *fixture, const struct waiting *row)
{
    if (row->accepted)
        bring_accepted(fixture, row->steps);
    else
        bring_dialled(fixture, row->steps);
    assert_int_equal(conn_state(fixture->conn), row->state);
    assert_int_equal(conn_was_accepted(fixture->conn), row->accepted);
    assert_int_equal(fixture->up, row->state == CONN_UP);
}

static void test_agreement(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(waiting); i++) {
        struct fixture fixture;
        bring(&fixture, &waiting[i]);
        bool is_up = waiting[i].state == CONN_UP;
        bool knows_peer = !waiting[i].accepted || waiting[i].steps;
        assert_string_equal(conn_peer(fixture.conn), knows_peer ? APP : "");
        assert_true(conn_flags(fixture.conn) == (is_up ? far_flags(&fixture.far) : 0));
        assert_string_equal(fixture.judged, waiting[i].accepted && knows_peer ? APP : "");
        assert_false(conn_waits_for_peer(fixture.conn));
        assert_int_equal(send_text(fixture.conn, 1, "early"), is_up);
        assert_null(conn_data(fixture.conn));
        conn_set_data(fixture.conn, &fixture);
        assert_ptr_equal(conn_data(fixture.conn), &fixture);
        end(&fixture);
    }
}

/* Each message of a node that was dialled gives it the whole time again, other bytes do not. */
static void test_setup_deadline(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(waiting); i++) {
        if (waiting[i].state == CONN_UP)
            continue;
        struct fixture fixture;
        bring(&fixture, &waiting[i]);
        world_advance(CONN_SETUP_NS - 1);
        assert_int_equal(fixture.down, 0);
        far_write(&fixture.far, "\0\3s", 3); /* no whole message */
        world_pass(&fixture.world);
        world_advance(1);
        expect_down(&fixture, CONN_HANDSHAKING,
                    waiting[i].accepted ? "handshake not done within 7000 ms" : "no progress for 7000 ms");
        end(&fixture);
    }
}

/* Who has connected cannot stay by saying a little every few seconds. */
static void test_setup_deadline_of_an_accepted_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(waiting); i++) {
        if (waiting[i].state == CONN_UP || !waiting[i].accepted || !waiting[i].steps)
            continue;
        struct fixture fixture;
        struct waiting silent = waiting[i];
        silent.steps = 0;
        bring(&fixture, &silent);
        world_advance(CONN_SETUP_NS - 1);
        far_initiate(&fixture.far);
        far_step(&fixture.far);
        assert_int_equal(fixture.down, 0);
        world_advance(1);
        expect_down(&fixture, CONN_HANDSHAKING, "handshake not done within 7000 ms");
        end(&fixture);
    }
}

static void test_peer_closes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(waiting); i++) {
        struct fixture fixture;
        bring(&fixture, &waiting[i]);
        far_close(&fixture.far);
        expect_down(&fixture, waiting[i].state, waiting[i].end);
        assert_string_equal(fixture.reason, waiting[i].end);
        end(&fixture);
    }
}

static void test_peer_resets(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(waiting); i++) {
        if (waiting[i].accepted)
            continue;
        struct fixture fixture;
        struct linger at_once = {.l_onoff = 1};
        bring(&fixture, &waiting[i]);
        setsockopt(fixture.far.descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        far_close(&fixture.far);
        expect_down(&fixture, waiting[i].state, strerror(ECONNRESET));
        end(&fixture);
    }
}

static void test_closed_by_this_node(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(waiting); i++) {
        struct fixture fixture;
        bring(&fixture, &waiting[i]);
        struct conn *conn = fixture.conn;
        conn_close(conn, "reason %d", 5);
        assert_int_equal(fixture.down, 1); /* at once */
        assert_string_equal(fixture.reason, "reason 5");
        assert_int_equal(fixture.was, waiting[i].state);
        conn_close(conn, "again"); /* its memory goes at the end of the pass */
        assert_int_equal(conn_state(conn), CONN_CLOSING);
        assert_false(send_text(conn, 1, "late"));
        assert_int_equal(fixture.down, 1);
        WORLD_UNTIL(&fixture.world, fixture.far.ended)
            ;
        assert_int_equal(world_clock.count, 0);
        end(&fixture);
    }
}

/* A message that is none, one that is too long, and one that is empty. */
static void test_spoilt_handshakes(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *reason;
    } spoilt[] = {
        {"\0\1x", 3, ""},
        {"\0\0", 2, ""},
        {"\4\1", 2, "frame of 1025 bytes is beyond the limit of 1024"},
        {"\xff\xff", 2, "frame of 65535 bytes is beyond the limit of 1024"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(waiting); i++) {
        for (size_t k = 0; k < ARRAY_LENGTH(spoilt) && waiting[i].state != CONN_UP; k++) {
            struct fixture fixture;
            bring(&fixture, &waiting[i]);
            far_write(&fixture.far, spoilt[k].bytes, spoilt[k].size);
            expect_down(&fixture, CONN_HANDSHAKING, spoilt[k].reason);
            assert_true(fixture.reason[0] != '\0');
            end(&fixture);
        }
    }
}

/* --- Dialling --- */

static void test_nobody_listens(void **state)
{
    (void)state;
    struct fixture fixture;
    struct resolve_address address;
    start(&fixture);
    int closed = world_listen(&address, false);
    fixture.conn = conn_dial(&fixture.settings, &address, APP);
    assert_non_null(fixture.conn);
    assert_int_equal(conn_state(fixture.conn), CONN_DIALLING);
    assert_string_equal(conn_peer(fixture.conn), APP);
    assert_false(send_text(fixture.conn, 1, "early"));
    expect_down(&fixture, CONN_DIALLING, strerror(ECONNREFUSED));
    close(closed);
    end(&fixture);
}

static void test_dialling_that_cannot_start(void **state)
{
    (void)state;
    struct fixture fixture;
    struct resolve_address address = {.size = sizeof(struct sockaddr_in)};
    start(&fixture);
    address.address.ss_family = 9999;
    assert_null(conn_dial(&fixture.settings, &address, APP));
    assert_int_equal(errno, EAFNOSUPPORT);
    address.address.ss_family = AF_UNIX; /* a path that is empty */
    assert_null(conn_dial(&fixture.settings, &address, APP));
    assert_int_not_equal(errno, 0);
    end(&fixture);
}

/* The time for connecting is one of its own: the handshake has the whole again. */
static void test_dialling_deadline(void **state)
{
    (void)state;
    for (int is_late = 0; is_late < 2; is_late++) {
        struct fixture fixture;
        start_dialled(&fixture);
        world_advance(CONN_SETUP_NS - 1);
        assert_int_equal(conn_state(fixture.conn), CONN_DIALLING);
        if (is_late) {
            world_advance(1);
            expect_down(&fixture, CONN_DIALLING, "no progress for 7000 ms");
        } else {
            far_shake(&fixture.far);
            WORLD_UNTIL(&fixture.world, fixture.up)
                ;
        }
        end(&fixture);
    }
}

static void test_closed_while_dialling(void **state)
{
    (void)state;
    struct fixture fixture;
    start_dialled(&fixture);
    conn_close(fixture.conn, "no more");
    expect_down(&fixture, CONN_DIALLING, "no more");
    expect_end_of_stream(&fixture);
    end(&fixture);
}

/* --- What a handshake answers --- */

static void test_refusals_are_told(void **state)
{
    (void)state;
    static const struct {
        enum handshake_verdict verdict;
        const char *status;
        const char *reason;
    } rows[] = {
        {HANDSHAKE_REFUSE, "not_allowed", "name not allowed"},
        {HANDSHAKE_REFUSE_SIMULTANEOUS, "nok", "this node's own attempt goes on"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct fixture fixture;
        start_accepted(&fixture);
        fixture.verdict = rows[i].verdict;
        far_initiate(&fixture.far);
        far_expect_status(&fixture.far, rows[i].status);
        expect_down(&fixture, CONN_HANDSHAKING, rows[i].reason);
        expect_end_of_stream(&fixture);
        end(&fixture);
    }
}

static void test_flags_that_do_not_suffice(void **state)
{
    (void)state;
    struct fixture fixture;
    start_accepted(&fixture);
    fixture.far.identity.flags &= ~(FLAG_V4_NC | FLAG_MANDATORY_25_DIGEST);
    far_initiate(&fixture.far);
    far_expect_status(&fixture.far, "not_allowed");
    expect_down(&fixture, CONN_HANDSHAKING, "peer lacks V4_NC");
    assert_string_equal(fixture.judged, "");
    expect_end_of_stream(&fixture);
    end(&fixture);
}

static void test_wrong_cookie(void **state)
{
    (void)state;
    for (int accepted = 0; accepted < 2; accepted++) {
        struct fixture fixture;
        if (accepted)
            start_accepted(&fixture);
        else
            start_dialled(&fixture);
        fixture.far.identity.cookie = "another";
        if (accepted)
            far_initiate(&fixture.far);
        for (int i = 0; i < 2; i++)
            far_step(&fixture.far);
        if (!accepted) {
            assert_int_equal(fixture.far.handshake.state, HANDSHAKE_FAILED);
            far_close(&fixture.far);
        }
        expect_down(&fixture, CONN_HANDSHAKING, "cookie mismatch");
        end(&fixture);
    }
}

static void test_statuses(void **state)
{
    (void)state;
    static const struct {
        enum handshake_verdict verdict;
        bool is_up;
        bool waits_for_peer;
    } rows[] = {
        {HANDSHAKE_ADMIT, true, false},   {HANDSHAKE_ADMIT_SIMULTANEOUS, true, false},
        {HANDSHAKE_ALIVE, true, false},   {HANDSHAKE_REFUSE_SIMULTANEOUS, false, true},
        {HANDSHAKE_REFUSE, false, false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct fixture fixture;
        start_dialled(&fixture);
        fixture.far.verdict = rows[i].verdict;
        struct conn *conn = fixture.conn;
        far_shake(&fixture.far);
        if (rows[i].is_up)
            WORLD_UNTIL(&fixture.world, fixture.up)
                ;
        else
            expect_down(&fixture, CONN_HANDSHAKING, rows[i].waits_for_peer ? "simultaneous" : "not allow");
        assert_int_equal(fixture.up, rows[i].is_up);
        if (rows[i].is_up)
            assert_false(conn_waits_for_peer(conn));
        end(&fixture);
    }
}

/* The peer says whether it still knows of the connection that there is. */
static void test_alive(void **state)
{
    (void)state;
    for (int knows = 0; knows < 2; knows++) {
        struct fixture fixture;
        start_accepted(&fixture);
        fixture.verdict = HANDSHAKE_ALIVE;
        far_initiate(&fixture.far);
        if (knows) {
            far_expect_status(&fixture.far, "alive");
            far_write(&fixture.far, "\0\6sfalse", 8);
            expect_down(&fixture, CONN_HANDSHAKING, "keeps the connection");
        } else {
            far_shake(&fixture.far);
            WORLD_UNTIL(&fixture.world, fixture.up)
                ;
        }
        end(&fixture);
    }
}

/* A byte at a time, and all at once: the acknowledgement with a message right behind it. */
static void test_pieces(void **state)
{
    (void)state;
    struct fixture fixture;
    uint8_t message[HANDSHAKE_MESSAGE_BYTES];
    struct buffer said = {0};
    start_accepted(&fixture);
    handshake_initiate(&fixture.far.handshake, &fixture.far.identity, 2, OWN, &said);
    for (size_t i = 0; i < said.size; i++) {
        far_write(&fixture.far, buffer_bytes(&said) + i, 1);
        have_it_read(&fixture);
        assert_int_equal(fixture.judged[0] != '\0', i == said.size - 1);
    }
    buffer_free(&said);
    far_shake(&fixture.far);
    WORLD_UNTIL(&fixture.world, fixture.up)
        ;
    end(&fixture);

    bring_dialled(&fixture, 2);
    size_t size = far_take(&fixture.far, message);
    handshake_input(&fixture.far.handshake, message, size, &said);
    struct term_builder parts[2] = {0};
    message_append(&said, far_flags(&fixture.far), &fixture.far.atoms, term_from_text(&parts[0], SEND),
                   term_from_text(&parts[1], "{at, once}"));
    far_flush(&fixture.far, &said);
    WORLD_UNTIL(&fixture.world, fixture.messages)
        ;
    assert_string_equal(fixture.payload, "{at,once}");
    term_build_free(&parts[0]);
    term_build_free(&parts[1]);
    end(&fixture);
}

/* A socket that takes nothing at first: the answers wait for it. */
static void test_handshake_on_a_full_socket(void **state)
{
    (void)state;
    struct fixture fixture;
    static const uint8_t filling[4096];
    size_t filled = 0;
    ssize_t written;
    start_accepted(&fixture);
    while ((written = write(fixture.near, filling, sizeof(filling))) > 0)
        filled += (size_t)written;
    event_del(fixture.far.readable);
    far_initiate(&fixture.far);
    WORLD_UNTIL(&fixture.world, fixture.judged[0])
        ;
    assert_true(conn_queued_bytes(fixture.conn) > 0);
    event_add(fixture.far.readable, NULL);
    WORLD_UNTIL(&fixture.world, fixture.far.input.size > filled)
        ;
    assert_int_equal(conn_queued_bytes(fixture.conn), 0);
    buffer_consume(&fixture.far.input, filled);
    far_shake(&fixture.far);
    WORLD_UNTIL(&fixture.world, fixture.up)
        ;
    end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agreement),
        cmocka_unit_test(test_setup_deadline),
        cmocka_unit_test(test_setup_deadline_of_an_accepted_one),
        cmocka_unit_test(test_peer_closes),
        cmocka_unit_test(test_peer_resets),
        cmocka_unit_test(test_closed_by_this_node),
        cmocka_unit_test(test_spoilt_handshakes),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_dialling_that_cannot_start),
        cmocka_unit_test(test_dialling_deadline),
        cmocka_unit_test(test_closed_while_dialling),
        cmocka_unit_test(test_refusals_are_told),
        cmocka_unit_test(test_flags_that_do_not_suffice),
        cmocka_unit_test(test_wrong_cookie),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_alive),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_handshake_on_a_full_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
