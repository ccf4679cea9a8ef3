#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "term/term_check.h"

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})
#define ROW(problem, ...) {problem, BYTES(__VA_ARGS__)}
#define ATOM_A 119, 1, 'a'
#define PID_A 88, ATOM_A, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3
#define MD5 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
#define ZEROS_20 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
/* `free` is the number of free variables, which follow. */
#define FUN(size, free, ...)                                                                                 \
    112, 0, 0, 0, size, 1, MD5, 0, 0, 0, 7, 0, 0, 0, free, ATOM_A, 97, 7, 98, 0, 0, 1, 0, PID_A, __VA_ARGS__

static const struct term_limits wide = {.depth = SIZE_MAX, .count = 1000000};

/* The bytes are copied so that a sanitizer sees each one that is read outside. */
static enum term_problem check(const uint8_t *data, size_t size, const struct term_limits *limits,
                               size_t *used, bool *canonical)
{
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, data, size);
    enum term_problem problem = term_check(copy, size, limits, used, canonical);
    if (!problem)
        assert_int_equal(term_length(copy), *used);
    free(copy);
    return problem;
}

static const struct {
    const uint8_t *data;
    size_t size;
} good[] = {
    {BYTES(97, 0)},
    {BYTES(98, 255, 255, 255, 255)},
    {BYTES(70, 63, 240, 0, 0, 0, 0, 0, 0)},
    {BYTES(70, 128, 0, 0, 0, 0, 0, 0, 0)},
    {BYTES(99, '1', '.', '5', 'e', '+', '1', ZEROS_20, 0, 0, 0, 0, 0)},
    {BYTES(99, '1', '.', '5', 0, 'x', ZEROS_20, 0, 0, 0, 0, 0,
           'x')}, /* what follows the NUL is not looked at */
    {BYTES(110, 0, 0)},
    {BYTES(110, 2, 1, 1, 2)},
    {BYTES(111, 0, 0, 0, 1, 0, 9)},
    {BYTES(119, 0)},
    {BYTES(119, 2, 0xc3, 0xa5)},
    {BYTES(119, 4, 0xf0, 0x9f, 0x98, 0x80)},
    {BYTES(104, 0)},
    {BYTES(104, 2, 97, 1, ATOM_A)},
    {BYTES(105, 0, 0, 0, 1, 97, 1)},
    {BYTES(106)},
    {BYTES(107, 0, 1, 5)},
    {BYTES(108, 0, 0, 0, 1, 97, 1, 106)},
    {BYTES(108, 0, 0, 0, 1, 97, 1, 97, 2)},
    {BYTES(109, 0, 0, 0, 0)},
    {BYTES(109, 0, 0, 0, 1, 200)},
    {BYTES(77, 0, 0, 0, 1, 3, 224)},
    {BYTES(77, 0, 0, 0, 0, 0)},
    {BYTES(116, 0, 0, 0, 0)},
    {BYTES(116, 0, 0, 0, 2, 97, 1, 97, 1, 97, 2, 97, 1)},
    {BYTES(PID_A)},
    {BYTES(103, ATOM_A, 0, 0, 0, 1, 0, 0, 0, 2, 3)},
    {BYTES(89, ATOM_A, 0, 0, 0, 1, 0, 0, 0, 2)},
    {BYTES(102, ATOM_A, 0, 0, 0, 1, 2)},
    {BYTES(120, ATOM_A, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3)},
    {BYTES(101, ATOM_A, 0, 0, 0, 1, 2)},
    {BYTES(114, 0, 1, ATOM_A, 3, 0, 0, 0, 1)},
    {BYTES(90, 0, 1, ATOM_A, 0, 0, 0, 9, 0, 0, 0, 1)},
    {BYTES(90, 0, 5, ATOM_A, 0, 0, 0, 9, ZEROS_20)},
    {BYTES(113, ATOM_A, ATOM_A, 97, 3)},
    {BYTES(FUN(55, 0, ))},
    {BYTES(FUN(60, 2, 97, 1, ATOM_A))},
};

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        size_t used;
        bool canonical;
        assert_int_equal(check(good[i].data, good[i].size, &wide, &used, &canonical), TERM_OK);
        assert_int_equal(used, good[i].size);
        assert_true(canonical);
        for (size_t size = 0; size < good[i].size; size++)
            assert_int_equal(check(good[i].data, size, &wide, &used, &canonical), TERM_TRUNCATED);
    }
}

