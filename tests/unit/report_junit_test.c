#include "report/junit.h"
#include "term_from_text.h"

static const char *junit_of(const char *result, const char *name, const char *content)
{
    static char xml[5000];
    struct term_builder builder = {0};
    struct buffer text = {0}, output = {0};
    struct report_view view;
    struct report_source source = {.result = term_from_text(&builder, result)};
    assert_true(report_view_read(&source, &view));
    buffer_append(&text, content, strlen(content));
    junit_write(&view, name, &text, &output);
    snprintf(xml, sizeof(xml), "%.*s", (int)output.size, (const char *)buffer_bytes(&output));
    buffer_free(&text);
    buffer_free(&output);
    term_build_free(&builder);
    return xml;
}

static void test_completed(void **state)
{
    (void)state;
    assert_string_equal(
        junit_of("{ok, #{metrics => #{overall_duration_ms => 1500}, expectations => [#{expectation => "
                 "max_time_ms, limit => 5, measured => 4.5, met => true}]}}",
                 "smoke.json", "all well\n"),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<testsuites tests=\"2\" failures=\"0\" errors=\"0\" skipped=\"0\" time=\"1.500\">\n"
        "  <testsuite name=\"smoke.json\" tests=\"2\" failures=\"0\" errors=\"0\" skipped=\"0\" "
        "time=\"1.500\">\n"
        "    <testcase classname=\"smoke.json\" name=\"outcome\"/>\n"
        "    <testcase classname=\"smoke.json\" name=\"max_time_ms\"/>\n"
        "    <system-out>all well\n"
        "</system-out>\n"
        "  </testsuite>\n"
        "</testsuites>\n");
}

static void expect(const char *result, const char *counts, const char *line)
{
    const char *xml = junit_of(result, "f", "");
    if (!strstr(xml, counts) || !strstr(xml, line))
        fail_msg("%s: no '%s' or no '%s' in %s", result, counts, line, xml);
}

static void test_outcomes(void **state)
{
    (void)state;
    expect(
        "{error, {performance_failed, #{expectations => [#{expectation => max_time_ms, limit => 5, measured "
        "=> 7, met => false}, #{expectation => max_mailbox, limit => 5, measured => nil, met => nil}, "
        "#{expectation => max_p99_us, limit => 5, measured => 3, met => true}]}}}",
        "tests=\"4\" failures=\"3\" errors=\"0\" skipped=\"0\"",
        "    </testcase>\n"
        "    <testcase classname=\"f\" name=\"max_time_ms\">\n"
        "      <failure message=\"measured 7, limit 5\"/>\n"
        "    </testcase>\n"
        "    <testcase classname=\"f\" name=\"max_mailbox\">\n"
        "      <failure message=\"measured nothing, limit 5\"/>\n"
        "    </testcase>\n"
        "    <testcase classname=\"f\" name=\"max_p99_us\"/>\n");
    expect("{error, {performance_failed, #{expectations => [#{expectation => max_error_rate, limit => 0.1, "
           "measured "
           "=> 0.5, met => false}]}}}",
           "tests=\"2\" failures=\"2\" errors=\"0\" skipped=\"0\"",
           "<failure message=\"an expectation was missed: max_error_rate 0.5, limit 0.1\"");
    /* What nothing was measured for is the failure where nothing else is. */
    expect(
        "{error, {performance_failed, #{expectations => [#{expectation => max_p99_us, limit => 5, measured "
        "=> nil, met => nil}]}}}",
        "tests=\"2\" failures=\"2\" errors=\"0\" skipped=\"0\"",
        "<failure message=\"measured nothing, limit 5\"/>");
    expect("{error, {cancelled, #{expectations => [#{expectation => max_p99_us, limit => 5, measured => 3, "
           "met => nil}]}}}",
           "tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"1\"", "<skipped message=");
    /* It was missed while the load went on, and met again at its end. */
    expect(
        "{error, {performance_failed, #{expectations => [#{expectation => max_time_ms, limit => 5, measured "
        "=> 4, met => true}]}}}",
        "tests=\"2\" failures=\"1\" errors=\"0\"", "<failure message=\"an expectation was missed");
    expect("{error, {thread_failure, {error, timeout}}}", "tests=\"1\" failures=\"1\" errors=\"0\"",
           "<failure message=\"failed: {thread_failure,{error,timeout}}\"/>");
    expect("{error, {cancelled, #{}}}", "tests=\"1\" failures=\"1\" errors=\"0\"",
           "<failure message=\"cancelled\"/>");
    expect("{error, {cleanup_failed, {cleanup_failed, timeout}, #{}}}", "failures=\"1\" errors=\"0\"",
           "<failure message=\"failed; cleanup failed: timeout\"/>");
    expect("{error, {not_allowed, x}}", "tests=\"1\" failures=\"0\" errors=\"1\"",
           "<error message=\"not run: {not_allowed,x}\"/>");
    expect("{error, {not_allowed, #{message => <<\"x is not allowed\">>}}}", "errors=\"1\"",
           "<error message=\"not run: x is not allowed\"/>");
    expect("{error, {invalid_configuration, <<\"--x: unknown\">>}}", "errors=\"1\"",
           "<error message=\"not run: --x: unknown\"/>");
    expect("{error, {invalid_scenario, [#{path => [seed], message => <<\"is odd\">>}]}}",
           "tests=\"1\" failures=\"0\" errors=\"1\"", "seed: is odd");
}

/* Whatever is in it, it is XML. */
static void test_escapes(void **state)
{
    (void)state;
    const char *xml =
        junit_of("{error, 'a<b>&\"c'}", "<&\">.json", "\x01\x1b[K \xff \xc3\xa9 \xef\xbf\xbf ]]>\n");
    assert_non_null(strstr(xml, "<testsuite name=\"&lt;&amp;&quot;&gt;.json\""));
    assert_non_null(strstr(xml, "failed: 'a&lt;b&gt;&amp;&quot;c'"));
    assert_non_null(strstr(xml, "<system-out>??[K ? \xc3\xa9 ? ]]&gt;\n</system-out>"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_completed), cmocka_unit_test(test_outcomes),
                                       cmocka_unit_test(test_escapes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
