#include "report/warnings.h"
#include "term_from_text.h"

static void test_none(void **state)
{
    (void)state;
    struct warnings warnings = {.count = 0};
    struct term_builder built = {0}, expected = {0};
    warnings_build(&warnings, &built);
    assert_true(term_same(term_built(&built), term_from_text(&expected, "[]")));
    term_build_free(&built);
    term_build_free(&expected);
}

static void test_some(void **state)
{
    (void)state;
    struct warnings warnings = {.count = 0};
    struct term_builder built = {0}, expected = {0};
    struct term_builder *added = warnings_add(&warnings, WARNING_NOT_MEASURED, 1, "nothing for %s", "a");
    term_build_key(added, "expectation");
    term_build_atom(added, "a");
    (void)warnings_add(&warnings, WARNING_NOTHING_SUCCEEDED, 0, "none of %d", 3);
    warnings_build(&warnings, &built);
    term_from_text(&expected,
                   "[#{warning => not_measured, message => <<\"nothing for a\">>, expectation => a}, "
                   "#{warning => nothing_succeeded, message => <<\"none of 3\">>}]");
    assert_true(term_same(term_built(&built), term_built(&expected)));
    warnings_free(&warnings);
    term_build_free(&built);
    term_build_free(&expected);
}

/* Each kind has a name and a sentence. */
static void test_kinds(void **state)
{
    (void)state;
    for (enum warning_kind kind = 0; kind < WARNING_KINDS; kind++) {
        assert_non_null(warning_help(kind)->name);
        assert_non_null(warning_help(kind)->text);
        assert_ptr_equal(help_row(&warnings_table, kind), warning_help(kind));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_some),
        cmocka_unit_test(test_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
