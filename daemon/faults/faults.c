#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "faults_private.h"
#include "term/term_read.h"
#include "term/term_text.h"

static void on_lost(void *owner, struct chaos_agent *agent, struct term reason);
static void on_timer(void *owner);

void chaos_init(struct run *run)
{
    size_t count = run->scenario->action_count;
    if (!count)
        return;
    struct run_chaos *chaos = memory_zalloc(1, sizeof(*chaos));
    run->faults = chaos;
    chaos->run = run;
    chaos->recorded.kind = chaos->plans.kind = INJECTIONS_RECORDED;
    chaos->active.kind = INJECTIONS_ACTIVE;
    chaos_recovery_init(chaos);
    chaos->turns = memory_zalloc(count, sizeof(*chaos->turns));
    chaos_agents_init(&chaos->agents, run, on_lost, chaos);
    loop_timer_init(&chaos->timer, node_loop(process_node(run->process)), on_timer, chaos);
}

static struct injection *next_of(const struct injection_list *list, const struct injection *injection)
{
    return injection->links[list->kind].next;
}

static void free_list(const struct run *run, struct injection_list *list)
{
    while (list->first) {
        struct injection *injection = list->first;
        injection_list_remove(list, injection);
        injection_tell_waiters(injection, run, NULL);
        injection_free(injection);
    }
}

void chaos_leave(struct run *run)
{
    struct run_chaos *chaos = run->faults;
    if (!chaos)
        return;
    for (struct injection *injection = chaos->active.first; injection;
         injection = next_of(&chaos->active, injection))
        injection_tell_waiters(injection, run, NULL);
    chaos_agents_end(&chaos->agents);
}

void chaos_free(struct run *run)
{
    struct run_chaos *chaos = run->faults;
    if (!chaos)
        return;
    chaos_campaigns_free(chaos);
    free_list(run, &chaos->recorded);
    free_list(run, &chaos->plans);
    chaos_recovery_free(chaos);
    for (size_t i = 0; i < run->scenario->action_count; i++)
        buffer_free(&chaos->turns[i].result);
    buffer_free(&chaos->failure);
    loop_timer_free(&chaos->timer);
    free(chaos->turns);
    free(chaos);
    run->faults = NULL;
}

/* --- Injections --- */

static struct injection *make_injection(const struct fault_action *action, uint32_t index,
                                        uint64_t occurrence)
{
    struct injection *injection = memory_zalloc(1, sizeof(*injection));
    injection->action = action;
    injection->index = index;
    injection->occurrence = occurrence;
    injection->target = TARGET_ANY;
    return injection;
}

/* What is not undone stays on record. */
static void drop_oldest(struct run_chaos *chaos)
{
    struct injection *oldest = chaos->recorded.first;
    while (oldest && (oldest->state != INJECTION_ENDED || injection_is_left(oldest)))
        oldest = next_of(&chaos->recorded, oldest);
    if (!oldest) {
        chaos->overflows = true;
        return;
    }
    chaos_watch_dropped(chaos, oldest);
    injection_list_remove(&chaos->recorded, oldest);
    injection_free(oldest);
    chaos->dropped++;
}

struct injection *chaos_new_injection(struct run_chaos *chaos, const struct fault_action *action,
                                      uint32_t index, uint64_t occurrence)
{
    struct injection *injection = make_injection(action, index, occurrence);
    if (chaos->recorded.count >= INJECTIONS_MOST)
        drop_oldest(chaos);
    injection_list_add(&chaos->recorded, injection);
    injection_list_add(&chaos->active, injection);
    return injection;
}

void chaos_drop(struct run_chaos *chaos, struct injection *injection)
{
    chaos_unwatch(chaos, injection);
    injection_list_remove(&chaos->recorded, injection);
    injection_list_remove(&chaos->active, injection);
    injection_free(injection);
}

uint64_t chaos_number(const struct injection *injection, size_t index)
{
    return injection->serial << 16 | index;
}

void chaos_expect(struct run_chaos *chaos, struct injection *injection, size_t count)
{
    free(injection->parts);
    injection->serial = ++chaos->serials;
    injection->parts = memory_zalloc(count, sizeof(*injection->parts));
    injection->part_count = injection->parts_left = count;
}

static void check_healed(struct run_chaos *chaos);

