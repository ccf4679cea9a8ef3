#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "measure/errors.h"
#include "term/term_check.h"
#include "term/term_read.h"

#define TERM(...)                                                                                            \
    (struct term)                                                                                            \
    {                                                                                                        \
        (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})                               \
    }
#define ATOM_A 119, 1, 'a'
#define ATOM_B 119, 1, 'b'
#define OTHER 119, 5, 'o', 't', 'h', 'e', 'r'

/* The map of counts, which a node takes; to be freed with the builder. */
static struct term build(const struct errors *errors, struct term_builder *builder)
{
    const struct term_limits limits = {.depth = 100, .count = 100000};
    struct term map;
    size_t used;
    bool canonical;
    errors_build(errors, builder);
    assert_true(term_build_done(builder, &map));
    assert_int_equal(term_check(map.data, map.size, &limits, &used, &canonical), TERM_OK);
    assert_int_equal(used, map.size);
    assert_int_equal(term_type(map), TERM_MAP);
    return map;
}

/* The count of a reason, -1 when it has none. */
static int64_t count_of(struct term map, struct term reason)
{
    struct term_pairs pairs;
    struct term key, value;
    int64_t count = -1;
    assert_true(term_pairs_start(&pairs, map));
    while (term_pairs_next(&pairs, &key, &value)) {
        if (!term_same(key, reason))
            continue;
        assert_int_equal(count, -1); /* each key once */
        assert_true(term_read_integer(value, &count));
    }
    return count;
}

static size_t pair_count(struct term map)
{
    struct term_pairs pairs;
    assert_true(term_pairs_start(&pairs, map));
    return pairs.count;
}

static void count_number(struct errors *errors, int64_t number)
{
    struct term_builder builder = {0};
    struct term term;
    term_build_integer(&builder, number);
    assert_true(term_build_done(&builder, &term));
    errors_count(errors, TERM_LONG(term));
    term_build_free(&builder);
}

static void test_counts(void **state)
{
    (void)state;
    struct errors errors = {0};
    struct term_builder builder = {0};
    assert_int_equal(pair_count(build(&errors, &builder)), 0);
    term_build_reset(&builder);
    for (int i = 0; i < 3; i++)
        errors_count(&errors, TERM_LONG(TERM(ATOM_A)));
    errors_count(&errors, TERM_LONG(TERM(104, 2, ATOM_A, ATOM_B)));
    struct term map = build(&errors, &builder);
    assert_int_equal(pair_count(map), 2);
    assert_int_equal(count_of(map, TERM(ATOM_A)), 3);
    assert_int_equal(count_of(map, TERM(104, 2, ATOM_A, ATOM_B)), 1);
    assert_int_equal(errors.total, 4);
    term_build_free(&builder);
    errors_free(&errors);
}

static void test_many_reasons(void **state)
{
    (void)state;
    struct errors errors = {0};
    struct term_builder builder = {0};
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < ERRORS_REASONS + 10; i++)
            count_number(&errors, i);
    struct term map = build(&errors, &builder);
    assert_int_equal(pair_count(map), ERRORS_REASONS + 1);
    assert_int_equal(count_of(map, TERM(OTHER)), 20);
    assert_int_equal(count_of(map, TERM(97, 0)), 2);
    assert_int_equal(count_of(map, TERM(97, ERRORS_REASONS - 1)), 2);
    assert_int_equal(count_of(map, TERM(97, ERRORS_REASONS)), -1);
    assert_int_equal(errors.total, 2 * (ERRORS_REASONS + 10));
    term_build_free(&builder);
    errors_free(&errors);
}

/* Exactly as many as are listed: there is no rest. */
static void test_no_others(void **state)
{
    (void)state;
    struct errors errors = {0};
    struct term_builder builder = {0};
    for (int i = 0; i < ERRORS_REASONS; i++)
        count_number(&errors, i);
    struct term map = build(&errors, &builder);
    assert_int_equal(pair_count(map), ERRORS_REASONS);
    assert_int_equal(count_of(map, TERM(OTHER)), -1);
    term_build_free(&builder);
    errors_free(&errors);
}

/* `other` is somebody's reason, too. */
static void test_reason_other(void **state)
{
    (void)state;
    for (int others = 0; others <= 5; others += 5) {
        struct errors errors = {0};
        struct term_builder builder = {0};
        errors_count(&errors, TERM_LONG(TERM(OTHER)));
        errors_count(&errors, TERM_LONG(TERM(OTHER)));
        for (int i = 1; i < ERRORS_REASONS + others; i++)
            count_number(&errors, i);
        struct term map = build(&errors, &builder);
        assert_int_equal(pair_count(map), ERRORS_REASONS);
        assert_int_equal(count_of(map, TERM(OTHER)), 2 + others);
        term_build_free(&builder);
        errors_free(&errors);
    }
    /* One that comes when there is no room any more. */
    struct errors errors = {0};
    struct term_builder builder = {0};
    for (int i = 0; i < ERRORS_REASONS; i++)
        count_number(&errors, i);
    errors_count(&errors, TERM_LONG(TERM(OTHER)));
    struct term map = build(&errors, &builder);
    assert_int_equal(pair_count(map), ERRORS_REASONS + 1);
    assert_int_equal(count_of(map, TERM(OTHER)), 1);
    term_build_free(&builder);
    errors_free(&errors);
}

