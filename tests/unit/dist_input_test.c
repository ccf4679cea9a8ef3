#include "input_private.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

#define WAITING_BYTES (1024 * 1024)
#define ALL (64 * 1024) /* what is read in one go */

/* A transport that has what the test has put there. The time of a byte is its place, from 1. */
struct fixture {
    struct transport transport;
    struct input input;
    uint8_t waiting[WAITING_BYTES];
    size_t first;
    size_t last;
    struct transport_plan plan; /* of the last read */
    size_t skipped;
    size_t reads;
};

static struct fixture fixture;

static ssize_t on_read(struct transport *transport, uint8_t *data, const struct transport_plan *plan,
                       struct transport_got *got)
{
    size_t before = fixture.first;
    assert_true(plan->count >= 1 && plan->count <= TRANSPORT_PIECES);
    fixture.plan = *plan;
    fixture.reads++;
    for (size_t i = 0; i < plan->count && fixture.first < fixture.last; i++) {
        size_t room = i ? plan->piece : plan->first, there = fixture.last - fixture.first;
        size_t size = room < there ? room : there;
        memcpy(data + (fixture.first - before), fixture.waiting + fixture.first, size);
        fixture.first += size;
        got->pieces[got->count].size = size;
        got->pieces[got->count++].stamp_ns = fixture.first;
    }
    got->queued = transport->has_stamps ? fixture.last - fixture.first : 0;
    errno = EAGAIN;
    return fixture.first > before ? (ssize_t)(fixture.first - before) : -1;
}

static ssize_t on_skip(struct transport *transport, size_t size)
{
    (void)transport;
    size_t there = fixture.last - fixture.first, got = size < there ? size : there;
    fixture.first += got;
    fixture.skipped += got;
    return (ssize_t)got;
}

static const struct transport_operations operations = {.read = on_read, .skip = on_skip};

static void start(bool has_stamps)
{
    fixture = (struct fixture){.transport = {.operations = &operations, .has_stamps = has_stamps}};
}

/* A message of so many bytes, with its length. */
static void put(size_t size)
{
    assert_true(fixture.last + size <= WAITING_BYTES);
    bytes_put32(fixture.waiting + fixture.last, (uint32_t)(size - 4));
    fixture.last += size;
}

static void put_many(size_t count, size_t size)
{
    for (size_t i = 0; i < count; i++)
        put(size);
}

static ssize_t read_once(void)
{
    struct transport_got got;
    ssize_t size = input_read(&fixture.input, &fixture.transport, &got);
    for (size_t i = 0; i < got.count; i++)
        input_arrive(&fixture.input, got.pieces[i].size, (struct arrived){.ns = got.pieces[i].stamp_ns});
    return size;
}

/* By how many bytes the time of a message is wrong: those behind it that came with it. */
struct taken {
    size_t messages;
    size_t late; /* the most of a message */
    size_t exact;
};

static void take_messages(struct taken *taken)
{
    struct buffer *bytes = &fixture.input.bytes;
    while (bytes->size >= 4 && bytes->size - 4 >= bytes_get32(buffer_bytes(bytes))) {
        size_t size = 4 + bytes_get32(buffer_bytes(bytes));
        size_t end = fixture.first - bytes->size + size;
        struct arrived arrived = input_pass(&fixture.input, size);
        assert_true(arrived.ns >= end && arrived.ns <= fixture.first);
        taken->messages++;
        taken->exact += arrived.ns == end;
        taken->late = arrived.ns - end > taken->late ? arrived.ns - end : taken->late;
        input_note_frame(&fixture.input, size);
        buffer_consume(bytes, size);
    }
}

/* Reads as a connection does that finds something to be read. */
static struct taken read_all(void)
{
    struct taken taken = {0};
    fixture.reads = 0;
    input_start(&fixture.input);
    do {
        if (read_once() < 0)
            break;
        take_messages(&taken);
    } while (input_goes_on(&fixture.input));
    return taken;
}

/* A connection on which so many messages of this size come at a time. */
static void learn(size_t count, size_t size)
{
    for (int i = 0; i < 16; i++) {
        put_many(count, size);
        assert_int_equal(read_all().messages, count);
    }
    assert_int_equal(fixture.input.frames.unit_bytes, size);
    assert_int_equal(fixture.input.bytes.size, 0);
}

/* As many come as did the last time: one read, whose pieces are whole messages, each by itself if these are
 * few. */
static void test_as_many_as_before(void **state)
{
    (void)state;
    static const struct {
        size_t count, together;
    } rows[] = {{1, 1}, {2, 1}, {3, 1}, {4, 1}, {5, 2}, {8, 2}, {9, 2}, {16, 2}, {17, 3}, {20, 3}, {256, 32}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        start(true);
        learn(rows[i].count, 94);
        put_many(rows[i].count, 94);
        struct taken taken = read_all();
        assert_int_equal(fixture.reads, 1);
        assert_int_equal(taken.messages, rows[i].count);
        assert_int_equal(taken.late, (rows[i].together - 1) * 94);
        assert_int_equal(taken.exact, (rows[i].count + rows[i].together - 1) / rows[i].together);
        input_free(&fixture.input);
    }
}

