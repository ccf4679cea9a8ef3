/* Which fault has made operations slow. */
#include <string.h>

#include "faults_private.h"
#include "term/term_read.h"

/* What is over at once has its effect for a while: a flood is worked through. */
#define EFFECTS_AFTER_NS (2 * CLOCK_NS_PER_S)

static uint64_t effects_end_ns(const struct injection *injection)
{
    if (injection->let_go_ns)
        return injection->let_go_ns;
    if (!injection->ended_ns)
        return UINT64_MAX;
    return injection_lasts(injection) ? injection->ended_ns : injection->ended_ns + EFFECTS_AFTER_NS;
}

/* It may have had its effect before its node came to tell: busy schedulers are late in that as well. */
static bool effects_is_then(const struct injection *injection, uint64_t from_ns, uint64_t to_ns)
{
    return injection->at_ns && injection->at_ns < to_ns && effects_end_ns(injection) > from_ns;
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

/* Of more processes than are on record those that are not may be among them. */
static bool effects_has_process(const struct injection *injection, const char *node, struct term pid)
{
    struct term_list list;
    struct term one;
    bool is_there = false;
    if (!injection->has_pids || !term_list_start(&list, term_of(&injection->pids)))
        return false;
    while (!is_there && term_list_next(&list, &one))
        is_there = pid.data ? term_same(one, pid) : effects_is_on(one, node);
    return is_there || list.count >= INJECTION_PIDS_MOST;
}

uint64_t faults_number_of(const struct faults *faults, enum cause cause, const char *node, struct term pid,
                          uint64_t from_ns, uint64_t to_ns)
{
    for (const struct injection *injection = faults->recorded.last; injection;
         injection = injection->links[INJECTIONS_RECORDED].previous) {
        const struct fault_kind *kind = injection->action->kind;
        if (!(kind->causes & CAUSE_BIT(cause)) || !effects_is_then(injection, from_ns, to_ns))
            continue;
        if (kind->victim == FAULT_TARGET_NODE ? effects_has_node(injection, node)
                                              : effects_has_process(injection, node, pid))
            return injection->number;
    }
    return 0;
}
