#include <stdlib.h>

#include "base/memory.h"
#include "engine_private.h"

/* The timer rests so long at least: what is due meanwhile is done together. */
#define REST_NS (50 * CLOCK_NS_PER_US)

/* How often the gauges of the timeline are read, and how often expectations that may abort the run are
 * judged.
 */
#define TICK_NS (100 * CLOCK_NS_PER_MS)
#define ABORT_TICK_NS CLOCK_NS_PER_S

static uint64_t deadline_ns(const struct run *run)
{
    return run->state == RUN_STARTING ? UINT64_MAX
                                      : run->loaded_ns + run->scenario->timeout_ms * CLOCK_NS_PER_MS;
}

void load_need_timer(struct run *run, uint64_t when_ns, uint64_t now_ns)
{
    if (when_ns < run->timer_ns)
        run_arm(run, when_ns > now_ns + REST_NS ? when_ns : now_ns + REST_NS, now_ns);
}

/* The first thread that has not ended, or has failed. */
static void fail_unfinished_threads(struct run *run)
{
    struct term_builder timeout = {0};
    term_build_atom(&timeout, "timeout");
    for (uint32_t thread = 0; thread < run->scenario->thread_count && thread < run->failed_thread; thread++) {
        enum thread_state state = run->threads[thread].state;
        if (state == THREAD_ACTIVE || (state == THREAD_NEW && run->scenario->threads)) {
            run->failed_thread = thread;
            term_keep(&run->thread_failure, term_built(&timeout));
        }
    }
    term_build_free(&timeout);
    run_enter(run, RUN_CHAOS_WAIT);
}

void load_drop(struct run *run, uint64_t now, uint64_t count)
{
    run->arrivals_dropped += count;
    run_counters(run)->dropped += count;
    timeline_drop(&run->timeline, now, count);
}

/* Arrivals that have waited so long are dropped, and what is under way has taken too long: an open load has
 * no threads that could fail by that, only operations. True when it is not done with them yet. */
static bool time_out(struct run *run, uint64_t now)
{
    if (run->scenario->load.model == LOAD_OPEN) {
        load_drop(run, now, run->backlog.count);
        backlog_free(&run->backlog);
        if (load_end_all_calls(run) || load_end_all_sleeps(run) || load_end_all_customs(run))
            return true;
    }
    if (load_is_on(run))
        fail_unfinished_threads(run);
    return false;
}

static void tick(struct run *run, uint64_t now)
{
    struct timeline_sample sample = {.in_flight = (int64_t)load_in_flight(run),
                                     .mailbox = -1,
                                     .memory_bytes = -1,
                                     .run_queue = -1,
                                     .lag_ns = (int64_t)loop_take_lag(&run->lag)};
    timeline_sample(&run->timeline, now, &sample);
    while (run->tick_ns <= now)
        run->tick_ns += TICK_NS;
    if (now < run->abort_tick_ns)
        return;
    run->abort_tick_ns = now + ABORT_TICK_NS;
    judge_while_loading(run);
}

/* All threads are there, or the load has its own time for them. */
static void leave_starting(struct run *run, uint64_t now)
{
    bool scripts = run->scenario->load.model == LOAD_SCRIPTS;
    run->loaded_ns = scripts ? now : run->started_ns;
    if (run->load_end_ns == UINT64_MAX)
        run->is_load_over = true;
    run_enter(run, RUN_LOAD);
}

