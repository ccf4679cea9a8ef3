#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "term/term_build.h"
#include "term/term_check.h"
#include "term/term_sort.h"

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})
#define ATOM_A 119, 1, 'a'
#define ATOM_B 119, 1, 'b'
#define MAP_AB 116, 0, 0, 0, 2, ATOM_A, 97, 1, ATOM_B, 97, 2
#define MAP_BA 116, 0, 0, 0, 2, ATOM_B, 97, 2, ATOM_A, 97, 1

static const struct term_limits limits = {.depth = SIZE_MAX, .count = 1000000};

/* The sorted form of exactly these bytes, appended to `output`; sorting it again changes nothing. */
static void sort(const uint8_t *data, size_t size, struct buffer *output)
{
    struct buffer again = {0};
    size_t used, before = output->size;
    bool canonical;
    uint8_t *copy = memory_copy(data, size);
    assert_int_equal(term_check(copy, size, &limits, &used, &canonical), TERM_OK);
    assert_int_equal(used, size);
    term_sort((struct term){copy, size}, output);
    free(copy);
    const uint8_t *sorted = buffer_bytes(output) + before;
    size = output->size - before;
    assert_int_equal(term_check(sorted, size, &limits, &used, &canonical), TERM_OK);
    assert_int_equal(used, size);
    term_sort((struct term){sorted, size}, &again);
    assert_int_equal(again.size, size);
    assert_memory_equal(buffer_bytes(&again), sorted, size);
    buffer_free(&again);
}

static void expect(const uint8_t *data, size_t size, const uint8_t *expected, size_t expected_size)
{
    struct buffer output = {0};
    buffer_append(&output, "before", 6);
    sort(data, size, &output);
    assert_int_equal(output.size, 6 + expected_size);
    assert_memory_equal(buffer_bytes(&output), "before", 6);
    assert_memory_equal(buffer_bytes(&output) + 6, expected, expected_size);
    buffer_free(&output);
}

#define ZERO 70, 0, 0, 0, 0, 0, 0, 0, 0
#define NEGATIVE_ZERO 70, 0x80, 0, 0, 0, 0, 0, 0, 0

static void test_zeros(void **state)
{
    (void)state;
    expect(BYTES(NEGATIVE_ZERO), BYTES(ZERO));
    expect(BYTES(104, 2, NEGATIVE_ZERO, ZERO), BYTES(104, 2, ZERO, ZERO));
    expect(BYTES(70, 0x80, 0, 0, 0, 0, 0, 0, 1), BYTES(70, 0x80, 0, 0, 0, 0, 0, 0, 1));
}

