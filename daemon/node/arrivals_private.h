/* What comes in for the processes of rpc_in, in the order of who sends it: a long message is read by the
 * thread (worker_aside()), and what the same process sends behind it waits for that, and is then done in
 * turns. */
#ifndef HARNESSD_NODE_ARRIVALS_PRIVATE_H
#define HARNESSD_NODE_ARRIVALS_PRIVATE_H

#include "base/map.h"
#include "rpc_message_private.h"

/* Zero but for the first four. */
struct arrivals {
    struct loop *loop;
    void (*take)(void *owner, struct request *request, enum rpc_ask ask); /* what was read */
    void (*note)(void *owner, struct request *request); /* what waits, and may be given up meanwhile */
    void *owner;
    struct map senders; /* pid, as its bytes */
};

/* Messages from this size on are read by the thread. */
bool arrivals_is_long(struct term message);

/* Has a message read into a request, which it is in, and taken: at once, if it is not long and none of its
 * sender waits. Without data in `from` it waits for no other.
 * False when it would have to wait and there is no room for that: it is the caller's still. */
MUST_CHECK bool arrivals_add(struct arrivals *arrivals, struct term from, struct request *request,
                             rpc_message_reader *read, struct term message);

/* The connection of a node is gone: of what it has sent nothing is begun that somebody there would wait for.
 */
void arrivals_forget(struct arrivals *arrivals, const char *node);

/* Has all be taken that wait, or come to wait by that. */
void arrivals_finish(struct arrivals *arrivals);

#endif
