#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "atom_cache_private.h"
#include "base/memory.h"
#include "term/term_build.h"

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})
#define ATOM_A 119, 1, 'a'
#define ATOM_B 119, 1, 'b'

/* Reads exactly these bytes, so that a sanitizer sees each one that is read outside. */
static bool read_header(struct atom_reader *reader, const uint8_t *header, size_t size, size_t *used)
{
    const char *problem = NULL;
    uint8_t *copy = memory_copy(header, size);
    bool read = atom_reader_header(reader, copy, size, used, &problem);
    assert_true(read || problem);
    free(copy);
    return read;
}

/* The header is whole, and leaves these atoms. */
static void expect_atoms(struct atom_reader *reader, const uint8_t *header, size_t size, const uint8_t *atoms,
                         size_t atoms_size)
{
    size_t used, at = 0;
    assert_true(read_header(reader, header, size, &used));
    assert_int_equal(used, size);
    for (size_t i = 0; i < reader->table.count; i++) {
        struct term atom = reader->table.items[i];
        assert_true(atom.size <= atoms_size - at);
        assert_memory_equal(atom.data, atoms + at, atom.size);
        at += atom.size;
    }
    assert_int_equal(at, atoms_size);
}

static void test_read(void **state)
{
    (void)state;
    struct atom_reader reader = {0};
    expect_atoms(&reader, BYTES(0), NULL, 0);
    expect_atoms(&reader, BYTES(1, 0x08, 5, 1, 'a'), BYTES(ATOM_A));
    expect_atoms(&reader, BYTES(1, 0x00, 5), BYTES(ATOM_A));
    /* The same index of another segment is another entry; the first half byte is the lower one. */
    expect_atoms(&reader, BYTES(2, 0xf0, 0x00, 5, 5, 1, 'b'), BYTES(ATOM_A, ATOM_B));
    expect_atoms(&reader, BYTES(2, 0x07, 0x00, 5, 5), BYTES(ATOM_B, ATOM_A));
    expect_atoms(&reader, BYTES(3, 0x07, 0x07, 5, 5, 5), BYTES(ATOM_B, ATOM_A, ATOM_B));
    /* Long lengths: the half byte behind the last entry's. */
    expect_atoms(&reader, BYTES(1, 0x18, 9, 0, 1, 'a'), BYTES(ATOM_A));
    expect_atoms(&reader, BYTES(2, 0x98, 0x01, 9, 0, 1, 'a', 9, 0, 1, 'b'), BYTES(ATOM_A, ATOM_B));
    /* Bits that nobody uses say nothing. */
    expect_atoms(&reader, BYTES(1, 0xe1, 9), BYTES(ATOM_B));
    expect_atoms(&reader, BYTES(1, 0x08, 9, 0), BYTES(119, 0));
    expect_atoms(&reader, BYTES(1, 0x08, 9, 2, 0xc3, 0xa5), BYTES(119, 2, 0xc3, 0xa5));
    expect_atoms(&reader, BYTES(0), NULL, 0);
    atom_reader_free(&reader);
}

/* An entry is what the last header said, and to an atom in front of it in the same header what it was. */
static void test_overwritten(void **state)
{
    (void)state;
    struct atom_reader reader = {0};
    expect_atoms(&reader, BYTES(1, 0x08, 5, 1, 'a'), BYTES(ATOM_A));
    expect_atoms(&reader, BYTES(1, 0x08, 5, 1, 'b'), BYTES(ATOM_B));
    expect_atoms(&reader, BYTES(1, 0x00, 5), BYTES(ATOM_B));
    expect_atoms(&reader, BYTES(3, 0x80, 0x00, 5, 5, 1, 'a', 5), BYTES(ATOM_B, ATOM_A, ATOM_A));
    atom_reader_free(&reader);
}