static void test_without_maps(void **state)
{
    (void)state;
    const struct {
        const uint8_t *data;
        size_t size;
    } rows[] = {
        {BYTES(97, 0)},
        {BYTES(98, 255, 255, 255, 255)},
        {BYTES(70, 63, 240, 0, 0, 0, 0, 0, 0)},
        {BYTES(110, 4, 1, 1, 2, 3, 255)},
        {BYTES(ATOM_A)},
        {BYTES(104, 0)},
        {BYTES(104, 2, 97, 2, ATOM_A)},
        {BYTES(106)},
        {BYTES(107, 0, 2, 5, 4)},
        {BYTES(108, 0, 0, 0, 2, 97, 2, ATOM_A, 106)},
        {BYTES(108, 0, 0, 0, 1, 98, 0, 0, 1, 0, 106)},
        {BYTES(108, 0, 0, 0, 1, 97, 2, 97, 1)},
        {BYTES(109, 0, 0, 0, 2, 'b', 'a')},
        {BYTES(77, 0, 0, 0, 1, 3, 224)},
        {BYTES(116, 0, 0, 0, 0)},
        {BYTES(88, ATOM_A, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3)},
        {BYTES(90, 0, 1, ATOM_A, 0, 0, 0, 9, 0, 0, 0, 1)},
        {BYTES(113, ATOM_A, ATOM_A, 97, 3)},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        expect(rows[i].data, rows[i].size, rows[i].data, rows[i].size);
}

static void test_maps(void **state)
{
    (void)state;
    expect(BYTES(MAP_AB), BYTES(MAP_AB));
    expect(BYTES(MAP_BA), BYTES(MAP_AB));
    expect(BYTES(104, 2, MAP_BA, MAP_AB), BYTES(104, 2, MAP_AB, MAP_AB));
    expect(BYTES(108, 0, 0, 0, 1, MAP_BA, 106), BYTES(108, 0, 0, 0, 1, MAP_AB, 106));
    expect(BYTES(108, 0, 0, 0, 1, 97, 1, MAP_BA), BYTES(108, 0, 0, 0, 1, 97, 1, MAP_AB));
    /* As value and as key of another; a key is sorted before its place is found. */
    expect(BYTES(116, 0, 0, 0, 1, ATOM_A, MAP_BA), BYTES(116, 0, 0, 0, 1, ATOM_A, MAP_AB));
    expect(BYTES(116, 0, 0, 0, 2, MAP_BA, 97, 1, ATOM_A, 97, 2),
           BYTES(116, 0, 0, 0, 2, MAP_AB, 97, 1, ATOM_A, 97, 2));
    expect(BYTES(116, 0, 0, 0, 2, ATOM_A, 97, 2, MAP_BA, 97, 1),
           BYTES(116, 0, 0, 0, 2, MAP_AB, 97, 1, ATOM_A, 97, 2));
    /* Of two keys one of which begins as the other, none is lost. */
    expect(BYTES(116, 0, 0, 0, 2, 107, 0, 2, 1, 2, 106, 107, 0, 1, 1, 106),
           BYTES(116, 0, 0, 0, 2, 107, 0, 1, 1, 106, 107, 0, 2, 1, 2, 106));
}

/* Equal terms that nodes of several kinds write in several ways; the first way is that of BEAM nodes. */
static void test_encodings(void **state)
{
    (void)state;
    expect(BYTES(98, 0, 0, 0, 7), BYTES(97, 7));
    expect(BYTES(110, 1, 0, 7), BYTES(97, 7));
    expect(BYTES(110, 4, 0, 0, 0, 0, 8), BYTES(98, 8, 0, 0, 0));
    expect(BYTES(110, 4, 1, 0, 0, 0, 128), BYTES(98, 128, 0, 0, 0));
    expect(BYTES(111, 0, 0, 0, 2, 0, 1, 1), BYTES(98, 0, 0, 1, 1));
    expect(BYTES(110, 10, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0), BYTES(110, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
    expect(BYTES(105, 0, 0, 0, 1, 97, 1), BYTES(104, 1, 97, 1));
    expect(BYTES(108, 0, 0, 0, 2, 97, 1, 97, 255, 106), BYTES(107, 0, 2, 1, 255));
    expect(BYTES(108, 0, 0, 0, 2, 97, 1, 98, 0, 0, 0, 2, 106), BYTES(107, 0, 2, 1, 2));
    expect(BYTES(116, 0, 0, 0, 1, 98, 0, 0, 0, 1, 98, 0, 0, 0, 2), BYTES(116, 0, 0, 0, 1, 97, 1, 97, 2));
}

/* A term that depends on nothing but the seed, its maps in an order that depends on `order`. */
static void build(struct term_builder *builder, struct random *random, struct random *order, int depth)
{
    size_t count = random_below(random, 5);
    switch (random_below(random, depth ? 6 : 2)) {
    case 0:
        term_build_integer(builder, (int64_t)random_below(random, 1000) - 500);
        return;
    case 1:
        term_build_binary(builder, "some bytes", count);
        return;
    case 2:
        term_build_tuple(builder, count);
        break;
    case 3:
        term_build_list(builder, count + 1);
        count += 2; /* the tail is any term */
        break;
    default: {
        struct term_builder pairs[5] = {0};
        term_build_map(builder, count);
        for (size_t i = 0; i < count; i++) {
            term_build_tuple(&pairs[i], i); /* each key another arity */
            for (size_t j = 0; j < i; j++)
                build(&pairs[i], random, order, depth - 1);
            build(&pairs[i], random, order, depth - 1);
        }
        for (size_t left = count; left; left--) {
            size_t chosen = random_below(order, left);
            buffer_append(&builder->bytes, buffer_bytes(&pairs[chosen].bytes), pairs[chosen].bytes.size);
            struct term_builder last = pairs[left - 1];
            pairs[left - 1] = pairs[chosen];
            pairs[chosen] = last;
        }
        for (size_t i = 0; i < count; i++)
            term_build_free(&pairs[i]);
        return;
    }
    }
    while (count--)
        build(builder, random, order, depth - 1);
}

static void test_any_order(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 500; seed++) {
        struct buffer sorted[2] = {{0}, {0}};
        for (uint64_t i = 0; i < 2; i++) {
            struct random random, order;
            struct term_builder builder = {0};
            random_seed(&random, seed);
            random_seed(&order, 1000 + i);
            build(&builder, &random, &order, 4);
            sort(buffer_bytes(&builder.bytes), builder.bytes.size, &sorted[i]);
            term_build_free(&builder);
        }
        assert_int_equal(sorted[0].size, sorted[1].size);
        assert_memory_equal(buffer_bytes(&sorted[0]), buffer_bytes(&sorted[1]), sorted[0].size);
        buffer_free(&sorted[0]);
        buffer_free(&sorted[1]);
    }
}

static void build_numbers(struct term_builder *builder, int first, int step)
{
    term_build_map(builder, 3000);
    for (int i = 0; i < 3000; i++) {
        term_build_integer(builder, first + i * step);
        term_build_integer(builder, first + i * step);
    }
}

static void test_large(void **state)
{
    (void)state;
    struct term_builder up = {0}, down = {0};
    struct buffer sorted[2] = {{0}, {0}};
    build_numbers(&up, 0, 1);
    build_numbers(&down, 2999, -1);
    sort(buffer_bytes(&up.bytes), up.bytes.size, &sorted[0]);
    sort(buffer_bytes(&down.bytes), down.bytes.size, &sorted[1]);
    assert_memory_equal(buffer_bytes(&sorted[0]), buffer_bytes(&sorted[1]), sorted[0].size);
    term_build_free(&up);
    term_build_free(&down);
    buffer_free(&sorted[0]);
    buffer_free(&sorted[1]);
}

/* As deep as a message may be. */
static void test_deep(void **state)
{
    (void)state;
    struct term_builder builder = {0};
    struct buffer output = {0};
    for (int i = 0; i < 2000; i++) {
        if (i % 2) {
            term_build_map(&builder, 1);
            term_build_atom(&builder, "a");
        } else {
            term_build_tuple(&builder, 1);
        }
    }
    term_build_nil(&builder);
    sort(buffer_bytes(&builder.bytes), builder.bytes.size, &output);
    assert_memory_equal(buffer_bytes(&output), buffer_bytes(&builder.bytes), output.size);
    term_build_free(&builder);
    buffer_free(&output);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zeros),     cmocka_unit_test(test_without_maps), cmocka_unit_test(test_maps),
        cmocka_unit_test(test_encodings), cmocka_unit_test(test_any_order),    cmocka_unit_test(test_large),
        cmocka_unit_test(test_deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
