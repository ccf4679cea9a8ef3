#include "node/rpc_in.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "term/term_read.h"

struct rpc_in {
    struct node *node;
    struct rpc_in_options options;
    struct process *server;
    struct process *rex;
    struct process *net_kernel;
    struct request *open; /* calls that are not answered yet */
};

/* A request without its terms yet; `source` are copied, and the copies come back in their place. */
static struct request *rpc_in_new_request(struct process *process, enum request_form form,
                                          const struct peer *peer, struct term *sources[], size_t count)
{
    struct request *request = memory_zalloc(1, sizeof(*request));
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += sources[i]->size;
    request->form = form;
    request->node = process_node(process);
    request->process = process;
    request->bytes = memory_alloc(size);
    snprintf(request->peer, sizeof(request->peer), "%s", peer_name(peer));
    uint8_t *next = request->bytes;
    for (size_t i = 0; i < count; i++) {
        if (!sources[i]->size)
            continue;
        memcpy(next, sources[i]->data, sources[i]->size);
        sources[i]->data = next;
        next += sources[i]->size;
    }
    return request;
}

/* Takes an argument list apart. False when it is none, or longer than any function takes. */
static bool rpc_in_set_arguments(struct request *request, struct term list)
{
    struct term_list walk;
    struct term argument;
    request->argument_list = list;
    if (!term_list_start(&walk, list))
        return false;
    while (term_list_next(&walk, &argument)) {
        if (request->arity < REQUEST_ARGUMENTS)
            request->arguments[request->arity] = argument;
        request->arity++;
    }
    return term_list_proper(&walk) && request->arity <= REQUEST_ARGUMENTS;
}

static void rpc_in_note_open(struct rpc_in *rpc_in, struct request *request)
{
    request->next_open = rpc_in->open;
    if (request->next_open)
        request->next_open->open_link = &request->next_open;
    request->open_link = &rpc_in->open;
    rpc_in->open = request;
}

static void rpc_in_serve(struct rpc_in *rpc_in, struct request *request, bool well_formed)
{
    if (well_formed)
        rpc_in->options.serve(rpc_in->options.owner, request);
    else
        request_undefined(request, NULL);
}

/* --- GenServer calls --- */

/* {Function, Argument...}, or an atom for a function without arguments. */
static bool rpc_in_set_function(struct request *request, struct term function)
{
    struct term elements[1 + REQUEST_ARGUMENTS];
    size_t arity;
    static const uint8_t nil[] = {TERM_TAG_NIL};
    request->argument_list = (struct term){nil, sizeof(nil)};
    request->function = function;
    if (term_type(function) == TERM_ATOM)
        return true;
    if (!term_read_tuple(function, ARRAY_LENGTH(elements), elements, &arity) || arity == 0 ||
        term_type(elements[0]) != TERM_ATOM)
        return false;
    request->function = elements[0];
    request->arity = arity - 1;
    memcpy(request->arguments, elements + 1, request->arity * sizeof(*elements));
    return true;
}

static void rpc_in_on_call(struct rpc_in *rpc_in, struct process *process, struct peer *peer,
                           struct term caller, struct term tag, struct term function)
{
    struct term *sources[] = {&caller, &tag, &function};
    struct request *request = rpc_in_new_request(process, REQUEST_CALL, peer, sources, ARRAY_LENGTH(sources));
    request->caller = caller;
    request->tag = tag;
    rpc_in_note_open(rpc_in, request);
    rpc_in_serve(rpc_in, request, rpc_in_set_function(request, function));
}

static void rpc_in_on_cast(struct rpc_in *rpc_in, struct process *process, struct peer *peer,
                           struct term caller, struct term function)
{
    struct term *sources[] = {&caller, &function};
    struct request *request = rpc_in_new_request(process, REQUEST_CAST, peer, sources, ARRAY_LENGTH(sources));
    request->caller = caller;
    rpc_in_serve(rpc_in, request, rpc_in_set_function(request, function));
}

/* --- rex --- */

/* {call | cast, Module, Function, Arguments, GroupLeader} */
static bool rpc_in_is_rex_request(struct term term, struct term elements[5])
{
    return term_read_tuple_of(term, 5, elements) &&
           (term_is_atom(elements[0], "call") || term_is_atom(elements[0], "cast") ||
            term_is_atom(elements[0], "block_call")) &&
           term_type(elements[1]) == TERM_ATOM && term_type(elements[2]) == TERM_ATOM;
}

static void rpc_in_on_rex(struct rpc_in *rpc_in, enum request_form form, struct peer *peer,
                          struct term caller, struct term tag, struct term body)
{
    struct term *sources[] = {&caller, &tag, &body};
    struct term elements[5];
    struct request *request = rpc_in_new_request(rpc_in->rex, form, peer, sources, ARRAY_LENGTH(sources));
    request->caller = caller;
    request->tag = tag;
    if (!rpc_in_is_rex_request(body, elements)) { /* it was one before it was copied */
        request_undefined(request, NULL);
        return;
    }
    request->module = elements[1];
    request->function = elements[2];
    if (term_type(elements[4]) == TERM_PID) /* erl_call names `user` */
        request->group_leader = elements[4];
    if (form == REQUEST_REX_CALL)
        rpc_in_note_open(rpc_in, request);
    rpc_in_serve(rpc_in, request, rpc_in_set_arguments(request, elements[3]));
}