static void test_restore(void **state)
{
    (void)state;
    struct atom_reader reader = {0};
    struct buffer kept = {0};
    expect_atoms(&reader, BYTES(2, 0x88, 0x00, 5, 1, 'a', 6, 1, 'b'), BYTES(ATOM_A, ATOM_B));
    buffer_append(&kept, buffer_bytes(&reader.bytes), reader.bytes.size);
    expect_atoms(&reader, BYTES(1, 0x08, 5, 2, 'x', 'y'), BYTES(119, 2, 'x', 'y'));
    atom_reader_restore(&reader, kept);
    assert_int_equal(reader.table.count, 2);
    assert_true(term_same(reader.table.items[0], (struct term){BYTES(ATOM_A)}));
    assert_true(term_same(reader.table.items[1], (struct term){BYTES(ATOM_B)}));
    atom_reader_restore(&reader, (struct buffer){0});
    assert_int_equal(reader.table.count, 0);
    atom_reader_free(&reader);
}

static void test_malformed(void **state)
{
    (void)state;
    const struct {
        const uint8_t *data;
        size_t size;
    } rows[] = {
        {BYTES(1, 0x00, 6)},                  /* never sent */
        {BYTES(1, 0x01, 5)},                  /* in another segment */
        {BYTES(2, 0x08, 0x00, 6, 1, 'a', 7)}, /* the second */
        {BYTES(1, 0x08, 5, 1, 0x80)},         /* not UTF-8 */
        {BYTES(1, 0x08, 5, 2, 'a', 0xc3)},    /* cut inside a character */
        {BYTES(1, 0x08, 5, 255, 'a')},        /* longer than the frame */
        {BYTES(1, 0x18, 5, 255, 255, 'a')},   /* likewise */
        {BYTES(255, 0x00, 5)},                /* more than the frame has */
        {BYTES(255, 0x88, 0x88, 5, 1, 'a')},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct atom_reader reader = {0};
        size_t used;
        expect_atoms(&reader, BYTES(1, 0x08, 5, 1, 'a'), BYTES(ATOM_A));
        if (read_header(&reader, rows[i].data, rows[i].size, &used))
            fail_msg("row %zu passes", i);
        atom_reader_free(&reader);
    }
}

static void test_truncated(void **state)
{
    (void)state;
    static const uint8_t header[] = {3, 0x88, 0x18, 1, 0, 2, 'a', 'b', 2, 0, 0, 3, 0, 1, 'c'};
    for (size_t size = 0; size < sizeof(header); size++) {
        struct atom_reader reader = {0};
        size_t used;
        if (read_header(&reader, header, size, &used))
            fail_msg("%zu bytes pass", size);
        atom_reader_free(&reader);
    }
    struct atom_reader reader = {0};
    expect_atoms(&reader, header, sizeof(header), BYTES(119, 2, 'a', 'b', 119, 0, 119, 1, 'c'));
    atom_reader_free(&reader);
}

