#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "engine_private.h"
#include "term/term_read.h"

/* How long a target that has failed is left alone: a node that cannot be reached is not dialled all the time.
 */
#define CALLS_OUT_NODEDOWN_REST_NS CLOCK_NS_PER_MS
#define CALLS_OUT_FAILURE_REST_NS (50 * CLOCK_NS_PER_US)

/* With so many calls under way their replies are gathered: for so long for each call, and at most. That costs
 * a server nothing that answers one after the other: it takes several times as long to answer all of them.
 * One that does not is asked a little later. See docs/speed.md for what was measured. */
#define CALLS_OUT_GATHER_CALLS 64
#define CALLS_OUT_GATHER_CALL_NS 1500
#define CALLS_OUT_GATHER_MOST_NS (250 * CLOCK_NS_PER_US)

struct term calls_out_server(const struct engine *engine, uint32_t target)
{
    return engine->options.way->server(engine->options.way_owner, target);
}

static uint64_t calls_out_deadline_ns(const struct engine *engine, const struct call *call)
{
    return call->opened_ns + engine->scenario->call_timeout_ms * CLOCK_NS_PER_MS;
}

/* --- The end of calls --- */

/* What has not left yet waits for its socket. */
static struct load_times calls_out_times(const struct call *call)
{
    const struct departure *departure = call->departure;
    struct load_times times = {.intended_ns = call->intended_ns, .sent_ns = call->sent_ns};
    if (departure && departure->ns)
        times.sent_ns = departure->ns;
    times.is_excluded = departure && (departure->was_full || !departure->ns);
    return times;
}

static void calls_out_complete_at(struct engine *engine, struct call *call, enum result_kind kind,
                                  const struct term_long *term, struct arrived arrived)
{
    uint32_t thread = call->thread, target = call->target;
    struct load_times times = calls_out_times(call);
    times.ended_ns = arrived.ns;
    times.is_exact = arrived.by_kernel && call->departure && !times.is_excluded;
    struct target_queue *queue = &engine->queues[target];
    bool sent = call->state == CALL_SENT;
    bool replied = result_is_reply(kind);
    queue->was_there |= replied || (kind == RESULT_TIMEOUT && sent);
    queue->has_failed |= kind != RESULT_OK;
    queue->is_gone &= !replied;
    if (!replied && sent) /* a reply may still come */
        calls_rest(&engine->calls, call);
    else
        calls_close(&engine->calls, call);
    threads_complete(engine, thread, target, times, kind, term);
}

static void calls_out_complete_call(struct engine *engine, struct call *call, enum result_kind kind,
                                    const struct term_long *term)
{
    calls_out_complete_at(engine, call, kind, term, (struct arrived){.ns = LOAD_ENDS_NOW});
}

bool calls_out_end_due(struct engine *engine, uint64_t now)
{
    struct call *call;
    while (engine_is_loading(engine) && (call = calls_oldest(&engine->calls)) &&
           calls_out_deadline_ns(engine, call) <= now) {
        if (!engine_may_work(engine))
            return true;
        calls_out_complete_call(engine, call, RESULT_TIMEOUT, THREADS_NO_TERM);
    }
    return false;
}

bool calls_out_end_all(struct engine *engine)
{
    return calls_out_end_due(engine, UINT64_MAX);
}

uint64_t calls_out_next_deadline_ns(const struct engine *engine)
{
    const struct call *oldest = calls_oldest(&engine->calls);
    return oldest ? calls_out_deadline_ns(engine, oldest) : UINT64_MAX;
}

/* --- Sending --- */

/* Messages of this size are sent from where the scenario has them: copying them would take long. */
#define CALLS_OUT_HELD_BYTES (256 * 1024)

static inline bool calls_out_is_held(const struct engine *engine, struct term message)
{
    return message.size > CALLS_OUT_HELD_BYTES && blob_has(engine->scenario->content, message.data);
}

/* `head` is what the message begins with. */
static bool calls_out_send_held(struct engine *engine, uint32_t target, struct term head, struct term message)
{
    return engine->options.way->send_held(engine->options.way_owner, target, head, message,
                                          engine->scenario->content);
}

