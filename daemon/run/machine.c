#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "run_private.h"
#include "term/term_read.h"

/* What a session has to start, and what probes and measurements have to answer. */
#define SESSION_START_NS (10 * CLOCK_NS_PER_S)
#define OBSERVE_NS (5 * CLOCK_NS_PER_S)

void run_arm(struct run *run, uint64_t delay_ns)
{
    loop_timer_set(&run->timer, delay_ns);
}

/* --- Failures --- */

void run_fail(struct run *run, const char *kind, struct term detail)
{
    struct term_builder reason = {0};
    if (run->failure.size)
        return;
    if (kind) {
        term_build_tuple(&reason, 2);
        term_build_atom(&reason, kind);
    }
    term_build_term(&reason, detail);
    term_keep(&run->failure, term_built(&reason));
    term_build_free(&reason);
}

void run_fail_atom(struct run *run, const char *kind, const char *detail)
{
    struct term_builder atom = {0};
    term_build_atom(&atom, detail);
    run_fail(run, kind, term_built(&atom));
    term_build_free(&atom);
}

static void fail_nodedown(struct run *run)
{
    run_fail_atom(run, "nodedown", run->scenario->hooks_node);
}

/* --- States --- */

static const char *const state_names[RUN_STATE_COUNT] = {
    [RUN_RESOLVING] = "resolving",
    [RUN_PLANNING] = "planning",
    [RUN_STEADY_BEFORE] = "steady_before",
    [RUN_HEALING] = "healing",
    [RUN_STEADY_AFTER] = "steady_after",
    [RUN_SESSION] = "session",
    [RUN_SETUP] = "setup",
    [RUN_OBSERVING] = "observing",
    [RUN_STARTING] = "starting",
    [RUN_LOAD] = "load",
    [RUN_CHAOS_WAIT] = "chaos_wait",
    [RUN_JUDGING] = "judging",
    [RUN_CONTEXT] = "context",
    [RUN_INVARIANT] = "invariant",
    [RUN_CLEANUP] = "cleanup",
    [RUN_REPORTING] = "reporting",
    [RUN_DONE] = "done",
};

const char *run_state_name(enum run_state state)
{
    return state_names[state];
}

static bool needs_session(const struct run *run)
{
    const struct scenario *scenario = run->scenario;
    return scenario->setup.data || scenario->cleanup.data || scenario->invariant.data ||
           scenario->steady_state.data || scenario->chaos.data || scenario->has_custom_operations ||
           scenario->strict_cast_sync || scenario->expectations.count || run->request.expectations;
}

static bool has_cleanup(const struct run *run)
{
    return run->set_up && (run->scenario->setup.data || run->scenario->cleanup.data);
}

/* The default cleanup needs no more than a process beside what the setup made, wherever that is. */
static bool can_stop_subject(const struct run *run)
{
    const char *node = run->subject_spec.node;
    return run->scenario->setup.data && !run->scenario->cleanup.data &&
           strcmp(node, run->scenario->hooks_node) != 0 &&
           strcmp(node, node_name(runner_node(run->runner))) != 0;
}

void run_begin(struct run *run)
{
    run_load_init(run);
    run_faults_init(run);
    if (run->failure.size || run->cancelled || faults_refused(run->faults))
        run_enter(run, RUN_REPORTING);
    else
        run_enter(run, run->scenario->dry_run ? RUN_PLANNING : RUN_SESSION);
}

static void enter_session(struct run *run)
{
    run_arm(run, SESSION_START_NS);
    session_start_both(run);
}

static void enter_setup(struct run *run)
{
    telemetry_run_started(run);
    if (run->request.expectations) {
        session_measure(run);
    }
    if (!run->scenario->setup.data) {
        term_keep(&run->subject, run->scenario->target);
        run->set_up = true;
        run_enter(run, RUN_PLANNING);
        return;
    }
    run_arm(run, run->scenario->hook_timeout_ms * CLOCK_NS_PER_MS);
    session_setup(run);
}

static void enter_observing(struct run *run)
{
    run_arm(run, OBSERVE_NS);
    if (has_cleanup(run) && !run->scenario->setup.data)
        session_guard_cleanup(run);
    (void)probes_start(run);
    run_observed(run);
}

