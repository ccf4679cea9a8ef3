#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "term/term_build.h"
#include "term/term_check.h"
#include "term/term_text.h"

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})
#define ATOM(letter) 119, 1, letter
#define FUN                                                                                                  \
    112, 0, 0, 0, 55, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0, 0, 0, 7, 0, 0, 0, 0,      \
        ATOM('m'), 97, 7, 98, 0, 0, 1, 0, 88, ATOM('n'), 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3

static const struct {
    const char *text;
    const uint8_t *data;
    size_t size;
} rows[] = {
    {"255", BYTES(97, 255)},
    {"-1", BYTES(98, 255, 255, 255, 255)},
    {"-9223372036854775808", BYTES(110, 8, 1, 0, 0, 0, 0, 0, 0, 0, 128)},
    {"18446744073709551615", BYTES(110, 8, 0, 255, 255, 255, 255, 255, 255, 255, 255)},
    {"-18446744073709551615", BYTES(110, 9, 1, 255, 255, 255, 255, 255, 255, 255, 255, 0)},
    {"16#A00000000000000FF", BYTES(110, 10, 0, 255, 0, 0, 0, 0, 0, 0, 0, 10, 0)},
    {"1.5", BYTES(70, 63, 248, 0, 0, 0, 0, 0, 0)},
    {"1.0", BYTES(70, 63, 240, 0, 0, 0, 0, 0, 0)},
    {"-0.0", BYTES(70, 128, 0, 0, 0, 0, 0, 0, 0)},
    {"0.1", BYTES(70, 63, 185, 153, 153, 153, 153, 153, 154)},
    {"0.30000000000000004", BYTES(70, 63, 211, 51, 51, 51, 51, 51, 52)},
    {"1.0e+300", BYTES(70, 126, 55, 228, 60, 136, 0, 117, 156)},
    {"a", BYTES(ATOM('a'))},
    {"''", BYTES(119, 0)},
    {"'A'", BYTES(ATOM('A'))},
    {"'or'", BYTES(119, 2, 'o', 'r')},
    {"oR_2@x", BYTES(119, 6, 'o', 'R', '_', '2', '@', 'x')},
    {"'a.\\'\\n\\\\\\x{1}\"'", BYTES(119, 7, 'a', '.', '\'', '\n', '\\', 1, '"')},
    {"'\xc3\xa5'", BYTES(119, 2, 0xc3, 0xa5)},
    {"'\\x{80}'", BYTES(119, 2, 0xc2, 0x80)},
    {"{}", BYTES(104, 0)},
    {"{add,1}", BYTES(104, 2, 119, 3, 'a', 'd', 'd', 97, 1)},
    {"[]", BYTES(106)},
    {"[1,a]", BYTES(108, 0, 0, 0, 2, 97, 1, ATOM('a'), 106)},
    {"[1|a]", BYTES(108, 0, 0, 0, 1, 97, 1, ATOM('a'))},
    {"\"a\\\"\\\\\\t\xc3\xa5'\"", BYTES(107, 0, 6, 'a', '"', '\\', '\t', 0xe5, '\'')},
    {"[1,2,255]", BYTES(107, 0, 3, 1, 2, 255)},
    {"#{}", BYTES(116, 0, 0, 0, 0)},
    {"#{k => <<\"text\">>,1 => []}",
     BYTES(116, 0, 0, 0, 2, ATOM('k'), 109, 0, 0, 0, 4, 't', 'e', 'x', 't', 97, 1, 106)},
    {"<<>>", BYTES(109, 0, 0, 0, 0)},
    {"<<\"\xc3\xa5\\n\"/utf8>>", BYTES(109, 0, 0, 0, 3, 0xc3, 0xa5, '\n')},
    {"<<229,10>>", BYTES(109, 0, 0, 0, 2, 0xe5, '\n')},
    {"<<1,7:3>>", BYTES(77, 0, 0, 0, 2, 3, 1, 224)},
    {"<<1:1>>", BYTES(77, 0, 0, 0, 1, 1, 128)},
    {"<<\"x\">>", BYTES(77, 0, 0, 0, 1, 8, 'x')},
    {"<a@b.8.1>", BYTES(88, 119, 3, 'a', '@', 'b', 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 3)},
    {"<n\\n.8.1>", BYTES(88, 119, 2, 'n', '\n', 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 3)},
    {"#Port<n.4294967296>", BYTES(120, ATOM('n'), 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1)},
    {"#Port<n.5>", BYTES(89, ATOM('n'), 0, 0, 0, 5, 0, 0, 0, 0)},
    {"#Ref<n.3.2.1>", BYTES(90, 0, 3, ATOM('n'), 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3)},
    {"#Ref<n.2.1>", BYTES(114, 0, 2, ATOM('n'), 3, 0, 0, 0, 1, 0, 0, 0, 2)},
    {"#Ref<n.7>", BYTES(101, ATOM('n'), 0, 0, 0, 7, 3)},
    {"fun m:f/2", BYTES(113, ATOM('m'), ATOM('f'), 97, 2)},
    {"#Fun<m.7.256>", BYTES(FUN)},
};

