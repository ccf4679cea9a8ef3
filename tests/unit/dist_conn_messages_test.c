#include "conn_world.h"

#include "base/log.h"

static void expect_received(struct fixture *fixture, const char *payload)
{
    struct term control, received;
    far_receive(&fixture->far, &control, &received);
    expect_term(control, "{22, $o, $p}");
    expect_term(received, payload);
}

static void test_messages(void **state)
{
    (void)state;
    static const uint64_t missing[] = {0, FLAG_FRAGMENTS, FLAG_DIST_HDR_ATOM_CACHE,
                                       FLAG_FRAGMENTS | FLAG_DIST_HDR_ATOM_CACHE};
    for (size_t i = 0; i < ARRAY_LENGTH(missing); i++) {
        struct fixture fixture;
        start_accepted(&fixture);
        fixture.far.identity.flags = FLAGS_OFFERED & ~missing[i];
        far_initiate(&fixture.far);
        far_shake(&fixture.far);
        WORLD_UNTIL(&fixture.world, fixture.up)
            ;
        for (int round = 0; round < 3; round++) {
            far_send(&fixture.far, SEND, "{hello, [1, 2]}");
            WORLD_UNTIL(&fixture.world, fixture.messages == 2 * round + 1)
                ;
            assert_string_equal(fixture.payload, "{hello,[1,2]}");
            assert_int_equal(fixture.control.operation, CONTROL_SEND);
            far_send(&fixture.far, "{1, $p, $o}", NULL);
            WORLD_UNTIL(&fixture.world, fixture.messages == 2 * round + 2)
                ;
            assert_string_equal(fixture.payload, "none");
            assert_int_equal(fixture.control.operation, CONTROL_LINK);
            assert_true(send_text(fixture.conn, 1, "{answer, here}"));
            assert_true(conn_queued_bytes(fixture.conn) > 0);
            expect_received(&fixture, "{answer, here}");
            assert_int_equal(conn_queued_bytes(fixture.conn), 0);
        }
        end(&fixture);
    }
}

/* A payload of so many bytes, as a binary. */
static struct term long_payload(struct term_builder *builder, size_t size)
{
    uint8_t *bytes = memory_zalloc(size, 1);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    term_build_reset(builder);
    term_build_binary(builder, bytes, size);
    free(bytes);
    return term_built(builder);
}

static bool send_long(struct fixture *fixture, uint64_t sender, size_t size)
{
    struct term_builder parts[2] = {0};
    bool sent = conn_send(fixture->conn, sender, term_from_text(&parts[0], "{22, $o, $p}"),
                          long_payload(&parts[1], size), NULL);
    term_build_free(&parts[0]);
    term_build_free(&parts[1]);
    return sent;
}

static void expect_long(struct fixture *fixture, size_t size)
{
    struct term_builder builder = {0};
    struct term control, payload;
    far_receive(&fixture->far, &control, &payload);
    assert_true(term_same(payload, long_payload(&builder, size)));
    term_build_free(&builder);
}

/* Longer than what a socket or a pass takes; fragments of the other node are put together. */
static void test_long_messages(void **state)
{
    (void)state;
    struct fixture fixture;
    struct term_builder parts[2] = {0};
    struct message_fragments fragments;
    struct buffer said = {0};
    start_up(&fixture);
    assert_true(send_long(&fixture, 1, 2000000));
    expect_long(&fixture, 2000000);
    message_fragments_start(&fragments, 1, term_from_text(&parts[0], SEND), long_payload(&parts[1], 150000),
                            NULL);
    for (bool more = true; more;) {
        more = message_fragments_next(&fragments, &said);
        assert_int_equal(fixture.messages, 0);
        far_flush(&fixture.far, &said);
        world_pass(&fixture.world);
    }
    WORLD_UNTIL(&fixture.world, fixture.messages)
        ;
    term_build_free(&parts[0]);
    term_build_free(&parts[1]);
    end(&fixture);
}