static void enter_starting(struct run *run)
{
    engine_begin(run->engine);
    run->first.at_ns = run_record(run)->started_ns;
    if (run->scenario->chaos.data) {
        run->chaos_running = true;
        run->chaos_started_ns = clock_ns();
        telemetry_chaos(run, "start", (struct term){0});
        session_start_chaos(run);
    } else if (run->scenario->action_count) {
        run->chaos_running = true;
        run->chaos_started_ns = clock_ns();
        telemetry_chaos(run, "start", (struct term){0});
        faults_start(run->faults, run_record(run)->started_ns);
    }
}

static void enter_load(struct run *run)
{
    (void)run; /* the engine is at work */
}

/* The chaos is awaited once more as long as the threads were; when a thread has failed it is not. */
static void enter_chaos_wait(struct run *run)
{
    run_load_stop(run);
    if (!run->chaos_running) {
        run_enter(run, RUN_JUDGING);
    } else if (run_record(run)->thread_failure.size || run->cancelled || run->aborted) {
        run->chaos_running = false;
        run_enter(run, RUN_JUDGING);
    } else {
        run_arm(run, run->scenario->timeout_ms * CLOCK_NS_PER_MS);
    }
}

static void enter_judging(struct run *run)
{
    run_arm(run, OBSERVE_NS);
    run->waited_ns = clock_ns();
    session_stop_work(run);
    if (run->failure.size || run_record(run)->thread_failure.size || run->chaos_failure.size ||
        run->cancelled || run->aborted)
        faults_abandon(run->faults);
    else
        faults_stop(run->faults);
    if (run->scenario->expectations.count) {
        session_measure(run);
    }
    (void)probes_stop(run);
    run_observed(run);
}

/* An expectation that was missed hides what else has failed. */
static void judge(struct run *run)
{
    bool has_chaos = run->scenario->chaos.data || run->scenario->action_count;
    bool chaos_awaited =
        has_chaos && !run_record(run)->thread_failure.size && !run->cancelled && !run->aborted;
    run->chaos_ms = (run->waited_ns - run->chaos_started_ns) / CLOCK_NS_PER_MS;
    if (chaos_awaited)
        telemetry_chaos(run, "stop", term_of(&run->chaos_failure));
    probes_end(run);
    if (run->scenario->mailbox_interval_ms)
        telemetry_mailbox(run);
    judge_load(run);
    run_enter(run, RUN_HEALING);
}

static void enter_context(struct run *run)
{
    term_build_reset(&run->written);
    report_start(&run->report, run, REPORT_CONTEXT, &run->written);
    run_arm(run, 0);
}

static void enter_invariant(struct run *run)
{
    run_arm(run, run->scenario->hook_timeout_ms * CLOCK_NS_PER_MS);
    session_check_invariant(run);
}

static void enter_cleanup(struct run *run)
{
    run_load_stop(run);
    probes_end(run);
    /* With the node of the hooks what they made there is gone, or its janitor cleans up. */
    if (!has_cleanup(run) || (run->hooks_node_lost && !can_stop_subject(run))) {
        run_enter(run, RUN_REPORTING);
        return;
    }
    run_arm(run, session_cleanup_ms(run) * CLOCK_NS_PER_MS);
    if (session_is_there(run))
        session_clean_up(run);
    else if (!script_is_active(&run->session))
        session_start(run); /* the last one was lost or stuck: another one cleans up */
}

static void enter_reporting(struct run *run)
{
    run_load_stop(run);
    probes_end(run);
    if (run->request.expectations)
        session_measure(run);
    run_arm(run, OBSERVE_NS);
    run_observed(run);
}

static void enter_done(struct run *run)
{
    runner_leave(run);
    run_log_finished(run, run_outcome(run));
    telemetry_run_stopped(run);
    session_end(run);
    if (run->faults)
        faults_leave(run->faults);
    if (run->request.expectations && !run->cancelled)
        judge_whole_run(run);
    run->request.done(run->request.owner, run, term_of(&run->raised));
    process_exit_atom(run->process, "normal");
    run_arm(run, 0); /* to be freed in a pass of its own: a long report is much to give back */
}

