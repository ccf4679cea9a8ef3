#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "faults_private.h"
#include "term/term_read.h"
#include "term/term_text.h"

static void faults_on_lost(void *owner, struct agent *agent, struct term reason);

struct faults *faults_new(const struct faults_options *options)
{
    struct faults *faults = memory_zalloc(1, sizeof(*faults));
    faults->options = *options;
    faults->recorded.kind = faults->plans.kind = INJECTIONS_RECORDED;
    faults->active.kind = INJECTIONS_ACTIVE;
    faults->turns = memory_zalloc(options->scenario->action_count, sizeof(*faults->turns));
    faults->agents = (struct agents){.run_id = options->run_id,
                                     .way = options->way,
                                     .clock = options->clock,
                                     .way_owner = options->way_owner,
                                     .lost = faults_on_lost,
                                     .owner = faults};
    recovery_init(faults);
    return faults;
}

void faults_wake(struct faults *faults)
{
    faults->options.events->wake(faults->options.owner, faults_now(faults));
}

static struct injection *faults_next_of(const struct injection_list *list, const struct injection *injection)
{
    return injection->links[list->kind].next;
}

static void faults_free_list(const struct faults *faults, struct injection_list *list)
{
    while (list->first) {
        struct injection *injection = list->first;
        injection_list_remove(list, injection);
        injection_tell_waiters(injection, faults, NULL);
        injection_free(injection);
    }
}

void faults_leave(struct faults *faults)
{
    for (struct injection *injection = faults->active.first; injection;
         injection = faults_next_of(&faults->active, injection))
        injection_tell_waiters(injection, faults, NULL);
    agents_end(&faults->agents);
}

void faults_free(struct faults *faults)
{
    rounds_free(faults);
    faults_free_list(faults, &faults->recorded);
    faults_free_list(faults, &faults->plans);
    recovery_free(faults);
    misses_free(faults);
    for (size_t i = 0; i < faults->options.scenario->action_count; i++) {
        buffer_free(&faults->turns[i].result);
        buffer_free(&faults->turns[i].miss);
        buffer_free(&faults->turns[i].miss_names);
    }
    buffer_free(&faults->failure);
    free(faults->turns);
    free(faults);
}

/* --- Injections --- */

/* What is not undone stays on record. */
static void faults_drop_oldest(struct faults *faults)
{
    struct injection *oldest = faults->recorded.first;
    while (oldest && (oldest->state != INJECTION_ENDED || injection_is_left(oldest)))
        oldest = faults_next_of(&faults->recorded, oldest);
    if (!oldest) {
        faults->overflows = true;
        return;
    }
    recovery_drop(faults, oldest);
    injection_list_remove(&faults->recorded, oldest);
    injection_free(oldest);
    faults->dropped++;
}

struct injection *faults_new_injection(struct faults *faults, const struct fault_action *action,
                                       uint32_t index, uint64_t occurrence)
{
    struct injection *injection = injection_new(action, index, occurrence);
    if (faults->recorded.count >= INJECTIONS_MOST)
        faults_drop_oldest(faults);
    injection->number = ++faults->numbers;
    injection_list_add(&faults->recorded, injection);
    injection_list_add(&faults->active, injection);
    return injection;
}

void faults_drop(struct faults *faults, struct injection *injection)
{
    recovery_unwatch(faults, injection);
    injection_list_remove(&faults->recorded, injection);
    injection_list_remove(&faults->active, injection);
    injection_free(injection);
}

uint64_t faults_number(const struct injection *injection, size_t index)
{
    return injection->serial << 16 | index;
}

void faults_expect(struct faults *faults, struct injection *injection, size_t count)
{
    free(injection->parts);
    injection->serial = ++faults->serials;
    injection->parts = memory_zalloc(count, sizeof(*injection->parts));
    injection->part_count = injection->parts_left = count;
}

static void faults_check_healed(struct faults *faults);

/* Recovery is from faults that are known to have had an effect. */
void faults_close(struct faults *faults, struct injection *injection)
{
    injection->state = INJECTION_ENDED;
    injection_list_remove(&faults->active, injection);
    injection_forget_search(injection);
    recovery_unwatch(faults, injection);
    misses_take(faults, injection);
    injection->campaign = NULL;
    injection_tell_waiters(injection, faults, NULL);
    if (faults->options.events->ended)
        faults->options.events->ended(faults->options.owner, injection);
}

