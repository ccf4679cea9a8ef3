/* A run from inside. runner.c makes and frees it, run_states.c leads it through its states, run_load.c makes
 * its load, run_judge.c judges what came of it, run_session.c talks to the processes on the users' nodes,
 * report.c writes down what came of it. */
#ifndef HARNESSD_RUN_RUN_PRIVATE_H
#define HARNESSD_RUN_RUN_PRIVATE_H

#include "base/clock.h"
#include "load/engine.h"
#include "load/targets.h"
#include "node/script.h"
#include "run/runner.h"

enum report_purpose {
    REPORT_RESULT,  /* the result of the run, with its report */
    REPORT_CONTEXT, /* what the invariant is given */
    REPORT_PARTIAL, /* a report of a run that goes on, as of the moment when it is begun */
};

/* The writing of a report, piece by piece. */
struct report {
    struct run *run;
    struct term_builder *output; /* NULL before it is begun */
    size_t start;                /* where it begins in `output` */
    enum report_purpose purpose;
    const struct events *events;
    size_t thread_count;
    struct events copied_events;        /* of a run that goes on */
    struct load_thread *copied_threads; /* likewise */
    size_t *order;                      /* events by thread, see events_by_thread() */
    size_t *starts;
    size_t thread;
    size_t event;          /* in `order` */
    struct buffer message; /* scratch */
    enum { REPORT_EVENTS, REPORT_THREADS, REPORT_WRITTEN } part;
};

/* The length of the message queue of one target while the run went on. */
struct mailbox {
    struct run *run;
    struct script probe;
    bool awaited;  /* that its target is resolved, that it has started, or its last value */
    bool observed; /* the numbers below are there */
    int64_t initial;
    int64_t final;
    int64_t most;
    double average;
};

/* What a node says of itself and the session before and after. */
struct measurement {
    int64_t memory_bytes;
    int64_t reductions;
    uint64_t at_ns;
};

struct run {
    struct runner *runner;
    struct run *next;
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
    bool is_observed; /* somebody wants its recent response times */
    struct loop_timer timer;
    struct loop_task reap;

    /* Load. */
    struct target_spec subject_spec; /* of the process that the setup gave */
    struct targets *targets;         /* NULL before the scenario is known as a whole, as the engine */
    struct engine *engine;
    struct loop_timer engine_timer;

    /* What is measured. */
    int64_t most_mailbox; /* -1: none was observed */
    uint64_t seed;
    uint64_t waited_ns;        /* the chaos was no longer awaited */
    struct mailbox *mailboxes; /* of the first `mailbox_count` targets */
    size_t mailbox_count;
    size_t probes_awaited;
    bool measurement_awaited;
    bool is_measured;            /* the first measurement was asked for */
    uint32_t measurements;       /* that were asked for: the number of the last one */
    struct measurement measured; /* the last that came */
    struct measurement first;    /* around the load */
    struct measurement last;
    struct measurement opening; /* around the whole run */
    struct measurement closing;
    bool told_start;  /* by telemetry */
    bool judged;      /* `first` and `last` are there, and no expectation was missed */
    bool abort_asked; /* a measurement for `abort_when` */
    bool aborted; /* an expectation was missed while the load went on: the exception is in `abort_error` */
    struct buffer abort_error;

    /* The session and its hooks. */
    struct script session;
    uint32_t sessions; /* that were started: the last one's key */
    bool has_elixir;
    bool has_telemetry;   /* where it is told: in the session, or in the teller */
    struct script teller; /* a session on the caller's node, for telemetry, when the hooks have another one */
    char caller_node[NODE_NAME_BYTES + 1]; /* "" when nobody waits for the run */
    char requester[NODE_NAME_BYTES + 1];   /* the node of who has asked for it, or "nobody" */
    bool hooks_node_lost;
    bool set_up;           /* there is something to clean up */
    struct buffer subject; /* what hooks are given: the setup's pid, or the target as it was given */
    struct buffer context; /* of the setup, a map */
    bool chaos_running;
    uint64_t chaos_started_ns;
    uint64_t chaos_ms;
    struct buffer chaos_result;  /* what the chaos fun returned; empty when there was none or it failed */
    struct buffer chaos_failure; /* with what it has failed */

    struct run_chaos *faults; /* NULL: the scenario has no actions */

    /* The result. */
    struct buffer failure;         /* the reason of {error, Reason}; empty when there is none */
    struct buffer cleanup_failure; /* what went wrong with the cleanup */
    struct buffer raised;
    struct report report;
    size_t result_start;         /* bytes before the result in its builder */
    struct term_builder written; /* the context of the invariant */
};

/* --- run_states.c --- */

/* The one function that changes a run's state. */
void run_enter(struct run *run, enum run_state state);

