/* The targets of a load, by their numbers, on real nodes. The first are those of the scenario, in its order.
 * One of them that gives several processes is there for the time that it gives none; its members have numbers
 * behind all of these. A member's number is not given to another target's. */
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
    void (*failed)(void *owner, size_t target, enum target_failure failure, const struct term_long *reason);

    /* The load is for these from now on, all below `most`; not told as long as they are the scenario's own.
     */
    void (*spread)(void *owner, const uint32_t *targets, size_t count, size_t most);

    /* Whether a member that is gone has nothing to be done for any more, so that its number is free. */
    bool (*is_unused)(void *owner, size_t target);

    /* As whom a process of a target of the scenario is observed, by a number of the owner's. */
    size_t (*observed_as)(void *owner, size_t target, struct term pid);
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

/* Whom a target of the scenario that gives several gives now, a list of pids. */
void targets_set_members(struct targets *targets, size_t target, struct term pids);

/* How many it gives; and appends them, a list of pids. */
size_t targets_member_count(const struct targets *targets, size_t target);
void targets_build_members(const struct targets *targets, size_t target, struct term_builder *builder);

/* Tells whom the load is for once more, who may be another one. */
void targets_spread_again(struct targets *targets);

/* Numbers of targets are below. */
size_t targets_count(const struct targets *targets);

/* The target of the scenario that one is a member of, or is. */
size_t targets_source(const struct targets *targets, size_t target);

/* What `observed_as` has said of a member when it was given last; of the scenario's own targets their number.
 */
size_t targets_observed_as(const struct targets *targets, size_t target);

const struct target_spec *targets_spec(struct targets *targets, size_t target);

/* The pid behind a :global or :via name, once it was found; without data otherwise. */
struct term targets_found(const struct targets *targets, size_t target);

/* The node on which it is looked for, or was found; "" before it was reached for the first time. */
const char *targets_node(const struct targets *targets, size_t target);

/* Whether it is reached, or set out for, on this one's connection. */
bool targets_are_on(const struct targets *targets, size_t target, const struct peer *peer);

#endif
