/* The load that goes on after its end until targets have recovered. It is another one: its operations are
 * told to the faults and to nobody else, and its replies come to a process of its own, so that none of them
 * is taken for one of the load's, or the other way round. */
#include <stdlib.h>

#include "base/memory.h"
#include "run_limits_private.h"
#include "term/term_read.h"

struct run_tail {
    struct run *run;
    struct scenario scenario; /* the run's, but for its load */
    struct plan_stage stage;
    struct process *process; /* NULL: it is over */
    struct targets *targets;
    struct engine *engine;
    struct counters counters;
    uint64_t ends_ns;
    bool is_load_over; /* scripts have come to their end, and are to be begun again */
};

/* --- What targets and engine tell --- */

static void run_tail_on_open(void *owner, size_t target)
{
    struct run_tail *tail = owner;
    engine_target_open(tail->engine, target);
}

static void run_tail_on_failed(void *owner, size_t target, enum target_failure failure,
                               const struct term_long *reason)
{
    struct run_tail *tail = owner;
    finders_target_failed(tail->run, targets_source(tail->targets, target), failure);
    engine_target_failed(tail->engine, target, failure, reason);
}

/* The first are told before there is an engine, which each one is told anew. */
static void run_tail_on_spread(void *owner, const uint32_t *targets, size_t count, size_t most)
{
    struct run_tail *tail = owner;
    if (tail->engine)
        engine_spread(tail->engine, targets, count, most);
}

static bool run_tail_is_unused(void *owner, size_t target)
{
    const struct run_tail *tail = owner;
    return !tail->engine || engine_is_unused(tail->engine, target);
}

static size_t run_tail_observed_as(void *owner, size_t target, struct term pid)
{
    return faults_member(((struct run_tail *)owner)->run->faults, target, pid);
}

static const struct targets_events run_tail_targets_events = {.open = run_tail_on_open,
                                                              .failed = run_tail_on_failed,
                                                              .spread = run_tail_on_spread,
                                                              .is_unused = run_tail_is_unused,
                                                              .observed_as = run_tail_observed_as};

/* Scripts without operations are not begun again at once. */
#define RUN_TAIL_REST_NS CLOCK_NS_PER_MS

static void run_tail_arm(struct run_tail *tail, uint64_t when_ns)
{
    uint64_t now = clock_ns(), due_ns = when_ns < tail->ends_ns ? when_ns : tail->ends_ns;
    if (!faults_are_recovering(tail->run->faults))
        due_ns = now;
    else if (tail->is_load_over)
        due_ns = now + RUN_TAIL_REST_NS;
    run_arm(tail->run, due_ns > now ? due_ns - now : 0);
}

static void run_tail_wake(void *owner, uint64_t when_ns)
{
    run_tail_arm(owner, when_ns);
}

static void run_tail_over(void *owner)
{
    struct run_tail *tail = owner;
    tail->is_load_over = true;
    run_tail_arm(tail, 0);
}

static void run_tail_observed(void *owner, const struct observation *seen)
{
    struct run_tail *tail = owner;
    struct observation told = *seen;
    told.target = targets_observed_as(tail->targets, seen->target);
    faults_observed(tail->run->faults, &told);
    if (seen->is_ok && !faults_are_recovering(tail->run->faults))
        run_tail_arm(tail, 0);
}

static void run_tail_apply(void *owner, uint32_t thread, uint64_t step, struct term hook,
                           struct term arguments)
{
    session_work(((struct run_tail *)owner)->run, thread, step, hook, arguments);
}

static void run_tail_ignore(void *owner)
{
    (void)owner;
}

static const struct engine_events run_tail_engine_events = {.wake = run_tail_wake,
                                                            .started = run_tail_ignore,
                                                            .over = run_tail_over,
                                                            .observed = run_tail_observed,
                                                            .apply = run_tail_apply,
                                                            .second = run_tail_ignore};

/* {Tag, Reply} */
static void run_tail_on_message(void *owner, struct process *process, const struct incoming *incoming)
{
    (void)process;
    struct run_tail *tail = owner;
    struct term reply[2];
    int64_t tag;
    if (tail->process && term_read_tuple_of(incoming->body, 2, reply) && term_read_integer(reply[0], &tag))
        engine_reply(tail->engine, tag, &(struct term_long){.tail = reply[1], .held = incoming->held},
                     incoming->arrived);
}

