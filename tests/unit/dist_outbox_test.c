#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "base/random.h"
#include "dist/flags.h"
#include "outbox_private.h"
#include "term/term_build.h"
#include "term/term_read.h"

#define SENDERS 8
#define LONG (3 * MESSAGE_FRAGMENT_BYTES)

/* An outbox and the peer that reads it. Messages are numbered for each sender. */
struct wire {
    struct outbox outbox;
    uint64_t flags;
    struct message_reader reader;
    int64_t sent[SENDERS];
    int64_t read[SENDERS];
    int64_t order[4000]; /* senders of the frames that came, -1 for one of a message that is incomplete */
    size_t order_count;
};

static void start(struct wire *wire, uint64_t flags)
{
    *wire = (struct wire){.flags = flags};
    message_reader_init(&wire->reader, SIZE_MAX);
    wire->reader.refers = flags & FLAG_DIST_HDR_ATOM_CACHE;
}

static void end(struct wire *wire)
{
    outbox_free(&wire->outbox);
    message_reader_free(&wire->reader);
}

static uint8_t content(int64_t sender, int64_t number, size_t index)
{
    return (uint8_t)((size_t)sender * 31 + (size_t)number * 17 + index + index / 255);
}

/* The payload is {Number, Binary}, the control tuple {Sender}. */
static void add(struct wire *wire, int64_t sender, size_t size)
{
    struct term_builder control = {0}, payload = {0};
    int64_t number = wire->sent[sender]++;
    uint8_t *data = memory_alloc(size);
    for (size_t i = 0; i < size; i++)
        data[i] = content(sender, number, i);
    term_build_tuple(&control, 1);
    term_build_integer(&control, sender);
    term_build_tuple(&payload, 2);
    term_build_integer(&payload, number);
    term_build_binary(&payload, data, size);
    struct term terms[2];
    assert_true(term_build_done(&control, &terms[0]));
    assert_true(term_build_done(&payload, &terms[1]));
    outbox_add(&wire->outbox, wire->flags, (uint64_t)sender, terms[0], terms[1], NULL);
    term_build_free(&control);
    term_build_free(&payload);
    free(data);
}

static int64_t read_message(struct wire *wire, struct term control, struct term payload)
{
    struct term parts[2], only;
    int64_t sender, number;
    const uint8_t *data;
    size_t size;
    assert_true(term_read_tuple_of(control, 1, &only));
    assert_true(term_read_integer(only, &sender));
    assert_true(term_read_tuple_of(payload, 2, parts));
    assert_true(term_read_integer(parts[0], &number));
    assert_true(term_read_binary(parts[1], &data, &size));
    assert_true(sender >= 0 && sender < SENDERS);
    assert_int_equal(number, wire->read[sender]++);
    for (size_t i = 0; i < size; i++)
        if (data[i] != content(sender, number, i))
            fail_msg("byte %zu of message %d of sender %d", i, (int)number, (int)sender);
    return sender;
}

/* Reads one frame. */
static void read_frame(struct wire *wire)
{
    struct buffer *bytes = &wire->outbox.bytes;
    struct term control, payload;
    const char *problem;
    assert_true(bytes->size > 4);
    size_t size = bytes_get32(buffer_bytes(bytes));
    assert_true(size <= bytes->size - 4);
    uint8_t *frame = memory_copy(buffer_bytes(bytes) + 4, size);
    enum message_result result = message_read(&wire->reader, frame, size, &control, &payload, &problem);
    while (result == MESSAGE_LONG)
        result = message_go_on(&wire->reader, 1000, &control, &payload, &problem);
    if (result >= MESSAGE_BAD)
        fail_msg("%s", problem);
    assert_true(wire->order_count < ARRAY_LENGTH(wire->order));
    wire->order[wire->order_count++] = result == MESSAGE_READY ? read_message(wire, control, payload) : -1;
    free(frame);
    buffer_consume(bytes, 4 + size);
}

/* Fills up to `target` bytes and reads all that is there. */
static void turn(struct wire *wire, size_t target)
{
    outbox_fill(&wire->outbox, wire->flags, target);
    while (wire->outbox.bytes.size)
        read_frame(wire);
}

static void expect_all_read(struct wire *wire, size_t target)
{
    while (outbox_size(&wire->outbox)) {
        size_t before = outbox_size(&wire->outbox);
        turn(wire, target);
        assert_true(outbox_size(&wire->outbox) < before);
    }
    assert_null(wire->outbox.streams);
    assert_int_equal(wire->outbox.waiting_bytes, 0);
    assert_memory_equal(wire->sent, wire->read, sizeof(wire->sent));
}

static void expect_order(const struct wire *wire, const int64_t *order, size_t count)
{
    assert_int_equal(wire->order_count, count);
    assert_memory_equal(wire->order, order, count * sizeof(*order));
}

static void test_empty(void **state)
{
    (void)state;
    struct wire wire;
    start(&wire, FLAGS_OFFERED);
    assert_int_equal(outbox_size(&wire.outbox), 0);
    outbox_fill(&wire.outbox, wire.flags, 1000);
    assert_int_equal(outbox_size(&wire.outbox), 0);
    end(&wire);
}

