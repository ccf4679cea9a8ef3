/* Reports as text for people: lines of up to 100 columns, in ASCII but for what users have named. */
#ifndef HARNESSD_REPORT_REPORT_TEXT_H
#define HARNESSD_REPORT_REPORT_TEXT_H

#include "report/report_view.h"

/* Appends the outcome, counts, errors, expectations, latencies, the course of the load, and the faults.
 * The text is of bounded length: of what there may be very many the first are shown, and how many more there
 * are. */
void report_text_write(const struct report_view *view, struct buffer *text);

#endif
