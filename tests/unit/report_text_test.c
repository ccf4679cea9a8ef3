#include "report/report_text.h"
#include "report/report_view.h"
#include "term_from_text.h"

/* --- Showing --- */

static const char *show(const char *result, const char *partial)
{
    static char shown[20000];
    struct term_builder builders[2] = {0};
    struct buffer text = {0};
    struct term of_partial = {0};
    if (partial)
        of_partial = term_from_text(&builders[1], partial);
    struct report_source source = {.result = term_from_text(&builders[0], result), .partial = of_partial};
    struct report_view view;
    if (report_view_read(&source, &view))
        report_text_write(&view, &text);
    snprintf(shown, sizeof(shown), "%.*s", (int)text.size,
             text.size ? (const char *)buffer_bytes(&text) : "");
    buffer_free(&text);
    term_build_free(&builders[0]);
    term_build_free(&builders[1]);
    return shown;
}

static void expect_lines(const char *shown, size_t count, const char *const *lines)
{
    for (size_t i = 0; i < count; i++)
        if (!strstr(shown, lines[i])) {
            fail_msg("no '%s'", lines[i]);
        }
    for (const char *line = shown; *line; line = strchr(line, '\n') + 1)
        if (strcspn(line, "\n") > 100 || strchr(line, '\n') == NULL)
            fail_msg("a line of %zu bytes in:\n%s", strcspn(line, "\n"), shown);
}

#define EXPECT_LINES(shown, ...)                                                                             \
    expect_lines(shown, ARRAY_LENGTH(((const char *const[]){__VA_ARGS__})),                                  \
                 (const char *const[]){__VA_ARGS__})

#define STATS(count)                                                                                         \
    "#{count => " count ", min_us => 100, mean_us => 1.5, p50_us => 1000, p90_us => 2000, p95_us => 3000, "  \
    "p99_us => 5000, p999_us => 9000, max_us => 10000, p50_us_ci => {980, 1020}, p90_us_ci => {1900, "       \
    "2100}, "                                                                                                \
    "p95_us_ci => {2800, nil}, p99_us_ci => {nil, 7000}, p999_us_ci => {nil, nil}}"
#define NO_STATS                                                                                             \
    "#{count => 0, min_us => 0, mean_us => 0.0, p50_us => 0, p90_us => 0, p95_us => 0, p99_us => 0, "        \
    "p999_us => 0, max_us => 0}"
#define INTERVAL(at, operations, errors, p99, marks)                                                         \
    "#{at_ms => " at ", interval_ms => 100, operations => " operations ", errors => " errors                 \
    ", dropped => 0, p50_us => 1, p99_us => " p99 ", max_us => 9, in_flight => 4, mailbox => nil, "          \
    "memory_bytes => nil, run_queue => nil, loop_lag_us => 1, marks => " marks "}"
#define METRICS                                                                                              \
    "metrics => #{duration_ms => 2000, total_operations => 12345, thread_count => 8, operation_errors => "   \
    "617, 'mailbox_observed?' => true, overall_duration_ms => 2500, events_dropped => 0, dropped => 3}"

/* Strings that are joined with macros would be broken at every word. */
/* clang-format off */
#define REPORT \
    "#{events => [], threads => [], " \
    METRICS \
    ", run_id => 42, seed => 7, metadata => #{team => <<\"core\">>, scenario_id => 42}, " \
    "errors => #{timeout => 17, {noproc, x} => 600}, mailbox => #{initial_size => 0, " \
    "final_size => 1, max_size => 1234, avg_size => 1.5}, performance => #{time_us => 1, " \
    "memory_bytes => 2048, reductions => 99}, latency => #{overall => " \
    STATS("12000") \
    ", operations => #{get => " \
    STATS("2000") \
    ", {add, 1} => " \
    STATS("10000") \
    "}, service => #{overall => " \
    STATS("12000") \
    ", operations => #{}}, start_delay => " \
    NO_STATS \
    "}, timeline => [" \
    INTERVAL("0", "100", "#{}", "900", "[]") \
    ", " \
    INTERVAL("100", "50", "#{timeout => 2, x => 1}", "nil", "[#{fault => suspend, event => injected, target => [a]}]") \
    "], expectations => [#{expectation => max_p99_us, limit => 6000, measured => 5000, met " \
    "=> true, certain => false}, #{expectation => max_mailbox, limit => 10.5, measured => nil, met => true}], " \
    "injections => [#{at_ms => 500, kind => suspend, action => {suspend, 100}, target => " \
    "[$p], outcome => ok, amount => 1, duration_ms => 101, undone => true, recovery_ms => " \
    "nil, errors => 3}], healed => true, chaos => nil, context => #{}}"