/* 255 characters of up to four bytes are an atom, more are not. */
static void test_long_atoms(void **state)
{
    (void)state;
    static const struct {
        const char *character;
        size_t characters;
        bool good;
    } rows[] = {
        {"a", 255, true},
        {"a", 256, false},
        {"\xc3\xa5", 127, true},
        {"\xc3\xa5", 128, true},
        {"\xc3\xa5", 255, true},
        {"\xc3\xa5", 256, false},
        {"\xf0\x9f\x98\x80", 255, true},
        {"\xf0\x9f\x98\x80", 256, false},
        {"\xf0\x9f\x98\x80", 16000, false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        size_t width = strlen(rows[i].character), size = width * rows[i].characters, used;
        uint8_t *header = memory_alloc(5 + size);
        struct atom_reader reader = {0};
        memcpy(header, (uint8_t[]){1, 0x18, 0, (uint8_t)(size >> 8), (uint8_t)size}, 5);
        for (size_t at = 0; at < size; at += width)
            memcpy(header + 5 + at, rows[i].character, width);
        if (read_header(&reader, header, 5 + size, &used) != rows[i].good)
            fail_msg("row %zu", i);
        if (rows[i].good) {
            struct term atom = reader.table.items[0];
            assert_int_equal(atom.size, size + (size > 255 ? 3 : 2));
            assert_int_equal(atom.data[0], size > 255 ? 118 : 119);
            assert_memory_equal(atom.data + atom.size - size, header + 5, size);
        }
        atom_reader_free(&reader);
        free(header);
    }
}

/* Writes a message and reads it: its terms have to be what they were. Answers the number of its atoms that
 * were referred to, of `*fresh` the text was in the header. */
static size_t pass(struct atom_writer *writer, struct atom_reader *reader, struct term control,
                   struct term payload, size_t *fresh)
{
    const struct term_limits limits = {.depth = 100, .count = 10000};
    struct buffer output = {0}, terms = {0};
    size_t at;
    buffer_append(&output, "before", 6);
    atom_writer_append(writer, &output, control, payload);
    assert_memory_equal(buffer_bytes(&output), "before", 6);
    const uint8_t *message = buffer_bytes(&output) + 6;
    size_t size = output.size - 6;
    assert_true(read_header(reader, message, size, &at));
    *fresh = 0;
    for (size_t i = 0; i < message[0]; i++)
        *fresh += (message[1 + i / 2] >> (i % 2 * 4) & 8) != 0;
    reader->table.room = 1000000;
    while (at < size) {
        size_t used;
        bool canonical;
        assert_int_equal(
            term_check_with_atoms(message + at, size - at, &limits, &reader->table, &used, &canonical),
            TERM_OK);
        term_canonical_with_atoms((struct term){message + at, used}, &reader->table, &terms);
        at += used;
    }
    assert_int_equal(terms.size, control.size + payload.size);
    assert_memory_equal(buffer_bytes(&terms), control.data, control.size);
    if (payload.data)
        assert_memory_equal(buffer_bytes(&terms) + control.size, payload.data, payload.size);
    buffer_free(&terms);
    buffer_free(&output);
    return reader->table.count;
}

static void test_write(void **state)
{
    (void)state;
    struct atom_writer writer = {0};
    struct atom_reader reader = {0};
    const struct term control = {BYTES(104, 2, 97, 6, ATOM_A)}, payload = {BYTES(104, 2, ATOM_A, 119, 0)};
    const struct term number = {BYTES(104, 1, 97, 6)}, none = {0};
    size_t fresh;
    assert_int_equal(pass(&writer, &reader, number, none, &fresh), 0);
    assert_int_equal(pass(&writer, &reader, control, none, &fresh), 1);
    assert_int_equal(fresh, 1);
    assert_int_equal(pass(&writer, &reader, control, payload, &fresh), 2);
    assert_int_equal(fresh, 1);
    assert_int_equal(pass(&writer, &reader, control, payload, &fresh), 2);
    assert_int_equal(fresh, 0);
    /* {6, a} with nothing new: the header is four bytes, the atom two. */
    struct buffer output = {0};
    atom_writer_append(&writer, &output, control, none);
    assert_int_equal(output.size, 1 + 1 + 1 + 4 + 2);
    assert_memory_equal(buffer_bytes(&output) + 3, ((uint8_t[]){104, 2, 97, 6, 82, 0}), 6);
    buffer_free(&output);
    atom_writer_free(&writer);
    atom_reader_free(&reader);
}

/* A list of the atoms `PREFIX 0` to `PREFIX count - 1`. */
static struct term build_list(struct term_builder *builder, const char *prefix, size_t count)
{
    struct term term;
    term_build_reset(builder);
    term_build_list(builder, count);
    for (size_t i = 0; i < count; i++) {
        char text[TERM_ATOM_BYTES + 1];
        snprintf(text, sizeof(text), "%s%zu", prefix, i);
        term_build_atom(builder, text);
    }
    term_build_nil(builder);
    assert_true(term_build_done(builder, &term));
    return term;
}

/* More atoms in a message than it can refer to. */
static void test_many(void **state)
{
    (void)state;
    const struct term control = {BYTES(104, 1, 97, 6)};
    for (size_t count = 240; count <= 1000; count += count < 300 ? 1 : 50) {
        struct atom_writer writer = {0};
        struct atom_reader reader = {0};
        struct term_builder builder = {0};
        struct term list = build_list(&builder, "atom", count);
        size_t fresh, referred = pass(&writer, &reader, control, list, &fresh);
        assert_int_equal(fresh, referred);
        assert_true(referred <= count && referred <= TERM_ATOMS_MOST);
        assert_true(referred > 200); /* all but the few that share a place with another */
        if (count >= 500)
            assert_int_equal(referred, TERM_ATOMS_MOST);
        assert_int_equal(pass(&writer, &reader, control, list, &fresh), referred);
        assert_int_equal(fresh, 0);
        term_build_free(&builder);
        atom_writer_free(&writer);
        atom_reader_free(&reader);
    }
}

/* More distinct atoms one after the other than there are places, of lengths from 1 to 255. */
static void test_sequence(void **state)
{
    (void)state;
    const struct term control = {BYTES(104, 1, ATOM_A)};
    struct atom_writer writer = {0};
    struct atom_reader reader = {0};
    struct term_builder builder = {0};
    char prefix[TERM_ATOM_BYTES + 1] = "";
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 3 * ATOM_CACHE_ENTRIES; i++) {
            size_t fresh, length = i % 250;
            memset(prefix, 'a' + (int)(i / 250), length);
            prefix[length] = '\0';
            (void)pass(&writer, &reader, control, build_list(&builder, prefix, 2), &fresh);
        }
    }
    term_build_free(&builder);
    atom_writer_free(&writer);
    atom_reader_free(&reader);
}

