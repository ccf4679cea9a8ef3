#include "run/runner.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "dist/flags.h"
#include "run.h"
#include "term/term_read.h"

/* Threads that one pass of the loop starts. */
#define START_BATCH 4096

struct runner {
    struct node *node;
    struct io_server *io_server;
    struct runner_limits limits;
    struct runner_counters counters;
    struct run *runs;
    size_t active;
    uint64_t threads; /* of all runs */
    uint64_t last_id;
};

static void next_operation(struct run *run, uint32_t thread);

static struct term built(const struct term_builder *builder)
{
    struct term term;
    bool done = term_build_done(builder, &term);
    assert(done);
    return term;
}

/* --- The end of a run --- */

static const char *const outcome_texts[] = {
    [RUN_COMPLETED] = "completed",
    [RUN_THREADS_TIMEOUT] = "threads timed out",
    [RUN_CANCELLED] = "cancelled",
};

static void release_targets(struct run *run)
{
    for (size_t i = 0; i < run->scenario->target_count; i++)
        target_free(&run->targets[i]);
}

/* The one way out of the load: the outcome is decided, and the report is written next. */
static void finish(struct run *run, enum run_outcome outcome)
{
    if (run->state != RUN_STARTING && run->state != RUN_LOAD)
        return;
    run->state = RUN_REPORTING;
    run->outcome = outcome;
    run->ended_ns = clock_ns();
    monitor_stop(&run->caller);
    release_targets(run);
    report_start(run);
    loop_timer_set(&run->timer, 0);
}

static void reap(void *owner)
{
    struct run *run = owner;
    loop_timer_free(&run->timer);
    calls_free(&run->calls);
    events_free(&run->events);
    errors_free(&run->errors);
    term_build_free(&run->kept_terms);
    term_build_free(&run->cast);
    term_build_free(&run->result);
    buffer_free(&run->call);
    report_free(&run->report);
    scenario_free(run->request.scenario);
    free(run->targets);
    free(run->threads);
    free(run);
}

static void leave_runner(struct run *run)
{
    struct runner *runner = run->runner;
    struct run **link = &runner->runs;
    while (*link != run)
        link = &(*link)->next;
    *link = run->next;
    runner->active--;
    runner->threads -= run->scenario->thread_count;
    runner->counters.finished++;
}

static void done(struct run *run)
{
    run->state = RUN_DONE;
    leave_runner(run);
    log_info("run finished", log_integer("run", (int64_t)run->id),
             log_string("outcome", outcome_texts[run->outcome]),
             log_integer("operations", (int64_t)run->operations),
             log_integer("errors", (int64_t)run->operation_errors),
             log_integer("ms", (int64_t)((run->ended_ns - run->created_ns) / CLOCK_NS_PER_MS)));
    run->request.done(run->request.owner, run, built(&run->result));
    process_exit_atom(run->process, "normal");
    loop_defer(node_loop(run->runner->node), &run->reap);
}

void run_cancel(struct run *run)
{
    finish(run, RUN_CANCELLED);
}

void runner_cancel_all(struct runner *runner)
{
    for (struct run *run = runner->runs; run; run = run->next)
        run_cancel(run);
}

static void caller_down(void *owner, struct term reason)
{
    (void)reason;
    struct run *run = owner;
    log_info("caller of run is gone", log_integer("run", (int64_t)run->id));
    run_cancel(run);
}

/* --- Time --- */

static uint64_t call_deadline(const struct run *run, const struct call *call)
{
    return call->start_ns + run->scenario->call_timeout_ms * CLOCK_NS_PER_MS;
}

static uint64_t run_deadline(const struct run *run)
{
    return run->started_ns + run->scenario->timeout_ms * CLOCK_NS_PER_MS;
}

/* Deadlines only move away while calls come and go, so that the timer is set anew only when it fires, or for
 * a call that ends before all that it was set for. */
static void arm(struct run *run, uint64_t when_ns, uint64_t now_ns)
{
    run->timer_ns = when_ns;
    loop_timer_set(&run->timer, when_ns > now_ns ? when_ns - now_ns : 0);
}

/* --- Operations --- */

static const struct operation *operation_of(const struct run *run, uint32_t thread)
{
    return &run->scenario->operations[run->scenario->threads[thread].first + run->threads[thread].step];
}

static void end_thread(struct run *run)
{
    if (--run->threads_left == 0 && run->state == RUN_LOAD)
        finish(run, RUN_COMPLETED);
}

