#include "run/runner.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "run.h"
#include "run/resolution.h"
#include "term/term_read.h"

/* What a hook is given beyond its timeout before its session counts as lost, and what a session has to start.
 */
#define SESSION_START_NS (10 * CLOCK_NS_PER_S)
#define OBSERVE_NS (5 * CLOCK_NS_PER_S)

struct runner {
    struct node *node;
    struct io_server *io_server;
    struct scripts *scripts;
    struct process *process; /* asks nodes for the forms of scripts */
    struct runner_limits limits;
    struct blast_radius radius;
    struct counters counters;
    struct run *runs;
    struct resolution *resolutions; /* that go on */
    size_t active;
};

void run_keep(struct buffer *buffer, struct term term)
{
    buffer_free(buffer);
    buffer_append(buffer, term.data, term.size);
}

void runner_set_limits(struct runner *runner, const struct runner_limits *limits)
{
    runner->limits = *limits;
}

const struct runner_limits *runner_limits(const struct runner *runner)
{
    return &runner->limits;
}

struct node *runner_node(const struct runner *runner)
{
    return runner->node;
}

struct term runner_group_leader(const struct runner *runner)
{
    return io_server_pid(runner->io_server);
}

struct resolution **runner_resolutions(struct runner *runner)
{
    return &runner->resolutions;
}

struct scripts *runner_scripts(const struct runner *runner)
{
    return runner->scripts;
}

const struct blast_radius *runner_blast_radius(const struct runner *runner)
{
    return &runner->radius;
}

void runner_set_blast_radius(struct runner *runner, const struct blast_radius *radius)
{
    runner->radius = *radius;
}

void runner_each(struct runner *runner, void (*visit)(void *owner, struct run *run), void *owner)
{
    for (struct run *run = runner->runs; run; run = run->next)
        visit(owner, run);
}

void run_arm(struct run *run, uint64_t when_ns, uint64_t now_ns)
{
    run->timer_ns = when_ns;
    loop_timer_set(&run->timer, when_ns > now_ns ? when_ns - now_ns : 0);
}

static void arm_in(struct run *run, uint64_t delay_ns)
{
    uint64_t now = clock_ns();
    run_arm(run, now + delay_ns, now);
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
    run_keep(&run->failure, term_built(&reason));
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
           strcmp(node, run->scenario->hooks_node) != 0 && strcmp(node, node_name(run->runner->node)) != 0;
}

void run_begin(struct run *run)
{
    load_init(run);
    chaos_init(run);
    if (run->failure.size || run->cancelled || chaos_refused(run))
        run_enter(run, RUN_REPORTING);
    else
        run_enter(run, run->scenario->dry_run ? RUN_PLANNING : RUN_SESSION);
}

static void enter_session(struct run *run)
{
    arm_in(run, SESSION_START_NS);
    session_start_both(run);
}

static void enter_setup(struct run *run)
{
    telemetry_run_started(run);
    if (run->request.expectations) {
        session_measure(run);
    }
    if (!run->scenario->setup.data) {
        run_keep(&run->subject, run->scenario->target);
        run->set_up = true;
        run_enter(run, RUN_PLANNING);
        return;
    }
    arm_in(run, run->scenario->hook_timeout_ms * CLOCK_NS_PER_MS);
    session_setup(run);
}

static void enter_observing(struct run *run)
{
    arm_in(run, OBSERVE_NS);
    if (has_cleanup(run) && !run->scenario->setup.data)
        session_guard_cleanup(run);
    (void)probes_start(run);
    run_observed(run);
}

static void enter_starting(struct run *run)
{
    load_begin(run);
    run->first.at_ns = run->started_ns;
    if (run->scenario->chaos.data) {
        run->chaos_running = true;
        run->chaos_started_ns = clock_ns();
        telemetry_chaos(run, "start", (struct term){0});
        session_start_chaos(run);
    } else if (run->scenario->action_count) {
        run->chaos_running = true;
        run->chaos_started_ns = clock_ns();
        telemetry_chaos(run, "start", (struct term){0});
        chaos_start(run);
    }
    arm_in(run, 0);
}

