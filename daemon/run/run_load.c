#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "run.h"
#include "term/term_read.h"

/* With so many calls under way the next replies are gathered for some microseconds. */
#define GATHER_CALLS 64

/* Threads that one pass of the loop starts. */
#define START_BATCH 4096

static void next_operation(struct run *run, uint32_t thread);
static const struct target_events target_events;

static bool is_loading(const struct run *run)
{
    return run->state == RUN_STARTING || run->state == RUN_LOAD;
}

static const struct operation *operation_of(const struct run *run, uint32_t thread)
{
    return &run->scenario->operations[run->scenario->threads[thread].first + run->threads[thread].step];
}

static struct term target_server(const struct run *run, uint32_t target)
{
    return run->scenario->setup.data ? buffer_term(&run->subject) : run->scenario->targets[target].server;
}

static uint32_t target_of(const struct run *run, uint32_t thread)
{
    return (uint32_t)((thread + (uint64_t)run->threads[thread].step) % run->scenario->target_count);
}

/* --- Time --- */

static uint64_t call_deadline(const struct run *run, const struct call *call)
{
    return call->start_ns + run->scenario->call_timeout_ms * CLOCK_NS_PER_MS;
}

static uint64_t load_deadline(const struct run *run)
{
    return run->loaded_ns + run->scenario->timeout_ms * CLOCK_NS_PER_MS;
}

/* Deadlines only move away while calls come and go, so that the timer is set anew only when it fires, or for
 * what ends before all that it was set for. */
static void need_timer(struct run *run, uint64_t when_ns, uint64_t now_ns)
{
    if (when_ns < run->timer_ns)
        run_arm(run, when_ns, now_ns);
}

/* --- The end of operations and threads --- */

static void end_thread(struct run *run)
{
    if (--run->threads_left == 0 && run->state == RUN_LOAD)
        run_enter(run, RUN_CHAOS_WAIT);
}

/* Its thread does no more; of several that fail the first in the scenario's order counts. */
static void fail_thread(struct run *run, uint32_t thread, struct term reason)
{
    if (thread < run->failed_thread) {
        run->failed_thread = thread;
        run_keep(&run->thread_failure, reason);
    }
    run->threads[thread].step = run->scenario->threads[thread].count;
    end_thread(run);
}

/* Under what an error is counted: of an exception and its stack trace only the exception. */
static void count_error(struct run *run, enum result_kind kind, struct term reason)
{
    static const char *const atoms[] = {[RESULT_TIMEOUT] = "timeout",
                                        [RESULT_NOPROC] = "noproc",
                                        [RESULT_MISSING_SYNC] = "missing_sync_handler"};
    struct term_builder builder = {0};
    struct term parts[2];
    if (kind == RESULT_RAISED && term_read_tuple_of(reason, 2, parts))
        reason = parts[0];
    if (kind != RESULT_EXIT && kind != RESULT_RAISED) {
        term_build_atom(&builder, atoms[kind]);
        reason = term_built(&builder);
    }
    errors_count(&run->errors, reason);
    run->operation_errors++;
    term_build_free(&builder);
}

/* Of the terms that a report repeats with each event of the operation. */
static uint32_t repeated_bytes(const struct run *run, uint32_t thread, uint32_t target, enum result_kind kind)
{
    size_t bytes = operation_of(run, thread)->message.size;
    if (kind == RESULT_EXIT)
        bytes += target_server(run, target).size + run->scenario->cast_sync_message.size;
    return bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}

/* The thread's operation has its result: it becomes an event, and the thread goes on. `term` is that of the
 * result. */
static void complete(struct run *run, uint32_t thread, uint32_t target, uint64_t start_ns,
                     enum result_kind kind, struct term term)
{
    struct thread *state = &run->threads[thread];
    uint64_t now = clock_ns();
    uint64_t duration_us = (now - start_ns) / CLOCK_NS_PER_US;
    struct event event = {.thread = thread,
                          .step = state->step,
                          .operation = run->scenario->threads[thread].first + state->step,
                          .target = target,
                          .end_us = (now - run->started_ns) / CLOCK_NS_PER_US,
                          .duration_us = duration_us < UINT32_MAX ? (uint32_t)duration_us : UINT32_MAX,
                          .bytes = repeated_bytes(run, thread, target, kind),
                          .kind = kind};
    events_record(&run->events, event, term);
    run->operations++;
    if (kind != RESULT_OK) {
        state->errors++;
        count_error(run, kind, term);
    }
    state->step++;
    next_operation(run, thread);
}