void faults_end(struct faults *faults, struct injection *injection)
{
    bool is_awaited = !injection->campaign && !injection->released;
    injection_outcome(injection, FAULT_OK);
    injection->ended_ns = faults_now(faults);
    faults_close(faults, injection);
    if (injection->was_held)
        record_mark(faults, injection, injection_is_left(injection) ? "left" : "undone");
    if (is_awaited)
        faults_release(faults, injection->index, term_of(&injection->outcome));
    faults_check_healed(faults);
}

void faults_release(struct faults *faults, uint32_t index, struct term result)
{
    struct turn *turn = &faults->turns[index];
    if (turn->running)
        turn->running--;
    term_keep(&turn->result, result);
    faults_wake(faults);
}

void faults_fail(struct faults *faults, struct term reason)
{
    if (!faults->failure.size)
        term_keep(&faults->failure, reason);
}

/* --- What agents tell --- */

static struct injection *faults_find_asked(const struct injection_list *list, uint64_t number)
{
    struct injection *injection = list->first;
    while (injection && (injection->serial != number >> 16 || injection->state == INJECTION_ENDED))
        injection = faults_next_of(list, injection);
    return injection;
}

static void faults_answered(struct faults *faults, struct injection *injection, size_t part,
                            struct term answer)
{
    if (part >= injection->part_count || !injection->parts[part].agent)
        return;
    if (injection->state == INJECTION_FINDING)
        find_answered(faults, injection, part, answer);
    else
        act_answered(faults, injection, part, answer);
}

static void faults_lost(struct faults *faults, struct injection *injection, size_t part, struct term reason)
{
    if (injection->state == INJECTION_FINDING)
        find_lost(faults, injection, part, reason);
    else
        act_lost(faults, injection, part, reason);
}

bool faults_message(struct faults *faults, struct term message)
{
    uint64_t number;
    struct term answer;
    if (!faults || !agents_message(&faults->agents, message, &number, &answer))
        return false;
    struct injection *injection = answer.data ? faults_find_asked(&faults->active, number) : NULL;
    if (answer.data && !injection)
        injection = faults_find_asked(&faults->plans, number);
    if (injection)
        faults_answered(faults, injection, number & 0xffff, answer);
    return true;
}

bool faults_too_large(struct faults *faults, struct term message, struct term reason)
{
    uint64_t number;
    struct term answer;
    if (!agents_message(&faults->agents, message, &number, &answer))
        return false;
    struct injection *injection = answer.data ? faults_find_asked(&faults->active, number) : NULL;
    if (answer.data && !injection)
        injection = faults_find_asked(&faults->plans, number);
    size_t part = number & 0xffff;
    if (injection && part < injection->part_count && injection->parts[part].agent)
        faults_lost(faults, injection, part, reason);
    return true;
}

/* One that has asked the agent for something, and which part of it. */
static struct injection *faults_find_waiting(const struct injection_list *list, const struct agent *agent,
                                             size_t *part)
{
    struct injection *injection = list->first;
    for (; injection; injection = faults_next_of(list, injection))
        for (*part = 0; injection->state != INJECTION_ENDED && *part < injection->part_count; (*part)++)
            if (injection->parts[*part].agent == agent)
                return injection;
    return NULL;
}

static void faults_on_lost(void *owner, struct agent *agent, struct term reason)
{
    struct faults *faults = owner;
    struct injection *injection;
    size_t part;
    char why[200];
    log_debug("chaos agent lost", log_integer("run", (int64_t)faults->options.run_id),
              log_string("node", agent->node), log_string("reason", term_text(reason, why, sizeof(why))));
    while ((injection = faults_find_waiting(&faults->active, agent, &part)) ||
           (injection = faults_find_waiting(&faults->plans, agent, &part)))
        faults_lost(faults, injection, part, reason);
}

/* --- What is done with whom was found --- */

void faults_keep_alive_ones(struct injection *injection)
{
    size_t kept = 0;
    for (size_t i = 0; i < injection->candidate_count; i++)
        if (term_type(injection->candidates[i].pid) == TERM_PID)
            injection->candidates[kept++] = injection->candidates[i];
    injection->candidate_count = kept;
}

