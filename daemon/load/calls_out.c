#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "engine_private.h"
#include "term/term_read.h"

/* How long a target that has failed is left alone: a node that cannot be reached is not dialled all the time.
 */
#define NODEDOWN_REST_NS CLOCK_NS_PER_MS
#define FAILURE_REST_NS (50 * CLOCK_NS_PER_US)

/* With so many calls under way the next replies are gathered for some microseconds. */
#define GATHER_CALLS 64

struct term load_target_server(const struct run *run, uint32_t target)
{
    return run->scenario->setup.data ? term_of(&run->subject) : run->scenario->targets[target].server;
}

static uint64_t deadline_ns(const struct run *run, const struct call *call)
{
    return call->opened_ns + run->scenario->call_timeout_ms * CLOCK_NS_PER_MS;
}

/* --- The end of calls --- */

static void complete_call(struct run *run, struct call *call, enum result_kind kind, struct term term)
{
    uint32_t thread = call->thread, target = call->target;
    struct load_start start = {call->intended_ns, call->sent_ns};
    if (kind != RESULT_OK && call->state == CALL_SENT) /* a reply may still come */
        calls_rest(&run->calls, call);
    else
        calls_close(&run->calls, call);
    load_complete(run, thread, target, start, kind, term);
}

bool load_end_due_calls(struct run *run, uint64_t now)
{
    struct call *call;
    while (load_is_on(run) && (call = calls_oldest(&run->calls)) && deadline_ns(run, call) <= now) {
        if (!load_may_work(run))
            return true;
        complete_call(run, call, RESULT_TIMEOUT, (struct term){0});
    }
    return false;
}

bool load_end_all_calls(struct run *run)
{
    return load_end_due_calls(run, UINT64_MAX);
}

uint64_t load_next_deadline_ns(const struct run *run)
{
    const struct call *oldest = calls_oldest(&run->calls);
    return oldest ? deadline_ns(run, oldest) : UINT64_MAX;
}

/* --- Sending --- */

/* The prefix stays in the buffer; only the tag and what follows it change. */
static void send_call(struct run *run, struct target *target, uint32_t tag, struct term message)
{
    buffer_truncate(&run->call, run->call_prefix);
    bytes_put32(buffer_bytes(&run->call) + run->call_prefix - 4, tag);
    buffer_append(&run->call, message.data, message.size);
    target_send(target, term_of(&run->call));
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
    const struct operation *operation = load_operation(run, call->thread);
    uint32_t tag = calls_tag(&run->calls, call);
    struct term message = load_message(run, call->thread);
    calls_sent(&run->calls, call, clock_ns());
    switch (operation->kind) {
    case OPERATION_CALL:
        send_call(run, target, tag, message);
        break;
    case OPERATION_CAST:
        send_cast(run, target, message);
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
            complete_call(run, call, RESULT_OK, TERM_ATOM("ok"));
        break;
    case OPERATION_CUSTOM:
    case OPERATION_SLEEP:
        break; /* are no calls */
    }
}

static void put_dirty(struct run *run, uint32_t target)
{
    if (run->is_dirty[target])
        return;
    run->is_dirty[target] = true;
    run->dirty[(run->dirty_first + run->dirty_count++) % run->scenario->target_count] = target;
}

/* What is left of its turn comes in the next pass. */
static void leave_for_next(struct run *run, uint32_t target)
{
    put_dirty(run, target);
    loop_defer_next(node_loop(process_node(run->process)), &run->pump);
}

/* Sends what waits for the target, in order, as long as it takes it and it is the run's turn. */
static void send_waiting(struct run *run, struct target *target)
{
    const struct loop *loop = node_loop(process_node(run->process));
    struct call *call;
    while (load_is_on(run) && (call = calls_first(&run->calls, (uint32_t)target->index, CALL_WAITING)) &&
           target_is_open(target)) {
        if (!loop_use_turn(loop, &run->sending, LOAD_TURN)) {
            leave_for_next(run, (uint32_t)target->index);
            return;
        }
        send_operation(run, target, call);
    }
}

static uint32_t take_dirty(struct run *run)
{
    uint32_t target = run->dirty[run->dirty_first];
    run->dirty_first = (run->dirty_first + 1) % run->scenario->target_count;
    run->dirty_count--;
    run->is_dirty[target] = false;
    return target;
}

/* Whether the target has failed too short a time ago to be reached again. */
static bool has_to_wait(struct run *run, uint32_t target)
{
    if (!run->retry_ns[target])
        return false;
    if (run->retry_ns[target] > clock_ns())
        return true;
    run->retry_ns[target] = 0;
    return false;
}

static void wait_for_retry(struct run *run, uint32_t target)
{
    uint64_t when_ns = run->retry_ns[target];
    put_dirty(run, target);
    if (when_ns < run->retry_due_ns)
        run->retry_due_ns = when_ns;
    load_need_timer(run, when_ns, clock_ns());
}

static bool fail_calls(struct run *run, uint32_t target);

/* Those that this adds come again in a pump of their own. */
static void pump(void *owner)
{
    struct run *run = owner;
    for (size_t left = run->dirty_count; left && load_is_on(run); left--) {
        uint32_t target = take_dirty(run);
        if (!fail_calls(run, target)) {
            leave_for_next(run, target);
        } else if (has_to_wait(run, target)) {
            wait_for_retry(run, target);
        } else if (load_is_on(run)) {
            target_reach(&run->targets[target]);
            send_waiting(run, &run->targets[target]);
        }
    }
    if (calls_count(&run->calls) >= GATHER_CALLS)
        loop_gather(node_loop(process_node(run->process)));
}

