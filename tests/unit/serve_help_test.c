/* That no function, metric, page, reason or other row of a table has nothing to say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api_private.h"
#include "base/memory.h"
#include "config/exit_status.h"
#include "faults/fault_outcome.h"
#include "measure/result.h"
#include "metrics_private.h"
#include "pages_private.h"
#include "report/reason.h"
#include "run/report_table.h"
#include "scenario/problems.h"
#include "scenario/scenario_json.h"

static bool is_prose(const char *text)
{
    size_t ticks = 0;
    for (const char *c = text; c && *c; c++)
        ticks += *c == '`';
    return text && strlen(text) > 3 && text[strlen(text) - 1] == '.' && ticks % 2 == 0;
}

static void expect_prose(const struct help_table *table)
{
    for (size_t row = 0; row < table->count; row++)
        if (!help_row(table, row)->name || !is_prose(help_row(table, row)->text))
            fail_msg("row %zu of %s has no help", row, table->name);
}

/* The rows of one function follow one another, the first of them with its help. */
static void test_functions_have_help(void **state)
{
    (void)state;
    size_t count;
    const struct api_function *functions = api_functions(&count);
    for (size_t i = 0; i < count; i++) {
        const struct api_function *function = &functions[i];
        size_t length = strlen(function->name);
        bool is_first = i == 0 || strcmp(functions[i - 1].name, function->name) != 0;
        assert_true(!function->serve != !function->build);
        assert_true(!is_first || function->usage);
        if (!function->usage)
            continue;
        if (!is_prose(function->help))
            fail_msg("%s has no help", function->name);
        if (strncmp(function->usage, function->name, length) != 0 || function->usage[length] != '(' ||
            !strstr(function->usage, ") -> "))
            fail_msg("%s is no usage of %s", function->usage, function->name);
        if (function->example && function->example[strlen(function->example) - 1] != '\n')
            fail_msg("the last line of the example of %s does not end", function->name);
        for (size_t table = 0; function->tables[table]; table++)
            expect_prose(function->tables[table]());
    }
}

static struct term atom(struct term_builder *builder, const char *name)
{
    term_build_reset(builder);
    term_build_atom(builder, name);
    return term_built(builder);
}

static void test_nearest_functions(void **state)
{
    (void)state;
    static const struct {
        const char *called, *nearest;
    } rows[] = {{"strat", "start"}, {"repotr", "report"}, {"heal", "heal_all"}, {"healall", "heal_all"},
                {"run", "run"},     {"await", "await"},   {"frobnicate", NULL}, {"", NULL}};
    struct term_builder builder = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct api_function *nearest = api_nearest_function(atom(&builder, rows[i].called));
        assert_int_equal(nearest != NULL, rows[i].nearest != NULL);
        if (nearest) {
            assert_string_equal(nearest->name, rows[i].nearest);
            assert_non_null(nearest->usage);
        }
    }
    term_build_reset(&builder);
    term_build_integer(&builder, 5);
    assert_null(api_nearest_function(term_built(&builder)));
    term_build_free(&builder);
}

/* Functions, faults, and tables alike. */
static void test_nearest_topics(void **state)
{
    (void)state;
    static const struct {
        const char *topic, *text;
    } rows[] = {
        {"strat", "There is no such topic; did you mean start? help() lists those that there are.\n"},
        {"suspnd", "There is no such topic; did you mean suspend? help() lists those that there are.\n"},
        {"lod", "There is no such topic; did you mean load? help() lists those that there are.\n"},
        {"fault", "There is no such topic; did you mean faults? help() lists those that there are.\n"},
        {"crash", "There is no such topic; did you mean inject_crash? help() lists those that there are.\n"},
        {"configuratoin",
         "There is no such topic; did you mean configuration? help() lists those that there are.\n"},
        {"nonsense", "There is no such topic; help() lists those that there are.\n"}};
    struct term_builder builder = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct buffer text = {0};
        api_help_write_on(atom(&builder, rows[i].topic), true, &text);
        buffer_append(&text, "", 1);
        assert_string_equal((const char *)buffer_bytes(&text), rows[i].text);
        buffer_free(&text);
    }
    term_build_free(&builder);
}

static void test_metrics_have_help(void **state)
{
    (void)state;
    for (size_t i = 0; i < metrics_count(); i++) {
        const struct metric_help *help = metrics_help(i);
        size_t length = strlen(help->name);
        bool is_total = length > 6 && strcmp(help->name + length - 6, "_total") == 0;
        if (!is_prose(help->text))
            fail_msg("%s has no help", help->name);
        if (is_total && strcmp(help->type, "counter") != 0)
            fail_msg("%s is no counter", help->name);
    }
}

static void test_topics_are_told(void **state)
{
    (void)state;
    static const char *const topics[] = {"report",   "results", "errors", "fault_outcomes",
                                         "problems", "answers", "pages"};
    struct term_builder builder = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(topics); i++) {
        struct buffer text = {0};
        api_help_write_on(atom(&builder, topics[i]), true, &text);
        buffer_append(&text, "", 1);
        if (strstr((const char *)buffer_bytes(&text), "no such topic"))
            fail_msg("%s is no topic", topics[i]);
        buffer_free(&text);
    }
    term_build_free(&builder);
}

