#include <assert.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "engine_private.h"
#include "term/term_match.h"
#include "term/term_read.h"

/* Arrivals for which there was room were begun in the time of the load, unless it was over for so long. */
#define THREADS_LATE_NS (50 * CLOCK_NS_PER_MS)

/* What random choices of a thread's step are for: each has a generator of its own. */
enum purpose { PURPOSE_OPERATION, PURPOSE_MESSAGE, PURPOSE_TARGET, PURPOSE_THINKING, PURPOSE_PHASE };

static void threads_go_on(struct engine *engine, uint32_t thread, struct results_end end);
static void threads_serve_next_arrival(struct engine *engine, uint32_t thread, uint64_t now);

/* --- What is drawn --- */

/* The choices of an open load are those of its arrivals, whichever thread they meet. */
static uint32_t threads_drawing_number(const struct engine *engine, uint32_t thread)
{
    return engine->scenario->load.model == LOAD_OPEN ? 0 : thread;
}

static struct random threads_draw(const struct engine *engine, uint32_t thread, uint64_t step,
                                  enum purpose purpose)
{
    struct random random;
    random_seed_at(&random, engine->options.seed, threads_drawing_number(engine, thread), step, purpose);
    return random;
}

/* By bisection of the weights' sums. */
static uint32_t threads_draw_operation(const struct scenario *scenario, struct random *random)
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

static uint32_t threads_choose_operation(const struct engine *engine, uint32_t thread, uint64_t step)
{
    const struct scenario *scenario = engine->scenario;
    if (scenario->threads)
        return scenario->threads[thread].first + (uint32_t)step;
    if (scenario->mix) {
        struct random random = threads_draw(engine, thread, step, PURPOSE_OPERATION);
        return threads_draw_operation(scenario, &random);
    }
    return (uint32_t)(step % scenario->operation_count);
}

/* Numbers for {'$seq'} that no other step of the run has, and that are the same in each run of the seed. */
static uint64_t threads_first_sequence(const struct engine *engine, uint32_t thread, uint64_t step)
{
    uint64_t place =
        engine->scenario->load.model == LOAD_OPEN ? step : step * engine->scenario->thread_count + thread;
    return place * engine->scenario->sequences;
}

struct term engine_message_at(const struct engine *engine, uint32_t operation, uint32_t thread, uint64_t step,
                              struct buffer *output)
{
    const struct operation *chosen = &engine->scenario->operations[operation];
    if (!chosen->template)
        return chosen->message;
    struct draw draws = {.random = threads_draw(engine, thread, step, PURPOSE_MESSAGE),
                         .thread = threads_drawing_number(engine, thread),
                         .step = step,
                         .sequence = threads_first_sequence(engine, thread, step)};
    size_t start = output->size;
    template_expand(chosen->template, &draws, output);
    return (struct term){buffer_bytes(output) + start, output->size - start};
}

const struct operation *threads_operation(const struct engine *engine, uint32_t thread)
{
    return &engine->scenario->operations[engine->threads[thread].operation];
}

struct term threads_message(struct engine *engine, uint32_t thread)
{
    const struct thread *state = &engine->threads[thread];
    buffer_truncate(&engine->message, 0);
    return engine_message_at(engine, state->operation, thread, state->step, &engine->message);
}

/* The same for the same bytes in every run (FNV-1a, its high bits mixed into the low ones). */
static uint64_t threads_hash(struct term key)
{
    uint64_t hash = 0xcbf29ce484222325ULL;
    for (size_t i = 0; i < key.size; i++)
        hash = (hash ^ key.data[i]) * 0x100000001b3ULL;
    return hash ^ hash >> 32;
}

static struct term threads_key_of(struct term message, uint32_t position)
{
    struct term element = message;
    return term_read_element(message, position - 1, &element) ? element : message;
}

/* Which of those that operations are for now. */
static size_t threads_spread(struct engine *engine, uint32_t thread)
{
    const struct scenario *scenario = engine->scenario;
    uint64_t step = engine->threads[thread].step;
    struct random random;
    switch (scenario->spread) {
    case SPREAD_ROUND_ROBIN:
        return (threads_drawing_number(engine, thread) + step) % engine->spread_count;
    case SPREAD_RANDOM:
        random = threads_draw(engine, thread, step, PURPOSE_TARGET);
        return random_below(&random, engine->spread_count);
    case SPREAD_KEY:
        return threads_hash(threads_key_of(threads_message(engine, thread), scenario->key_position)) %
               engine->spread_count;
    }
    return 0;
}

uint32_t threads_target(struct engine *engine, uint32_t thread)
{
    size_t place = engine->spread_count == 1 ? 0 : threads_spread(engine, thread);
    return engine->spread ? engine->spread[place] : (uint32_t)place;
}

/* --- The end of operations and threads --- */

