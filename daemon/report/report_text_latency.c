/* Latencies and the course of the load. */
#include <stdio.h>
#include <string.h>

#include "report/text_number.h"
#include "report_text_private.h"
#include "term/term_read.h"
#include "term/term_text.h"
#include "text_table_private.h"

/* --- The table --- */

static const struct {
    const char *key;
    const char *title;
    const char *interval_key; /* NULL: it has none */
} quantiles[] = {{"min_us", "min", NULL},        {"p50_us", "p50", "p50_us_ci"},
                 {"p90_us", "p90", "p90_us_ci"}, {"p95_us", "p95", "p95_us_ci"},
                 {"p99_us", "p99", "p99_us_ci"}, {"p999_us", "p99.9", "p999_us_ci"},
                 {"max_us", "max", NULL}};

static bool text_latency_has_values(struct term stats)
{
    return report_view_count(stats, "count", 0) > 0;
}

static void text_latency_add_stats(struct text_table *table, const char *name, struct term stats)
{
    struct text_number number;
    if (!text_latency_has_values(stats))
        return;
    text_table_add(table, "%s", name);
    text_table_add(table, "%s", text_count(&number, report_view_count(stats, "count", 0)));
    for (size_t i = 0; i < ARRAY_LENGTH(quantiles); i++)
        text_table_add(table, "%s", text_duration(&number, report_view_count(stats, quantiles[i].key, 0)));
}

static uint64_t text_latency_count_of_stats(struct term stats)
{
    return report_view_count(stats, "count", 0);
}

/* Of several operations each its own. */
static void text_latency_add_operations(struct text_table *table, struct term operations)
{
    struct report_text_counted counted[REPORT_TEXT_COUNTED];
    char name[REPORT_TEXT_TERM_BYTES];
    size_t count = report_text_sort(operations, text_latency_count_of_stats, counted);
    for (size_t i = 0; count > 1 && i < count; i++)
        text_latency_add_stats(table, term_text(counted[i].key, name, sizeof(name)), counted[i].value);
}

/* Of one that is not known there are too few operations, or none is told. */
static void text_latency_add_interval_of(struct text_table *table, struct term stats, const char *key)
{
    struct text_number low, high;
    struct term interval = key ? report_view_get(stats, key) : (struct term){0}, ends[2];
    int64_t us[2];
    bool is_known[2];
    if (!interval.data || !term_read_tuple_of(interval, 2, ends)) {
        text_table_add(table, "%s", "");
        return;
    }
    for (size_t i = 0; i < 2; i++)
        is_known[i] = term_read_integer(ends[i], &us[i]) && us[i] >= 0;
    if (is_known[0] && is_known[1])
        text_table_add(table, "%s to %s", text_duration(&low, (uint64_t)us[0]),
                       text_duration(&high, (uint64_t)us[1]));
    else if (is_known[0])
        text_table_add(table, "%s or more", text_duration(&low, (uint64_t)us[0]));
    else if (is_known[1])
        text_table_add(table, "%s or less", text_duration(&high, (uint64_t)us[1]));
    else
        text_table_add(table, "too few");
}

/* How long the shares of the operations have taken, to be seen at a glance, and how sure that is. */
static void text_latency_write_bars(struct term stats, struct buffer *text)
{
    static const struct text_column columns[] = {
        {.title = ""}, {.title = "", .right = true}, {.title = "95 % interval"}, {.title = ""}};
    enum { WIDTH = 50 };
    struct text_table table;
    struct text_number number;
    char bar[WIDTH + 1];
    uint64_t most = report_view_count(stats, "max_us", 0);
    text_table_init(&table, columns, ARRAY_LENGTH(columns));
    for (size_t i = 0; i < ARRAY_LENGTH(quantiles); i++) {
        uint64_t us = report_view_count(stats, quantiles[i].key, 0);
        report_text_bar(bar, WIDTH, most ? (double)us / (double)most : 0);
        text_table_add(&table, "%s", quantiles[i].title);
        text_table_add(&table, "%s", text_duration(&number, us));
        text_latency_add_interval_of(&table, stats, quantiles[i].interval_key);
        text_table_add(&table, "%s", bar);
    }
    buffer_print(text, "\n");
    text_table_write(&table, REPORT_TEXT_INDENT, text);
    text_table_free(&table);
}