/* --- What the registered processes receive --- */

struct received {
    struct term pid; /* of the caller */
    struct term tag;
    struct term body;
};

/* {Kind, {Pid, Tag}, Body}, the shape of calls and of system messages. */
static bool rpc_in_read_call(struct term message, const char *kind, struct received *received)
{
    struct term elements[3], from[2];
    if (!term_read_tuple_of(message, 3, elements) || !term_is_atom(elements[0], kind) ||
        !term_read_tuple_of(elements[1], 2, from) || term_type(from[0]) != TERM_PID)
        return false;
    *received = (struct received){.pid = from[0], .tag = from[1], .body = elements[2]};
    return true;
}

static bool rpc_in_read_cast(struct term message, struct term *body)
{
    struct term elements[2];
    bool is_cast = term_read_tuple_of(message, 2, elements) && term_is_atom(elements[0], "$gen_cast");
    if (is_cast)
        *body = elements[1];
    return is_cast;
}

/* sys:get_state/1 and its relatives: this is no OTP process, and says so instead of letting them wait. */
static bool rpc_in_answer_system(struct process *process, const struct incoming *incoming)
{
    struct received received;
    if (!rpc_in_read_call(incoming->body, "system", &received))
        return false;
    struct term *sources[] = {&received.pid, &received.tag, &received.body};
    struct request *request =
        rpc_in_new_request(process, REQUEST_CALL, incoming->peer, sources, ARRAY_LENGTH(sources));
    request->caller = received.pid;
    request->tag = received.tag;
    struct term_builder *answer = request_answer(request);
    term_build_tuple(answer, 2);
    term_build_atom(answer, "error");
    term_build_tuple(answer, 2);
    term_build_atom(answer, "not_supported");
    term_build_term(answer, received.body);
    request_return(request);
    return true;
}

static void rpc_in_ignore(const struct process *process, const struct incoming *incoming)
{
    (void)process;
    log_debug("message ignored", log_string("peer", peer_name(incoming->peer)));
}

static void rpc_in_server_message(void *owner, struct process *process, const struct incoming *incoming)
{
    struct received received;
    struct term body;
    if (rpc_in_read_call(incoming->body, "$gen_call", &received))
        rpc_in_on_call(owner, process, incoming->peer, received.pid, received.tag, received.body);
    else if (rpc_in_read_cast(incoming->body, &body) && incoming->from.data)
        rpc_in_on_cast(owner, process, incoming->peer, incoming->from, body);
    else if (!rpc_in_answer_system(process, incoming))
        rpc_in_ignore(process, incoming);
}

static void rpc_in_rex_message(void *owner, struct process *process, const struct incoming *incoming)
{
    struct received received;
    struct term body, elements[5], pair[2];
    static const uint8_t nil[] = {TERM_TAG_NIL};
    struct term no_tag = {nil, sizeof(nil)};
    if (rpc_in_read_call(incoming->body, "$gen_call", &received) &&
        rpc_in_is_rex_request(received.body, elements))
        rpc_in_on_rex(owner, REQUEST_REX_CALL, incoming->peer, received.pid, received.tag, received.body);
    else if (rpc_in_read_cast(incoming->body, &body) && incoming->from.data &&
             rpc_in_is_rex_request(body, elements))
        rpc_in_on_rex(owner, REQUEST_CAST, incoming->peer, incoming->from, no_tag, body);
    else if (term_read_tuple_of(incoming->body, 2, pair) && term_type(pair[0]) == TERM_PID &&
             rpc_in_is_rex_request(pair[1], elements))
        rpc_in_on_rex(owner, REQUEST_REX_SEND, incoming->peer, pair[0], no_tag, pair[1]);
    else if (!rpc_in_answer_system(process, incoming))
        rpc_in_ignore(process, incoming);
}

/* net_adm:ping/1 */
static void rpc_in_net_kernel_message(void *owner, struct process *process, const struct incoming *incoming)
{
    (void)owner;
    struct received received;
    struct term elements[2];
    if (!rpc_in_read_call(incoming->body, "$gen_call", &received) ||
        !term_read_tuple_of(received.body, 2, elements) || !term_is_atom(elements[0], "is_auth")) {
        if (!rpc_in_answer_system(process, incoming))
            rpc_in_ignore(process, incoming);
        return;
    }
    struct term *sources[] = {&received.pid, &received.tag};
    struct request *request =
        rpc_in_new_request(process, REQUEST_CALL, incoming->peer, sources, ARRAY_LENGTH(sources));
    request->caller = received.pid;
    request->tag = received.tag;
    term_build_atom(request_answer(request), "yes");
    request_return(request);
}