/* Two atoms with one place take turns; in one message one of them is written out. */
static void test_collision(void **state)
{
    (void)state;
    const struct term control = {BYTES(104, 1, 97, 6)};
    uint8_t both[2 + 20] = {104, 2, 119, 8, 'f', 'i', 'r', 's', 't', '0', '0', '0', 119, 8};
    const struct term pair = {both, sizeof(both)}, first = {both + 2, 10}, second = {both + 12, 10};
    struct atom_reader reader = {0};
    struct atom_writer writer = {0};
    size_t fresh, referred = 2;
    for (unsigned number = 0; referred == 2; number++) { /* a second one with the same place */
        char text[9];
        assert_true(number < 1000000);
        snprintf(text, sizeof(text), "se%06u", number % 1000000);
        memcpy(both + 14, text, 8);
        referred = pass(&writer, &reader, control, pair, &fresh);
    }
    for (int round = 0; round < 3; round++) {
        assert_int_equal(pass(&writer, &reader, control, pair, &fresh), 1);
        assert_int_equal(fresh, round > 0);
        assert_int_equal(pass(&writer, &reader, control, pair, &fresh), 1);
        assert_int_equal(fresh, 0);
        assert_int_equal(pass(&writer, &reader, control, first, &fresh), 1);
        assert_int_equal(fresh, 0);
        assert_int_equal(pass(&writer, &reader, control, second, &fresh), 1);
        assert_int_equal(fresh, 1);
        assert_int_equal(pass(&writer, &reader, control, second, &fresh), 1);
        assert_int_equal(fresh, 0);
    }
    atom_writer_free(&writer);
    atom_reader_free(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),      cmocka_unit_test(test_overwritten),
        cmocka_unit_test(test_restore),   cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_truncated), cmocka_unit_test(test_long_atoms),
        cmocka_unit_test(test_write),     cmocka_unit_test(test_many),
        cmocka_unit_test(test_sequence),  cmocka_unit_test(test_collision),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
