#include <stdlib.h>

#include "base/memory.h"
#include "engine_private.h"

/* It rests so long at least between two times that it is woken: what is due meanwhile is done together. */
#define ENGINE_REST_NS (50 * CLOCK_NS_PER_US)

/* How often the gauges of the timeline are read. */
#define ENGINE_TICK_NS (100 * CLOCK_NS_PER_MS)

#define ENGINE_RECENT_DIGITS 2

static void engine_wake(struct engine *engine, uint64_t when_ns)
{
    engine->wake_ns = engine->record.lag.due_ns = when_ns;
    engine->options.events->wake(engine->options.owner, when_ns);
}

void engine_need_wake(struct engine *engine, uint64_t when_ns, uint64_t now_ns)
{
    if (when_ns < engine->wake_ns)
        engine_wake(engine, when_ns > now_ns + ENGINE_REST_NS ? when_ns : now_ns + ENGINE_REST_NS);
}

/* --- The end --- */

void engine_drop(struct engine *engine, uint64_t now, uint64_t count)
{
    engine->record.dropped += count;
    engine->options.counters->dropped += count;
    timeline_drop(&engine->record.timeline, now, count);
}

/* Arrivals that still wait for room never get any. */
static void engine_drop_backlog(struct engine *engine, uint64_t now)
{
    engine_drop(engine, now, engine->backlog.count);
    backlog_free(&engine->backlog);
}

void engine_stop(struct engine *engine)
{
    loop_cancel(engine->options.loop, &engine->pump);
    loop_unwatch_lag(engine->options.loop, &engine->record.lag);
    if (engine_is_loading(engine)) {
        engine->record.ended_ns = engine_now(engine);
        engine->record.cut_off = engine->backlog.count;
        engine_drop_backlog(engine, engine->record.ended_ns);
    }
    engine->state = ENGINE_OVER;
}

void engine_end(struct engine *engine)
{
    if (!engine_is_loading(engine))
        return;
    engine_stop(engine);
    engine->options.events->over(engine->options.owner);
}

/* --- Time --- */

static uint64_t engine_deadline_ns(const struct engine *engine)
{
    return engine->state == ENGINE_STARTING
               ? UINT64_MAX
               : engine->loaded_ns + engine->scenario->timeout_ms * CLOCK_NS_PER_MS;
}

/* Arrivals that have waited so long are dropped, and what is under way has taken too long: an open load has
 * no threads that could fail by that, only operations. True when it is not done with them yet. */
static bool engine_time_out(struct engine *engine, uint64_t now)
{
    if (engine->scenario->load.model == LOAD_OPEN) {
        engine_drop_backlog(engine, now);
        if (calls_out_end_all(engine) || threads_end_all_sleeps(engine) || customs_end_all(engine))
            return true;
    }
    if (engine_is_loading(engine))
        threads_fail_unfinished(engine);
    return false;
}

static void engine_tick(struct engine *engine, uint64_t now)
{
    timeline_observe(&engine->record.timeline, now, TIMELINE_IN_FLIGHT, (int64_t)engine_in_flight(engine));
    timeline_observe(&engine->record.timeline, now, TIMELINE_LOOP_LAG_US,
                     (int64_t)(loop_take_lag(&engine->record.lag) / CLOCK_NS_PER_US));
    while (engine->tick_ns <= now)
        engine->tick_ns += ENGINE_TICK_NS;
    if (now < engine->second_ns)
        return;
    engine->second_ns = now + CLOCK_NS_PER_S;
    if (engine->state == ENGINE_LOADING)
        engine->options.events->second(engine->options.owner);
}

/* All threads are there, or the load has its own time for them. */
static void engine_leave_starting(struct engine *engine, uint64_t now)
{
    bool scripts = engine->scenario->load.model == LOAD_SCRIPTS;
    engine->loaded_ns = scripts ? now : engine->record.started_ns;
    if (engine->load_end_ns == UINT64_MAX)
        engine->is_load_over = true;
    engine->state = ENGINE_LOADING;
    engine->options.events->started(engine->options.owner);
}

