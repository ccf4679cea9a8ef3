#include "report/run_result.h"
#include "term_from_text.h"

static void check(const char *stored, bool interrupted, const char *answered, bool has_report)
{
    struct term_builder builder = {0}, answer = {0};
    struct term report;
    char text[200];
    (void)term_from_text(&builder, stored);
    run_result_build(term_built(&builder), interrupted, &answer);
    assert_string_equal(term_text(term_built(&answer), text, sizeof(text)), answered);
    term_build_reset(&answer);
    const struct term tail = run_result_open(term_built(&builder), interrupted, &answer),
                      whole = term_built(&builder);
    assert_true(tail.data >= whole.data && tail.data + tail.size <= whole.data + whole.size);
    bool found = run_result_report(term_built(&builder), interrupted, &report);
    assert_int_equal(found, has_report);
    if (found)
        assert_string_equal(term_text(report, text, sizeof(text)), "#{}");
    term_build_free(&builder);
    term_build_free(&answer);
}

static void test_results(void **state)
{
    (void)state;
    check("{ok,#{}}", false, "{ok,#{}}", true);
    check("{error,{cancelled,#{}}}", false, "{error,{cancelled,#{}}}", true);
    check("{error,{nodedown,node},#{}}", false, "{error,{nodedown,node}}", true);
    check("{error,timeout,#{}}", false, "{error,timeout}", true);
    check("{error,{busy,runs}}", false, "{error,{busy,runs}}", false);
    check("{error,aborted}", false, "{error,aborted}", false);
    check("#{}", true, "{error,{interrupted,#{}}}", true);
    check("nil", true, "{error,{interrupted,nil}}", false);
    check("nonsense", false, "nonsense", false);
    check("{a,b,c}", false, "{a,b}", false);
}

/* What is behind the reason is the report, whatever the reason has in it. */
static void test_cleanup(void **state)
{
    (void)state;
    struct term_builder builder = {0};
    struct term report;
    term_build_tuple(&builder, 2);
    term_build_atom(&builder, "error");
    term_build_tuple(&builder, 3);
    term_build_atom(&builder, "cleanup_failed");
    term_build_map(&builder, 0);
    term_build_tuple(&builder, 2);
    term_build_atom(&builder, "cancelled");
    term_build_map(&builder, 0);
    assert_true(run_result_report(term_built(&builder), false, &report));
    assert_ptr_equal(report.data, term_built(&builder).data + builder.bytes.size - report.size);
    term_build_free(&builder);
}

/* --- Reasons --- */

static void expect_reason(const char *stored, bool interrupted, const char *expected)
{
    struct term_builder builder = {0}, built = {0};
    struct term reason;
    char text[200] = "none";
    if (run_result_reason(term_from_text(&builder, stored), interrupted, &built, &reason))
        term_text(reason, text, sizeof(text));
    assert_string_equal(text, expected);
    strcpy(text, "none");
    assert_int_equal(run_result_reason_text(term_built(&builder), interrupted, text, sizeof(text)),
                     strcmp(expected, "none") != 0);
    assert_string_equal(text, expected);
    term_build_free(&builder);
    term_build_free(&built);
}

/* What the daemon has wrapped is gone through once: all else is the user's, and may be of any depth. */
static void test_deep_reasons(void **state)
{
    (void)state;
    enum { LEVELS = 1000000 };
    struct term_builder builder = {0}, built = {0};
    struct term reason, report, parts[2];
    term_build_tuple(&builder, 2);
    term_build_atom(&builder, "error");
    for (size_t i = 0; i < LEVELS; i++) {
        term_build_tuple(&builder, 3);
        term_build_atom(&builder, "cleanup_failed");
        term_build_atom(&builder, "a");
    }
    term_build_map(&builder, 0);
    assert_true(run_result_reason(term_built(&builder), false, &built, &reason));
    assert_true(term_read_tuple_of(term_built(&builder), 2, parts) && term_same(reason, parts[1]));
    assert_false(run_result_report(term_built(&builder), false, &report));
    term_build_free(&builder);
    term_build_free(&built);
}

/* What is long is not copied to be told of; what is behind it would be cut. */
static void test_long_cleanup(void **state)
{
    (void)state;
    struct term_builder builder = {0};
    char text[60];
    char *why = memory_alloc(TERM_LONG_BYTES + 1);
    memset(why, 'x', TERM_LONG_BYTES + 1);
    term_build_tuple(&builder, 2);
    term_build_atom(&builder, "error");
    term_build_tuple(&builder, 3);
    term_build_atom(&builder, "cleanup_failed");
    term_build_binary(&builder, why, TERM_LONG_BYTES + 1);
    term_build_tuple(&builder, 2);
    term_build_atom(&builder, "cancelled");
    term_build_map(&builder, 0);
    assert_true(run_result_reason_text(term_built(&builder), false, text, sizeof(text)));
    assert_string_equal(text, "{cleanup_failed,<<\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...");
    term_build_free(&builder);
    free(why);
}

/* The whole, but for a report that is in it. */
static void test_reasons(void **state)
{
    (void)state;
    expect_reason("{ok, #{}}", false, "none");
    expect_reason("{ok, #{warnings => []}}", false, "none");
    expect_reason("{ok, #{warnings => [#{warning => events_dropped}]}}", false, "none");
    expect_reason("{ok, #{warnings => [#{warning => nothing_succeeded}]}}", false, "nothing_succeeded");
    expect_reason("{ok, #{dry_run => true, chaos => [#{problem => nil}, #{problem => {error, x}}]}}", false,
                  "{error,x}");
    expect_reason("{error, {nodedown, n}, #{}}", false, "{nodedown,n}");
    expect_reason("{error, {not_allowed, #{}}, #{}}", false, "{not_allowed,#{}}");
    expect_reason("{error, {cancelled, #{}}}", false, "cancelled");
    expect_reason("{error, {interrupted, nil}}", false, "interrupted");
    expect_reason("#{}", true, "interrupted");
    expect_reason("{error, {cleanup_failed, {cleanup_failed, x}, #{}}}", false,
                  "{cleanup_failed,{cleanup_failed,x}}");
    expect_reason("{error, {cleanup_failed, {cleanup_failed, x}, {performance_failed, #{}}}, #{}}", false,
                  "{cleanup_failed,{cleanup_failed,x},{performance_failed,#{}}}");
    expect_reason("{error, {cleanup_failed, {cleanup_failed, x}, {cancelled, #{}}}}", false,
                  "{cleanup_failed,{cleanup_failed,x},cancelled}");
    expect_reason("nonsense", false, "none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_results), cmocka_unit_test(test_cleanup),
                                       cmocka_unit_test(test_reasons), cmocka_unit_test(test_long_cleanup),
                                       cmocka_unit_test(test_deep_reasons)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