static const struct {
    enum term_problem problem;
    const uint8_t *data;
    size_t size;
} bad[] = {
    ROW(TERM_UNKNOWN_TAG, 0),
    ROW(TERM_UNKNOWN_TAG, 80, 0, 0, 0, 1),
    ROW(TERM_UNKNOWN_TAG, 82, 0),
    ROW(TERM_UNKNOWN_TAG, 117, 0, 0, 0, 0),
    ROW(TERM_UNKNOWN_TAG, 121, 0),
    ROW(TERM_UNKNOWN_TAG, 131, 97, 1),
    ROW(TERM_TRUNCATED, 105, 255, 255, 255, 255, 97, 1),
    ROW(TERM_TRUNCATED, 108, 255, 255, 255, 255, 97, 1),
    ROW(TERM_TRUNCATED, 108, 0, 0, 0, 1, 106),
    ROW(TERM_TRUNCATED, 109, 255, 255, 255, 255, 1),
    ROW(TERM_TRUNCATED, 116, 255, 255, 255, 255, 1),
    ROW(TERM_TRUNCATED, 116, 128, 0, 0, 1, 97, 1, 97, 1),
    ROW(TERM_BAD_ATOM, 119, 1, 0xc3),
    ROW(TERM_BAD_ATOM, 119, 1, 0x80),
    ROW(TERM_BAD_ATOM, 119, 2, 0xc0, 0x80),
    ROW(TERM_BAD_ATOM, 119, 3, 0xe0, 0x80, 0x80),
    ROW(TERM_BAD_ATOM, 119, 3, 0xed, 0xa0, 0x80),
    ROW(TERM_BAD_ATOM, 119, 4, 0xf4, 0x90, 0x80, 0x80),
    ROW(TERM_BAD_ATOM, 119, 5, 0xf8, 0x88, 0x80, 0x80, 0x80),
    ROW(TERM_BAD_ATOM, 88, 97, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3),
    ROW(TERM_BAD_ATOM, 113, 97, 1, ATOM_A, 97, 3),
    ROW(TERM_BAD_NUMBER, 70, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0),
    ROW(TERM_BAD_NUMBER, 70, 0xff, 0xf8, 0, 0, 0, 0, 0, 0),
    ROW(TERM_BAD_NUMBER, 99, 'n', 'a', 'n', ZEROS_20, 0, 0, 0, 0, 0, 0, 0, 0),
    ROW(TERM_BAD_NUMBER, 99, ' ', '1', '.', '5', ZEROS_20, 0, 0, 0, 0, 0, 0, 0),
    ROW(TERM_BAD_NUMBER, 99, '1', '.', '5', 'e', '9', '9', '9', ZEROS_20, 0, 0, 0, 0),
    ROW(TERM_BAD_NUMBER, 99, '1', '.', '5', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0',
        '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0'),
    ROW(TERM_BAD_NUMBER, 110, 1, 2, 1),
    ROW(TERM_BAD_BITS, 77, 0, 0, 0, 1, 0, 1),
    ROW(TERM_BAD_BITS, 77, 0, 0, 0, 1, 9, 1),
    ROW(TERM_BAD_BITS, 77, 0, 0, 0, 0, 8),
    ROW(TERM_BAD_IDENTIFIER, 90, 0, 0, ATOM_A, 0, 0, 0, 1),
    ROW(TERM_BAD_IDENTIFIER, 90, 0, 6, ATOM_A, 0, 0, 0, 1, ZEROS_20, 0, 0, 0, 1),
    ROW(TERM_BAD_IDENTIFIER, 103, ATOM_A, 0, 0, 0, 1, 0, 0, 0, 2, 4),
    ROW(TERM_BAD_IDENTIFIER, 114, 0, 1, ATOM_A, 4, 0, 0, 0, 1),
    ROW(TERM_BAD_IDENTIFIER, 114, 0, 1, ATOM_A, 3, 0, 4, 0, 0),
    ROW(TERM_BAD_IDENTIFIER, 101, ATOM_A, 0, 4, 0, 0, 3),
    ROW(TERM_BAD_IDENTIFIER, 102, ATOM_A, 0, 0, 0, 1, 4),
    ROW(TERM_BAD_IDENTIFIER, 116, 0, 0, 0, 2, ATOM_A, 97, 1, ATOM_A, 97, 2),
    ROW(TERM_BAD_IDENTIFIER, 116, 0, 0, 0, 2, 104, 1, 97, 9, 97, 1, 104, 1, 97, 9, 97, 2),
    /* The same key in two encodings. */
    ROW(TERM_BAD_IDENTIFIER, 116, 0, 0, 0, 2, 100, 0, 1, 'a', 97, 1, 115, 1, 'a', 97, 2),
    ROW(TERM_BAD_IDENTIFIER, 116, 0, 0, 0, 2, 104, 1, 100, 0, 1, 'a', 97, 1, 104, 1, ATOM_A, 97, 2),
    ROW(TERM_BAD_FUN, 113, ATOM_A, ATOM_A, 98, 0, 0, 0, 1),
    ROW(TERM_BAD_FUN, FUN(59, 2, 97, 1, ATOM_A)),
    ROW(TERM_BAD_FUN, 104, 2, FUN(61, 2, 97, 1, ATOM_A), 97, 1),
    ROW(TERM_TRUNCATED, FUN(61, 2, 97, 1, ATOM_A)),
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        size_t used = SIZE_MAX;
        bool canonical;
        enum term_problem problem = check(bad[i].data, bad[i].size, &wide, &used, &canonical);
        if (problem != bad[i].problem)
            fail_msg("row %zu: %s", i, term_problem_text(problem));
        assert_true(used <= bad[i].size);
    }
}