static bool calls_out_send(struct engine *engine, uint32_t target, struct term message)
{
    if (calls_out_is_held(engine, message))
        return calls_out_send_held(engine, target, (struct term){0}, message);
    return engine->options.way->send(engine->options.way_owner, target, message);
}

/* The prefix stays in the buffer; only the tag and what follows it change. */
static void calls_out_send_call(struct engine *engine, uint32_t target, uint32_t tag, struct term message)
{
    buffer_truncate(&engine->call, engine->call_prefix);
    bytes_put32(buffer_bytes(&engine->call) + engine->call_prefix - 4, tag);
    if (calls_out_is_held(engine, message)) {
        (void)calls_out_send_held(engine, target, term_of(&engine->call), message);
        return;
    }
    buffer_append(&engine->call, message.data, message.size);
    (void)engine->options.way->send(engine->options.way_owner, target, term_of(&engine->call));
}

static bool calls_out_send_cast(struct engine *engine, uint32_t target, struct term message)
{
    term_build_reset(&engine->cast);
    term_build_tuple(&engine->cast, 2);
    term_build_atom(&engine->cast, "$gen_cast");
    if (calls_out_is_held(engine, message))
        return calls_out_send_held(engine, target, term_built(&engine->cast), message);
    term_build_term(&engine->cast, message);
    return engine->options.way->send(engine->options.way_owner, target, term_built(&engine->cast));
}

/* A call of a script that is the only one of its target is watched by a monitor of its own, as one of
 * GenServer.call/3 is: the server may have stopped since it has answered the last. */
static bool calls_out_is_watched_alone(struct engine *engine, const struct operation *operation,
                                       uint32_t target)
{
    return engine->scenario->threads && operation_is_answered(operation->kind) &&
           !calls_first(&engine->calls, target, CALL_SENT);
}

static void calls_out_send_operation(struct engine *engine, struct call *call, struct departure *departure,
                                     uint64_t now)
{
    const uint32_t target = call->target;
    const struct operation *operation = threads_operation(engine, call->thread);
    uint32_t tag = calls_tag(&engine->calls, call);
    struct term message = threads_message(engine, call->thread);
    if (!calls_out_is_held(engine, message)) /* what is long counts as many */
        engine->sending.used += message.size / ENGINE_TURN_BYTES;
    if (calls_out_is_watched_alone(engine, operation, target))
        engine->options.way->look_again(engine->options.way_owner, target);
    if (call->opened_ns < engine->queues[target].open_ns)
        engine->threads[call->thread].has_waited = true;
    calls_sent(&engine->calls, call, now, departure_hold(departure));
    switch (operation->kind) {
    case OPERATION_CALL:
        calls_out_send_call(engine, target, tag, message);
        break;
    case OPERATION_CAST:
        if (calls_out_send_cast(engine, target, message))
            calls_out_send_call(engine, target, tag, engine->scenario->cast_sync_message);
        break;
    case OPERATION_CAST_ONLY:
    case OPERATION_SEND:
        if (operation->kind == OPERATION_SEND)
            (void)calls_out_send(engine, target, message);
        else
            (void)calls_out_send_cast(engine, target, message);
        if ((call = calls_find(&engine->calls, tag)))
            calls_out_complete_call(engine, call, RESULT_OK, TERM_LONG(TERM_ATOM("ok")));
        break;
    case OPERATION_CUSTOM:
    case OPERATION_SLEEP:
        break; /* are no calls */
    }
}

static void calls_out_put_dirty(struct engine *engine, uint32_t target)
{
    if (engine->queues[target].is_dirty)
        return;
    engine->queues[target].is_dirty = true;
    engine->dirty[(engine->dirty_first + engine->dirty_count++) % engine->target_count] = target;
}

/* What is left of its turn comes in the next pass. */
static void calls_out_leave_for_next(struct engine *engine, uint32_t target)
{
    calls_out_put_dirty(engine, target);
    loop_defer_next(engine->options.loop, &engine->pump);
}

