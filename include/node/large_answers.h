/* Answers of many megabytes, such as reports. Each is put together piece by piece, and one after the other:
 * one for a node that has taken too little so far waits until it has. However many ask for a report, and
 * however slowly they take it, there is hardly more than one copy of it for each of their nodes, and the loop
 * does not stand still. */
#ifndef HARNESSD_NODE_LARGE_ANSWERS_H
#define HARNESSD_NODE_LARGE_ANSWERS_H

#include "base/blob.h"
#include "node/request.h"

struct large_answers;

struct large_answers *large_answers_new(struct node *node);
void large_answers_free(struct large_answers *answers);

/* Whether there are some that have not been sent: for a daemon that is about to end. */
bool large_answers_wait(const struct node *node);

/* Whatever still waits is given up, and so is what comes from now on: no node is connected any more. */
void large_answers_close(struct node *node);

/* As request_return(), with `tail` as the last part of the answer that was begun. `blob` is what the tail is
 * in; it is held for as long as that takes. NULL: the tail is borrowed for the call, and copied in one go. */
void request_return_with(struct request *request, struct term tail, struct blob *blob);

#endif
