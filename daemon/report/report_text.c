#include "report/report_text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/text_number.h"
#include "report_text_private.h"
#include "term/term_read.h"
#include "term/term_text.h"
#include "text_table_private.h"

#define METADATA_SHOWN 10
#define STACK_LINES 2
#define WARNING_LINES 40

void report_text_heading(struct buffer *text, const char *format, ...)
{
    char line[TEXT_WIDTH + 1];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    buffer_print(text, "\n%s\n", line);
}

void report_text_more(struct buffer *text, size_t all, size_t shown)
{
    if (all > shown)
        buffer_print(text, "%*s... and %zu more\n", REPORT_TEXT_INDENT, "", all - shown);
}

void report_text_bar(char *bar, size_t width, double share)
{
    size_t length = share > 0 ? (size_t)ceil(fmin(share, 1) * (double)width) : 0;
    memset(bar, '#', length);
    bar[length] = '\0';
}

static int64_t report_text_integer_of(struct term value)
{
    int64_t number = 0;
    return value.data && term_read_integer(value, &number) ? number : 0;
}

/* --- What came of it --- */

static void report_text_add_share(struct text_table *table, uint64_t errors, uint64_t operations,
                                  uint64_t dropped)
{
    struct text_number count, lost;
    char share[40] = "", drops[80] = "";
    if (errors && operations)
        snprintf(share, sizeof(share), " (%.3g %%)", 100.0 * (double)errors / (double)operations);
    if (dropped)
        snprintf(drops, sizeof(drops), ", and %s arrivals dropped", text_count(&lost, dropped));
    text_table_add(table, "errors");
    text_table_add(table, "%s%s%s", text_count(&count, errors), share, drops);
}

/* Of what was measured in whole milliseconds. */
static const char *report_text_ms(struct text_number *number, uint64_t ms)
{
    return ms ? text_duration(number, ms * 1000) : "less than 1 ms";
}

/* 12,345 by 8 threads in 2.00 s, 6,173/s. The operations of an open load are nobody's: its threads are the
 * room that it has for those at once. Too short a time has no rate. */
static void report_text_add_operations(struct text_table *table, struct term metrics, uint64_t operations)
{
    struct text_number count, threads, per_second, duration;
    struct term load = report_view_get(metrics, "load");
    uint64_t thread_count = report_view_count(metrics, "thread_count", 0);
    uint64_t ms = report_view_count(metrics, "duration_ms", 0);
    char by[60] = "", rate[60] = "";
    if (!load.data || !term_is_atom(load, "open"))
        snprintf(by, sizeof(by), " by %s thread%s", text_count(&threads, thread_count),
                 thread_count == 1 ? "" : "s");
    if (ms)
        snprintf(rate, sizeof(rate), ", %s/s",
                 text_rate(&per_second, (double)operations * 1000 / (double)ms));
    text_table_add(table, "operations");
    text_table_add(table, "%s%s in %s%s", text_count(&count, operations), by, report_text_ms(&duration, ms),
                   rate);
}

/* What is sent without waiting for an answer has no response time. */
static void report_text_add_unanswered(struct text_table *table, struct term latency, uint64_t operations)
{
    struct text_number number;
    struct term overall = report_view_get(latency, "overall");
    struct term failed = report_view_get(report_view_get(latency, "failed"), "overall");
    uint64_t answered =
        report_view_count(overall, "count", operations) + report_view_count(failed, "count", 0);
    if (answered >= operations)
        return;
    text_table_add(table, "%s", "");
    text_table_add(table, "%s of them without an answer to wait for ($cast, $send)",
                   text_count(&number, operations - answered));
}

static void report_text_add_unfinished(struct text_table *table, uint64_t unfinished)
{
    struct text_number number;
    if (!unfinished)
        return;
    text_table_add(table, "unfinished");
    text_table_add(table, "%s, under way when the load was cut short", text_count(&number, unfinished));
}

static void report_text_add_metrics(struct text_table *table, const struct report_view *view)
{
    struct term metrics = view->keys[REPORT_METRICS];
    struct text_number all;
    uint64_t operations = report_view_count(metrics, "total_operations", 0);
    if (!metrics.data)
        return;
    report_text_add_operations(table, metrics, operations);
    report_text_add_unanswered(table, view->keys[REPORT_LATENCY], operations);
    report_text_add_share(table, report_view_count(metrics, "operation_errors", 0), operations,
                          report_view_count(metrics, "dropped", 0));
    report_text_add_unfinished(table, report_view_count(metrics, "unfinished", 0));
    text_table_add(table, "time in all");
    text_table_add(table, "%s", report_text_ms(&all, report_view_count(metrics, "overall_duration_ms", 0)));
}

/* Of one target, or the longest of several. */
static void report_text_add_mailbox(struct text_table *table, struct term mailbox)
{
    struct term_list list;
    struct term one;
    struct text_number most, last;
    uint64_t longest = 0;
    if (!mailbox.data)
        return;
    text_table_add(table, "mailbox");
    if (!term_list_start(&list, mailbox)) {
        text_table_add(table, "%s at most, %s at the end",
                       text_count(&most, report_view_count(mailbox, "max_size", 0)),
                       text_count(&last, report_view_count(mailbox, "final_size", 0)));
        return;
    }
    while (term_list_next(&list, &one)) {
        uint64_t size = report_view_count(one, "max_size", 0);
        longest = size > longest ? size : longest;
    }
    text_table_add(table, "%s at most, of %zu targets", text_count(&most, longest), list.count);
}