static void complete_call(struct run *run, struct call *call, enum result_kind kind, struct term term)
{
    uint32_t thread = call->thread, target = call->target;
    uint64_t start_ns = call->start_ns;
    if (kind != RESULT_OK && call->state == CALL_SENT) /* a reply may still come */
        calls_rest(&run->calls, call);
    else
        calls_close(&run->calls, call);
    complete(run, thread, target, start_ns, kind, term);
}

/* For operations that have no reply of their own. */
static struct term atom_ok(void)
{
    static const uint8_t ok[] = "w\x02ok";
    return (struct term){ok, sizeof(ok) - 1};
}

/* --- Sending --- */

/* The prefix stays in the buffer; only the tag and what follows it change. */
static void send_call(struct run *run, struct target *target, uint32_t tag, struct term message)
{
    buffer_truncate(&run->call, run->call_prefix);
    bytes_put32(buffer_bytes(&run->call) + run->call_prefix - 4, tag);
    buffer_append(&run->call, message.data, message.size);
    target_send(target, buffer_term(&run->call));
}

static void send_cast(struct run *run, struct target *target, struct term message)
{
    term_build_reset(&run->cast);
    term_build_tuple(&run->cast, 2);
    term_build_atom(&run->cast, "$gen_cast");
    term_build_term(&run->cast, message);
    target_send(target, term_built(&run->cast));
}

static void send_operation(struct run *run, struct target *target, struct call *call)
{
    const struct operation *operation = operation_of(run, call->thread);
    uint32_t tag = calls_tag(&run->calls, call);
    struct term message = operation->message;
    calls_sent(&run->calls, call);
    switch (operation->kind) {
    case OPERATION_CALL:
        send_call(run, target, tag, message);
        break;
    case OPERATION_CAST:
        send_cast(run, target, message);
        /* A cast that overran the peer's limit has closed the connection and failed its target. */
        if (target->state == TARGET_READY)
            send_call(run, target, tag, run->scenario->cast_sync_message);
        break;
    case OPERATION_CAST_ONLY:
    case OPERATION_SEND:
        if (operation->kind == OPERATION_SEND)
            target_send(target, message);
        else
            send_cast(run, target, message);
        if ((call = calls_find(&run->calls, tag)))
            complete_call(run, call, RESULT_OK, atom_ok());
        break;
    case OPERATION_CUSTOM:
    case OPERATION_SLEEP:
        break; /* are no calls */
    }
}

/* Sends what waits for the target, in order, as long as it takes it. */
static void send_waiting(struct run *run, struct target *target)
{
    struct call *call;
    while (is_loading(run) && (call = calls_first(&run->calls, (uint32_t)target->index, CALL_WAITING)) &&
           target_is_open(target))
        send_operation(run, target, call);
}

static void pump(void *owner)
{
    struct run *run = owner;
    while (run->dirty_count && is_loading(run)) {
        uint32_t target = run->dirty[--run->dirty_count];
        run->is_dirty[target] = false;
        target_reach(&run->targets[target]);
        send_waiting(run, &run->targets[target]);
    }
    if (calls_count(&run->calls) >= GATHER_CALLS)
        loop_gather(node_loop(process_node(run->process)));
}

/* What a pass adds for its targets is sent at its end, whatever led to it: no operation starts another one
 * from within. */
static void send_later(struct run *run, uint32_t target)
{
    if (!run->is_dirty[target]) {
        run->is_dirty[target] = true;
        run->dirty[run->dirty_count++] = target;
    }
    loop_defer(node_loop(process_node(run->process)), &run->pump);
}

/* --- Custom operations --- */