/* Sends what waits for the target, in order, as long as it takes it and it is the run's turn. */
static void calls_out_send_waiting(struct engine *engine, uint32_t target)
{
    const struct target_way *way = engine->options.way;
    const uint64_t now = engine_now(engine);
    struct departure *departure = NULL; /* of all, as they leave together */
    struct call *call;
    while (engine_is_loading(engine) && (call = calls_first(&engine->calls, target, CALL_WAITING)) &&
           way->is_open(engine->options.way_owner, target)) {
        if (!loop_use_turn(engine->options.loop, &engine->sending, ENGINE_TURN)) {
            calls_out_leave_for_next(engine, target);
            break;
        }
        if (!departure)
            departure = way->departure(engine->options.way_owner, target);
        calls_out_send_operation(engine, call, departure, now);
    }
    departure_release(departure);
}

static uint32_t calls_out_take_dirty(struct engine *engine)
{
    uint32_t target = engine->dirty[engine->dirty_first];
    engine->dirty_first = (engine->dirty_first + 1) % engine->target_count;
    engine->dirty_count--;
    engine->queues[target].is_dirty = false;
    return target;
}

/* Whether the target has failed too short a time ago to be reached again. */
static bool calls_out_has_to_wait(struct engine *engine, uint32_t target)
{
    if (!engine->queues[target].retry_ns)
        return false;
    if (engine->queues[target].retry_ns > engine_now(engine))
        return true;
    engine->queues[target].retry_ns = 0;
    return false;
}

static void calls_out_wait_for_retry(struct engine *engine, uint32_t target)
{
    uint64_t when_ns = engine->queues[target].retry_ns;
    calls_out_put_dirty(engine, target);
    if (when_ns < engine->retry_due_ns)
        engine->retry_due_ns = when_ns;
    engine_need_wake(engine, when_ns, engine_now(engine));
}

static bool calls_out_fail_calls(struct engine *engine, uint32_t target);

static void calls_out_gather(struct engine *engine)
{
    const uint64_t calls = calls_count(&engine->calls), rest_ns = calls * CALLS_OUT_GATHER_CALL_NS;
    engine->record.lag.is_hurried = calls && calls < CALLS_OUT_GATHER_CALLS;
    if (calls >= CALLS_OUT_GATHER_CALLS)
        loop_gather(engine->options.loop,
                    rest_ns < CALLS_OUT_GATHER_MOST_NS ? rest_ns : CALLS_OUT_GATHER_MOST_NS);
}

/* Those that this adds come again in a pump of their own. */
static void calls_out_pump(void *owner)
{
    struct engine *engine = owner;
    for (size_t left = engine->dirty_count; left && engine_is_loading(engine); left--) {
        uint32_t target = calls_out_take_dirty(engine);
        if (!calls_out_fail_calls(engine, target)) {
            calls_out_leave_for_next(engine, target);
        } else if (calls_out_has_to_wait(engine, target)) {
            calls_out_wait_for_retry(engine, target);
        } else if (engine_is_loading(engine)) {
            engine->options.way->reach(engine->options.way_owner, target);
            calls_out_send_waiting(engine, target);
        }
    }
    calls_out_gather(engine);
}

/* What a pass adds for its targets is sent at its end, whatever led to it: no operation starts another one
 * from within. For a target that has just failed it waits for the timer: one that fails at once would
 * otherwise be tried again for ever in the same pass. */
static void calls_out_send_later(struct engine *engine, uint32_t target)
{
    if (calls_out_has_to_wait(engine, target)) {
        calls_out_wait_for_retry(engine, target);
        return;
    }
    calls_out_put_dirty(engine, target);
    loop_defer(engine->options.loop, &engine->pump);
}

void calls_out_retry(struct engine *engine, uint64_t now)
{
    if (engine->retry_due_ns > now)
        return;
    engine->retry_due_ns = UINT64_MAX;
    loop_defer(engine->options.loop, &engine->pump);
}

