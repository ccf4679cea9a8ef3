/* Faults: those that were injected, and those that a dry run would inject. */
#include <stdio.h>
#include <string.h>

#include "report/text_number.h"
#include "report_text_private.h"
#include "term/term_read.h"
#include "term/term_text.h"
#include "text_table_private.h"

#define FAULTS_SHOWN 40

static void text_faults_add_term(struct text_table *table, struct term term)
{
    char content[REPORT_TEXT_TERM_BYTES];
    text_table_add(table, "%s", term.data ? term_text(term, content, sizeof(content)) : "-");
}

/* What processes are called, as it may be cut off behind that, and their pids: "bank, {bank,account}
 * [<a@x.88.0>, ...]". */
static void text_faults_add_target(struct text_table *table, struct term fault)
{
    char content[REPORT_TEXT_TERM_BYTES], name[100];
    struct term target = report_view_get(fault, "target"), names = report_view_get(fault, "names"), pid,
                called;
    struct term_pairs pairs;
    struct buffer text = {0};
    if (names.data && term_pairs_start(&pairs, names))
        while (text.size < sizeof(content) && term_pairs_next(&pairs, &pid, &called))
            buffer_print(&text, "%s%s", text.size ? ", " : "", term_text(called, name, sizeof(name)));
    buffer_print(&text, "%s%s", text.size ? " " : "",
                 target.data ? term_text(target, content, sizeof(content)) : "-");
    text_table_add(table, "%.*s", (int)text.size, (const char *)buffer_bytes(&text));
    buffer_free(&text);
}

static void text_faults_add_ms(struct text_table *table, struct term fault, const char *key)
{
    struct text_number number;
    struct term value = report_view_get(fault, key);
    text_table_add(table, "%s",
                   value.data ? text_duration(&number, report_view_count(fault, key, 0) * 1000) : "-");
}

/* A target that has failed and was not seen to answer since. Of any other without a recovery nobody knows. */
static bool text_faults_is_lost(struct term recovery)
{
    return !report_view_get(recovery, "recovery_ms").data && !report_view_get(recovery, "again_ms").data &&
           report_view_count(recovery, "errors", 0);
}

static void text_faults_add_recovery(struct text_table *table, struct term map, bool is_touched, bool is_lost)
{
    if (is_touched && !report_view_get(map, "recovery_ms").data)
        text_table_add(table, "%s", is_lost ? "never" : "not known");
    else
        text_faults_add_ms(table, map, "recovery_ms");
}

/* The daemon has ended before it could look. */
static void text_faults_write_unknown(const struct report_view *view, struct buffer *text)
{
    if (view->outcome == OUTCOME_INTERRUPTED && !view->keys[REPORT_HEALED].data)
        buffer_print(text, "%*sNOT KNOWN  whether what was held when the daemon ended is undone\n",
                     REPORT_TEXT_INDENT, "");
}

static void text_faults_write_left(struct term healed, struct buffer *text)
{
    static const struct text_column columns[] = {{.title = NULL}, {.title = NULL, .flexible = true}};
    struct text_table table;
    struct term_list list;
    struct term left;
    if (!healed.data || !term_list_start(&list, healed) || !list.count)
        return;
    text_table_init(&table, columns, ARRAY_LENGTH(columns));
    while (table.cell_count < 2 * FAULTS_SHOWN && term_list_next(&list, &left)) {
        text_table_add(&table, "NOT UNDONE");
        text_faults_add_term(&table, left);
    }
    text_table_write(&table, REPORT_TEXT_INDENT, text);
    text_table_free(&table);
    report_text_more(text, list.count, FAULTS_SHOWN);
}

/* The next of a fault's targets, as recovery is told of them. */
static bool text_faults_next_recovery(struct term_list *recoveries, struct term *recovery,
                                      struct term *target)
{
    if (!term_list_next(recoveries, recovery))
        return false;
    *target = report_view_get(*recovery, "target");
    return true;
}

static bool text_faults_start_recoveries(struct term fault, struct term_list *recoveries)
{
    struct term found = report_view_get(fault, "recovery");
    return found.data && term_list_start(recoveries, found) && recoveries->count;
}

/* Of all targets that a fault has touched: one that is lost is told before those of whom nobody knows. */
static void text_faults_add_longest(struct text_table *table, struct term fault)
{
    struct term_list recoveries;
    struct term recovery, target;
    bool is_touched = text_faults_start_recoveries(fault, &recoveries), is_lost = false;
    while (is_touched && text_faults_next_recovery(&recoveries, &recovery, &target))
        is_lost = is_lost || text_faults_is_lost(recovery);
    text_faults_add_recovery(table, fault, is_touched, is_lost);
}

/* Whether its line says all: it has one target at most, which is a pid or a name. */
static bool text_faults_says_all(struct term fault)
{
    struct term_list recoveries;
    struct term recovery, target, parts[2];
    if (!text_faults_start_recoveries(fault, &recoveries))
        return true;
    if (recoveries.count > 1 || !text_faults_next_recovery(&recoveries, &recovery, &target))
        return false;
    return !target.data || term_type(target) != TERM_TUPLE ||
           (term_read_tuple_of(target, 2, parts) && term_type(parts[1]) == TERM_ATOM);
}

