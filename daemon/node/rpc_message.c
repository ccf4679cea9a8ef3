#include "rpc_message_private.h"

#include <string.h>

#include "term/term_check.h"
#include "term/term_read.h"

static const uint8_t nil_bytes[] = {TERM_TAG_NIL};
static const struct term nil = {nil_bytes, sizeof(nil_bytes)};

/* Takes an argument list apart. It is none, or longer than any function takes, when it asks for no function.
 */
static enum rpc_ask rpc_message_set_arguments(struct request *request, struct term list)
{
    struct term_list walk;
    struct term argument;
    request->argument_list = list;
    if (!term_list_start(&walk, list))
        return RPC_ASK_NO_FUNCTION;
    while (term_list_next(&walk, &argument)) {
        if (request->arity < REQUEST_ARGUMENTS)
            request->arguments[request->arity] = argument;
        request->arity++;
    }
    return term_list_proper(&walk) && request->arity <= REQUEST_ARGUMENTS ? RPC_ASK_FUNCTION
                                                                          : RPC_ASK_NO_FUNCTION;
}

/* {Function, Argument...}, or an atom for a function without arguments. */
static enum rpc_ask rpc_message_set_function(struct request *request, struct term function)
{
    struct term elements[1 + REQUEST_ARGUMENTS];
    size_t arity;
    request->argument_list = nil;
    request->function = function;
    if (term_type(function) == TERM_ATOM)
        return RPC_ASK_FUNCTION;
    if (!term_read_tuple(function, ARRAY_LENGTH(elements), elements, &arity) || arity == 0 ||
        term_type(elements[0]) != TERM_ATOM)
        return RPC_ASK_NO_FUNCTION;
    request->function = elements[0];
    request->arity = arity - 1;
    memcpy(request->arguments, elements + 1, request->arity * sizeof(*elements));
    return RPC_ASK_FUNCTION;
}

/* --- The forms of messages --- */

/* {Label, {Pid, Tag}, Body}, what gen:call/4 sends whatever it is for. `label` NULL is any. */
static bool rpc_message_is_call(struct request *request, struct term message, const char *label,
                                struct term *body)
{
    struct term elements[3], from[2];
    if (!term_read_tuple_of(message, 3, elements) || (label && !term_is_atom(elements[0], label)) ||
        !term_read_tuple_of(elements[1], 2, from) || term_type(from[0]) != TERM_PID)
        return false;
    request->form = REQUEST_CALL;
    request->caller = from[0];
    request->tag = from[1];
    *body = elements[2];
    return true;
}

/* {'$gen_cast', Body} of a sender that is known. */
static bool rpc_message_is_cast(const struct request *request, struct term message, struct term *body)
{
    struct term elements[2];
    if (!request->caller.data || !term_read_tuple_of(message, 2, elements) ||
        !term_is_atom(elements[0], "$gen_cast"))
        return false;
    *body = elements[1];
    return true;
}

/* {Pid, Body} */
static bool rpc_message_is_pair(struct request *request, struct term message, struct term *body)
{
    struct term pair[2];
    if (!term_read_tuple_of(message, 2, pair) || term_type(pair[0]) != TERM_PID)
        return false;
    request->caller = pair[0];
    request->tag = nil;
    *body = pair[1];
    return true;
}

/* Whoever calls what this is not is told so instead of waiting. */
enum rpc_ask rpc_message_read_any(struct request *request, struct term message)
{
    if (!rpc_message_is_call(request, message, NULL, &request->arguments[0]))
        return RPC_ASK_NOTHING;
    request->arity = 1;
    return RPC_ASK_UNSUPPORTED;
}

/* --- Processes --- */

enum rpc_ask rpc_message_read_server(struct request *request, struct term message)
{
    struct term body;
    if (rpc_message_is_call(request, message, "$gen_call", &body) ||
        rpc_message_is_cast(request, message, &body))
        return rpc_message_set_function(request, body);
    return rpc_message_read_any(request, message);
}

/* {call | cast | block_call, Module, Function, Arguments, GroupLeader} */
static bool rpc_message_is_rex(struct term body, struct term elements[5])
{
    return term_read_tuple_of(body, 5, elements) &&
           (term_is_atom(elements[0], "call") || term_is_atom(elements[0], "cast") ||
            term_is_atom(elements[0], "block_call")) &&
           term_type(elements[1]) == TERM_ATOM && term_type(elements[2]) == TERM_ATOM;
}

static enum rpc_ask rpc_message_set_rex(struct request *request, enum request_form form,
                                        const struct term elements[5])
{
    request->form = form;
    request->module = elements[1];
    request->function = elements[2];
    if (term_type(elements[4]) == TERM_PID) /* erl_call names `user` */
        request->group_leader = elements[4];
    return rpc_message_set_arguments(request, elements[3]);
}

/* {sbcast, Name, Message} */
static bool rpc_message_is_broadcast(struct term body, struct term elements[3])
{
    return term_read_tuple_of(body, 3, elements) && term_is_atom(elements[0], "sbcast");
}

/* {Pid, {sbcast, Name, Message}} */
static bool rpc_message_has_broadcast(struct term message)
{
    struct term pair[2], elements[3];
    return term_read_tuple_of(message, 2, pair) && rpc_message_is_broadcast(pair[1], elements);
}

/* A broadcast in a broadcast is of use to nobody, and each of many would be a copy of all those within:
 * nothing is handed on in its place. */