/* Its scenario is known as a whole: what depends on its operations, targets and actions is made, and it goes
 * on to its session. */
void run_begin(struct run *run);

/* What those who work for it tell. */
void run_session_ready(struct run *run);
void run_session_lost(struct run *run, struct term reason);
void run_observed(struct run *run);
void run_planned(struct run *run);
void run_healed(struct run *run);

/* Sets the timer of the state it is in. */
void run_arm(struct run *run, uint64_t delay_ns);

/* Remembers the first failure: {Kind, Detail}, or the detail alone when `kind` is NULL. */
void run_fail(struct run *run, const char *kind, struct term detail);
void run_fail_atom(struct run *run, const char *kind, const char *detail);

/* What its timer is for depends on its state. */
void run_timer_fired(void *run);

/* --- runner.c --- */

/* It no longer counts as one that goes on. */
void runner_leave(struct run *run);

/* What has become of it so far. */
enum run_outcome run_outcome(const struct run *run);

/* Of all runs together. */
struct counters *run_counters(const struct run *run);

const struct runner_limits *runner_limits(const struct runner *runner);
struct node *runner_node(const struct runner *runner);
struct term runner_group_leader(const struct runner *runner);  /* for what nobody else is told of */
struct resolution **runner_resolutions(struct runner *runner); /* the first of them */
struct scripts *runner_scripts(const struct runner *runner);
const struct blast_radius *runner_blast_radius(const struct runner *runner);
void runner_each(struct runner *runner, void (*visit)(void *owner, struct run *run), void *owner);

/* --- run_resolving.c --- */

/* What a run does on entering RUN_RESOLVING, and when it is cancelled there. */
void resolving_enter(struct run *run);
void resolving_cancel(struct run *run);
void resolving_free(struct run *run);

/* --- run_hooks.c --- */

void run_hook_done(struct run *run, struct term outcome);
void run_hook_failed(struct run *run, struct term detail); /* {Exception, Stack}, or an atom */
void run_hook_timed_out(struct run *run);

void run_chaos_done(struct run *run, struct term outcome);
void run_chaos_timed_out(struct run *run);

/* --- run_faults.c --- */

/* What a run does on entering RUN_PLANNING, RUN_STEADY_BEFORE or RUN_STEADY_AFTER, and RUN_HEALING. */
void faults_enter_planning(struct run *run);
void faults_enter_steady(struct run *run);
void faults_enter_healing(struct run *run);

/* What agents were asked for while planning or healing has taken too long. */
void faults_timed_out(struct run *run);

/* What the hook of the steady state has returned, or with what it has failed. */
void steady_returned(struct run *run, struct term value);
void steady_failed(struct run *run, struct term detail);

/* --- run_chaos.c and its neighbours, see chaos.h: the faults of the scenario's actions --- */

struct injection;

void chaos_init(struct run *run);

/* Ends the agents, before the process of the run ends; what they hold goes with them. */
void chaos_leave(struct run *run);
void chaos_free(struct run *run);

/* Whether the configuration forbids an action by what it names; the run has then failed. */
MUST_CHECK bool chaos_refused(struct run *run);

/* Looks for whom the actions are for, and fails the run when that is forbidden. True when run_planned() is to
 * be awaited. */
MUST_CHECK bool chaos_plan(struct run *run);

/* That has taken too long: the run fails, a dry run tells of it. */
void chaos_plan_no_longer(struct run *run);

/* Works through the schedule from now on; when all is done the chaos no longer runs. */
void chaos_start(struct run *run);

/* Injects nothing more. */
void chaos_stop(struct run *run);

/* The same at the end of the load; of a run that was cancelled or has failed all that lasts is undone at
 * once. */
void chaos_load_over(struct run *run);

/* Undoes all that lasts. True when run_healed() is to be awaited; it is told once. */
MUST_CHECK bool chaos_heal(struct run *run);
void chaos_give_up(struct run *run);

/* Injects nothing more, undoes all that lasts and cuts short what is being done, in the midst of a run, or
 * before it has begun; `undone` is called for each fault of those that are counted. */
size_t chaos_heal_now(struct run *run,
                      void (*undone)(void *owner, const struct run *run, const struct injection *injection),
                      void *owner);
void chaos_tell_heal_now(struct run *run, const void *owner); /* of those that have not ended */

MUST_CHECK bool chaos_message(struct run *run, struct term message);

/* An operation on a target has ended. */
void chaos_observed(struct run *run, size_t target, bool ok, uint64_t now_ns);

/* The longest recovery from a fault, one that did not come counting up to the end of the load; -1 when there
 * was nothing to recover from. */
int64_t chaos_longest_recovery_ms(const struct run *run);

