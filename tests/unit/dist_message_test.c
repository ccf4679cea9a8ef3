#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "dist/flags.h"
#include "message_private.h"
#include "spare_private.h"
#include "term/term_build.h"

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})
#define ATOM_A 119, 1, 'a'
#define LATIN_A 100, 0, 1, 'a'
#define SEQUENCE(n) 0, 0, 0, 0, 0, 0, 0, n
#define FIRST(sequence, number) 131, 69, SEQUENCE(sequence), SEQUENCE(number), 0
#define NEXT(sequence, number) 131, 70, SEQUENCE(sequence), SEQUENCE(number)

#define LIMIT 1000

/* What a reader said of the last frame, and a copy of the terms that it gave. */
struct reading {
    struct message_reader reader;
    const char *problem;
    struct buffer control;
    struct buffer payload;
    bool has_payload;
};

static void start(struct reading *reading, size_t limit)
{
    *reading = (struct reading){0};
    message_reader_init(&reading->reader, limit);
    reading->reader.refers = true;
}

static void end(struct reading *reading)
{
    message_reader_free(&reading->reader);
    buffer_free(&reading->control);
    buffer_free(&reading->payload);
}

/* Reads exactly these bytes, so that a sanitizer sees each one that is read outside. */
static enum message_result read_frame(struct reading *reading, const uint8_t *frame, size_t size)
{
    struct term control = {0}, payload = {0};
    uint8_t *copy = memory_copy(frame, size);
    enum message_result result =
        message_read(&reading->reader, copy, size, &control, &payload, &reading->problem);
    while (result == MESSAGE_LONG)
        result = message_go_on(&reading->reader, 1000, &control, &payload, &reading->problem);
    buffer_truncate(&reading->control, 0);
    buffer_truncate(&reading->payload, 0);
    reading->has_payload = false;
    if (result == MESSAGE_READY || result == MESSAGE_HEAD) {
        assert_non_null(control.data);
        buffer_append(&reading->control, control.data, control.size);
        reading->has_payload = payload.data != NULL;
        buffer_append(&reading->payload, payload.data, payload.size);
    } else if (result >= MESSAGE_BAD) {
        assert_non_null(reading->problem);
    }
    free(copy);
    return result;
}

static void expect_terms(const struct reading *reading, const uint8_t *control, size_t control_size,
                         const uint8_t *payload, size_t payload_size)
{
    assert_int_equal(reading->control.size, control_size);
    assert_memory_equal(buffer_bytes(&reading->control), control, control_size);
    assert_int_equal(reading->has_payload, payload_size > 0);
    assert_int_equal(reading->payload.size, payload_size);
    if (payload_size)
        assert_memory_equal(buffer_bytes(&reading->payload), payload, payload_size);
}

static void test_whole(void **state)
{
    (void)state;
    struct reading reading;
    start(&reading, LIMIT);
    assert_int_equal(read_frame(&reading, BYTES(112, 131, 104, 1, 97, 1)), MESSAGE_READY);
    expect_terms(&reading, BYTES(104, 1, 97, 1), NULL, 0);
    assert_int_equal(read_frame(&reading, BYTES(112, 131, 104, 1, 97, 1, 131, ATOM_A)), MESSAGE_READY);
    expect_terms(&reading, BYTES(104, 1, 97, 1), BYTES(ATOM_A));
    assert_int_equal(read_frame(&reading, BYTES(131, 68, 0, 104, 1, 97, 1)), MESSAGE_READY);
    expect_terms(&reading, BYTES(104, 1, 97, 1), NULL, 0);
    assert_int_equal(read_frame(&reading, BYTES(131, 68, 0, 104, 1, 97, 1, ATOM_A)), MESSAGE_READY);
    expect_terms(&reading, BYTES(104, 1, 97, 1), BYTES(ATOM_A));
    end(&reading);
}

