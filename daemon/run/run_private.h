/* A run from inside. runner.c makes and frees it, machine.c leads it through its states (machine_private.h),
 * run_load.c has its load made, run_faults.c its faults injected and run_explain.c its latencies explained,
 * session.c talks to the processes on the users' nodes, judge.c judges what came of it, report_build.c writes
 * it down. */
#ifndef HARNESSD_RUN_RUN_PRIVATE_H
#define HARNESSD_RUN_RUN_PRIVATE_H

#include "base/clock.h"
#include "base/clock_jump.h"
#include "base/list.h"
#include "faults/agent_scripts.h"
#include "faults/faults.h"
#include "finders_private.h"
#include "judge_private.h"
#include "load/engine.h"
#include "load/targets.h"
#include "node/script.h"
#include "probes_private.h"
#include "report/reason.h"
#include "report/warnings.h"
#include "report_build_private.h"
#include "run/runner.h"
#include "run_explain_private.h"
#include "session_private.h"
#include "telemetry_private.h"

/* The chaos fun, or the actions. */
struct run_chaos {
    bool running;
    uint64_t started_ns;
    uint64_t waited_ns; /* it was no longer awaited */
    uint64_t ms;
    struct term_kept result;  /* what the fun returned; none when there was none or it failed */
    struct term_kept failure; /* with what it has failed */
};

struct run_tail;

struct run {
    struct runner *runner;
    struct list_link link;
    uint64_t id;
    enum run_state state;
    bool cancelled;
    struct run_request request;
    const struct scenario *scenario;
    struct process *process;
    struct resolution *resolution; /* in RUN_RESOLVING */
    struct buffer caller_pid;      /* empty when nobody waits for the run */
    bool has_group_leader;         /* of the caller; it is this node's otherwise */
    struct term_builder group_leader;
    uint64_t created_ns;
    struct clock_times created; /* likewise, by all clocks */
    struct list limits;         /* struct run_limit, in the order in which they were reached */
    bool is_observed;           /* somebody wants its recent response times */
    struct loop_timer timer;
    struct loop_task turn;
    struct loop_task reap;

    /* Load. */
    struct target_spec subject_spec; /* of the process that the setup gave */
    struct targets *targets;         /* NULL before the scenario is known as a whole, as the engine */
    struct engine *engine;
    struct run_tail *tail; /* that goes on after it; NULL: there is none */
    struct run_explain explain;

    uint64_t seed;
    struct run_measurements measurements;
    struct run_probes probes;
    struct run_finders finders;
    bool told_start; /* by telemetry */

    /* The session and its hooks. */
    struct script session;
    uint32_t sessions; /* that were started: the last one's key */
    bool has_elixir;
    bool has_telemetry;   /* where it is told: in the session, or in the teller */
    struct script teller; /* a session on the caller's node, for telemetry, when the hooks have another one */
    char caller_node[NODE_NAME_BYTES + 1]; /* "" when nobody waits for the run */
    char requester[NODE_NAME_BYTES + 1];   /* the node of who has asked for it, or "nobody" */
    bool hooks_node_lost;
    bool set_up;              /* there is something to clean up */
    bool is_subject_spared;   /* the setup has not made it, so that only a cleanup of its own touches it */
    struct buffer subject;    /* what hooks are given: the setup's pid, or the target as it was given */
    struct term_kept context; /* of the setup, a map */

    /* Faults. */
    struct run_chaos chaos;
    struct faults *faults; /* NULL before the scenario is known as a whole */
    struct agent_scripts agents;
    struct loop_timer faults_timer;

    /* The result. */
    struct run_verdict verdict;
    struct report report;
    size_t result_start;         /* bytes before the result in its builder */
    struct term_builder written; /* what the session is told with the context of the invariant */
};

/* --- machine.c --- */

/* What a run is told by those who work for it. What a state does about it is in the table of machine.c. */
enum run_event {
    RUN_EVENT_TIMER,         /* that of run_arm() */
    RUN_EVENT_TURN,          /* that of run_take_turn() */
    RUN_EVENT_CANCEL,        /* the first time that somebody wants the run to end */
    RUN_EVENT_LOST,          /* its session is gone; the reason, `noconnection` when its node is */
    RUN_EVENT_RESOLVED,      /* its texts are; the reason, if they cannot be */
    RUN_EVENT_TELLER,        /* who tells telemetry on another node is there, or cannot be */
    RUN_EVENT_READY,         /* its session is there */
    RUN_EVENT_PLANNED,       /* whom its faults are for is known, as far as it can be */
    RUN_EVENT_OBSERVED,      /* probes and measurements have answered, or are no longer awaited */
    RUN_EVENT_STARTED,       /* all its threads are */
    RUN_EVENT_OVER,          /* its load is */
    RUN_EVENT_CHAOS_OVER,    /* its chaos is */
    RUN_EVENT_HEALED,        /* what lasted is undone, as far as it can be */
    RUN_EVENT_HOOK_RETURNED, /* the hook of its state; the value */
    RUN_EVENT_HOOK_FAILED,   /* or has not; {Exception, Stack}, or an atom */
    RUN_EVENT_COUNT
};

