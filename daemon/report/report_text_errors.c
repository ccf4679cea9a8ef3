/* Errors: how many there are of each reason, and one of each class with where it came from. */
#include <stdio.h>
#include <string.h>

#include "report/text_number.h"
#include "report_text_private.h"
#include "term/term_read.h"
#include "term/term_text.h"
#include "text_table_private.h"

#define ERRORS_SHOWN 20
#define SAMPLES_SHOWN 10
#define FRAMES_SHOWN 8
#define SAMPLE_LINES 4
#define SAMPLE_INDENT 6

/* --- Counts --- */

static uint64_t text_errors_count_of(struct term value)
{
    int64_t number;
    return term_read_integer(value, &number) && number > 0 ? (uint64_t)number : 0;
}

static void text_errors_write_counts(const struct report_view *view, struct buffer *text)
{
    static const struct text_column columns[] = {{.title = "count", .right = true},
                                                 {.title = "reason", .flexible = true}};
    struct report_text_counted errors[REPORT_TEXT_COUNTED];
    struct text_table table;
    struct text_number figure;
    char content[REPORT_TEXT_TERM_BYTES];
    size_t count = report_text_sort(view->keys[REPORT_ERRORS], text_errors_count_of, errors);
    if (!count)
        return;
    text_table_init(&table, columns, ARRAY_LENGTH(columns));
    for (size_t i = 0; i < count && i < ERRORS_SHOWN; i++) {
        text_table_add(&table, "%s", text_count(&figure, errors[i].count));
        text_table_add(&table, "%s", term_text(errors[i].key, content, sizeof(content)));
    }
    report_text_heading(text, "Errors");
    text_table_write(&table, REPORT_TEXT_INDENT, text);
    text_table_free(&table);
    report_text_more(text, count, ERRORS_SHOWN);
}

/* --- Samples --- */

enum { SAMPLE_LINE = TEXT_WIDTH - SAMPLE_INDENT };

static void text_errors_write_reason(struct term reason, struct buffer *text)
{
    char content[SAMPLE_LINES * SAMPLE_LINE];
    for (const char *at = term_text(reason, content, sizeof(content)); *at;) {
        size_t size = strnlen(at, SAMPLE_LINE);
        while (size && at[size] && ((unsigned char)at[size] & 0xc0) == 0x80) /* a character stays whole */
            size--;
        buffer_print(text, "%*s%.*s\n", SAMPLE_INDENT, "", (int)size, at);
        at += size;
    }
}

static int64_t text_errors_arity_of(struct term arguments)
{
    struct term_list list;
    int64_t arity = 0;
    if (!term_read_integer(arguments, &arity) && term_list_start(&list, arguments))
        arity = (int64_t)list.count;
    return arity;
}

/* `in Module:function/arity`, with the line where it is known. */
static void text_errors_write_frame(const struct term frame[4], struct buffer *text)
{
    char module[REPORT_TEXT_TERM_BYTES], function[REPORT_TEXT_TERM_BYTES], line[TEXT_WIDTH + 1];
    struct term at;
    int64_t number = 0;
    int size =
        snprintf(line, sizeof(line), "%*sin %s:%s/%lld", SAMPLE_INDENT, "",
                 term_text(frame[0], module, sizeof(module)), term_text(frame[1], function, sizeof(function)),
                 (long long)text_errors_arity_of(frame[2]));
    buffer_print(text, "%s", line);
    if (size < TEXT_WIDTH - 12 && term_pairs_get(frame[3], "line", &at) && term_read_integer(at, &number))
        buffer_print(text, " line %lld", (long long)number);
    buffer_print(text, "\n");
}

static bool text_errors_write_stack(struct term stack, struct buffer *text)
{
    struct term_list list;
    struct term element, frame[4];
    size_t shown = 0;
    if (!term_list_start(&list, stack))
        return false;
    while (shown < FRAMES_SHOWN && term_list_next(&list, &element) && term_read_tuple_of(element, 4, frame) &&
           term_type(frame[1]) == TERM_ATOM) {
        text_errors_write_frame(frame, text);
        shown++;
    }
    return shown > 0;
}

/* {Reason, Stack}, or what else it is. */
static void text_errors_write_sample(struct term sample, struct buffer *text)
{
    struct term parts[2];
    struct buffer stack = {0};
    bool has_stack = term_read_tuple_of(sample, 2, parts) && text_errors_write_stack(parts[1], &stack);
    text_errors_write_reason(has_stack ? parts[0] : sample, text);
    buffer_append(text, buffer_bytes(&stack), stack.size);
    buffer_free(&stack);
}

/* Of an atom the table of counts says it all. */
static bool text_errors_write_one(struct term one, struct buffer *text)
{
    struct text_number count, first, last;
    char operation[60] = "?";
    struct term sample = report_view_get(one, "sample"), of = report_view_get(one, "operation");
    if (!sample.data || term_type(sample) == TERM_ATOM)
        return false;
    if (of.data)
        term_text(of, operation, sizeof(operation));
    buffer_print(text, "  %s, the first of %s, from %s to %s\n",
                 text_count(&count, report_view_count(one, "count", 0)), operation,
                 text_duration(&first, report_view_count(one, "first_at_ms", 0) * 1000),
                 text_duration(&last, report_view_count(one, "last_at_ms", 0) * 1000));
    text_errors_write_sample(sample, text);
    return true;
}

static void text_errors_write_samples(struct term samples, struct buffer *text)
{
    struct buffer written = {0};
    struct term_list list;
    struct term one;
    size_t shown = 0;
    if (!samples.data || !term_list_start(&list, samples))
        return;
    while (shown < SAMPLES_SHOWN && term_list_next(&list, &one))
        shown += text_errors_write_one(one, &written);
    if (shown)
        report_text_heading(text, "Errors, one of each class");
    buffer_append(text, buffer_bytes(&written), written.size);
    buffer_free(&written);
}

void report_text_errors(const struct report_view *view, struct buffer *text)
{
    text_errors_write_counts(view, text);
    text_errors_write_samples(view->keys[REPORT_ERROR_SAMPLES], text);
}
