#include <string.h>

#include "faults_private.h"

static void build_mark(const struct injection *injection, const char *event, bool with_target,
                       struct term_builder *builder)
{
    term_build_reset(builder);
    term_build_map(builder, with_target ? 3 : 2);
    term_build_key(builder, "fault");
    term_build_atom(builder, injection->action->kind->name);
    term_build_key(builder, "event");
    term_build_atom(builder, event);
    if (with_target) {
        term_build_key(builder, "target");
        injection_build_target(injection, builder);
    }
}

void chaos_mark(struct run_chaos *chaos, const struct injection *injection, const char *event)
{
    struct run *run = chaos->run;
    struct term_builder builder = {0};
    if (run->state >= RUN_JUDGING)
        return;
    build_mark(injection, event, true, &builder);
    if (builder.bytes.size > TIMELINE_MARK_BYTES) /* very many processes */
        build_mark(injection, event, false, &builder);
    engine_mark(run->engine, clock_ns(), term_built(&builder));
    term_build_free(&builder);
}

void chaos_injected(struct run_chaos *chaos, struct injection *injection)
{
    counters_add_fault(run_counters(chaos->run), fault_kind_number(injection->action->kind));
    chaos_watch(chaos, injection);
    chaos_mark(chaos, injection, "injected");
}

static const struct injection *next_recorded(const struct injection *injection)
{
    return injection->links[INJECTIONS_RECORDED].next;
}

void chaos_build_injections(const struct run *run, struct term_builder *builder)
{
    const struct run_chaos *chaos = run->faults;
    size_t count = chaos ? chaos->recorded.count : 0;
    term_build_list(builder, count);
    for (const struct injection *injection = chaos ? chaos->recorded.first : NULL; injection;
         injection = next_recorded(injection))
        injection_build(injection, chaos->started_ns, builder);
    if (count)
        term_build_nil(builder);
}

uint64_t chaos_injected_count(const struct run *run)
{
    return run->faults ? run->faults->recorded.count + run->faults->dropped : 0;
}

uint64_t chaos_injections_dropped(const struct run *run)
{
    return run->faults ? run->faults->dropped : 0;
}

void chaos_build_healed(const struct run *run, struct term_builder *builder)
{
    const struct injection *first = run->faults ? run->faults->recorded.first : NULL;
    size_t left = 0;
    for (const struct injection *injection = first; injection; injection = next_recorded(injection))
        left += injection_is_left(injection);
    if (!left) {
        term_build_boolean(builder, true);
        return;
    }
    term_build_list(builder, left);
    for (const struct injection *injection = first; injection; injection = next_recorded(injection))
        if (injection_is_left(injection))
            injection_build_left(injection, builder);
    term_build_nil(builder);
}

/* --- A dry run --- */

#define PLANNED_OCCURRENCES 100

/* When the first occurrences would be due, of those that happen. */
static void build_occurrences(const struct run *run, const struct injection *plan,
                              struct term_builder *builder)
{
    const struct schedule *schedule = &plan->action->schedule;
    struct term_builder times = {0};
    size_t count = 0;
    for (uint64_t i = 0; i < schedule->times && i < PLANNED_OCCURRENCES; i++) {
        if (!occurrence_happens(schedule, run->seed, plan->index, i))
            continue;
        term_build_unsigned(&times, occurrence_due_ns(schedule, run->seed, plan->index, i) / CLOCK_NS_PER_MS);
        count++;
    }
    term_build_list(builder, count);
    buffer_append(&builder->bytes, buffer_bytes(&times.bytes), times.bytes.size);
    if (count)
        term_build_nil(builder);
    term_build_free(&times);
}

static void build_candidates(const struct injection *plan, struct term_builder *builder)
{
    if (plan->action->kind->victim == FAULT_TARGET_NODE) {
        injection_build_target(plan, builder);
        return;
    }
    term_build_list(builder, plan->candidate_count);
    for (size_t i = 0; i < plan->candidate_count; i++)
        term_build_term(builder, plan->candidates[i].pid);
    if (plan->candidate_count)
        term_build_nil(builder);
}

static void build_plans(const struct run *run, struct term_builder *builder)
{
    const struct run_chaos *chaos = run->faults;
    size_t count = chaos ? chaos->plans.count : 0;
    term_build_list(builder, count);
    for (const struct injection *plan = chaos ? chaos->plans.first : NULL; plan; plan = next_recorded(plan)) {
        term_build_map(builder, 5);
        term_build_key(builder, "kind");
        term_build_atom(builder, plan->action->kind->name);
        term_build_key(builder, "action");
        term_build_term(builder, plan->action->term);
        term_build_key(builder, "at_ms");
        build_occurrences(run, plan, builder);
        term_build_key(builder, "target");
        build_candidates(plan, builder);
        term_build_key(builder, "problem");
        if (plan->failure.size)
            term_build_term(builder, term_of(&plan->failure));
        else
            term_build_atom(builder, "nil");
    }
    if (count)
        term_build_nil(builder);
}

void chaos_build_dry_run(const struct run *run, struct term_builder *builder)
{
    term_build_map(builder, 5);
    term_build_key(builder, "dry_run");
    term_build_boolean(builder, true);
    term_build_key(builder, "seed");
    term_build_unsigned(builder, run->seed);
    term_build_key(builder, "thread_count");
    term_build_unsigned(builder, run->scenario->thread_count);
    term_build_key(builder, "target");
    if (run->scenario->target.data)
        term_build_term(builder, run->scenario->target);
    else
        term_build_atom(builder, "nil");
    term_build_key(builder, "chaos");
    build_plans(run, builder);
}