/* Terms that are canonical are not copied. */
static void test_terms_borrow(void **state)
{
    (void)state;
    struct message_reader reader;
    struct term control, payload;
    const char *problem;
    const uint8_t frame[] = {131, 68, 0, 104, 1, 97, 1, ATOM_A};
    message_reader_init(&reader, LIMIT);
    assert_int_equal(message_read(&reader, frame, sizeof(frame), &control, &payload, &problem),
                     MESSAGE_READY);
    assert_ptr_equal(control.data, frame + 3);
    assert_ptr_equal(payload.data, frame + 7);
    message_reader_free(&reader);
}

static void test_malformed(void **state)
{
    (void)state;
    const struct {
        const uint8_t *data;
        size_t size;
    } rows[] = {
        {BYTES(0)},
        {BYTES(112)},
        {BYTES(112, 131)},
        {BYTES(112, 104, 1, 97, 1)},
        {BYTES(112, 131, 104, 1, 97)},
        {BYTES(112, 131, 104, 1, 97, 1, ATOM_A)},
        {BYTES(112, 131, 104, 1, 97, 1, 131)},
        {BYTES(112, 131, 104, 1, 97, 1, 131, ATOM_A, 0)},
        {BYTES(112, 131, 104, 1, 97, 1, 131, ATOM_A, 131, ATOM_A)},
        {BYTES(112, 131, 104, 1, 97, 1, 131, 80, 0, 0, 0, 1)},
        {BYTES(131)},
        {BYTES(131, 68)},
        {BYTES(131, 68, 0)},
        {BYTES(131, 68, 1, 104, 1, 97, 1)},   /* an atom that was never sent */
        {BYTES(131, 68, 1, 0x08, 5, 1, 'a')}, /* no control tuple behind the header */
        {BYTES(131, 68, 1, 0x08, 5, 9, 'a', 104, 1, 97, 1)},
        {BYTES(131, 68, 1, 0x08, 5, 1, 'a', 104, 1, 82, 1)}, /* beyond the header's */
        {BYTES(131, 68, 1, 0x08, 5, 1, 'a', 104, 1, 82)},
        {BYTES(131, 68, 0, 104, 1, 82, 0)},
        {BYTES(112, 131, 104, 1, 82, 0)},
        {BYTES(131, 68, 0, 131, 104, 1, 97, 1)},
        {BYTES(131, 68, 0, 104, 1, 97, 1, ATOM_A, ATOM_A)},
        {BYTES(131, 68, 0, 104, 255, 97, 1)},
        {BYTES(131, 69)},
        {BYTES(131, 70)},
        {BYTES(131, 71, SEQUENCE(1), SEQUENCE(1), 0, 104, 1, 97, 1)},
        {BYTES(131, 104, 1, 97, 1)},
        {BYTES(104, 1, 97, 1)},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct reading reading;
        start(&reading, LIMIT);
        if (read_frame(&reading, rows[i].data, rows[i].size) != MESSAGE_BAD)
            fail_msg("row %zu passes", i);
        end(&reading);
    }
}

static void test_canonical(void **state)
{
    (void)state;
    struct reading reading;
    start(&reading, LIMIT);
    assert_int_equal(read_frame(&reading, BYTES(112, 131, 104, 1, LATIN_A)), MESSAGE_READY);
    expect_terms(&reading, BYTES(104, 1, ATOM_A), NULL, 0);
    assert_int_equal(read_frame(&reading, BYTES(112, 131, 104, 1, LATIN_A, 131, ATOM_A)), MESSAGE_READY);
    expect_terms(&reading, BYTES(104, 1, ATOM_A), BYTES(ATOM_A));
    assert_int_equal(read_frame(&reading, BYTES(131, 68, 0, 104, 1, 97, 1, LATIN_A)), MESSAGE_READY);
    expect_terms(&reading, BYTES(104, 1, 97, 1), BYTES(ATOM_A));
    assert_int_equal(read_frame(&reading, BYTES(131, 68, 0, 104, 1, LATIN_A, 115, 1, 0xe5)), MESSAGE_READY);
    expect_terms(&reading, BYTES(104, 1, ATOM_A), BYTES(119, 2, 0xc3, 0xa5));
    assert_int_equal(read_frame(&reading, BYTES(FIRST(1, 2), 104, 1, LATIN_A, 100)), MESSAGE_PARTIAL);
    assert_int_equal(read_frame(&reading, BYTES(NEXT(1, 1), 0, 1, 'a')), MESSAGE_READY);
    expect_terms(&reading, BYTES(104, 1, ATOM_A), BYTES(ATOM_A));
    end(&reading);
}