static void count_error(struct run *run, enum result_kind kind, struct term reason)
{
    static const char *const atoms[] = {[RESULT_TIMEOUT] = "timeout",
                                        [RESULT_NOPROC] = "noproc",
                                        [RESULT_MISSING_SYNC] = "missing_sync_handler"};
    struct term_builder builder = {0};
    if (kind != RESULT_EXIT) {
        term_build_atom(&builder, atoms[kind]);
        reason = built(&builder);
    }
    errors_count(&run->errors, reason);
    run->operation_errors++;
    run->runner->counters.operation_errors++;
    term_build_free(&builder);
}

/* The call has its result: it becomes an event, and its thread goes on. `term` is that of the result. */
static void complete(struct run *run, struct call *call, enum result_kind kind, struct term term)
{
    uint32_t thread = call->thread;
    struct thread *state = &run->threads[thread];
    uint64_t now = clock_ns();
    uint64_t duration_us = (now - call->start_ns) / CLOCK_NS_PER_US;
    struct event event = {.thread = thread,
                          .step = state->step,
                          .operation = run->scenario->threads[thread].first + state->step,
                          .target = call->target,
                          .end_us = (now - run->started_ns) / CLOCK_NS_PER_US,
                          .duration_us = duration_us < UINT32_MAX ? (uint32_t)duration_us : UINT32_MAX,
                          .kind = kind};
    if (kind != RESULT_OK && call->state == CALL_SENT) /* a reply may still come */
        calls_rest(&run->calls, call);
    else
        calls_close(&run->calls, call);
    events_record(&run->events, event, term);
    run->operations++;
    run->runner->counters.operations++;
    if (kind != RESULT_OK) {
        state->errors++;
        count_error(run, kind, term);
    }
    state->step++;
    next_operation(run, thread);
}

/* The prefix stays in the buffer; only the tag and what follows it change. */
static void send_call(struct run *run, struct target *target, uint32_t tag, struct term message)
{
    buffer_truncate(&run->call, run->call_prefix);
    bytes_put32(buffer_bytes(&run->call) + run->call_prefix - 4, tag);
    buffer_append(&run->call, message.data, message.size);
    target_send(target, (struct term){buffer_bytes(&run->call), run->call.size});
}

static void send_cast(struct run *run, struct target *target, struct term message)
{
    term_build_reset(&run->cast);
    term_build_tuple(&run->cast, 2);
    term_build_atom(&run->cast, "$gen_cast");
    term_build_term(&run->cast, message);
    target_send(target, built(&run->cast));
}

/* Sends what waits for the target, in order, as long as it takes it. */
static void send_waiting(struct run *run, struct target *target)
{
    struct call *call;
    while ((call = calls_first(&run->calls, (uint32_t)target->index, CALL_WAITING)) &&
           target_is_open(target)) {
        const struct operation *operation = operation_of(run, call->thread);
        uint32_t tag = calls_tag(&run->calls, call);
        struct term message = operation->message;
        calls_sent(&run->calls, call);
        if (operation->kind == OPERATION_CAST) {
            send_cast(run, target, message);
            message = run->scenario->cast_sync_message;
        }
        /* A cast that overran the peer's limit has closed the connection and failed its target. */
        if (target->state == TARGET_READY)
            send_call(run, target, tag, message);
    }
}

static void next_operation(struct run *run, uint32_t thread)
{
    uint32_t step = run->threads[thread].step;
    if (run->state != RUN_LOAD && run->state != RUN_STARTING)
        return;
    if (step == run->scenario->threads[thread].count) {
        end_thread(run);
        return;
    }
    uint32_t target = (uint32_t)((thread + (uint64_t)step) % run->scenario->target_count);
    uint64_t now = clock_ns();
    struct call *call = calls_open(&run->calls, thread, target, now);
    uint64_t deadline = call_deadline(run, call);
    if (deadline < run->timer_ns)
        arm(run, deadline, now);
    target_reach(&run->targets[target]);
    send_waiting(run, &run->targets[target]);
}

/* --- Replies and failures --- */

static void on_message(void *owner, struct process *process, const struct incoming *incoming)
{
    (void)process;
    struct run *run = owner;
    struct term reply[2];
    int64_t tag;
    if (!term_read_tuple_of(incoming->body, 2, reply) || !term_read_integer(reply[0], &tag))
        return;
    struct call *call = calls_find(&run->calls, tag);
    if (call && (run->state == RUN_LOAD || run->state == RUN_STARTING))
        complete(run, call, RESULT_OK, reply[1]);
}

/* Whether a server died of not knowing the message that a cast is synchronised with: a RuntimeError that
 * speaks of handle_call (what `use GenServer` defines raises it), or no matching clause of handle_call/3. */
