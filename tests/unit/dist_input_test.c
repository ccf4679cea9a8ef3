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

/* A transport that has what the test has put there, and its number of messages as the time. */
struct fixture {
    struct transport transport;
    struct input input;
    uint8_t waiting[WAITING_BYTES];
    size_t first;
    size_t last;
    size_t asked; /* in the last read */
    size_t skipped;
};

static ssize_t take(struct fixture *fixture, size_t size)
{
    size_t there = fixture->last - fixture->first;
    size_t got = size < there ? size : there;
    fixture->first += got;
    if (!got)
        errno = EAGAIN;
    return got ? (ssize_t)got : -1;
}

static ssize_t on_read(struct transport *transport, void *data, size_t size, struct transport_seen *seen)
{
    struct fixture *fixture = (struct fixture *)transport;
    const uint8_t *from = fixture->waiting + fixture->first;
    ssize_t got = take(fixture, size);
    fixture->asked = size;
    if (got > 0) {
        memcpy(data, from, (size_t)got);
        if (transport->has_stamps)
            *seen =
                (struct transport_seen){.stamp_ns = fixture->first, .queued = fixture->last - fixture->first};
    }
    return got;
}

static ssize_t on_skip(struct transport *transport, size_t size)
{
    struct fixture *fixture = (struct fixture *)transport;
    ssize_t got = take(fixture, size);
    fixture->skipped += got > 0 ? (size_t)got : 0;
    return got;
}

static const struct transport_operations operations = {.read = on_read, .skip = on_skip};

static struct fixture fixture;

static void start(bool has_stamps)
{
    fixture = (struct fixture){.transport = {.operations = &operations, .has_stamps = has_stamps}};
}

static void put(size_t size)
{
    assert_true(fixture.last + 4 + size <= WAITING_BYTES);
    bytes_put32(fixture.waiting + fixture.last, (uint32_t)size);
    fixture.last += 4 + size;
}

static void put_many(size_t count, size_t size)
{
    for (size_t i = 0; i < count; i++)
        put(size);
}

/* Takes the messages that are whole; how many. */
static size_t take_messages(void)
{
    struct buffer *bytes = &fixture.input.bytes;
    size_t count = 0;
    for (; bytes->size >= 4 && bytes->size - 4 >= bytes_get32(buffer_bytes(bytes)); count++) {
        size_t size = 4 + bytes_get32(buffer_bytes(bytes));
        input_note_frame(&fixture.input, size);
        buffer_consume(bytes, size);
    }
    return count;
}

static ssize_t read_once(void)
{
    struct transport_seen seen;
    return input_read(&fixture.input, &fixture.transport, &seen);
}

/* Reads as a connection does that finds something to be read; how many reads that takes. */
static size_t read_all(size_t *messages, size_t *most_messages)
{
    size_t reads = 0;
    *messages = *most_messages = 0;
    input_start(&fixture.input);
    do {
        if (read_once() < 0)
            break;
        reads++;
        size_t taken = take_messages();
        *messages += taken;
        *most_messages = taken > *most_messages ? taken : *most_messages;
    } while (input_goes_on(&fixture.input));
    return reads;
}

static void learn(size_t size)
{
    size_t messages, most;
    put_many(16, size);
    (void)read_all(&messages, &most);
    assert_int_equal(messages, 16);
    assert_int_equal(fixture.input.frame_bytes, 4 + size);
}

static void test_one_message_a_read(void **state)
{
    (void)state;
    size_t messages, most;
    start(true);
    learn(90);
    for (size_t count = 1; count <= 8; count++) {
        put_many(count, 90);
        assert_int_equal(read_all(&messages, &most), count);
        assert_int_equal(messages, count);
        assert_int_equal(most, 1);
    }
    input_free(&fixture.input);
}

/* An eighth of what is left, in whole messages. */
static void test_many_in_pieces(void **state)
{
    (void)state;
    static const size_t counts[] = {9, 20, 64, 256, 500};
    size_t messages, most;
    start(true);
    learn(90);
    for (size_t i = 0; i < ARRAY_LENGTH(counts); i++) {
        put_many(counts[i], 90);
        size_t reads = read_all(&messages, &most);
        assert_int_equal(messages, counts[i]);
        assert_true(most <= 1 + counts[i] / 8);
        assert_true(reads <= 8 * 6); /* it goes on in eighths of what is left, to single ones */
        assert_int_equal(fixture.input.bytes.size, 0);
    }
    input_free(&fixture.input);
}

