/* Turns to be dialled: of many peers that are kept, some are at a time, as each has a descriptor and the
 * loop's time meanwhile. Whoever somebody waits for is dialled at once, and counts. */
#ifndef HARNESSD_DIST_DIAL_QUEUE_PRIVATE_H
#define HARNESSD_DIST_DIAL_QUEUE_PRIVATE_H

#include "base/list.h"
#include "base/loop.h"

#define DIAL_QUEUE_ATTEMPTS_MOST 256

/* Begun in one pass of the loop. */
#define DIAL_QUEUE_TURN 16

struct peer;

struct dial_queue {
    struct loop *loop;
    void (*start)(struct peer *peer); /* an attempt of this node */
    struct list waiting;
    size_t attempts; /* under way */
    struct loop_task begin;
    struct loop_turn turn;
};

void dial_queue_init(struct dial_queue *queue, struct loop *loop, void (*start)(struct peer *peer));

/* Starts an attempt for an idle peer that is kept, now or when it is its turn. */
void dial_queue_ask(struct dial_queue *queue, struct peer *peer);

/* It does not wait any more. */
void dial_queue_leave(struct dial_queue *queue, struct peer *peer);

/* The state of a peer changes: whether it was, and is, that of an attempt. */
void dial_queue_note(struct dial_queue *queue, bool was_attempt, bool is_attempt);

#endif