static uint64_t earliest(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void arm_next(struct run *run, bool more_due)
{
    uint64_t now = clock_ns();
    const struct sleeper *sleeper = sleepers_first(&run->sleepers);
    uint64_t next = more_due ? now : load_next_due_ns(run, now);
    next = earliest(next, deadline_ns(run));
    next = earliest(next, run->tick_ns);
    next = earliest(next, load_next_deadline_ns(run));
    next = earliest(next, run->retry_due_ns);
    if (sleeper)
        next = earliest(next, sleeper->wake_ns);
    if (!run->is_load_over)
        next = earliest(next, run->load_end_ns);
    if (!more_due && next < now + REST_NS)
        next = now + REST_NS;
    run_arm(run, next, now);
}

void load_work(struct run *run)
{
    uint64_t now = clock_ns();
    run->timer_ns = 0; /* it is set at the end, for all that is due by then */
    load_retry(run, now);
    bool more_ends = load_end_due_calls(run, now);
    bool more_wakes = load_wake_sleepers(run, now);
    bool more_due = load_is_on(run) && load_start_due(run, now);
    if (run->state == RUN_STARTING && (!more_due || run->scenario->load.model == LOAD_OPEN))
        leave_starting(run, now);
    if (load_is_on(run) && now >= run->load_end_ns && !run->is_load_over && !more_due)
        load_end_starts(run);
    load_check_end(run);
    if (run->state == RUN_LOAD && now >= deadline_ns(run))
        more_ends |= time_out(run, now);
    if (load_is_on(run) && now >= run->tick_ns)
        tick(run, now);
    if (load_is_on(run))
        arm_next(run, more_due || more_ends || more_wakes);
}

void load_begin(struct run *run)
{
    const struct load_plan *load = &run->scenario->load;
    uint64_t duration_ns = plan_duration_ns(load), at_ns;
    run->started_ns = clock_ns();
    run->load_end_ns = duration_ns ? run->started_ns + duration_ns : UINT64_MAX;
    run->tick_ns = run->started_ns + TICK_NS;
    run->abort_tick_ns = run->started_ns + run->scenario->warmup_ms * CLOCK_NS_PER_MS;
    timeline_init(&run->timeline, run->started_ns);
    loop_watch_lag(node_loop(process_node(run->process)), &run->lag);
    run->arrival_ns = UINT64_MAX;
    if (load->model == LOAD_OPEN) {
        arrivals_init(&run->arrivals, load, run->seed);
        if (arrivals_next(&run->arrivals, &at_ns))
            run->arrival_ns = run->started_ns + at_ns;
    }
}

/* Idle threads are taken from the end: the first first. */
static void init_pool(struct run *run)
{
    size_t count = run->scenario->thread_count;
    run->idle = memory_alloc(count * sizeof(*run->idle));
    run->idle_count = count;
    for (size_t i = 0; i < count; i++)
        run->idle[i] = (uint32_t)(count - 1 - i);
}

void load_init(struct run *run)
{
    const struct scenario *scenario = run->scenario;
    size_t script = scenario->mix ? 1 : scenario->operation_count;
    run->threads = memory_zalloc(scenario->thread_count, sizeof(*run->threads));
    run->failed_thread = THREAD_NONE;
    run->step_limit = scenario->load.iterations && scenario->load.iterations < UINT64_MAX / script
                          ? scenario->load.iterations * script
                          : UINT64_MAX;
    if (scenario->load.model == LOAD_OPEN)
        init_pool(run);
    latencies_init(&run->latencies, scenario);
    run->most_mailbox = -1;
    load_init_custom(run);
    load_init_calls(run);
}

void load_stop(struct run *run)
{
    struct loop *loop = node_loop(process_node(run->process));
    loop_cancel(loop, &run->pump);
    loop_unwatch_lag(loop, &run->lag);
    for (size_t i = 0; run->targets && i < run->scenario->target_count; i++)
        target_free(&run->targets[i]);
}

void load_free(struct run *run)
{
    calls_free(&run->calls);
    sleepers_free(&run->sleepers);
    backlog_free(&run->backlog);
    latencies_free(&run->latencies);
    timeline_free(&run->timeline);
    buffer_free(&run->call);
    buffer_free(&run->message);
    term_build_free(&run->cast);
    buffer_free(&run->thread_failure);
    load_free_custom(run);
    free(run->targets);
    free(run->threads);
    free(run->idle);
    free(run->dirty);
    free(run->is_dirty);
    free(run->retry_ns);
    for (size_t i = 0; run->failing && i < run->scenario->target_count; i++)
        buffer_free(&run->failing[i].reason);
    free(run->failing);
}
