/* The parts of a report's text; each appends a section, or nothing when there is nothing to say. */
#ifndef HARNESSD_REPORT_REPORT_TEXT_PRIVATE_H
#define HARNESSD_REPORT_REPORT_TEXT_PRIVATE_H

#include "report/report_view.h"
#include "text_table_private.h"

#define REPORT_TEXT_INDENT 2
#define REPORT_TEXT_TERM_BYTES 400

/* A long text in a table whose first column is a label, and so many lines of it. */
#define REPORT_TEXT_LINE (TEXT_WIDTH - REPORT_TEXT_INDENT - 16)
#define REPORT_TEXT_LINES 6

void report_text_suite(const struct report_view *view, struct buffer *text);
void report_text_errors(const struct report_view *view, struct buffer *text);
void report_text_latency(const struct report_view *view, struct buffer *text);
void report_text_why(const struct report_view *view, struct buffer *text);
void report_text_timeline(const struct report_view *view, struct buffer *text);
void report_text_faults(const struct report_view *view, struct buffer *text);
void report_text_plans(const struct report_view *view, struct buffer *text);

/* What a map has counted, such as errors or operations. */
struct report_text_counted {
    struct term key;
    struct term value;
    uint64_t count;
};

#define REPORT_TEXT_COUNTED 1000

/* Sorts what a map has counted, the most first and `other` last, whatever order the map has it in; what has
 * no count is left out. Answers how many there are, at most REPORT_TEXT_COUNTED. */
size_t report_text_sort(struct term map, uint64_t (*count_of)(struct term value),
                        struct report_text_counted counted[REPORT_TEXT_COUNTED]);

/* A long text, on lines of its own, behind a label in two columns. */
void report_text_add_wrapped(struct text_table *table, const char *label, const char *at);

/* An empty line and a heading. */
void report_text_heading(struct buffer *text, const char *format, ...) PRINTF_LIKE(2, 3);

/* `... and 12 more`, when there are more than were shown. */
void report_text_more(struct buffer *text, size_t all, size_t shown);

/* Of a share, from 0 to 1, of `width` characters; a little is never nothing. `bar` has room for a NUL. */
void report_text_bar(char *bar, size_t width, double share);

/* A term as its text: of a binary that is text the characters, without brackets. Returns `text`. */
char *report_text_term(struct term term, char *text, size_t room);

/* Why something has failed: the exception of {Exception, Stack} as "RuntimeError: no more"; `stack` is
 * without data where there is none. Returns `text`. */
char *report_text_failure(struct term failure, char *text, size_t room, struct term *stack);

#endif
