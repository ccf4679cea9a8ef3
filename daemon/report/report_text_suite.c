#include "report_text_private.h"
#include "text_table_private.h"

#include "report/text_number.h"
#include "term/term_read.h"
#include "term/term_text.h"

#define FAILURES_SHOWN 20

static void text_suite_write_failures(struct term failures, struct buffer *text)
{
    static const struct text_column columns[] = {{.title = "reason", .flexible = true},
                                                 {.title = "scenario", .flexible = true}};
    char reason[REPORT_TEXT_TERM_BYTES], scenario[REPORT_TEXT_TERM_BYTES];
    struct text_table table;
    struct term_list list;
    struct term failure;
    if (!failures.data || !term_list_start(&list, failures) || !list.count)
        return;
    const size_t all = list.count;
    size_t shown = 0;
    text_table_init(&table, columns, ARRAY_LENGTH(columns));
    while (shown < FAILURES_SHOWN && term_list_next(&list, &failure)) {
        struct term why = report_view_get(failure, "reason"), what = report_view_get(failure, "scenario");
        text_table_add(&table, "%s", why.data ? term_text(why, reason, sizeof(reason)) : "?");
        text_table_add(&table, "%s", what.data ? term_text(what, scenario, sizeof(scenario)) : "?");
        shown++;
    }
    report_text_heading(text, "Failures");
    text_table_write(&table, REPORT_TEXT_INDENT, text);
    text_table_free(&table);
    report_text_more(text, all, shown);
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
