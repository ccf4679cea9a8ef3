#include "term/term_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "term/term_build.h"
#include "term/term_check.h"

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})
#define ATOM(letter) 119, 1, letter
#define TEXT(letter) 109, 0, 0, 0, 1, letter
#define FUN                                                                                                  \
    112, 0, 0, 0, 55, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0, 0, 0, 7, 0, 0, 0, 0,      \
        ATOM('m'), 97, 7, 98, 0, 0, 1, 0, 88, ATOM('n'), 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3

static const struct {
    const char *json;
    const uint8_t *data;
    size_t size;
} rows[] = {
    {"255", BYTES(97, 255)},
    {"-1", BYTES(98, 255, 255, 255, 255)},
    {"9223372036854775807", BYTES(110, 8, 0, 255, 255, 255, 255, 255, 255, 255, 127)},
    {"-9223372036854775808", BYTES(110, 8, 1, 0, 0, 0, 0, 0, 0, 0, 128)},
    {"18446744073709551615", BYTES(110, 8, 0, 255, 255, 255, 255, 255, 255, 255, 255)},
    {"-18446744073709551616", BYTES(110, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1)},
    {"1000000000000000000000000000", /* nines and zeros that a word begins with */
     BYTES(110, 12, 0, 0, 0, 0, 0xe8, 0x3c, 0x80, 0xd0, 0x9f, 0x3c, 0x2e, 0x3b, 0x03)},
    {"0", BYTES(110, 1, 1, 0)},
    {"1.5", BYTES(70, 63, 248, 0, 0, 0, 0, 0, 0)},
    {"1.0", BYTES(70, 63, 240, 0, 0, 0, 0, 0, 0)},
    {"-0.0", BYTES(70, 128, 0, 0, 0, 0, 0, 0, 0)},
    {"0.30000000000000004", BYTES(70, 63, 211, 51, 51, 51, 51, 51, 52)},
    {"1.0e+300", BYTES(70, 126, 55, 228, 60, 136, 0, 117, 156)},
    {"4.94065645841247e-324", BYTES(70, 0, 0, 0, 0, 0, 0, 0, 1)},
    {"1.7976931348623157e+308", BYTES(70, 127, 239, 255, 255, 255, 255, 255, 255)},
    {"true", BYTES(119, 4, 't', 'r', 'u', 'e')},
    {"false", BYTES(119, 5, 'f', 'a', 'l', 's', 'e')},
    {"null", BYTES(119, 3, 'n', 'i', 'l')},
    {"null", BYTES(119, 4, 'n', 'u', 'l', 'l')},
    {"\"undefined\"", BYTES(119, 9, 'u', 'n', 'd', 'e', 'f', 'i', 'n', 'e', 'd')},
    {"\"\"", BYTES(119, 0)},
    {"\"A b\"", BYTES(119, 3, 'A', ' ', 'b')},
    {"\"\xc3\xa5\"", BYTES(119, 2, 0xc3, 0xa5)},
    {"\"a\\\"\\\\\\u0000\\u001f\x7f/\"", BYTES(109, 0, 0, 0, 7, 'a', '"', '\\', 0, 31, 127, '/')},
    {"\"\"", BYTES(109, 0, 0, 0, 0)},
    {"\"\xf0\x9f\x98\x80\"", BYTES(109, 0, 0, 0, 4, 0xf0, 0x9f, 0x98, 0x80)},
    {"\"<<229,10>>\"", BYTES(109, 0, 0, 0, 2, 0xe5, '\n')},
    {"\"<<1,7:3>>\"", BYTES(77, 0, 0, 0, 2, 3, 1, 224)},
    {"[]", BYTES(106)},
    {"[104,105]", BYTES(107, 0, 2, 'h', 'i')},
    {"[1,\"a\"]", BYTES(108, 0, 0, 0, 2, 97, 1, ATOM('a'), 106)},
    {"[1,{\"|\":\"a\"}]", BYTES(108, 0, 0, 0, 1, 97, 1, ATOM('a'))},
    {"[[1,{\"|\":[2]}],3]", BYTES(108, 0, 0, 0, 2, 108, 0, 0, 0, 1, 97, 1, 104, 1, 97, 2, 97, 3, 106)},
    {"[[\"a\",1]]", BYTES(108, 0, 0, 0, 1, 104, 2, ATOM('a'), 97, 1, 106)},
    {"[]", BYTES(104, 0)},
    {"[\"ok\",[]]", BYTES(104, 2, 119, 2, 'o', 'k', 106)},
    {"{}", BYTES(116, 0, 0, 0, 0)},
    {"{\"k\":\"v\",\"l\":{\"m\":1}}",
     BYTES(116, 0, 0, 0, 2, ATOM('k'), TEXT('v'), ATOM('l'), 116, 0, 0, 0, 1, ATOM('m'), 97, 1)},
    {"{\"1\":1,\"nil\":2,\"{\\\"x\\\",a}\":3,\"1.5\":4}",
     BYTES(116, 0, 0, 0, 4, 97, 1, 97, 1, 119, 3, 'n', 'i', 'l', 97, 2, 104, 2, 107, 0, 1, 'x', ATOM('a'), 97,
           3, 70, 63, 248, 0, 0, 0, 0, 0, 0, 97, 4)},
    /* Keys that have the same text: the first stays as it is. */
    {"{\"a\":1,\"<<\\\"a\\\">>\":2}", BYTES(116, 0, 0, 0, 2, ATOM('a'), 97, 1, TEXT('a'), 97, 2)},
    {"{\"a\":1,\"a (2)\":2}", BYTES(116, 0, 0, 0, 2, TEXT('a'), 97, 1, ATOM('a'), 97, 2)},
    {"{\"1\":1,\"x\":0,\"<<\\\"1\\\">>\":{\"1\":5},\"'1'\":3}",
     BYTES(116, 0, 0, 0, 4, 97, 1, 97, 1, ATOM('x'), 97, 0, TEXT('1'), 116, 0, 0, 0, 1, ATOM('1'), 97, 5,
           ATOM('1'), 97, 3)},
    /* Those of a map inside are none of its. */
    {"{\"a\":{\"b\":1},\"b\":2}",
     BYTES(116, 0, 0, 0, 2, ATOM('a'), 116, 0, 0, 0, 1, ATOM('b'), 97, 1, TEXT('b'), 97, 2)},
    {"{\"<n.1.0>\":1,\"<n.1.0> (2)\":2,\"<n.1.0> (3)\":3}", /* of three lives of the node */
     BYTES(116, 0, 0, 0, 3, 88, ATOM('n'), 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 4, 97, 1, 88, ATOM('n'), 0, 0, 0,
           1, 0, 0, 0, 0, 0, 0, 0, 5, 97, 2, 88, ATOM('n'), 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 6, 97, 3)},
    {"\"<a@b.8.1>\"", BYTES(88, 119, 3, 'a', '@', 'b', 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 3)},
    {"\"#Port<n.5>\"", BYTES(89, ATOM('n'), 0, 0, 0, 5, 0, 0, 0, 0)},
    {"\"#Ref<n.3.2.1>\"", BYTES(90, 0, 3, ATOM('n'), 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3)},
    {"\"fun m:f/2\"", BYTES(113, ATOM('m'), ATOM('f'), 97, 2)},
    {"\"#Fun<m.7.256>\"", BYTES(FUN)},
};