static void test_fragments(void **state)
{
    (void)state;
    struct reading reading;
    start(&reading, LIMIT);
    for (int round = 0; round < 3; round++) { /* a sequence may come again once it is complete */
        assert_int_equal(read_frame(&reading, BYTES(FIRST(7, 1), 104, 1, 97, 1, ATOM_A)), MESSAGE_READY);
        expect_terms(&reading, BYTES(104, 1, 97, 1), BYTES(ATOM_A));
        assert_int_equal(read_frame(&reading, BYTES(FIRST(7, 4), 104, 1, 97, 1)), MESSAGE_PARTIAL);
        assert_int_equal(read_frame(&reading, BYTES(NEXT(7, 3), 107, 0)), MESSAGE_PARTIAL);
        assert_int_equal(read_frame(&reading, BYTES(NEXT(7, 2))), MESSAGE_PARTIAL);
        assert_int_equal(reading.reader.partial_bytes, 6);
        assert_int_equal(read_frame(&reading, BYTES(NEXT(7, 1), 2, 8, 9)), MESSAGE_READY);
        expect_terms(&reading, BYTES(104, 1, 97, 1), BYTES(107, 0, 2, 8, 9));
        assert_int_equal(reading.reader.partial_bytes, 0);
        assert_int_equal(reading.reader.partials.count, 0);
    }
    end(&reading);
}

static void test_interleaved(void **state)
{
    (void)state;
    struct reading reading;
    start(&reading, LIMIT);
    assert_int_equal(read_frame(&reading, BYTES(FIRST(1, 3), 104, 1, 97, 1, 107, 0)), MESSAGE_PARTIAL);
    assert_int_equal(read_frame(&reading, BYTES(FIRST(2, 2), 104, 1, 97, 2, 107)), MESSAGE_PARTIAL);
    assert_int_equal(read_frame(&reading, BYTES(NEXT(1, 2), 1)), MESSAGE_PARTIAL);
    assert_int_equal(read_frame(&reading, BYTES(131, 68, 0, 104, 1, 97, 3)), MESSAGE_READY);
    expect_terms(&reading, BYTES(104, 1, 97, 3), NULL, 0);
    assert_int_equal(read_frame(&reading, BYTES(NEXT(2, 1), 0, 1, 22)), MESSAGE_READY);
    expect_terms(&reading, BYTES(104, 1, 97, 2), BYTES(107, 0, 1, 22));
    assert_int_equal(read_frame(&reading, BYTES(NEXT(1, 1), 11)), MESSAGE_READY);
    expect_terms(&reading, BYTES(104, 1, 97, 1), BYTES(107, 0, 1, 11));
    end(&reading);
}

/* Atoms are written out, whether the header has them or refers to those of an earlier one. */
static void test_atoms(void **state)
{
    (void)state;
    struct reading reading;
    start(&reading, LIMIT);
    assert_int_equal(read_frame(&reading, BYTES(131, 68, 1, 0x08, 5, 1, 'a', 104, 1, 82, 0)), MESSAGE_READY);
    expect_terms(&reading, BYTES(104, 1, ATOM_A), NULL, 0);
    assert_int_equal(
        read_frame(&reading, BYTES(131, 68, 2, 0x80, 0, 5, 6, 1, 'b', 104, 1, 82, 1, 104, 2, 82, 0, 82, 1)),
        MESSAGE_READY);
    expect_terms(&reading, BYTES(104, 1, 119, 1, 'b'), BYTES(104, 2, ATOM_A, 119, 1, 'b'));
    /* A header whose atoms nobody refers to changes nothing, and no copy is made. */
    assert_int_equal(read_frame(&reading, BYTES(131, 68, 1, 0, 5, 104, 1, 97, 1, ATOM_A)), MESSAGE_READY);
    expect_terms(&reading, BYTES(104, 1, 97, 1), BYTES(ATOM_A));
    assert_int_equal(read_frame(&reading, BYTES(131, 68, 1, 0x08, 5, 1, 'c', 104, 1, 82, 0)), MESSAGE_READY);
    expect_terms(&reading, BYTES(104, 1, 119, 1, 'c'), NULL, 0);
    end(&reading);
}