/* clang-format on */

static void test_completed(void **state)
{
    (void)state;
    const char *shown = show("{ok, " REPORT "}", NULL);
    EXPECT_LINES(shown, "Run 42: completed\n", "  operations   12,345 by 8 threads in 2.00 s, 6,173/s\n",
                 "               345 of them without an answer to wait for ($cast, $send)\n",
                 "  errors       617 (5 %), and 3 arrivals dropped\n", "  time in all  2.50 s\n",
                 "  mailbox      1,234 at most, 1 at the end\n", "  seed         7\n",
                 "  metadata     team: core\n",
                 "\nExpectations\n"
                 "       expectation  measured  limit\n"
                 "  met  max_p99_us      5,000  6,000  not certain\n"
                 "  met  max_mailbox         -   10.5\n",
                 "\nErrors\n"
                 "  count  reason\n"
                 "    600  {noproc,x}\n"
                 "     17  timeout\n",
                 "\nResponse times\n"
                 "                    count     min      p50      p90      p95      p99    p99.9      max\n"
                 "  all              12,000  100 us  1.00 ms  2.00 ms  3.00 ms  5.00 ms  9.00 ms  10.0 ms\n"
                 "  {",
                 "  get               2,000  100 us", "  from their send  12,000  100 us",
                 "\n                  95 % interval\n"
                 "  min     100 us                      #\n"
                 "  p50    1.00 ms  980 us to 1.02 ms   #####\n"
                 "  p90    2.00 ms  1.90 ms to 2.10 ms  ##########\n"
                 "  p95    3.00 ms  2.80 ms or more     ###############\n"
                 "  p99    5.00 ms  7.00 ms or less     #########################\n"
                 "  p99.9  9.00 ms  too few             #############################################\n"
                 "  max    10.0 ms                      ##################################################\n",
                 "\nCourse of the load\n"
                 "    from  ops/s                        errors     p99  in flight  mailbox\n"
                 "    0 us  1,000  ####################       0  900 us          4        -\n"
                 "  100 ms  500.0  ##########                 3       -          4        -  suspend "
                 "injected\n",
                 "\nFaults: 1\n"
                 "      at  kind     target              outcome  lasted  recovered in  errors\n"
                 "  500 ms  suspend  [<app@target.5.0>]  ok       101 ms             -       3\n");
    assert_null(strstr(shown, "scenario_id"));
    assert_null(strstr(shown, "hooks' node")); /* nobody expects anything of it */
    assert_null(strstr(shown, "sent late by"));
}

/* Whoever knows how its run stands says so, whatever the report looks like. */
static void test_outcome_is_known(void **state)
{
    (void)state;
    static const struct {
        const char *result;
        enum outcome outcome;
        const char *text;
    } rows[] = {{"#{run_id => 1}", OUTCOME_MISSED, "an expectation was missed"},
                {"{ok, #{run_id => 1}}", OUTCOME_MISSED, "an expectation was missed"},
                {"#{run_id => 1}", OUTCOME_COMPLETED, "completed"},
                {"#{run_id => 1}", OUTCOME_NONE, "under way"},
                {"{ok, #{run_id => 1}}", OUTCOME_NONE, "under way"},
                {"#{warnings => [#{warning => nothing_succeeded}]}", OUTCOME_FAILED,
                 "failed: no operation has succeeded, and no max_error_rate of 1.0 allows that"}};
    struct term_builder builder = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct report_source source = {.result = term_from_text(&builder, rows[i].result),
                                       .outcome = rows[i].outcome,
                                       .is_under_way = rows[i].outcome == OUTCOME_NONE};
        struct report_view view;
        assert_true(report_view_read(&source, &view));
        assert_string_equal(report_view_outcome(&view), rows[i].text);
    }
    term_build_free(&builder);
}