static struct buffer json;

static void expect(const char *expected)
{
    buffer_append(&json, "", 1);
    assert_string_equal((char *)buffer_bytes(&json), expected);
    buffer_truncate(&json, 0);
}

static void expect_inside(const char *expected)
{
    assert_non_null(memmem(buffer_bytes(&json), json.size, expected, strlen(expected)));
}

static int free_json(void **state)
{
    (void)state;
    buffer_free(&json);
    return 0;
}

static void test_rows(void **state)
{
    (void)state;
    const struct term_limits limits = {.depth = 100, .count = 1000};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        size_t used;
        bool canonical;
        struct term term = {rows[i].data, rows[i].size};
        assert_int_equal(term_check(term.data, term.size, &limits, &used, &canonical), TERM_OK);
        assert_true(canonical && used == term.size);
        term_json_write(term, &json);
        expect(rows[i].json);
        /* In the smallest pieces. */
        struct term_json *writer = term_json_new(term);
        while (term_json_next(writer, 1, &json))
            continue;
        term_json_free(writer);
        expect(rows[i].json);
    }
}

/* An integer of `size` bytes, all ones. */
static struct term build_ones(struct term_builder *builder, size_t size)
{
    uint8_t bytes[300];
    memset(bytes, 255, sizeof(bytes));
    bytes[0] = TERM_TAG_SMALL_BIG;
    bytes[1] = (uint8_t)size;
    bytes[2] = 0;
    term_build_reset(builder);
    term_build_term(builder, (struct term){bytes, size + 3});
    return term_built(builder);
}

static void test_large_integers(void **state)
{
    (void)state;
    struct term_builder builder = {0};
    term_json_write(build_ones(&builder, 127), &json);
    /* 2^1016 - 1 */
    expect("7022238808055921514567598401519627865695222573993385049743362545223932648652381372371424"
           "8954065443758250044484324763030335464753443131493161268527593544579835065583369088080186"
           "0555545317367555154113605281582053784524026102900245630757473088050106395169337932361665"
           "227499793929447186391815763110662594625535");
    term_json_write(build_ones(&builder, 128), &json);
    assert_memory_equal(buffer_bytes(&json), "\"16#FFFF", 8);
    assert_int_equal(json.size, 2 + 3 + 256);
    buffer_truncate(&json, 0);
    term_build_free(&builder);
}

