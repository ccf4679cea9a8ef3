/* What all runs may take together, and whether there is room for one more. */
#ifndef HARNESSD_REGISTRY_ROOM_H
#define HARNESSD_REGISTRY_ROOM_H

#include "scenario/scenario.h"

enum room_kind {
    ROOM_RUNS,            /* under way at once */
    ROOM_THREADS,         /* virtual threads of scripts and closed loads */
    ROOM_IN_FLIGHT,       /* operations at once: one a thread, max_in_flight of an open load */
    ROOM_QUEUED_ARRIVALS, /* max_queued of open loads */
    ROOM_KINDS
};

/* An amount of each kind: a limit, what is taken, or what a run wants. */
struct room {
    uint64_t amounts[ROOM_KINDS];
};

/* The name of the limit in the configuration, limits.NAME, and in {busy, NAME}. */
const char *room_name(enum room_kind kind);

/* The most that a run of the scenario ever takes. */
struct room room_of_scenario(const struct scenario *scenario);

/* The first kind of which `wanted` and what is `taken` are more than the limit. False when all fits. */
MUST_CHECK bool room_lacks(const struct room *limits, const struct room *taken, const struct room *wanted,
                           enum room_kind *kind);

/* The same for what a caller's node may take, of which an amount of 0 is no limit; and its name there,
 * limits.NAME, of a kind that has one. */
MUST_CHECK bool room_lacks_per_node(const struct room *limits, const struct room *taken,
                                    const struct room *wanted, enum room_kind *kind);
const char *room_name_per_node(enum room_kind kind);

void room_take(struct room *taken, const struct room *wanted);
void room_give(struct room *taken, const struct room *wanted);

#endif