void report_text_latency(const struct report_view *view, struct buffer *text)
{
    struct term latency = view->keys[REPORT_LATENCY], overall = report_view_get(latency, "overall");
    struct term failed = report_view_get(report_view_get(latency, "failed"), "overall");
    struct text_column columns[2 + ARRAY_LENGTH(quantiles)] = {{.title = "", .flexible = true},
                                                               {.title = "count", .right = true}};
    struct text_table table;
    if (!text_latency_has_values(overall) && !text_latency_has_values(failed))
        return;
    for (size_t i = 0; i < ARRAY_LENGTH(quantiles); i++)
        columns[2 + i] = (struct text_column){.title = quantiles[i].title, .right = true};
    text_table_init(&table, columns, ARRAY_LENGTH(columns));
    text_latency_add_stats(&table, "all", overall);
    text_latency_add_operations(&table, report_view_get(latency, "operations"));
    text_latency_add_stats(&table, "from their send",
                           report_view_get(report_view_get(latency, "service"), "overall"));
    text_latency_add_stats(&table, "sent late by", report_view_get(latency, "start_delay"));
    text_latency_add_stats(&table, "failed", failed);
    report_text_heading(text, "Response times");
    text_table_write(&table, REPORT_TEXT_INDENT, text);
    text_table_free(&table);
    if (text_latency_has_values(overall))
        text_latency_write_bars(overall, text);
}

/* --- The course of the load --- */

#define ROWS 20
#define MARKS 64 /* that differ: kinds of faults, each injected, undone or left */
#define MARK_BYTES 100
#define MARKS_INDENT 10

/* What has happened in an interval, such as that a fault was injected, and how often. */
struct mark {
    struct term fault;
    struct term event;
    size_t count;
};

/* Some intervals together. */
struct course {
    uint64_t at_ms;
    uint64_t ms;
    uint64_t operations;
    uint64_t errors;
    uint64_t p99_us; /* the worst; 0: none */
    uint64_t in_flight;
    uint64_t mailbox;
    bool has_mailbox; /* it was observed */
    struct mark marks[MARKS];
    size_t mark_count;
};

static uint64_t text_latency_sum_of(struct term counts)
{
    struct term_pairs pairs;
    struct term key, value;
    int64_t number;
    uint64_t sum = 0;
    if (!counts.data || !term_pairs_start(&pairs, counts))
        return 0;
    while (term_pairs_next(&pairs, &key, &value))
        if (term_read_integer(value, &number) && number > 0)
            sum += (uint64_t)number;
    return sum;
}

static void text_latency_add_mark(struct course *course, struct term fault, struct term event)
{
    size_t i = 0;
    while (i < course->mark_count &&
           !(term_same(course->marks[i].fault, fault) && term_same(course->marks[i].event, event)))
        i++;
    if (i == MARKS)
        return;
    if (i == course->mark_count)
        course->marks[course->mark_count++] = (struct mark){.fault = fault, .event = event};
    course->marks[i].count++;
}

static void text_latency_add_marks(struct course *course, struct term marks)
{
    struct term_list list;
    struct term mark;
    if (!marks.data || !term_list_start(&list, marks))
        return;
    while (term_list_next(&list, &mark)) {
        struct term fault = report_view_get(mark, "fault"), event = report_view_get(mark, "event");
        if (fault.data && event.data && term_type(fault) == TERM_ATOM && term_type(event) == TERM_ATOM)
            text_latency_add_mark(course, fault, event);
    }
}

/* suspend injected, or kill_children injected (3) */
static size_t text_latency_print_mark(const struct mark *mark, char text[MARK_BYTES])
{
    char fault[32], event[32], count[24] = "";
    if (mark->count > 1)
        snprintf(count, sizeof(count), " (%zu)", mark->count);
    snprintf(text, MARK_BYTES, "%s %s%s", term_text(mark->fault, fault, sizeof(fault)),
             term_text(mark->event, event, sizeof(event)), count);
    return strlen(text);
}

/* Behind the line of its interval, of which `used` columns are taken, if they all have room there, else on
 * lines below it. */
static void text_latency_write_marks(const struct course *course, size_t used, struct buffer *text)
{
    char mark[MARK_BYTES];
    size_t all = used;
    for (size_t i = 0; i < course->mark_count; i++)
        all += 2 + text_latency_print_mark(&course->marks[i], mark);
    bool is_behind = all <= TEXT_WIDTH;
    size_t column = 0;
    for (size_t i = 0; i < course->mark_count; i++) {
        const char *comma = i + 1 < course->mark_count ? "," : "";
        size_t size = text_latency_print_mark(&course->marks[i], mark) + strlen(comma);
        if (!is_behind && (i == 0 || column + 1 + size > TEXT_WIDTH)) {
            buffer_print(text, "\n%*s", MARKS_INDENT, "");
            column = MARKS_INDENT;
        } else {
            buffer_print(text, i ? " " : "  ");
            column++;
        }
        buffer_print(text, "%s%s", mark, comma);
        column += size;
    }
    buffer_print(text, "\n");
}