static void start_custom(struct run *run, uint32_t thread)
{
    struct term_builder arguments = {0};
    term_build_list(&arguments, 1);
    term_build_term(&arguments, target_server(run, target_of(run, thread)));
    term_build_nil(&arguments);
    run->custom_running++;
    run->is_custom_running[thread] = true;
    session_work(run, thread, operation_of(run, thread)->message, term_built(&arguments));
    term_build_free(&arguments);
}

static void queue_custom(struct run *run, uint32_t thread, uint64_t now)
{
    size_t capacity = run->scenario->thread_count;
    run->custom_starts[thread] = now;
    run->custom_queue[(run->custom_first + run->custom_waiting++) % capacity] = thread;
}

static void start_customs(struct run *run)
{
    while (is_loading(run) && run->custom_waiting &&
           run->custom_running < runner_limits(run->runner)->custom) {
        uint32_t thread = run->custom_queue[run->custom_first];
        run->custom_first = (run->custom_first + 1) % run->scenario->thread_count;
        run->custom_waiting--;
        start_custom(run, thread);
    }
}

static void fail_raised(struct run *run, uint32_t thread, const struct term raised[4])
{
    struct term_builder reason = {0};
    run_build_exit_reason(raised, &reason);
    fail_thread(run, thread, term_built(&reason));
    term_build_free(&reason);
}

static void custom_outcome(struct run *run, uint32_t thread, struct term outcome)
{
    struct term parts[4];
    size_t arity = 0;
    bool custom = operation_of(run, thread)->kind == OPERATION_CUSTOM;
    uint64_t start = run->custom_starts[thread];
    uint32_t target = target_of(run, thread);
    run->custom_starts[thread] = 0;
    if (!term_read_tuple(outcome, 4, parts, &arity) || arity < 2)
        return;
    if (term_is_atom(parts[0], "returned")) {
        complete(run, thread, target, start, RESULT_OK, parts[1]);
    } else if (arity == 4 && custom && term_is_atom(parts[1], "error")) {
        struct term_builder raised = {0};
        term_build_tuple(&raised, 2);
        term_build_term(&raised, parts[2]);
        term_build_term(&raised, parts[3]);
        complete(run, thread, target, start, RESULT_RAISED, term_built(&raised));
        term_build_free(&raised);
    } else if (arity == 4) {
        fail_raised(run, thread, parts);
    } else {
        fail_thread(run, thread, parts[1]); /* {exited, Reason}: something took its process along */
    }
}

/* A process may tell its outcome and be killed before it ends: only the first word of the operation that the
 * thread is at counts. */
void load_custom_done(struct run *run, int64_t thread, int64_t step, struct term outcome)
{
    if (!is_loading(run) || !run->custom_starts || thread < 0 || (uint64_t)thread >= run->threads_started ||
        !run->is_custom_running[thread] || run->threads[thread].step != step)
        return;
    run->is_custom_running[thread] = false;
    run->custom_running--;
    custom_outcome(run, (uint32_t)thread, outcome);
    start_customs(run);
}

void load_session_down(struct run *run, struct term reason)
{
    if (!run->custom_starts || !is_loading(run))
        return;
    for (uint32_t thread = 0; thread < run->threads_started && is_loading(run); thread++) {
        if (run->custom_starts[thread]) {
            run->custom_starts[thread] = 0;
            run->is_custom_running[thread] = false;
            fail_thread(run, thread, reason);
        }
    }
    run->custom_running = run->custom_waiting = 0;
}

/* --- The next operation of a thread --- */

static void open_call(struct run *run, uint32_t thread, uint64_t now)
{
    uint32_t target = target_of(run, thread);
    struct call *call = calls_open(&run->calls, thread, target, now);
    need_timer(run, call_deadline(run, call), now);
    send_later(run, target);
}

static void next_operation(struct run *run, uint32_t thread)
{
    if (!is_loading(run))
        return;
    if (run->threads[thread].step == run->scenario->threads[thread].count) {
        end_thread(run);
        return;
    }
    const struct operation *operation = operation_of(run, thread);
    uint64_t now = clock_ns();
    if (operation->kind == OPERATION_CUSTOM) {
        queue_custom(run, thread, now);
        start_customs(run);
    } else if (operation->kind == OPERATION_SLEEP) {
        uint64_t wake = now + operation->sleep_ms * CLOCK_NS_PER_MS;
        sleepers_add(&run->sleepers, (struct sleeper){.wake_ns = wake, .start_ns = now, .thread = thread});
        need_timer(run, wake, now);
    } else {
        open_call(run, thread, now);
    }
}