static void enter_load(struct run *run)
{
    (void)run; /* the load sets the timer for what is due next */
}

/* The chaos is awaited once more as long as the threads were; when a thread has failed it is not. */
static void enter_chaos_wait(struct run *run)
{
    run->ended_ns = clock_ns();
    load_stop(run);
    if (!run->chaos_running) {
        run_enter(run, RUN_JUDGING);
    } else if (run->thread_failure.size || run->cancelled || run->aborted) {
        run->chaos_running = false;
        run_enter(run, RUN_JUDGING);
    } else {
        arm_in(run, run->scenario->timeout_ms * CLOCK_NS_PER_MS);
    }
}

static void enter_judging(struct run *run)
{
    arm_in(run, OBSERVE_NS);
    run->waited_ns = clock_ns();
    session_stop_work(run);
    chaos_stop(run);
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
    bool chaos_awaited = has_chaos && !run->thread_failure.size && !run->cancelled && !run->aborted;
    run->chaos_ms = (run->waited_ns - run->chaos_started_ns) / CLOCK_NS_PER_MS;
    if (chaos_awaited)
        telemetry_chaos(run, "stop", buffer_term(&run->chaos_failure));
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
    arm_in(run, 0);
}

static void enter_invariant(struct run *run)
{
    arm_in(run, run->scenario->hook_timeout_ms * CLOCK_NS_PER_MS);
    session_check_invariant(run);
}

static void enter_cleanup(struct run *run)
{
    load_stop(run);
    probes_end(run);
    /* With the node of the hooks what they made there is gone, or its janitor cleans up. */
    if (!has_cleanup(run) || (run->hooks_node_lost && !can_stop_subject(run))) {
        run_enter(run, RUN_REPORTING);
        return;
    }
    arm_in(run, session_cleanup_ms(run) * CLOCK_NS_PER_MS);
    if (session_is_there(run))
        session_clean_up(run);
    else if (!script_is_active(&run->session))
        session_start(run); /* the last one was lost or stuck: another one cleans up */
}

static void enter_reporting(struct run *run)
{
    load_stop(run);
    probes_end(run);
    if (run->request.expectations)
        session_measure(run);
    arm_in(run, OBSERVE_NS);
    run_observed(run);
}

static void leave_runner(struct run *run)
{
    struct runner *runner = run->runner;
    struct run **link = &runner->runs;
    while (*link != run)
        link = &(*link)->next;
    *link = run->next;
    runner->active--;
}

static enum run_outcome outcome_of(const struct run *run)
{
    if (run->cancelled)
        return RUN_CANCELLED;
    return run->failure.size || run->cleanup_failure.size ? RUN_FAILED : RUN_COMPLETED;
}

void run_figures(const struct run *run, struct run_figures *figures)
{
    bool is_loading = run->state == RUN_STARTING || run->state == RUN_LOAD;
    *figures = (struct run_figures){.state = run->state,
                                    .outcome = outcome_of(run),
                                    .operations = run->operations,
                                    .operation_errors = run->operation_errors,
                                    .dropped = run->arrivals_dropped,
                                    .in_flight = is_loading ? load_in_flight(run) : 0,
                                    .threads_active = is_loading ? run->threads_active : 0};
    if (is_loading)
        figures->load_ns = clock_ns() - run->started_ns;
    else if (run->ended_ns > run->started_ns)
        figures->load_ns = run->ended_ns - run->started_ns;
}

void run_observe(struct run *run, bool observed)
{
    if (observed && !run->recent) {
        run->recent = memory_zalloc(1, sizeof(*run->recent));
        histogram_init(run->recent, 2);
    } else if (!observed && run->recent) {
        histogram_free(run->recent);
        free(run->recent);
        run->recent = NULL;
    }
}