static uint64_t engine_earliest(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void engine_arm_next(struct engine *engine, bool more_due)
{
    uint64_t now = engine_now(engine);
    const struct sleeper *sleeper = sleepers_first(&engine->sleepers);
    uint64_t next = more_due ? now : threads_next_due_ns(engine, now);
    next = engine_earliest(next, engine_deadline_ns(engine));
    next = engine_earliest(next, engine->tick_ns);
    next = engine_earliest(next, calls_out_next_deadline_ns(engine));
    next = engine_earliest(next, engine->retry_due_ns);
    if (sleeper)
        next = engine_earliest(next, sleeper->wake_ns);
    if (!engine->is_load_over)
        next = engine_earliest(next, engine->load_end_ns);
    if (!more_due && next < now + ENGINE_REST_NS)
        next = now + ENGINE_REST_NS;
    engine_wake(engine, next);
}

void engine_work(struct engine *engine)
{
    uint64_t now = engine_now(engine);
    engine->wake_ns = 0; /* it is said at the end, for all that is due by then */
    calls_out_retry(engine, now);
    bool more_ends = calls_out_end_due(engine, now);
    bool more_wakes = threads_wake_sleepers(engine, now);
    bool more_due = engine_is_loading(engine) && threads_start_due(engine, now);
    if (engine->state == ENGINE_STARTING && (!more_due || engine->scenario->load.model == LOAD_OPEN))
        engine_leave_starting(engine, now);
    if (engine_is_loading(engine) && now >= engine->load_end_ns && !engine->is_load_over && !more_due)
        threads_end_starts(engine);
    threads_check_end(engine);
    if (engine->state == ENGINE_LOADING && now >= engine_deadline_ns(engine))
        more_ends |= engine_time_out(engine, now);
    if (engine_is_loading(engine) && now >= engine->tick_ns)
        engine_tick(engine, now);
    if (engine_is_loading(engine))
        engine_arm_next(engine, more_due || more_ends || more_wakes);
}

void engine_begin(struct engine *engine)
{
    const struct load_plan *plan = &engine->scenario->load;
    uint64_t duration_ns = plan_duration_ns(plan), now = engine_now(engine);
    engine->state = ENGINE_STARTING;
    engine->record.started_ns = engine->record.ended_ns = now;
    engine->load_end_ns = duration_ns ? now + duration_ns : UINT64_MAX;
    engine->tick_ns = now + ENGINE_TICK_NS;
    engine->second_ns = now + engine->scenario->warmup_ms * CLOCK_NS_PER_MS;
    timeline_init(&engine->record.timeline, now);
    loop_watch_lag(engine->options.loop, &engine->record.lag);
    threads_begin(engine);
    engine_wake(engine, now);
}

/* --- Making it --- */

struct engine *engine_new(const struct engine_options *options)
{
    struct engine *engine = memory_zalloc(1, sizeof(*engine));
    const struct scenario *scenario = options->scenario;
    engine->options = *options;
    engine->scenario = scenario;
    engine->record.started_ns = engine->record.ended_ns = engine_now(engine);
    engine->slow_us = UINT64_MAX;
    random_seed(&engine->random, options->seed);
    events_init(&engine->record.events, scenario->events_policy, scenario->events_number,
                options->events_most, options->event_bytes_most, &engine->random);
    latencies_init(&engine->record.latencies, scenario);
    threads_init(engine);
    calls_out_init(engine);
    customs_init(engine);
    named_init(engine);
    return engine;
}

void engine_free(struct engine *engine)
{
    engine_stop(engine);
    engine_observe(engine, false);
    threads_free(engine);
    calls_out_free(engine);
    customs_free(engine);
    named_free(engine);
    events_dispose(&engine->record.events, engine->options.loop);
    errors_free(&engine->record.errors);
    error_samples_free(&engine->record.samples);
    latencies_free(&engine->record.latencies);
    timeline_free(&engine->record.timeline);
    term_kept_free(&engine->record.thread_failure);
    free(engine);
}

/* --- Looking at it --- */

bool engine_is_on(const struct engine *engine)
{
    return engine_is_loading(engine);
}

const struct load_record *engine_record(const struct engine *engine)
{
    return &engine->record;
}

void engine_build_timeline(struct engine *engine, uint64_t now_ns, struct term_builder *builder)
{
    if (engine->record.timeline.start_ns)
        timeline_build(&engine->record.timeline, &engine->record.errors, now_ns, builder);
    else
        term_build_list(builder, 0);
}

struct events *engine_events(struct engine *engine)
{
    return &engine->record.events;
}

uint64_t engine_in_flight(const struct engine *engine)
{
    return calls_count(&engine->calls) + engine->custom_running;
}

uint64_t engine_in_flight_to(const struct engine *engine, size_t target)
{
    return engine->calls.by_target[target][0].count + engine->calls.by_target[target][1].count;
}

uint64_t engine_in_flight_customs(const struct engine *engine)
{
    return engine->custom_running;
}

uint64_t engine_queued(const struct engine *engine)
{
    return engine->backlog.count;
}

uint64_t engine_threads_active(const struct engine *engine)
{
    return engine->threads_active;
}

void engine_gauge(struct engine *engine, enum timeline_gauge gauge, int64_t value)
{
    if (engine_is_loading(engine))
        timeline_observe(&engine->record.timeline, engine_now(engine), gauge, value);
}

void engine_mark(struct engine *engine, uint64_t now_ns, struct term mark)
{
    if (engine->record.timeline.start_ns)
        timeline_mark(&engine->record.timeline, now_ns, mark);
}

void engine_observe(struct engine *engine, bool observed)
{
    if (observed && !engine->recent) {
        engine->recent = memory_zalloc(1, sizeof(*engine->recent));
        histogram_init(engine->recent, ENGINE_RECENT_DIGITS);
    } else if (!observed && engine->recent) {
        histogram_free(engine->recent);
        free(engine->recent);
        engine->recent = NULL;
    }
}

void engine_take_recent(struct engine *engine, struct load_recent *recent)
{
    struct histogram *histogram = engine->recent;
    *recent = (struct load_recent){.count = 0};
    if (!histogram || !histogram->count)
        return;
    *recent = (struct load_recent){.count = histogram->count,
                                   .p50_us = histogram_quantile(histogram, 0.5),
                                   .p99_us = histogram_quantile(histogram, 0.99),
                                   .max_us = histogram->max};
    histogram_reset(histogram);
}