/* Short messages are ready to be written at once, in their order. */
static void test_short(void **state)
{
    (void)state;
    struct wire wire;
    start(&wire, FLAGS_OFFERED);
    for (int64_t i = 0; i < 100; i++)
        add(&wire, i % 3, (size_t)i * 10);
    assert_null(wire.outbox.streams);
    expect_all_read(&wire, 0);
    assert_int_equal(wire.order_count, 100);
    for (int64_t i = 0; i < 100; i++)
        assert_int_equal(wire.order[i], i % 3);
    end(&wire);
}

static void test_short_passes_long(void **state)
{
    (void)state;
    struct wire wire;
    start(&wire, FLAGS_OFFERED);
    add(&wire, 0, LONG);
    add(&wire, 1, 10);
    expect_all_read(&wire, SIZE_MAX);
    expect_order(&wire, (const int64_t[]){1, -1, -1, -1, 0}, 5);
    end(&wire);
}

/* Also between two fragments. */
static void test_short_passes_long_on_its_way(void **state)
{
    (void)state;
    struct wire wire;
    start(&wire, FLAGS_OFFERED);
    add(&wire, 0, LONG);
    turn(&wire, 1);
    add(&wire, 1, 10);
    expect_all_read(&wire, 1);
    expect_order(&wire, (const int64_t[]){-1, 1, -1, -1, 0}, 5);
    end(&wire);
}

static void test_short_waits_behind_long_of_its_sender(void **state)
{
    (void)state;
    struct wire wire;
    start(&wire, FLAGS_OFFERED);
    add(&wire, 0, LONG);
    turn(&wire, 1);
    add(&wire, 0, 10);
    add(&wire, 0, LONG);
    add(&wire, 0, 20);
    add(&wire, 1, 30);
    expect_all_read(&wire, 1);
    expect_order(&wire, (const int64_t[]){-1, 1, -1, -1, 0, 0, -1, -1, -1, 0, 0}, 11);
    end(&wire);
}

static void test_long_ones_interleave(void **state)
{
    (void)state;
    struct wire wire;
    start(&wire, FLAGS_OFFERED);
    add(&wire, 0, LONG);
    add(&wire, 1, LONG);
    expect_all_read(&wire, SIZE_MAX);
    expect_order(&wire, (const int64_t[]){-1, -1, -1, -1, -1, -1, 0, 1}, 8);
    end(&wire);
}

/* A socket that takes less than a fragment at a time is no reason to let one sender go before all others. */
static void test_long_ones_interleave_on_a_slow_socket(void **state)
{
    (void)state;
    struct wire wire;
    start(&wire, FLAGS_OFFERED);
    add(&wire, 0, 50 * MESSAGE_FRAGMENT_BYTES);
    add(&wire, 1, LONG);
    for (int i = 0; i < 20; i++)
        turn(&wire, 1);
    assert_int_equal(wire.read[1], 1);
    expect_all_read(&wire, 1);
    end(&wire);
}

/* The longest that goes in one piece, and the shortest that does not. */
static void test_boundary(void **state)
{
    (void)state;
    struct wire wire;
    start(&wire, FLAGS_OFFERED);
    size_t overhead = 2 + 2 + 5; /* of the payload around its binary */
    add(&wire, 0, MESSAGE_FRAGMENT_BYTES - overhead);
    assert_null(wire.outbox.streams);
    add(&wire, 0, MESSAGE_FRAGMENT_BYTES - overhead + 1);
    assert_non_null(wire.outbox.streams);
    expect_all_read(&wire, SIZE_MAX);
    expect_order(&wire, (const int64_t[]){0, -1, 0}, 3);
    end(&wire);
}

static void test_peer_without_fragments(void **state)
{
    (void)state;
    struct wire wire;
    start(&wire, FLAGS_OFFERED & ~FLAG_FRAGMENTS);
    add(&wire, 0, LONG);
    add(&wire, 0, 10);
    add(&wire, 1, LONG);
    assert_null(wire.outbox.streams);
    expect_all_read(&wire, 0);
    expect_order(&wire, (const int64_t[]){0, 0, 1}, 3);
    end(&wire);
}

static void test_no_payload(void **state)
{
    (void)state;
    static const uint8_t link[] = {104, 1, 97, 1};
    struct wire wire;
    struct term control, payload;
    const char *problem;
    start(&wire, FLAGS_OFFERED);
    add(&wire, 0, LONG);
    outbox_add(&wire.outbox, wire.flags, 0, (struct term){link, sizeof(link)}, (struct term){0}, NULL);
    for (int i = 0; i < 4; i++) {
        outbox_fill(&wire.outbox, wire.flags, 1);
        read_frame(&wire);
    }
    outbox_fill(&wire.outbox, wire.flags, 1);
    const uint8_t *frame = buffer_bytes(&wire.outbox.bytes);
    assert_int_equal(bytes_get32(frame), wire.outbox.bytes.size - 4);
    assert_int_equal(
        message_read(&wire.reader, frame + 4, wire.outbox.bytes.size - 4, &control, &payload, &problem),
        MESSAGE_READY);
    assert_int_equal(control.size, sizeof(link));
    assert_null(payload.data);
    end(&wire);
}