void run_take_recent(struct run *run, struct run_recent *recent)
{
    struct histogram *histogram = run->recent;
    *recent = (struct run_recent){.count = 0};
    if (!histogram || !histogram->count)
        return;
    *recent = (struct run_recent){.count = histogram->count,
                                  .p50_us = histogram_quantile(histogram, 0.5),
                                  .p99_us = histogram_quantile(histogram, 0.99),
                                  .max_us = histogram->max};
    histogram_reset(histogram);
}

static void enter_done(struct run *run)
{
    enum run_outcome outcome = outcome_of(run);
    leave_runner(run);
    run->runner->counters.finished[outcome]++;
    run_log_finished(run, outcome);
    telemetry_run_stopped(run);
    session_end(run);
    chaos_leave(run);
    if (run->request.expectations && !run->cancelled)
        judge_whole_run(run);
    run->request.done(run->request.owner, run, buffer_term(&run->raised));
    process_exit_atom(run->process, "normal");
    arm_in(run, 0); /* to be freed in a pass of its own: a long report is much to give back */
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
    arm_in(run, OBSERVE_NS); /* that of the probes may have fired */
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
        arm_in(run, 0);
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
        load_session_down(run, reason);
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
        arm_in(run, 0);
    } else {
        run_enter(run, RUN_DONE);
    }
}

static void timer_fired(void *owner)
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
        load_work(run);
        break;
    case RUN_CHAOS_WAIT:
        run->chaos_running = false;
        run_chaos_timed_out(run);
        run_enter(run, RUN_JUDGING);
        break;
    case RUN_CONTEXT:
        if (report_continue(&run->report))
            arm_in(run, 0);
        else
            run_enter(run, RUN_INVARIANT);
        break;
    case RUN_REPORTING:
        continue_report(run);
        break;
    case RUN_DONE:
        loop_defer(node_loop(run->runner->node), &run->reap);
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

/* --- The start and the end --- */

static void on_message(void *owner, struct process *process, const struct incoming *incoming)
{
    (void)process;
    struct run *run = owner;
    struct term reply[2];
    int64_t tag;
    if (term_read_tuple_of(incoming->body, 2, reply) && term_read_integer(reply[0], &tag))
        load_reply(run, tag, reply[1]);
    else if (!session_message(run, incoming->body) && !chaos_message(run, incoming->body))
        (void)probes_message(run, incoming->body);
}

static const struct process_events process_events = {.message = on_message};

static void reap(void *owner)
{
    struct run *run = owner;
    resolving_free(run);
    script_leave(&run->session);
    script_leave(&run->teller);
    probes_end(run);
    run_observe(run, false);
    chaos_free(run);
    loop_timer_free(&run->timer);
    load_free(run);
    events_free(&run->events);
    errors_free(&run->errors);
    report_free(&run->report);
    term_build_free(&run->group_leader);
    term_build_free(&run->written);
    struct buffer *const kept[] = {&run->caller_pid,   &run->subject,         &run->context,
                                   &run->chaos_result, &run->chaos_failure,   &run->failure,
                                   &run->raised,       &run->cleanup_failure, &run->abort_error};
    for (size_t i = 0; i < ARRAY_LENGTH(kept); i++)
        buffer_free(kept[i]);
    scenario_free(run->request.scenario);
    free(run->mailboxes);
    free(run);
}

/* That of a pid. */
static bool keep_node(struct term term, char node[NODE_NAME_BYTES + 1])
{
    struct term_pid pid;
    if (!term.data || !term_read_pid(term, &pid) || !node_name_is_valid(pid.node, strlen(pid.node)))
        return false;
    memcpy(node, pid.node, strlen(pid.node) + 1);
    return true;
}

