/* The schedule of a scenario's actions: each has its turns, and when all are over so is the chaos. */
#include "faults_private.h"

static const struct fault_action *turns_action_of(const struct faults *faults, size_t index)
{
    return &faults->options.scenario->actions[index];
}

static void turns_set_due(struct faults *faults, size_t index)
{
    struct turn *turn = &faults->turns[index];
    const struct schedule *schedule = &turns_action_of(faults, index)->schedule;
    turn->done = turn->occurrence >= schedule->times;
    if (!turn->done)
        turn->due_ns = faults->started_ns +
                       occurrence_due_ns(schedule, faults->options.seed, (uint32_t)index, turn->occurrence);
}

static void turns_record(struct faults *faults, size_t index, uint64_t occurrence, uint64_t due_ns,
                         enum fault_outcome outcome)
{
    struct injection *injection =
        faults_new_injection(faults, turns_action_of(faults, index), (uint32_t)index, occurrence);
    injection->due_ns = due_ns;
    injection_outcome(injection, outcome);
    faults_close(faults, injection);
    term_keep(&faults->turns[index].result, TERM_ATOM("ok"));
}

static void turns_inject(struct faults *faults, size_t index, uint64_t occurrence, uint64_t due_ns)
{
    const struct fault_action *action = turns_action_of(faults, index);
    faults->drawn = true;
    if (action->kind->doing == FAULT_KILL_ROUNDS) {
        rounds_start(faults, action, (uint32_t)index, occurrence);
        return;
    }
    struct injection *injection = faults_new_injection(faults, action, (uint32_t)index, occurrence);
    injection->due_ns = due_ns;
    faults->turns[index].running++;
    if (!find_start(faults, injection))
        faults_found(faults, injection);
}

static void turns_take_one(struct faults *faults, size_t index)
{
    struct turn *turn = &faults->turns[index];
    const struct schedule *schedule = &turns_action_of(faults, index)->schedule;
    uint64_t occurrence = turn->occurrence++, due_ns = turn->due_ns;
    turns_set_due(faults, index);
    if (occurrence_happens(schedule, faults->options.seed, (uint32_t)index, occurrence))
        turns_inject(faults, index, occurrence, due_ns);
    else if (schedule->times == 1)
        turns_record(faults, index, occurrence, due_ns, FAULT_NOT_DRAWN);
}

static void turns_take_all(struct faults *faults)
{
    uint64_t now = faults_now(faults);
    for (size_t i = 0; i < faults->options.scenario->action_count; i++)
        while (!faults->overflows && !faults->turns[i].done && faults->turns[i].due_ns <= now)
            turns_take_one(faults, i);
    for (struct campaign *campaign = faults->campaigns, *next; campaign; campaign = next) {
        next = campaign->next;
        if (campaign->due_ns <= now)
            rounds_next(faults, campaign);
    }
    if (faults->overflows && !faults->stopped) {
        struct term_builder reason = {0};
        term_build_atom(&reason, "too_many_injections");
        faults_fail(faults, term_built(&reason));
        term_build_free(&reason);
        faults_stop(faults);
    }
}

void turns_arm(struct faults *faults)
{
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; !faults->stopped && i < faults->options.scenario->action_count; i++)
        if (!faults->turns[i].done && faults->turns[i].due_ns < next)
            next = faults->turns[i].due_ns;
    for (const struct campaign *campaign = faults->campaigns; campaign; campaign = campaign->next)
        if (campaign->due_ns < next)
            next = campaign->due_ns;
    if (next != UINT64_MAX)
        faults->options.events->wake(faults->options.owner, next);
}

static void turns_build_results(const struct faults *faults, struct term_builder *builder)
{
    const struct scenario *scenario = faults->options.scenario;
    if (scenario->actions_are_list)
        term_build_list(builder, scenario->action_count);
    for (size_t i = 0; i < scenario->action_count; i++) {
        if (faults->turns[i].result.size && faults->turns[i].done)
            term_build_term(builder, term_of(&faults->turns[i].result));
        else
            term_build_atom(builder, "ok");
    }
    if (scenario->actions_are_list)
        term_build_nil(builder);
}

static bool turns_is_done(const struct faults *faults)
{
    for (size_t i = 0; i < faults->options.scenario->action_count; i++)
        if (!turns_action_of(faults, i)->is_loose && (!faults->turns[i].done || faults->turns[i].running))
            return faults->failure.size > 0;
    return true;
}

static void turns_tell_done(struct faults *faults)
{
    struct term_builder results = {0};
    if (faults->told || !turns_is_done(faults))
        return;
    faults->told = true;
    if (!faults->failure.size)
        turns_build_results(faults, &results);
    faults->options.events->over(faults->options.owner, term_of(&results.bytes), term_of(&faults->failure));
    term_build_free(&results);
}

void faults_work(struct faults *faults)
{
    if (!faults->has_started)
        return;
    turns_take_all(faults);
    turns_arm(faults);
    turns_tell_done(faults);
}

/* An action that was to come a number of times is recorded as cancelled once. */
static void turns_cancel_pending(struct faults *faults)
{
    for (size_t i = 0; i < faults->options.scenario->action_count; i++) {
        struct turn *turn = &faults->turns[i];
        if (!turn->done && turns_action_of(faults, i)->schedule.times != OCCURRENCES_ENDLESS)
            turns_record(faults, i, turn->occurrence, turn->due_ns, FAULT_CANCELLED);
        turn->done = true;
    }
    rounds_stop(faults);
    faults_wake(faults);
}

void faults_start(struct faults *faults, uint64_t started_ns)
{
    faults->started_ns = started_ns;
    faults->has_started = true;
    for (size_t i = 0; i < faults->options.scenario->action_count; i++)
        turns_set_due(faults, i);
    if (faults->stopped)
        turns_cancel_pending(faults);
    faults_wake(faults);
}

/* It may not have started yet. */
void faults_stop(struct faults *faults)
{
    if (faults->stopped)
        return;
    faults->stopped = true;
    if (faults->has_started)
        turns_cancel_pending(faults);
}
