/* The registry of runs from inside. runs.c accepts them and leads them from the queue to their end,
 * runs_suite.c has runs of runs, runs_store.c stores them and tells who waits, runs_events.c tells
 * subscribers, run_status.c describes them.
 */
#ifndef HARNESSD_REGISTRY_RUN_ENTRY_PRIVATE_H
#define HARNESSD_REGISTRY_RUN_ENTRY_PRIVATE_H

#include "base/list.h"
#include "base/map.h"
#include "node/monitor.h"
#include "registry/runs.h"
#include "registry/subscriptions.h"
#include "run/partial.h"
#include "run_summary_private.h"
#include "scenario/expectations.h"

/* A run from when it is accepted until its result is stored. */
struct run_entry {
    struct runs *runs;
    struct list_link link; /* of all */
    struct list_link queued;
    enum run_phase phase;    /* run_set_phase() changes it */
    bool cancelled;          /* it was asked to end */
    struct process *process; /* that stands for it until it has ended: exit signals to it cancel the run */
    struct run_summary summary;
    uint64_t accepted_ns;
    uint64_t started_ns;
    uint64_t ended_ns;
    uint64_t journal_ns;     /* when it is journalled next, while it is running */
    struct audit_wait audit; /* while nothing of it may begin before it is on record */
    struct room room;        /* what it takes from when it starts until it has ended */

    /* What it was asked for with. */
    struct scenario *scenario; /* until it starts: then it is the run's */
    bool is_callers;
    struct monitor caller;
    struct buffer group_leader;
    struct buffer expectations_term; /* which `expectations` point into */
    struct expectations expectations;
    void (*begun)(void *owner, uint64_t id); /* until it was called */
    void *begun_owner;

    struct run_entry *suite;     /* that it is a member of, or NULL */
    void (*cancel)(void *owner); /* of a suite, until it was called */
    void *cancel_owner;

    struct run *run;          /* while it is running */
    uint64_t told_operations; /* by the last event of its progress */
    uint64_t told_ns;
    struct run_partial *partial;         /* that is being written */
    struct run_partial *journal;         /* likewise */
    struct term_builder journal_summary; /* of when that was begun */
    struct list waits;
    struct term_builder result;
    struct blob *content; /* the result, while it is being stored */
    struct buffer raised;
};

struct runs {
    struct runs_options options;
    struct store *store;
    struct process *process; /* watches callers and tells subscribers */
    struct map by_id;
    struct list entries; /* the newest first */
    struct list queue;   /* in the order of their start */
    size_t counts[RUN_PHASE_COUNT];
    struct room taken;
    bool stopping;
    bool closing; /* nothing more is stored of what ends now */
    struct loop_task start_queued;
    struct loop_timer journal; /* set while a run goes on that is to be journalled */
    struct subscriptions *subscriptions;
    struct loop_timer progress; /* set while somebody is told of a run that goes on */
    bool progress_is_set;
};

static inline struct run_entry *run_entry_find(const struct runs *runs, uint64_t id)
{
    return map_get(&runs->by_id, &id, sizeof(id));
}

/* --- runs.c --- */

void run_set_phase(struct run_entry *entry, enum run_phase phase);

/* Nothing is left of it here. */
void run_entry_free(struct run_entry *entry);

/* It is on record, or (with a problem) cannot be: it goes on, or ends. */
void run_audited(void *entry, const char *problem);

/* What stands in its way while it waits, and how many runs wait before it. */
const char *run_obstacle(const struct run_entry *entry, size_t *before);

/* A new entry with an id, put among the others. */
struct run_entry *run_entry_new(struct runs *runs);

/* Cancels the run when its caller ends, or at once when that has happened. */
void run_watch_caller(struct run_entry *entry);

/* Something of it has ended: there is no more to ask for. */
void run_finish(struct run_entry *entry, struct term raised);

/* --- runs_suite.c --- */

/* A member is there; and has ended. */
void run_suite_add(struct run_entry *member);
void run_suite_count(const struct run_entry *member);

/* A list of the ids of a run's members, the newest first; nil when it has none. */
void runs_suite_build_members(const struct runs *runs, uint64_t id, struct term_builder *builder);

/* --- runs_audit.c --- */

/* It was accepted: `scenario` is NULL for a suite. */
void run_audit_accepted(const struct run_entry *entry, const struct scenario *scenario, const char *digest);

/* Has it wait until that is on record, if it has to: it is queued then, and run_audited() follows. */
void run_audit_await(struct run_entry *entry, const struct scenario *scenario);

static inline bool run_awaits_audit(const struct run_entry *entry)
{
    return entry->audit.audit != NULL;
}

/* It has ended, with its outcome and reason. */
void run_audit_ended(const struct run_entry *entry);

/* --- runs_store.c --- */

void runs_open_store(struct runs *runs);

/* The run was accepted. */
void run_store_begin(struct run_entry *entry);

/* It goes on from now, and is journalled from time to time. */
void run_store_started(struct run_entry *entry);

/* The time between journals may be another one. */
void runs_plan_journal(struct runs *runs);

/* It has ended: its result is stored, and who waits for it is answered when that is done. */
void run_store_result(struct run_entry *entry, struct term raised);

/* It is given up: who waits for it is told that it was interrupted, with what it has recorded. One that is
 * being stored has its result. */
void run_store_abort(struct run_entry *entry);

/* --- runs_events.c --- */

void runs_open_events(struct runs *runs);
void runs_close_events(struct runs *runs);

/* An event of a run's telemetry: its `event`, the owner being its entry. */
void run_tell_telemetry(void *entry, const char *const name[4], struct term measurements,
                        struct term metadata);

/* Whether somebody is told of the run now. */
bool run_is_heard(void *entry);

/* It waits, or goes on now; its result is stored. */
void run_tell_queued(struct run_entry *entry);
void run_tell_started(struct run_entry *entry);
void run_tell_ended(struct run_entry *entry);

/* --- run_status.c --- */

/* The summary as it is now: its figures are those of the run while that goes on. Buffers are the entry's. */
struct run_summary run_summary_now(const struct run_entry *entry);

void run_status_build(const struct run_entry *entry, struct term_builder *builder);
enum outcome run_status_outcome(const struct store_entry *stored);
void run_status_build_stored(const struct runs *runs, const struct store_entry *stored,
                             struct term_builder *builder);

#endif