static void run_tail_on_too_large(void *owner, struct process *process, const struct incoming *incoming)
{
    (void)process;
    struct run_tail *tail = owner;
    struct term reply[2];
    int64_t tag;
    if (tail->process && term_read_tuple_of(incoming->body, 2, reply) && term_read_integer(reply[0], &tag) &&
        engine_reply_too_large(tail->engine, tag, incoming->too_large, incoming->arrived))
        (void)run_limits_cut(tail->run, incoming->peer);
}

static const struct process_events run_tail_process_events = {.message = run_tail_on_message,
                                                              .too_large = run_tail_on_too_large};

/* --- The load --- */

/* As it was at its end: of a ramp that ends with nothing what it had at most. */
static double run_tail_level(const struct load_plan *plan)
{
    double level = plan->stage_count ? plan->stages[plan->stage_count - 1].level : (double)plan->threads;
    for (size_t i = 0; level <= 0 && i < plan->stage_count; i++)
        level = plan->stages[i].level;
    return level;
}

static void run_tail_plan(struct run_tail *tail)
{
    const struct scenario *scenario = tail->run->scenario;
    struct load_plan *plan = &tail->scenario.load;
    tail->scenario = *scenario;
    tail->scenario.events_policy = EVENTS_NONE;
    tail->scenario.timeout_ms = scenario->recovery_wait_ms + scenario->timeout_ms;
    if (plan->model == LOAD_SCRIPTS)
        return;
    tail->stage =
        (struct plan_stage){.duration_ms = scenario->recovery_wait_ms, .level = run_tail_level(plan)};
    plan->stages = &tail->stage;
    plan->stage_count = 1;
    plan->is_staged = plan->is_linear = false;
    plan->iterations = 0;
}

/* Its steps are other ones than those of the load, and so are the numbers and the choices in its messages. */
static void run_tail_start_engine(struct run_tail *tail)
{
    struct run *run = tail->run;
    struct engine_options options = run_load_options(run);
    options.scenario = &tail->scenario;
    options.first_step = run_record(run)->operations + 1;
    options.pid = process_pid(tail->process);
    options.way_owner = tail->targets;
    options.counters = &tail->counters;
    options.has_observer = true;
    options.events = &run_tail_engine_events;
    options.owner = tail;
    tail->is_load_over = false;
    tail->engine = engine_new(&options);
    targets_spread_again(tail->targets);
    engine_begin(tail->engine);
}

static void run_tail_copy_members(struct run_tail *tail)
{
    const struct scenario *scenario = tail->run->scenario;
    for (size_t i = 0; i < scenario->target_count; i++) {
        struct term_builder pids = {0};
        if (!target_is_several(scenario->targets[i].kind))
            continue;
        targets_build_members(tail->run->targets, i, &pids);
        targets_set_members(tail->targets, i, term_built(&pids));
        term_build_free(&pids);
    }
}

void run_tail_start(struct run *run)
{
    struct run_tail *tail = memory_zalloc(1, sizeof(*tail));
    run->tail = tail;
    tail->run = run;
    tail->ends_ns = clock_ns() + run->scenario->recovery_wait_ms * CLOCK_NS_PER_MS;
    counters_init(&tail->counters);
    run_tail_plan(tail);
    tail->process = process_spawn(runner_node(run->runner), &run_tail_process_events, tail);
    tail->targets = targets_new(&tail->scenario, &run->subject_spec, tail->process,
                                term_built(&run->group_leader), &run_tail_targets_events, tail);
    run_tail_copy_members(tail);
    run_tail_start_engine(tail);
}

bool run_tail_work(struct run *run)
{
    struct run_tail *tail = run->tail;
    if (clock_ns() >= tail->ends_ns)
        return false;
    if (tail->is_load_over) {
        engine_free(tail->engine);
        run_tail_start_engine(tail);
    } else {
        engine_work(tail->engine);
    }
    return true;
}

void run_tail_stop(struct run *run)
{
    struct run_tail *tail = run->tail;
    if (!tail || !tail->process)
        return;
    engine_stop(tail->engine);
    targets_close(tail->targets);
    process_exit_atom(tail->process, "normal");
    tail->process = NULL;
}

void run_tail_free(struct run *run)
{
    struct run_tail *tail = run->tail;
    if (!tail)
        return;
    engine_free(tail->engine);
    targets_free(tail->targets);
    counters_free(&tail->counters);
    free(tail);
}

void run_tail_set_members(struct run *run, size_t target, struct term pids)
{
    if (run->tail && run->tail->process)
        targets_set_members(run->tail->targets, target, pids);
}

struct engine *run_engine(const struct run *run)
{
    return run->tail && run->tail->process ? run->tail->engine : run->engine;
}