static enum rpc_ask rpc_message_set_broadcast(struct request *request, const struct term elements[3])
{
    request->arguments[0] = elements[1];
    request->arguments[1] = rpc_message_has_broadcast(elements[2]) ? nil : elements[2];
    request->arity = 2;
    return RPC_ASK_BROADCAST;
}

enum rpc_ask rpc_message_read_rex(struct request *request, struct term message)
{
    struct term body, elements[5];
    if (rpc_message_is_call(request, message, "$gen_call", &body)) {
        if (rpc_message_is_rex(body, elements))
            return rpc_message_set_rex(request, REQUEST_REX_CALL, elements);
        (void)rpc_message_set_function(request, body);
        return RPC_ASK_NO_FUNCTION; /* a BEAM node's would let the caller wait for ever */
    }
    if (rpc_message_is_cast(request, message, &body) && rpc_message_is_rex(body, elements)) {
        request->tag = nil;
        return rpc_message_set_rex(request, REQUEST_CAST, elements);
    }
    if (!rpc_message_is_pair(request, message, &body))
        return rpc_message_read_any(request, message);
    if (rpc_message_is_rex(body, elements))
        return rpc_message_set_rex(request, REQUEST_REX_SEND, elements);
    return rpc_message_is_broadcast(body, elements) ? rpc_message_set_broadcast(request, elements)
                                                    : RPC_ASK_NOTHING;
}

/* {is_auth, Node}; of nodes before OTP 23 also {spawn, ...} and its like. */
enum rpc_ask rpc_message_read_net_kernel(struct request *request, struct term message)
{
    struct term body, elements[2];
    if (!rpc_message_is_call(request, message, "$gen_call", &body))
        return rpc_message_read_any(request, message);
    if (term_read_tuple_of(body, 2, elements) && term_is_atom(elements[0], "is_auth"))
        return RPC_ASK_PING;
    (void)rpc_message_set_function(request, body);
    return RPC_ASK_NO_FUNCTION;
}

/* --- What was too large --- */

enum rpc_ask rpc_message_read_large(struct request *request, struct term message)
{
    struct term body;
    return rpc_message_is_call(request, message, "$gen_call", &body) ? RPC_ASK_TOO_LARGE
                                                                     : rpc_message_read_any(request, message);
}

enum rpc_ask rpc_message_read_large_rex(struct request *request, struct term message)
{
    struct term body, elements[3];
    bool is_call = rpc_message_is_call(request, message, "$gen_call", &body);
    if (!is_call && !rpc_message_is_pair(request, message, &body))
        return rpc_message_read_any(request, message);
    if (!is_call && rpc_message_is_broadcast(body, elements))
        return rpc_message_set_broadcast(request, elements);
    request->form = is_call ? REQUEST_REX_CALL : REQUEST_REX_SEND;
    return RPC_ASK_TOO_LARGE;
}

/* --- What is long --- */

/* Whoever calls is there, and what is to be in front of the answer. */
#define RPC_MESSAGE_FRONT_BYTES 4096

/* Whether so many values, from `from` on, are all at the beginning. */
static bool rpc_message_has_in_front(struct term message, size_t from, size_t count)
{
    size_t end = message.size < RPC_MESSAGE_FRONT_BYTES ? message.size : RPC_MESSAGE_FRONT_BYTES;
    for (; count; count--) {
        size_t used;
        bool canonical;
        if (from >= end ||
            term_check(message.data + from, end - from, &term_no_limits, &used, &canonical) != TERM_OK)
            return false;
        from += used;
    }
    return true;
}

void rpc_message_note_call(struct request *request, struct term message)
{
    const size_t list_bytes = 5, tuple_bytes = 2;
    struct term_list list;
    struct term body;
    if (request->form == REQUEST_ERPC) {
        request->tag = nil;
        if (*message.data == TERM_TAG_LIST && rpc_message_has_in_front(message, list_bytes, 1) &&
            term_list_start(&list, message) && !term_list_next(&list, &request->tag))
            request->tag = nil;
    } else if (*message.data == TERM_TAG_SMALL_TUPLE && message.data[1] == 3 &&
               rpc_message_has_in_front(message, tuple_bytes, 2)) {
        (void)rpc_message_is_call(request, message, NULL, &body);
    }
}

/* --- erpc --- */

/* [Res, Module, Function, Arguments], without Res for a cast. */
static bool rpc_message_is_erpc(const struct request *request, struct term message, struct term elements[4])
{
    struct term_list walk;
    size_t wanted = request->form == REQUEST_ERPC ? 4 : 3, count = 0;
    if (!term_list_start(&walk, message))
        return false;
    while (count < wanted && term_list_next(&walk, &elements[count + 4 - wanted]))
        count++;
    return count == wanted && walk.left == 0 && term_type(elements[1]) == TERM_ATOM &&
           term_type(elements[2]) == TERM_ATOM;
}

/* Of other arguments there is no such function, as on a BEAM node. */
enum rpc_ask rpc_message_read_erpc(struct request *request, struct term message)
{
    struct term elements[4] = {nil};
    bool is_erpc = rpc_message_is_erpc(request, message, elements);
    request->tag = is_erpc ? elements[0] : nil;
    request->module = is_erpc ? elements[1] : TERM_ATOM("erpc");
    request->function = is_erpc ? elements[2] : TERM_ATOM("execute_call");
    request->argument_list = message;
    if (!is_erpc)
        return RPC_ASK_NO_FUNCTION;
    enum rpc_ask ask = rpc_message_set_arguments(request, elements[3]);
    return request->too_large.data ? RPC_ASK_TOO_LARGE : ask;
}