/* Only who expects something of it has asked for it. */
static void report_text_add_performance(struct text_table *table, const struct report_view *view)
{
    struct text_number memory, reductions;
    struct term performance = view->keys[REPORT_PERFORMANCE];
    if (!performance.data ||
        (!report_view_expects(view, "max_memory_bytes") && !report_view_expects(view, "max_reductions")))
        return;
    text_table_add(table, "hooks' node");
    text_table_add(table, "memory grew by %s bytes, %s reductions of the session",
                   text_count(&memory, report_view_count(performance, "memory_bytes", 0)),
                   text_count(&reductions, report_view_count(performance, "reductions", 0)));
}

static void report_text_add_metadata(struct text_table *table, struct term metadata)
{
    struct term_pairs pairs;
    struct term key, value;
    char name[REPORT_TEXT_TERM_BYTES], content[REPORT_TEXT_TERM_BYTES];
    size_t shown = 0;
    if (!metadata.data || !term_pairs_start(&pairs, metadata))
        return;
    while (shown < METADATA_SHOWN && term_pairs_next(&pairs, &key, &value)) {
        if (term_is_atom(key, "scenario_id"))
            continue;
        text_table_add(table, "%s", shown++ ? "" : "metadata");
        text_table_add(table, "%s: %s", term_text(key, name, sizeof(name)),
                       report_text_term(value, content, sizeof(content)));
    }
}

/* How much of a text goes on a line: up to a space or a comma, if there is one in its second half; a
 * character of several bytes stays whole. */
static size_t report_text_line_size(const char *text)
{
    size_t size = strnlen(text, REPORT_TEXT_LINE);
    if (!text[size])
        return size;
    for (size_t i = size; i > REPORT_TEXT_LINE / 2; i--)
        if (text[i - 1] == ' ' || text[i - 1] == ',')
            return i;
    while (size && ((unsigned char)text[size] & 0xc0) == 0x80)
        size--;
    return size;
}

void report_text_add_wrapped(struct text_table *table, const char *label, const char *at)
{
    for (bool first = true; first || *at; first = false) {
        size_t size = report_text_line_size(at), shown = size;
        while (shown && at[shown - 1] == ' ')
            shown--;
        text_table_add(table, "%s", first ? label : "");
        text_table_add(table, "%.*s", (int)shown, at);
        at += size;
    }
}

/* The exception, and where it was raised. */
static void report_text_add_cleanup(struct text_table *table, struct term failure)
{
    struct term stack;
    char content[REPORT_TEXT_LINES * REPORT_TEXT_LINE], place[STACK_LINES * REPORT_TEXT_LINE];
    report_text_add_wrapped(table, "cleanup failed",
                            report_text_failure(failure, content, sizeof(content), &stack));
    if (stack.data)
        report_text_add_wrapped(table, "", term_text(stack, place, sizeof(place)));
}

/* Who is not allowed to is told so, and has nothing to count. */
static void report_text_add_refusal(struct text_table *table, const struct report_view *view)
{
    char content[REPORT_TEXT_LINES * REPORT_TEXT_LINE];
    report_text_add_wrapped(table, "reason", report_text_term(view->refusal, content, sizeof(content)));
}

static void report_text_add_recorded(struct text_table *table, const struct report_view *view)
{
    char content[REPORT_TEXT_LINES * REPORT_TEXT_LINE];
    if (view->reason.data && view->outcome != OUTCOME_MISSED && !view->problems.data)
        report_text_add_wrapped(table, "reason", term_text(view->reason, content, sizeof(content)));
    if (view->cleanup.data)
        report_text_add_cleanup(table, view->cleanup);
    report_text_add_metrics(table, view);
    report_text_add_mailbox(table, view->keys[REPORT_MAILBOX]);
    report_text_add_performance(table, view);
    if (view->keys[REPORT_SEED].data) {
        text_table_add(table, "seed");
        text_table_add(table, "%lld", (long long)report_text_integer_of(view->keys[REPORT_SEED]));
    }
    report_text_add_metadata(table, view->keys[REPORT_METADATA]);
}

/* What people have to know before they read on. */
static void report_text_write_warnings(const struct report_view *view, struct buffer *text)
{
    static const struct text_column columns[] = {{.title = NULL}, {.title = NULL}};
    char content[REPORT_TEXT_LINES * REPORT_TEXT_LINE];
    struct text_table table;
    struct term_list list;
    struct term warning;
    if (!view->keys[REPORT_WARNINGS].data || !term_list_start(&list, view->keys[REPORT_WARNINGS]) ||
        !list.count)
        return;
    text_table_init(&table, columns, ARRAY_LENGTH(columns));
    while (table.cell_count < 2 * WARNING_LINES && term_list_next(&list, &warning)) {
        struct term message = report_view_get(warning, "message");
        if (message.data)
            report_text_add_wrapped(&table, "WARNING", report_text_term(message, content, sizeof(content)));
    }
    text_table_write(&table, REPORT_TEXT_INDENT, text);
    text_table_free(&table);
}