static void test_atoms_not_negotiated(void **state)
{
    (void)state;
    struct reading reading;
    start(&reading, LIMIT);
    reading.reader.refers = false;
    assert_int_equal(read_frame(&reading, BYTES(131, 68, 1, 0x08, 5, 1, 'a', 104, 1, 97, 1)), MESSAGE_BAD);
    assert_string_equal(reading.problem, "atoms in a header without the atom cache");
    assert_int_equal(
        read_frame(&reading, BYTES(131, 69, SEQUENCE(1), SEQUENCE(1), 1, 0x08, 5, 1, 'a', 104, 1, 97, 1)),
        MESSAGE_BAD);
    assert_int_equal(read_frame(&reading, BYTES(131, 68, 0, 104, 1, 97, 1)), MESSAGE_READY);
    end(&reading);
}

/* The atoms of a message in fragments are those of its first header, whatever comes in between. */
static void test_atoms_of_fragments(void **state)
{
    (void)state;
    struct reading reading;
    start(&reading, LIMIT);
    assert_int_equal(read_frame(&reading, BYTES(131, 69, SEQUENCE(1), SEQUENCE(3), 1, 0x08, 5, 1, 'a', 104, 1,
                                                82, 0, 104, 2)),
                     MESSAGE_PARTIAL);
    assert_int_equal(reading.reader.partial_bytes, 6 + 3);
    assert_int_equal(
        read_frame(&reading, BYTES(131, 69, SEQUENCE(2), SEQUENCE(2), 1, 0x08, 5, 1, 'b', 104, 1, 97, 1)),
        MESSAGE_PARTIAL);
    assert_int_equal(read_frame(&reading, BYTES(131, 68, 1, 0x08, 5, 1, 'c', 104, 1, 82, 0)), MESSAGE_READY);
    expect_terms(&reading, BYTES(104, 1, 119, 1, 'c'), NULL, 0);
    assert_int_equal(read_frame(&reading, BYTES(NEXT(1, 2), 82, 0)), MESSAGE_PARTIAL);
    assert_int_equal(read_frame(&reading, BYTES(NEXT(2, 1), 82, 0)), MESSAGE_READY);
    expect_terms(&reading, BYTES(104, 1, 97, 1), BYTES(119, 1, 'b'));
    assert_int_equal(read_frame(&reading, BYTES(NEXT(1, 1), 82, 0)), MESSAGE_READY);
    expect_terms(&reading, BYTES(104, 1, ATOM_A), BYTES(104, 2, ATOM_A, ATOM_A));
    assert_int_equal(reading.reader.partial_bytes, 0);
    assert_int_equal(read_frame(&reading, BYTES(131, 68, 1, 0x00, 5, 104, 1, 82, 0)), MESSAGE_READY);
    expect_terms(&reading, BYTES(104, 1, 119, 1, 'c'), NULL, 0);
    end(&reading);
}

/* A few bytes that refer to a long atom again and again cannot take more memory than a message may, nor can
 * the atoms of fragments. */
