#include "term/help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "term/term_check.h"
#include "term/term_constant.h"
#include "term/term_text.h"

static const struct {
    struct term term;
    const char *text;
} constants[] = {
    {TERM_CONSTANT_ATOM("kill"), "kill"},
    {TERM_CONSTANT_ATOM("__sync__"), "'__sync__'"},
    {TERM_CONSTANT_INTEGER(0), "0"},
    {TERM_CONSTANT_INTEGER(100000), "100000"},
    {TERM_CONSTANT_INTEGER(INT32_MAX), "2147483647"},
    {TERM_CONSTANT_FLOAT(0.05), "0.05"},
    {TERM_CONSTANT_EMPTY_LIST, "[]"},
    {TERM_CONSTANT_EMPTY_MAP, "#{}"},
};

static void test_constants(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(constants); i++) {
        static const struct term_limits limits = {.depth = 10, .count = 10};
        struct term term = constants[i].term;
        char text[100];
        size_t used;
        bool canonical;
        assert_int_equal(term_check(term.data, term.size, &limits, &used, &canonical), TERM_OK);
        assert_int_equal(used, term.size);
        assert_true(canonical);
        assert_string_equal(term_text(term, text, sizeof(text)), constants[i].text);
    }
}

static const struct {
    int number;
    struct help help;
    const char *value;
} rows[] = {
    {1, {.name = "a", .type = "atom()", .text = "A."}, "atom()"},
    {2, {.name = "b", .type = "atom()", .is_required = true, .text = "B."}, "atom(); required"},
    {3,
     {.name = "c", .type = "pos_integer()", .unit = "ms", .fallback = TERM_CONSTANT_INTEGER(5), .text = "C."},
     "pos_integer(), ms; default 5"},
    {4,
     {.name = "d",
      .type = "atom()",
      .fallback = TERM_CONSTANT_ATOM("all"),
      .fallback_text = "none with a load",
      .text = "D."},
     "atom(); default all; none with a load"},
    {5, {.name = "{e, N}", .fallback_text = "drawn", .text = "E."}, "default drawn"},
};

static const struct help_table table = HELP_TABLE("letters", "Letters", rows);

static void test_table(void **state)
{
    (void)state;
    assert_int_equal(table.count, 5);
    for (size_t i = 0; i < table.count; i++) {
        struct buffer output = {0};
        assert_ptr_equal(help_row(&table, i), &rows[i].help);
        help_value(help_row(&table, i), false, &output);
        buffer_append(&output, "", 1);
        assert_string_equal((const char *)buffer_bytes(&output), rows[i].value);
        buffer_free(&output);
    }
}

static const struct help last = {.name = "f",
                                 .type = "all | {last, N}",
                                 .fallback = TERM_CONSTANT_ATOM("all"),
                                 .fallback_text = "`{last, 9}` with a load",
                                 .text = "F."};

static void test_elixir(void **state)
{
    (void)state;
    struct buffer output = {0};
    help_value(&last, true, &output);
    buffer_append(&output, "", 1);
    assert_string_equal((const char *)buffer_bytes(&output),
                        ":all | {:last, n}; default :all; {:last, 9} with a load");
    buffer_free(&output);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_constants), cmocka_unit_test(test_table),
                                       cmocka_unit_test(test_elixir)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
