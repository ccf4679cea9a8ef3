/* Runs of scenarios: each is a state machine with its own pseudo-process, driven by events of the loop. */
#ifndef HARNESSD_RUN_RUNNER_H
#define HARNESSD_RUN_RUNNER_H

#include "measure/errors.h"
#include "node/io_server.h"
#include "run/calls.h"
#include "run/scenario.h"
#include "run/target.h"

enum run_state {
    RUN_STARTING,  /* virtual threads are started, some thousands a pass */
    RUN_LOAD,      /* virtual threads work through their scripts */
    RUN_REPORTING, /* the report is written piece by piece */
    RUN_DONE,      /* `done` was called; it is freed at the end of the pass */
};

enum run_outcome {
    RUN_COMPLETED,
    RUN_THREADS_TIMEOUT, /* the threads did not end within timeout_ms */
    RUN_CANCELLED,       /* by its caller's death, or the end of the daemon */
};

struct run;
struct runner;

struct runner_limits {
    uint64_t runs;
    uint64_t threads;
    uint64_t events;      /* kept for one run */
    uint64_t event_bytes; /* of their terms */
};

struct runner_counters {
    uint64_t started;
    uint64_t finished; /* whatever their outcome */
    uint64_t operations;
    uint64_t operation_errors;
};

struct runner *runner_new(struct node *node, struct io_server *io_server, const struct runner_limits *limits);

/* Runs that have not ended are given up without a result. */
void runner_free(struct runner *runner);

struct run_request {
    struct scenario *scenario; /* taken over when the run starts */
    struct term caller;        /* pid; its death cancels the run. Without data: nobody's does */
    struct term group_leader;  /* for what the run starts on other nodes; without data: this node's */

    /* The run is over. `result` is {ok, Report} or {error, Reason}, borrowed. Never called from within
     * runner_start(). */
    void (*done)(void *owner, const struct run *run, struct term result);
    void *owner;
};

/* NULL when a limit is reached, whose name `*busy` then is. */
MUST_CHECK struct run *runner_start(struct runner *runner, const struct run_request *request,
                                    const char **busy);

void run_cancel(struct run *run);
void runner_cancel_all(struct runner *runner);

uint64_t run_id(const struct run *run);
size_t runner_active(const struct runner *runner);
const struct runner_counters *runner_counters(const struct runner *runner);

#endif