void calls_out_open(struct engine *engine, uint32_t thread, uint64_t intended_ns, uint64_t now)
{
    uint32_t target = threads_target(engine, thread);
    struct call *call = calls_open(&engine->calls, thread, target, intended_ns, now);
    engine_need_wake(engine, calls_out_deadline_ns(engine, call), now);
    calls_out_send_later(engine, target);
}

/* --- Replies and failures --- */

/* False when nobody awaits it. */
static bool calls_out_answer(struct engine *engine, int64_t tag, enum result_kind kind,
                             const struct term_long *term, struct arrived arrived)
{
    struct call *call = engine_is_loading(engine) ? calls_find(&engine->calls, tag) : NULL;
    if (!call)
        return false;
    latencies_count_reply(&engine->record.latencies, arrived.by_kernel);
    calls_out_complete_at(engine, call, kind, term, arrived);
    return true;
}

void engine_reply(struct engine *engine, int64_t tag, const struct term_long *reply, struct arrived arrived)
{
    (void)calls_out_answer(engine, tag, RESULT_OK, reply, arrived);
}

bool engine_reply_too_large(struct engine *engine, int64_t tag, struct term reason, struct arrived arrived)
{
    return calls_out_answer(engine, tag, RESULT_TOO_LARGE, TERM_LONG(reason), arrived);
}

static void calls_out_miss_sync(struct engine *engine, struct call *call)
{
    uint32_t thread = call->thread, target = call->target;
    struct load_times times = calls_out_times(call);
    if (!engine->scenario->strict_cast_sync) {
        calls_out_complete_call(engine, call, RESULT_MISSING_SYNC, THREADS_NO_TERM);
        return;
    }
    calls_rest(&engine->calls, call);
    customs_miss_strictly(engine, thread, target, times);
}

static void calls_out_fail_call(struct engine *engine, struct call *call, const struct failure *failure)
{
    const struct term_long reason = term_kept_long(&failure->reason);
    bool cast = threads_operation(engine, call->thread)->kind == OPERATION_CAST;
    if (cast && failure->is_missing_handler)
        calls_out_miss_sync(engine, call);
    else
        calls_out_complete_call(engine, call, failure->kind, &reason);
}

/* Ends the calls that a target had when it failed; those that their threads start meanwhile wait behind them.
 * False when the turn is over before. */
static bool calls_out_fail_calls(struct engine *engine, uint32_t target)
{
    static const enum call_state states[] = {CALL_SENT, CALL_WAITING};
    struct target_queue *queue = &engine->queues[target];
    struct call *call;
    for (size_t i = 0; i < ARRAY_LENGTH(states); i++) {
        for (; queue->failing[i] && engine_is_loading(engine); queue->failing[i]--) {
            if (!(call = calls_first(&engine->calls, target, states[i]))) /* they have timed out */
                break;
            if (!engine_may_work(engine))
                return false;
            calls_out_fail_call(engine, call, &queue->failure);
        }
        queue->failing[i] = 0;
    }
    failure_free(&queue->failure);
    return true;
}

void engine_target_failed(struct engine *engine, size_t target, enum target_failure failure,
                          const struct term_long *reason)
{
    static const enum result_kind kinds[] = {
        [TARGET_NODEDOWN] = RESULT_EXIT, [TARGET_NOPROC] = RESULT_NOPROC, [TARGET_DIED] = RESULT_EXIT};
    uint64_t rest_ns = failure == TARGET_NODEDOWN ? CALLS_OUT_NODEDOWN_REST_NS : CALLS_OUT_FAILURE_REST_NS;
    struct target_queue *queue = &engine->queues[target];
    if (engine->state == ENGINE_OVER)
        return;
    queue->was_there |= failure == TARGET_DIED;
    queue->is_gone = failure != TARGET_DIED;
    queue->retry_ns = engine_now(engine) + rest_ns;
    failure_set(&queue->failure, kinds[failure], reason, engine->options.loop);
    queue->failing[0] = engine->calls.by_target[target][1].count;
    /* What was not sent yet is for whoever is there next; when nobody is, that is told then. */
    queue->failing[1] = failure == TARGET_DIED ? 0 : engine->calls.by_target[target][0].count;
    if (!calls_out_fail_calls(engine, (uint32_t)target))
        calls_out_leave_for_next(engine, (uint32_t)target);
    else if (engine_is_loading(engine) && calls_first(&engine->calls, (uint32_t)target, CALL_WAITING))
        calls_out_send_later(engine, (uint32_t)target);
}