static void test_atoms_limit(void **state)
{
    (void)state;
    struct reading reading;
    uint8_t frame[2000] = {131, 68, 1, 0x08, 0, 100};
    size_t header = 6 + 100;
    memset(frame + 6, 'a', 100);
    for (uint8_t count = 1; count <= 20; count++) {
        start(&reading, LIMIT);
        memcpy(frame + header, (uint8_t[]){104, count}, 2);
        for (size_t i = 0; i < count; i++)
            memcpy(frame + header + 2 + 2 * i, (uint8_t[]){82, 0}, 2);
        enum message_result result = read_frame(&reading, frame, header + 2 + 2u * count);
        assert_int_equal(result, count <= 9 ? MESSAGE_READY : MESSAGE_HEAD);
        end(&reading);
    }
    start(&reading, LIMIT);
    uint8_t first[200] = {131, 69, [17] = 2, 1, 0x08, 0, 100};
    memset(first + 22, 'a', 100);
    for (uint8_t sequence = 0; sequence < 10; sequence++) {
        first[9] = sequence;
        enum message_result result = read_frame(&reading, first, 22 + 100);
        assert_int_equal(result, MESSAGE_PARTIAL);
        assert_int_equal(reading.reader.partial_bytes, (sequence + 1u) * 102);
    }
    end(&reading);
}

#define MOST_FRAMES 4

static void test_bad_fragments(void **state)
{
    (void)state;
    const struct {
        const uint8_t *data;
        size_t size;
    } rows[][MOST_FRAMES] = {
        {{BYTES(FIRST(1, 0), 104, 1, 97, 1)}},
        {{BYTES(NEXT(1, 1), 104, 1, 97, 1)}},
        {{BYTES(FIRST(1, 3), 104)}, {BYTES(NEXT(1, 1), 1)}},
        {{BYTES(FIRST(1, 3), 104)}, {BYTES(NEXT(1, 3), 1)}},
        {{BYTES(FIRST(1, 3), 104)}, {BYTES(NEXT(1, 4), 1)}},
        {{BYTES(FIRST(1, 3), 104)}, {BYTES(NEXT(1, 0), 1)}},
        {{BYTES(FIRST(1, 3), 104)}, {BYTES(NEXT(2, 2), 1)}},
        {{BYTES(FIRST(1, 3), 104)}, {BYTES(FIRST(1, 3), 104)}},
        {{BYTES(FIRST(1, 3), 104)}, {BYTES(NEXT(1, 2), 1)}, {BYTES(NEXT(1, 2), 97)}},
        {{BYTES(FIRST(1, 1), 104, 1, 97, 1)}, {BYTES(NEXT(1, 0))}},
        {{BYTES(FIRST(1, 1), 104, 1, 97)}},
        {{BYTES(FIRST(1, 1))}},
        {{BYTES(FIRST(1, 2), 104, 1, 97)}, {BYTES(NEXT(1, 1))}},
        {{BYTES(FIRST(1, 2), 104, 1, 97)}, {BYTES(NEXT(1, 1), 1, ATOM_A, 9)}},
        {{BYTES(131, 69, SEQUENCE(1), SEQUENCE(1), 1, 104, 1, 97, 1)}},
        {{BYTES(131, 69, SEQUENCE(1), SEQUENCE(1), 1, 0x08, 5, 1, 'a', 104, 1, 82, 1)}},
        {{BYTES(131, 69, SEQUENCE(1), SEQUENCE(2), 1, 0x08, 5, 1, 'a')}, {BYTES(NEXT(1, 1), 104, 1, 82, 1)}},
        {{BYTES(131, 68, 1, 0x08, 5, 1, 'a', 104, 1, 82, 0)},
         {BYTES(FIRST(1, 2), 104)},
         {BYTES(NEXT(1, 1), 1, 82, 0)}}, /* the atoms of another message */
        {{BYTES(131, 69, SEQUENCE(1), SEQUENCE(1))}},
        {{BYTES(131, 69, SEQUENCE(1), 0)}},
        {{BYTES(FIRST(1, 3), 104)}, {BYTES(131, 70, SEQUENCE(1), 0, 0, 0, 0, 0, 0, 0)}},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct reading reading;
        enum message_result result = MESSAGE_PARTIAL;
        start(&reading, LIMIT);
        for (size_t j = 0; j < MOST_FRAMES && rows[i][j].data; j++) {
            assert_int_not_equal(result, MESSAGE_BAD); /* it is the last that is bad */
            result = read_frame(&reading, rows[i][j].data, rows[i][j].size);
        }
        if (result != MESSAGE_BAD)
            fail_msg("row %zu passes", i);
        end(&reading);
    }
}