static const char *help_on(const char *topic, bool is_elixir)
{
    static char shown[100000];
    struct term_builder builder = {0};
    struct buffer text = {0};
    api_help_write_on(atom(&builder, topic), is_elixir, &text);
    buffer_append(&text, "", 1);
    assert_true(text.size <= sizeof(shown));
    memcpy(shown, buffer_bytes(&text), text.size);
    buffer_free(&text);
    term_build_free(&builder);
    return shown;
}

/* Some are known by other names. */
static void test_synonyms(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"chaos", "{:suspend, duration_ms"}, {"events", "subscribe("},    {"status", "  :report_bytes\n"},
        {"info", "  :pending_handshakes\n"}, {"outcomes", "  :missed\n"}, {"configuration", "--help-keys"}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (!strstr(help_on(rows[i][0], true), rows[i][1]))
            fail_msg("%s has no %s but\n%s", rows[i][0], rows[i][1], help_on(rows[i][0], true));
}

/* Beside its name where there is room, below its text otherwise. */
static void test_values(void **state)
{
    (void)state;
    static const char *const elixir[] = {
        "\n  timeout_ms: pos_integer(), ms; default 5000; with a load its length and the timeout of a call\n"
        "      Time of all threads",
        "\n  action: chaos_term(); required\n      What is done.\n", "\n  setup\n      Starts what",
        "with the run. Instead of target.\n      fun(() -> {:ok, pid()} | "};
    static const char *const topics[] = {"run", "action", "run", "scenario"};
    for (size_t i = 0; i < ARRAY_LENGTH(elixir); i++)
        if (!strstr(help_on(topics[i], true), elixir[i]))
            fail_msg("%s is not told as\n%s\nbut\n%s", topics[i], elixir[i], help_on(topics[i], true));
    assert_non_null(strstr(help_on("scenario", false), "\n  metadata: map(); default #{}\n"));
}

/* A topic is a name, however it is written. */
static void test_topics_as_texts(void **state)
{
    (void)state;
    struct term_builder builder = {0};
    struct buffer texts[2] = {0};
    char *expected = memory_string(help_on("load", true));
    term_build_text(&builder, "load");
    api_help_write_on(term_built(&builder), true, &texts[0]);
    term_build_reset(&builder);
    term_build_list(&builder, 4);
    for (const char *c = "load"; *c; c++)
        term_build_integer(&builder, *c);
    term_build_nil(&builder);
    api_help_write_on(term_built(&builder), true, &texts[1]);
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        assert_int_equal(texts[i].size, strlen(expected));
        assert_memory_equal(buffer_bytes(&texts[i]), expected, texts[i].size);
        buffer_free(&texts[i]);
    }
    free(expected);
    term_build_free(&builder);
}

static void test_faults_say_how_they_end(void **state)
{
    (void)state;
    assert_non_null(strstr(help_on("suspend", true), "  Done to processes. Undone: they are resumed.\n"));
    assert_non_null(strstr(help_on("inject_crash", true), "  Done to processes.\n"));
    assert_non_null(
        strstr(help_on("disconnect", true), "  Done to nodes. Undone: they are connected again.\n"));
}

static void test_notations(void **state)
{
    (void)state;
    assert_non_null(strstr(help_on("run", true), "run(scenario) -> {:ok, report} | {:error, reason}\n"));
    assert_non_null(strstr(help_on("run", false), "run(Scenario) -> {ok, Report} | {error, Reason}\n"));
    static const char *const both[] = {"IO.puts(:erpc.call(node, :harness, :help, []))",
                                       "io:put_chars(erpc:call(Node, harness, help, [erlang])).",
                                       "inject_crash, kill_children", "/usr/share/doc/harnessd"};
    for (size_t i = 0; i < ARRAY_LENGTH(both); i++) {
        assert_non_null(strstr(help_on("erlang", true), both[i]));
        assert_non_null(strstr(help_on("elixir", false), both[i]));
    }
    assert_non_null(strstr(help_on("erlang", true), "  run(Scenario) -> {ok, Report}"));
    assert_non_null(strstr(help_on("elixir", true), "  run(scenario) -> {:ok, report}"));
    assert_null(strchr(help_on("erlang", true), '`'));
    assert_null(strchr(help_on("faults", false), '`'));
    assert_null(strchr(help_on("scenario", false), '`'));
    assert_null(strstr(help_on("faults", false), "%{"));
}

static void test_rows_have_help(void **state)
{
    (void)state;
    const struct help_table *const tables[] = {report_table(),          results_table(),
                                               reasons_table(),         fault_outcomes_table(),
                                               problems_table(),        answers_table(),
                                               pages_table(),           json_targets_table(),
                                               json_operations_table(), json_fault_targets_table(),
                                               exit_statuses_table()};
    for (size_t i = 0; i < ARRAY_LENGTH(tables); i++)
        expect_prose(tables[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_functions_have_help),
        cmocka_unit_test(test_nearest_functions),
        cmocka_unit_test(test_nearest_topics),
        cmocka_unit_test(test_metrics_have_help),
        cmocka_unit_test(test_synonyms),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_topics_as_texts),
        cmocka_unit_test(test_faults_say_how_they_end),
        cmocka_unit_test(test_notations),
        cmocka_unit_test(test_topics_are_told),
        cmocka_unit_test(test_rows_have_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
