/* Whose turn it is: work of several nodes, and of several callers of each. Nodes take turns, and so do the
 * callers of a node; what one caller has asked for is done in its order, one after the other. Whoever asks
 * for much keeps only itself waiting.
 *
 * There is no lock: whoever shares it between threads has one. */
#ifndef HARNESSD_BASE_FAIR_QUEUE_H
#define HARNESSD_BASE_FAIR_QUEUE_H

#include <stdint.h>

#include "base/list.h"
#include "base/map.h"

/* Embedded in what is to be done, zero but for the first four. */
struct fair_item {
    uint64_t node;   /* any numbers that tell them apart */
    uint64_t caller; /* of the node */
    uint64_t order;  /* of what it is a part of: what has the lower number is done first. 0: comes last */
    bool takes_long;

    struct fair_caller *of;
    struct list_link link;
};

/* All zero has nothing to do. */
struct fair_queue {
    struct map known; /* callers that have something to do, by their numbers and their node's */
    struct map nodes;
    struct list in_turn; /* nodes, the next one first */
};

void fair_queue_put(struct fair_queue *queue, struct fair_item *item);

/* Takes out what is to be done now, or NULL: nothing of whom something was taken that is not over, and what
 * takes long only when that may be. */
struct fair_item *fair_queue_take(struct fair_queue *queue, bool may_take_long);

/* What was taken is done: its caller has its next turn. */
void fair_queue_over(struct fair_queue *queue, struct fair_item *item);

/* Takes out what was not taken yet; false when it was. */
bool fair_queue_remove(struct fair_queue *queue, struct fair_item *item);

#endif
