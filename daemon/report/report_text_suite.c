/* Suites: how many of their scenarios have failed, and of each that has why, and what it was. */
#include "report_text_private.h"

#include <stdio.h>

#include "report/text_number.h"
#include "term/term_build.h"
#include "term/term_read.h"
#include "term/term_text.h"

#define FAILURES_SHOWN 20

enum { FAILURE_BYTES = REPORT_TEXT_LINES * REPORT_TEXT_LINE };

/* As the run of the one scenario would be told by itself; `view` borrows from `built`. */
static bool text_suite_read(struct term why, struct term_builder *built, struct report_view *view)
{
    term_build_tuple(built, 2);
    term_build_atom(built, "error");
    term_build_term(built, why);
    const struct report_source source = {.result = term_built(built)};
    return report_view_read(&source, view);
}

static void text_suite_add_reason(struct text_table *table, struct term why)
{
    struct term_builder built = {0};
    struct report_view view;
    struct buffer words = {0};
    char reason[FAILURE_BYTES];
    if (text_suite_read(why, &built, &view) && view.problems.data)
        report_view_write_problems(view.problems, "", &words);
    else if (report_view_has_missed(&view))
        report_view_write_missed(&view, &words);
    while (words.size && buffer_bytes(&words)[words.size - 1] == '\n')
        words.size--;
    if (words.size)
        snprintf(reason, sizeof(reason), "%.*s", (int)words.size, (const char *)buffer_bytes(&words));
    else
        (void)report_text_term(view.refusal.data ? view.refusal : why, reason, sizeof(reason));
    report_text_add_wrapped(table, "reason", reason);
    const uint64_t id = report_view_run_id(&view);
    if (id) {
        text_table_add(table, "run");
        text_table_add(table, "%llu", (unsigned long long)id);
    }
    buffer_free(&words);
    term_build_free(&built);
}

static void text_suite_add_failure(struct text_table *table, struct term failure)
{
    char scenario[FAILURE_BYTES];
    struct term why = report_view_get(failure, "reason"), what = report_view_get(failure, "scenario");
    report_text_add_wrapped(table, "scenario", what.data ? term_text(what, scenario, sizeof(scenario)) : "?");
    if (why.data)
        text_suite_add_reason(table, why);
}

static void text_suite_write_failures(struct term failures, struct buffer *text)
{
    static const struct text_column columns[] = {{.title = NULL}, {.title = NULL, .flexible = true}};
    struct term_list list;
    struct term failure;
    if (!failures.data || !term_list_start(&list, failures) || !list.count)
        return;
    const size_t all = list.count;
    report_text_heading(text, "Failures");
    for (size_t shown = 0; shown < FAILURES_SHOWN && term_list_next(&list, &failure); shown++) {
        struct text_table table;
        text_table_init(&table, columns, ARRAY_LENGTH(columns));
        text_suite_add_failure(&table, failure);
        buffer_print(text, shown ? "\n" : "");
        text_table_write(&table, REPORT_TEXT_INDENT, text);
        text_table_free(&table);
    }
    report_text_more(text, all, FAILURES_SHOWN);
}

void report_text_suite(const struct report_view *view, struct buffer *text)
{
    struct text_number total, passed, failed;
    struct term scenarios = report_view_get(view->report, "total_scenarios");
    if (!scenarios.data)
        return;
    buffer_print(text, "  %s scenarios: %s passed, %s failed\n",
                 text_count(&total, report_view_count(view->report, "total_scenarios", 0)),
                 text_count(&passed, report_view_count(view->report, "passed", 0)),
                 text_count(&failed, report_view_count(view->report, "failed", 0)));
    text_suite_write_failures(report_view_get(view->report, "failures"), text);
}
