/* The targets of a scenario, by their numbers: how they are reached on real nodes. */
#ifndef HARNESSD_LOAD_TARGETS_H
#define HARNESSD_LOAD_TARGETS_H

#include "load/target_way.h"
#include "node/process.h"
#include "scenario/scenario.h"

struct targets;

struct targets_events {
    /* Messages can be sent to it from now on, or again after it was congested. */
    void (*open)(void *owner, size_t target);

    /* What was asked of it has no answer any more: `reason` is {nodedown, Node}, or that of TARGET_DIED. */
    void (*failed)(void *owner, size_t target, enum target_failure failure, struct term reason);
};

/* `subject` is the one target of a scenario with a setup, known before it is reached; the scenario's own
 * otherwise. `process` gets the replies; the group leader is that of lookups. All outlive the targets. */
struct targets *targets_new(const struct scenario *scenario, const struct target_spec *subject,
                            struct process *process, struct term group_leader,
                            const struct targets_events *events, void *owner);

/* Lets go of all; no event comes any more. They may still be looked at. */
void targets_close(struct targets *targets);

/* After targets_close(); their process may have ended. */
void targets_free(struct targets *targets);

/* For the engine: the owner is the targets. */
extern const struct target_way targets_way;

/* Sets out to reach one unless it is reached or on the way. */
void targets_reach(struct targets *targets, size_t target);

const struct target_spec *targets_spec(const struct targets *targets, size_t target);

/* The pid behind a :global or :via name, once it was found; without data otherwise. */
struct term targets_found(const struct targets *targets, size_t target);

/* The node on which it is looked for, or was found; "" before it was reached for the first time. */
const char *targets_node(const struct targets *targets, size_t target);

/* Whether it is reached, or set out for, on this one's connection. */
bool targets_are_on(const struct targets *targets, size_t target, const struct peer *peer);

#endif
