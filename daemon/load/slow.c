/* What takes long: the operations that are under way for too long, and those that were. */
#include "engine_private.h"

void engine_watch_slow(struct engine *engine, uint64_t least_us)
{
    engine->slow_us = least_us;
}

void slow_tell(struct engine *engine, uint32_t thread, uint32_t target, const struct load_times *times,
               uint64_t ended_ns, enum result_kind kind)
{
    const struct thread *state = &engine->threads[thread];
    const struct slow_operation slow = {.target = target,
                                        .thread = thread,
                                        .step = state->step,
                                        .operation = state->operation,
                                        .is_custom =
                                            threads_operation(engine, thread)->kind == OPERATION_CUSTOM,
                                        .is_sent = true,
                                        .is_answered = result_is_reply(kind),
                                        .is_exact = times->is_exact,
                                        .sent_ns = times->sent_ns,
                                        .ended_ns = ended_ns};
    engine->options.events->slow(engine->options.owner, &slow);
}

static size_t slow_find_calls(const struct engine *engine, uint64_t before_ns, struct slow_operation *late,
                              size_t most)
{
    const struct call *call = calls_oldest(&engine->calls);
    size_t count = 0;
    for (; call && count < most && call->opened_ns < before_ns; call = calls_later(&engine->calls, call))
        late[count++] = (struct slow_operation){.target = call->target,
                                                .thread = call->thread,
                                                .step = engine->threads[call->thread].step,
                                                .operation = engine->threads[call->thread].operation,
                                                .is_sent = call->state == CALL_SENT,
                                                .sent_ns = call->sent_ns};
    return count;
}

/* Those whose thread was set up have begun later than their place in the order says. */
static size_t slow_find_customs(const struct engine *engine, uint64_t before_ns, struct slow_operation *late,
                                size_t most)
{
    size_t count = 0;
    for (uint32_t thread = engine->custom_oldest; thread != CUSTOMS_NONE && count < most;
         thread = engine->customs[thread].later) {
        const struct custom *custom = &engine->customs[thread];
        if (custom->started_ns >= before_ns)
            continue;
        late[count++] = (struct slow_operation){.target = custom->target,
                                                .thread = thread,
                                                .step = engine->threads[thread].step,
                                                .operation = engine->threads[thread].operation,
                                                .is_custom = true,
                                                .is_sent = true,
                                                .sent_ns = custom->started_ns};
    }
    return count;
}

size_t engine_late(const struct engine *engine, uint64_t before_ns, struct slow_operation *late, size_t most)
{
    if (!engine_is_loading(engine))
        return 0;
    size_t calls = slow_find_calls(engine, before_ns, late, most);
    return calls + slow_find_customs(engine, before_ns, late + calls, most);
}

struct served engine_served(const struct engine *engine, uint32_t target)
{
    return engine->queues[target].served;
}

_Static_assert(LATENCIES_OPERATIONS + 2 == SLOW_KINDS, "kinds are those that latencies tell apart");

size_t engine_kind(const struct engine *engine, uint32_t operation)
{
    return latencies_kind(&engine->record.latencies, operation);
}

struct usual_time engine_usual(const struct engine *engine, size_t kind)
{
    const struct histogram *service = latencies_service(&engine->record.latencies, kind);
    if (!service || !service->count)
        return (struct usual_time){.count = 0};
    return (struct usual_time){.count = service->count,
                               .p50_us = histogram_quantile(service, 0.5),
                               .p99_us = histogram_quantile(service, 0.99)};
}

void engine_look_for_causes(struct engine *engine, const struct stacks *stacks)
{
    timeline_look_for_causes(&engine->record.timeline, stacks);
}

void engine_explain(struct engine *engine, uint64_t ended_ns, const struct cause_share *share)
{
    timeline_explain(&engine->record.timeline, ended_ns, share);
}