/* Of each target that a fault has touched, where the faults' own lines do not say it. */
static void text_faults_write_recoveries(struct term injections, struct buffer *text)
{
    static const struct text_column columns[] = {{.title = "at", .right = true},
                                                 {.title = "target", .flexible = true},
                                                 {.title = "recovered in", .right = true},
                                                 {.title = "errors", .right = true},
                                                 {.title = "last error", .right = true}};
    struct text_table table;
    struct term_list list, recoveries;
    struct term fault, recovery, target;
    struct text_number number;
    size_t count = 0;
    bool says_all = true;
    if (!term_list_start(&list, injections))
        return;
    text_table_init(&table, columns, ARRAY_LENGTH(columns));
    while (term_list_next(&list, &fault)) {
        says_all = says_all && text_faults_says_all(fault);
        if (!text_faults_start_recoveries(fault, &recoveries))
            continue;
        while (text_faults_next_recovery(&recoveries, &recovery, &target)) {
            if (++count > FAULTS_SHOWN)
                continue;
            text_faults_add_ms(&table, fault, "at_ms");
            text_faults_add_term(&table, target);
            text_faults_add_recovery(&table, recovery, true, text_faults_is_lost(recovery));
            text_table_add(&table, "%s", text_count(&number, report_view_count(recovery, "errors", 0)));
            text_faults_add_ms(&table, recovery, "last_error_ms");
        }
    }
    if (!says_all) {
        report_text_heading(text, "Recovery of each target");
        text_table_write(&table, REPORT_TEXT_INDENT, text);
        report_text_more(text, count, FAULTS_SHOWN);
    }
    text_table_free(&table);
}

void report_text_faults(const struct report_view *view, struct buffer *text)
{
    static const struct text_column columns[] = {
        {.title = "at", .right = true},        {.title = "kind"},
        {.title = "target", .flexible = true}, {.title = "outcome"},
        {.title = "lasted", .right = true},    {.title = "recovered in", .right = true},
        {.title = "errors", .right = true},
    };
    struct term injections = view->keys[REPORT_INJECTIONS];
    struct text_table table;
    struct term_list list;
    struct term fault;
    struct text_number number;
    char outcome[30];
    if (!injections.data || !term_list_start(&list, injections) || !list.count)
        return;
    text_table_init(&table, columns, ARRAY_LENGTH(columns));
    while (table.cell_count < ARRAY_LENGTH(columns) * FAULTS_SHOWN && term_list_next(&list, &fault)) {
        struct term came_of_it = report_view_get(fault, "outcome");
        text_faults_add_ms(&table, fault, "at_ms");
        text_faults_add_term(&table, report_view_get(fault, "kind"));
        text_faults_add_target(&table, fault);
        text_table_add(&table, "%s", came_of_it.data ? term_text(came_of_it, outcome, sizeof(outcome)) : "-");
        text_faults_add_ms(&table, fault, "duration_ms");
        text_faults_add_longest(&table, fault);
        text_table_add(&table, "%s", text_count(&number, report_view_count(fault, "errors", 0)));
    }
    report_text_heading(text, "Faults: %zu", list.count);
    text_table_write(&table, REPORT_TEXT_INDENT, text);
    text_table_free(&table);
    report_text_more(text, list.count, FAULTS_SHOWN);
    text_faults_write_left(view->keys[REPORT_HEALED], text);
    text_faults_write_unknown(view, text);
    text_faults_write_recoveries(injections, text);
}

/* --- Dry runs --- */

/* 500 ms, 1.50 s, ... */
static void text_faults_add_times(struct text_table *table, struct term times)
{
    enum { SHOWN = 4 };
    char text[100] = "";
    struct term_list list;
    struct term time;
    struct text_number number;
    int64_t ms;
    if (!times.data || !term_list_start(&list, times) || !list.count) {
        text_table_add(table, "never");
        return;
    }
    for (size_t i = 0; i < SHOWN && term_list_next(&list, &time); i++) {
        size_t used = strlen(text);
        if (term_read_integer(time, &ms) && ms >= 0)
            snprintf(text + used, sizeof(text) - used, "%s%s", i ? ", " : "",
                     text_duration(&number, (uint64_t)ms * 1000));
    }
    text_table_add(table, "%s%s", text, list.count > SHOWN ? ", ..." : "");
}

void report_text_plans(const struct report_view *view, struct buffer *text)
{
    static const struct text_column columns[] = {{.title = "at"},
                                                 {.title = "kind"},
                                                 {.title = "target", .flexible = true},
                                                 {.title = "problem"},
                                                 {.title = "warning"}};
    struct text_table table;
    struct term_list list;
    struct term plan;
    char problem[40];
    if (!view->keys[REPORT_DRY_RUN].data || !view->keys[REPORT_CHAOS].data ||
        !term_list_start(&list, view->keys[REPORT_CHAOS]) || !list.count)
        return;
    text_table_init(&table, columns, ARRAY_LENGTH(columns));
    while (table.cell_count < ARRAY_LENGTH(columns) * FAULTS_SHOWN && term_list_next(&list, &plan)) {
        struct term wrong = report_view_get(plan, "problem");
        text_faults_add_times(&table, report_view_get(plan, "at_ms"));
        text_faults_add_term(&table, report_view_get(plan, "kind"));
        text_faults_add_target(&table, plan);
        text_table_add(&table, "%s", wrong.data ? term_text(wrong, problem, sizeof(problem)) : "");
        wrong = report_view_get(plan, "warning");
        text_table_add(&table, "%s", wrong.data ? term_text(wrong, problem, sizeof(problem)) : "");
    }
    report_text_heading(text, "Faults that would be injected");
    text_table_write(&table, REPORT_TEXT_INDENT, text);
    text_table_free(&table);
    report_text_more(text, list.count, FAULTS_SHOWN);
}
