/* All runs: those that wait for room, those that are under way, and those that have ended, with their reports
 * for as long as the store keeps them. A run goes on without whoever has asked for it.
 *
 * A run that has room starts at once; one that would have room if others ended waits in a queue, in the order
 * in which they came, none overtaking another; one that never could is refused.
 *
 * What is acknowledged here is on disk before, if there is a folder that can be written to: that a run was
 * accepted (`begun` of its request), and its result (`done` of a wait). A run whose daemon ended before it is
 * there as interrupted, with what its journal had. */
#ifndef HARNESSD_REGISTRY_RUNS_H
#define HARNESSD_REGISTRY_RUNS_H

#include "base/list.h"
#include "registry/room.h"
#include "registry/subscriptions.h"
#include "run/runner.h"
#include "store/store.h"
#include "term/help.h"

struct runs;

struct runs_limits {
    struct room room;          /* what all runs may take together */
    struct room room_per_node; /* those of one caller's node, also while they wait; 0: no limit */
    size_t queued_runs;        /* that may wait */
    size_t suites;             /* under way at once */
    uint64_t journal_ns;       /* the time after which what a run has so far is journalled again */
    struct store_limits store; /* runs that have ended */
};

struct runs_options {
    struct node *node;
    struct runner *runner; /* nobody else starts runs */
    const char *folder;    /* of the store; NULL: in memory only */
    const char *holder;    /* of the folder, for others who want it; NULL: not said */
    struct audit *audit;   /* told of each run and what came of it; NULL: none is */
    struct runs_limits limits;
};

struct runs *runs_new(const struct runs_options *options);

/* Closes the runner as well. What has not ended is given up, and interrupted; everybody who waits is answered
 * {error, {interrupted, Report | nil}}, which peers get at the end of this pass if they are still there. */
void runs_close(struct runs *runs);

/* Writes what is not written yet. */
void runs_free(struct runs *runs);

/* Limits from now on. Runs that go on do so; those that wait may have room now, and end in {error, {busy,
 * Limit}} when they never can have any more. */
void runs_set_limits(struct runs *runs, const struct runs_limits *limits);

/* Accepts nothing more; cancels all runs, those that wait included. */
void runs_stop(struct runs *runs);
bool runs_stopping(const struct runs *runs);

/* Whether runs go on, or something of them still has to be written. */
bool runs_busy(const struct runs *runs);

/* Where those that have ended are: for its problem, and for reading them. */
struct store *runs_store(const struct runs *runs);

/* --- Starting --- */

struct runs_request {
    struct scenario *scenario; /* taken over when the run is accepted */
    const char *by;            /* the function that starts it, or what else does */
    const char *name;          /* of its file or schedule; NULL or empty when it has none */
    const char *digest;        /* of what it was read from, for the audit; NULL or empty: not known */
    struct term caller;        /* pid of who has asked; without data when it was no process */
    const char *node;          /* that has sent the request; NULL: it is the daemon's own */
    bool is_callers;           /* its caller's death cancels it, and its telemetry is the caller's */
    uint64_t suite;            /* the one that it is a member of, which goes on; or 0 */
    struct term group_leader;  /* for its processes; without data: this node's */
    struct term expectations;  /* of run_with_performance, checked; without data: none */

    /* The run is on disk, or cannot be written for now. Called once, never from within runs_start(); NULL:
     * nobody needs to know. */
    void (*begun)(void *owner, uint64_t id);
    void *owner;
};

/* Why the scenario may not be run now, as the audit that is required cannot be written; or NULL. One that it
 * cannot tell of ends as soon as that is known, in {error, {audit_failed, Text}}. */
const char *runs_audit_problem(const struct runs *runs, const struct scenario *scenario);

/* Whether there is an audit, which is told of digests. */
bool runs_are_audited(const struct runs *runs);

/* Accepts a run. False when it is refused, `*busy` being the name of the limit that is in the way. */
MUST_CHECK bool runs_start(struct runs *runs, const struct runs_request *request, uint64_t *id,
                           const char **busy);

/* --- Suites ---
 *
 * A suite is a run of runs, one after the other, that are its members: what is asked of it is asked of all of
 * them, its end is theirs, and it is listed, kept and removed with them. It takes no room of a run. */

/* Members whose reports are kept, beside what the suite's own report says of all of them: those that have
 * completed go first, the oldest of them first. */
#define RUNS_MEMBERS 100

struct runs_suite {
    const char *by;
    struct term caller;
    const char *node;
    bool is_callers; /* its caller's death cancels it */
    struct term target;

    /* It is to end: its member that goes on is cancelled and none is started any more. Called once. */
    void (*cancel)(void *owner);
    void *owner;
};