static size_t fragment(uint8_t *frame, bool first, uint64_t sequence, uint64_t number, size_t part)
{
    size_t header = first ? 19 : 18;
    memset(frame, 0, header + part);
    frame[0] = 131;
    frame[1] = first ? 69 : 70;
    bytes_put64(frame + 2, sequence);
    bytes_put64(frame + 10, number);
    return header + part;
}

/* The rest of what goes beyond the limit comes and is not kept. */
static void test_limit(void **state)
{
    (void)state;
    struct reading reading;
    uint8_t frame[2000];
    start(&reading, LIMIT);
    size_t size = fragment(frame, true, 1, 3, LIMIT);
    memcpy(frame + 19, (uint8_t[]){104, 2, 97, 22, 109, 0, 0, 3, 233}, 9);
    assert_int_equal(read_frame(&reading, frame, size), MESSAGE_PARTIAL);
    size = fragment(frame, false, 1, 2, 9);
    assert_int_equal(read_frame(&reading, frame, size), MESSAGE_PARTIAL);
    size = fragment(frame, false, 1, 1, 1);
    assert_int_equal(read_frame(&reading, frame, size), MESSAGE_HEAD);
    assert_int_equal(reading.reader.exceeded, LIMIT);
    end(&reading);
}

/* Several large ones may be incomplete at once. Beyond that it is those which have more than their share that
 * are not kept, whatever else comes meanwhile. */
static void test_limit_together(void **state)
{
    (void)state;
    enum { TOGETHER = 4, PART = LIMIT / 2 };
    struct reading reading;
    uint8_t frame[2000];
    start(&reading, LIMIT);
    for (uint64_t sequence = 0; sequence < TOGETHER; sequence++) {
        size_t size = fragment(frame, true, sequence, 2, LIMIT);
        memcpy(frame + 19, (uint8_t[]){104, 1, 109, 0, 0, (LIMIT - 7) >> 8, (LIMIT - 7) & 255}, 7);
        assert_int_equal(read_frame(&reading, frame, size), MESSAGE_PARTIAL);
    }
    assert_int_equal(reading.reader.partial_bytes, TOGETHER * LIMIT);
    size_t size = fragment(frame, true, 10, 3, PART);
    memcpy(frame + 19, (uint8_t[]){104, 1, 109, 0, 0, 9, 0}, 7);
    assert_int_equal(read_frame(&reading, frame, size), MESSAGE_PARTIAL);
    assert_int_equal(reading.reader.partial_bytes, TOGETHER * LIMIT + PART);
    assert_int_equal(read_frame(&reading, frame, fragment(frame, false, 10, 2, PART)), MESSAGE_PARTIAL);
    size = fragment(frame, true, 11, 2, 4);
    memcpy(frame + 19, (uint8_t[]){104, 1, 97, 1}, 4);
    assert_int_equal(read_frame(&reading, frame, size), MESSAGE_PARTIAL);
    assert_int_equal(read_frame(&reading, frame, fragment(frame, false, 11, 1, 0)), MESSAGE_READY);
    assert_int_equal(read_frame(&reading, frame, fragment(frame, false, 10, 1, 0)), MESSAGE_HEAD);
    assert_int_equal(reading.reader.exceeded, TOGETHER * LIMIT / (TOGETHER + 2) + 1);
    for (uint64_t sequence = 0; sequence < TOGETHER; sequence++)
        assert_int_equal(read_frame(&reading, frame, fragment(frame, false, sequence, 1, 0)), MESSAGE_READY);
    end(&reading);
}