/* What a pass adds for its targets is sent at its end, whatever led to it: no operation starts another one
 * from within. For a target that has just failed it waits for the timer: one that fails at once would
 * otherwise be tried again for ever in the same pass. */
static void send_later(struct run *run, uint32_t target)
{
    if (has_to_wait(run, target)) {
        wait_for_retry(run, target);
        return;
    }
    put_dirty(run, target);
    loop_defer(node_loop(process_node(run->process)), &run->pump);
}

void load_retry(struct run *run, uint64_t now)
{
    if (run->retry_due_ns > now)
        return;
    run->retry_due_ns = UINT64_MAX;
    loop_defer(node_loop(process_node(run->process)), &run->pump);
}

void load_open_call(struct run *run, uint32_t thread, uint64_t intended_ns, uint64_t now)
{
    uint32_t target = load_target(run, thread);
    struct call *call = calls_open(&run->calls, thread, target, intended_ns, now);
    load_need_timer(run, deadline_ns(run, call), now);
    send_later(run, target);
}

/* --- Replies and failures --- */

void load_reply(struct run *run, int64_t tag, struct term reply)
{
    struct call *call = load_is_on(run) ? calls_find(&run->calls, tag) : NULL;
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

static void miss_sync(struct run *run, struct call *call)
{
    uint32_t thread = call->thread, target = call->target;
    struct load_start start = {call->intended_ns, call->sent_ns};
    if (!run->scenario->strict_cast_sync) {
        complete_call(run, call, RESULT_MISSING_SYNC, (struct term){0});
        return;
    }
    calls_rest(&run->calls, call);
    load_miss_strictly(run, thread, target, start);
}

static void fail_call(struct run *run, struct call *call, enum result_kind kind, struct term reason)
{
    bool cast = load_operation(run, call->thread)->kind == OPERATION_CAST;
    if (kind == RESULT_EXIT && cast && is_missing_handler(reason))
        miss_sync(run, call);
    else
        complete_call(run, call, kind, reason);
}

/* Ends the calls that a target had when it failed; those that their threads start meanwhile wait behind them.
 * False when the turn is over before. */
static bool fail_calls(struct run *run, uint32_t target)
{
    static const enum call_state states[] = {CALL_SENT, CALL_WAITING};
    struct failing *failing = &run->failing[target];
    struct call *call;
    for (size_t i = 0; i < ARRAY_LENGTH(states); i++) {
        for (; failing->left[i] && load_is_on(run); failing->left[i]--) {
            if (!(call = calls_first(&run->calls, target, states[i]))) /* they have timed out */
                break;
            if (!load_may_work(run))
                return false;
            fail_call(run, call, failing->kind, term_of(&failing->reason));
        }
        failing->left[i] = 0;
    }
    return true;
}

static void begin_failing(struct run *run, const struct target *target, enum result_kind kind,
                          struct term reason)
{
    uint32_t index = (uint32_t)target->index;
    struct failing *failing = &run->failing[index];
    failing->kind = kind;
    failing->left[0] = run->calls.by_target[index][1].count;
    failing->left[1] = run->calls.by_target[index][0].count;
    term_keep(&failing->reason, reason);
    if (!fail_calls(run, index))
        leave_for_next(run, index);
}

static void on_target_failed(void *owner, struct target *target, enum target_failure failure,
                             struct term reason)
{
    struct run *run = owner;
    struct term_builder nodedown = {0};
    run->retry_ns[target->index] =
        clock_ns() + (failure == TARGET_NODEDOWN ? NODEDOWN_REST_NS : FAILURE_REST_NS);
    probes_target_failed(run, target->index);
    term_build_tuple(&nodedown, 2);
    term_build_atom(&nodedown, "nodedown");
    term_build_atom(&nodedown, target->node);
    switch (failure) {
    case TARGET_NODEDOWN:
        begin_failing(run, target, RESULT_EXIT, term_built(&nodedown));
        break;
    case TARGET_NOPROC:
        begin_failing(run, target, RESULT_NOPROC, (struct term){0});
        break;
    case TARGET_DIED:
        begin_failing(run, target, RESULT_EXIT, reason);
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

/* --- The beginning --- */

static void build_call_prefix(struct run *run)
{
    struct term_builder builder = {0};
    term_build_tuple(&builder, 3);
    term_build_atom(&builder, "$gen_call");
    term_build_tuple(&builder, 2);
    term_build_term(&builder, process_pid(run->process));
    static const uint8_t tag[] = {TERM_TAG_INTEGER, 0, 0, 0, 0};
    term_keep(&run->call, term_built(&builder));
    buffer_append(&run->call, tag, sizeof(tag));
    run->call_prefix = run->call.size;
    term_build_free(&builder);
}

void load_init_calls(struct run *run)
{
    const struct scenario *scenario = run->scenario;
    struct term group_leader = term_built(&run->group_leader);
    run->targets = memory_zalloc(scenario->target_count, sizeof(*run->targets));
    run->dirty = memory_zalloc(scenario->target_count, sizeof(*run->dirty));
    run->is_dirty = memory_zalloc(scenario->target_count, sizeof(*run->is_dirty));
    run->retry_ns = memory_zalloc(scenario->target_count, sizeof(*run->retry_ns));
    run->failing = memory_zalloc(scenario->target_count, sizeof(*run->failing));
    run->retry_due_ns = UINT64_MAX;
    run->pump = (struct loop_task){.run = pump, .owner = run};
    calls_init(&run->calls, scenario->target_count);
    build_call_prefix(run);
    for (size_t i = 0; i < scenario->target_count; i++) {
        const struct target_spec *spec = scenario->setup.data ? &run->subject_spec : &scenario->targets[i];
        target_init(&run->targets[i], spec, i, run->process, group_leader, &target_events, run);
    }
}
