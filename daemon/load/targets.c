#include "load/targets.h"

#include <stdlib.h>

#include "base/memory.h"
#include "target_private.h"
#include "term/term_build.h"

struct targets {
    struct target *items;
    size_t count;
    const struct targets_events *events;
    void *owner;
};

static void targets_on_open(void *owner, struct target *target)
{
    struct targets *targets = owner;
    targets->events->open(targets->owner, target->index);
}

static void targets_on_failed(void *owner, struct target *target, enum target_failure failure,
                              struct term reason)
{
    struct targets *targets = owner;
    struct term_builder nodedown = {0};
    if (failure == TARGET_NODEDOWN) {
        term_build_tuple(&nodedown, 2);
        term_build_atom(&nodedown, "nodedown");
        term_build_atom(&nodedown, target->node);
        reason = term_built(&nodedown);
    }
    targets->events->failed(targets->owner, target->index, failure, reason);
    term_build_free(&nodedown);
}

static const struct target_events targets_events = {
    .ready = targets_on_open, .failed = targets_on_failed, .drained = targets_on_open};

/* Whether there are operations that nobody answers: they are done when they are sent to somebody. */
static bool targets_are_to_be_confirmed(const struct scenario *scenario)
{
    for (size_t i = 0; i < scenario->operation_count; i++)
        if (scenario->operations[i].kind == OPERATION_CAST_ONLY ||
            scenario->operations[i].kind == OPERATION_SEND)
            return true;
    return false;
}

struct targets *targets_new(const struct scenario *scenario, const struct target_spec *subject,
                            struct process *process, struct term group_leader,
                            const struct targets_events *events, void *owner)
{
    struct targets *targets = memory_zalloc(1, sizeof(*targets));
    targets->count = scenario->target_count;
    targets->items = memory_zalloc(targets->count, sizeof(*targets->items));
    targets->events = events;
    targets->owner = owner;
    bool is_confirmed = targets_are_to_be_confirmed(scenario);
    for (size_t i = 0; i < targets->count; i++)
        target_init(&targets->items[i], scenario->setup.data ? subject : &scenario->targets[i], i,
                    is_confirmed, process, group_leader, &targets_events, targets);
    return targets;
}

void targets_close(struct targets *targets)
{
    for (size_t i = 0; i < targets->count; i++)
        target_close(&targets->items[i]);
}

void targets_free(struct targets *targets)
{
    for (size_t i = 0; i < targets->count; i++)
        target_free(&targets->items[i]);
    free(targets->items);
    free(targets);
}

void targets_reach(struct targets *targets, size_t target)
{
    target_reach(&targets->items[target]);
}

const struct target_spec *targets_spec(const struct targets *targets, size_t target)
{
    return targets->items[target].spec;
}

struct term targets_found(const struct targets *targets, size_t target)
{
    return term_of(&targets->items[target].found);
}

const char *targets_node(const struct targets *targets, size_t target)
{
    return targets->items[target].node;
}

bool targets_are_on(const struct targets *targets, size_t target, const struct peer *peer)
{
    return targets->items[target].peer == peer;
}

/* --- For the engine --- */

static void targets_way_reach(void *owner, size_t target)
{
    targets_reach(owner, target);
}

static bool targets_way_is_open(void *owner, size_t target)
{
    const struct targets *targets = owner;
    return target_is_open(&targets->items[target]);
}

static void targets_way_look_again(void *owner, size_t target)
{
    target_look_again(&((const struct targets *)owner)->items[target]);
}

static bool targets_way_send(void *owner, size_t target, struct term message)
{
    struct target *sent_to = &((const struct targets *)owner)->items[target];
    if (sent_to->state == TARGET_READY)
        target_send(sent_to, message);
    return sent_to->state == TARGET_READY;
}

static struct term targets_way_server(void *owner, size_t target)
{
    return targets_spec(owner, target)->server;
}

const struct target_way targets_way = {.reach = targets_way_reach,
                                       .is_open = targets_way_is_open,
                                       .look_again = targets_way_look_again,
                                       .send = targets_way_send,
                                       .server = targets_way_server};
