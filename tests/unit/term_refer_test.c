#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "term/term_check.h"
#include "term/term_refer.h"

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})
#define ATOM_A 119, 1, 'a'
#define ATOM_B 119, 1, 'b'

/* Numbers atoms as they come, all but `b`. */
struct referring {
    struct term_atoms table;
    size_t most; /* atoms that may have a number */
};

static int number_of(void *owner, const uint8_t *text, size_t size)
{
    struct referring *referring = owner;
    struct term_atoms *table = &referring->table;
    const struct term atom = {text - 2, size + 2};
    if (size == 1 && *text == 'b')
        return TERM_REFER_NOT;
    for (size_t i = 0; i < table->count; i++)
        if (term_same(table->items[i], atom))
            return (int)i;
    if (table->count == referring->most)
        return TERM_REFER_NOT;
    table->items[table->count] = atom;
    return (int)table->count++;
}

/* Writes the term into no more room than it is promised, and back. */
static void expect(size_t most, const uint8_t *data, size_t size, const uint8_t *expected,
                   size_t expected_size)
{
    struct referring referring = {.most = most, .table.room = 1000};
    const struct term_limits limits = {.depth = 100, .count = 100};
    uint8_t *input = memory_copy(data, size);
    uint8_t *output = memory_alloc(size);
    size_t used, written = term_refer((struct term){input, size}, number_of, &referring, output);
    bool canonical;
    assert_int_equal(written, expected_size);
    assert_memory_equal(output, expected, expected_size);
    struct buffer again = {0};
    assert_int_equal(term_check_with_atoms(output, written, &limits, &referring.table, &used, &canonical),
                     TERM_OK);
    assert_int_equal(used, written);
    assert_int_equal(canonical, referring.table.count == 0);
    term_canonical_with_atoms((struct term){output, written}, &referring.table, &again);
    assert_int_equal(again.size, size);
    assert_memory_equal(buffer_bytes(&again), data, size);
    buffer_free(&again);
    free(output);
    free(input);
}

static void test_refer(void **state)
{
    (void)state;
    expect(255, BYTES(97, 1), BYTES(97, 1));
    expect(255, BYTES(ATOM_A), BYTES(82, 0));
    expect(255, BYTES(119, 0), BYTES(82, 0));
    expect(255, BYTES(ATOM_B), BYTES(ATOM_B));
    expect(255, BYTES(104, 3, ATOM_A, ATOM_B, ATOM_A), BYTES(104, 3, 82, 0, ATOM_B, 82, 0));
    expect(255, BYTES(104, 2, ATOM_A, 119, 1, 'c'), BYTES(104, 2, 82, 0, 82, 1));
    expect(1, BYTES(104, 2, ATOM_A, 119, 1, 'c'), BYTES(104, 2, 82, 0, 119, 1, 'c'));
    expect(0, BYTES(104, 2, ATOM_A, 119, 1, 'c'), BYTES(104, 2, ATOM_A, 119, 1, 'c'));
    expect(255, BYTES(105, 0, 0, 0, 2, 97, 1, ATOM_A), BYTES(105, 0, 0, 0, 2, 97, 1, 82, 0));
    expect(255, BYTES(108, 0, 0, 0, 2, ATOM_A, 104, 0, ATOM_B),
           BYTES(108, 0, 0, 0, 2, 82, 0, 104, 0, ATOM_B));
    expect(255, BYTES(116, 0, 0, 0, 2, ATOM_A, 106, 119, 1, 'c', ATOM_A),
           BYTES(116, 0, 0, 0, 2, 82, 0, 106, 82, 1, 82, 0));
    expect(255, BYTES(88, ATOM_A, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3),
           BYTES(88, 82, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3));
    expect(255, BYTES(90, 0, 2, ATOM_A, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12),
           BYTES(90, 0, 2, 82, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
    expect(255, BYTES(120, ATOM_A, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12),
           BYTES(120, 82, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
    expect(255, BYTES(113, ATOM_A, 119, 1, 'c', 97, 1), BYTES(113, 82, 0, 82, 1, 97, 1));
    /* Bytes of a binary that look like an atom are none. */
    expect(255, BYTES(104, 2, 109, 0, 0, 0, 3, ATOM_A, ATOM_A),
           BYTES(104, 2, 109, 0, 0, 0, 3, ATOM_A, 82, 0));
}

/* A fun stays as it is, and what follows it does not. */
static void test_fun(void **state)
{
    (void)state;
#define FUN                                                                                                  \
    112, 0, 0, 0, 55, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0, 0, 0, 0, 0, 0, 0, 1,      \
        ATOM_A, 97, 0, 97, 0, 88, ATOM_A, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3, ATOM_A
    expect(255, BYTES(104, 2, FUN, ATOM_A), BYTES(104, 2, FUN, 82, 0));
}

/* An atom of 256 bytes is written out, one of 255 is not. */
static void test_long_atom(void **state)
{
    (void)state;
    uint8_t data[2 + 3 + 256 + 2 + 255] = {104, 2, 118, 1, 0};
    uint8_t expected[2 + 3 + 256 + 2] = {104, 2, 118, 1, 0};
    for (size_t i = 0; i < 64; i++)
        memcpy(data + 5 + 4 * i, "\xf0\x9f\x98\x80", 4);
    memcpy(expected + 5, data + 5, 256);
    data[261] = 119;
    data[262] = 255;
    memset(data + 263, 'y', 255);
    expected[261] = 82;
    expected[262] = 0;
    expect(255, data, sizeof(data), expected, sizeof(expected));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refer),
        cmocka_unit_test(test_fun),
        cmocka_unit_test(test_long_atom),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
