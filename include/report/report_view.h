/* What came of a run, taken apart for those who show it. */
#ifndef HARNESSD_REPORT_REPORT_VIEW_H
#define HARNESSD_REPORT_REPORT_VIEW_H

#include "base/buffer.h"
#include "report/outcome.h"
#include "term/term.h"

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
    REPORT_WARNINGS,
    REPORT_ERROR_SAMPLES,
    REPORT_EXPLAIN,
    REPORT_KEYS
};

struct report_view {
    enum outcome outcome;
    bool is_alone;        /* a report of which nothing is said of how its run has ended */
    struct term reason;   /* of {error, Reason}, without what it wraps; without data when there is none */
    struct term problems; /* of {invalid_scenario, Problems} */
    struct term refusal;  /* the words of {not_allowed, _} and {invalid_configuration, _} */
    struct term cleanup;  /* what went wrong with the cleanup */
    struct term report;   /* what the run has recorded */
    struct term keys[REPORT_KEYS]; /* without data where there is none, or nil */
    uint64_t run_id;               /* as its source says: report_view_run_id() */
};

/* What came of a run, and what is known of it beside that. */
struct report_source {
    struct term result; /* {ok, Report}, {error, Reason}, {partial, Report}, or a report alone */
    struct term
        partial; /* what was recorded of it all the same, for a result without a report; or without data */
    enum outcome outcome; /* as its run was judged; OUTCOME_NONE when only the result can tell */
    bool is_under_way;    /* it has no outcome yet, whatever the result looks like */
    uint64_t run_id;      /* of a result that does not say it, such as a suite's; or 0 */
};

/* All is borrowed from it. False when its result is none of these. */
MUST_CHECK bool report_view_read(const struct report_source *source, struct report_view *view);

/* For people: what became of the run, on one line. */
const char *report_view_outcome(const struct report_view *view);

/* Whether an expectation of this name is among those that it was held to. */
bool report_view_expects(const struct report_view *view, const char *expectation);

/* What one of its expectations, a map, has come to. What nothing was measured for is missed in a run that has
 * missed any, but for recovery from faults that were not drawn. */
enum report_verdict { REPORT_MET, REPORT_MISSED, REPORT_NOT_JUDGED };
enum report_verdict report_view_judge(const struct report_view *view, struct term expectation);

/* Which run it is; 0: it has no number, or none is known. */
uint64_t report_view_run_id(const struct report_view *view);

/* Whether it was missed by expectations that are known, and appends "max_error_rate 0.3, limit 0.1; ..." of
 * those. */
bool report_view_has_missed(const struct report_view *view);
void report_view_write_missed(const struct report_view *view, struct buffer *text);

/* The value of a key of a map; without data when there is none, or nil. */
struct term report_view_get(struct term map, const char *key);

/* The same as a number from 0 on; `fallback` when there is none. */
uint64_t report_view_count(struct term map, const char *key, uint64_t fallback);

/* Appends a line `threads[0][1].call: message` for each of a list of problems, behind `prefix`. */
void report_view_write_problems(struct term problems, const char *prefix, struct buffer *text);

#endif