/* What a pass sends has one departure: when it is written, whatever becomes of the connection afterwards. */
static void test_departures(void **state)
{
    (void)state;
    struct fixture fixture;
    start_accepted(&fixture);
    assert_null(conn_departure(fixture.conn)); /* it is not up */
    far_initiate(&fixture.far);
    far_shake(&fixture.far);
    WORLD_UNTIL(&fixture.world, fixture.up)
        ;
    struct departure *first = conn_departure(fixture.conn);
    assert_true(send_text(fixture.conn, 1, "one"));
    struct departure *same = conn_departure(fixture.conn);
    assert_true(send_text(fixture.conn, 2, "two"));
    assert_ptr_equal(first, same);
    assert_int_equal(first->ns, 0);
    world_advance(5 * MS);
    loop_finish(&fixture.world.loop);
    assert_int_equal(first->ns, world_clock.now_ns);
    assert_false(first->was_full);
    departure_release(same);

    struct departure *second = conn_departure(fixture.conn);
    assert_ptr_not_equal(first, second);
    conn_close(fixture.conn, "it is over");
    loop_finish(&fixture.world.loop);
    assert_int_equal(second->ns, 0);
    assert_true(first->ns > 0);
    departure_release(first);
    departure_release(second);
    departure_release(NULL);
    end(&fixture);
}

/* What the other side does not take: the bytes that the socket has not, and those that it keeps. */
static void test_departures_into_a_full_socket(void **state)
{
    (void)state;
    struct fixture fixture;
    start_up(&fixture);
    event_del(fixture.far.readable);
    while (!conn_queued_bytes(fixture.conn)) {
        struct departure *departure = conn_departure(fixture.conn);
        assert_true(send_long(&fixture, 1, 60000));
        loop_finish(&fixture.world.loop);
        assert_true(departure->ns > 0);
        assert_int_equal(departure->was_full, conn_queued_bytes(fixture.conn) > 0);
        departure_release(departure);
    }
    struct departure *waiting = conn_departure(fixture.conn);
    assert_true(send_text(fixture.conn, 1, "behind"));
    loop_finish(&fixture.world.loop);
    assert_int_equal(waiting->ns, 0);
    event_add(fixture.far.readable, NULL);
    world_advance(7 * MS);
    WORLD_UNTIL(&fixture.world, waiting->ns)
        ;
    assert_int_equal(waiting->ns, world_clock.now_ns);
    departure_release(waiting);
    end(&fixture);
}

/* Those of TCP take more than the other side does. */
static void test_departures_into_a_socket_that_keeps_them(void **state)
{
    (void)state;
    struct fixture fixture;
    bool is_full = false;
    start_dialled(&fixture);
    far_shake(&fixture.far);
    WORLD_UNTIL(&fixture.world, fixture.up)
        ;
    event_del(fixture.far.readable);
    while (!is_full) {
        struct departure *departure = conn_departure(fixture.conn);
        assert_true(send_long(&fixture, 1, 60000));
        loop_finish(&fixture.world.loop);
        is_full = departure->was_full;
        assert_true(is_full || !conn_queued_bytes(fixture.conn));
        departure_release(departure);
    }
    end(&fixture);
}

/* Fragments of a message that is larger than the limit, a short message behind each of them. */
static int say_too_large(struct fixture *fixture, struct buffer *said)
{
    struct term_builder parts[3] = {0};
    struct message_fragments fragments;
    struct term control = term_from_text(&parts[0], SEND);
    int behind = 0;
    message_fragments_start(&fragments, 1, control, long_payload(&parts[1], 3000000), NULL);
    for (bool more = true; more; behind++) {
        more = message_fragments_next(&fragments, said);
        message_append(said, far_flags(&fixture->far), &fixture->far.atoms, control,
                       term_from_text(&parts[2], "behind"));
    }
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++)
        term_build_free(&parts[i]);
    return behind;
}