/* A payload that is held is read where it is, whether it goes out at once or has to wait, and let go of when
 * it has gone out. */
static void test_held_payload(void **state)
{
    (void)state;
    static const uint8_t control[] = {104, 1, 97, 0};
    struct wire wire;
    struct term_builder builder = {0};
    uint8_t *data = memory_zalloc(LONG, 1);
    struct term tuple = {control, sizeof(control)};
    start(&wire, FLAGS_OFFERED);
    term_build_binary(&builder, data, LONG);
    struct blob *blob = blob_take(&builder.bytes, NULL);
    struct term payload = {blob->data, blob->size};
    outbox_add(&wire.outbox, wire.flags, 0, tuple, payload, blob);
    outbox_add(&wire.outbox, wire.flags, 0, tuple, payload, blob);
    assert_int_equal(blob->holders, 3);
    assert_int_equal(outbox_size(&wire.outbox), 2 * (sizeof(control) + payload.size));
    for (size_t left = 2; left; left--) {
        struct term read[2] = {{0}};
        const char *problem;
        enum message_result result = MESSAGE_PARTIAL;
        while (result == MESSAGE_PARTIAL) {
            if (!wire.outbox.bytes.size)
                outbox_fill(&wire.outbox, wire.flags, 1);
            const uint8_t *frame = buffer_bytes(&wire.outbox.bytes);
            size_t size = bytes_get32(frame);
            result = message_read(&wire.reader, frame + 4, size, &read[0], &read[1], &problem);
            while (result == MESSAGE_LONG)
                result = message_go_on(&wire.reader, 1000, &read[0], &read[1], &problem);
            if (result != MESSAGE_PARTIAL)
                assert_true(term_same(read[1], payload));
            buffer_consume(&wire.outbox.bytes, 4 + size);
        }
        assert_int_equal(result, MESSAGE_READY);
        message_end_long(&wire.reader);
        assert_int_equal(blob->holders, left);
    }
    assert_int_equal(outbox_size(&wire.outbox), 0);
    outbox_add(&wire.outbox, wire.flags, 0, tuple, payload, blob);
    outbox_add(&wire.outbox, wire.flags, 0, tuple, payload, blob);
    end(&wire);
    assert_int_equal(blob->holders, 1);
    blob_release(blob);
    term_build_free(&builder);
    free(data);
}

static void test_target(void **state)
{
    (void)state;
    struct wire wire;
    start(&wire, FLAGS_OFFERED);
    add(&wire, 0, 100 * MESSAGE_FRAGMENT_BYTES);
    size_t all = outbox_size(&wire.outbox);
    outbox_fill(&wire.outbox, wire.flags, 0);
    assert_int_equal(wire.outbox.bytes.size, 0);
    outbox_fill(&wire.outbox, wire.flags, 256 * 1024);
    assert_true(wire.outbox.bytes.size >= 256 * 1024);
    assert_true(wire.outbox.bytes.size <= 256 * 1024 + MESSAGE_FRAGMENT_BYTES + 100);
    size_t filled = wire.outbox.bytes.size;
    outbox_fill(&wire.outbox, wire.flags, 256 * 1024); /* there is enough */
    assert_int_equal(wire.outbox.bytes.size, filled);
    assert_true(outbox_size(&wire.outbox) >= all);
    assert_true(outbox_size(&wire.outbox) <= all + 1000);
    end(&wire); /* with all that waits */
}

/* Any sizes from any senders, read at any time: each sender's messages come whole and in their order. */
static void test_random(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 1);
    for (int round = 0; round < 20; round++) {
        struct wire wire;
        start(&wire, round % 4 ? FLAGS_OFFERED : FLAGS_OFFERED & ~FLAG_FRAGMENTS);
        for (int i = 0; i < 150; i++) {
            bool is_long = random_below(&random, 8) == 0;
            size_t most = is_long ? 5 * MESSAGE_FRAGMENT_BYTES : 500;
            add(&wire, (int64_t)random_below(&random, SENDERS), random_below(&random, most));
            if (random_below(&random, 4) == 0)
                turn(&wire, random_below(&random, 3 * MESSAGE_FRAGMENT_BYTES));
        }
        expect_all_read(&wire, 1 + random_below(&random, 300000));
        end(&wire);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_short),
        cmocka_unit_test(test_short_passes_long),
        cmocka_unit_test(test_short_passes_long_on_its_way),
        cmocka_unit_test(test_short_waits_behind_long_of_its_sender),
        cmocka_unit_test(test_long_ones_interleave),
        cmocka_unit_test(test_long_ones_interleave_on_a_slow_socket),
        cmocka_unit_test(test_boundary),
        cmocka_unit_test(test_peer_without_fragments),
        cmocka_unit_test(test_no_payload),
        cmocka_unit_test(test_held_payload),
        cmocka_unit_test(test_target),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
