#include <string.h>

#include "faults_private.h"
#include "measure/timeline.h"
#include "term/term_read.h"

static void record_build_mark(const struct injection *injection, const char *event, bool with_target,
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

void record_mark(struct faults *faults, const struct injection *injection, const char *event)
{
    struct term_builder builder = {0};
    record_build_mark(injection, event, true, &builder);
    if (builder.bytes.size > TIMELINE_MARK_BYTES) /* very many processes */
        record_build_mark(injection, event, false, &builder);
    faults->options.events->mark(faults->options.owner, faults_now(faults), term_built(&builder));
    term_build_free(&builder);
}

void record_injected(struct faults *faults, struct injection *injection)
{
    faults->options.events->injected(faults->options.owner, injection->action->kind);
    record_mark(faults, injection, "injected");
}

static const struct injection *record_next_recorded(const struct injection *injection)
{
    return injection->links[INJECTIONS_RECORDED].next;
}

static void record_build_injection(const struct faults *faults, const struct injection *injection,
                                   struct term_builder *builder)
{
    term_build_map(builder, INJECTION_PAIRS + RECOVERY_PAIRS);
    injection_build(injection, faults->started_ns, builder);
    recovery_build(faults, injection, builder);
}

void faults_build_injection(const struct faults *faults, const struct injection *injection,
                            struct term_builder *builder)
{
    term_build_map(builder, INJECTION_PAIRS);
    injection_build(injection, faults->started_ns, builder);
}

void faults_build_injections(const struct faults *faults, struct term_builder *builder)
{
    size_t count = faults->recorded.count;
    term_build_list(builder, count);
    for (const struct injection *injection = faults->recorded.first; injection;
         injection = record_next_recorded(injection))
        record_build_injection(faults, injection, builder);
    if (count)
        term_build_nil(builder);
}

uint64_t faults_injected_count(const struct faults *faults)
{
    return faults->recorded.count + faults->dropped;
}

bool faults_none_drawn(const struct faults *faults)
{
    size_t count = faults->options.scenario->action_count;
    bool all_due = count > 0;
    for (size_t i = 0; i < count; i++)
        all_due = all_due && faults->turns[i].occurrence;
    return all_due && !faults->drawn;
}

uint64_t faults_injections_dropped(const struct faults *faults)
{
    return faults->dropped;
}

struct term faults_also_cut(const struct faults *faults)
{
    struct term parts[2];
    for (const struct injection *injection = faults->recorded.first; injection;
         injection = record_next_recorded(injection))
        if (injection->outcome.size && term_read_tuple_of(term_of(&injection->outcome), 2, parts) &&
            term_is_atom(parts[0], "also_cut"))
            return parts[1];
    return (struct term){0};
}

/* Whether something is held, or may yet be. Nobody can say of that what has become of it when the daemon
 * dies. */
static bool record_may_hold(const struct faults *faults)
{
    const struct scenario *scenario = faults->options.scenario;
    bool comes = false;
    for (const struct injection *injection = faults->active.first; injection;
         injection = injection->links[INJECTIONS_ACTIVE].next)
        if (injection_lasts(injection))
            return true;
    for (size_t i = 0; i < scenario->action_count; i++)
        comes |= scenario->actions[i].kind->lasts && !faults->turns[i].done;
    return comes && faults->has_started;
}

void faults_build_healed(const struct faults *faults, struct term_builder *builder)
{
    const struct injection *first = faults->recorded.first;
    size_t left = 0;
    for (const struct injection *injection = first; injection; injection = record_next_recorded(injection))
        left += injection_is_left(injection);
    if (!left && record_may_hold(faults)) {
        term_build_atom(builder, "nil");
        return;
    }
    if (!left) {
        term_build_boolean(builder, true);
        return;
    }
    term_build_list(builder, left);
    for (const struct injection *injection = first; injection; injection = record_next_recorded(injection))
        if (injection_is_left(injection))
            injection_build_left(injection, builder);
    term_build_nil(builder);
}

bool injection_lasts(const struct injection *injection)
{
    return injection->action->kind->lasts;
}

void faults_build_undone(const struct faults *faults, const struct injection *injection,
                         struct term_builder *builder)
{
    term_build_map(builder, 5);
    term_build_key_unsigned(builder, "run_id", faults->options.run_id);
    injection_build_what(injection, builder);
    term_build_key(builder, "undone");
    term_build_boolean(builder, injection->state == INJECTION_ENDED && !injection_is_left(injection));
}

/* --- A dry run --- */

#define PLANNED_OCCURRENCES 100

/* When the first occurrences would be due, of those that happen. */
static void record_build_occurrences(const struct faults *faults, const struct injection *plan,
                                     struct term_builder *builder)
{
    const struct schedule *schedule = &plan->action->schedule;
    struct term_builder times = {0};
    uint64_t load_ns = plan_duration_ns(&faults->options.scenario->load);
    size_t count = 0;
    for (uint64_t i = 0; i < schedule->times && i < PLANNED_OCCURRENCES; i++) {
        uint64_t due_ns = occurrence_due_ns(schedule, faults->options.seed, plan->index, i);
        if (schedule->times == OCCURRENCES_ENDLESS && load_ns && due_ns >= load_ns)
            continue; /* they come as long as the load goes on */
        if (!occurrence_happens(schedule, faults->options.seed, plan->index, i))
            continue;
        term_build_unsigned(&times, due_ns / CLOCK_NS_PER_MS);
        count++;
    }
    term_build_list(builder, count);
    buffer_append(&builder->bytes, buffer_bytes(&times.bytes), times.bytes.size);
    if (count)
        term_build_nil(builder);
    term_build_free(&times);
}

static void record_build_candidates(const struct injection *plan, struct term_builder *builder)
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

/* {ends_node, Application}: the supervisor falls when its children have to be restarted too often, with it a
 * permanent application, and with that the node. */
static void record_build_warning(const struct injection *plan, struct term_builder *builder)
{
    struct term parts[2];
    bool kills = plan->action->kind->doing == FAULT_KILL_ROUNDS || plan->action->kind->doing == FAULT_CRASH;
    if (!kills || !plan->supervisor_ends.data || !term_read_tuple_of(plan->supervisor_ends, 2, parts)) {
        term_build_atom(builder, "nil");
        return;
    }
    term_build_tuple(builder, 2);
    term_build_atom(builder, "ends_node");
    term_build_term(builder, parts[1]);
}

static void record_build_plans(const struct faults *faults, struct term_builder *builder)
{
    size_t count = faults->plans.count;
    term_build_list(builder, count);
    for (const struct injection *plan = faults->plans.first; plan; plan = record_next_recorded(plan)) {
        term_build_map(builder, 7);
        injection_build_names(plan, builder);
        term_build_key(builder, "kind");
        term_build_atom(builder, plan->action->kind->name);
        term_build_key(builder, "action");
        term_build_term(builder, plan->action->term);
        term_build_key(builder, "warning");
        record_build_warning(plan, builder);
        term_build_key(builder, "at_ms");
        record_build_occurrences(faults, plan, builder);
        term_build_key(builder, "target");
        record_build_candidates(plan, builder);
        term_build_key(builder, "problem");
        if (plan->failure.size)
            term_build_term(builder, term_of(&plan->failure));
        else
            term_build_atom(builder, "nil");
    }
    if (count)
        term_build_nil(builder);
}

bool faults_have_problem(const struct faults *faults)
{
    for (const struct injection *plan = faults->plans.first; plan; plan = record_next_recorded(plan))
        if (plan->failure.size)
            return true;
    return false;
}

void faults_build_dry_run(const struct faults *faults, struct term_builder *builder)
{
    term_build_map(builder, 5);
    term_build_key(builder, "dry_run");
    term_build_boolean(builder, true);
    term_build_key(builder, "seed");
    term_build_unsigned(builder, faults->options.seed);
    term_build_key(builder, "thread_count");
    term_build_unsigned(builder, faults->options.scenario->thread_count);
    term_build_key(builder, "target");
    if (faults->options.scenario->target.data)
        term_build_term(builder, faults->options.scenario->target);
    else
        term_build_atom(builder, "nil");
    term_build_key(builder, "chaos");
    record_build_plans(faults, builder);
}