/* However it comes, only what is too large is skipped. */
static void test_message_too_large(void **state)
{
    (void)state;
    static const size_t pieces[] = {997, 4096, 65536, 300000};
    for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++) {
        struct fixture fixture;
        struct buffer said = {0};
        start_dialled(&fixture); /* by TCP, which can skip */
        far_shake(&fixture.far);
        WORLD_UNTIL(&fixture.world, fixture.up)
            ;
        int behind = say_too_large(&fixture, &said);
        while (said.size) {
            size_t piece = said.size < pieces[i] ? said.size : pieces[i];
            ssize_t written = write(fixture.far.descriptor, buffer_bytes(&said), piece);
            buffer_consume(&said, written > 0 ? (size_t)written : 0);
            world_pass(&fixture.world);
        }
        WORLD_UNTIL(&fixture.world, fixture.messages == behind + 1)
            ;
        assert_string_equal(fixture.payload, "behind");
        assert_string_equal(fixture.longest, "{message_too_large,1048576}");
        buffer_free(&said);
        end(&fixture);
    }
}

/* Several that are large share what may come at once: the log says of what the limit is a share. */
static void test_messages_too_large_together(void **state)
{
    (void)state;
    enum { TOGETHER = 6 };
    struct fixture fixture;
    struct message_fragments fragments[TOGETHER];
    struct term_builder control = {0}, payload = {0};
    struct buffer said = {0};
    char *log;
    size_t log_size, ended = 0;
    FILE *file = open_memstream(&log, &log_size);
    log_configure(LOG_LEVEL_WARNING, LOG_TEXT, file);
    start_dialled(&fixture); /* by TCP, which can skip */
    far_shake(&fixture.far);
    WORLD_UNTIL(&fixture.world, fixture.up)
        ;
    struct term message = long_payload(&payload, 900000);
    for (size_t i = 0; i < TOGETHER; i++)
        message_fragments_start(&fragments[i], i + 1, term_from_text(&control, SEND), message, NULL);
    for (bool more[TOGETHER] = {true, true, true, true, true, true}; ended < TOGETHER;) {
        for (size_t i = 0; i < TOGETHER; i++) {
            if (!more[i])
                continue;
            more[i] = message_fragments_next(&fragments[i], &said);
            ended += !more[i];
        }
        while (said.size) {
            ssize_t written = write(fixture.far.descriptor, buffer_bytes(&said), said.size);
            buffer_consume(&said, written > 0 ? (size_t)written : 0);
            world_pass(&fixture.world);
        }
    }
    WORLD_UNTIL(&fixture.world, fixture.messages == TOGETHER)
        ;
    log_configure(LOG_LEVEL_WARNING, LOG_TEXT, NULL);
    fclose(file);
    assert_non_null(strstr(log, "message too large"));
    assert_non_null(strstr(log, " limit=limits.frame_bytes value="));
    assert_null(strstr(log, " value=1048576"));
    assert_non_null(strstr(log, " of=1048576\n"));
    free(log);
    buffer_free(&said);
    term_build_free(&control);
    term_build_free(&payload);
    end(&fixture);
}

static void test_spoilt_messages(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *reason;
    } rows[] = {
        {"\0\0\0\1\0", 5, "invalid message: "},
        {"\0\0\0\5\x83\x44\0a\1", 9, "invalid message: "},       /* no tuple */
        {"\0\0\0\7\x83\x44\0h\1a\x63", 11, "invalid message: "}, /* an operation that there is not */
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct fixture fixture;
        start_up(&fixture);
        far_write(&fixture.far, rows[i].bytes, rows[i].size);
        expect_down(&fixture, CONN_UP, rows[i].reason);
        assert_int_equal(fixture.limit, CONN_LIMIT_NONE);
        assert_int_equal(fixture.messages, 0);
        end(&fixture);
    }
}