static bool is_missing_handler(struct term reason)
{
    struct term parts[2], text, frames[4], frame;
    struct term_list stack;
    const uint8_t *data;
    size_t size;
    if (!term_read_tuple_of(reason, 2, parts))
        return false;
    if (term_pairs_get(parts[0], "message", &text) && term_read_binary(text, &data, &size))
        return memmem(data, size, "handle_call", strlen("handle_call")) != NULL;
    return term_is_atom(parts[0], "function_clause") && term_list_start(&stack, parts[1]) &&
           term_list_next(&stack, &frame) && term_read_tuple_of(frame, 4, frames) &&
           term_is_atom(frames[1], "handle_call");
}

static void fail_call(struct run *run, struct call *call, enum result_kind kind, struct term reason)
{
    bool cast = operation_of(run, call->thread)->kind == OPERATION_CAST;
    if (kind == RESULT_EXIT && cast && is_missing_handler(reason))
        complete(run, call, RESULT_MISSING_SYNC, (struct term){0});
    else
        complete(run, call, kind, reason);
}

/* Ends all calls that a target has now; those that their threads start meanwhile wait behind them. */
static void fail_calls(struct run *run, const struct target *target, enum result_kind kind,
                       struct term reason)
{
    static const enum call_state states[] = {CALL_SENT, CALL_WAITING};
    uint32_t index = (uint32_t)target->index;
    uint32_t counts[] = {run->calls.by_target[index][1].count, run->calls.by_target[index][0].count};
    for (size_t i = 0; i < ARRAY_LENGTH(states); i++) {
        for (uint32_t left = counts[i]; left && run->state <= RUN_LOAD; left--)
            fail_call(run, calls_first(&run->calls, index, states[i]), kind, reason);
    }
}

static void on_target_failed(void *owner, struct target *target, enum target_failure failure,
                             struct term reason)
{
    struct run *run = owner;
    struct term_builder nodedown = {0};
    term_build_tuple(&nodedown, 2);
    term_build_atom(&nodedown, "nodedown");
    term_build_atom(&nodedown, target->node);
    switch (failure) {
    case TARGET_NODEDOWN:
        fail_calls(run, target, RESULT_EXIT, built(&nodedown));
        break;
    case TARGET_NOPROC:
        fail_calls(run, target, RESULT_NOPROC, (struct term){0});
        break;
    case TARGET_DIED:
        fail_calls(run, target, RESULT_EXIT, reason);
        break;
    }
    term_build_free(&nodedown);
}

static void on_target_open(void *owner, struct target *target)
{
    send_waiting(owner, target);
}

static const struct target_events target_events = {
    .ready = on_target_open, .failed = on_target_failed, .drained = on_target_open};

static void end_due_calls(struct run *run, uint64_t now)
{
    struct call *call;
    while (run->state == RUN_LOAD && (call = calls_oldest(&run->calls)) && call_deadline(run, call) <= now)
        complete(run, call, RESULT_TIMEOUT, (struct term){0});
}

static void start_threads(struct run *run)
{
    size_t end = run->threads_started + START_BATCH;
    if (end > run->scenario->thread_count)
        end = run->scenario->thread_count;
    if (run->threads_started == 0)
        run->started_ns = clock_ns();
    while (run->state == RUN_STARTING && run->threads_started < end)
        next_operation(run, (uint32_t)run->threads_started++);
    if (run->state != RUN_STARTING || end < run->scenario->thread_count)
        return;
    run->state = RUN_LOAD;
    if (run->threads_left == 0)
        finish(run, RUN_COMPLETED);
}

static void work_through_load(struct run *run)
{
    uint64_t now = clock_ns();
    if (now >= run_deadline(run)) {
        finish(run, RUN_THREADS_TIMEOUT);
        return;
    }
    end_due_calls(run, now);
    if (run->state != RUN_LOAD)
        return;
    uint64_t next = run_deadline(run);
    struct call *oldest = calls_oldest(&run->calls);
    if (oldest && call_deadline(run, oldest) < next)
        next = call_deadline(run, oldest);
    arm(run, next, now);
}

static void timer_fired(void *owner)
{
    struct run *run = owner;
    switch (run->state) {
    case RUN_STARTING:
        start_threads(run);
        if (run->state <= RUN_LOAD)
            arm(run, 0, 0);
        break;
    case RUN_LOAD:
        work_through_load(run);
        break;
    case RUN_REPORTING:
        if (report_continue(run))
            loop_timer_set(&run->timer, 0);
        else
            done(run);
        break;
    case RUN_DONE:
        break;
    }
}

