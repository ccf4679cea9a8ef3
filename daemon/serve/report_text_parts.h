/* The parts of a report's text; each appends a section, or nothing when there is nothing to say. */
#ifndef HARNESSD_SERVE_REPORT_TEXT_PARTS_H
#define HARNESSD_SERVE_REPORT_TEXT_PARTS_H

#include "serve/report_view.h"

#define REPORT_TEXT_INDENT 2
#define REPORT_TEXT_TERM_BYTES 400

void report_text_latency(const struct report_view *view, struct buffer *text);
void report_text_timeline(const struct report_view *view, struct buffer *text);
void report_text_faults(const struct report_view *view, struct buffer *text);
void report_text_plans(const struct report_view *view, struct buffer *text);

/* An empty line and a heading. */
void report_text_heading(struct buffer *text, const char *format, ...) PRINTF_LIKE(2, 3);

/* `... and 12 more`, when there are more than were shown. */
void report_text_more(struct buffer *text, size_t all, size_t shown);

/* Of a share, from 0 to 1, of `width` characters; a little is never nothing. `bar` has room for a NUL. */
void report_text_bar(char *bar, size_t width, double share);

#endif