/* What is short on the wire and long when its atoms are written out is read as what is long. */
static void test_atoms_are_long(void **state)
{
    (void)state;
    static uint8_t frame[6 + 100 + 2 + 5 + 2 * 4000 + 1] = {131, 68, 1, 0x08, 0, 100};
    uint8_t *at = frame + 6;
    struct message_reader reader;
    struct term control, payload;
    const char *problem;
    memset(at, 'a', 100);
    memcpy(at += 100, (uint8_t[]){104, 1, 108, 0, 0, 4000 >> 8, 4000 & 255}, 7);
    at += 7;
    for (int i = 0; i < 4000; i++, at += 2)
        memcpy(at, (uint8_t[]){82, 0}, 2);
    *at = 106;
    message_reader_init(&reader, SIZE_MAX);
    reader.refers = true;
    assert_int_equal(message_read(&reader, frame, sizeof(frame), &control, &payload, &problem), MESSAGE_LONG);
    enum message_result result;
    int steps = 0;
    for (result = MESSAGE_LONG; result == MESSAGE_LONG; steps++)
        result = message_go_on(&reader, 1000, &control, &payload, &problem);
    assert_int_equal(result, MESSAGE_READY);
    assert_int_equal(control.size, 2 + 5 + 4000 * 102 + 1);
    assert_true(steps > 4 + 400000 / 32 / 1000); /* walked, and written out by its bytes */
    message_reader_free(&reader);
}

static void test_too_many_partials(void **state)
{
    (void)state;
    struct reading reading;
    uint8_t frame[64];
    start(&reading, LIMIT);
    for (uint64_t sequence = 1; sequence <= MESSAGE_PARTIALS; sequence++) {
        size_t size = fragment(frame, true, sequence << 32, UINT64_MAX, 0);
        assert_int_equal(read_frame(&reading, frame, size), MESSAGE_PARTIAL);
    }
    assert_int_equal(read_frame(&reading, frame, fragment(frame, true, 1, 1, 0)), MESSAGE_BAD);
    end(&reading);
}

/* {Number, Binary of `size` bytes} */
static struct term build(struct term_builder *builder, int64_t number, size_t size)
{
    struct term term;
    uint8_t *data = memory_alloc(size);
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(i * 7 + i / 251);
    term_build_reset(builder);
    term_build_tuple(builder, 2);
    term_build_integer(builder, number);
    term_build_binary(builder, data, size);
    free(data);
    assert_true(term_build_done(builder, &term));
    return term;
}

/* Reads the one frame that is in `output`, and takes it out. */
static enum message_result read_output(struct reading *reading, struct buffer *output)
{
    assert_true(output->size > 4);
    size_t size = bytes_get32(buffer_bytes(output));
    assert_true(size <= output->size - 4);
    enum message_result result = read_frame(reading, buffer_bytes(output) + 4, size);
    buffer_consume(output, 4 + size);
    return result;
}

static void test_append(void **state)
{
    (void)state;
    static const uint64_t headers = FLAG_FRAGMENTS | FLAG_DIST_HDR_ATOM_CACHE;
    static const uint64_t flags[] = {0,
                                     FLAG_FRAGMENTS,
                                     FLAG_DIST_HDR_ATOM_CACHE,
                                     FLAGS_OFFERED,
                                     FLAGS_OFFERED & ~FLAG_FRAGMENTS,
                                     FLAGS_OFFERED & ~headers};
    struct term_builder builders[2] = {0};
    struct buffer output = {0};
    struct atom_writer atoms = {0};
    struct reading reading;
    struct term control = build(&builders[0], 22, 10), payload = build(&builders[1], 1, 1000);
    const struct term none = {0};
    start(&reading, LIMIT);
    for (size_t i = 0; i < ARRAY_LENGTH(flags); i++) {
        message_append(&output, flags[i], &atoms, control, payload);
        message_append(&output, flags[i], &atoms, control, none);
        const uint8_t *frame = buffer_bytes(&output) + 4;
        assert_int_equal(frame[0], flags[i] & headers ? 131 : 112);
        assert_int_equal(read_output(&reading, &output), MESSAGE_READY);
        expect_terms(&reading, control.data, control.size, payload.data, payload.size);
        assert_int_equal(read_output(&reading, &output), MESSAGE_READY);
        expect_terms(&reading, control.data, control.size, NULL, 0);
        assert_int_equal(output.size, 0);
    }
    end(&reading);
    atom_writer_free(&atoms);
    buffer_free(&output);
    term_build_free(&builders[0]);
    term_build_free(&builders[1]);
}