/* --- The start of a run --- */

static const struct process_events process_events = {.message = on_message};

static void build_call_prefix(struct run *run)
{
    struct term_builder builder = {0};
    term_build_tuple(&builder, 3);
    term_build_atom(&builder, "$gen_call");
    term_build_tuple(&builder, 2);
    term_build_term(&builder, process_pid(run->process));
    buffer_append(&run->call, buffer_bytes(&builder.bytes), builder.bytes.size);
    static const uint8_t tag[] = {TERM_TAG_INTEGER, 0, 0, 0, 0};
    buffer_append(&run->call, tag, sizeof(tag));
    run->call_prefix = run->call.size;
    term_build_free(&builder);
}

/* Old nodes (ei, Java) know no monitors; their callers cannot be watched. */
static void watch_caller(struct run *run)
{
    struct term caller = run->request.caller;
    struct peer *peer = caller.data ? node_peer_of(run->runner->node, caller) : NULL;
    bool can_watch = peer && (peer_flags(peer) & FLAG_DIST_MONITOR_NAME);
    if (caller.data &&
        (!peer || (can_watch && !monitor_start(&run->caller, run->process, peer, caller, caller_down, run))))
        run_cancel(run);
}

/* Run ids never come again, not even after a restart: they go on from the time of their start. */
static uint64_t next_id(struct runner *runner)
{
    uint64_t now = clock_wall_us();
    runner->last_id = now > runner->last_id ? now : runner->last_id + 1;
    return runner->last_id;
}

static struct run *new_run(struct runner *runner, const struct run_request *request)
{
    struct run *run = memory_zalloc(1, sizeof(*run));
    const struct scenario *scenario = request->scenario;
    run->runner = runner;
    run->id = next_id(runner);
    run->request = *request;
    run->scenario = scenario;
    run->process = process_spawn(runner->node, &process_events, run);
    run->targets = memory_zalloc(scenario->target_count, sizeof(*run->targets));
    run->threads = memory_zalloc(scenario->thread_count, sizeof(*run->threads));
    run->threads_left = scenario->thread_count;
    run->created_ns = run->started_ns = clock_ns();
    run->reap = (struct loop_task){.run = reap, .owner = run};
    random_secret(&run->seed, sizeof(run->seed));
    run->seed >>= 5; /* a small integer on the BEAM */
    random_seed(&run->random, run->seed);
    calls_init(&run->calls, scenario->target_count);
    events_init(&run->events, scenario->events_policy, scenario->events_number, runner->limits.events,
                runner->limits.event_bytes, &run->random);
    build_call_prefix(run);
    struct term group_leader = io_server_pid(runner->io_server);
    if (request->group_leader.data) {
        term_build_term(&run->kept_terms, request->group_leader);
        group_leader = built(&run->kept_terms);
    }
    for (size_t i = 0; i < scenario->target_count; i++)
        target_init(&run->targets[i], &scenario->targets[i], i, run->process, group_leader, &target_events,
                    run);
    loop_timer_init(&run->timer, node_loop(runner->node), timer_fired, run);
    return run;
}

struct run *runner_start(struct runner *runner, const struct run_request *request, const char **busy)
{
    size_t threads = request->scenario->thread_count;
    if (runner->active >= runner->limits.runs)
        *busy = "runs";
    else if (threads > runner->limits.threads - runner->threads)
        *busy = "threads";
    else
        *busy = NULL;
    if (*busy)
        return NULL;
    struct run *run = new_run(runner, request);
    run->next = runner->runs;
    runner->runs = run;
    runner->active++;
    runner->threads += threads;
    runner->counters.started++;
    log_info("run started", log_integer("run", (int64_t)run->id), log_integer("threads", (int64_t)threads),
             log_integer("operations", (int64_t)run->scenario->operation_count),
             log_integer("targets", (int64_t)run->scenario->target_count));
    arm(run, 0, 0);
    watch_caller(run);
    return run;
}

struct runner *runner_new(struct node *node, struct io_server *io_server, const struct runner_limits *limits)
{
    struct runner *runner = memory_zalloc(1, sizeof(*runner));
    runner->node = node;
    runner->io_server = io_server;
    runner->limits = *limits;
    return runner;
}

void runner_free(struct runner *runner)
{
    while (runner->runs) {
        struct run *run = runner->runs;
        runner->runs = run->next;
        release_targets(run);
        monitor_stop(&run->caller);
        process_exit_atom(run->process, "shutdown");
        reap(run);
    }
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

const struct runner_counters *runner_counters(const struct runner *runner)
{
    return &runner->counters;
}