/* --- erpc --- */

/* A spawned erpc request until it is handed on: its process must exist before SPAWN_REPLY goes out, and
 * answer after it. */
struct spawned {
    struct rpc_in *rpc_in;
    struct request *request;
    bool well_formed;
    struct loop_task start;
};

static void rpc_in_start_spawned(void *owner)
{
    struct spawned *spawned = owner;
    struct request *request = spawned->request;
    rpc_in_serve(spawned->rpc_in, request, spawned->well_formed);
    free(spawned);
}

static void rpc_in_erpc_unobserved(void *owner, struct process *process)
{
    (void)process;
    struct request *request = owner;
    if (request->abandoned)
        request->abandoned(request->owner);
}

static const struct process_events erpc_events = {.unobserved = rpc_in_erpc_unobserved};

/* Reads {Module, Function, Arguments} behind what execute_call/4 has before them. */
static bool rpc_in_read_erpc(const struct control *control, struct term arguments, bool *cast,
                             struct term elements[4])
{
    struct term function[3];
    struct term_list walk;
    size_t count = 0;
    if (!term_read_tuple_of(control->function, 3, function) || !term_is_atom(function[0], "erpc") ||
        !term_list_start(&walk, arguments))
        return false;
    *cast = term_is_atom(function[1], "execute_cast");
    size_t wanted = *cast ? 3 : 4;
    if (!*cast && !term_is_atom(function[1], "execute_call"))
        return false;
    for (; count < wanted && term_list_next(&walk, &elements[count + 4 - wanted]); count++) {
    }
    return count == wanted && walk.left == 0 && term_type(elements[1]) == TERM_ATOM &&
           term_type(elements[2]) == TERM_ATOM;
}

struct process *rpc_in_spawn(struct rpc_in *rpc_in, struct peer *peer, const struct control *control,
                             struct term arguments)
{
    struct term elements[4] = {{0}};
    bool cast;
    if (!rpc_in_read_erpc(control, arguments, &cast, elements)) {
        log_warning("spawn refused", log_string("peer", peer_name(peer)));
        return NULL;
    }
    struct process *process = process_spawn(rpc_in->node, &erpc_events, NULL);
    struct term caller = control->from, group_leader = control->group_leader;
    struct term *sources[] = {&caller, &group_leader, &elements[0], &elements[1], &elements[2], &elements[3]};
    struct request *request = rpc_in_new_request(process, cast ? REQUEST_ERPC_CAST : REQUEST_ERPC, peer,
                                                 sources, ARRAY_LENGTH(sources));
    process_set_owner(process, request);
    request->caller = caller;
    request->group_leader = group_leader;
    request->tag = elements[0];
    request->module = elements[1];
    request->function = elements[2];
    struct spawned *spawned = memory_zalloc(1, sizeof(*spawned));
    *spawned = (struct spawned){.rpc_in = rpc_in,
                                .request = request,
                                .well_formed = rpc_in_set_arguments(request, elements[3]),
                                .start = {.run = rpc_in_start_spawned, .owner = spawned}};
    loop_defer(node_loop(rpc_in->node), &spawned->start);
    return process;
}

/* The caller has its answer already, has given up, or is gone. */
static void rpc_in_call_demonitored(void *owner, struct process *process, struct term reference)
{
    struct rpc_in *rpc_in = owner;
    struct request *request = rpc_in->open;
    while (request && !(request->process == process && request_is_monitored_by(request, reference)))
        request = request->next_open;
    if (request && request->abandoned)
        request->abandoned(request->owner);
}

static const struct process_events server_events = {.message = rpc_in_server_message,
                                                    .demonitored = rpc_in_call_demonitored};
static const struct process_events rex_events = {.message = rpc_in_rex_message,
                                                 .demonitored = rpc_in_call_demonitored};
static const struct process_events net_kernel_events = {.message = rpc_in_net_kernel_message};

struct rpc_in *rpc_in_new(struct node *node, const struct rpc_in_options *options)
{
    struct rpc_in *rpc_in = memory_zalloc(1, sizeof(*rpc_in));
    rpc_in->node = node;
    rpc_in->options = *options;
    rpc_in->server = process_spawn(node, &server_events, rpc_in);
    rpc_in->rex = process_spawn(node, &rex_events, rpc_in);
    rpc_in->net_kernel = process_spawn(node, &net_kernel_events, rpc_in);
    process_register(rpc_in->server, options->name);
    process_register(rpc_in->rex, "rex");
    process_register(rpc_in->net_kernel, "net_kernel");
    return rpc_in;
}

void rpc_in_free(struct rpc_in *rpc_in)
{
    process_exit_atom(rpc_in->server, "shutdown");
    process_exit_atom(rpc_in->rex, "shutdown");
    process_exit_atom(rpc_in->net_kernel, "shutdown");
    for (struct request *request = rpc_in->open; request; request = request->next_open)
        request->open_link = NULL; /* they are not in a list any more */
    free(rpc_in);
}
