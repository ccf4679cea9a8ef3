/* Faults that were to be injected and were not: a run in which there is one has not tested what it was to. */
#include "faults_private.h"

#include <stdlib.h>

#include "base/memory.h"
#include "term/term_read.h"

/* Of so many the run tells; each is told once of an action, however often it is repeated. */
#define MISSES_MOST 100

/* The terms of the library, given as it takes them, keep its results: there a process that is not there, or
 * survives, is no failure. */
bool misses_is_library_term(const struct faults *faults, const struct fault_action *action)
{
    enum fault_doing doing = action->kind->doing;
    return (doing == FAULT_CRASH || doing == FAULT_KILL_ROUNDS) && !action->is_scheduled &&
           !faults->options.scenario->actions_are_list;
}

static bool misses_is_miss(const struct fault_action *action, struct term outcome)
{
    struct term parts[2];
    if (term_is_atom(outcome, "noproc"))
        return !action->allow_missing;
    if (term_is_atom(outcome, "survived") || term_is_atom(outcome, "not_kept_apart"))
        return true;
    return term_read_tuple_of(outcome, 2, parts) &&
           (term_is_atom(parts[0], "error") || term_is_atom(parts[0], "healed_early") ||
            term_is_atom(parts[0], "not_allowed"));
}

static void misses_add(struct faults *faults, uint32_t index, struct term outcome, struct term names)
{
    for (size_t i = 0; i < faults->miss_count; i++)
        if (faults->misses[i].index == index && term_same(term_of(&faults->misses[i].outcome), outcome))
            return;
    if (faults->miss_count == MISSES_MOST)
        return;
    faults->misses = memory_resize(faults->misses, faults->miss_count + 1, sizeof(*faults->misses));
    struct miss *miss = &faults->misses[faults->miss_count++];
    *miss = (struct miss){.index = index};
    term_keep(&miss->outcome, outcome);
    term_keep(&miss->names, names);
}

/* Children come and go: that a round has killed nobody counts only when none has killed anybody. */
static bool misses_is_undecided(const struct fault_action *action, struct term outcome)
{
    return action->kind->doing == FAULT_KILL_ROUNDS &&
           (term_is_atom(outcome, "noproc") || term_is_atom(outcome, "survived"));
}

void misses_take(struct faults *faults, const struct injection *injection)
{
    const struct fault_action *action = injection->action;
    struct turn *turn = &faults->turns[injection->index];
    struct term outcome = term_of(&injection->outcome);
    turn->amount += injection->amount;
    if (misses_is_library_term(faults, action) || !misses_is_miss(action, outcome))
        return;
    struct term names = injection->names.size ? term_of(&injection->names) : TERM_EMPTY_MAP;
    if (misses_is_undecided(action, outcome)) {
        term_keep(&turn->miss, outcome);
        term_keep(&turn->miss_names, names);
    } else {
        misses_add(faults, injection->index, outcome, names);
    }
}

void misses_free(struct faults *faults)
{
    for (size_t i = 0; i < faults->miss_count; i++) {
        buffer_free(&faults->misses[i].outcome);
        buffer_free(&faults->misses[i].names);
    }
    free(faults->misses);
}

/* --- Telling of them --- */

/* Whom it was to be done to, as the user has named that. */
void misses_build_target(const struct faults *faults, const struct fault_action *action,
                         struct term_builder *builder)
{
    const struct scenario *scenario = faults->options.scenario;
    if (action->kind->doing == FAULT_HALT)
        term_build_term(builder, action->values[FAULT_NODE].term);
    else if (action->kind->doing == FAULT_SPLIT)
        term_build_term(builder, action->values[FAULT_NODES].term);
    else if (action->target.term.data)
        term_build_term(builder, action->target.term);
    else if (scenario->target.data)
        term_build_term(builder, scenario->target);
    else if (faults->options.subject->server.data)
        term_build_term(builder, faults->options.subject->server);
    else
        term_build_atom(builder, "nil");
}

static void misses_build_one(const struct faults *faults, uint32_t index, struct term outcome,
                             struct term names, struct term_builder *builder)
{
    const struct fault_action *action = &faults->options.scenario->actions[index];
    term_build_map(builder, 4);
    term_build_key(builder, "action");
    term_build_term(builder, action->term);
    term_build_key(builder, "target");
    misses_build_target(faults, action, builder);
    term_build_key(builder, "outcome");
    term_build_term(builder, outcome);
    term_build_key(builder, "names");
    term_build_term(builder, names);
}

/* The library's terms do not fail a run, which is told of all the same. */
struct term faults_unheeded(const struct faults *faults, const char **kind)
{
    for (const struct injection *injection = faults->recorded.first; injection;
         injection = injection->links[INJECTIONS_RECORDED].next) {
        struct term outcome = term_of(&injection->outcome);
        if (!injection->outcome.size || !misses_is_library_term(faults, injection->action) ||
            !(misses_is_miss(injection->action, outcome) || term_is_atom(outcome, "cancelled")))
            continue;
        *kind = injection->action->kind->name;
        return outcome;
    }
    return (struct term){0};
}

/* Whether all rounds of an action have killed nobody. */
static bool misses_is_idle(const struct turn *turn)
{
    return turn->miss.size && !turn->amount;
}

bool faults_missed(const struct faults *faults, struct term_builder *builder)
{
    size_t count = faults->miss_count, actions = faults->options.scenario->action_count;
    for (uint32_t i = 0; i < actions; i++)
        count += misses_is_idle(&faults->turns[i]);
    if (!count)
        return false;
    term_build_tuple(builder, 2);
    term_build_atom(builder, "not_injected");
    term_build_list(builder, count);
    for (size_t i = 0; i < faults->miss_count; i++)
        misses_build_one(faults, faults->misses[i].index, term_of(&faults->misses[i].outcome),
                         term_of(&faults->misses[i].names), builder);
    for (uint32_t i = 0; i < actions; i++)
        if (misses_is_idle(&faults->turns[i]))
            misses_build_one(faults, i, term_of(&faults->turns[i].miss),
                             term_of(&faults->turns[i].miss_names), builder);
    term_build_nil(builder);
    return true;
}