void threads_check_end(struct engine *engine)
{
    bool can_start = !engine->is_load_over && engine->threads_ended < engine->scenario->thread_count;
    if (engine->state == ENGINE_LOADING && !engine->threads_active && !can_start)
        engine_end(engine);
}

static void threads_end_one(struct engine *engine, uint32_t thread, enum thread_state state)
{
    assert(engine->threads[thread].state == THREAD_ACTIVE);
    engine->threads[thread].state = state;
    engine->threads_active--;
    engine->threads_ended += state == THREAD_ENDED;
    threads_check_end(engine);
}

void threads_fail_unfinished(struct engine *engine)
{
    for (uint32_t thread = 0; thread < engine->scenario->thread_count && thread < engine->failed_thread;
         thread++) {
        enum thread_state state = engine->threads[thread].state;
        if (state == THREAD_ACTIVE || (state == THREAD_NEW && engine->scenario->threads)) {
            engine->failed_thread = thread;
            term_kept_set(&engine->record.thread_failure, TERM_LONG(TERM_ATOM("timeout")));
        }
    }
    engine_end(engine);
}

void threads_park(struct engine *engine, uint32_t thread)
{
    threads_end_one(engine, thread, THREAD_PARKED);
}

void threads_fail(struct engine *engine, uint32_t thread, const struct term_long *reason)
{
    if (thread < engine->failed_thread) {
        engine->failed_thread = thread;
        term_kept_set(&engine->record.thread_failure, reason);
    }
    if (engine->scenario->load.model == LOAD_OPEN) /* its place is needed for other arrivals */
        threads_serve_next_arrival(engine, thread, engine_now(engine));
    else
        threads_end_one(engine, thread, THREAD_ENDED);
}

/* {unexpected, Reply} */
static void threads_complete_unexpected(struct engine *engine, uint32_t thread, uint32_t target,
                                        struct load_times times, const struct term_long *reply)
{
    struct term_builder head = {0};
    struct term_long unexpected = *reply;
    term_build_tuple(&head, 2);
    term_build_atom(&head, "unexpected");
    unexpected.head = term_built(&head);
    threads_complete(engine, thread, target, times, RESULT_UNEXPECTED, &unexpected);
    term_build_free(&head);
}

void threads_complete(struct engine *engine, uint32_t thread, uint32_t target, struct load_times times,
                      enum result_kind kind, const struct term_long *term)
{
    struct term expect = threads_operation(engine, thread)->expect;
    if (kind == RESULT_OK && expect.data && !term_matches(expect, term->tail)) {
        threads_complete_unexpected(engine, thread, target, times, term);
        return;
    }
    threads_go_on(engine, thread, results_record(engine, thread, target, times, kind, term));
}

static void threads_end_sleep(struct engine *engine, const struct sleeper *sleeper, uint64_t now)
{
    results_record_sleep(engine, sleeper->thread, threads_target(engine, sleeper->thread), sleeper->start_ns,
                         now);
    engine->threads[sleeper->thread].step++;
    threads_go_on(engine, sleeper->thread, (struct results_end){.ended_ns = now, .now = now});
}

/* --- What a thread does next --- */

static void threads_begin_operation(struct engine *engine, uint32_t thread, uint64_t intended_ns,
                                    uint64_t now)
{
    struct thread *state = &engine->threads[thread];
    state->operation = threads_choose_operation(engine, thread, state->step) & 0x1fffffff;
    state->has_waited = false;
    const struct operation *operation = threads_operation(engine, thread);
    engine->record.begun += operation->kind != OPERATION_SLEEP;
    if (operation->kind == OPERATION_CUSTOM) {
        customs_queue(engine, thread, intended_ns);
    } else if (operation->kind == OPERATION_SLEEP) {
        uint64_t wake = now + operation->sleep_ms * CLOCK_NS_PER_MS;
        sleepers_add(&engine->sleepers,
                     (struct sleeper){.wake_ns = wake, .start_ns = intended_ns, .thread = thread});
        engine_need_wake(engine, wake, now);
    } else {
        calls_out_open(engine, thread, intended_ns, now);
    }
}

/* From `low_ms` on, at most as long as the load says, since the end of what was before. */
static void threads_think(struct engine *engine, uint32_t thread, enum purpose purpose, uint64_t low_ms,
                          struct results_end end)
{
    struct random random = threads_draw(engine, thread, engine->threads[thread].step, purpose);
    uint64_t low_ns = low_ms * CLOCK_NS_PER_MS;
    uint64_t high_ns = engine->scenario->load.think_high_ms * CLOCK_NS_PER_MS;
    uint64_t wake_ns = end.ended_ns + low_ns + random_below(&random, high_ns - low_ns + 1);
    sleepers_add(
        &engine->sleepers,
        (struct sleeper){.wake_ns = wake_ns, .start_ns = end.now, .thread = thread, .is_thinking = true});
    engine_need_wake(engine, wake_ns, end.now);
}