/* More than expected are in two reads, fewer in one. */
static void test_more_and_fewer(void **state)
{
    (void)state;
    for (size_t before = 1; before < 40; before++) {
        for (size_t count = 1; count < 100; count++) {
            start(true);
            learn(before, 94);
            put_many(count, 94);
            struct taken taken = read_all();
            assert_int_equal(taken.messages, count);
            assert_true(fixture.reads <= 2);
            assert_true(taken.late <= 94 * (count / 8 + before / 8 + 2));
            assert_int_equal(fixture.input.bytes.size, 0);
            input_free(&fixture.input);
        }
    }
}

/* No more in one go than without stamps, and not what comes meanwhile. */
static void test_much(void **state)
{
    (void)state;
    size_t messages = 0;
    start(true);
    learn(1, 94);
    put_many(3000, 94);
    for (size_t first = fixture.first; fixture.first < fixture.last; first = fixture.first) {
        messages += read_all().messages;
        assert_true(fixture.first - first <= ALL + ALL / 4);
    }
    assert_int_equal(messages, 3000);

    struct taken taken = {0};
    learn(1, 94);
    put_many(2, 94);
    input_start(&fixture.input);
    assert_int_equal(read_once(), 94);
    take_messages(&taken);
    put_many(1, 94);
    assert_true(input_goes_on(&fixture.input));
    assert_int_equal(read_once(), 94);
    assert_false(input_goes_on(&fixture.input));
    input_free(&fixture.input);
}

/* A message that is longer than those of late is read to its end, one that is shorter is soon known. */
static void test_sizes(void **state)
{
    (void)state;
    struct taken taken = {0};
    start(true);
    learn(1, 94);
    put(500);
    put(94);
    input_start(&fixture.input);
    assert_int_equal(read_once(), 94);
    take_messages(&taken);
    assert_int_equal(taken.messages, 0);
    assert_true(input_goes_on(&fixture.input));
    assert_int_equal(read_once(), 500);
    take_messages(&taken);
    assert_int_equal(taken.messages, 2);
    assert_int_equal(taken.exact, 2);

    put_many(2, 34); /* once it is taken for too long a one */
    assert_int_equal(read_all().messages, 2);
    assert_int_equal(fixture.input.frames.unit_bytes, 34);
    put_many(3, 34);
    taken = read_all();
    assert_int_equal(taken.messages, 3);
    assert_int_equal(taken.exact, 3);
    put_many(40, 204); /* it is forgotten */
    (void)read_all();
    assert_int_equal(fixture.input.frames.unit_bytes, 204);
    input_free(&fixture.input);
}

/* A message that comes in parts has arrived when its end has. */
static void test_parts(void **state)
{
    (void)state;
    for (size_t cut = 1; cut < 300; cut++) {
        struct taken taken = {0};
        start(true);
        learn(1, 5);
        put(300);
        put(94);
        size_t end = fixture.last;
        fixture.last = fixture.first + cut;
        taken = read_all();
        assert_int_equal(taken.messages, 0);
        while (fixture.first < fixture.last)
            assert_int_equal(read_all().messages, 0);
        fixture.last = end;
        while (fixture.first < fixture.last) {
            struct taken more = read_all();
            taken.messages += more.messages;
            taken.exact += more.exact;
        }
        assert_int_equal(taken.messages, 2);
        assert_true(taken.exact >= 1);
        input_free(&fixture.input);
    }
}

/* Without stamps there is nothing to be gained by it; nor before the first message, or in a large one. */
static void test_in_one_go(void **state)
{
    (void)state;
    start(false);
    for (int i = 0; i < 2; i++) {
        put_many(200, 94);
        assert_int_equal(read_all().messages, 200);
        assert_int_equal(fixture.reads, 1);
        assert_int_equal(fixture.plan.count, 1);
        assert_int_equal(fixture.plan.first, ALL);
    }
    input_free(&fixture.input);

    struct taken taken = {0};
    start(true);
    put(94);
    assert_int_equal(read_once(), 94);
    assert_int_equal(fixture.plan.first, ALL);
    take_messages(&taken);
    large_frame_begin(&fixture.input.large, 300000, 300000);
    put(94);
    assert_int_equal(read_once(), 94);
    assert_int_equal(fixture.plan.first, ALL);
    assert_int_equal(fixture.plan.count, 1);
    input_free(&fixture.input);
}

/* What nobody needs is skipped; it has its time as well. */
static void test_skipping(void **state)
{
    (void)state;
    start(true);
    learn(1, 94);
    large_frame_begin(&fixture.input.large, 300000, 100);
    put_many(2000, 94);
    uint8_t kept[100] = {0};
    buffer_append(&fixture.input.bytes, kept, sizeof(kept));
    assert_false(large_frame_take(&fixture.input.large, &fixture.input.bytes));
    input_start(&fixture.input);
    assert_true(read_once() > 0);
    assert_true(fixture.skipped > 0);
    assert_true(input_goes_on(&fixture.input));
    input_arrive(&fixture.input, 0, (struct arrived){.ns = 12345});
    assert_int_equal(input_pass(&fixture.input, 0).ns, 12345);
    input_free(&fixture.input);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_many_as_before),
        cmocka_unit_test(test_more_and_fewer),
        cmocka_unit_test(test_much),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_in_one_go),
        cmocka_unit_test(test_skipping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
