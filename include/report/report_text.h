/* Reports as text for people: lines of up to 100 columns, in ASCII but for what users have named. */
#ifndef HARNESSD_REPORT_REPORT_TEXT_H
#define HARNESSD_REPORT_REPORT_TEXT_H

#include "base/buffer.h"
#include "term/term.h"

/* Appends the outcome, counts, errors, expectations, latencies, the course of the load, and the faults.
 * `result` and `partial` as for report_view_read(); false when they are neither, and nothing is appended. The
 * text is of bounded length: of what there may be very many the first are shown, and how many more there are.
 */
MUST_CHECK bool report_text_write(struct term result, struct term partial, struct buffer *text);

#endif
