#include "base/compiler.h"
#include "engine_private.h"

static uint64_t results_us_between(uint64_t from_ns, uint64_t to_ns)
{
    return to_ns > from_ns ? (to_ns - from_ns) / CLOCK_NS_PER_US : 0;
}

/* Of the terms that a report repeats with each event of the operation. */
static uint32_t results_repeated_bytes(const struct engine *engine, uint32_t thread, uint32_t target,
                                       enum result_kind kind)
{
    const struct operation *operation = threads_operation(engine, thread);
    size_t bytes = operation->template ? template_bytes(operation->template) : operation->message.size;
    if (kind == RESULT_EXIT)
        bytes += calls_out_server(engine, target).size + engine->scenario->cast_sync_message.size;
    return bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}

static ALWAYS_INLINE void results_record_event(struct engine *engine, uint32_t thread, uint32_t target,
                                               uint64_t response_us, uint64_t now, enum result_kind kind,
                                               const struct term_long *term)
{
    const struct thread *state = &engine->threads[thread];
    struct event event = {.thread = thread,
                          .step = state->step,
                          .operation = state->operation,
                          .target = target,
                          .end_us = results_us_between(engine->record.started_ns, now),
                          .duration_us = response_us < UINT32_MAX ? (uint32_t)response_us : UINT32_MAX,
                          .bytes = results_repeated_bytes(engine, thread, target, kind),
                          .kind = kind};
    events_record(&engine->record.events, event, term);
}

static void results_record_latency(struct engine *engine, const struct thread *state,
                                   struct latency_sample sample)
{
    latencies_record(&engine->record.latencies, state->operation, sample);
    counters_add_latency(engine->options.counters, sample.response_us, sample.service_us, sample.is_excluded);
    if (engine->recent)
        histogram_record(engine->recent, sample.response_us);
}

/* What fails faster than an operation may take is no response time: it would make those of the others look
 * good. One that was given up has waited at least as long as it may. */
static uint64_t results_record_failure(struct engine *engine, const struct thread *state,
                                       enum result_kind kind, struct latency_sample sample)
{
    const uint64_t timeout_us = engine->scenario->call_timeout_ms * (CLOCK_NS_PER_MS / CLOCK_NS_PER_US);
    const uint64_t missing_us = sample.response_us < timeout_us ? timeout_us - sample.response_us : 0;
    if (missing_us && kind != RESULT_TIMEOUT) {
        latencies_record_failed(&engine->record.latencies, state->operation, sample.response_us);
        return TIMELINE_NO_LATENCY;
    }
    sample.response_us += missing_us;
    sample.service_us += missing_us;
    results_record_latency(engine, state, sample);
    return sample.response_us;
}

/* Between its send and now: a time that is not is wrong. */
static uint64_t results_end_ns(const struct load_times *times, uint64_t now)
{
    if (times->ended_ns == LOAD_ENDS_NOW || times->ended_ns > now)
        return now;
    return times->ended_ns < times->sent_ns ? times->sent_ns : times->ended_ns;
}

/* The time that goes into the timeline. */
static uint64_t results_record_times(struct engine *engine, const struct thread *state,
                                     const struct load_times *times, uint64_t ended_ns, enum result_kind kind)
{
    struct latency_sample sample = {.response_us = results_us_between(times->intended_ns, ended_ns),
                                    .service_us = results_us_between(times->sent_ns, ended_ns),
                                    .is_excluded = times->is_excluded,
                                    .has_waited = state->has_waited};
    if (!operation_is_answered(engine->scenario->operations[state->operation].kind))
        return TIMELINE_NO_LATENCY;
    if (kind != RESULT_OK)
        return results_record_failure(engine, state, kind, sample);
    results_record_latency(engine, state, sample);
    return sample.response_us;
}

static void results_tell(struct engine *engine, uint32_t thread, uint32_t target,
                         const struct load_times *times, uint64_t ended_ns, enum result_kind kind)
{
    const struct observation seen = {.target = target,
                                     .sent_ns = times->sent_ns,
                                     .now_ns = ended_ns,
                                     .is_ok = kind == RESULT_OK,
                                     .is_answered =
                                         operation_is_answered(threads_operation(engine, thread)->kind)};
    engine->options.events->observed(engine->options.owner, &seen);
}

/* Quick operations are not told of, but that they were is. */
static void results_note_served(struct engine *engine, uint32_t target, const struct load_times *times,
                                uint64_t ended_ns)
{
    struct served *served = &engine->queues[target].served;
    served->ended_ns = ended_ns;
    if (times->sent_ns > served->sent_ns)
        served->sent_ns = times->sent_ns;
}

struct results_end results_record(struct engine *engine, uint32_t thread, uint32_t target,
                                  struct load_times times, enum result_kind kind,
                                  const struct term_long *term)
{
    struct thread *state = &engine->threads[thread];
    const uint64_t now = engine_now(engine), ended_ns = results_end_ns(&times, now);
    size_t reason = TIMELINE_NO_ERROR;
    if (kind != RESULT_OK) {
        state->errors += state->errors < UINT32_MAX;
        reason = failure_count(&engine->record, &engine->queues[target].failure, kind, term, state->operation,
                               results_us_between(engine->record.started_ns, ended_ns));
    }
    counters_add_operation(engine->options.counters, kind, term->tail);
    if (engine->named)
        named_count(engine, state->operation, kind);
    uint64_t latency_us = results_record_times(engine, state, &times, ended_ns, kind);
    timeline_record(&engine->record.timeline, ended_ns, latency_us, reason, engine_in_flight(engine));
    results_record_event(engine, thread, target, results_us_between(times.intended_ns, ended_ns), ended_ns,
                         kind, term);
    if (engine->options.has_observer)
        results_tell(engine, thread, target, &times, ended_ns, kind);
    if (engine->slow_us != UINT64_MAX && result_is_reply(kind) && !times.is_excluded &&
        threads_operation(engine, thread)->kind == OPERATION_CALL)
        results_note_served(engine, target, &times, ended_ns);
    if (!times.is_excluded && results_us_between(times.sent_ns, ended_ns) >= engine->slow_us &&
        operation_is_answered(threads_operation(engine, thread)->kind))
        slow_tell(engine, thread, target, &times, ended_ns, kind);
    engine->record.operations++;
    state->operations++;
    state->step++;
    return (struct results_end){.ended_ns = ended_ns, .now = now};
}

void results_record_sleep(struct engine *engine, uint32_t thread, uint32_t target, uint64_t start_ns,
                          uint64_t now)
{
    results_record_event(engine, thread, target, results_us_between(start_ns, now), now, RESULT_OK,
                         TERM_LONG(TERM_ATOM("ok")));
}
