#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "term/term_check.h"
#include "term/term_read.h"

/* A term that was checked. */
#define TERM(...) checked((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
#define ATOM_A 119, 1, 'a'
#define ATOM_B 119, 1, 'b'

static struct term checked(const uint8_t *data, size_t size)
{
    size_t used;
    bool canonical;
    const struct term_limits limits = {.depth = 100, .count = 100000};
    assert_int_equal(term_check(data, size, &limits, &used, &canonical), TERM_OK);
    assert_int_equal(used, size);
    assert_true(canonical);
    return (struct term){data, size};
}

static void test_type(void **state)
{
    (void)state;
    assert_int_equal(term_type(TERM(97, 1)), TERM_INTEGER);
    assert_int_equal(term_type(TERM(110, 1, 0, 1)), TERM_INTEGER);
    assert_int_equal(term_type(TERM(70, 0, 0, 0, 0, 0, 0, 0, 0)), TERM_FLOAT);
    assert_int_equal(term_type(TERM(ATOM_A)), TERM_ATOM);
    assert_int_equal(term_type(TERM(104, 0)), TERM_TUPLE);
    assert_int_equal(term_type(TERM(106)), TERM_LIST);
    assert_int_equal(term_type(TERM(107, 0, 1, 1)), TERM_LIST);
    assert_int_equal(term_type(TERM(116, 0, 0, 0, 0)), TERM_MAP);
    assert_int_equal(term_type(TERM(109, 0, 0, 0, 0)), TERM_BINARY);
    assert_int_equal(term_type(TERM(77, 0, 0, 0, 1, 8, 1)), TERM_BINARY);
    assert_int_equal(term_type(TERM(77, 0, 0, 0, 0, 0)), TERM_BINARY);
    assert_int_equal(term_type(TERM(77, 0, 0, 0, 1, 1, 128)), TERM_BITSTRING);
    assert_int_equal(term_type(TERM(113, ATOM_A, ATOM_B, 97, 1)), TERM_FUN);
    assert_int_equal(term_type(TERM(90, 0, 1, ATOM_A, 0, 0, 0, 1, 0, 0, 0, 1)), TERM_REFERENCE);
    assert_int_equal(term_type(TERM(120, ATOM_A, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1)), TERM_PORT);
    assert_string_equal(term_type_text(TERM_REFERENCE), "reference");
}

static void test_atom(void **state)
{
    (void)state;
    char text[TERM_ATOM_BYTES + 1];
    bool value;
    assert_true(term_is_atom(TERM(ATOM_A), "a"));
    assert_false(term_is_atom(TERM(ATOM_A), "ab"));
    assert_false(term_is_atom(TERM(ATOM_A), ""));
    assert_false(term_is_atom(TERM(97, 1), "a"));
    assert_false(term_is_atom((struct term){NULL, 0}, "a"));
    assert_true(term_read_atom(TERM(119, 2, 0xc3, 0xa5), text));
    assert_string_equal(text, "\xc3\xa5");
    assert_true(term_read_atom(TERM(119, 0), text));
    assert_string_equal(text, "");
    assert_false(term_read_atom(TERM(106), text));
    /* A NUL inside would cut it short. */
    assert_false(term_read_atom(TERM(119, 3, 'a', 0, 'b'), text));
    assert_false(term_is_atom(TERM(119, 3, 'a', 0, 'b'), "a"));
    assert_true(term_read_boolean(TERM(119, 4, 't', 'r', 'u', 'e'), &value));
    assert_true(value);
    assert_true(term_read_boolean(TERM(119, 5, 'f', 'a', 'l', 's', 'e'), &value));
    assert_false(value);
    assert_false(term_read_boolean(TERM(ATOM_A), &value));
}

static void test_long_atom(void **state)
{
    (void)state;
    uint8_t data[3 + TERM_ATOM_BYTES] = {118, TERM_ATOM_BYTES >> 8, TERM_ATOM_BYTES & 255};
    char text[TERM_ATOM_BYTES + 1];
    for (size_t i = 3; i < sizeof(data); i += 4)
        memcpy(data + i, "\xf0\x9f\x98\x80", 4);
    assert_true(term_read_atom(checked(data, sizeof(data)), text));
    assert_int_equal(strlen(text), TERM_ATOM_BYTES);
    assert_memory_equal(text, data + 3, TERM_ATOM_BYTES);
}

