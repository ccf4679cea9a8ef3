#include "node/rpc_in.h"

#include <stdlib.h>
#include <string.h>

#include "arrivals_private.h"
#include "base/blob.h"
#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "node/large_answers.h"
#include "node/request_work.h"
#include "node_private.h"
#include "open_calls_private.h"
#include "relay_private.h"
#include "remote_shell_private.h"
#include "rpc_message_private.h"
#include "term/term_read.h"

struct rpc_in {
    struct node *node;
    struct rpc_in_options options;
    struct process *server;
    struct process *rex;
    struct process *net_kernel;
    struct open_calls open;
    struct arrivals arrivals;
    struct list spawned; /* erpc requests that were read and are not handed on yet */
    struct loop_task start;
    bool closing;
};

/* An erpc request that waits for its turn. */
struct spawned {
    struct list_link link;
    struct request *request;
    enum rpc_ask ask;
};

/* A request that is not read yet; `sources` are copied, but for what is in `held`, and the copies come back
 * in their place. */
static struct request *rpc_in_new_request(struct process *process, const struct peer *peer, struct blob *held,
                                          struct term *const sources[], size_t count)
{
    struct request *request = memory_zalloc(1, sizeof(*request));
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        if (!blob_has(held, sources[i]->data))
            size += sources[i]->size;
    request->form = REQUEST_CAST;
    request->node = process_node(process);
    request->process = process;
    request->bytes = memory_alloc(size);
    request->held = held ? blob_hold(held) : NULL;
    snprintf(request->peer, sizeof(request->peer), "%s", peer_name(peer));
    uint8_t *next = request->bytes;
    for (size_t i = 0; i < count; i++) {
        if (!sources[i]->size || blob_has(held, sources[i]->data))
            continue;
        memcpy(next, sources[i]->data, sources[i]->size);
        sources[i]->data = next;
        next += sources[i]->size;
    }
    return request;
}

/* Those who call give up by taking their monitors off. */
static void rpc_in_note_open(void *owner, struct request *request)
{
    struct rpc_in *rpc_in = owner;
    if (request->form == REQUEST_CALL || request->form == REQUEST_REX_CALL)
        open_calls_add(&rpc_in->open, request);
}

/* --- What is asked for --- */

static void rpc_in_serve(struct rpc_in *rpc_in, struct request *request)
{
    rpc_in_note_open(rpc_in, request);
    if (rpc_in->closing)
        request_undefined(request, NULL);
    else if (!remote_shell_serve(request))
        rpc_in->options.serve(rpc_in->options.owner, request);
}

static void rpc_in_answer_undefined(struct rpc_in *rpc_in, struct request *request)
{
    (void)rpc_in;
    request_undefined(request, NULL);
}

static void rpc_in_answer_no_room(struct rpc_in *rpc_in, struct request *request)
{
    (void)rpc_in;
    log_warning("request refused, as too many wait", log_string("peer", request->peer),
                log_integer("waiting_bytes", (int64_t)request->node->works.waiting.taken));
    if (request_expects_answer(request))
        request_answer_busy(request, "requests");
    else
        request_drop(request);
}

static void rpc_in_answer_too_large(struct rpc_in *rpc_in, struct request *request)
{
    (void)rpc_in;
    request_raise_too_large(request, request->too_large);
}

/* {error, {not_supported, What}} */
static void rpc_in_answer_unsupported(struct rpc_in *rpc_in, struct request *request)
{
    (void)rpc_in;
    struct term_builder *answer = request_answer(request);
    term_build_tuple(answer, 2);
    term_build_atom(answer, "error");
    term_build_tuple(answer, 2);
    term_build_atom(answer, "not_supported");
    request_return_with(request, request->arguments[0], request->held);
}

static void rpc_in_ignore(struct rpc_in *rpc_in, struct request *request)
{
    (void)rpc_in;
    log_debug("message ignored", log_string("peer", request->peer));
    request_drop(request);
}

/* {rex, Node, Node | {nonexisting_name, Node}} */
static void rpc_in_answer_broadcast(struct node *node, const struct request *request, bool is_there)
{
    struct term_builder answer = {0};
    struct term message;
    term_build_tuple(&answer, 3);
    term_build_atom(&answer, "rex");
    term_build_atom(&answer, node_name(node));
    if (!is_there) {
        term_build_tuple(&answer, 2);
        term_build_atom(&answer, "nonexisting_name");
    }
    term_build_atom(&answer, node_name(node));
    if (term_build_done(&answer, &message))
        (void)node_send(node, request->process, request->caller, message);
    term_build_free(&answer);
}

