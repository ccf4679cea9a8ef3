/* A request of another node for a function of this one, whatever the form in which it came, and its answer,
 * which may be given at once or much later. See rpc_in.h for the forms. */
#ifndef HARNESSD_NODE_REQUEST_H
#define HARNESSD_NODE_REQUEST_H

#include "node/process.h"

#define REQUEST_ARGUMENTS 8

enum request_form {
    REQUEST_ERPC,      /* erpc:call, rpc:call: a spawned erpc:execute_call/4 */
    REQUEST_ERPC_CAST, /* erpc:cast: erpc:execute_cast/3 */
    REQUEST_CALL,      /* GenServer.call */
    REQUEST_CAST,      /* GenServer.cast, and casts to rex */
    REQUEST_REX_CALL,  /* gen_server:call of rex: {call, M, F, A, GroupLeader} */
    REQUEST_REX_SEND,  /* {From, {call, M, F, A, GroupLeader}} sent to rex */
};

/* It belongs to whoever serves it, until it is answered. */
struct request {
    enum request_form form;
    struct node *node;
    struct process *process; /* that answers */
    uint8_t *bytes;          /* a copy of all that the terms below point into */
    char peer[NODE_NAME_BYTES + 1];
    struct term caller;       /* pid */
    struct term group_leader; /* pid; without data when the form has none */
    struct term tag;          /* of the answer: Res of erpc, Tag of a call */
    struct term module;       /* atoms; the module has no data for calls of a GenServer */
    struct term function;
    struct term argument_list;
    struct term arguments[REQUEST_ARGUMENTS];
    size_t arity;
    struct term_builder answer;

    /* Set by who serves it: the caller no longer waits, though it may well live (a call that timed out looks
     * like one whose caller died). The request is still to be answered. NULL: never mind. */
    void (*abandoned)(void *owner);
    void *owner;

    /* Of the calls that are not answered yet. */
    struct request *next_open;
    struct request **open_link; /* NULL: it is no call */
};

/* Whether the form has an answer. Those without are answered all the same, into the void. */
bool request_expects_answer(const struct request *request);

/* Whether a call is made with this monitor, which its caller takes off when it gives up. */
bool request_is_monitored_by(const struct request *request, struct term reference);

/* Starts the answer, again if need be: append exactly one term to what is returned, then call
 * request_return(). */
struct term_builder *request_answer(struct request *request);

/* Sends what was built, and frees the request. */
void request_return(struct request *request);

/* Answers with an exception, and frees the request. `stack` is a list. */
void request_raise(struct request *request, struct term reason, struct term stack);

/* Answers that there is no such function, and frees the request. The advice, or NULL, is shown with the
 * exception that erpc and rpc make of it; a GenServer call has no place for it. */
void request_undefined(struct request *request, const char *advice);

#endif