void run_enter(struct run *run, enum run_state state)
{
    static void (*const enter[RUN_STATE_COUNT])(struct run * run) = {
        [RUN_RESOLVING] = resolving_enter,
        [RUN_PLANNING] = faults_enter_planning,
        [RUN_STEADY_BEFORE] = faults_enter_steady,
        [RUN_HEALING] = faults_enter_healing,
        [RUN_STEADY_AFTER] = faults_enter_steady,
        [RUN_SESSION] = enter_session,
        [RUN_SETUP] = enter_setup,
        [RUN_OBSERVING] = enter_observing,
        [RUN_STARTING] = enter_starting,
        [RUN_LOAD] = enter_load,
        [RUN_CHAOS_WAIT] = enter_chaos_wait,
        [RUN_JUDGING] = enter_judging,
        [RUN_CONTEXT] = enter_context,
        [RUN_INVARIANT] = enter_invariant,
        [RUN_CLEANUP] = enter_cleanup,
        [RUN_REPORTING] = enter_reporting,
        [RUN_DONE] = enter_done,
    };
    assert(state > run->state || state == RUN_RESOLVING);
    run->state = state;
    log_debug("run", log_integer("run", (int64_t)run->id), log_string("state", state_names[state]));
    enter[state](run);
}

/* --- What those who work for it tell --- */

void run_session_ready(struct run *run)
{
    if (run->state == RUN_SESSION)
        run_enter(run, run->cancelled ? RUN_REPORTING : RUN_SETUP);
    else if (run->state == RUN_CLEANUP)
        session_clean_up(run);
}

/* Whether the report is being written: what comes then, such as the loss of the session, changes it no more.
 */
static bool is_report_begun(const struct run *run)
{
    return run->report.output && run->report.purpose == REPORT_RESULT;
}

/* The probes first: the measurement is of what follows. True when one is awaited now. */
static bool measures_first(struct run *run)
{
    if (!run->scenario->expectations.count || run->is_measured)
        return false;
    run->is_measured = true;
    run_arm(run, OBSERVE_NS); /* that of the probes may have fired */
    session_measure(run);
    return run->measurement_awaited;
}

void run_observed(struct run *run)
{
    if (run->measurement_awaited || run->probes_awaited)
        return;
    if (run->state >= RUN_SETUP && run->state < RUN_OBSERVING) {
        run->opening = run->measured;
    } else if (run->state == RUN_OBSERVING && run->cancelled) {
        run_enter(run, RUN_CLEANUP);
    } else if (run->state == RUN_OBSERVING) {
        if (!run->opening.at_ns)
            run->opening = run->measured;
        if (measures_first(run))
            return;
        run->first = run->measured;
        run_enter(run, RUN_STARTING);
    } else if (run->state == RUN_LOAD) {
        judge_measured(run);
    } else if (run->state == RUN_JUDGING) {
        judge(run);
    } else if (run->state == RUN_REPORTING && !is_report_begun(run)) {
        run->closing = run->measured;
        report_start(&run->report, run, REPORT_RESULT, run->request.result);
        run_arm(run, 0);
    }
}

/* Where a run goes on without its session. */
static void leave_lost_session(struct run *run, struct term reason, bool nodedown, bool first_loss)
{
    switch (run->state) {
    case RUN_RESOLVING:
        break; /* it has none yet */
    case RUN_SESSION:
    case RUN_SETUP:
    case RUN_PLANNING:
    case RUN_STEADY_BEFORE:
    case RUN_OBSERVING:
    case RUN_STEADY_AFTER:
    case RUN_CONTEXT:
    case RUN_INVARIANT:
        run_enter(run, RUN_CLEANUP);
        break;
    case RUN_HEALING:
        break; /* what lasts is undone first */
    case RUN_STARTING:
    case RUN_LOAD:
        engine_session_down(run->engine, reason);
        if (run->state <= RUN_LOAD)
            run_enter(run, RUN_CHAOS_WAIT);
        break;
    case RUN_CHAOS_WAIT:
        run_enter(run, RUN_JUDGING);
        break;
    case RUN_JUDGING:
    case RUN_REPORTING:
        run_observed(run);
        break;
    case RUN_CLEANUP:
        if (nodedown)
            fail_nodedown(run);
        if (first_loss && can_stop_subject(run)) {
            session_start(run);
        } else if (nodedown) {
            run_enter(run, RUN_REPORTING);
        } else {
            run_hook_failed(run, reason);
        }
        break;
    case RUN_DONE:
    case RUN_STATE_COUNT:
        break;
    }
}