/* Arrivals that had no room come before new ones. */
static void threads_serve_next_arrival(struct engine *engine, uint32_t thread, uint64_t now)
{
    if (!engine->backlog.count) {
        engine->idle[engine->idle_count++] = thread;
        threads_end_one(engine, thread, THREAD_PARKED);
        return;
    }
    engine->threads[thread].step = engine->record.arrivals_begun++;
    engine->record.begun_late += now >= engine->load_end_ns;
    threads_begin_operation(engine, thread, backlog_take(&engine->backlog), now);
    engine->threads[thread].has_waited = true;
}

/* After an operation. */
static void threads_go_on(struct engine *engine, uint32_t thread, struct results_end end)
{
    const struct load_plan *load = &engine->scenario->load;
    const struct thread *state = &engine->threads[thread];
    uint64_t limit = engine->scenario->threads ? engine->scenario->threads[thread].count : engine->step_limit;
    if (!engine_is_loading(engine))
        return;
    if (load->model == LOAD_OPEN)
        threads_serve_next_arrival(engine, thread, end.now);
    else if (state->step >= limit)
        threads_end_one(engine, thread, THREAD_ENDED);
    else if (end.now >= engine->load_end_ns || thread >= engine->level)
        threads_end_one(engine, thread, THREAD_PARKED);
    else if (load->think_high_ms)
        threads_think(engine, thread, PURPOSE_THINKING, load->think_low_ms, end);
    else
        threads_begin_operation(engine, thread, end.now, end.now);
}

/* The sleep as an operation ends with it; a thread that has thought is late from when it was to wake. */
bool threads_wake_sleepers(struct engine *engine, uint64_t now)
{
    const struct sleeper *first;
    while (engine_is_loading(engine) && (first = sleepers_first(&engine->sleepers)) &&
           first->wake_ns <= now) {
        if (!engine_may_work(engine))
            return true;
        struct sleeper sleeper = sleepers_take(&engine->sleepers);
        if (!sleeper.is_thinking)
            threads_end_sleep(engine, &sleeper, now);
        else if (now >= engine->load_end_ns || sleeper.thread >= engine->level)
            threads_end_one(engine, sleeper.thread, THREAD_PARKED);
        else
            threads_begin_operation(engine, sleeper.thread, sleeper.wake_ns, now);
    }
    return false;
}

/* --- What starts when --- */

/* Threads that think begin somewhere in it, lest all of them march in step. */
static void threads_start_one(struct engine *engine, uint32_t thread, uint64_t intended_ns, uint64_t now)
{
    const struct load_plan *load = &engine->scenario->load;
    struct thread *state = &engine->threads[thread];
    if (state->state == THREAD_ACTIVE || state->state == THREAD_ENDED)
        return;
    if (state->state == THREAD_NEW && !engine->scenario->threads)
        state->step = engine->options.first_step;
    state->state = THREAD_ACTIVE;
    engine->threads_active++;
    if (engine->scenario->threads && !engine->scenario->threads[thread].count)
        threads_end_one(engine, thread, THREAD_ENDED);
    else if (load->think_high_ms)
        threads_think(engine, thread, PURPOSE_PHASE, 0, (struct results_end){.ended_ns = now, .now = now});
    else
        threads_begin_operation(engine, thread, intended_ns, now);
}

static bool threads_start_all(struct engine *engine, uint64_t now)
{
    const struct load_plan *load = &engine->scenario->load;
    size_t wanted = load->model == LOAD_CLOSED ? plan_threads_at(load, now - engine->record.started_ns)
                                               : engine->scenario->thread_count;
    size_t batch_end = engine->level + ENGINE_TURN;
    if (wanted < engine->level)
        engine->level = wanted; /* those above stop after the operation that they are at */
    while (engine->level < wanted && engine->level < batch_end && engine_is_loading(engine)) {
        uint32_t thread = (uint32_t)engine->level++;
        threads_start_one(engine, thread,
                          load->model == LOAD_CLOSED && !load->is_staged ? engine->record.started_ns : now,
                          now);
    }
    return engine->level < wanted;
}

/* One that waits for an arrival, that which had one last first; or THREAD_NONE. */
static uint32_t threads_take_idle(struct engine *engine)
{
    if (engine->idle_count)
        return engine->idle[--engine->idle_count];
    return engine->idle_new < engine->scenario->thread_count ? engine->idle_new++ : THREAD_NONE;
}

static void threads_take_arrival(struct engine *engine, uint64_t intended_ns, uint64_t now)
{
    uint32_t thread = threads_take_idle(engine);
    if (thread != THREAD_NONE) {
        engine->threads[thread].state = THREAD_ACTIVE;
        engine->threads[thread].step = engine->record.arrivals_begun++;
        engine->threads_active++;
        threads_begin_operation(engine, thread, intended_ns, now);
    } else if (engine->backlog.count < engine->scenario->load.max_queued) {
        backlog_put(&engine->backlog, intended_ns);
    } else {
        engine_drop(engine, now, 1);
    }
}