/* What comes behind is not looked at. */
static void test_closed_in_callbacks(void **state)
{
    (void)state;
    static const struct {
        enum callback callback;
        enum handshake_verdict verdict;
        enum conn_state was;
    } rows[] = {
        {JUDGE, HANDSHAKE_ADMIT, CONN_HANDSHAKING},
        {JUDGE, HANDSHAKE_REFUSE, CONN_HANDSHAKING},
        {UP, HANDSHAKE_ADMIT, CONN_UP},
        {MESSAGE, HANDSHAKE_ADMIT, CONN_UP},
        {DRAINED, HANDSHAKE_ADMIT, CONN_UP},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct fixture fixture;
        start_accepted(&fixture);
        fixture.closes_in = rows[i].callback;
        fixture.verdict = rows[i].verdict;
        far_initiate(&fixture.far);
        for (int step = 0; step < 2 && rows[i].callback != JUDGE; step++)
            far_step(&fixture.far); /* up to the reply; the acknowledgement may not come any more */
        if (rows[i].callback == MESSAGE) {
            far_send(&fixture.far, SEND, "first");
            far_send(&fixture.far, SEND, "second");
        } else if (rows[i].callback == DRAINED) {
            WORLD_UNTIL(&fixture.world, fixture.up)
                ;
            assert_true(send_long(&fixture, 1, 1000000));
        }
        expect_down(&fixture, rows[i].was, "closed by the test");
        assert_int_equal(fixture.messages, rows[i].callback == MESSAGE);
        assert_int_equal(fixture.up, rows[i].callback != JUDGE);
        WORLD_UNTIL(&fixture.world, fixture.far.ended)
            ;
        end(&fixture);
    }
}

static void test_closed_again_when_told(void **state)
{
    (void)state;
    struct fixture fixture;
    start_up(&fixture);
    fixture.closes_in = DOWN;
    far_close(&fixture.far);
    expect_down(&fixture, CONN_UP, "closed by the peer");
    end(&fixture);
}

/* --- Ticks --- */

/* Of the other node's view. */
static void expect_ticks(struct fixture *fixture, size_t ticks)
{
    WORLD_UNTIL(&fixture->world, fixture->far.input.size >= 4 * ticks)
        ;
    assert_int_equal(fixture->far.input.size, 4 * ticks);
    buffer_consume(&fixture->far.input, 4 * ticks);
}

static void test_ticks(void **state)
{
    (void)state;
    struct fixture fixture;
    start_up(&fixture);
    world_advance(TICKTIME_NS / 4 - 1);
    assert_int_equal(conn_queued_bytes(fixture.conn), 0);
    world_advance(1);
    expect_ticks(&fixture, 1);
    assert_true(send_text(fixture.conn, 1, "said")); /* which counts as a tick */
    expect_received(&fixture, "said");
    world_advance(TICKTIME_NS / 4);
    assert_true(send_text(fixture.conn, 1, "more"));
    expect_received(&fixture, "more");
    assert_int_equal(fixture.far.ticks, 0);
    world_advance(TICKTIME_NS / 4);
    world_advance(TICKTIME_NS / 4);
    expect_ticks(&fixture, 1);
    end(&fixture);
}

/* What waits to be written already says that this node is there. */
static void test_no_ticks_behind_what_waits(void **state)
{
    (void)state;
    struct fixture fixture;
    start_up(&fixture);
    event_del(fixture.far.readable);
    assert_true(send_long(&fixture, 1, 900000));
    world_pass(&fixture.world);
    size_t waits = conn_queued_bytes(fixture.conn);
    assert_true(waits > 0);
    for (int i = 0; i < 3; i++)
        world_advance(TICKTIME_NS / 4);
    assert_true(conn_queued_bytes(fixture.conn) <= waits);
    event_add(fixture.far.readable, NULL);
    expect_long(&fixture, 900000);
    assert_int_equal(fixture.far.ticks, 0);
    assert_int_equal(fixture.far.input.size, 0);
    end(&fixture);
}

static void test_silent_peer(void **state)
{
    (void)state;
    struct fixture fixture;
    start_up(&fixture);
    world_advance(TICKTIME_NS);
    assert_int_equal(fixture.down, 0);
    world_advance(TICKTIME_NS / 4);
    expect_down(&fixture, CONN_UP, "peer silent for 75000 ms");
    end(&fixture);
}

/* A tick, a message, and bytes of one that is not complete. */
static void test_signs_of_life(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } signs[] = {{"\0\0\0\0", 4}, {"\0", 1}, {"\0\0\x64\x83", 4}, {"x", 1}};
    struct fixture fixture;
    start_up(&fixture);
    for (size_t i = 0; i < ARRAY_LENGTH(signs); i++) {
        world_advance(TICKTIME_NS);
        assert_int_equal(fixture.down, 0);
        far_write(&fixture.far, signs[i].bytes, signs[i].size);
        have_it_read(&fixture);
    }
    assert_int_equal(fixture.messages, 0);
    world_advance(TICKTIME_NS + TICKTIME_NS / 4);
    expect_down(&fixture, CONN_UP, "peer silent for ");
    end(&fixture);
}

