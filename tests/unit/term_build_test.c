#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "term/term_build.h"
#include "term/term_check.h"
#include "term/term_read.h"

#define EXPECT(builder, ...)                                                                                 \
    expect(builder, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* What was built is these bytes, which a node would take; then the builder starts again. */
static void expect(struct term_builder *builder, const uint8_t *data, size_t size)
{
    struct term term;
    size_t used;
    bool canonical;
    const struct term_limits limits = {.depth = 100, .count = 100000};
    assert_true(term_build_done(builder, &term));
    assert_int_equal(term.size, size);
    assert_memory_equal(term.data, data, size);
    assert_int_equal(term_check(term.data, term.size, &limits, &used, &canonical), TERM_OK);
    assert_int_equal(used, size);
    assert_true(canonical);
    term_build_reset(builder);
}

static void expect_failure(struct term_builder *builder)
{
    struct term term;
    assert_false(term_build_done(builder, &term));
    term_build_integer(builder, 1); /* does not mend it */
    assert_false(term_build_done(builder, &term));
    term_build_reset(builder);
}

static void test_integers(void **state)
{
    (void)state;
    struct term_builder builder = {0};
    static const int64_t values[] = {0,         1,         255,       256,       -1,        INT32_MAX,
                                     INT32_MIN, 1LL << 27, 1LL << 31, INT64_MAX, INT64_MIN, -(1LL << 40)};
    for (size_t i = 0; i < ARRAY_LENGTH(values); i++) {
        struct term term;
        int64_t value;
        term_build_integer(&builder, values[i]);
        assert_true(term_build_done(&builder, &term));
        assert_true(term_read_integer(term, &value));
        assert_true(value == values[i]);
        term_build_reset(&builder);
    }
    /* As nodes write them. */
    term_build_integer(&builder, 255);
    EXPECT(&builder, 97, 255);
    term_build_integer(&builder, 1LL << 27);
    EXPECT(&builder, 98, 8, 0, 0, 0);
    term_build_integer(&builder, INT32_MIN);
    EXPECT(&builder, 98, 128, 0, 0, 0);
    term_build_integer(&builder, 1LL << 33);
    EXPECT(&builder, 110, 5, 0, 0, 0, 0, 0, 2);
    term_build_integer(&builder, (int64_t)INT32_MIN - 1);
    EXPECT(&builder, 110, 4, 1, 1, 0, 0, 128);
    term_build_unsigned(&builder, UINT64_MAX);
    EXPECT(&builder, 110, 8, 0, 255, 255, 255, 255, 255, 255, 255, 255);
    term_build_unsigned(&builder, 7);
    EXPECT(&builder, 97, 7);
    term_build_free(&builder);
}

static void test_floats(void **state)
{
    (void)state;
    struct term_builder builder = {0};
    term_build_float(&builder, 1.5);
    EXPECT(&builder, 70, 63, 248, 0, 0, 0, 0, 0, 0);
    term_build_float(&builder, NAN);
    expect_failure(&builder);
    term_build_float(&builder, -INFINITY);
    expect_failure(&builder);
    term_build_free(&builder);
}

static void test_atoms(void **state)
{
    (void)state;
    struct term_builder builder = {0};
    struct term term;
    char text[TERM_ATOM_BYTES + 5], read[TERM_ATOM_BYTES + 1];
    term_build_atom(&builder, "");
    EXPECT(&builder, 119, 0);
    term_build_atom(&builder, "\xc3\xa5");
    EXPECT(&builder, 119, 2, 0xc3, 0xa5);
    term_build_boolean(&builder, true);
    EXPECT(&builder, 119, 4, 't', 'r', 'u', 'e');
    static const char *const bad[] = {"\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe5"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        term_build_atom(&builder, bad[i]);
        expect_failure(&builder);
    }
    memset(text, 'x', 256);
    text[256] = '\0';
    term_build_atom(&builder, text);
    expect_failure(&builder);
    for (size_t i = 0; i < TERM_ATOM_BYTES + 4; i += 4)
        memcpy(text + i, "\xf0\x9f\x98\x80", 4);
    text[TERM_ATOM_BYTES + 4] = '\0';
    term_build_atom(&builder, text);
    expect_failure(&builder);
    text[TERM_ATOM_BYTES] = '\0';
    term_build_atom(&builder, text);
    assert_true(term_build_done(&builder, &term));
    assert_true(term_read_atom(term, read));
    assert_string_equal(read, text);
    term_build_free(&builder);
}

static void test_containers(void **state)
{
    (void)state;
    struct term_builder builder = {0};
    term_build_tuple(&builder, 2);
    term_build_nil(&builder);
    term_build_list(&builder, 0);
    EXPECT(&builder, 104, 2, 106, 106);
    term_build_list(&builder, 1);
    term_build_integer(&builder, 5);
    term_build_nil(&builder);
    EXPECT(&builder, 108, 0, 0, 0, 1, 97, 5, 106);
    term_build_map(&builder, 1);
    term_build_key(&builder, "a");
    term_build_text(&builder, "b");
    EXPECT(&builder, 116, 0, 0, 0, 1, 119, 1, 'a', 109, 0, 0, 0, 1, 'b');
    term_build_binary(&builder, NULL, 0);
    EXPECT(&builder, 109, 0, 0, 0, 0);
    struct term term;
    term_build_tuple(&builder, 300);
    assert_true(term_build_done(&builder, &term));
    assert_int_equal(term.size, 5);
    assert_memory_equal(term.data, "\x69\0\0\1\x2c", 5);
    term_build_reset(&builder);
    term_build_tuple(&builder, SIZE_MAX);
    expect_failure(&builder);
    const uint8_t pair[] = {104, 1, 97, 1};
    term_build_tuple(&builder, 1);
    term_build_term(&builder, (struct term){pair, sizeof(pair)});
    EXPECT(&builder, 104, 1, 104, 1, 97, 1);
    term_build_free(&builder);
}

static void test_identifiers(void **state)
{
    (void)state;
    struct term_builder builder = {0};
    struct term_pid pid = {.node = "a@b", .id = 0xfffffffe, .serial = 2, .creation = 3}, read;
    struct term term;
    term_build_pid(&builder, &pid);
    EXPECT(&builder, 88, 119, 3, 'a', '@', 'b', 255, 255, 255, 254, 0, 0, 0, 2, 0, 0, 0, 3);
    term_build_pid(&builder, &pid);
    assert_true(term_build_done(&builder, &term));
    assert_true(term_read_pid(term, &read));
    assert_string_equal(read.node, pid.node);
    assert_int_equal(read.id, pid.id);
    term_build_reset(&builder);
    for (size_t i = 0; i < TERM_ATOM_BYTES; i += 4)
        memcpy(pid.node + i, "\xf0\x9f\x98\x80", 4);
    term_build_pid(&builder, &pid);
    assert_true(term_build_done(&builder, &term));
    assert_int_equal(term.size, 1 + 3 + TERM_ATOM_BYTES + 12);
    term_build_reset(&builder);
    strcpy(pid.node, "\xff");
    term_build_pid(&builder, &pid);
    expect_failure(&builder);
    const uint32_t words[6] = {1, 2, 3, 4, 5, 6};
    term_build_reference(&builder, "a", 9, words, 3);
    EXPECT(&builder, 90, 0, 3, 119, 1, 'a', 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3);
    term_build_reference(&builder, "a", 1, words, 5);
    EXPECT(&builder, 90, 0, 5, 119, 1, 'a', 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0,
           0, 5);
    term_build_reference(&builder, "a", 1, words, 6);
    expect_failure(&builder);
    term_build_reference(&builder, "a", 1, words, 2);
    expect_failure(&builder);
    term_build_free(&builder);
}

static void test_limit(void **state)
{
    (void)state;
    struct term_builder builder = {.limit = 10};
    struct term term;
    assert_false(term_build_done(&builder, &term));
    term_build_binary(&builder, "12345", 5);
    assert_true(term_build_done(&builder, &term));
    term_build_reset(&builder);
    term_build_binary(&builder, "123456", 6);
    expect_failure(&builder);
    for (int i = 0; i < 6; i++)
        term_build_integer(&builder, i);
    expect_failure(&builder);
    term_build_atom(&builder, "12345678");
    assert_true(term_build_done(&builder, &term));
    term_build_reset(&builder);
    term_build_atom(&builder, "123456789");
    expect_failure(&builder);
    term_build_free(&builder);
}

/* Many values: the memory moves, the bytes stay. */
static void test_growth(void **state)
{
    (void)state;
    struct term_builder builder = {0};
    struct term term, element;
    struct term_list list;
    int64_t number, expected = 0;
    term_build_list(&builder, 100000);
    for (int i = 0; i < 100000; i++)
        term_build_integer(&builder, i);
    term_build_nil(&builder);
    assert_true(term_build_done(&builder, &term));
    assert_true(term_list_start(&list, term));
    while (term_list_next(&list, &element)) {
        assert_true(term_read_integer(element, &number));
        assert_int_equal(number, expected++);
    }
    assert_int_equal(expected, 100000);
    assert_true(term_list_proper(&list));
    term_build_free(&builder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),   cmocka_unit_test(test_floats),      cmocka_unit_test(test_atoms),
        cmocka_unit_test(test_containers), cmocka_unit_test(test_identifiers), cmocka_unit_test(test_limit),
        cmocka_unit_test(test_growth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
