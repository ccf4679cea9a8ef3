/* Requests from other nodes: the registered process that GenServer calls reach, `rex` for old rpc clients,
 * `net_kernel` for pings, and what erpc spawns. Each becomes a struct request (request.h). */
#ifndef HARNESSD_NODE_RPC_IN_H
#define HARNESSD_NODE_RPC_IN_H

#include "node/request.h"

struct rpc_in;

struct rpc_in_options {
    const char *name; /* of the registered process */

    /* Serves a request; takes it over. */
    void (*serve)(void *owner, struct request *request);
    void *owner;
};

struct rpc_in *rpc_in_new(struct node *node, const struct rpc_in_options *options);

/* Its processes end. Requests that are not answered yet may still be, until the end of the pass. */
void rpc_in_free(struct rpc_in *rpc_in);

/* For node_options.spawn: the process that serves an erpc request, or NULL for anything else. */
struct process *rpc_in_spawn(struct rpc_in *rpc_in, struct peer *peer, const struct control *control,
                             struct term arguments);

#endif