/* --- Replies and failures --- */

void load_reply(struct run *run, int64_t tag, struct term reply)
{
    struct call *call = is_loading(run) ? calls_find(&run->calls, tag) : NULL;
    if (call)
        complete_call(run, call, RESULT_OK, reply);
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

/* In strict mode the thread fails as the library's does, with an exception that the session makes. */
static void miss_sync(struct run *run, struct call *call)
{
    uint32_t thread = call->thread, target = call->target;
    if (!run->scenario->strict_cast_sync) {
        complete_call(run, call, RESULT_MISSING_SYNC, (struct term){0});
        return;
    }
    run->custom_starts[thread] = call->start_ns;
    run->is_custom_running[thread] = true;
    run->custom_running++;
    calls_rest(&run->calls, call);
    session_strict(run, thread, target_server(run, target), run->scenario->cast_sync_message);
}

static void fail_call(struct run *run, struct call *call, enum result_kind kind, struct term reason)
{
    bool cast = operation_of(run, call->thread)->kind == OPERATION_CAST;
    if (kind == RESULT_EXIT && cast && is_missing_handler(reason))
        miss_sync(run, call);
    else
        complete_call(run, call, kind, reason);
}

/* Ends all calls that a target has now; those that their threads start meanwhile wait behind them. */
static void fail_calls(struct run *run, const struct target *target, enum result_kind kind,
                       struct term reason)
{
    static const enum call_state states[] = {CALL_SENT, CALL_WAITING};
    uint32_t index = (uint32_t)target->index;
    uint32_t counts[] = {run->calls.by_target[index][1].count, run->calls.by_target[index][0].count};
    for (size_t i = 0; i < ARRAY_LENGTH(states); i++) {
        for (uint32_t left = counts[i]; left && is_loading(run); left--)
            fail_call(run, calls_first(&run->calls, index, states[i]), kind, reason);
    }
}

static void on_target_failed(void *owner, struct target *target, enum target_failure failure,
                             struct term reason)
{
    struct run *run = owner;
    struct term_builder nodedown = {0};
    probes_target_failed(run, target->index);
    term_build_tuple(&nodedown, 2);
    term_build_atom(&nodedown, "nodedown");
    term_build_atom(&nodedown, target->node);
    switch (failure) {
    case TARGET_NODEDOWN:
        fail_calls(run, target, RESULT_EXIT, term_built(&nodedown));
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
    probes_target_ready(owner, target->index);
    send_waiting(owner, target);
}

static const struct target_events target_events = {
    .ready = on_target_open, .failed = on_target_failed, .drained = on_target_open};

/* --- The load as a whole --- */

static void end_due_calls(struct run *run, uint64_t now)
{
    struct call *call;
    while (is_loading(run) && (call = calls_oldest(&run->calls)) && call_deadline(run, call) <= now)
        complete_call(run, call, RESULT_TIMEOUT, (struct term){0});
}

static void wake_sleepers(struct run *run, uint64_t now)
{
    const struct sleeper *first;
    while (is_loading(run) && (first = sleepers_first(&run->sleepers)) && first->wake_ns <= now) {
        struct sleeper sleeper = sleepers_take(&run->sleepers);
        complete(run, sleeper.thread, target_of(run, sleeper.thread), sleeper.start_ns, RESULT_OK, atom_ok());
    }
}

/* The first thread that has not ended, or has failed. */
static void time_out(struct run *run)
{
    struct term_builder timeout = {0};
    term_build_atom(&timeout, "timeout");
    for (uint32_t thread = 0; thread < run->scenario->thread_count && thread < run->failed_thread; thread++) {
        if (run->threads[thread].step < run->scenario->threads[thread].count) {
            run->failed_thread = thread;
            run_keep(&run->thread_failure, term_built(&timeout));
        }
    }
    term_build_free(&timeout);
    run_enter(run, RUN_CHAOS_WAIT);
}

void load_work(struct run *run)
{
    uint64_t now = clock_ns();
    if (now >= load_deadline(run)) {
        time_out(run);
        return;
    }
    run->timer_ns = UINT64_MAX; /* what follows may need it earlier than what is there already */
    end_due_calls(run, now);
    wake_sleepers(run, now);
    if (!is_loading(run))
        return;
    uint64_t next = load_deadline(run);
    const struct call *oldest = calls_oldest(&run->calls);
    const struct sleeper *sleeper = sleepers_first(&run->sleepers);
    if (oldest && call_deadline(run, oldest) < next)
        next = call_deadline(run, oldest);
    if (sleeper && sleeper->wake_ns < next)
        next = sleeper->wake_ns;
    run_arm(run, next, now);
}

void load_start_threads(struct run *run)
{
    size_t end = run->threads_started + START_BATCH;
    if (end > run->scenario->thread_count)
        end = run->scenario->thread_count;
    while (run->state == RUN_STARTING && run->threads_started < end)
        next_operation(run, (uint32_t)run->threads_started++);
    uint64_t now = clock_ns();
    if (run->state != RUN_STARTING)
        return;
    if (end < run->scenario->thread_count) {
        run_arm(run, now, now);
        return;
    }
    run->loaded_ns = now;
    run_enter(run, run->threads_left ? RUN_LOAD : RUN_CHAOS_WAIT);
}

static void build_call_prefix(struct run *run)
{
    struct term_builder builder = {0};
    term_build_tuple(&builder, 3);
    term_build_atom(&builder, "$gen_call");
    term_build_tuple(&builder, 2);
    term_build_term(&builder, process_pid(run->process));
    static const uint8_t tag[] = {TERM_TAG_INTEGER, 0, 0, 0, 0};
    run_keep(&run->call, term_built(&builder));
    buffer_append(&run->call, tag, sizeof(tag));
    run->call_prefix = run->call.size;
    term_build_free(&builder);
}

void load_init(struct run *run)
{
    const struct scenario *scenario = run->scenario;
    struct term group_leader = term_built(&run->group_leader);
    bool custom = scenario->has_custom_operations || scenario->strict_cast_sync;
    run->targets = memory_zalloc(scenario->target_count, sizeof(*run->targets));
    run->dirty = memory_zalloc(scenario->target_count, sizeof(*run->dirty));
    run->is_dirty = memory_zalloc(scenario->target_count, sizeof(*run->is_dirty));
    run->pump = (struct loop_task){.run = pump, .owner = run};
    run->threads = memory_zalloc(scenario->thread_count, sizeof(*run->threads));
    run->threads_left = scenario->thread_count;
    run->failed_thread = THREAD_NONE;
    if (custom) {
        run->custom_starts = memory_zalloc(scenario->thread_count, sizeof(*run->custom_starts));
        run->custom_queue = memory_zalloc(scenario->thread_count, sizeof(*run->custom_queue));
        run->is_custom_running = memory_zalloc(scenario->thread_count, sizeof(*run->is_custom_running));
    }
    calls_init(&run->calls, scenario->target_count);
    build_call_prefix(run);
    for (size_t i = 0; i < scenario->target_count; i++) {
        const struct target_spec *spec = scenario->setup.data ? &run->subject_spec : &scenario->targets[i];
        target_init(&run->targets[i], spec, i, run->process, group_leader, &target_events, run);
    }
}

void load_stop(struct run *run)
{
    loop_cancel(node_loop(process_node(run->process)), &run->pump);
    for (size_t i = 0; i < run->scenario->target_count; i++)
        target_free(&run->targets[i]);
}

void load_free(struct run *run)
{
    calls_free(&run->calls);
    sleepers_free(&run->sleepers);
    buffer_free(&run->call);
    term_build_free(&run->cast);
    buffer_free(&run->thread_failure);
    free(run->targets);
    free(run->threads);
    free(run->dirty);
    free(run->is_dirty);
    free(run->custom_starts);
    free(run->custom_queue);
    free(run->is_custom_running);
}