/* What is inside too many others is text, as many as an improper list has are not. */
static void test_depth(void **state)
{
    (void)state;
    struct term_builder builder = {0};
    for (int i = 0; i < 3000; i++)
        term_build_tuple(&builder, 1);
    term_build_nil(&builder);
    assert_int_equal(term_json_write(term_built(&builder), &json), 1);
    size_t depth = 0;
    for (size_t i = 0; i < json.size; i++)
        depth += buffer_bytes(&json)[i] == '[';
    assert_int_equal(depth, TERM_JSON_DEPTH);
    expect_inside("[\"{{");
    buffer_truncate(&json, 0);

    term_build_reset(&builder);
    for (int i = 0; i < TERM_JSON_DEPTH; i++) {
        term_build_list(&builder, 1);
        if (i < TERM_JSON_DEPTH - 1)
            continue;
        term_build_atom(&builder, "a");
        term_build_tuple(&builder, 1);
        term_build_atom(&builder, "b");
    }
    for (int i = 0; i < TERM_JSON_DEPTH - 1; i++)
        term_build_nil(&builder);
    assert_int_equal(term_json_write(term_built(&builder), &json), 1);
    expect_inside("[\"a\",{\"|\":\"{b}\"}]]");
    buffer_truncate(&json, 0);
    term_build_free(&builder);
}

/* An object says that some of it is too deep, when it is: each value that is counts. */
static void test_warning(void **state)
{
    (void)state;
    struct term_builder builder = {0};
    for (int i = 0; i < TERM_JSON_DEPTH - 1; i++)
        term_build_tuple(&builder, 1);
    term_build_tuple(&builder, 2);
    for (int i = 0; i < 2; i++) {
        term_build_tuple(&builder, 1);
        term_build_atom(&builder, "a");
    }
    struct term_json *writer = term_json_new(term_built(&builder));
    while (term_json_next(writer, 1, &json))
        continue;
    assert_int_equal(term_json_too_deep(writer), 2);
    term_json_free(writer);
    expect_inside("[[\"{a}\",\"{a}\"]]");
    buffer_truncate(&json, 0);
    term_build_free(&builder);

    term_json_warn(0, &json);
    assert_int_equal(json.size, 0);
    term_json_warn(2, &json);
    buffer_append(&json, "", 1);
    assert_string_equal(
        (const char *)buffer_bytes(&json),
        ",\"warning\":\"values deeper than 200 levels, 2 of them, are shown as text, which ends "
        "in ... where it is too long; in the term they are whole\"");
    buffer_truncate(&json, 0);
}

/* A map may have as many keys as it likes, some of them alike, in time that does not grow with their square.
 */
static void test_large_map(void **state)
{
    (void)state;
    enum { COUNT = 200000 };
    struct term_builder builder = {0};
    char text[32];
    term_build_map(&builder, 2 * COUNT);
    for (int i = 0; i < COUNT; i++) {
        snprintf(text, sizeof(text), "key %d", i);
        term_build_text(&builder, text);
        term_build_integer(&builder, i);
        term_build_atom(&builder, text);
        term_build_atom(&builder, "nil");
    }
    term_json_write(term_built(&builder), &json);
    const char start[] = "{\"key 0\":0,\"'key 0'\":null,\"key 1\":1,";
    const char end[] = "\"key 199999\":199999,\"'key 199999'\":null}";
    assert_memory_equal(buffer_bytes(&json), start, strlen(start));
    assert_memory_equal(buffer_bytes(&json) + json.size - strlen(end), end, strlen(end));
    buffer_truncate(&json, 0);
    term_build_free(&builder);
}

/* Pieces are about as long as was asked for, and together the whole. A writer may be given up at any time. */
static void test_pieces(void **state)
{
    (void)state;
    enum { COUNT = 10000, PIECE = 1000 };
    struct term_builder builder = {0};
    struct buffer piece = {0};
    term_build_list(&builder, COUNT);
    for (int i = 0; i < COUNT; i++) {
        term_build_map(&builder, 2);
        term_build_key(&builder, "number");
        term_build_integer(&builder, i);
        term_build_text(&builder, "number");
        term_build_float(&builder, i);
    }
    term_build_nil(&builder);
    term_json_write(term_built(&builder), &json);
    struct term_json *writer = term_json_new(term_built(&builder));
    size_t at = 0;
    bool more = true;
    while (more) {
        more = term_json_next(writer, PIECE, &piece);
        assert_true(piece.size <= PIECE + 100 && (!more || piece.size >= PIECE));
        assert_true(at + piece.size <= json.size);
        assert_memory_equal(buffer_bytes(&piece), buffer_bytes(&json) + at, piece.size);
        at += piece.size;
        buffer_truncate(&piece, 0);
    }
    assert_int_equal(at, json.size);
    assert_false(term_json_next(writer, PIECE, &piece));
    assert_int_equal(piece.size, 0);
    term_json_free(writer);
    writer = term_json_new(term_built(&builder));
    assert_true(term_json_next(writer, 60, &piece)); /* inside a map that has two keys alike */
    term_json_free(writer);
    buffer_truncate(&json, 0);
    buffer_free(&piece);
    term_build_free(&builder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),    cmocka_unit_test(test_large_integers), cmocka_unit_test(test_depth),
        cmocka_unit_test(test_warning), cmocka_unit_test(test_large_map),      cmocka_unit_test(test_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, free_json);
}