static struct run *new_run(struct runner *runner, const struct run_request *request)
{
    struct run *run = memory_zalloc(1, sizeof(*run));
    const struct scenario *scenario = request->scenario;
    static const uint8_t empty_map[] = {TERM_TAG_MAP, 0, 0, 0, 0};
    run->runner = runner;
    run->id = request->id;
    run->request = *request;
    run->scenario = scenario;
    run->process = process_spawn(runner->node, &process_events, run);
    run->created_ns = run->started_ns = run->ended_ns = clock_ns();
    run->reap = (struct loop_task){.run = reap, .owner = run};
    random_secret(&run->seed, sizeof(run->seed));
    run->seed = scenario->has_seed ? scenario->seed : run->seed >> 5; /* a small integer on the BEAM */
    random_seed(&run->random, run->seed);
    events_init(&run->events, scenario->events_policy, scenario->events_number, runner->limits.events,
                runner->limits.event_bytes, &run->random);
    term_build_term(&run->group_leader,
                    request->group_leader.data ? request->group_leader : runner_group_leader(runner));
    run->result_start = request->result->bytes.size;
    run->has_group_leader = request->group_leader.data != NULL;
    run->cancelled = request->cancelled;
    if (request->caller.data) {
        run_keep(&run->caller_pid, request->caller);
        if (keep_node(request->caller, run->caller_node) &&
            strcmp(run->caller_node, node_name(runner->node)) == 0)
            run->caller_node[0] = '\0';
    }
    if (!keep_node(request->requester, run->requester))
        strcpy(run->requester, "nobody");
    run_keep(&run->context, (struct term){empty_map, sizeof(empty_map)});
    loop_timer_init_precise(&run->timer, node_loop(runner->node), timer_fired, run);
    return run;
}

struct run *runner_start(struct runner *runner, const struct run_request *request)
{
    if (request->cancelled)
        request->scenario->thread_count = 0; /* there never is one */
    struct run *run = new_run(runner, request);
    run->next = runner->runs;
    runner->runs = run;
    runner->active++;
    runner->counters.started++;
    run_log_started(run);
    if (run->scenario->texts && !run->cancelled)
        run_enter(run, RUN_RESOLVING);
    else
        run_begin(run);
    return run;
}

static const struct process_events lookup_events = {0};

struct runner *runner_new(struct node *node, struct io_server *io_server, const struct runner_limits *limits)
{
    struct runner *runner = memory_zalloc(1, sizeof(*runner));
    runner->node = node;
    runner->io_server = io_server;
    runner->limits = *limits;
    counters_init(&runner->counters);
    runner->process = process_spawn(node, &lookup_events, runner);
    runner->scripts = scripts_new(node, runner->process);
    return runner;
}

/* There is no time for a report. */
static void give_up(struct run *run)
{
    struct term_builder *result = run->request.result;
    buffer_truncate(&result->bytes, run->result_start);
    term_build_tuple(result, 2);
    term_build_atom(result, "error");
    term_build_atom(result, "aborted");
    run->request.done(run->request.owner, run, (struct term){0});
}

void runner_close(struct runner *runner)
{
    while (runner->runs) {
        struct run *run = runner->runs;
        runner->runs = run->next;
        load_stop(run);
        give_up(run);
        chaos_leave(run);
        process_exit_atom(run->process, "aborted"); /* its session then cleans up by itself */
        reap(run);
    }
    resolutions_abort(runner);
    process_exit_atom(runner->process, "shutdown");
}

void runner_free(struct runner *runner)
{
    scripts_free(runner->scripts);
    counters_free(&runner->counters);
    free(runner);
}

uint64_t run_id(const struct run *run)
{
    return run->id;
}

size_t runner_active(const struct runner *runner)
{
    return runner->active;
}

const struct counters *runner_counters(const struct runner *runner)
{
    return &runner->counters;
}

struct counters *run_counters(const struct run *run)
{
    return &run->runner->counters;
}

void runner_figures(const struct runner *runner, struct runner_figures *figures)
{
    *figures = (struct runner_figures){.in_flight = 0};
    for (const struct run *run = runner->runs; run; run = run->next) {
        figures->runs[run->state]++;
        figures->threads += run->scenario->thread_count;
        figures->in_flight += load_in_flight(run);
        figures->queued += run->backlog.count;
    }
}
