/* Calls of functions on other nodes, as erpc:call/5 makes them: a spawned erpc:execute_call/4 whose exit
 * reason is the outcome. They connect on demand and end by their deadline. */
#ifndef HARNESSD_NODE_RPC_OUT_H
#define HARNESSD_NODE_RPC_OUT_H

#include "node/monitor.h"

enum rpc_outcome {
    RPC_RETURNED, /* value: what the function returned */
    RPC_RAISED,   /* value: {throw | exit, Reason} or {error, Reason, Stack} */
    RPC_NODEDOWN, /* no connection, or it was lost; no value */
    RPC_TIMEOUT,  /* no value */
};

struct rpc_call;

/* The call is gone when this is called, which is never from within rpc_call_start(); the value is borrowed.
 */
typedef void rpc_done(void *owner, enum rpc_outcome outcome, struct term value);

struct rpc_request {
    const char *node;
    const char *module;
    const char *function;
    struct term arguments; /* a list; copied */
    struct term group_leader;
    uint64_t timeout_ns;
};

/* `process` is the one of ours that calls. NULL when the name cannot be a node's. */
MUST_CHECK struct rpc_call *rpc_call_start(struct process *process, const struct rpc_request *request,
                                           rpc_done *done, void *owner);
void rpc_call_cancel(struct rpc_call *call);

#endif