/* What will be large is put together in memory that was used before, what will be too large in none. */
static void test_room_is_foreseen(void **state)
{
    (void)state;
    static const struct {
        uint8_t fragments;
        bool has_room;
    } rows[] = {{25, true}, {40, false}};
    static const uint8_t head[] = {FIRST(1, 0), 104, 2, 97, 22, ATOM_A};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct loop loop;
        struct spare spare;
        struct reading reading;
        struct buffer memory = {0}, frame = {0};
        loop_init(&loop);
        spare_init(&spare, &loop);
        const uint8_t *kept = buffer_reserve(&memory, 2 * 1024 * 1024);
        assert_true(spare_keep(&spare, &memory));
        start(&reading, 1900 * 1000);
        reading.reader.spare = &spare;
        buffer_append(&frame, head, sizeof(head));
        buffer_bytes(&frame)[17] = rows[i].fragments;
        memset(buffer_reserve(&frame, MESSAGE_FRAGMENT_BYTES), 'x', MESSAGE_FRAGMENT_BYTES);
        buffer_grow(&frame, MESSAGE_FRAGMENT_BYTES);
        assert_int_equal(read_frame(&reading, buffer_bytes(&frame), frame.size), MESSAGE_PARTIAL);
        assert_ptr_equal(spare.bytes.data, rows[i].has_room ? NULL : kept);
        end(&reading);
        spare_free(&spare);
        loop_free(&loop);
        buffer_free(&frame);
    }
}

/* As BEAM nodes cut: the control tuple and 64 KB in the first, 64 KB in each that follows. */
static void test_fragments_out(void **state)
{
    (void)state;
    struct term_builder builders[2] = {0};
    struct term control = build(&builders[0], 22, 10);
    for (int factor = 1; factor <= 4; factor++) {
        for (int offset = -10; offset <= 10; offset++) {
            struct message_fragments fragments;
            struct buffer output = {0};
            struct reading reading;
            struct term payload = build(&builders[1], 1, (size_t)(factor * MESSAGE_FRAGMENT_BYTES + offset));
            uint64_t count = (payload.size + MESSAGE_FRAGMENT_BYTES - 1) / MESSAGE_FRAGMENT_BYTES;
            start(&reading, control.size + payload.size);
            message_fragments_start(&fragments, 99, control, payload, NULL);
            for (uint64_t left = count; left; left--) {
                assert_int_equal(message_fragments_next(&fragments, &output), left > 1);
                const uint8_t *frame = buffer_bytes(&output) + 4;
                assert_int_equal(frame[1], left == count ? 69 : 70);
                assert_true(bytes_get64(frame + 2) == 99 && bytes_get64(frame + 10) == left);
                assert_true(output.size <= 4 + 19 + control.size + MESSAGE_FRAGMENT_BYTES);
                assert_int_equal(read_output(&reading, &output), left > 1 ? MESSAGE_PARTIAL : MESSAGE_READY);
            }
            expect_terms(&reading, control.data, control.size, payload.data, payload.size);
            end(&reading);
            buffer_free(&output);
        }
    }
    term_build_free(&builders[0]);
    term_build_free(&builders[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_terms_borrow),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_canonical),
        cmocka_unit_test(test_fragments),
        cmocka_unit_test(test_interleaved),
        cmocka_unit_test(test_atoms),
        cmocka_unit_test(test_atoms_not_negotiated),
        cmocka_unit_test(test_atoms_of_fragments),
        cmocka_unit_test(test_atoms_limit),
        cmocka_unit_test(test_bad_fragments),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_limit_together),
        cmocka_unit_test(test_atoms_are_long),
        cmocka_unit_test(test_too_many_partials),
        cmocka_unit_test(test_append),
        cmocka_unit_test(test_room_is_foreseen),
        cmocka_unit_test(test_fragments_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