/* The lines of a table of the courses, each with its marks. */
static void text_latency_write_marked(const struct course *courses, const struct text_table *table,
                                      struct buffer *text)
{
    struct buffer lines = {0};
    text_table_write(table, REPORT_TEXT_INDENT, &lines);
    buffer_append(&lines, "", 1);
    size_t index = 0;
    for (const char *line = (const char *)buffer_bytes(&lines); *line; index++) {
        size_t size = strcspn(line, "\n");
        buffer_append(text, line, size);
        if (index)
            text_latency_write_marks(&courses[index - 1], size, text);
        else
            buffer_print(text, "\n");
        line += size + 1;
    }
    buffer_free(&lines);
}

static uint64_t text_latency_greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void text_latency_add_interval(struct course *course, struct term interval)
{
    if (!course->ms)
        course->at_ms = report_view_count(interval, "at_ms", 0);
    course->ms += report_view_count(interval, "interval_ms", 0);
    course->operations += report_view_count(interval, "operations", 0);
    course->errors += text_latency_sum_of(report_view_get(interval, "errors"));
    course->p99_us = text_latency_greater(course->p99_us, report_view_count(interval, "p99_us", 0));
    course->in_flight = text_latency_greater(course->in_flight, report_view_count(interval, "in_flight", 0));
    course->mailbox = text_latency_greater(course->mailbox, report_view_count(interval, "mailbox", 0));
    course->has_mailbox |= report_view_get(interval, "mailbox").data != NULL;
    text_latency_add_marks(course, report_view_get(interval, "marks"));
}

static double text_latency_rate_of(const struct course *course)
{
    return course->ms ? (double)course->operations * 1000 / (double)course->ms : 0;
}

static void text_latency_write_courses(const struct course *courses, size_t count, struct buffer *text)
{
    static const struct text_column columns[] = {
        {.title = "from", .right = true},
        {.title = "ops/s", .right = true},
        {.title = ""},
        {.title = "errors", .right = true},
        {.title = "p99", .right = true},
        {.title = "in flight", .right = true},
        {.title = "mailbox", .right = true},
    };
    enum { WIDTH = 20 };
    struct text_table table;
    struct text_number number;
    char bar[WIDTH + 1];
    double most = 0;
    for (size_t i = 0; i < count; i++)
        most = text_latency_rate_of(&courses[i]) > most ? text_latency_rate_of(&courses[i]) : most;
    text_table_init(&table, columns, ARRAY_LENGTH(columns));
    for (size_t i = 0; i < count; i++) {
        const struct course *course = &courses[i];
        report_text_bar(bar, WIDTH, most > 0 ? text_latency_rate_of(course) / most : 0);
        text_table_add(&table, "%s", text_duration(&number, course->at_ms * 1000));
        text_table_add(&table, "%s", text_rate(&number, text_latency_rate_of(course)));
        text_table_add(&table, "%s", bar);
        text_table_add(&table, "%s", text_count(&number, course->errors));
        text_table_add(&table, "%s", course->p99_us ? text_duration(&number, course->p99_us) : "-");
        text_table_add(&table, "%s", text_count(&number, course->in_flight));
        text_table_add(&table, "%s", course->has_mailbox ? text_count(&number, course->mailbox) : "-");
    }
    text_latency_write_marked(courses, &table, text);
    text_table_free(&table);
}

void report_text_timeline(const struct report_view *view, struct buffer *text)
{
    struct course courses[ROWS] = {{0}};
    struct term_list list;
    struct term interval;
    size_t each, index = 0;
    if (!view->keys[REPORT_TIMELINE].data || !term_list_start(&list, view->keys[REPORT_TIMELINE]) ||
        list.count < 2)
        return;
    each = (list.count + ROWS - 1) / ROWS;
    for (; term_list_next(&list, &interval); index++)
        text_latency_add_interval(&courses[index / each], interval);
    if (each > 1)
        report_text_heading(text, "Course of the load (of %zu intervals each the worst p99)", each);
    else
        report_text_heading(text, "Course of the load");
    text_latency_write_courses(courses, (index + each - 1) / each, text);
}