static void test_rows(void **state)
{
    (void)state;
    const struct term_limits limits = {.depth = 100, .count = 1000};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char text[200];
        size_t used;
        bool canonical;
        assert_int_equal(term_check(rows[i].data, rows[i].size, &limits, &used, &canonical), TERM_OK);
        assert_true(canonical);
        struct term term = {rows[i].data, rows[i].size};
        assert_string_equal(term_text(term, text, sizeof(text)), rows[i].text);
        /* Into every size of memory: what fits, then dots. */
        size_t length = strlen(rows[i].text);
        for (size_t size = 1; size <= length; size++) {
            char *cut = malloc(size);
            assert_non_null(cut);
            size_t kept = strlen(term_text(term, cut, size));
            assert_true(kept < size);
            size_t dots = kept < 3 ? kept : 3;
            assert_memory_equal(cut + kept - dots, "...", dots);
            assert_memory_equal(cut, rows[i].text, kept - dots);
            free(cut);
        }
    }
}

static void test_cut_character(void **state)
{
    (void)state;
    char text[8];
    const uint8_t atom[] = {119, 8, 0xc3, 0xa5, 0xc3, 0xa5, 0xc3, 0xa5, 0xc3, 0xa5};
    term_text((struct term){atom, sizeof(atom)}, text, sizeof(text));
    assert_string_equal(text, "'\xc3\xa5...");
    assert_string_equal(term_text((struct term){NULL, 0}, text, sizeof(text)), "");
    text[0] = 'x';
    assert_ptr_equal(term_text((struct term){atom, sizeof(atom)}, text, 0), text);
    assert_int_equal(text[0], 'x');
}

static void test_shortened(void **state)
{
    (void)state;
    struct term_builder builder = {0};
    struct term term;
    char text[4000];
    term_build_list(&builder, 101);
    for (int i = 0; i < 101; i++)
        term_build_atom(&builder, "x");
    term_build_nil(&builder);
    assert_true(term_build_done(&builder, &term));
    term_text(term, text, sizeof(text));
    assert_int_equal(strlen(text), 1 + 200 + 4);
    assert_string_equal(text + 197, "x,x,...]");
    term_build_reset(&builder);
    uint8_t zeros[200] = {0};
    term_build_binary(&builder, zeros, sizeof(zeros));
    assert_true(term_build_done(&builder, &term));
    term_text(term, text, sizeof(text));
    assert_string_equal(text + strlen(text) - 9, "0,0,...>>");
    term_build_reset(&builder);
    for (int i = 0; i < 1100; i++)
        term_build_tuple(&builder, 1);
    term_build_nil(&builder);
    assert_true(term_build_done(&builder, &term));
    term_text(term, text, sizeof(text));
    assert_int_equal(strlen(text), 2 * 1001 + 3);
    assert_non_null(strstr(text, "{...}"));
    term_build_free(&builder);
}

static void expect_exception(size_t pairs, void (*build)(struct term_builder *builder), const char *expected)
{
    struct term_builder builder = {0};
    char text[300];
    term_build_map(&builder, 2 + pairs);
    term_build_key(&builder, "__struct__");
    term_build_atom(&builder, "Elixir.My.Error");
    term_build_key(&builder, "__exception__");
    term_build_boolean(&builder, true);
    build(&builder);
    assert_string_equal(term_text(term_built(&builder), text, sizeof(text)), expected);
    term_build_free(&builder);
}

static void build_message(struct term_builder *builder)
{
    term_build_key(builder, "message");
    term_build_text(builder, "no\nway");
}

static void build_bytes(struct term_builder *builder)
{
    term_build_key(builder, "message");
    term_build_binary(builder, "\xff", 1);
}

static void build_fields(struct term_builder *builder)
{
    term_build_key(builder, "message");
    term_build_atom(builder, "nil");
    term_build_key(builder, "term");
    term_build_integer(builder, 7);
}

/* As Elixir prints them. */
static void test_exceptions(void **state)
{
    (void)state;
    expect_exception(1, build_message, "** (My.Error) no\\nway");
    expect_exception(1, build_bytes, "** (My.Error) <<255>>");
    expect_exception(2, build_fields, "** (My.Error) term: 7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_cut_character),
        cmocka_unit_test(test_exceptions),
        cmocka_unit_test(test_shortened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