/* A new suite goes on until it is ended. False when it is refused, as runs_start() does. */
MUST_CHECK bool runs_open_suite(struct runs *runs, const struct runs_suite *suite, uint64_t *id,
                                const char **busy);

/* All its members have ended, or it was cancelled. `result` is a term, {ok, Report} or {error, Reason}; its
 * holder is the registry from now on. */
void runs_end_suite(struct runs *runs, uint64_t id, enum outcome outcome, struct blob *result);

/* --- Looking at them --- */

enum run_phase {
    RUN_PHASE_NONE, /* there is no such run */
    RUN_PHASE_QUEUED,
    RUN_PHASE_RUNNING,
    RUN_PHASE_SUITE,   /* a suite that goes on */
    RUN_PHASE_STORING, /* it has ended; its result is not on disk yet */
    RUN_PHASE_FINISHED,
    RUN_PHASE_INTERRUPTED, /* by the end of an earlier daemon */
    RUN_PHASE_COUNT
};

enum run_phase runs_phase(const struct runs *runs, uint64_t id);

/* How one stands; OUTCOME_NONE as well when there is no such run, or it is of a version that kept none. */
enum outcome runs_outcome(const struct runs *runs, uint64_t id);

/* Whether a run that is under way has anything to report yet. */
bool runs_has_begun(const struct runs *runs, uint64_t id);

/* How many are in queued, running, suite or storing. */
size_t runs_count(const struct runs *runs, enum run_phase phase);

/* Appends the map of status/1, false when there is no such run; the list of them, the newest first, without
 * members of suites: at most `most` of those with a lower id than `before`. */
MUST_CHECK bool runs_build_status(const struct runs *runs, uint64_t id, struct term_builder *builder);
void runs_build_list(const struct runs *runs, size_t most, uint64_t before, struct term_builder *builder);

/* The same list, all zero but for the first two when it begins, in pieces: each looks at up to `some` runs as
 * they are then. False when it is whole; to the builder nothing else is appended until then. */
struct runs_list {
    size_t most;
    uint64_t before; /* ids from this one on were looked at */
    size_t count;
    size_t at; /* where the list begins */
};
MUST_CHECK bool runs_build_some(const struct runs *runs, struct runs_list *list, size_t some,
                                struct term_builder *builder);

/* --- Waiting for what one comes to ---
 *
 * For a run that has finished or was interrupted read the store; see run_result.h for what is in it. */

#define RUNS_WAITS 1000

enum run_wait_kind {
    RUN_WAIT_RESULT,  /* {ok, Report} or {error, Reason}, when it has ended */
    RUN_WAIT_PARTIAL, /* its report, as of now or a little later */
};

/* What is waited for; borrowed for the call. */
struct run_answer {
    struct term result; /* as it is stored, see run_result.h; without data for a partial report when there is
                           none */
    struct blob *in;    /* what it is part of: hold that to keep it */
    struct term raised; /* when it has data, the exception that run_with_performance raises instead */
};

/* A wait, embedded in its owner. */
struct run_wait {
    enum run_wait_kind kind;

    /* Never called from within runs_wait(). The wait is over. */
    void (*done)(void *owner, const struct run_answer *answer);
    void *owner;
    struct run_entry *entry; /* while waiting */
    struct list_link link;
};

/* Waits for a run that has not ended, or whose result is being stored. False when too many do already. */
MUST_CHECK bool runs_wait(struct runs *runs, uint64_t id, struct run_wait *wait);

/* No longer; harmless when it is over. */
void runs_forget_wait(struct run_wait *wait);

/* --- Being told of them ---
 *
 * The events of telemetry, and [harness, run, queued | start | progress | stop]: progress each second while a
 * run is under way, stop when its result is stored. */

/* `id` is that of a run that has not ended, or whose result is being stored, or SUBSCRIPTIONS_ALL. */
MUST_CHECK enum subscription_outcome runs_subscribe(struct runs *runs, uint64_t id, struct term pid,
                                                    const char *node);
void runs_unsubscribe(struct runs *runs, uint64_t id, struct term pid);

/* --- Ending them --- */

/* Asks a run to end: it cleans up and reports; and so do all members of a suite. One that has ended stays as
 * it is. */
void runs_cancel(struct runs *runs, uint64_t id);

/* Forgets a run that has finished or was interrupted, a suite with its members. */
void runs_delete(struct runs *runs, uint64_t id);

/* --- What is told of them, for help --- */

/* The keys of a status: what is known of the run, and how it stands now. */
const struct help_table *runs_summary_table(void);
const struct help_table *runs_status_table(void);

/* The measurements of [harness, run, progress]. */
const struct help_table *runs_progress_table(void);

#endif