static void test_hooks_node(void **state)
{
    (void)state;
    EXPECT_LINES(show("{ok, #{performance => #{memory_bytes => 2048, reductions => 99}, expectations => "
                      "[#{expectation => max_reductions, met => true}]}}",
                      NULL),
                 "  hooks' node  memory grew by 2,048 bytes, 99 reductions of the session\n");
}

/* Whoever is not allowed to is told so, and nothing of what was not counted. */
static void test_refusal(void **state)
{
    (void)state;
    assert_string_equal(show("{error, {not_allowed, #{rule => <<\"access.chaos.allow\">>, message => "
                             "<<\"halt_node is not allowed by access.chaos.allow\">>}}}",
                             REPORT),
                        "Run 42: not run\n  reason  halt_node is not allowed by access.chaos.allow\n");
}

static void test_cleanup_that_raises(void **state)
{
    (void)state;
    const char *shown =
        show("{error, {cleanup_failed, {cleanup_failed, {#{'__struct__' => "
             "'Elixir.RuntimeError', '__exception__' => true, message => <<\"no\012more\">>}, "
             "[{m, f, 1, []}]}}, #{run_id => 5}}}",
             NULL);
    EXPECT_LINES(shown, "Run 5: failed\n",
                 "  cleanup failed  RuntimeError: no more\n                  [{m,f,1,[]}]\n");
    EXPECT_LINES(show("{error, {cleanup_failed, {cleanup_failed, {badarg, [{m, f, 1, []}]}}, #{}}}", NULL),
                 "  cleanup failed  badarg\n                  [{m,f,1,[]}]\n");
}

static void test_forms(void **state)
{
    (void)state;
    char alone[20000];
    /* Of a report alone it is not known how its run has ended. */
    snprintf(alone, sizeof(alone), "%s", show(REPORT, NULL));
    EXPECT_LINES(alone, "Run 42: outcome not known here\n");
    assert_string_equal(strchr(alone, '\n'), strchr(show("{ok, " REPORT "}", NULL), '\n'));
    EXPECT_LINES(show("{partial, " REPORT "}", NULL), "Run 42: under way\n");
    assert_string_equal(strchr(alone, '\n'), strchr(show("{partial, " REPORT "}", NULL), '\n'));
    assert_string_equal(show("{partial, nil}", NULL), "");
    assert_string_equal(show("{ok, fine}", NULL), "");
    assert_string_equal(show("5", NULL), "");
    assert_string_equal(show("{a, b, c}", NULL), "");
    /* A map with nothing in it that is known is a report that says nothing. */
    assert_string_equal(show("#{}", NULL), "Run: outcome not known here\n");
    assert_string_equal(
        show("#{metrics => 5, latency => [], timeline => #{}, errors => a, expectations => b, "
             "injections => 7, healed => 5, metadata => [], mailbox => x, seed => y}",
             NULL),
        "Run: outcome not known here\n"
        "  operations   0 by 0 threads in less than 1 ms\n"
        "  errors       0\n"
        "  time in all  less than 1 ms\n"
        "  mailbox      0 at most, 0 at the end\n"
        "  seed         0\n");
}