static void test_integer(void **state)
{
    (void)state;
    static const struct {
        uint8_t data[12];
        size_t size;
        bool fits;
        int64_t value;
    } rows[] = {
        {{97, 255}, 2, true, 255},
        {{98, 255, 255, 255, 255}, 5, true, -1},
        {{98, 128, 0, 0, 0}, 5, true, INT32_MIN},
        {{98, 127, 255, 255, 255}, 5, true, INT32_MAX},
        {{110, 0, 0}, 3, true, 0},
        {{110, 1, 1, 5}, 4, true, -5},
        {{110, 8, 0, 255, 255, 255, 255, 255, 255, 255, 127}, 11, true, INT64_MAX},
        {{110, 8, 1, 0, 0, 0, 0, 0, 0, 0, 128}, 11, true, INT64_MIN},
        {{110, 8, 0, 0, 0, 0, 0, 0, 0, 0, 128}, 11, false, 0},
        {{110, 8, 1, 1, 0, 0, 0, 0, 0, 0, 128}, 11, false, 0},
        {{110, 9, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}, 12, true, 1},
        {{110, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 12, false, 0},
        {{111, 0, 0, 0, 2, 1, 0, 1}, 8, true, -256},
        {{106}, 1, false, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        int64_t value = 4711;
        assert_int_equal(term_read_integer(checked(rows[i].data, rows[i].size), &value), rows[i].fits);
        assert_true(value == (rows[i].fits ? rows[i].value : 4711));
    }
}

static void test_number(void **state)
{
    (void)state;
    double value;
    assert_true(term_read_number(TERM(70, 63, 248, 0, 0, 0, 0, 0, 0), &value));
    assert_true(value == 1.5);
    assert_true(term_read_number(TERM(99, '1', '.', '5', 'e', '1', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                      0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
                                 &value));
    assert_true(value == 15);
    assert_true(term_read_number(TERM(98, 255, 255, 255, 254), &value));
    assert_true(value == -2);
    assert_true(term_read_number(TERM(110, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1), &value));
    assert_true(value == -18446744073709551616.0);
    uint8_t huge[3 + 200] = {110, 200, 0};
    memset(huge + 3, 255, 200);
    assert_false(term_read_number(checked(huge, sizeof(huge)), &value));
    assert_false(term_read_number(TERM(ATOM_A), &value));
}

static void test_pid(void **state)
{
    (void)state;
    struct term_pid pid;
    struct term node;
    assert_true(
        term_read_pid(TERM(88, 119, 3, 'a', '@', 'b', 255, 255, 255, 254, 128, 0, 0, 1, 0, 0, 1, 0), &pid));
    assert_string_equal(pid.node, "a@b");
    assert_int_equal(pid.id, 0xfffffffe);
    assert_int_equal(pid.serial, 0x80000001);
    assert_int_equal(pid.creation, 256);
    assert_true(term_read_pid(TERM(103, ATOM_A, 0, 0, 0, 1, 0, 0, 0, 2, 3), &pid));
    assert_int_equal(pid.creation, 3);
    assert_false(term_read_pid(TERM(88, 119, 1, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3), &pid));
    struct term reference = TERM(90, 0, 1, ATOM_B, 0, 0, 0, 1, 0, 0, 0, 1);
    assert_false(term_read_pid(reference, &pid));
    assert_true(term_read_node(reference, &node));
    assert_true(term_is_atom(node, "b"));
    assert_true(term_read_node(TERM(102, ATOM_A, 0, 0, 0, 1, 1), &node));
    assert_true(term_is_atom(node, "a"));
    assert_false(term_read_node(TERM(ATOM_A), &node));
}

static void test_binary(void **state)
{
    (void)state;
    const uint8_t *data;
    size_t size;
    assert_true(term_read_binary(TERM(109, 0, 0, 0, 2, 1, 2), &data, &size));
    assert_int_equal(size, 2);
    assert_memory_equal(data, "\1\2", 2);
    assert_true(term_read_binary(TERM(77, 0, 0, 0, 1, 8, 7), &data, &size));
    assert_int_equal(size, 1);
    assert_int_equal(*data, 7);
    assert_false(term_read_binary(TERM(77, 0, 0, 0, 1, 7, 2), &data, &size));
    assert_false(term_read_binary(TERM(107, 0, 1, 7), &data, &size));
}

static void test_tuple(void **state)
{
    (void)state;
    struct term elements[3];
    size_t arity = 0;
    struct term term = TERM(104, 3, 108, 0, 0, 0, 1, 104, 1, 97, 5, 106, ATOM_A, 97, 9);
    assert_true(term_read_tuple(term, 3, elements, &arity));
    assert_int_equal(arity, 3);
    assert_int_equal(elements[0].size, 10);
    assert_true(term_is_atom(elements[1], "a"));
    assert_int_equal(elements[2].size, 2);
    arity = 0;
    assert_false(term_read_tuple(term, 2, elements, &arity));
    assert_int_equal(arity, 3);
    assert_false(term_read_tuple_of(term, 2, elements));
    assert_true(term_read_tuple_of(TERM(105, 0, 0, 0, 1, 97, 1), 1, elements));
    assert_true(term_read_tuple(TERM(104, 0), 0, elements, &arity));
    assert_int_equal(arity, 0);
    arity = 4711;
    assert_false(term_read_tuple(TERM(ATOM_A), 3, elements, &arity));
    assert_int_equal(arity, 4711);
}

static void expect_head(struct term term, size_t size, size_t values)
{
    struct term_head head = term_read_head(term.data);
    assert_int_equal(head.size, size);
    assert_int_equal(head.values, values);
}

static void test_head(void **state)
{
    (void)state;
    expect_head(TERM(97, 1), 2, 0);
    expect_head(TERM(ATOM_A), 3, 0);
    expect_head(TERM(106), 1, 0);
    expect_head(TERM(107, 0, 2, 1, 2), 5, 0);
    expect_head(TERM(104, 0), 2, 0);
    expect_head(TERM(104, 2, ATOM_A, 97, 1), 2, 2);
    expect_head(TERM(105, 0, 0, 0, 1, ATOM_A), 5, 1);
    expect_head(TERM(108, 0, 0, 0, 2, ATOM_A, ATOM_B, 106), 5, 3);
    expect_head(TERM(116, 0, 0, 0, 1, ATOM_A, 104, 0), 5, 2);
    expect_head(TERM(113, ATOM_A, ATOM_B, 97, 1), 9, 0);
    expect_head(TERM(90, 0, 1, ATOM_A, 0, 0, 0, 1, 0, 0, 0, 1), 14, 0);
}

/* The elements as small integers. */
static size_t list_values(struct term term, int64_t *values, bool *proper)
{
    struct term_list list;
    struct term element;
    size_t count = 0;
    assert_true(term_list_start(&list, term));
    while (term_list_next(&list, &element))
        assert_true(term_read_integer(element, &values[count++]));
    assert_false(term_list_next(&list, &element));
    assert_int_equal(list.count, count);
    *proper = term_list_proper(&list);
    return count;
}

static void test_list(void **state)
{
    (void)state;
    int64_t values[4];
    bool proper;
    struct term_list list;
    assert_int_equal(list_values(TERM(106), values, &proper), 0);
    assert_true(proper);
    assert_int_equal(list_values(TERM(107, 0, 3, 7, 8, 255), values, &proper), 3);
    assert_true(proper);
    assert_int_equal(values[0], 7);
    assert_int_equal(values[2], 255);
    assert_int_equal(list_values(TERM(108, 0, 0, 0, 2, 97, 1, 98, 0, 0, 1, 0, 106), values, &proper), 2);
    assert_true(proper);
    assert_int_equal(values[1], 256);
    assert_int_equal(list_values(TERM(108, 0, 0, 0, 1, 97, 1, 97, 2), values, &proper), 1);
    assert_false(proper);
    assert_false(term_list_start(&list, TERM(104, 0)));
    assert_false(term_list_start(&list, (struct term){NULL, 0}));
    assert_true(term_is_nil(TERM(106)));
    assert_false(term_is_nil(TERM(107, 0, 1, 1)));
}

static void expect_pairs(struct term term)
{
    struct term_pairs pairs;
    struct term key, value;
    int64_t number;
    assert_true(term_pairs_start(&pairs, term));
    assert_int_equal(pairs.count, 2);
    assert_true(term_pairs_next(&pairs, &key, &value));
    assert_true(term_is_atom(key, "a"));
    assert_true(term_read_integer(value, &number));
    assert_int_equal(number, 1);
    assert_true(term_pairs_next(&pairs, &key, &value));
    assert_true(term_is_atom(key, "b"));
    assert_true(term_is_nil(value));
    assert_false(term_pairs_next(&pairs, &key, &value));
    assert_true(term_pairs_get(term, "b", &value));
    assert_true(term_is_nil(value));
    assert_false(term_pairs_get(term, "c", &value));
}

static void test_pairs(void **state)
{
    (void)state;
    struct term_pairs pairs;
    struct term key, value;
    expect_pairs(TERM(116, 0, 0, 0, 2, ATOM_A, 97, 1, ATOM_B, 106));
    expect_pairs(TERM(108, 0, 0, 0, 2, 104, 2, ATOM_A, 97, 1, 104, 2, ATOM_B, 106, 106));
    assert_true(term_pairs_start(&pairs, TERM(106)));
    assert_int_equal(pairs.count, 0);
    assert_false(term_pairs_next(&pairs, &key, &value));
    assert_true(term_pairs_start(&pairs, TERM(116, 0, 0, 0, 1, 97, 1, 97, 2)));
    /* No pairs, no atom as key, an improper list, other things. */
    assert_false(term_pairs_start(&pairs, TERM(107, 0, 1, 1)));
    assert_false(term_pairs_start(&pairs, TERM(108, 0, 0, 0, 1, ATOM_A, 106)));
    assert_false(term_pairs_start(&pairs, TERM(108, 0, 0, 0, 1, 104, 2, 97, 1, 97, 1, 106)));
    assert_false(term_pairs_start(&pairs, TERM(108, 0, 0, 0, 1, 104, 2, ATOM_A, 97, 1, ATOM_A)));
    assert_false(term_pairs_start(&pairs, TERM(ATOM_A)));
    assert_false(term_pairs_get(TERM(97, 1), "a", &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_type),    cmocka_unit_test(test_atom),   cmocka_unit_test(test_long_atom),
        cmocka_unit_test(test_integer), cmocka_unit_test(test_number), cmocka_unit_test(test_pid),
        cmocka_unit_test(test_binary),  cmocka_unit_test(test_tuple),  cmocka_unit_test(test_head),
        cmocka_unit_test(test_list),    cmocka_unit_test(test_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