bool engine_has_missed(const struct engine *engine, size_t target)
{
    const struct target_queue *queue = &engine->queues[target];
    return queue->has_failed && !queue->was_there;
}

bool engine_has_lost(const struct engine *engine, size_t target)
{
    const struct target_queue *queue = &engine->queues[target];
    return queue->has_failed && queue->was_there && queue->is_gone;
}

bool engine_has_met(const struct engine *engine, size_t target)
{
    return target < engine->target_count && engine->queues[target].was_there;
}

bool engine_take_missed(struct engine *engine, size_t target)
{
    bool is_new = engine_has_missed(engine, target) && !engine->queues[target].is_told;
    engine->queues[target].is_told |= is_new;
    return is_new;
}

void engine_target_open(struct engine *engine, size_t target)
{
    engine->queues[target].open_ns = engine_now(engine);
    calls_out_send_waiting(engine, (uint32_t)target);
}

/* --- Targets that come and go --- */

static void calls_out_grow(struct engine *engine, size_t count)
{
    size_t before = engine->target_count;
    uint32_t *dirty = memory_zalloc(count, sizeof(*dirty));
    for (size_t i = 0; i < engine->dirty_count; i++)
        dirty[i] = engine->dirty[(engine->dirty_first + i) % before];
    free(engine->dirty);
    engine->dirty = dirty;
    engine->dirty_first = 0;
    engine->queues = memory_resize(engine->queues, count, sizeof(*engine->queues));
    memset(engine->queues + before, 0, (count - before) * sizeof(*engine->queues));
    calls_add_targets(&engine->calls, before, count);
    engine->target_count = count;
}

void engine_spread(struct engine *engine, const uint32_t *targets, size_t count, size_t most)
{
    if (most > engine->target_count)
        calls_out_grow(engine, most);
    engine->spread = memory_resize(engine->spread, count, sizeof(*engine->spread));
    memcpy(engine->spread, targets, count * sizeof(*targets));
    engine->spread_count = count;
}

bool engine_is_unused(const struct engine *engine, size_t target)
{
    if (target >= engine->target_count)
        return true;
    const struct target_queue *queue = &engine->queues[target];
    return !queue->is_dirty && !queue->failing[0] && !queue->failing[1] &&
           !engine->calls.by_target[target][0].count && !engine->calls.by_target[target][1].count;
}

/* --- The beginning --- */

static void calls_out_build_call_prefix(struct engine *engine)
{
    struct term_builder builder = {0};
    term_build_tuple(&builder, 3);
    term_build_atom(&builder, "$gen_call");
    term_build_tuple(&builder, 2);
    term_build_term(&builder, engine->options.pid);
    static const uint8_t tag[] = {TERM_TAG_INTEGER, 0, 0, 0, 0};
    term_keep(&engine->call, term_built(&builder));
    buffer_append(&engine->call, tag, sizeof(tag));
    engine->call_prefix = engine->call.size;
    term_build_free(&builder);
}

void calls_out_init(struct engine *engine)
{
    size_t count = engine->scenario->target_count;
    engine->target_count = engine->spread_count = count;
    engine->queues = memory_zalloc(count, sizeof(*engine->queues));
    engine->dirty = memory_zalloc(count, sizeof(*engine->dirty));
    engine->retry_due_ns = UINT64_MAX;
    engine->pump = (struct loop_task){.run = calls_out_pump, .owner = engine};
    calls_init(&engine->calls, count);
    calls_out_build_call_prefix(engine);
}

void calls_out_free(struct engine *engine)
{
    for (size_t i = 0; i < engine->target_count; i++)
        failure_free(&engine->queues[i].failure);
    free(engine->queues);
    free(engine->dirty);
    free(engine->spread);
    calls_free(&engine->calls);
    buffer_free(&engine->call);
    term_build_free(&engine->cast);
}
