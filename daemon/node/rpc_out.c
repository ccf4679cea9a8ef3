#include "node/rpc_out.h"

#include <stdlib.h>

#include "base/memory.h"
#include "term/term_read.h"

struct rpc_call {
    struct process *process;
    struct peer *peer;
    struct peer_wait wait;
    struct monitor monitor;
    struct loop_timer deadline;
    struct term_builder arguments; /* of execute_call/4 */
    struct term_builder group_leader;
    rpc_done *done;
    void *owner;
};

void rpc_call_cancel(struct rpc_call *call)
{
    peer_wait_cancel(&call->wait);
    monitor_stop(&call->monitor);
    loop_timer_free(&call->deadline);
    term_build_free(&call->arguments);
    term_build_free(&call->group_leader);
    peer_release(call->peer);
    free(call);
}

static void rpc_out_finish(struct rpc_call *call, enum rpc_outcome outcome, struct term value)
{
    rpc_done *done = call->done;
    void *owner = call->owner;
    rpc_call_cancel(call);
    done(owner, outcome, value);
}

static void rpc_out_timed_out(void *owner)
{
    rpc_out_finish(owner, RPC_TIMEOUT, (struct term){0});
}

/* {Res, return, Value} | {Res, throw | exit, Reason} | {Res, error, Reason[, Stack]}; anything else is what
 * ended the process from outside. */
static void rpc_out_on_down(void *owner, const struct term_long *told)
{
    const struct term reason = told->tail;
    struct rpc_call *call = owner;
    struct term parts[4];
    size_t arity = 0;
    struct term_builder raised = {0};
    if (term_is_atom(reason, "noconnection")) {
        rpc_out_finish(call, RPC_NODEDOWN, (struct term){0});
        return;
    }
    bool of_erpc = term_read_tuple(reason, 4, parts, &arity) && arity >= 3;
    if (of_erpc && arity == 3 && term_is_atom(parts[1], "return")) {
        rpc_out_finish(call, RPC_RETURNED, parts[2]);
        return;
    }
    term_build_tuple(&raised, of_erpc ? arity - 1 : 2);
    if (!of_erpc)
        term_build_atom(&raised, "exit");
    for (size_t i = 1; of_erpc && i < arity; i++)
        term_build_term(&raised, parts[i]);
    if (!of_erpc)
        term_build_term(&raised, reason);
    struct term value = {0};
    bool built = term_build_done(&raised, &value);
    rpc_out_finish(call, built ? RPC_RAISED : RPC_NODEDOWN, value);
    term_build_free(&raised);
}

static void rpc_out_on_spawned(void *owner, struct term pid)
{
    (void)owner;
    (void)pid;
}

static void rpc_out_on_connected(void *owner, struct peer *peer, const char *problem)
{
    struct rpc_call *call = owner;
    struct spawn spawn = {.module = "erpc", .function = "execute_call", .arity = 4};
    bool started =
        !problem && term_build_done(&call->arguments, &spawn.arguments) &&
        term_build_done(&call->group_leader, &spawn.group_leader) &&
        monitor_spawn(&call->monitor, call->process, peer, &spawn, rpc_out_on_spawned, rpc_out_on_down, call);
    if (!started)
        rpc_out_finish(call, RPC_NODEDOWN, (struct term){0});
}

struct rpc_call *rpc_call_start(struct process *process, const struct rpc_request *request, rpc_done *done,
                                void *owner)
{
    struct node *node = process_node(process);
    struct peer *peer = peer_hold(node_peers(node), request->node);
    if (!peer)
        return NULL;
    struct rpc_call *call = memory_zalloc(1, sizeof(*call));
    *call = (struct rpc_call){.process = process, .peer = peer, .done = done, .owner = owner};
    term_build_list(&call->arguments, 4);
    node_build_reference(node, &call->arguments);
    term_build_atom(&call->arguments, request->module);
    term_build_atom(&call->arguments, request->function);
    term_build_term(&call->arguments, request->arguments);
    term_build_nil(&call->arguments);
    term_build_term(&call->group_leader, request->group_leader);
    loop_timer_init(&call->deadline, node_loop(node), rpc_out_timed_out, call);
    loop_timer_set(&call->deadline, request->timeout_ns);
    call->wait = (struct peer_wait){.done = rpc_out_on_connected, .owner = call};
    peer_connect(peer, &call->wait);
    return call;
}
