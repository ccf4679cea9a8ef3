/* Which fault has made operations slow. */
#include <string.h>

#include "faults_private.h"
#include "term/term_read.h"

/* What is over at once has its effect for a while: a flood is worked through. That is over when the process
 * has answered what was sent to it afterwards. */
#define EFFECTS_AFTER_NS (2 * CLOCK_NS_PER_S)

static uint64_t effects_end_ns(const struct injection *injection)
{
    if (injection->let_go_ns)
        return injection->let_go_ns;
    if (!injection->ended_ns)
        return UINT64_MAX;
    return injection_lasts(injection) ? injection->ended_ns : injection->ended_ns + EFFECTS_AFTER_NS;
}

static bool effects_is_worked_through(const struct injection *injection, uint64_t served_ns)
{
    return !injection_lasts(injection) && injection->ended_ns && served_ns > injection->ended_ns;
}

/* It may have had its effect before its node came to tell: busy schedulers are late in that as well. */
static bool effects_is_then(const struct injection *injection, const struct cause_effect *effect)
{
    return injection->at_ns && injection->at_ns < effect->to_ns &&
           effects_end_ns(injection) > effect->from_ns &&
           !effects_is_worked_through(injection, effect->served_ns);
}

static bool effects_has_node(const struct injection *injection, const char *node)
{
    const char *name = injection_nodes(injection);
    for (size_t i = 0; i < injection->node_count; i++, name += strlen(name) + 1)
        if (strcmp(name, node) == 0)
            return true;
    return false;
}

static bool effects_is_on(struct term pid, const char *node)
{
    struct term owner;
    return term_read_node(pid, &owner) && term_is_atom(owner, node);
}

/* Of more processes than are on record those that are not are not known. */
static bool effects_has_process(const struct injection *injection, const char *node, struct term pid)
{
    struct term_list list;
    struct term one;
    bool is_there = false;
    if (!injection->has_pids || !term_list_start(&list, term_of(&injection->pids)))
        return false;
    while (!is_there && term_list_next(&list, &one))
        is_there = pid.data ? term_same(one, pid) : effects_is_on(one, node);
    return is_there;
}

uint64_t faults_number_of(const struct faults *faults, const struct cause_effect *effect)
{
    for (const struct injection *injection = faults->recorded.last; injection;
         injection = injection->links[INJECTIONS_RECORDED].previous) {
        const struct fault_kind *kind = injection->action->kind;
        if (!(kind->causes & CAUSE_BIT(effect->cause)) || !effects_is_then(injection, effect))
            continue;
        if (kind->victim == FAULT_TARGET_NODE ? effects_has_node(injection, effect->node)
                                              : effects_has_process(injection, effect->node, effect->pid))
            return injection->number;
    }
    return 0;
}