/* Its node is gone, or somebody has killed it. What the run still had to do there has failed. */
void run_session_lost(struct run *run, struct term reason)
{
    bool nodedown = term_is_atom(reason, "noconnection");
    if (!nodedown && !needs_session(run) && run->state > RUN_SESSION)
        return;
    bool first_loss = nodedown && !run->hooks_node_lost;
    run->measurement_awaited = false;
    run->chaos_running = false;
    run->hooks_node_lost |= nodedown;
    if (run->state == RUN_SESSION && !needs_session(run) && !run->cancelled) {
        run_enter(run, RUN_SETUP); /* nothing needs one: there is just no telemetry */
        return;
    }
    if (!nodedown && (run->state == RUN_SETUP || run->state == RUN_INVARIANT ||
                      run->state == RUN_STEADY_BEFORE || run->state == RUN_STEADY_AFTER)) {
        run_hook_failed(run, reason); /* it has ended itself, or had it ended */
        return;
    }
    if (run->state < RUN_CLEANUP) {
        if (nodedown)
            fail_nodedown(run);
        else
            run_fail(run, "session_failed", reason);
    }
    leave_lost_session(run, reason, nodedown, first_loss);
}

/* --- Time --- */

/* The report is written piece by piece; before it a last measurement may not have come. */
static void continue_report(struct run *run)
{
    if (!is_report_begun(run)) {
        run->measurement_awaited = false;
        run_observed(run);
    } else if (report_continue(&run->report)) {
        run_arm(run, 0);
    } else {
        run_enter(run, RUN_DONE);
    }
}

void run_timer_fired(void *owner)
{
    struct run *run = owner;
    switch (run->state) {
    case RUN_RESOLVING:
        break; /* that has a deadline of its own */
    case RUN_SESSION:
        session_kill(run);
        if (needs_session(run))
            run_fail_atom(run, "session_failed", "timeout");
        run_enter(run, needs_session(run) || run->cancelled ? RUN_REPORTING : RUN_SETUP);
        break;
    case RUN_SETUP:
    case RUN_STEADY_BEFORE:
    case RUN_STEADY_AFTER:
    case RUN_INVARIANT:
    case RUN_CLEANUP:
        run_hook_timed_out(run);
        break;
    case RUN_PLANNING:
    case RUN_HEALING:
        faults_timed_out(run);
        break;
    case RUN_OBSERVING:
    case RUN_JUDGING:
        run->measurement_awaited = false;
        run->probes_awaited = 0;
        run_observed(run);
        break;
    case RUN_STARTING:
    case RUN_LOAD:
        engine_work(run->engine);
        break;
    case RUN_CHAOS_WAIT:
        run->chaos_running = false;
        run_chaos_timed_out(run);
        run_enter(run, RUN_JUDGING);
        break;
    case RUN_CONTEXT:
        if (report_continue(&run->report))
            run_arm(run, 0);
        else
            run_enter(run, RUN_INVARIANT);
        break;
    case RUN_REPORTING:
        continue_report(run);
        break;
    case RUN_DONE:
        loop_defer(node_loop(runner_node(run->runner)), &run->reap);
        break;
    case RUN_STATE_COUNT:
        break;
    }
}

/* Where a cancelled run goes on: to the end of what its state is about, cleanup being never cut short. */
void run_cancel(struct run *run)
{
    if (run->cancelled || run->state >= RUN_CLEANUP)
        return;
    run->cancelled = true;
    if (run->state == RUN_RESOLVING)
        resolving_cancel(run);
    else if (run->state == RUN_STARTING || run->state == RUN_LOAD)
        run_enter(run, RUN_CHAOS_WAIT);
    else if (run->state == RUN_CHAOS_WAIT) {
        run->chaos_running = false;
        run_enter(run, RUN_JUDGING);
    }
}
