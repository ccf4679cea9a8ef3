/* What a run has come to: as it is stored, and as it is answered.
 *
 *     stored      {ok, Report}, {error, Reason}, or {error, Reason, Report} when the reason has no report in
 *                 it; of a run that was interrupted its last report, or nil
 *     answered    {ok, Report}, {error, Reason}, {error, {interrupted, Report | nil}} */
#ifndef HARNESSD_REPORT_RUN_RESULT_H
#define HARNESSD_REPORT_RUN_RESULT_H

#include "term/term_build.h"

/* Appends how what is answered begins; what comes behind that is given, a part of what is stored: it may be
 * long. */
struct term run_result_open(struct term stored, bool interrupted, struct term_builder *builder);

/* Appends all of it. */
void run_result_build(struct term stored, bool interrupted, struct term_builder *builder);

/* The report in it, whatever became of the run. False when there is none. */
MUST_CHECK bool run_result_report(struct term stored, bool interrupted, struct term *report);

/* Finds why the run is not what it should be, the whole reason without the report that may be in it:
 * `cancelled`, {cleanup_failed, Why, {performance_failed, ...}}, ... Of {ok, Report} it is what a caller is
 * not told of as an error: `nothing_succeeded`, or the problem of a dry run. It is borrowed from `stored`, or
 * built in `builder`. False when there is none. */
MUST_CHECK bool run_result_reason(struct term stored, bool interrupted, struct term_builder *builder,
                                  struct term *reason);

/* Writes it as text, as term_text() does; of a cleanup that failed with what is long that alone. False when
 * there is none. */
MUST_CHECK bool run_result_reason_text(struct term stored, bool interrupted, char *text, size_t size);

#endif