static void test_used(void **state)
{
    (void)state;
    size_t used;
    bool canonical;
    assert_int_equal(check(BYTES(104, 1, 97, 1, 97, 2), &wide, &used, &canonical), TERM_OK);
    assert_int_equal(used, 4);
}

/* `count` times `unit`, and then `end`. */
static uint8_t *repeat(const uint8_t *unit, size_t unit_size, size_t count, uint8_t end, size_t *size)
{
    *size = unit_size * count + 1;
    uint8_t *data = malloc(*size);
    assert_non_null(data);
    for (size_t i = 0; i < count; i++)
        memcpy(data + i * unit_size, unit, unit_size);
    data[*size - 1] = end;
    return data;
}

static void test_limits(void **state)
{
    (void)state;
    size_t used, size;
    bool canonical;
    uint8_t *data = repeat(BYTES(104, 1), 100, 106, &size);
    assert_int_equal(check(data, size, &(struct term_limits){100, 101}, &used, &canonical), TERM_OK);
    assert_int_equal(check(data, size, &(struct term_limits){99, 101}, &used, &canonical), TERM_TOO_DEEP);
    assert_int_equal(check(data, size, &(struct term_limits){100, 100}, &used, &canonical), TERM_TOO_MANY);
    free(data);
    data = repeat(BYTES(104, 1), 5000000, 106, &size);
    assert_int_equal(check(data, size, &(struct term_limits){10000, SIZE_MAX}, &used, &canonical),
                     TERM_TOO_DEEP);
    assert_int_equal(used, 2 * 10001);
    free(data);
    assert_int_equal(check(BYTES(104, 0), &(struct term_limits){0, 1}, &used, &canonical), TERM_OK);
    assert_int_equal(check(BYTES(97, 0), &(struct term_limits){0, 0}, &used, &canonical), TERM_TOO_MANY);
}

static void expect_canonical(const uint8_t *data, size_t size, const uint8_t *expected, size_t expected_size)
{
    size_t used;
    bool canonical;
    struct buffer output = {0};
    buffer_append(&output, "before", 6);
    assert_int_equal(check(data, size, &wide, &used, &canonical), TERM_OK);
    assert_int_equal(used, size);
    assert_false(canonical);
    term_canonical_with_atoms((struct term){data, size}, NULL, &output);
    const uint8_t *bytes = buffer_bytes(&output);
    assert_int_equal(output.size, 6 + expected_size);
    assert_memory_equal(bytes, "before", 6);
    assert_memory_equal(bytes + 6, expected, expected_size);
    assert_int_equal(check(bytes + 6, output.size - 6, &wide, &used, &canonical), TERM_OK);
    assert_true(canonical);
    buffer_free(&output);
}

