/* How a run stands: one word, the same wherever it is told. */
#ifndef HARNESSD_REPORT_OUTCOME_H
#define HARNESSD_REPORT_OUTCOME_H

#include "term/term.h"

enum outcome {
    OUTCOME_NONE,        /* it has not ended, or how it has is not known */
    OUTCOME_COMPLETED,   /* all that was asked of it was met */
    OUTCOME_MISSED,      /* an expectation was missed */
    OUTCOME_FAILED,      /* something else went wrong, in the run or in its cleanup */
    OUTCOME_CANCELLED,   /* it was asked to end */
    OUTCOME_INTERRUPTED, /* the daemon ended in the midst of it */
    OUTCOME_NOT_RUN,     /* it was refused, or whom it is for could not be found: nothing was started */
    OUTCOME_COUNT
};

/* For programs, as an atom or as text: "nil", "completed", "missed", ... */
const char *outcome_name(enum outcome outcome);

/* For people: "completed", "an expectation was missed", ...; "under way" when it has none. */
const char *outcome_text(enum outcome outcome);

/* A sentence on it, for the reference: with code in backticks, in Erlang's notation. */
const char *outcome_help(enum outcome outcome);

/* What a program ends with that has run it: 0 when it has completed, 2 when it was not run, 1 otherwise. */
int outcome_exit_status(enum outcome outcome);

/* Reads the atom of a name; OUTCOME_NONE when it is no outcome's. */
enum outcome outcome_read(struct term name);

#endif