/* For the report: what was injected; true or what is not undone; what a dry run tells. */
void chaos_build_injections(const struct run *run, struct term_builder *builder);
uint64_t chaos_injected_count(const struct run *run);
uint64_t chaos_injections_dropped(const struct run *run); /* that are not among them any more */
void chaos_build_healed(const struct run *run, struct term_builder *builder);
void chaos_build_dry_run(const struct run *run, struct term_builder *builder);

/* --- run_load.c: the engine and the targets, as parts of the run --- */

void run_load_init(struct run *run);
void run_load_free(struct run *run);

/* A message {Tag, Reply}. */
void run_load_reply(struct run *run, int64_t tag, struct term reply);

/* Nothing more is sent, answered or awaited. */
void run_load_stop(struct run *run);

/* What was recorded so far; of a run that has not begun nothing. */
const struct load_record *run_record(const struct run *run);

/* --- run_judge.c --- */

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

/* --- run_session.c --- */

/* Starts a session; run_session_ready() or run_session_lost() tells how that went. */
void session_start(struct run *run);

/* Starts the teller first, where one is needed, and then the session. */
void session_start_both(struct run *run);
bool session_is_there(const struct run *run);

/* Ends it when it has done what it was asked for, or at once; it takes along what is linked to it. Nothing is
 * told any more. */
void session_end(struct run *run);
void session_kill(struct run *run);

/* What the session is asked for; the outcome comes to run_hook_done(), engine_custom_done(), run_chaos_done()
 * or run_observed(). Without a session nothing happens. */
void session_setup(struct run *run);
void session_check_invariant(struct run *run); /* with the context in `written` */
void session_check_steady_state(struct run *run);
void session_clean_up(struct run *run);
void session_work(struct run *run, uint32_t thread, uint64_t step, struct term hook, struct term arguments);
void session_start_chaos(struct run *run);

/* Asks for a measurement, which `run->measured` is when run_observed() tells; it is awaited until then. */
void session_measure(struct run *run);

/* Tells the session what to clean up should the daemon, or the link to it, go away; a setup tells that by
 * itself. */
void session_guard_cleanup(struct run *run);

/* How long a cleanup may take. */
uint64_t session_cleanup_ms(const struct run *run);

/* Kills all that works for the load: custom operations and chaos. */
void session_stop_work(struct run *run);

/* Executes a telemetry event there, where there is telemetry. */
void session_telemetry(struct run *run, const char *const event[4], struct term measurements,
                       struct term metadata);

/* A message of the session, {Key, Of, Outcome}; false when it is none. */
bool session_message(struct run *run, struct term message);

/* --- run_probes.c --- */

/* Starts to observe the mailboxes of the targets, or takes their last values; run_observed() follows when all
 * have answered. False when there are none. */
bool probes_start(struct run *run);
bool probes_stop(struct run *run);
bool probes_message(struct run *run, struct term message);

/* A target whose process a probe waits to know is ready, or has failed. */
void probes_target_ready(struct run *run, size_t index);
void probes_target_failed(struct run *run, size_t index);

/* Ends their processes; what they have told stays. */
void probes_end(struct run *run);

/* --- run_log.c --- */

void run_log_started(const struct run *run);
void run_log_aborted(const struct run *run);
void run_log_healed(const struct run *run);
void run_log_finished(const struct run *run, enum run_outcome outcome);

/* --- run_telemetry.c: the events of the library, with its measurements and metadata --- */

void telemetry_run_started(struct run *run);
void telemetry_run_stopped(struct run *run);
void telemetry_chaos(struct run *run, const char *what, struct term error); /* "start" or "stop" */
void telemetry_mailbox(struct run *run);
void telemetry_performance(struct run *run);

/* --- report.c --- */

/* Begins to write to the end of `output`; `report` is all zero or was begun before. Copies of what goes on
 * changing are part of it, and are to be freed before the run ends. */
void report_start(struct report *report, struct run *run, enum report_purpose purpose,
                  struct term_builder *output);

/* Writes the next piece; false when all is written. */
MUST_CHECK bool report_continue(struct report *report);

void report_free(struct report *report);

/* Appends a report without events and threads, which are empty lists, in one go. */
void report_build_journal(struct run *run, struct term_builder *builder);

/* --- report_parts.c --- */

/* The pairs of a report, or of the invariant's context, beside `events` and `threads`. */
size_t report_parts_count(bool for_invariant);
void report_parts_build(struct run *run, bool for_invariant, struct term_builder *builder);

/* Whether the invariant's context has one under this key. */
bool report_parts_have(struct term key);

/* Parts that hooks and telemetry get as well. `error`, when it has data, becomes a key of the metadata. */
void report_build_metadata(const struct run *run, struct term error, struct term_builder *builder);
void report_build_mailbox_of(const struct mailbox *mailbox, struct term_builder *builder);

#endif