/* Who has done it, and how fast. */
static void test_operations(void **state)
{
    (void)state;
    static const struct {
        const char *metrics, *line;
    } rows[] = {
        {"load => open, thread_count => 1000, total_operations => 500, duration_ms => 1000",
         "  operations   500 in 1.00 s, 500.0/s\n"},
        {"load => closed, thread_count => 1000, total_operations => 500, duration_ms => 1000",
         "  operations   500 by 1,000 threads in 1.00 s, 500.0/s\n"},
        {"load => scripts, thread_count => 1, total_operations => 2, duration_ms => 0",
         "  operations   2 by 1 thread in less than 1 ms\n"},
        {"load => open, thread_count => 1000, total_operations => 0, duration_ms => 0",
         "  operations   0 in less than 1 ms\n"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char report[300];
        snprintf(report, sizeof(report),
                 "{ok, #{metrics => #{%s}, latency => #{overall => #{count => 500}}}}", rows[i].metrics);
        const char *shown = show(report, NULL);
        EXPECT_LINES(shown, rows[i].line);
        assert_null(strstr(shown, "answer to wait for"));
    }
}

static char *repeat(const char *head, const char *item, size_t count, const char *end)
{
    struct buffer text = {0};
    buffer_print(&text, "%s", head);
    for (size_t i = 0; i < count; i++)
        buffer_print(&text, i ? ", %s" : "%s", item);
    buffer_print(&text, "%s", end);
    buffer_append(&text, "", 1);
    return (char *)buffer_bytes(&text);
}

static void test_outcomes(void **state)
{
    (void)state;
    static const struct {
        const char *result;
        const char *lines[4];
    } rows[] = {
        {"{error, {performance_failed, #{error => e, measurement => #{memory_bytes => 5, reductions => 6}, "
         "expectations => [#{expectation => max_time_ms, limit => 5, measured => 7.25, met => false}]}}}",
         {"Run: an expectation was missed\n", "  MISSED  max_time_ms      7.25      5\n"}},
        {"{error, {performance_failed, #{run_id => 7, expectations => []}}}",
         {"Run 7: an expectation was missed\n"}},
        {"{error, {performance_failed, #{expectations => [#{expectation => max_p99_us, limit => 5, measured "
         "=> "
         "nil, met => nil}]}}}",
         {"  MISSED  max_p99_us          -      5\n"}},
        {"{error, {performance_failed, #{expectations => [#{expectation => max_p99_us, limit => 5, measured "
         "=> nil, met => nil}, #{expectation => max_recovery_ms, limit => 5, measured => nil, met => nil}, "
         "#{expectation => max_mailbox, limit => 5, measured => 7, met => false}]}}}",
         {"  MISSED      max_p99_us ", "  not judged  max_recovery_ms ", "  MISSED      max_mailbox "}},
        {"{error, {invalid_configuration, <<\"--x: unknown\">>}}",
         {"Run: not run\n  reason  --x: unknown\n"}},
        {"{error, {cancelled, #{run_id => 5, " METRICS "}}}", {"Run 5: cancelled\n", "12,345"}},
        {"{error, {cancelled, #{run_id => 5, expectations => [#{expectation => max_p99_us, limit => 5, "
         "measured "
         "=> 3, met => nil}]}}}",
         {"  not judged  max_p99_us          3      5\n"}},
        {"{partial, #{expectations => [#{expectation => max_p99_us, limit => 5, measured => 3, met => nil}, "
         "#{expectation => max_p50_us, limit => 5, measured => 3, met => true}]}}",
         {"  not judged  max_p99_us          3      5\n", "  met         max_p50_us"}},
        {"{error, {interrupted, #{run_id => 5}}}", {"Run 5: interrupted\n"}},
        {"{error, {cleanup_failed, {cleanup_failed, timeout}, #{run_id => 5}}}",
         {"Run 5: failed\n", "  cleanup failed  timeout\n"}},
        {"{error, {cleanup_failed, {cleanup_failed, timeout}, {cancelled, #{run_id => 5}}}}",
         {"Run 5: cancelled\n", "  cleanup failed  timeout\n"}},
        {"{error, {thread_failure, {error, timeout}}}",
         {"Run: failed\n", "  reason  {thread_failure,{error,timeout}}\n"}},
        {"{error, {nodedown, a@b}}", {"Run: failed\n", "  reason  {nodedown,a@b}\n"}},
        {"{error, {busy, runs}}", {"Run: not run\n", "  reason  {busy,runs}\n"}},
        {"{error, {not_allowed, #{rule => x}}}", {"Run: not run\n", "rule => x"}},
        {"{error, any}", {"Run: failed\n", "  reason  any\n"}},
        {"{error, {invalid_scenario, [#{path => [threads, 0, 12, call], problem => x, message => "
         "<<\"is \\012wrong\">>}, #{path => [], problem => x, message => <<\"syntax\">>}]}}",
         {"Run: not run\n", "  threads[0][12].call: is  wrong\n", "  syntax\n"}},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const char *shown = show(rows[i].result, NULL);
        for (size_t j = 0; j < 4 && rows[i].lines[j]; j++)
            EXPECT_LINES(shown, rows[i].lines[j]);
    }
}

/* What was recorded of a run that has no report. */
/* Before all else that is told. */
static void test_warnings(void **state)
{
    (void)state;
    const char *shown =
        show("{ok, #{run_id => 7, metrics => #{total_operations => 5, duration_ms => 10}, warnings => "
             "[#{warning => not_measured, message => <<\"nothing was measured for max_p99_us\">>}, "
             "#{warning => a, message => <<\"b\">>}, #{warning => without_message}]}}",
             NULL);
    EXPECT_LINES(
        shown,
        "Run 7: completed\n  WARNING  nothing was measured for max_p99_us\n  WARNING  b\n  operations");
    /* One of several lines ends without the blank between its words. */
    char *words =
        repeat("{ok, #{warnings => [#{warning => a, message => <<\"", "word word word", 9, "\">>}]}}");
    shown = show(words, NULL);
    assert_non_null(strstr(shown, "\n           word"));
    assert_null(strstr(shown, " \n"));
    free(words);
}

static void test_error_samples(void **state)
{
    (void)state;
    const char *shown =
        show("{ok, #{errors => #{{boom, [{shop, sell, 2, []}]} => 2, timeout => 1}, error_samples => ["
             "#{class => timeout, count => 1, sample => timeout, operation => {call, a}}, "
             "#{class => boom, count => 2, first_at_ms => 5, last_at_ms => 1500, operation => {call, b}, "
             "sample => {boom, [{shop, sell, [1, 2], [{line, 17}]}, {gen_server, loop, 7, []}]}}]}}",
             NULL);
    EXPECT_LINES(shown, "\nErrors, one of each class\n"
                        "  2, the first of {call,b}, from 5.00 ms to 1.50 s\n"
                        "      boom\n"
                        "      in shop:sell/2 line 17\n"
                        "      in gen_server:loop/7\n");
}

static void test_partial(void **state)
{
    (void)state;
    EXPECT_LINES(show("{error, {thread_failure, x}}", "#{run_id => 5, " METRICS "}"), "Run 5: failed\n",
                 "reason       {thread_failure,x}\n", "12,345");
    /* The judgement goes before what the partial report says of it. */
    const char *shown =
        show("{error, {performance_failed, #{expectations => [#{expectation => max_time_ms, limit => 5, "
             "measured => 7, met => false}]}}}",
             REPORT);
    EXPECT_LINES(shown, "Run 42: an expectation was missed\n", "MISSED  max_time_ms", "12,345");
    assert_null(strstr(shown, "max_mailbox"));
    /* A report has everything itself. */
    assert_null(strstr(show("{error, {cancelled, #{run_id => 6}}}", REPORT), "12,345"));
}

static void test_dry_run(void **state)
{
    (void)state;
    EXPECT_LINES(show("{ok, #{dry_run => true, seed => 9, chaos => []}}", NULL), "Run: a dry run\n");
    EXPECT_LINES(show("{ok, #{dry_run => true, seed => 9, thread_count => 1, target => x, chaos => "
                      "[#{kind => suspend, action => {suspend, 5}, at_ms => [0, 100, 200, 300, 400], target "
                      "=> [$p], problem => nil}, #{kind => flood, action => x, at_ms => [], target => [], "
                      "problem => noproc}]}}",
                      NULL),
                 "Run: a dry run with a problem\n  seed  9\n", "\nFaults that would be injected\n",
                 "  0 us, 100 ms, 200 ms, 300 ms, ...  suspend  [<app@target.5.0>]\n",
                 "  never                              flood    []                  noproc\n");
}

static void test_not_undone(void **state)
{
    (void)state;
    EXPECT_LINES(show("{ok, #{injections => [#{at_ms => 1, kind => suspend}], healed => [#{kind => suspend, "
                      "reason => timeout}]}}",
                      NULL),
                 "  NOT UNDONE  #{kind => suspend,reason => timeout}\n");
}

/* --- Very many of what there may be many --- */

#define MARK(fault, event) "#{fault => " fault ", event => " event ", target => [a]}"

/* Marks that have no room behind their interval are on lines of their own, and the same ones are counted. */
static void test_marks(void **state)
{
    (void)state;
    static const struct {
        const char *marks, *lines;
    } rows[] = {
        {"[]", "4        -\n"},
        {"[" MARK("suspend", "injected") "]", "4        -  suspend injected\n"},
        {"[" MARK("flood", "injected") ", " MARK("suspend", "undone") "]",
         "4        -\n          flood injected, suspend undone\n"},
        {"[" MARK("crash", "injected") ", " MARK("crash", "injected") "]",
         "4        -  crash injected (2)\n"},
        {"[" MARK("garbage_collect", "injected") ", " MARK("kill_children", "injected") ", " MARK(
             "kill_children", "undone") ", " MARK("kill_children", "injected") ", " MARK("disconnect",
                                                                                         "undone") "]",
         "4        -\n          garbage_collect injected, kill_children injected (2), kill_children undone,\n"
         "          disconnect undone\n"},
        {"[" MARK("'a\\012b'", "undone") "]", "4        -  'a\\nb' undone\n"},
        {"[#{fault => 5, event => injected}, #{event => undone}, a, " MARK("flood", "undone") "]",
         "4        -  flood undone\n"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char report[2000];
        snprintf(report, sizeof(report),
                 "{ok, #{timeline => [" INTERVAL("0", "1", "#{}", "1", "[]") ", " INTERVAL("100", "1", "#{}",
                                                                                           "1", "%s") "]}}",
                 rows[i].marks);
        EXPECT_LINES(show(report, NULL), rows[i].lines);
    }
}

#define SUITE(total, failures)                                                                               \
    "#{total_scenarios => " total ", passed => 1, failed => 2, duration_ms => 5, failures => [" failures "]" \
    "}"
#define SUITE_MISSED                                                                                         \
    "#{scenario => #{type => concurrent, build => b}, reason => {performance_failed, #{run_id => 12, "       \
    "expectations => [#{expectation => max_error_rate, limit => 0.1, measured => 0.5, met => false}, "       \
    "#{expectation => max_mailbox, limit => 5, measured => 1, met => true}]}}}"

/* It has no number of its own. */
static void expect_run_of_suite(void)
{
    struct term_builder builder = {0};
    struct buffer text = {0};
    struct report_source source = {
        .result = term_from_text(&builder, SUITE("3", "")), .outcome = OUTCOME_FAILED, .run_id = 31};
    struct report_view view;
    assert_true(report_view_read(&source, &view));
    report_text_write(&view, &text);
    buffer_append(&text, "", 1);
    EXPECT_LINES((const char *)buffer_bytes(&text), "Run 31: failed\n");
    buffer_free(&text);
    term_build_free(&builder);
}

static void test_suites(void **state)
{
    (void)state;
    expect_run_of_suite();
    const char *shown =
        show(SUITE("3", SUITE_MISSED ", #{scenario => x, reason => {badmap, x}}, "
                                     "#{scenario => y, reason => {invalid_scenario, [#{path => [threads], "
                                     "message => <<\"is missing\">>}]}}"),
             NULL);
    EXPECT_LINES(shown, "Run: failed\n", "  3 scenarios: 1 passed, 2 failed\n",
                 "\nFailures\n"
                 "  scenario  #{type => concurrent,build => b}\n"
                 "  reason    max_error_rate 0.5, limit 0.1\n"
                 "  run       12\n"
                 "\n"
                 "  scenario  x\n"
                 "  reason    {badmap,x}\n",
                 "  reason    threads: is missing\n");
    /* One that was cancelled was not worked through. */
    EXPECT_LINES(show(SUITE("4", ""), NULL), "Run: outcome not known here\n");
    EXPECT_LINES(show("{error, {cancelled, " SUITE("4", "") "}}", NULL), "Run: cancelled\n");
}

/* Recovery from faults that were not drawn is all that is not held against a run that nothing was measured
 * for. */
static void test_not_measured(void **state)
{
    (void)state;
#define MISSED                                                                                               \
    "{error, {performance_failed, #{expectations => [#{expectation => max_recovery_ms, limit => 5, "         \
    "measured => "                                                                                           \
    "nil, met => nil}, #{expectation => max_mailbox, limit => 5, measured => 7, met => false}]}}}"
    static const struct {
        const char *report;
        const char *line;
    } rows[] = {
        {"#{injections => [#{outcome => not_drawn}]}", "  not judged  max_recovery_ms "},
        {"#{injections => [#{outcome => not_drawn}, #{outcome => ok}]}", "  MISSED  max_recovery_ms "},
        {"#{injections => []}", "  MISSED  max_recovery_ms "},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        EXPECT_LINES(show(MISSED, rows[i].report), rows[i].line);
}

/* Where the faults' own lines do not say it. */
static void test_recoveries(void **state)
{
    (void)state;
#define CRASH(recovery)                                                                                      \
    "{ok, #{injections => [#{at_ms => 5, kind => crash, target => [$p], recovery => [" recovery "]}]}}"
#define RECOVERY(target, ms)                                                                                 \
    "#{target => " target ", recovery_ms => " ms ", errors => 1200, last_error_ms => nil}"
    static const char *const said[] = {CRASH(""), CRASH(RECOVERY("$p", "1")), CRASH(RECOVERY("c", "1")),
                                       CRASH(RECOVERY("{c, 'a@x'}", "1"))};
    for (size_t i = 0; i < ARRAY_LENGTH(said); i++)
        assert_null(strstr(show(said[i], NULL), "Recovery"));
    EXPECT_LINES(show(CRASH(RECOVERY("{find, {m, pid_of, [q]}}", "154")), NULL),
                 "\nRecovery of each target\n"
                 "       at  target                 recovered in  errors  last error\n"
                 "  5.00 ms  {find,{m,pid_of,[q]}}        154 ms   1,200           -\n");
    EXPECT_LINES(show(CRASH(RECOVERY("{c, 'a@x'}", "7") ", " RECOVERY("d", "nil")), NULL),
                 "  5.00 ms  {c,a@x}       7.00 ms   1,200           -\n"
                 "  5.00 ms  d               never   1,200           -\n");
    EXPECT_LINES(show("{ok, #{injections => [#{at_ms => 5, recovery_ms => nil, errors => 0, recovery => "
                      "[#{target => d, "
                      "recovery_ms => nil, errors => 0}]}]}}",
                      NULL),
                 "not known       0\n");
#define OPEN "#{target => d, recovery_ms => nil, errors => 3, last_error_ms => 9, again_ms => 8}"
    EXPECT_LINES(show(CRASH(OPEN), NULL), "   not known       0\n");
    EXPECT_LINES(show(CRASH(OPEN ", " RECOVERY("e", "nil")), NULL), "       never       0\n");
    char *many = repeat("{ok, #{injections => [#{recovery => [", RECOVERY("d", "1"), 50, "]}]}}");
    EXPECT_LINES(show(many, NULL), "  ... and 10 more\n");
    free(many);
}

static void test_many(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        const char *item;
        const char *line;
    } rows[] = {
        {"{ok, #{injections => [", "#{at_ms => 5, kind => flood, target => [$p, $p, $p, $p, $p, $p, $p, $p]}",
         "  ... and 960 more\n"},
        {"{ok, #{dry_run => true, chaos => [", "#{kind => flood, at_ms => [1], target => [$p]}",
         "  ... and 960 more\n"},
        {"{ok, #{timeline => [", INTERVAL("0", "1", "#{}", "1", "[]"),
         "Course of the load (of 50 intervals each the worst p99)\n"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char *result = repeat(rows[i].head, rows[i].item, 1000, "]}}");
        EXPECT_LINES(show(result, NULL), rows[i].line);
        free(result);
    }
}

static void test_long_reason(void **state)
{
    (void)state;
    char *result = repeat("{error, {failed, [", "{some_long_element, \"with text\"}", 90, "]}}");
    const char *shown = show(result, NULL);
    EXPECT_LINES(shown, "Run: failed\n  reason  {failed,[{some_long_element,\"with text\"}", "...\n");
    assert_true(strlen(shown) < 800);
    free(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_completed),  cmocka_unit_test(test_outcome_is_known),
        cmocka_unit_test(test_forms),      cmocka_unit_test(test_hooks_node),
        cmocka_unit_test(test_refusal),    cmocka_unit_test(test_cleanup_that_raises),
        cmocka_unit_test(test_warnings),   cmocka_unit_test(test_error_samples),
        cmocka_unit_test(test_operations), cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_partial),    cmocka_unit_test(test_dry_run),
        cmocka_unit_test(test_not_undone), cmocka_unit_test(test_marks),
        cmocka_unit_test(test_many),       cmocka_unit_test(test_long_reason),
        cmocka_unit_test(test_suites),     cmocka_unit_test(test_not_measured),
        cmocka_unit_test(test_recoveries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