/* No more in one go than without stamps, and not what comes meanwhile. */
static void test_much(void **state)
{
    (void)state;
    size_t messages, most, before = 0;
    start(true);
    learn(90);
    put_many(3000, 90);
    size_t first = fixture.first;
    while (fixture.first < fixture.last) {
        (void)read_all(&messages, &most);
        assert_true(fixture.first - first <= ALL + ALL / 8);
        first = fixture.first;
        before += messages;
    }
    assert_int_equal(before, 3000);

    put_many(2, 90);
    input_start(&fixture.input);
    assert_int_equal(read_once(), 94);
    assert_int_equal(take_messages(), 1);
    put_many(1, 90);
    assert_true(input_goes_on(&fixture.input));
    assert_int_equal(read_once(), 94);
    assert_false(input_goes_on(&fixture.input));
    input_free(&fixture.input);
}

/* A message that is longer than those of late is read to its end, one that is shorter is soon known. */
static void test_sizes(void **state)
{
    (void)state;
    size_t messages, most;
    start(true);
    learn(90);
    put(500);
    put(90);
    input_start(&fixture.input);
    assert_int_equal(read_once(), 94);
    assert_int_equal(take_messages(), 0);
    assert_true(input_goes_on(&fixture.input));
    assert_int_equal(read_once(), 410);
    assert_int_equal(take_messages(), 1);
    assert_int_equal(read_once(), 94);
    assert_int_equal(take_messages(), 1);

    put_many(2, 30); /* once it is taken for too long a one */
    (void)read_all(&messages, &most);
    assert_int_equal(messages, 2);
    assert_int_equal(fixture.input.frame_bytes, 34);
    put_many(3, 30);
    assert_int_equal(read_all(&messages, &most), 3);
    put_many(40, 200); /* it is forgotten */
    (void)read_all(&messages, &most);
    assert_int_equal(fixture.input.frame_bytes, 204);
    input_free(&fixture.input);
}

/* The length itself may come in pieces. */
static void test_pieces_of_a_length(void **state)
{
    (void)state;
    start(true);
    learn(1);
    put(300);
    size_t end = fixture.last;
    for (size_t cut = 1; cut < 10; cut++) {
        input_start(&fixture.input);
        fixture.last = fixture.first + cut;
        while (input_goes_on(&fixture.input) || fixture.first < fixture.last)
            assert_true(read_once() > 0);
        assert_int_equal(take_messages(), 0);
        fixture.last = end;
        while (fixture.first < fixture.last)
            assert_true(read_once() > 0);
        assert_int_equal(take_messages(), 1);
        fixture.first = fixture.last = 0;
        put(300);
        end = fixture.last;
    }
    input_free(&fixture.input);
}

/* Without stamps there is nothing to be gained by it; nor before the first message, or in a large one. */
static void test_in_one_go(void **state)
{
    (void)state;
    size_t messages, most;
    start(false);
    put_many(200, 90);
    assert_int_equal(read_all(&messages, &most), 1);
    assert_int_equal(messages, 200);
    put_many(200, 90);
    assert_int_equal(read_all(&messages, &most), 1);
    assert_int_equal(fixture.asked, ALL);
    input_free(&fixture.input);

    start(true);
    put(90);
    assert_int_equal(read_once(), 94);
    assert_int_equal(fixture.asked, ALL);
    (void)take_messages();
    large_frame_begin(&fixture.input.large, 300000, 300000);
    put(90);
    assert_int_equal(read_once(), 94);
    assert_int_equal(fixture.asked, ALL);
    input_free(&fixture.input);
}

/* What nobody needs is skipped; what is behind it is read in small pieces. */
static void test_skipping(void **state)
{
    (void)state;
    start(true);
    learn(90);
    large_frame_begin(&fixture.input.large, 300000, 100);
    put_many(2000, 90);
    uint8_t kept[100] = {0};
    buffer_append(&fixture.input.bytes, kept, sizeof(kept));
    assert_false(large_frame_take(&fixture.input.large, &fixture.input.bytes));
    input_start(&fixture.input);
    assert_true(read_once() > 0);
    assert_true(fixture.skipped > 0);
    assert_true(input_goes_on(&fixture.input));
    input_free(&fixture.input);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_message_a_read),
        cmocka_unit_test(test_many_in_pieces),
        cmocka_unit_test(test_much),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_pieces_of_a_length),
        cmocka_unit_test(test_in_one_go),
        cmocka_unit_test(test_skipping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
