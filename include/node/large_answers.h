/* Answers that are large, such as reports. Each is made and sent only while its node has taken what it was
 * sent before, one after the other, in turns of the node's callers: however many ask for one, and however
 * slowly they take it, there is hardly more than one for each of their nodes. Who copies much has a thread do
 * it. */
#ifndef HARNESSD_NODE_LARGE_ANSWERS_H
#define HARNESSD_NODE_LARGE_ANSWERS_H

#include "base/blob.h"
#include "base/fair_queue.h"
#include "node/request.h"

/* So many of a node's wait; the next is answered {error, {busy, answers}}. */
#define LARGE_ANSWERS_MOST 10000

struct large_answers;

struct large_answers *large_answers_new(struct node *node);
void large_answers_free(struct large_answers *answers);

/* Whether there are some that have not been sent: for a daemon that is about to end. */
bool large_answers_wait(const struct node *node);

/* Whatever still waits is given up, and so is what comes from now on: no node is connected any more. */
void large_answers_close(struct node *node);

/* A connection is gone: nobody waits for answers to that node. */
void large_answers_forget(struct large_answers *answers, const char *node);

/* A request that waits for room for its answer, embedded in its owner, zero but for the first two. */
struct answer_wait {
    struct request *request;

    /* There is room for it, which it has until it is answered, or it is not wanted any more
     * (request_is_wanted()): then it is to be dropped. */
    void (*go_on)(struct answer_wait *wait);

    struct answer_room *room; /* while it waits */
    struct fair_item turn;
};

/* Goes on when there is room, which may be at once. False when too many wait, and the request was answered
 * so. */
MUST_CHECK bool large_answers_enter(struct answer_wait *wait);

/* For request_return() alone. */
void large_answers_leave(struct request *request);

/* As request_return(), with `tail` as the last part of the answer that was begun; what is large waits for
 * room. `blob` is what the tail is in; it is held for as long as that takes. NULL: the tail is borrowed for
 * the call, and copied in one go. */
void request_return_with(struct request *request, struct term tail, struct blob *blob);

#endif
