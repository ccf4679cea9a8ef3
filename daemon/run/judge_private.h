/* What a run is judged by, and what it comes to. */
#ifndef HARNESSD_RUN_JUDGE_PRIVATE_H
#define HARNESSD_RUN_JUDGE_PRIVATE_H

#include "report/outcome.h"
#include "term/term_build.h"

struct run;
struct warnings;

/* What a node says of itself and the session before and after. */
struct measurement {
    int64_t memory_bytes;
    int64_t reductions;
    uint64_t at_ns;
};

struct run_measurements {
    bool awaited;
    bool first_asked;
    uint32_t asked;            /* the number of the last one */
    struct measurement newest; /* that came */
    struct measurement first;  /* around the load */
    struct measurement last;
    struct measurement opening; /* around the whole run */
    struct measurement closing;
};

/* What the run has come to. */
struct run_verdict {
    enum outcome outcome;             /* OUTCOME_NONE until it is over */
    bool refused;                     /* nothing was started, as it must not be or cannot be found */
    bool missed;                      /* an expectation: it is the failure, or raised */
    struct term_kept failure;         /* the reason of {error, Reason}; none when there is none */
    struct term_kept cleanup_failure; /* what went wrong with the cleanup */
    struct buffer raised;             /* the exception for a missed expectation of the whole run */
    bool judged;      /* the measurements around the load are there, and no expectation was missed */
    bool abort_asked; /* a measurement for `abort_when` */
    bool aborted; /* an expectation was missed while the load went on: the exception is in `abort_error` */
    struct buffer abort_error;
};

/* Once, when all else is known: how the run stands, in the one word that is told of it everywhere. */
void judge_outcome(struct run *run);

/* Whether nothing of the load has succeeded that nobody has allowed to fail. */
bool judge_nothing_succeeded(const struct run *run);

/* Warns of expectations that nothing was measured for. */
void judge_warn(const struct run *run, struct warnings *warnings);

/* What the load has come to, its failures among them. */
void judge_load(struct run *run);

/* Of the whole run: sets `raised` when an expectation of run_with_performance was missed. */
void judge_whole_run(struct run *run);

/* Ends the run when one of those to abort it was missed. Asks for measurements first where those need them:
 * judge_measured() then tells that they are there. */
void judge_while_loading(struct run *run);
void judge_measured(struct run *run);

/* %{time_us:, memory_bytes:, reductions:}, and a list of all expectations. */
void judge_build_measurement(const struct run *run, struct term_builder *builder);
void judge_build_expectations(const struct run *run, struct term_builder *builder);

#endif