/* Recovery is from faults that are known to have had an effect. */
static void end_injection(struct run_chaos *chaos, struct injection *injection)
{
    injection->state = INJECTION_ENDED;
    injection_list_remove(&chaos->active, injection);
    injection_forget_search(injection);
    if (!injection->effect_ns)
        chaos_unwatch(chaos, injection);
    injection->campaign = NULL;
    injection_tell_waiters(injection, chaos->run, NULL);
}

void chaos_end(struct run_chaos *chaos, struct injection *injection)
{
    bool is_awaited = !injection->campaign && !injection->released;
    injection_outcome(injection, "ok");
    injection->ended_ns = clock_ns();
    end_injection(chaos, injection);
    if (injection->was_held)
        chaos_mark(chaos, injection, injection_is_left(injection) ? "left" : "undone");
    if (is_awaited)
        chaos_release(chaos, injection->index, term_of(&injection->outcome));
    check_healed(chaos);
}

void chaos_release(struct run_chaos *chaos, uint32_t index, struct term result)
{
    struct turn *turn = &chaos->turns[index];
    if (turn->running)
        turn->running--;
    term_keep(&turn->result, result);
    loop_timer_set(&chaos->timer, 0);
}

void chaos_fail(struct run_chaos *chaos, struct term reason)
{
    if (!chaos->failure.size)
        term_keep(&chaos->failure, reason);
}

/* --- What agents tell --- */

static struct injection *find_asked(const struct injection_list *list, uint64_t number)
{
    struct injection *injection = list->first;
    while (injection && (injection->serial != number >> 16 || injection->state == INJECTION_ENDED))
        injection = next_of(list, injection);
    return injection;
}

static void answered(struct run_chaos *chaos, struct injection *injection, size_t part, struct term answer)
{
    if (part >= injection->part_count || !injection->parts[part].agent)
        return;
    if (injection->state == INJECTION_FINDING)
        chaos_find_answered(chaos, injection, part, answer);
    else
        chaos_act_answered(chaos, injection, part, answer);
}

static void lost(struct run_chaos *chaos, struct injection *injection, size_t part, struct term reason)
{
    if (injection->state == INJECTION_FINDING)
        chaos_find_lost(chaos, injection, part, reason);
    else
        chaos_act_lost(chaos, injection, part, reason);
}

bool chaos_message(struct run *run, struct term message)
{
    uint64_t number;
    struct term answer;
    struct run_chaos *chaos = run->faults;
    if (!chaos || !chaos_agents_message(&chaos->agents, message, &number, &answer))
        return false;
    struct injection *injection = answer.data ? find_asked(&chaos->active, number) : NULL;
    if (answer.data && !injection)
        injection = find_asked(&chaos->plans, number);
    if (injection)
        answered(chaos, injection, number & 0xffff, answer);
    return true;
}

/* One that has asked the agent for something, and which part of it. */
static struct injection *find_waiting(const struct injection_list *list, const struct chaos_agent *agent,
                                      size_t *part)
{
    struct injection *injection = list->first;
    for (; injection; injection = next_of(list, injection))
        for (*part = 0; injection->state != INJECTION_ENDED && *part < injection->part_count; (*part)++)
            if (injection->parts[*part].agent == agent)
                return injection;
    return NULL;
}

static void on_lost(void *owner, struct chaos_agent *agent, struct term reason)
{
    struct run_chaos *chaos = owner;
    struct injection *injection;
    size_t part;
    char why[200];
    log_debug("chaos agent lost", log_integer("run", (int64_t)chaos->run->id),
              log_string("node", agent->node), log_string("reason", term_text(reason, why, sizeof(why))));
    while ((injection = find_waiting(&chaos->active, agent, &part)) ||
           (injection = find_waiting(&chaos->plans, agent, &part)))
        lost(chaos, injection, part, reason);
}

/* --- Plans: whether all that is to be done may be --- */

static void refuse(struct run *run, struct term what)
{
    log_info("faults refused", log_integer("run", (int64_t)run->id), log_string("requester", run->requester));
    run_fail(run, "not_allowed", what);
}

static void plan_found(struct run_chaos *chaos, struct injection *plan)
{
    struct term_builder refusal = {0};
    plan->state = INJECTION_ENDED;
    if (chaos_forbids(chaos, plan, &refusal))
        refuse(chaos->run, term_built(&refusal));
    if (!chaos->run->scenario->dry_run)
        injection_forget_search(plan);
    term_build_free(&refusal);
}

static void found_one_more(struct run_chaos *chaos)
{
    if (chaos->planning && --chaos->planning == 0)
        run_planned(chaos->run);
}

