/* The load engine and the targets as parts of a run: what they are made with, and what they tell it. */
#include <stdlib.h>

#include "run_private.h"

/* --- What the targets tell --- */

/* Whether one of those that a target has given was there. */
static bool run_load_has_met_member(const struct run *run, size_t target)
{
    for (size_t i = run->scenario->target_count; i < targets_count(run->targets); i++)
        if (targets_source(run->targets, i) == target && engine_has_met(run->engine, i))
            return true;
    return false;
}

bool run_has_missed(const struct run *run, size_t target)
{
    return target < run->scenario->target_count && engine_has_missed(run->engine, target) &&
           !run_load_has_met_member(run, target);
}

bool run_has_lost(const struct run *run, size_t target)
{
    if (run_load_has_met_member(run, target))
        return targets_member_count(run->targets, target) == 0;
    return engine_has_lost(run->engine, target);
}

static void run_load_on_open(void *owner, size_t target)
{
    struct run *run = owner;
    probes_target_ready(run, target);
    engine_target_open(run->engine, target);
}

static void run_load_on_failed(void *owner, size_t target, enum target_failure failure,
                               const struct term_long *reason)
{
    struct run *run = owner;
    probes_target_failed(run, target);
    finders_target_failed(run, targets_source(run->targets, target), failure);
    engine_target_failed(run->engine, target, failure, reason);
    if (run_has_missed(run, target) && engine_take_missed(run->engine, target))
        run_log_missed(run, target, failure == TARGET_NOPROC ? TERM_ATOM("noproc") : reason->tail);
}

static void run_load_on_spread(void *owner, const uint32_t *targets, size_t count, size_t most)
{
    engine_spread(((struct run *)owner)->engine, targets, count, most);
}

static bool run_load_is_unused(void *owner, size_t target)
{
    return engine_is_unused(((const struct run *)owner)->engine, target);
}

static size_t run_load_observed_as(void *owner, size_t target, struct term pid)
{
    return faults_member(((struct run *)owner)->faults, target, pid);
}

static const struct targets_events run_load_targets_events = {.open = run_load_on_open,
                                                              .failed = run_load_on_failed,
                                                              .spread = run_load_on_spread,
                                                              .is_unused = run_load_is_unused,
                                                              .observed_as = run_load_observed_as};

/* --- What the engine tells --- */

/* It is woken by the timer of the states that it is at work in. */
static void run_load_wake(void *owner, uint64_t when_ns)
{
    struct run *run = owner;
    uint64_t now = clock_ns();
    run_arm(run, when_ns > now ? when_ns - now : 0);
}

static void run_load_started(void *owner)
{
    run_event(owner, RUN_EVENT_STARTED, RUN_NO_DETAIL);
}

static void run_load_over(void *owner)
{
    run_event(owner, RUN_EVENT_OVER, RUN_NO_DETAIL);
}

static void run_load_observed(void *owner, const struct observation *seen)
{
    struct run *run = owner;
    struct observation told = *seen;
    told.target = targets_observed_as(run->targets, seen->target);
    faults_observed(run->faults, &told);
}

static void run_load_apply(void *owner, uint32_t thread, uint64_t step, struct term hook,
                           struct term arguments)
{
    session_work(owner, thread, step, hook, arguments);
}

static void run_load_second(void *owner)
{
    judge_while_loading(owner);
}

static void run_load_slow(void *owner, const struct slow_operation *slow)
{
    explain_ended(((struct run *)owner)->explain.explain, slow);
}

static const struct engine_events run_load_engine_events = {.wake = run_load_wake,
                                                            .started = run_load_started,
                                                            .over = run_load_over,
                                                            .observed = run_load_observed,
                                                            .apply = run_load_apply,
                                                            .second = run_load_second,
                                                            .slow = run_load_slow};

struct engine_options run_load_options(const struct run *run)
{
    const struct runner_limits *limits = runner_limits(run->runner);
    return (struct engine_options){.scenario = run->scenario,
                                   .seed = run->seed,
                                   .pid = process_pid(run->process),
                                   .customs_most = limits->custom,
                                   .events_most = limits->events,
                                   .event_bytes_most = limits->event_bytes,
                                   .loop = node_loop(process_node(run->process)),
                                   .clock = &clock_machine,
                                   .way = &targets_way,
                                   .way_owner = run->targets,
                                   .counters = run_counters(run),
                                   .has_observer = run->scenario->action_count > 0};
}

void run_load_init(struct run *run)
{
    run->targets = targets_new(run->scenario, &run->subject_spec, run->process,
                               term_built(&run->group_leader), &run_load_targets_events, run);
    struct engine_options options = run_load_options(run);
    options.events = &run_load_engine_events;
    options.owner = run;
    run->engine = engine_new(&options);
    engine_observe(run->engine, run->is_observed);
    run_explain_init(run);
}

void run_load_reply(struct run *run, int64_t tag, const struct term_long *reply, struct arrived arrived)
{
    if (run->engine)
        engine_reply(run->engine, tag, reply, arrived);
}

bool run_load_too_large(struct run *run, int64_t tag, struct term reason, struct arrived arrived)
{
    return run->engine && engine_reply_too_large(run->engine, tag, reason, arrived);
}

void run_load_stop(struct run *run)
{
    if (!run->engine)
        return;
    run_explain_stop(run);
    engine_stop(run->engine);
    targets_close(run->targets);
}

void run_load_free(struct run *run)
{
    if (!run->engine)
        return;
    run_explain_free(run);
    engine_free(run->engine);
    targets_free(run->targets);
}

const struct load_record *run_record(const struct run *run)
{
    static const struct load_record nothing = {0};
    return run->engine ? engine_record(run->engine) : &nothing;
}