static void test_canonical(void **state)
{
    (void)state;
    expect_canonical(BYTES(100, 0, 1, 'a'), BYTES(ATOM_A));
    expect_canonical(BYTES(115, 1, 0xe5), BYTES(119, 2, 0xc3, 0xa5));
    expect_canonical(BYTES(118, 0, 1, 'a'), BYTES(ATOM_A));
    expect_canonical(BYTES(104, 3, 97, 1, 115, 1, 'a', 97, 2), BYTES(104, 3, 97, 1, ATOM_A, 97, 2));
    expect_canonical(BYTES(103, 100, 0, 1, 'a', 0, 0, 0, 1, 0, 0, 0, 2, 3),
                     BYTES(103, ATOM_A, 0, 0, 0, 1, 0, 0, 0, 2, 3));
    expect_canonical(BYTES(90, 0, 2, 115, 1, 'a', 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12),
                     BYTES(90, 0, 2, ATOM_A, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
    expect_canonical(BYTES(113, 115, 1, 'a', 118, 0, 1, 'a', 97, 1), BYTES(113, ATOM_A, ATOM_A, 97, 1));
    /* The size of a fun follows that of its parts, and of funs in it. */
    expect_canonical(BYTES(104, 2, FUN(61, 2, 97, 1, 118, 0, 1, 'a'), 106),
                     BYTES(104, 2, FUN(60, 2, 97, 1, ATOM_A), 106));
    expect_canonical(BYTES(FUN(117, 1, FUN(61, 2, 97, 1, 118, 0, 1, 'a'))),
                     BYTES(FUN(116, 1, FUN(60, 2, 97, 1, ATOM_A))));
    /* One way to write a list. */
    expect_canonical(BYTES(107, 0, 0), BYTES(106));
    expect_canonical(BYTES(108, 0, 0, 0, 0, 97, 1), BYTES(97, 1));
    expect_canonical(BYTES(108, 0, 0, 0, 1, 97, 1, 108, 0, 0, 0, 1, 97, 2, 106),
                     BYTES(108, 0, 0, 0, 2, 97, 1, 97, 2, 106));
    expect_canonical(BYTES(108, 0, 0, 0, 1, 97, 1, 107, 0, 2, 7, 8),
                     BYTES(108, 0, 0, 0, 3, 97, 1, 97, 7, 97, 8, 106));
    expect_canonical(BYTES(108, 0, 0, 0, 1, 97, 1, 108, 0, 0, 0, 0, 108, 0, 0, 0, 1, 97, 2, 97, 3),
                     BYTES(108, 0, 0, 0, 2, 97, 1, 97, 2, 97, 3));
    expect_canonical(BYTES(116, 0, 0, 0, 1, 115, 1, 'a', 106), BYTES(116, 0, 0, 0, 1, ATOM_A, 106));
}

/* A list written cell by cell is long, not deep. */
static void test_chained_list(void **state)
{
    (void)state;
    size_t used, size, count = 100000;
    bool canonical;
    uint8_t *data = repeat(BYTES(108, 0, 0, 0, 1, 97, 1), count, 106, &size);
    assert_int_equal(check(data, size, &(struct term_limits){1, SIZE_MAX}, &used, &canonical), TERM_OK);
    assert_false(canonical);
    struct buffer output = {0};
    term_canonical_with_atoms((struct term){data, size}, NULL, &output);
    assert_int_equal(output.size, 5 + 2 * count + 1);
    free(data);
    buffer_free(&output);
}

static void test_long_atoms(void **state)
{
    (void)state;
    uint8_t data[3 + 4 * 256] = {118};
    size_t used;
    bool canonical;
    for (size_t i = 3; i < sizeof(data); i += 4)
        memcpy(data + i, "\xf0\x9f\x98\x80", 4);
    data[1] = 1020 >> 8;
    data[2] = 1020 & 255;
    assert_int_equal(check(data, 3 + 1020, &wide, &used, &canonical), TERM_OK);
    assert_true(canonical);
    data[1] = 1024 >> 8;
    data[2] = 1024 & 255;
    assert_int_equal(check(data, 3 + 1024, &wide, &used, &canonical), TERM_BAD_ATOM);
    memset(data + 3, 'x', 256);
    data[1] = 1;
    data[2] = 0;
    assert_int_equal(check(data, 3 + 256, &wide, &used, &canonical), TERM_BAD_ATOM);
    /* 255 characters of latin-1 become 510 bytes of UTF-8. */
    uint8_t latin[3 + 255] = {100, 0, 255}, expected[3 + 510] = {118, 1, 254};
    memset(latin + 3, 0xe5, 255);
    for (size_t i = 3; i < sizeof(expected); i += 2)
        memcpy(expected + i, "\xc3\xa5", 2);
    expect_canonical(latin, sizeof(latin), expected, sizeof(expected));
    latin[1] = 1;
    latin[2] = 0;
    assert_int_equal(check(latin, sizeof(latin), &wide, &used, &canonical), TERM_TRUNCATED);
}

/* A table of a, b, a long atom, and a again. */
static struct term_atoms atoms_of(const uint8_t *longer, size_t size, size_t room)
{
    static const uint8_t a[] = {ATOM_A}, b[] = {119, 1, 'b'};
    return (struct term_atoms){
        .count = 4, .room = room, .items = {{a, sizeof(a)}, {b, sizeof(b)}, {longer, size}, {a, sizeof(a)}}};
}

static const uint8_t long_name[] = {119, 8, 'n', 'o', 'd', 'e', '@', 'x', 'y', 'z'};

/* The same copy for both, so that a sanitizer sees each byte that is read outside. */
static enum term_problem check_with(const struct term_atoms *atoms, const uint8_t *data, size_t size,
                                    struct buffer *output)
{
    size_t used;
    bool canonical;
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, data, size);
    enum term_problem problem = term_check_with_atoms(copy, size, &wide, atoms, &used, &canonical);
    if (!problem) {
        assert_int_equal(used, size);
        assert_false(canonical);
        term_canonical_with_atoms((struct term){copy, size}, atoms, output);
        assert_int_equal(term_check(buffer_bytes(output), output->size, &wide, &used, &canonical), TERM_OK);
        assert_int_equal(used, output->size);
        assert_true(canonical);
    }
    free(copy);
    return problem;
}

static void test_references(void **state)
{
    (void)state;
#define NAME_X 119, 8, 'n', 'o', 'd', 'e', '@', 'x', 'y', 'z'
    const struct {
        const uint8_t *data;
        size_t size;
        const uint8_t *expected;
        size_t expected_size;
    } rows[] = {
        {BYTES(82, 0), BYTES(ATOM_A)},
        {BYTES(82, 2), BYTES(NAME_X)},
        {BYTES(104, 3, 82, 3, 97, 1, 82, 1), BYTES(104, 3, ATOM_A, 97, 1, 119, 1, 'b')},
        {BYTES(104, 2, 82, 0, 100, 0, 1, 'a'), BYTES(104, 2, ATOM_A, ATOM_A)},
        {BYTES(108, 0, 0, 0, 1, 82, 2, 82, 2), BYTES(108, 0, 0, 0, 1, NAME_X, NAME_X)},
        {BYTES(88, 82, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3),
         BYTES(88, NAME_X, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3)},
        {BYTES(90, 0, 1, 82, 2, 0, 0, 0, 9, 0, 0, 0, 1), BYTES(90, 0, 1, NAME_X, 0, 0, 0, 9, 0, 0, 0, 1)},
        {BYTES(113, 82, 0, 82, 2, 97, 3), BYTES(113, ATOM_A, NAME_X, 97, 3)},
        {BYTES(116, 0, 0, 0, 2, 82, 0, 82, 1, 82, 1, 82, 0),
         BYTES(116, 0, 0, 0, 2, ATOM_A, 119, 1, 'b', 119, 1, 'b', ATOM_A)},
        /* The size of a fun follows: the pid's node grows by eight bytes, the module by one. */
        {BYTES(112, 0, 0, 0, 50, 0, MD5, 0, 0, 0, 7, 0, 0, 0, 0, 82, 0, 97, 7, 97, 0, 88, 82, 2, 0, 0, 0, 1,
               0, 0, 0, 2, 0, 0, 0, 3),
         BYTES(112, 0, 0, 0, 59, 0, MD5, 0, 0, 0, 7, 0, 0, 0, 0, ATOM_A, 97, 7, 97, 0, 88, NAME_X, 0, 0, 0, 1,
               0, 0, 0, 2, 0, 0, 0, 3)},
    };
    const struct term_atoms atoms = atoms_of(long_name, sizeof(long_name), 1000);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct buffer output = {0};
        if (check_with(&atoms, rows[i].data, rows[i].size, &output))
            fail_msg("row %zu", i);
        assert_int_equal(output.size, rows[i].expected_size);
        assert_memory_equal(buffer_bytes(&output), rows[i].expected, rows[i].expected_size);
        for (size_t size = 0; size < rows[i].size; size++)
            assert_int_equal(check_with(&atoms, rows[i].data, size, &output), TERM_TRUNCATED);
        buffer_free(&output);
    }
}

