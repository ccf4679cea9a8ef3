/* Runs of scenarios: each is a state machine with its own pseudo-process, driven by events of the loop. */
#ifndef HARNESSD_RUN_RUNNER_H
#define HARNESSD_RUN_RUNNER_H

#include "audit/audit.h"
#include "faults/blast_radius.h"
#include "load/load_record.h"
#include "measure/counters.h"
#include "measure/errors.h"
#include "node/io_server.h"
#include "scenario/scenario.h"

/* In the order in which a run goes through them; states that it has no use for are left out. Every way out
 * after a setup that has succeeded leads through RUN_CLEANUP. */
enum run_state {
    RUN_RESOLVING,     /* nodes are asked what the texts of a scenario file mean */
    RUN_SESSION,       /* the session on the hooks' node is being started */
    RUN_SETUP,         /* the setup hook is applied */
    RUN_PLANNING,      /* it is found out whom the actions are for, and whether that is allowed */
    RUN_STEADY_BEFORE, /* the steady state hook is applied */
    RUN_OBSERVING,     /* probes and measurements take their first values */
    RUN_STARTING,      /* virtual threads are started, some thousands a pass; chaos runs beside them */
    RUN_LOAD,          /* virtual threads work, those of a load as many as it says */
    RUN_RECOVERING,    /* the load goes on for what has not recovered, and counts for nothing else */
    RUN_CHAOS_WAIT,    /* the threads are done, the chaos is not */
    RUN_JUDGING,       /* probes and measurements take their last values, for the expectations */
    RUN_HEALING,       /* faults that last are undone */
    RUN_STEADY_AFTER,  /* the steady state hook is applied again */
    RUN_CONTEXT,       /* the invariant's context is written piece by piece */
    RUN_INVARIANT,     /* the invariant hook is applied */
    RUN_CLEANUP,       /* the cleanup hook is applied */
    RUN_REPORTING,     /* the report is written piece by piece */
    RUN_DONE,          /* `done` was called; it is freed in a pass of its own */
    RUN_STATE_COUNT
};

/* What a state is about. */
enum run_group {
    RUN_BEFORE,  /* the load is being prepared */
    RUN_LOADING, /* it goes on */
    RUN_AFTER,   /* what came of it is found out */
    RUN_ENDING,  /* what is left is cleaned up, and the report written */
};

struct run;
struct runner;

/* Of one run: how many may be under way, and what they may have together, is for whoever starts them. */
struct runner_limits {
    uint64_t events;      /* kept */
    uint64_t event_bytes; /* of their terms */
    uint64_t custom;      /* custom operations at once */
};

struct runner *runner_new(struct node *node, struct io_server *io_server, const struct runner_limits *limits);

/* Limits for the runs that start from now on; those that go on keep the events that they may keep. */
void runner_set_limits(struct runner *runner, const struct runner_limits *limits);

/* What faults may be done to; before the first run. Copied. */
void runner_set_blast_radius(struct runner *runner, const struct blast_radius *radius);

/* That is told of each fault; before the first run. NULL, as at first: none is. */
void runner_set_audit(struct runner *runner, struct audit *audit);

/* Runs that have not ended are given up: their result is {error, {interrupted, nil}}. */
void runner_close(struct runner *runner);

/* After runner_close(). */
void runner_free(struct runner *runner);

struct run_request {
    uint64_t id;               /* that no other run has or had */
    struct scenario *scenario; /* taken over */
    struct term caller; /* pid; telemetry is executed on its node. Without data: nobody waits for the run */
    struct term requester;    /* pid of who has asked for it, for the log; without data: no process */
    const char *by;           /* the function that starts it, or what else does; for the log */
    struct term group_leader; /* for what the run starts on other nodes; without data: this node's */
    bool cancelled;           /* before it has begun: all that it does is report */
    const struct expectations *expectations; /* of the run as a whole; a missed one raises. NULL: none */

    struct term_builder *result; /* {ok, Report} or {error, Reason} is appended to it piece by piece */

    /* What telemetry is told, whether there is any or not; the name ends with NULL or has four parts. The
     * terms are borrowed for the call. NULL: nobody listens. */
    void (*event)(void *owner, const char *const name[4], struct term measurements, struct term metadata);
    bool (*is_heard)(void *owner); /* whether somebody listens now; NULL: always */

    /* The run is over and its result written. `raised`, when it has data, is the exception for a missed
     * expectation of the whole run, to be raised instead. Never called from within runner_start(). */
    void (*done)(void *owner, const struct run *run, struct term raised);
    void *owner;
};

/* The run is good until `done` has returned. */
struct run *runner_start(struct runner *runner, const struct run_request *request);

/* A run that is past its load goes on to its end. */
void run_cancel(struct run *run);

/* How a run stands. */
struct run_figures {
    enum run_state state;
    enum outcome outcome; /* OUTCOME_NONE until it is over */
    bool cancelled;       /* it has heeded that: what is past its load goes on to its end */
    uint64_t operations;  /* that have ended */
    uint64_t operation_errors;
    uint64_t dropped; /* arrivals that found no room */
    uint64_t in_flight;
    uint64_t threads_active;
    uint64_t load_ns; /* since the load began, until it ended; 0 before */
};

void run_figures(const struct run *run, struct run_figures *figures);

const struct counters *runner_counters(const struct runner *runner);

/* A run that was accepted and never started counts among those that have ended so. */
void runner_count_refused(struct runner *runner, enum outcome outcome);

/* Keeps response times from now on, or no longer; and tells of those since this was last asked for. */
void run_observe(struct run *run, bool observed);
void run_take_recent(struct run *run, struct load_recent *recent);

/* "setup", "load", ... */
const char *run_state_name(enum run_state state);

enum run_group run_state_group(enum run_state state);

/* What goes on now, in all runs together. */
struct runner_figures {
    uint64_t runs[RUN_STATE_COUNT]; /* by their state */
    uint64_t threads;               /* virtual threads of runs that go on */
    uint64_t in_flight;             /* operations that are under way */
    uint64_t queued;                /* arrivals that wait for a thread */
};

void runner_figures(const struct runner *runner, struct runner_figures *figures);

#endif