/* The message is handed on to whom it names, as if it had come from its node just now. */
static void rpc_in_broadcast(struct rpc_in *rpc_in, struct request *request)
{
    struct process *named = process_by_name(rpc_in->node, request->arguments[0]);
    struct peer *peer = peer_hold(rpc_in->node->peers, request->peer);
    rpc_in_answer_broadcast(rpc_in->node, request, named);
    if (named && peer) {
        const struct incoming handed_on = {.peer = peer,
                                           .from = request->caller,
                                           .body = request->arguments[1],
                                           .too_large = request->too_large,
                                           .held = request->held};
        process_deliver(named, &handed_on);
    }
    if (peer)
        peer_release(peer);
    request_drop(request);
}

static void rpc_in_answer_ping(struct rpc_in *rpc_in, struct request *request)
{
    (void)rpc_in;
    term_build_atom(request_answer(request), "yes");
    request_return(request);
}

static void rpc_in_do(void *owner, struct request *request, enum rpc_ask ask)
{
    struct rpc_in *rpc_in = owner;
    static void (*const asks[RPC_ASK_COUNT])(struct rpc_in *rpc_in, struct request *request) = {
        [RPC_ASK_NOTHING] = rpc_in_ignore,
        [RPC_ASK_FUNCTION] = rpc_in_serve,
        [RPC_ASK_NO_FUNCTION] = rpc_in_answer_undefined,
        [RPC_ASK_NO_ROOM] = rpc_in_answer_no_room,
        [RPC_ASK_TOO_LARGE] = rpc_in_answer_too_large,
        [RPC_ASK_UNSUPPORTED] = rpc_in_answer_unsupported,
        [RPC_ASK_BROADCAST] = rpc_in_broadcast,
        [RPC_ASK_PING] = rpc_in_answer_ping,
    };
    asks[ask](rpc_in, request);
}

/* --- What the registered processes receive --- */

static void rpc_in_receive(struct rpc_in *rpc_in, struct process *process, const struct incoming *incoming,
                           rpc_message_reader *read)
{
    struct term from = incoming->from, message = incoming->body, too_large = incoming->too_large;
    struct term *const sources[] = {&from, &message, &too_large};
    struct request *request =
        rpc_in_new_request(process, incoming->peer, incoming->held, sources, ARRAY_LENGTH(sources));
    request->caller = from;
    request->too_large = too_large;
    if (!arrivals_add(&rpc_in->arrivals, from, request, read, message))
        rpc_in_do(rpc_in, request, RPC_ASK_NO_ROOM);
}

static void rpc_in_server_message(void *owner, struct process *process, const struct incoming *incoming)
{
    rpc_in_receive(owner, process, incoming, rpc_message_read_server);
}

static void rpc_in_rex_message(void *owner, struct process *process, const struct incoming *incoming)
{
    rpc_in_receive(owner, process, incoming, rpc_message_read_rex);
}

static void rpc_in_net_kernel_message(void *owner, struct process *process, const struct incoming *incoming)
{
    rpc_in_receive(owner, process, incoming, rpc_message_read_net_kernel);
}

static void rpc_in_large_message(void *owner, struct process *process, const struct incoming *incoming)
{
    rpc_in_receive(owner, process, incoming, rpc_message_read_large);
}

static void rpc_in_large_rex_message(void *owner, struct process *process, const struct incoming *incoming)
{
    rpc_in_receive(owner, process, incoming, rpc_message_read_large_rex);
}

/* What is called may have ended when it is answered: the process that has a name does that. */
void rpc_in_refuse(struct rpc_in *rpc_in, const struct incoming *incoming)
{
    rpc_in_receive(rpc_in, rpc_in->server, incoming, rpc_message_read_any);
}

void rpc_in_forget(struct rpc_in *rpc_in, const char *node)
{
    arrivals_forget(&rpc_in->arrivals, node);
}

/* --- erpc --- */

/* Its process must exist before SPAWN_REPLY goes out, and answer after it. */
static void rpc_in_start_spawned(struct rpc_in *rpc_in)
{
    struct spawned *spawned = LIST_FIRST(&rpc_in->spawned, struct spawned, link);
    list_remove(&rpc_in->spawned, &spawned->link);
    rpc_in_do(rpc_in, spawned->request, spawned->ask);
    free(spawned);
}

/* As many as there is time for in this pass. */
static void rpc_in_start_all(void *owner)
{
    struct rpc_in *rpc_in = owner;
    struct loop *loop = node_loop(rpc_in->node);
    do
        rpc_in_start_spawned(rpc_in);
    while (rpc_in->spawned.count && loop_has_time(loop));
    if (rpc_in->spawned.count)
        loop_defer_next(loop, &rpc_in->start);
}

