/* A request of another node for a function of this one, whatever the form in which it came, and its answer,
 * which may be given at once or much later. See rpc_in.h for the forms. */
#ifndef HARNESSD_NODE_REQUEST_H
#define HARNESSD_NODE_REQUEST_H

#include "base/list.h"
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
    uint8_t *bytes;          /* a copy of all that the terms below point into, */
    struct blob *held;       /* but for what is in here; or NULL */
    char peer[NODE_NAME_BYTES + 1];
    struct term caller;       /* pid */
    struct term group_leader; /* pid; without data when the form has none */
    struct term tag;          /* of the answer: Res of erpc, Tag of a call */
    struct term module;       /* atoms; the module has no data for calls of a GenServer */
    struct term function;
    struct term argument_list;
    struct term arguments[REQUEST_ARGUMENTS];
    size_t arity;
    struct term too_large; /* {message_too_large, Limit} of one that was; else without data */
    struct term_builder answer;

    uint64_t order;              /* in which threads began with it; 0: they did not */
    size_t waiting_bytes;        /* of request_admit(), */
    struct term waiting_process; /* and whose share they are of */
    struct answer_room *room;    /* while it has any, see large_answers.h */
    bool is_abandoned;

    /* Set by who serves it: the caller no longer waits, though it may well live (a call that timed out looks
     * like one whose caller died). The request is still to be answered. NULL: never mind. */
    void (*abandoned)(void *owner);
    void *owner;

    /* Set likewise: told of what is answered, before it is sent, unless it is a long answer that is made
     * aside; `value` has no data when it is an exception. NULL: nobody needs to know. */
    void (*answering)(void *owner, const struct request *request, struct term value);
    void *answering_owner;
    size_t value_at; /* where the value begins in the answer; 0: it has none */

    struct list_link open;        /* among the calls that are not answered yet and have the same monitor, */
    struct open_monitor *open_in; /* which this is; NULL: it is no call */
};

/* Whether the form has an answer. Those without are answered all the same, into the void. */
bool request_expects_answer(const struct request *request);

/* Whether somebody may still want the answer, or what is done for it. */
bool request_is_wanted(const struct request *request);

/* Its caller no longer waits. */
void request_abandon(struct request *request);

/* The monitor that a call is made with, which its caller takes off when it gives up; without data when its
 * tag is none. */
struct term request_monitor(const struct request *request);

/* Starts the answer, again if need be: append exactly one term to what is returned, then call
 * request_return(). */
struct term_builder *request_answer(struct request *request);

/* Sends what was built, and frees the request. */
void request_return(struct request *request);

/* Answers nobody, and frees the request. */
void request_drop(struct request *request);

/* Answers {error, {busy, What}}: there are too many. */
void request_answer_busy(struct request *request, const char *what);

/* Has `build` make the answer of a request, a value with request_answer() or an exception with
 * request_fail(), and sends it: at once, or if that takes long by a thread (request_work.h), where it may
 * look at nothing but the request. */
void request_answer_by(struct request *request, void (*build)(struct request *request), bool takes_long);

/* Makes an exception the answer. `stack` is a list. */
void request_fail(struct request *request, struct term reason, struct term stack);

/* Appends [{Module, Function, Arguments, Location}] of the function that is called, with its arity for the
 * arguments if these are long. The advice, or NULL, is what OTP has as the cause in `error_info`. */
void request_build_stack(const struct request *request, const char *advice, struct term_builder *builder);

/* Answers with an exception, and frees the request. */
void request_raise(struct request *request, struct term reason, struct term stack);

/* Raises {message_too_large, #{key => Key, limit => Limit}} for a request that was; `too_large` is
 * {message_too_large, Limit}. Where that is a share of what the key says, as its node sends several such at
 * once, the map has `of` as well, the whole. */
void request_raise_too_large(struct request *request, struct term too_large);

/* Answers that there is no such function, and frees the request. The advice, or NULL, is shown with the
 * exception that erpc and rpc make of it; a GenServer call has no place for it. */
void request_undefined(struct request *request, const char *advice);

#endif