static void report_text_write_head(const struct report_view *view, struct buffer *text)
{
    static const struct text_column columns[] = {{.title = NULL}, {.title = NULL, .flexible = true}};
    struct text_table table;
    uint64_t id = report_view_run_id(view);
    buffer_print(text, "Run");
    if (id)
        buffer_print(text, " %llu", (unsigned long long)id);
    buffer_print(text, ": %s\n", report_view_outcome(view));
    report_text_write_warnings(view, text);
    text_table_init(&table, columns, ARRAY_LENGTH(columns));
    if (view->refusal.data)
        report_text_add_refusal(&table, view);
    else
        report_text_add_recorded(&table, view);
    text_table_write(&table, REPORT_TEXT_INDENT, text);
    text_table_free(&table);
    if (view->problems.data)
        report_view_write_problems(view->problems, "  ", text);
}

/* --- Expectations --- */

static void report_text_add_figure(struct text_table *table, struct term value)
{
    struct text_number number;
    int64_t integer;
    double figure;
    if (!value.data)
        text_table_add(table, "-");
    else if (term_read_integer(value, &integer) && integer >= 0)
        text_table_add(table, "%s", text_count(&number, (uint64_t)integer));
    else if (term_read_number(value, &figure))
        text_table_add(table, "%.6g", figure);
    else
        text_table_add(table, "?");
}

static void report_text_add_certainty(struct text_table *table, struct term certain)
{
    bool is_open = certain.data && term_is_atom(certain, "false");
    text_table_add(table, "%s", is_open ? "not certain" : "");
}

static void report_text_write_expectations(const struct report_view *view, struct buffer *text)
{
    static const struct text_column columns[] = {{.title = ""},
                                                 {.title = "expectation"},
                                                 {.title = "measured", .right = true},
                                                 {.title = "limit", .right = true},
                                                 {.title = ""}};
    static const char *const verdicts[] = {
        [REPORT_MET] = "met", [REPORT_MISSED] = "MISSED", [REPORT_NOT_JUDGED] = "not judged"};
    struct text_table table;
    struct term_list list;
    struct term one;
    char name[REPORT_TEXT_TERM_BYTES];
    if (!view->keys[REPORT_EXPECTATIONS].data || !term_list_start(&list, view->keys[REPORT_EXPECTATIONS]) ||
        !list.count)
        return;
    text_table_init(&table, columns, ARRAY_LENGTH(columns));
    while (term_list_next(&list, &one)) {
        struct term expectation = report_view_get(one, "expectation");
        text_table_add(&table, "%s", verdicts[report_view_judge(view, one)]);
        text_table_add(&table, "%s", expectation.data ? term_text(expectation, name, sizeof(name)) : "?");
        report_text_add_figure(&table, report_view_get(one, "measured"));
        report_text_add_figure(&table, report_view_get(one, "limit"));
        report_text_add_certainty(&table, report_view_get(one, "certain"));
    }
    report_text_heading(text, "Expectations");
    text_table_write(&table, REPORT_TEXT_INDENT, text);
    text_table_free(&table);
}

/* --- Counts --- */

static int report_text_by_count(const void *a, const void *b)
{
    const struct report_text_counted *left = a, *right = b;
    bool left_last = term_is_atom(left->key, "other"), right_last = term_is_atom(right->key, "other");
    if (left_last != right_last)
        return left_last ? 1 : -1;
    if (left->count != right->count)
        return left->count < right->count ? 1 : -1;
    size_t common = left->key.size < right->key.size ? left->key.size : right->key.size;
    int order = memcmp(left->key.data, right->key.data, common);
    return order ? order : (left->key.size > right->key.size) - (left->key.size < right->key.size);
}

size_t report_text_sort(struct term map, uint64_t (*count_of)(struct term value),
                        struct report_text_counted counted[REPORT_TEXT_COUNTED])
{
    struct term_pairs pairs;
    struct term key, value;
    size_t size = 0;
    if (!map.data || !term_pairs_start(&pairs, map))
        return 0;
    while (size < REPORT_TEXT_COUNTED && term_pairs_next(&pairs, &key, &value)) {
        uint64_t count = count_of(value);
        if (count)
            counted[size++] = (struct report_text_counted){key, value, count};
    }
    if (size)
        qsort(counted, size, sizeof(*counted), report_text_by_count);
    return size;
}

/* --- The whole --- */

void report_text_write(const struct report_view *view, struct buffer *text)
{
    static void (*const sections[])(const struct report_view *view, struct buffer *text) = {
        report_text_write_head, report_text_suite,   report_text_write_expectations,
        report_text_errors,     report_text_latency, report_text_why,
        report_text_timeline,   report_text_faults,  report_text_plans,
    };
    size_t count = view->refusal.data ? 1 : ARRAY_LENGTH(sections);
    for (size_t i = 0; i < count; i++)
        sections[i](view, text);
}