/* In the place of a reason too large to be a key stands its class. */
static void test_large_reasons(void **state)
{
    (void)state;
    struct errors errors = {0};
    struct term_builder builder = {0};
    for (int i = 0; i < 2; i++) {
        struct term_builder large = {0};
        struct term term;
        size_t size = ERRORS_REASON_BYTES - 5 + (size_t)i;
        uint8_t *data = memory_zalloc(1, size);
        term_build_binary(&large, data, size);
        assert_true(term_build_done(&large, &term));
        errors_count(&errors, TERM_LONG(term));
        term_build_free(&large);
        free(data);
    }
    struct term map = build(&errors, &builder);
    assert_int_equal(pair_count(map), 2);
    assert_int_equal(count_of(map, TERM(119, 1, '_')), 1);
    assert_int_equal(errors.total, 2);
    term_build_free(&builder);
    errors_free(&errors);
}

static void test_order_of_maps(void **state)
{
    (void)state;
    struct errors errors = {0};
    struct term_builder builder = {0};
    errors_count(&errors, TERM_LONG(TERM(104, 1, 116, 0, 0, 0, 2, ATOM_A, 97, 1, ATOM_B, 97, 2)));
    errors_count(&errors, TERM_LONG(TERM(104, 1, 116, 0, 0, 0, 2, ATOM_B, 97, 2, ATOM_A, 97, 1)));
    errors_count(&errors, TERM_LONG(TERM(104, 1, 116, 0, 0, 0, 2, ATOM_B, 97, 1, ATOM_A, 97, 2)));
    struct term map = build(&errors, &builder);
    assert_int_equal(pair_count(map), 2);
    assert_int_equal(count_of(map, TERM(104, 1, 116, 0, 0, 0, 2, ATOM_A, 97, 1, ATOM_B, 97, 2)), 2);
    term_build_free(&builder);
    errors_free(&errors);
}

/* Reasons that are equal and that nodes of several kinds write in several ways: 2^27 of a C node and of a
 * BEAM node, a list of small integers, a tuple. Twice as keys of one map they would cost the reader its
 * connection. */
static void test_encodings_of_equal_reasons(void **state)
{
    (void)state;
    struct errors errors = {0};
    struct term_builder builder = {0};
    errors_count(&errors, TERM_LONG(TERM(98, 8, 0, 0, 0)));
    errors_count(&errors, TERM_LONG(TERM(110, 4, 0, 0, 0, 0, 8)));
    assert_int_equal(pair_count(build(&errors, &builder)), 1);
    term_build_reset(&builder);
    errors_count(&errors, TERM_LONG(TERM(107, 0, 2, 1, 2)));
    errors_count(&errors, TERM_LONG(TERM(108, 0, 0, 0, 2, 97, 1, 97, 2, 106)));
    assert_int_equal(pair_count(build(&errors, &builder)), 2);
    term_build_reset(&builder);
    errors_count(&errors, TERM_LONG(TERM(104, 1, ATOM_A)));
    errors_count(&errors, TERM_LONG(TERM(105, 0, 0, 0, 1, ATOM_A)));
    assert_int_equal(pair_count(build(&errors, &builder)), 3);
    term_build_free(&builder);
    errors_free(&errors);
}

/* Counts kept elsewhere, such as those of one interval, are told with the same reasons. */
static void test_other_counts(void **state)
{
    (void)state;
    struct errors errors = {0};
    struct term_builder builder = {0};
    uint64_t counts[ERRORS_REASONS + 1] = {0};
    assert_int_equal(errors_count(&errors, TERM_LONG(TERM(ATOM_A))), 0);
    assert_int_equal(errors_count(&errors, TERM_LONG(TERM(OTHER))), 1);
    assert_int_equal(errors_count(&errors, TERM_LONG(TERM(ATOM_B))), 2);
    assert_int_equal(errors_count(&errors, TERM_LONG(TERM(ATOM_A))), 0);
    for (int i = 3; i < ERRORS_REASONS; i++)
        assert_int_equal(errors_count(&errors, TERM_LONG(TERM(97, (uint8_t)i))), i);
    assert_int_equal(errors_count(&errors, TERM_LONG(TERM(97, ERRORS_REASONS))), ERRORS_OTHER);
    errors_build_counts(&errors, counts, &builder);
    assert_int_equal(pair_count(term_built(&builder)), 0);
    term_build_reset(&builder);
    counts[2] = 1ULL << 40;
    counts[ERRORS_OTHER] = 7;
    errors_build_counts(&errors, counts, &builder);
    assert_int_equal(pair_count(term_built(&builder)), 2);
    assert_int_equal(count_of(term_built(&builder), TERM(ATOM_B)), 1LL << 40);
    assert_int_equal(count_of(term_built(&builder), TERM(OTHER)), 7);
    term_build_reset(&builder);
    counts[1] = 3; /* the reason `other` is told with the others */
    counts[2] = 0;
    errors_build_counts(&errors, counts, &builder);
    assert_int_equal(pair_count(term_built(&builder)), 1);
    assert_int_equal(count_of(term_built(&builder), TERM(OTHER)), 10);
    term_build_free(&builder);
    errors_free(&errors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_many_reasons),
        cmocka_unit_test(test_no_others),
        cmocka_unit_test(test_reason_other),
        cmocka_unit_test(test_large_reasons),
        cmocka_unit_test(test_order_of_maps),
        cmocka_unit_test(test_encodings_of_equal_reasons),
        cmocka_unit_test(test_other_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