/* `detail` is borrowed. Without data for those that have none. */
#define RUN_NO_DETAIL TERM_LONG((struct term){0})
void run_event(struct run *run, enum run_event event, const struct term_long *detail);

/* Its first state, when there are texts to resolve. */
void run_resolve(struct run *run);

/* Its scenario is known as a whole: what depends on its operations, targets and actions is made, and it goes
 * on to its session. */
void run_begin(struct run *run);

/* Sets the timer of the state it is in; while the load goes on it wakes the engine. */
void run_arm(struct run *run, uint64_t delay_ns);
void run_timer_fired(void *run);

/* Has the state that it is in do a piece of its work, in turn with all others who have long work. */
void run_take_turn(struct run *run);
void run_turn_came(void *run);

/* Remembers the first failure: {Reason, Detail}, or one as it is. */
void run_fail(struct run *run, enum reason reason, const struct term_long *detail);
void run_fail_atom(struct run *run, enum reason reason, const char *detail);
void run_fail_as(struct run *run, const struct term_long *failure);

/* --- observing.c --- */

/* A measurement or a probe is no longer awaited: RUN_EVENT_OBSERVED when none is. */
void run_observed(struct run *run);

/* --- runner.c --- */

/* It no longer counts as one that goes on. */
void runner_leave(struct run *run);

/* Of all runs together. */
struct counters *run_counters(const struct run *run);

const struct runner_limits *runner_limits(const struct runner *runner);
struct node *runner_node(const struct runner *runner);
struct loop *run_loop(const struct run *run);
struct term runner_group_leader(const struct runner *runner); /* for what nobody else is told of */
struct list *runner_resolutions(struct runner *runner);
struct scripts *runner_scripts(const struct runner *runner);
const struct blast_radius *runner_blast_radius(const struct runner *runner);
struct audit *runner_audit(const struct runner *runner); /* or NULL */
void runner_each(struct runner *runner, void (*visit)(void *owner, struct run *run), void *owner);

/* --- opening.c --- */

void resolving_free(struct run *run);

/* --- hooks.c --- */

/* What the session tells of the hook of the run's state: {returned, Value}, of a setup {returned,
 * IsSubjectSpared, Value}, or {raised, Class, Exception, Stack}; it has no head, as that of a chaos. */
void run_hook_done(struct run *run, const struct term_long *outcome);

/* --- loading.c --- */

/* The chaos has ended, with a result or a failure, the other being NULL; the first time counts. */
void run_chaos_over(struct run *run, const struct term_long *result, const struct term_long *failure);

/* The same, as the session tells it. */
void run_chaos_done(struct run *run, const struct term_long *outcome);

/* --- run_faults.c: the faults, as a part of the run --- */

void run_faults_init(struct run *run);
void run_faults_free(struct run *run);

/* The chaos has failed if a fault was not injected; of what lasts that may be known only when it is undone.
 */
void run_faults_judge(struct run *run);
void run_faults_judge_undone(struct run *run);

/* --- run_load.c: the engine and the targets, as parts of the run --- */

void run_load_init(struct run *run);

/* What any engine of the run is made with, but for whom it tells. */
struct engine_options run_load_options(const struct run *run);
void run_load_free(struct run *run);

/* A message {Tag, Reply}. */
void run_load_reply(struct run *run, int64_t tag, const struct term_long *reply, struct arrived arrived);

/* False: it is not awaited. */
bool run_load_too_large(struct run *run, int64_t tag, struct term reason, struct arrived arrived);

/* Nothing more is sent, answered or awaited. */
void run_load_stop(struct run *run);

/* Whether a target of the scenario never was there when operations were made for it, or was, and not the last
 * time. One that gives several is there as long as there are any. */
bool run_has_missed(const struct run *run, size_t target);
bool run_has_lost(const struct run *run, size_t target);

/* What was recorded so far; of a run that has not begun nothing. */
const struct load_record *run_record(const struct run *run);

/* --- run_tail.c: the load that goes on until targets have recovered --- */

void run_tail_start(struct run *run);

/* What is due; false when its time is over. */
MUST_CHECK bool run_tail_work(struct run *run);

/* Harmless when there is none. The members are whom a target that gives several gives now. */
void run_tail_stop(struct run *run);
void run_tail_free(struct run *run);
void run_tail_set_members(struct run *run, size_t target, struct term pids);

/* The engine that is at work, whichever load it is. */
struct engine *run_engine(const struct run *run);

/* --- run_log.c --- */

void run_log_started(const struct run *run);
void run_log_missed(const struct run *run, size_t target, struct term reason);
void run_log_aborted(const struct run *run);
void run_log_healed(const struct run *run);
void run_log_finished(const struct run *run);

#endif