/* --- Limits --- */

static void test_congestion(void **state)
{
    (void)state;
    struct fixture fixture;
    start_up(&fixture);
    fixture.sends_when_drained = true;
    event_del(fixture.far.readable);
    assert_true(send_long(&fixture, 1, 1024 * 1024 / 4 - 1000));
    assert_false(conn_is_congested(fixture.conn));
    assert_true(send_long(&fixture, 2, 2000));
    assert_true(conn_is_congested(fixture.conn)); /* at a quarter of its limit */
    assert_true(send_long(&fixture, 3, 600000));
    world_pass(&fixture.world);
    assert_int_equal(fixture.drained, 0);
    event_add(fixture.far.readable, NULL);
    WORLD_UNTIL(&fixture.world, fixture.drained)
        ;
    assert_true(conn_queued_bytes(fixture.conn) < 1024 * 1024 / 4);
    WORLD_UNTIL(&fixture.world, !conn_queued_bytes(fixture.conn))
        ;
    assert_int_equal(fixture.drained, 1);
    assert_false(conn_is_congested(fixture.conn));
    for (int i = 0; i < 4; i++) {
        struct term control, payload;
        far_receive(&fixture.far, &control, &payload);
    }
    end(&fixture);
}

/* However large the limit is, a megabyte is enough. */
static void test_congestion_of_a_large_limit(void **state)
{
    (void)state;
    struct fixture fixture;
    start_up(&fixture);
    fixture.settings.queued_bytes = 100 * CONN_CONGESTED_BYTES;
    assert_true(send_long(&fixture, 1, CONN_CONGESTED_BYTES - 1000));
    assert_false(conn_is_congested(fixture.conn));
    assert_true(send_long(&fixture, 2, 2000));
    assert_true(conn_is_congested(fixture.conn));
    end(&fixture);
}

/* One message may be longer than the limit; the next is too much. It is not closed inside whoever sends. */
static void test_peer_that_does_not_read(void **state)
{
    (void)state;
    struct fixture fixture;
    start_up(&fixture);
    event_del(fixture.far.readable);
    assert_true(send_long(&fixture, 1, 3000000));
    assert_false(send_text(fixture.conn, 1, "more"));
    assert_int_equal(conn_state(fixture.conn), CONN_UP);
    assert_false(send_text(fixture.conn, 1, "still_more"));
    assert_int_equal(fixture.down, 0);
    expect_down(&fixture, CONN_UP, "peer does not read: 300");
    assert_int_equal(fixture.limit, CONN_LIMIT_QUEUED);
    end(&fixture);
}

static void test_peer_that_is_gone(void **state)
{
    (void)state;
    struct fixture fixture;
    start_up(&fixture);
    far_close(&fixture.far);
    assert_true(send_text(fixture.conn, 1, "nobody_reads"));
    loop_finish(&fixture.world.loop); /* before the end is read */
    expect_down(&fixture, CONN_UP, "write: ");
    assert_int_equal(fixture.limit, CONN_LIMIT_NONE);
    end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_long_messages),
        cmocka_unit_test(test_departures),
        cmocka_unit_test(test_departures_into_a_full_socket),
        cmocka_unit_test(test_departures_into_a_socket_that_keeps_them),
        cmocka_unit_test(test_message_too_large),
        cmocka_unit_test(test_messages_too_large_together),
        cmocka_unit_test(test_spoilt_messages),
        cmocka_unit_test(test_closed_in_callbacks),
        cmocka_unit_test(test_closed_again_when_told),
        cmocka_unit_test(test_ticks),
        cmocka_unit_test(test_no_ticks_behind_what_waits),
        cmocka_unit_test(test_silent_peer),
        cmocka_unit_test(test_signs_of_life),
        cmocka_unit_test(test_congestion),
        cmocka_unit_test(test_congestion_of_a_large_limit),
        cmocka_unit_test(test_peer_that_does_not_read),
        cmocka_unit_test(test_peer_that_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
