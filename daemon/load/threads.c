#include <assert.h>
#include <string.h>

#include "engine_private.h"
#include "term/term_read.h"

/* What random choices of a thread's step are for: each has a generator of its own. */
enum purpose { PURPOSE_OPERATION, PURPOSE_MESSAGE, PURPOSE_TARGET, PURPOSE_THINKING, PURPOSE_PHASE };

static void go_on(struct run *run, uint32_t thread, uint64_t now);
static void serve_next_arrival(struct run *run, uint32_t thread, uint64_t now);

/* --- What is drawn --- */

/* The choices of an open load are those of its arrivals, whichever thread they meet. */
static uint32_t drawing_thread(const struct run *run, uint32_t thread)
{
    return run->scenario->load.model == LOAD_OPEN ? 0 : thread;
}

static struct random draw(const struct run *run, uint32_t thread, uint64_t step, enum purpose purpose)
{
    struct random random;
    random_seed_at(&random, run->seed, drawing_thread(run, thread), step, purpose);
    return random;
}

/* By bisection of the weights' sums. */
static uint32_t draw_operation(const struct scenario *scenario, struct random *random)
{
    size_t low = 0, high = scenario->operation_count - 1;
    double drawn = random_unit(random) * scenario->mix[high];
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (drawn < scenario->mix[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return (uint32_t)low;
}

static uint32_t choose_operation(const struct run *run, uint32_t thread, uint64_t step)
{
    const struct scenario *scenario = run->scenario;
    if (scenario->threads)
        return scenario->threads[thread].first + (uint32_t)step;
    if (scenario->mix) {
        struct random random = draw(run, thread, step, PURPOSE_OPERATION);
        return draw_operation(scenario, &random);
    }
    return (uint32_t)(step % scenario->operation_count);
}

/* Numbers for {'$seq'} that no other step of the run has, and that are the same in each run of the seed. */
static uint64_t first_sequence(const struct run *run, uint32_t thread, uint64_t step)
{
    uint64_t place =
        run->scenario->load.model == LOAD_OPEN ? step : step * run->scenario->thread_count + thread;
    return place * run->scenario->sequences;
}

struct term load_message_at(const struct run *run, uint32_t operation, uint32_t thread, uint64_t step,
                            struct buffer *output)
{
    const struct operation *chosen = &run->scenario->operations[operation];
    if (!chosen->template)
        return chosen->message;
    struct draw draws = {.random = draw(run, thread, step, PURPOSE_MESSAGE),
                         .thread = drawing_thread(run, thread),
                         .step = step,
                         .sequence = first_sequence(run, thread, step)};
    size_t start = output->size;
    template_expand(chosen->template, &draws, output);
    return (struct term){buffer_bytes(output) + start, output->size - start};
}

const struct operation *load_operation(const struct run *run, uint32_t thread)
{
    return &run->scenario->operations[run->threads[thread].operation];
}

struct term load_message(struct run *run, uint32_t thread)
{
    const struct thread *state = &run->threads[thread];
    buffer_truncate(&run->message, 0);
    return load_message_at(run, state->operation, thread, state->step, &run->message);
}

/* The same for the same bytes in every run (FNV-1a, its high bits mixed into the low ones). */
static uint64_t hash(struct term key)
{
    uint64_t hash = 0xcbf29ce484222325ULL;
    for (size_t i = 0; i < key.size; i++)
        hash = (hash ^ key.data[i]) * 0x100000001b3ULL;
    return hash ^ hash >> 32;
}

static struct term key_of(struct term message, uint32_t position)
{
    struct term element = message;
    return term_read_element(message, position - 1, &element) ? element : message;
}

uint32_t load_target(struct run *run, uint32_t thread)
{
    const struct scenario *scenario = run->scenario;
    uint64_t step = run->threads[thread].step;
    struct random random;
    if (scenario->target_count == 1)
        return 0;
    switch (scenario->spread) {
    case SPREAD_ROUND_ROBIN:
        return (uint32_t)((drawing_thread(run, thread) + step) % scenario->target_count);
    case SPREAD_RANDOM:
        random = draw(run, thread, step, PURPOSE_TARGET);
        return (uint32_t)random_below(&random, scenario->target_count);
    case SPREAD_KEY:
        return (uint32_t)(hash(key_of(load_message(run, thread), scenario->key_position)) %
                          scenario->target_count);
    }
    return 0;
}

/* --- The end of operations and threads --- */

void load_check_end(struct run *run)
{
    bool can_start = !run->is_load_over && run->threads_ended < run->scenario->thread_count;
    if (run->state == RUN_LOAD && !run->threads_active && !can_start)
        run_enter(run, RUN_CHAOS_WAIT);
}

static void end_thread(struct run *run, uint32_t thread, enum thread_state state)
{
    assert(run->threads[thread].state == THREAD_ACTIVE);
    run->threads[thread].state = state;
    run->threads_active--;
    run->threads_ended += state == THREAD_ENDED;
    load_check_end(run);
}

void load_park_thread(struct run *run, uint32_t thread)
{
    end_thread(run, thread, THREAD_PARKED);
}

void load_fail_thread(struct run *run, uint32_t thread, struct term reason)
{
    if (thread < run->failed_thread) {
        run->failed_thread = thread;
        term_keep(&run->thread_failure, reason);
    }
    if (run->scenario->load.model == LOAD_OPEN) /* its place is needed for other arrivals */
        serve_next_arrival(run, thread, clock_ns());
    else
        end_thread(run, thread, THREAD_ENDED);
}

/* Under what an error is counted: of an exception and its stack trace only the exception. */
static size_t count_error(struct run *run, enum result_kind kind, struct term reason)
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
    size_t number = errors_count(&run->errors, reason);
    run->operation_errors++;
    term_build_free(&builder);
    return number;
}

/* Of the terms that a report repeats with each event of the operation. */
static uint32_t repeated_bytes(const struct run *run, uint32_t thread, uint32_t target, enum result_kind kind)
{
    const struct operation *operation = load_operation(run, thread);
    size_t bytes = operation->template ? template_bytes(operation->template) : operation->message.size;
    if (kind == RESULT_EXIT)
        bytes += load_target_server(run, target).size + run->scenario->cast_sync_message.size;
    return bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}

static uint64_t us_between(uint64_t from_ns, uint64_t to_ns)
{
    return to_ns > from_ns ? (to_ns - from_ns) / CLOCK_NS_PER_US : 0;
}

static void record_event(struct run *run, uint32_t thread, uint32_t target, uint64_t response_us,
                         uint64_t now, enum result_kind kind, struct term term)
{
    const struct thread *state = &run->threads[thread];
    struct event event = {.thread = thread,
                          .step = state->step,
                          .operation = state->operation,
                          .target = target,
                          .end_us = us_between(run->started_ns, now),
                          .duration_us = response_us < UINT32_MAX ? (uint32_t)response_us : UINT32_MAX,
                          .bytes = repeated_bytes(run, thread, target, kind),
                          .kind = kind};
    events_record(&run->events, event, term);
}

void load_complete(struct run *run, uint32_t thread, uint32_t target, struct load_start start,
                   enum result_kind kind, struct term term)
{
    struct thread *state = &run->threads[thread];
    uint64_t now = clock_ns();
    uint64_t response_us = us_between(start.intended_ns, now);
    size_t reason = TIMELINE_NO_ERROR;
    bool answered = operation_is_answered(load_operation(run, thread)->kind);
    if (kind != RESULT_OK) {
        state->errors += state->errors < UINT32_MAX;
        reason = count_error(run, kind, term);
    }
    counters_add_operation(run_counters(run), kind, term);
    if (answered) {
        uint64_t service_us = us_between(start.actual_ns, now);
        latencies_record(&run->latencies, state->operation, response_us, service_us);
        counters_add_latency(run_counters(run), response_us, service_us);
        if (run->recent)
            histogram_record(run->recent, response_us);
    }
    timeline_record(&run->timeline, now, answered ? response_us : TIMELINE_NO_LATENCY, reason,
                    load_in_flight(run));
    record_event(run, thread, target, response_us, now, kind, term);
    if (answered)
        chaos_observed(run, target, kind == RESULT_OK, now);
    run->operations++;
    state->operations++;
    state->step++;
    go_on(run, thread, now);
}

/* --- What a thread does next --- */

static void begin(struct run *run, uint32_t thread, uint64_t intended_ns, uint64_t now)
{
    struct thread *state = &run->threads[thread];
    state->operation = choose_operation(run, thread, state->step) & 0x3fffffff;
    const struct operation *operation = load_operation(run, thread);
    if (operation->kind == OPERATION_CUSTOM) {
        load_queue_custom(run, thread, intended_ns);
    } else if (operation->kind == OPERATION_SLEEP) {
        uint64_t wake = now + operation->sleep_ms * CLOCK_NS_PER_MS;
        sleepers_add(&run->sleepers,
                     (struct sleeper){.wake_ns = wake, .start_ns = intended_ns, .thread = thread});
        load_need_timer(run, wake, now);
    } else {
        load_open_call(run, thread, intended_ns, now);
    }
}

static void think(struct run *run, uint32_t thread, uint64_t thinking_ns, uint64_t now)
{
    struct sleeper sleeper = {
        .wake_ns = now + thinking_ns, .start_ns = now, .thread = thread, .is_thinking = true};
    sleepers_add(&run->sleepers, sleeper);
    load_need_timer(run, sleeper.wake_ns, now);
}

static uint64_t draw_ns(const struct run *run, uint32_t thread, enum purpose purpose, uint64_t low_ms,
                        uint64_t high_ms)
{
    struct random random = draw(run, thread, run->threads[thread].step, purpose);
    uint64_t low_ns = low_ms * CLOCK_NS_PER_MS, high_ns = high_ms * CLOCK_NS_PER_MS;
    return low_ns + random_below(&random, high_ns - low_ns + 1);
}

/* Arrivals that had no room come before new ones. */
static void serve_next_arrival(struct run *run, uint32_t thread, uint64_t now)
{
    if (!run->backlog.count) {
        run->idle[run->idle_count++] = thread;
        end_thread(run, thread, THREAD_PARKED);
        return;
    }
    run->threads[thread].step = run->arrivals_begun++;
    begin(run, thread, backlog_take(&run->backlog), now);
}

/* After an operation. */
static void go_on(struct run *run, uint32_t thread, uint64_t now)
{
    const struct load_plan *load = &run->scenario->load;
    const struct thread *state = &run->threads[thread];
    uint64_t limit = run->scenario->threads ? run->scenario->threads[thread].count : run->step_limit;
    if (!load_is_on(run))
        return;
    if (load->model == LOAD_OPEN)
        serve_next_arrival(run, thread, now);
    else if (state->step >= limit)
        end_thread(run, thread, THREAD_ENDED);
    else if (now >= run->load_end_ns || thread >= run->level)
        end_thread(run, thread, THREAD_PARKED);
    else if (load->think_high_ms)
        think(run, thread, draw_ns(run, thread, PURPOSE_THINKING, load->think_low_ms, load->think_high_ms),
              now);
    else
        begin(run, thread, now, now);
}

/* The sleep as an operation ends with it; a thread that has thought is late from when it was to wake. */
bool load_wake_sleepers(struct run *run, uint64_t now)
{
    const struct sleeper *first;
    while (load_is_on(run) && (first = sleepers_first(&run->sleepers)) && first->wake_ns <= now) {
        if (!load_may_work(run))
            return true;
        struct sleeper sleeper = sleepers_take(&run->sleepers);
        struct load_start start = {sleeper.start_ns, sleeper.start_ns};
        if (!sleeper.is_thinking)
            load_complete(run, sleeper.thread, load_target(run, sleeper.thread), start, RESULT_OK,
                          TERM_ATOM("ok"));
        else if (now >= run->load_end_ns || sleeper.thread >= run->level)
            end_thread(run, sleeper.thread, THREAD_PARKED);
        else
            begin(run, sleeper.thread, sleeper.wake_ns, now);
    }
    return false;
}

/* --- What starts when --- */

/* Threads that think begin somewhere in it, lest all of them march in step. */
static void start_thread(struct run *run, uint32_t thread, uint64_t intended_ns, uint64_t now)
{
    const struct load_plan *load = &run->scenario->load;
    struct thread *state = &run->threads[thread];
    if (state->state == THREAD_ACTIVE || state->state == THREAD_ENDED)
        return;
    state->state = THREAD_ACTIVE;
    run->threads_active++;
    if (run->scenario->threads && !run->scenario->threads[thread].count)
        end_thread(run, thread, THREAD_ENDED);
    else if (load->think_high_ms)
        think(run, thread, draw_ns(run, thread, PURPOSE_PHASE, 0, load->think_high_ms), now);
    else
        begin(run, thread, intended_ns, now);
}

static bool start_threads(struct run *run, uint64_t now)
{
    const struct load_plan *load = &run->scenario->load;
    size_t wanted = load->model == LOAD_CLOSED ? plan_threads_at(load, now - run->started_ns)
                                               : run->scenario->thread_count;
    size_t batch_end = run->level + LOAD_TURN;
    if (wanted < run->level)
        run->level = wanted; /* those above stop after the operation that they are at */
    while (run->level < wanted && run->level < batch_end && load_is_on(run)) {
        uint32_t thread = (uint32_t)run->level++;
        start_thread(run, thread, load->model == LOAD_CLOSED && !load->is_staged ? run->started_ns : now,
                     now);
    }
    return run->level < wanted;
}

static void take_arrival(struct run *run, uint64_t intended_ns, uint64_t now)
{
    if (run->idle_count) {
        uint32_t thread = run->idle[--run->idle_count];
        run->threads[thread].state = THREAD_ACTIVE;
        run->threads[thread].step = run->arrivals_begun++;
        run->threads_active++;
        begin(run, thread, intended_ns, now);
    } else if (run->backlog.count < run->scenario->load.max_queued) {
        backlog_put(&run->backlog, intended_ns);
    } else {
        load_drop(run, now, 1);
    }
}

static bool start_arrivals(struct run *run, uint64_t now)
{
    uint64_t at_ns;
    for (size_t left = LOAD_TURN; run->arrival_ns <= now && load_is_on(run); left--) {
        if (!left)
            return true;
        take_arrival(run, run->arrival_ns, now);
        run->arrival_ns = arrivals_next(&run->arrivals, &at_ns) ? run->started_ns + at_ns : UINT64_MAX;
    }
    return false;
}

bool load_start_due(struct run *run, uint64_t now)
{
    return run->scenario->load.model == LOAD_OPEN ? start_arrivals(run, now) : start_threads(run, now);
}

uint64_t load_next_due_ns(const struct run *run, uint64_t now)
{
    const struct load_plan *load = &run->scenario->load;
    if (load->model == LOAD_OPEN)
        return run->arrival_ns;
    uint64_t change_ns =
        load->is_staged && !run->is_load_over ? plan_next_change_ns(load, now - run->started_ns) : UINT64_MAX;
    return change_ns == UINT64_MAX ? UINT64_MAX : run->started_ns + change_ns;
}

/* Who thinks is done; a sleep that is an operation is awaited as any other that has begun. */
void load_end_starts(struct run *run)
{
    struct sleepers all = run->sleepers;
    run->sleepers = (struct sleepers){0};
    run->is_load_over = true;
    run->level = 0;
    for (size_t i = 0; i < all.count; i++) {
        if (!all.items[i].is_thinking)
            sleepers_add(&run->sleepers, all.items[i]);
        else if (load_is_on(run))
            end_thread(run, all.items[i].thread, THREAD_PARKED);
    }
    sleepers_free(&all);
    if (run->scenario->load.model == LOAD_CLOSED)
        load_drop_waiting_customs(run);
    load_check_end(run);
}

bool load_end_all_sleeps(struct run *run)
{
    while (run->sleepers.count && load_is_on(run)) {
        if (!load_may_work(run))
            return true;
        struct sleeper sleeper = sleepers_take(&run->sleepers);
        struct load_start start = {sleeper.start_ns, sleeper.start_ns};
        load_complete(run, sleeper.thread, load_target(run, sleeper.thread), start, RESULT_TIMEOUT,
                      (struct term){0});
    }
    return false;
}
