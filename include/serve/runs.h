/* All runs: those that wait for room, those that are under way, and those that have ended, with their reports
 * until these are deleted or have to make room. A run goes on without whoever has asked for it.
 *
 * A run that has room starts at once; one that would have room if others ended waits in a queue, in the order
 * in which they came, none overtaking another; one that never could is refused. */
#ifndef HARNESSD_SERVE_RUNS_H
#define HARNESSD_SERVE_RUNS_H

#include "run/runner.h"
#include "serve/room.h"

struct runs;

struct runs_limits {
    struct room room;    /* what all runs may take together */
    size_t queued_runs;  /* that may wait */
    size_t kept_reports; /* of runs that have ended; the oldest go, but never the last one */
    size_t kept_bytes;   /* of all of them */
};

struct runs_options {
    struct node *node;
    struct runner *runner; /* outlives the registry; nobody else starts runs */
    struct runs_limits limits;
};

struct runs *runs_new(const struct runs_options *options);

/* Limits from now on. Runs that go on do so; those that wait may have room now, and end in {error, {busy,
 * Limit}} when they never can have any more. */
void runs_set_limits(struct runs *runs, const struct runs_limits *limits);

/* Gives up what has not ended, without waiting; everybody who waits is answered. After runner_close(). */
void runs_close(struct runs *runs);
void runs_free(struct runs *runs);

/* Accepts nothing more; cancels all runs, those that wait included. */
void runs_stop(struct runs *runs);
bool runs_stopping(const struct runs *runs);

/* Runs that have not ended; those of them that wait. */
size_t runs_active(const struct runs *runs);
size_t runs_queued(const struct runs *runs);

/* --- Starting --- */

struct runs_request {
    struct scenario *scenario; /* taken over when the run is accepted */
    const char *by;            /* the function that starts it, or what else does */
    const char *name;          /* of its file or schedule; NULL or empty when it has none */
    struct term caller;        /* pid of who has asked; without data when it was no process */
    bool is_callers;           /* its caller's death cancels it, and its telemetry is the caller's */
    struct term group_leader;  /* for its processes; without data: this node's */
    struct term expectations;  /* of run_with_performance, checked; without data: none */
};

/* Accepts a run. False when it is refused, `*busy` being the name of the limit that is in the way. */
MUST_CHECK bool runs_start(struct runs *runs, const struct runs_request *request, uint64_t *id,
                           const char **busy);

/* --- Looking at them --- */

enum run_phase {
    RUN_PHASE_NONE, /* there is no such run */
    RUN_PHASE_QUEUED,
    RUN_PHASE_RUNNING,
    RUN_PHASE_FINISHED, /* its result is there */
};

enum run_phase runs_phase(const struct runs *runs, uint64_t id);

/* Appends the map of status/1, false when there is no such run; the list of them, the newest first. */
MUST_CHECK bool runs_build_status(struct runs *runs, uint64_t id, struct term_builder *builder);
void runs_build_list(struct runs *runs, struct term_builder *builder);

/* The result of a run that has finished, {ok, Report} or {error, Reason}; `*result` is borrowed until the
 * next call of any function here. False when there is none. */
MUST_CHECK bool runs_result(struct runs *runs, uint64_t id, struct term *result);

/* --- Waiting for one --- */

#define RUNS_WAITS 1000

/* A wait for the end of a run, embedded in its owner. */
struct run_wait {
    /* `raised`, when it has data, is the exception that run_with_performance raises instead. Both are
     * borrowed for the call. The wait is over. */
    void (*done)(void *owner, struct term result, struct term raised);
    void *owner;
    struct run_entry *entry; /* while waiting */
    struct run_wait *next;
};

/* Waits for a run that has not finished. False when too many do already. */
MUST_CHECK bool runs_wait(struct runs *runs, uint64_t id, struct run_wait *wait);

/* No longer; harmless when it is over. */
void runs_forget_wait(struct run_wait *wait);

/* --- Ending them --- */

/* Asks a run that has not finished to end: it cleans up and reports. */
void runs_cancel(struct runs *runs, uint64_t id);

/* Forgets a run that has finished, with its report. */
void runs_delete(struct runs *runs, uint64_t id);

#endif