static void rpc_in_erpc_unobserved(void *owner, struct process *process)
{
    (void)process;
    request_abandon(owner);
}

static const struct process_events erpc_events = {.unobserved = rpc_in_erpc_unobserved};

/* Whether a process is to be made for erpc:execute_call/4 or execute_cast/3. */
static bool rpc_in_is_erpc(const struct control *control, enum request_form *form)
{
    struct term function[3];
    if (!term_read_tuple_of(control->function, 3, function) || !term_is_atom(function[0], "erpc"))
        return false;
    *form = term_is_atom(function[1], "execute_cast") ? REQUEST_ERPC_CAST : REQUEST_ERPC;
    return *form == REQUEST_ERPC_CAST || term_is_atom(function[1], "execute_call");
}

struct process *rpc_in_spawn(struct rpc_in *rpc_in, struct peer *peer, const struct control *control,
                             struct term arguments)
{
    struct term caller = control->from, group_leader = control->group_leader, too_large = control->too_large;
    struct term *const sources[] = {&caller, &group_leader, &too_large, &arguments};
    enum request_form form;
    if (!rpc_in_is_erpc(control, &form)) {
        log_warning("spawn refused", log_string("peer", peer_name(peer)));
        return relay_spawn(rpc_in->node, control, arguments);
    }
    struct process *process = process_spawn(rpc_in->node, &erpc_events, NULL);
    struct request *request =
        rpc_in_new_request(process, peer, control->held, sources, ARRAY_LENGTH(sources));
    process_set_owner(process, request);
    request->form = form;
    request->caller = caller;
    request->group_leader = group_leader;
    request->too_large = too_large;
    enum rpc_ask ask = RPC_ASK_NO_ROOM;
    if (!arrivals_is_long(arguments))
        ask = rpc_message_read_erpc(request, arguments);
    else if (arrivals_add(&rpc_in->arrivals, (struct term){0}, request, rpc_message_read_erpc, arguments))
        return process;
    struct spawned *spawned = memory_zalloc(1, sizeof(*spawned));
    spawned->request = request;
    spawned->ask = ask;
    list_append(&rpc_in->spawned, &spawned->link);
    loop_defer(node_loop(rpc_in->node), &rpc_in->start);
    return process;
}

/* The caller has its answer already, has given up, or is gone. */
static void rpc_in_call_demonitored(void *owner, struct process *process, struct term reference)
{
    const struct rpc_in *rpc_in = owner;
    open_calls_abandon(&rpc_in->open, process, reference);
}

static const struct process_events server_events = {.message = rpc_in_server_message,
                                                    .too_large = rpc_in_large_message,
                                                    .demonitored = rpc_in_call_demonitored};
static const struct process_events rex_events = {.message = rpc_in_rex_message,
                                                 .too_large = rpc_in_large_rex_message,
                                                 .demonitored = rpc_in_call_demonitored};
static const struct process_events net_kernel_events = {.message = rpc_in_net_kernel_message,
                                                        .too_large = rpc_in_large_message};

struct rpc_in *rpc_in_new(struct node *node, const struct rpc_in_options *options)
{
    struct rpc_in *rpc_in = memory_zalloc(1, sizeof(*rpc_in));
    rpc_in->node = node;
    rpc_in->options = *options;
    rpc_in->arrivals = (struct arrivals){
        .loop = node_loop(node), .take = rpc_in_do, .note = rpc_in_note_open, .owner = rpc_in};
    rpc_in->start = (struct loop_task){.run = rpc_in_start_all, .owner = rpc_in};
    rpc_in->server = process_spawn(node, &server_events, rpc_in);
    rpc_in->rex = process_spawn(node, &rex_events, rpc_in);
    rpc_in->net_kernel = process_spawn(node, &net_kernel_events, rpc_in);
    process_register(rpc_in->server, options->name);
    process_register(rpc_in->rex, "rex");
    process_register(rpc_in->net_kernel, "net_kernel");
    node->rpc_in = rpc_in;
    return rpc_in;
}

void rpc_in_free(struct rpc_in *rpc_in)
{
    process_exit_atom(rpc_in->server, "shutdown");
    process_exit_atom(rpc_in->rex, "shutdown");
    process_exit_atom(rpc_in->net_kernel, "shutdown");
    rpc_in->node->rpc_in = NULL;
    rpc_in->closing = true;
    arrivals_finish(&rpc_in->arrivals);
    loop_cancel(node_loop(rpc_in->node), &rpc_in->start);
    while (rpc_in->spawned.count)
        rpc_in_start_spawned(rpc_in);
    open_calls_forget(&rpc_in->open);
    free(rpc_in);
}
