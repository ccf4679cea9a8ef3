/* dbg:n/1 spawns dbg:do_relay(Dbg, Tracer) here and waits for {started, Pid} whatever becomes of it. */
#ifndef HARNESSD_NODE_RELAY_PRIVATE_H
#define HARNESSD_NODE_RELAY_PRIVATE_H

#include "node/process.h"

/* What it spawns: a process that says that word and ends. NULL when anything else is to be spawned. */
struct process *relay_spawn(struct node *node, const struct control *control, struct term arguments);

#endif