bool chaos_refused(struct run *run)
{
    for (size_t i = 0; i < run->scenario->action_count; i++) {
        struct term_builder refusal = {0};
        bool is_refused = chaos_forbids_action(run, &run->scenario->actions[i], &refusal);
        if (is_refused)
            refuse(run, term_built(&refusal));
        term_build_free(&refusal);
        if (is_refused)
            return true;
    }
    return false;
}

/* A dry run of a scenario with a setup has no subject. */
static bool has_target(const struct run *run, const struct fault_action *action)
{
    return run->set_up || !run->scenario->setup.data || action->target.kind != FAULT_TARGET_SUBJECT;
}

bool chaos_plan(struct run *run)
{
    struct run_chaos *chaos = run->faults;
    size_t asked = 0;
    for (size_t i = 0; chaos && i < run->scenario->action_count; i++) {
        const struct fault_action *action = &run->scenario->actions[i];
        struct injection *plan = make_injection(action, (uint32_t)i, 0);
        plan->is_plan = true;
        injection_list_add(&chaos->plans, plan);
        if (has_target(run, action) && chaos_find(chaos, plan))
            asked++;
        else
            plan_found(chaos, plan);
    }
    if (chaos)
        chaos->planning = asked;
    return asked > 0;
}

void chaos_plan_no_longer(struct run *run)
{
    struct run_chaos *chaos = run->faults;
    for (struct injection *plan = chaos->plans.first; plan; plan = next_of(&chaos->plans, plan)) {
        if (plan->state == INJECTION_ENDED)
            continue;
        plan->state = INJECTION_ENDED;
        term_keep(&plan->failure, TERM_ATOM("timeout"));
    }
    if (!run->scenario->dry_run)
        run_fail(run, "chaos_failed", TERM_ATOM("timeout"));
    chaos->planning = 0;
}

/* --- What is done with whom was found --- */

static void keep_alive_ones(struct injection *injection)
{
    size_t kept = 0;
    for (size_t i = 0; i < injection->candidate_count; i++)
        if (term_type(injection->candidates[i].pid) == TERM_PID)
            injection->candidates[kept++] = injection->candidates[i];
    injection->candidate_count = kept;
}

static void draw_one(const struct run_chaos *chaos, struct injection *injection)
{
    struct random random;
    if (injection->candidate_count < 2)
        return;
    occurrence_random(&random, chaos->run->seed, injection->index, injection->occurrence, OCCURRENCE_TARGET);
    injection->candidates[0] = injection->candidates[random_below(&random, injection->candidate_count)];
    injection->candidate_count = 1;
}

void chaos_found(struct run_chaos *chaos, struct injection *injection)
{
    struct term_builder refusal = {0};
    if (injection->is_plan) {
        plan_found(chaos, injection);
        found_one_more(chaos);
        return;
    }
    if (injection->campaign) {
        chaos_campaign_found(chaos, injection);
        return;
    }
    keep_alive_ones(injection);
    bool is_forbidden = chaos_forbids(chaos, injection, &refusal);
    if (injection->action->target.kind == FAULT_TARGET_CHILD)
        draw_one(chaos, injection);
    if (chaos->stopped) {
        injection_outcome(injection, "cancelled");
        chaos_end(chaos, injection);
    } else if (is_forbidden) {
        injection_outcome_term(injection, "not_allowed", term_built(&refusal));
        chaos_end(chaos, injection);
    } else if (injection->candidate_count + injection->node_count == 0) {
        if (injection->failure.size && !term_is_atom(term_of(&injection->failure), "noproc"))
            injection_outcome_term(injection, "error", term_of(&injection->failure));
        injection_outcome(injection, "noproc");
        chaos_end(chaos, injection);
    } else {
        chaos_act(chaos, injection);
    }
    term_build_free(&refusal);
}

/* --- The schedule --- */

static const struct fault_action *action_of(const struct run_chaos *chaos, size_t index)
{
    return &chaos->run->scenario->actions[index];
}

static void set_due(struct run_chaos *chaos, size_t index)
{
    struct turn *turn = &chaos->turns[index];
    const struct schedule *schedule = &action_of(chaos, index)->schedule;
    turn->done = turn->occurrence >= schedule->times;
    if (!turn->done)
        turn->due_ns = chaos->started_ns +
                       occurrence_due_ns(schedule, chaos->run->seed, (uint32_t)index, turn->occurrence);
}

