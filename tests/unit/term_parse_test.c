#include "term/term_parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "term/term_check.h"
#include "term/term_read.h"
#include "term/term_text.h"

static void expect(const char *text, const char *wanted)
{
    struct term_builder builder = {0};
    struct term_parse_problem problem;
    char shown[1000];
    if (!term_parse(text, strlen(text), &builder, &problem))
        fail_msg("%s: line %zu: %s", text, problem.line, problem.text);
    term_text(term_built(&builder), shown, sizeof(shown));
    if (strcmp(shown, wanted) != 0)
        fail_msg("%s: %s", text, shown);
    term_build_free(&builder);
}

static void test_literals(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"ok.", "ok"},
        {"'Hello World'.", "'Hello World'"},
        {"'tlsv1.2'.", "'tlsv1.2'"},
        {"'it\\'s'.", "'it\\'s'"},
        {"42.", "42"},
        {"-42 .", "-42"},
        {"16#fF.", "255"},
        {"-2#101.", "-5"},
        {"1_000.", "1000"},
        {"1.5.", "1.5"},
        {"-1.5e-3.", "-0.0015"},
        {"$a.", "97"},
        {"$\\n.", "10"},
        {"$ .", "32"},
        {"[].", "[]"},
        {"\"\".", "[]"},
        {"[a|[b,c|[d]]].", "[a,b,c,d]"},
        {"[{a,1}|[{b,2}]].", "[{a,1},{b,2}]"},
        {"[a|\"bc\"].", "[a,98,99]"},
        {"[a|b].", "[a|b]"},
        {"\"text\".", "\"text\""},
        {"\"two \" \"parts\".", "\"two parts\""},
        {"\"a\\x41\\x{42}\\103\\\\\".", "\"aABC\\\\\""},
        {"<<>>.", "<<>>"},
        {"<<\"text\">>.", "<<\"text\">>"},
        {"<<\"te\"/utf8, \"xt\", 33>>.", "<<\"text!\">>"},
        {"{}.", "{}"},
        {"{a, {b}, [c,d|e]}.", "{a,{b},[c,d|e]}"},
        {"#{a => 1, \"b\" => [#{}]}.", "#{a => 1,\"b\" => [#{}]}"},
        {"% a comment\n[{server, % and another.\n [{certfile, \"/a.pem\"}]}].\n% end",
         "[{server,[{certfile,\"/a.pem\"}]}]"},
        {"ok.%", "ok"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect(rows[i][0], rows[i][1]);
}

static void test_evaluated(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"fun(_, _) -> ok end.", "fun(_,_)->ok end"},
        {"fun F(1) -> case 1 of _ -> ok end; F(_) -> begin 2 end end.",
         "fun F(1)->case 1 of _->ok end;F(_)->begin 2 end end"},
        {"fun m : f / 3.", "fun m:f/3"},
        {"m:f(https).", "m:f(https)"},
        {"Name.", "Name"},
        {"\"a\" ++ \"b\".", "\"a\"++\"b\""},
        {"{a} == 1.", "{a}==1"},
        {"1 + 2.", "1+2"},
        {"#record{a = 1}.", "#record{a=1}"},
        {"filename:join([\"/etc\", \"x, y\"]).", "filename:join([\"/etc\",\"x, y\"])"},
        {"(1).", "(1)"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char whole[400];
        struct term_builder builder = {0};
        struct term_parse_problem problem;
        struct term elements[3];
        const uint8_t *source;
        size_t size;
        snprintf(whole, sizeof(whole), "{a, %.*s, [b]}.", (int)strlen(rows[i][0]) - 1, rows[i][0]);
        for (int k = 0; k < 2; k++) {
            const char *text = k ? whole : rows[i][0];
            term_build_reset(&builder);
            if (!term_parse(text, strlen(text), &builder, &problem))
                fail_msg("%s: line %zu: %s", text, problem.line, problem.text);
            elements[1] = term_built(&builder);
            if (k)
                assert_true(term_read_tuple_of(term_built(&builder), 3, elements));
            assert_true(term_parse_is_evaluated(elements[1], &source, &size));
            if (size != strlen(rows[i][1]) || memcmp(source, rows[i][1], size) != 0)
                fail_msg("%s: %.*s", text, (int)size, (const char *)source);
        }
        assert_true(term_is_atom(elements[0], "a"));
        assert_false(term_parse_is_evaluated(elements[0], &source, &size));
        term_build_free(&builder);
    }
}

