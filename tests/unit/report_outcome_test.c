#include "report/outcome.h"
#include "report/report_view.h"
#include "term_from_text.h"

/* The words are what programs depend on. */
static void test_words_and_exit_statuses(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int exit_status;
    } rows[OUTCOME_COUNT] = {
        [OUTCOME_NONE] = {"nil", 1},
        [OUTCOME_COMPLETED] = {"completed", 0},
        [OUTCOME_MISSED] = {"missed", 1},
        [OUTCOME_FAILED] = {"failed", 1},
        [OUTCOME_CANCELLED] = {"cancelled", 1},
        [OUTCOME_INTERRUPTED] = {"interrupted", 1},
        [OUTCOME_NOT_RUN] = {"not_run", 2},
    };
    for (enum outcome i = 0; i < OUTCOME_COUNT; i++) {
        struct term_builder builder = {0};
        assert_string_equal(outcome_name(i), rows[i].name);
        assert_int_equal(outcome_exit_status(i), rows[i].exit_status);
        assert_true(strlen(outcome_text(i)) > 0 && strlen(outcome_help(i)) > 0);
        assert_int_equal(outcome_read(term_from_text(&builder, rows[i].name)), i);
        term_build_free(&builder);
    }
    assert_int_equal(outcome_read(TERM_ATOM("good")), OUTCOME_NONE);
    assert_int_equal(outcome_read(TERM_EMPTY_MAP), OUTCOME_NONE);
}

#define ALL_FAILED "warnings => [#{warning => nothing_succeeded}]"

/* What the result alone tells. */
static void test_outcomes_of_results(void **state)
{
    (void)state;
    static const struct {
        const char *result;
        enum outcome outcome;
        const char *text;
    } rows[] = {
        {"{ok, #{warnings => []}}", OUTCOME_COMPLETED, "completed"},
        {"{ok, #{warnings => [#{warning => events_dropped}]}}", OUTCOME_COMPLETED, "completed"},
        {"{ok, #{" ALL_FAILED "}}", OUTCOME_FAILED,
         "failed: no operation has succeeded, and no max_error_rate of 1.0 allows that"},
        {"{error, {load_failed, nothing_succeeded}}", OUTCOME_FAILED, "failed"},
        {"{error, {cleanup_failed, {cleanup_failed, x}, #{" ALL_FAILED "}}}", OUTCOME_FAILED, "failed"},
        {"{ok, #{dry_run => true, chaos => [#{problem => nil}]}}", OUTCOME_COMPLETED, "a dry run"},
        {"{ok, #{dry_run => true, chaos => [#{problem => nil}, #{problem => noproc}]}}", OUTCOME_NOT_RUN,
         "a dry run with a problem"},
        {"{error, {performance_failed, #{}}}", OUTCOME_MISSED, "an expectation was missed"},
        {"{error, {cleanup_failed, {cleanup_failed, x}, {performance_failed, #{}}}}", OUTCOME_MISSED,
         "an expectation was missed"},
        {"{error, {cleanup_failed, {cleanup_failed, x}, #{}}}", OUTCOME_FAILED, "failed"},
        {"{error, {cancelled, #{" ALL_FAILED "}}}", OUTCOME_CANCELLED, "cancelled"},
        {"{error, {interrupted, nil}}", OUTCOME_INTERRUPTED, "interrupted"},
        {"{error, {invalid_scenario, []}}", OUTCOME_NOT_RUN, "not run"},
        {"{error, {not_allowed, #{}}}", OUTCOME_NOT_RUN, "not run"},
        {"{error, {busy, runs}}", OUTCOME_NOT_RUN, "not run"},
        {"{error, {nodedown, n}}", OUTCOME_FAILED, "failed"},
        {"{partial, #{" ALL_FAILED "}}", OUTCOME_NONE, "under way"},
        {"#{metrics => #{}}", OUTCOME_NONE, "outcome not known here"},
        {"#{dry_run => true, chaos => []}", OUTCOME_NONE, "a dry run"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct term_builder builder = {0};
        struct report_view view;
        struct report_source source = {.result = term_from_text(&builder, rows[i].result)};
        assert_true(report_view_read(&source, &view));
        assert_string_equal(outcome_name(view.outcome), outcome_name(rows[i].outcome));
        assert_string_equal(report_view_outcome(&view), rows[i].text);
        term_build_free(&builder);
    }
}

/* How its run was judged comes before what a result looks like. */
static void test_a_known_outcome_comes_first(void **state)
{
    (void)state;
    for (enum outcome i = OUTCOME_COMPLETED; i < OUTCOME_COUNT; i++) {
        static const char *const results[] = {"{ok, #{metrics => #{}}}", "{error, {nodedown, n}}",
                                              "#{metrics => #{}}"};
        for (size_t result = 0; result < ARRAY_LENGTH(results); result++) {
            struct term_builder builder = {0};
            struct report_view view;
            struct report_source source = {.result = term_from_text(&builder, results[result]), .outcome = i};
            assert_true(report_view_read(&source, &view));
            assert_int_equal(view.outcome, i);
            assert_string_equal(report_view_outcome(&view), outcome_text(i));
            term_build_free(&builder);
        }
    }
    struct report_view view;
    struct report_source source = {.result = TERM_ATOM("nothing"), .outcome = OUTCOME_FAILED};
    assert_false(report_view_read(&source, &view));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_and_exit_statuses),
        cmocka_unit_test(test_outcomes_of_results),
        cmocka_unit_test(test_a_known_outcome_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