static void record(struct run_chaos *chaos, size_t index, uint64_t occurrence, uint64_t due_ns,
                   const char *outcome)
{
    struct injection *injection =
        chaos_new_injection(chaos, action_of(chaos, index), (uint32_t)index, occurrence);
    injection->due_ns = due_ns;
    injection_outcome(injection, outcome);
    end_injection(chaos, injection);
    term_keep(&chaos->turns[index].result, TERM_ATOM("ok"));
}

static void inject(struct run_chaos *chaos, size_t index, uint64_t occurrence, uint64_t due_ns)
{
    const struct fault_action *action = action_of(chaos, index);
    if (action->kind->doing == FAULT_KILL_ROUNDS) {
        chaos_campaign_start(chaos, action, (uint32_t)index, occurrence);
        return;
    }
    struct injection *injection = chaos_new_injection(chaos, action, (uint32_t)index, occurrence);
    injection->due_ns = due_ns;
    chaos->turns[index].running++;
    if (!chaos_find(chaos, injection))
        chaos_found(chaos, injection);
}

static void take_turn(struct run_chaos *chaos, size_t index)
{
    struct turn *turn = &chaos->turns[index];
    const struct schedule *schedule = &action_of(chaos, index)->schedule;
    uint64_t occurrence = turn->occurrence++, due_ns = turn->due_ns;
    set_due(chaos, index);
    if (occurrence_happens(schedule, chaos->run->seed, (uint32_t)index, occurrence))
        inject(chaos, index, occurrence, due_ns);
    else if (schedule->times == 1)
        record(chaos, index, occurrence, due_ns, "not_drawn");
}

static void take_turns(struct run_chaos *chaos)
{
    uint64_t now = clock_ns();
    for (size_t i = 0; i < chaos->run->scenario->action_count; i++)
        while (!chaos->overflows && !chaos->turns[i].done && chaos->turns[i].due_ns <= now)
            take_turn(chaos, i);
    for (struct campaign *campaign = chaos->campaigns, *next; campaign; campaign = next) {
        next = campaign->next;
        if (campaign->due_ns <= now)
            chaos_campaign_round(chaos, campaign);
    }
    if (chaos->overflows && !chaos->stopped) {
        struct term_builder reason = {0};
        term_build_atom(&reason, "too_many_injections");
        chaos_fail(chaos, term_built(&reason));
        term_build_free(&reason);
        chaos_stop(chaos->run);
    }
}

void chaos_arm(struct run_chaos *chaos)
{
    uint64_t now = clock_ns(), next = UINT64_MAX;
    for (size_t i = 0; !chaos->stopped && i < chaos->run->scenario->action_count; i++)
        if (!chaos->turns[i].done && chaos->turns[i].due_ns < next)
            next = chaos->turns[i].due_ns;
    for (const struct campaign *campaign = chaos->campaigns; campaign; campaign = campaign->next)
        if (campaign->due_ns < next)
            next = campaign->due_ns;
    if (next != UINT64_MAX)
        loop_timer_set(&chaos->timer, next > now ? next - now : 0);
}

static void build_results(const struct run_chaos *chaos, struct term_builder *builder)
{
    const struct scenario *scenario = chaos->run->scenario;
    if (scenario->actions_are_list)
        term_build_list(builder, scenario->action_count);
    for (size_t i = 0; i < scenario->action_count; i++) {
        if (chaos->turns[i].result.size && chaos->turns[i].done)
            term_build_term(builder, term_of(&chaos->turns[i].result));
        else
            term_build_atom(builder, "ok");
    }
    if (scenario->actions_are_list)
        term_build_nil(builder);
}

static bool is_done(const struct run_chaos *chaos)
{
    for (size_t i = 0; i < chaos->run->scenario->action_count; i++)
        if (!action_of(chaos, i)->is_loose && (!chaos->turns[i].done || chaos->turns[i].running))
            return chaos->failure.size > 0;
    return true;
}

static void tell_done(struct run_chaos *chaos)
{
    struct run *run = chaos->run;
    struct term_builder results = {0};
    if (chaos->told || !run->chaos_running || !is_done(chaos))
        return;
    chaos->told = true;
    run->chaos_running = false;
    if (chaos->failure.size) {
        term_keep(&run->chaos_failure, term_of(&chaos->failure));
    } else {
        build_results(chaos, &results);
        term_keep(&run->chaos_result, term_built(&results));
    }
    term_build_free(&results);
    if (run->state == RUN_CHAOS_WAIT)
        run_enter(run, RUN_JUDGING);
}