static void test_bad_references(void **state)
{
    (void)state;
    const struct {
        enum term_problem problem;
        const uint8_t *data;
        size_t size;
    } rows[] = {
        ROW(TERM_BAD_ATOM, 82, 4),
        ROW(TERM_BAD_ATOM, 82, 255),
        ROW(TERM_BAD_ATOM, 104, 2, 82, 0, 82, 4),
        ROW(TERM_BAD_ATOM, 88, 82, 9, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3),
        ROW(TERM_TOO_LARGE, 104, 3, 82, 2, 82, 2, 82, 0), /* 23 bytes of atoms, and room for 22 */
        /* A key twice: by one number, by two, by number and written out, inside others. */
        ROW(TERM_BAD_IDENTIFIER, 116, 0, 0, 0, 2, 82, 0, 97, 1, 82, 0, 97, 2),
        ROW(TERM_BAD_IDENTIFIER, 116, 0, 0, 0, 2, 82, 0, 97, 1, 82, 3, 97, 2),
        ROW(TERM_BAD_IDENTIFIER, 116, 0, 0, 0, 2, 82, 0, 97, 1, ATOM_A, 97, 2),
        ROW(TERM_BAD_IDENTIFIER, 116, 0, 0, 0, 2, ATOM_A, 97, 1, 82, 0, 97, 2),
        ROW(TERM_BAD_IDENTIFIER, 116, 0, 0, 0, 2, 82, 0, 97, 1, 115, 1, 'a', 97, 2),
        ROW(TERM_BAD_IDENTIFIER, 116, 0, 0, 0, 2, 115, 1, 'a', 97, 1, ATOM_A, 97, 2),
        ROW(TERM_BAD_IDENTIFIER, 116, 0, 0, 0, 2, 104, 1, 82, 0, 97, 1, 104, 1, 82, 3, 97, 2),
        ROW(TERM_BAD_IDENTIFIER, 116, 0, 0, 0, 2, 104, 1, ATOM_A, 97, 1, 104, 1, 82, 3, 97, 2),
    };
    const struct term_atoms atoms = atoms_of(long_name, sizeof(long_name), 22);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct buffer output = {0};
        enum term_problem problem = check_with(&atoms, rows[i].data, rows[i].size, &output);
        if (problem != rows[i].problem)
            fail_msg("row %zu: %s", i, term_problem_text(problem));
        buffer_free(&output);
    }
    const struct term_atoms none = {.room = 1000};
    struct buffer output = {0};
    assert_int_equal(check_with(&none, BYTES(82, 0), &output), TERM_BAD_ATOM);
    assert_int_equal(check_with(NULL, BYTES(82, 0), &output), TERM_UNKNOWN_TAG);
}

static void test_problem_text(void **state)
{
    (void)state;
    assert_string_equal(term_problem_text(TERM_TRUNCATED), "truncated");
    for (int problem = TERM_OK; problem <= TERM_BAD_FUN; problem++)
        assert_non_null(term_problem_text((enum term_problem)problem));
    assert_string_equal(term_problem_text((enum term_problem)99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),           cmocka_unit_test(test_bad),
        cmocka_unit_test(test_used),           cmocka_unit_test(test_limits),
        cmocka_unit_test(test_canonical),      cmocka_unit_test(test_chained_list),
        cmocka_unit_test(test_long_atoms),     cmocka_unit_test(test_references),
        cmocka_unit_test(test_bad_references), cmocka_unit_test(test_problem_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