static void test_problems(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t line;
        const char *problem;
    } rows[] = {
        {"", 1, "ends where a term"},
        {"ok", 1, "a full stop"},
        {"ok. ok.", 1, "more behind"},
        {"{a,\nb", 2, "}"},
        {"[a\n\n", 3, "]"},
        {"\n\"open", 2, "a term"},
        {"{a b}.", 1, ""},
        {"[a | ].", 1, "a term"},
        {"#{a}.", 1, "=>"},
        {"#{a => 1, b => 2, a => 3}.", 1, "a key twice"},
        {"'a\\0b'.", 1, "NUL"},
        {"99999999999999999999.", 1, "no number"},
        {"37#a.", 1, "no number"},
        {"2#2.", 1, "no number"},
        {"<<a>>.", 1, "a byte"},
        {"fun(X) -> X.", 1, "end of an expression"},
        {"{,}.", 1, "a term"},
        {"\"\\x{110000}\".", 1, "escape"},
        {"}.", 1, "a term"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct term_builder builder = {0};
        struct term_parse_problem problem;
        if (term_parse(rows[i].text, strlen(rows[i].text), &builder, &problem)) {
            const uint8_t *source;
            size_t size;
            assert_string_equal(rows[i].problem, "");
            struct term elements[1];
            assert_true(term_read_tuple_of(term_built(&builder), 1, elements));
            assert_true(term_parse_is_evaluated(elements[0], &source, &size));
        } else if (problem.line != rows[i].line || !strstr(problem.text, rows[i].problem)) {
            fail_msg("%s: line %zu: %s", rows[i].text, problem.line, problem.text);
        }
        term_build_free(&builder);
    }
}

/* Latin-1, unless the file says otherwise. */
static void test_encoding(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t first;
    } rows[] = {
        {"\"\xc3\xa4\".", 0xc3},
        {"%% coding: utf-8\n\"\xc3\xa4\".", 0xe4},
        {"% -*- coding: UTF-8 -*-\n\"\xe2\x82\xac\".", 0x20ac},
        {"\n%% coding: utf-8\n\"\xc3\xa4\".", 0xe4},
        {"\n\n%% coding: utf-8\n\"\xc3\xa4\".", 0xc3},
        {"%% coding: latin-1\n\"\xc3\xa4\".", 0xc3},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct term_builder builder = {0};
        struct term_parse_problem problem;
        struct term_list list;
        struct term element;
        int64_t character;
        assert_true(term_parse(rows[i].text, strlen(rows[i].text), &builder, &problem));
        assert_true(term_list_start(&list, term_built(&builder)));
        assert_true(term_list_next(&list, &element));
        assert_true(term_read_integer(element, &character));
        assert_int_equal(character, rows[i].first);
        term_build_free(&builder);
    }
}

static void test_depth(void **state)
{
    (void)state;
    for (size_t depth = TERM_PARSE_DEPTH - 1; depth < TERM_PARSE_DEPTH + 2; depth++) {
        char text[3 * TERM_PARSE_DEPTH + 10] = "";
        struct term_builder builder = {0};
        struct term_parse_problem problem;
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        strcpy(text + 2 * depth, ".");
        assert_int_equal(term_parse(text, strlen(text), &builder, &problem), depth <= TERM_PARSE_DEPTH);
        term_build_free(&builder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literals), cmocka_unit_test(test_evaluated), cmocka_unit_test(test_problems),
        cmocka_unit_test(test_encoding), cmocka_unit_test(test_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