static void on_timer(void *owner)
{
    struct run_chaos *chaos = owner;
    if (!chaos->has_started)
        return;
    take_turns(chaos);
    chaos_arm(chaos);
    tell_done(chaos);
}

/* An action that was to come a number of times is recorded as cancelled once. */
static void cancel_pending(struct run_chaos *chaos)
{
    for (size_t i = 0; i < chaos->run->scenario->action_count; i++) {
        struct turn *turn = &chaos->turns[i];
        if (!turn->done && action_of(chaos, i)->schedule.times != OCCURRENCES_ENDLESS)
            record(chaos, i, turn->occurrence, turn->due_ns, "cancelled");
        turn->done = true;
    }
    chaos_campaigns_stop(chaos);
    loop_timer_set(&chaos->timer, 0);
}

void chaos_start(struct run *run)
{
    struct run_chaos *chaos = run->faults;
    chaos->started_ns = run_record(run)->started_ns;
    chaos->has_started = true;
    for (size_t i = 0; i < run->scenario->action_count; i++)
        set_due(chaos, i);
    if (chaos->stopped)
        cancel_pending(chaos);
    loop_timer_set(&chaos->timer, 0);
}

/* It may not have started yet. */
void chaos_stop(struct run *run)
{
    struct run_chaos *chaos = run->faults;
    if (!chaos || chaos->stopped)
        return;
    chaos->stopped = true;
    if (chaos->has_started)
        cancel_pending(chaos);
}

/* --- Healing --- */

static void check_healed(struct run_chaos *chaos)
{
    if (chaos->healing && !chaos->active.count)
        run_healed(chaos->run);
}

/* Campaigns, whose look at the children it may have been, are over. */
static void cancel_finding(struct run_chaos *chaos, struct injection *injection)
{
    injection_outcome(injection, "cancelled");
    end_injection(chaos, injection);
}

static void undo_all(struct run_chaos *chaos)
{
    chaos->healing = true;
    for (struct injection *injection = chaos->active.first, *next; injection; injection = next) {
        next = next_of(&chaos->active, injection);
        if (injection->state == INJECTION_FINDING)
            cancel_finding(chaos, injection);
        else
            chaos_call_off(injection);
    }
}

bool chaos_heal(struct run *run)
{
    struct run_chaos *chaos = run->faults;
    if (!chaos || !chaos->has_started)
        return false;
    chaos_stop(run);
    undo_all(chaos);
    return chaos->active.count > 0;
}

void chaos_load_over(struct run *run)
{
    struct run_chaos *chaos = run->faults;
    bool has_failed = run->failure.size || run_record(run)->thread_failure.size || run->chaos_failure.size;
    chaos_stop(run);
    if (chaos && (has_failed || run->cancelled || run->aborted))
        undo_all(chaos);
}

static bool can_be_called_off(const struct injection *injection)
{
    const struct fault_kind *kind = injection->action->kind;
    return (injection->state == INJECTION_HOLDING || injection->state == INJECTION_ACTING) &&
           (kind->lasts || kind->doing == FAULT_ACT);
}

size_t chaos_heal_now(struct run *run,
                      void (*undone)(void *owner, const struct run *run, const struct injection *injection),
                      void *owner)
{
    struct run_chaos *chaos = run->faults;
    size_t count = 0;
    if (!chaos)
        return 0;
    chaos_stop(run);
    for (struct injection *injection = chaos->active.first; injection;
         injection = next_of(&chaos->active, injection)) {
        if (!can_be_called_off(injection))
            continue;
        injection_await(injection, undone, owner);
        chaos_call_off(injection);
        count++;
    }
    return count;
}

void chaos_tell_heal_now(struct run *run, const void *owner)
{
    struct run_chaos *chaos = run->faults;
    for (struct injection *injection = chaos ? chaos->active.first : NULL; injection;
         injection = next_of(&chaos->active, injection))
        injection_tell_waiters(injection, run, owner);
}

void chaos_give_up(struct run *run)
{
    struct run_chaos *chaos = run->faults;
    chaos->healing = false;
    while (chaos->active.first) {
        struct injection *injection = chaos->active.first;
        if (injection->action->kind->lasts)
            term_keep(&injection->undone, TERM_ATOM("timeout"));
        injection_outcome_term(injection, "error", TERM_ATOM("timeout"));
        injection->was_held |= injection->action->kind->lasts;
        end_injection(chaos, injection);
    }
}