static void faults_draw_one(const struct faults *faults, struct injection *injection)
{
    struct random random;
    if (injection->candidate_count < 2)
        return;
    occurrence_random(&random, faults->options.seed, injection->index, injection->occurrence,
                      OCCURRENCE_TARGET);
    injection->candidates[0] = injection->candidates[random_below(&random, injection->candidate_count)];
    injection->candidate_count = 1;
}

void faults_found(struct faults *faults, struct injection *injection)
{
    struct term_builder refusal = {0};
    if (injection->is_plan) {
        plans_found(faults, injection);
        return;
    }
    if (injection->campaign) {
        rounds_found(faults, injection);
        return;
    }
    faults_keep_alive_ones(injection);
    bool is_forbidden = refusals_of(faults, injection, &refusal);
    if (injection->action->target.kind == FAULT_TARGET_CHILD)
        faults_draw_one(faults, injection);
    injection_keep_names(injection);
    if (faults->stopped) {
        injection_outcome(injection, FAULT_CANCELLED);
        faults_end(faults, injection);
    } else if (is_forbidden) {
        injection_outcome_term(injection, FAULT_NOT_ALLOWED, term_built(&refusal));
        faults_end(faults, injection);
    } else if (injection->candidate_count + injection->node_count == 0) {
        if (injection->failure.size && !term_is_atom(term_of(&injection->failure), "noproc"))
            injection_outcome_term(injection, FAULT_ERROR, term_of(&injection->failure));
        injection_outcome(injection, FAULT_NOPROC);
        faults_end(faults, injection);
    } else {
        act_start(faults, injection);
    }
    term_build_free(&refusal);
}

/* --- Healing --- */

static void faults_check_healed(struct faults *faults)
{
    if (faults->healing && !faults->active.count)
        faults->options.events->healed(faults->options.owner);
}

/* Campaigns, whose look at the children it may have been, are over. */
static void faults_cancel_finding(struct faults *faults, struct injection *injection)
{
    injection_outcome(injection, FAULT_CANCELLED);
    faults_close(faults, injection);
}

static void faults_undo_all(struct faults *faults)
{
    faults->healing = true;
    for (struct injection *injection = faults->active.first, *next; injection; injection = next) {
        next = faults_next_of(&faults->active, injection);
        if (injection->state == INJECTION_FINDING)
            faults_cancel_finding(faults, injection);
        else
            act_call_off(injection);
    }
}

bool faults_heal(struct faults *faults)
{
    if (!faults->has_started)
        return false;
    faults_stop(faults);
    faults_undo_all(faults);
    return faults->active.count > 0;
}

void faults_abandon(struct faults *faults)
{
    faults_stop(faults);
    faults_undo_all(faults);
}

static bool faults_can_be_called_off(const struct injection *injection)
{
    const struct fault_kind *kind = injection->action->kind;
    return (injection->state == INJECTION_HOLDING || injection->state == INJECTION_ACTING) &&
           (kind->lasts || kind->doing == FAULT_ACT);
}

size_t faults_heal_now(struct faults *faults, faults_undone *undone, void *owner)
{
    size_t count = 0;
    faults_stop(faults);
    for (struct injection *injection = faults->active.first; injection;
         injection = faults_next_of(&faults->active, injection)) {
        if (!faults_can_be_called_off(injection))
            continue;
        injection_await(injection, undone, owner);
        act_call_off(injection);
        count++;
    }
    return count;
}

void faults_tell_heal_now(struct faults *faults, const void *owner)
{
    for (struct injection *injection = faults->active.first; injection;
         injection = faults_next_of(&faults->active, injection))
        injection_tell_waiters(injection, faults, owner);
}

void faults_give_up(struct faults *faults)
{
    faults->healing = false;
    while (faults->active.first) {
        struct injection *injection = faults->active.first;
        if (injection->action->kind->lasts)
            term_keep(&injection->undone, TERM_ATOM("timeout"));
        injection_outcome_term(injection, FAULT_ERROR, TERM_ATOM("timeout"));
        injection->was_held |= injection->action->kind->lasts;
        faults_close(faults, injection);
    }
}
