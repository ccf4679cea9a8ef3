/* What messages to the processes of rpc_in ask for. Reading them is pure and takes a walk or more through all
 * they have: what is long is read by a thread. */
#ifndef HARNESSD_NODE_RPC_MESSAGE_PRIVATE_H
#define HARNESSD_NODE_RPC_MESSAGE_PRIVATE_H

#include "node/request.h"

enum rpc_ask {
    RPC_ASK_NOTHING,     /* it is no question */
    RPC_ASK_FUNCTION,    /* a call of a function: form, caller, tag, function and arguments are set */
    RPC_ASK_NO_FUNCTION, /* likewise, of what is none that anybody could have */
    RPC_ASK_NO_ROOM,     /* something that there is no room for */
    RPC_ASK_TOO_LARGE,   /* a call of which nothing is known but form, caller and tag */
    RPC_ASK_UNSUPPORTED, /* a call of sys, gen_event and their like: the first argument is what it asks */
    RPC_ASK_BROADCAST,   /* rpc:sbcast/2: the arguments are the name and the message */
    RPC_ASK_PING,        /* net_adm:ping/1 */
    RPC_ASK_COUNT
};

/* Reads a message into a new request, whose caller is its sender, without data if that was not said. All that
 * is set borrows from the message. */
typedef enum rpc_ask rpc_message_reader(struct request *request, struct term message);

rpc_message_reader rpc_message_read_server;
rpc_message_reader rpc_message_read_rex;
rpc_message_reader rpc_message_read_net_kernel;

/* For a process that is not called at all. */
rpc_message_reader rpc_message_read_any;

/* For what is left of a message that was too large to be kept. */
rpc_message_reader rpc_message_read_large;
rpc_message_reader rpc_message_read_large_rex;

/* Sets form, caller and tag of what is a call, or the tag of arguments of erpc:execute_call/4, in no time,
 * however long it is; not of what has more in front of its body than calls have. */
void rpc_message_note_call(struct request *request, struct term message);

/* The arguments of erpc:execute_call/4 or, by the form, of execute_cast/3. */
rpc_message_reader rpc_message_read_erpc;

#endif
