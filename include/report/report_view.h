/* What came of a run, taken apart for those who show it. */
#ifndef HARNESSD_REPORT_REPORT_VIEW_H
#define HARNESSD_REPORT_REPORT_VIEW_H

#include "base/buffer.h"
#include "term/term.h"

enum report_outcome {
    REPORT_COMPLETED,   /* all was met */
    REPORT_MISSED,      /* an expectation was missed */
    REPORT_FAILED,      /* something else went wrong, in the run or in its cleanup */
    REPORT_CANCELLED,   /* it was asked to end */
    REPORT_INTERRUPTED, /* the daemon ended in the midst of it */
    REPORT_NOT_RUN,     /* it was refused: nothing was started */
    REPORT_GOES_ON,     /* it has not ended */
    REPORT_ALONE,       /* there is a report, and nothing is said of how its run has ended */
    REPORT_OUTCOMES
};

/* For people: "completed", "an expectation was missed", ...; and for programs: "completed", "missed", ... */
extern const char *const report_outcome_texts[REPORT_OUTCOMES];
extern const char *const report_outcome_names[REPORT_OUTCOMES];

/* The keys of reports that are shown. */
enum report_key {
    REPORT_METRICS,
    REPORT_LATENCY,
    REPORT_TIMELINE,
    REPORT_ERRORS,
    REPORT_EXPECTATIONS,
    REPORT_INJECTIONS,
    REPORT_HEALED,
    REPORT_MAILBOX,
    REPORT_PERFORMANCE,
    REPORT_METADATA,
    REPORT_SEED,
    REPORT_RUN_ID,
    REPORT_DRY_RUN,
    REPORT_CHAOS,
    REPORT_TARGET,
    REPORT_KEYS
};

struct report_view {
    enum report_outcome outcome;
    struct term reason;   /* of {error, Reason}, without what it wraps; without data when there is none */
    struct term problems; /* of {invalid_scenario, Problems} */
    struct term cleanup;  /* what went wrong with the cleanup */
    struct term report;   /* what the run has recorded */
    struct term keys[REPORT_KEYS]; /* without data where there is none, or nil */
};

/* Looks at {ok, Report}, {error, Reason}, {partial, Report}, or a report alone; all is borrowed from it.
 * Where it has no report, `partial` is looked at, what was recorded of the run all the same; it may be
 * without data. False when it is none of these. */
MUST_CHECK bool report_view_read(struct term result, struct term partial, struct report_view *view);

/* The value of a key of a map; without data when there is none, or nil. */
struct term report_view_get(struct term map, const char *key);

/* The same as a number from 0 on; `fallback` when there is none. */
uint64_t report_view_count(struct term map, const char *key, uint64_t fallback);

/* Appends a line `threads[0][1].call: message` for each of a list of problems, behind `prefix`. */
void report_view_write_problems(struct term problems, const char *prefix, struct buffer *text);

#endif