/* True when there are more, and the turn is over. */
static bool threads_take_arrivals(struct engine *engine, uint64_t now)
{
    uint64_t at_ns;
    for (size_t left = ENGINE_TURN; engine->arrival_ns <= now && engine_is_loading(engine); left--) {
        if (!left)
            return true;
        threads_take_arrival(engine, engine->arrival_ns, now);
        engine->arrival_ns =
            arrivals_next(&engine->arrivals, &at_ns) ? engine->record.started_ns + at_ns : UINT64_MAX;
    }
    return false;
}

/* Those that are due just before the end of the load are begun a little after it. */
static bool threads_start_arrivals(struct engine *engine, uint64_t now)
{
    uint64_t begun = engine->record.arrivals_begun;
    bool more_due = threads_take_arrivals(engine, now);
    if (now >= engine->load_end_ns + THREADS_LATE_NS)
        engine->record.begun_late += engine->record.arrivals_begun - begun;
    return more_due;
}

bool threads_start_due(struct engine *engine, uint64_t now)
{
    return engine->scenario->load.model == LOAD_OPEN ? threads_start_arrivals(engine, now)
                                                     : threads_start_all(engine, now);
}

uint64_t threads_next_due_ns(const struct engine *engine, uint64_t now)
{
    const struct load_plan *load = &engine->scenario->load;
    if (load->model == LOAD_OPEN)
        return engine->arrival_ns;
    uint64_t change_ns = load->is_staged && !engine->is_load_over
                             ? plan_next_change_ns(load, now - engine->record.started_ns)
                             : UINT64_MAX;
    return change_ns == UINT64_MAX ? UINT64_MAX : engine->record.started_ns + change_ns;
}

/* Who thinks is done; a sleep that is an operation is awaited as any other that has begun. */
void threads_end_starts(struct engine *engine)
{
    struct sleepers all = engine->sleepers;
    engine->sleepers = (struct sleepers){0};
    engine->is_load_over = true;
    engine->level = 0;
    for (size_t i = 0; i < all.count; i++) {
        if (!all.items[i].is_thinking)
            sleepers_add(&engine->sleepers, all.items[i]);
        else if (engine_is_loading(engine))
            threads_end_one(engine, all.items[i].thread, THREAD_PARKED);
    }
    sleepers_free(&all);
    if (engine->scenario->load.model == LOAD_CLOSED)
        customs_drop_waiting(engine);
    threads_check_end(engine);
}

bool threads_end_all_sleeps(struct engine *engine)
{
    while (engine->sleepers.count && engine_is_loading(engine)) {
        if (!engine_may_work(engine))
            return true;
        struct sleeper sleeper = sleepers_take(&engine->sleepers);
        const uint64_t now = engine_now(engine);
        threads_go_on(engine, sleeper.thread, (struct results_end){.ended_ns = now, .now = now});
    }
    return false;
}

/* --- The beginning and the end --- */

/* What is made for each thread is touched when it starts: a million of them are many pages. */
void threads_init(struct engine *engine)
{
    const struct scenario *scenario = engine->scenario;
    size_t script = scenario->mix ? 1 : scenario->operation_count;
    bool is_limited = scenario->load.iterations && scenario->load.iterations < UINT64_MAX / script;
    engine->threads = memory_zalloc(scenario->thread_count, sizeof(*engine->threads));
    engine->failed_thread = THREAD_NONE;
    engine->step_limit = is_limited ? scenario->load.iterations * script : UINT64_MAX;
    engine->arrival_ns = UINT64_MAX;
    engine->record.arrivals_begun = engine->options.first_step;
    if (scenario->load.model == LOAD_OPEN)
        engine->idle = memory_alloc(scenario->thread_count * sizeof(*engine->idle));
}

void threads_begin(struct engine *engine)
{
    uint64_t at_ns;
    if (engine->scenario->load.model != LOAD_OPEN)
        return;
    arrivals_init(&engine->arrivals, &engine->scenario->load, engine->options.seed);
    if (arrivals_next(&engine->arrivals, &at_ns))
        engine->arrival_ns = engine->record.started_ns + at_ns;
}

void threads_free(struct engine *engine)
{
    sleepers_free(&engine->sleepers);
    backlog_free(&engine->backlog);
    buffer_free(&engine->message);
    free(engine->threads);
    free(engine->idle);
}

struct load_thread engine_thread(const struct engine *engine, size_t thread)
{
    const struct thread *state = &engine->threads[thread];
    return (struct load_thread){.operations = state->operations, .errors = state->errors};
}
