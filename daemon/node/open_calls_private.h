/* The calls that are not answered yet, by the monitors that they are made with: who gives up takes its
 * monitor off, and a caller may have very many. */
#ifndef HARNESSD_NODE_OPEN_CALLS_PRIVATE_H
#define HARNESSD_NODE_OPEN_CALLS_PRIVATE_H

#include "base/map.h"
#include "node/request.h"

/* All zero has none. */
struct open_calls {
    struct map monitors; /* reference to struct open_monitor */
};

/* Adds a call; nothing happens with one that is there, or whose tag is no monitor. */
void open_calls_add(struct open_calls *calls, struct request *request);

/* A request ends. */
void open_calls_remove(struct request *request);

/* The monitor of a process was taken off: nobody waits for its call, if there is one. */
void open_calls_abandon(const struct open_calls *calls, const struct process *process, struct term reference);

/* They are among them no more. */
void open_calls_forget(struct open_calls *calls);

#endif
