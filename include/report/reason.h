/* Why a run has no report: what stands in {error, Reason} of those who run it. */
#ifndef HARNESSD_REPORT_REASON_H
#define HARNESSD_REPORT_REASON_H

#include "term/help.h"
#include "term/term_build.h"

enum reason {
    REASON_SETUP_FAILED,
    REASON_INVALID_SETUP_RETURN,
    REASON_THREAD_FAILURE,
    REASON_CHAOS_FAILED,
    REASON_INVARIANT_FAILED,
    REASON_STEADY_STATE_FAILED,
    REASON_PERFORMANCE_FAILED,
    REASON_LOAD_FAILED,
    REASON_CLEANUP_FAILED,
    REASON_NOT_ALLOWED,
    REASON_CANCELLED,
    REASON_INTERRUPTED,
    REASON_NODEDOWN,
    REASON_BUSY,
    REASON_AUDIT_FAILED,
    REASON_INVALID_SCENARIO,
    REASON_SESSION_FAILED,
    REASON_ABORTED,
    REASON_INVALID_CONFIGURATION,
    REASON_NOT_TOLD,
    REASON_COUNT
};

/* The table of them, for help: each with its shape. */
const struct help_table *reasons_table(void);

/* Whether an atom is the one that a reason begins with. */
bool reason_is(enum reason reason, struct term atom);

/* Appends that atom; or the beginning of a tuple of so many elements, of which it is the first. */
void reason_build(enum reason reason, struct term_builder *builder);
void reason_open(enum reason reason, size_t arity, struct term_builder *builder);

#endif
