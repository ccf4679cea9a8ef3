/* Scripts: Erlang expressions that a process on another node evaluates, so that logic of ours runs there with
 * nothing installed. Their readable sources are daemon/node/NAME.erl; a node that needs one turns it into
 * forms itself (erl_scan, erl_parse), which are kept here for it, and evaluates them with erl_eval:exprs/2.
 */
#ifndef HARNESSD_NODE_SCRIPT_H
#define HARNESSD_NODE_SCRIPT_H

#include "node/rpc_out.h"

struct scripts;

enum script_name {
    SCRIPT_SESSION,
    SCRIPT_PROBE,
    SCRIPT_CHAOS,
    SCRIPT_KEEPER,   /* what a chaos agent has others do: */
    SCRIPT_GUARDIAN, /* it is given their texts */
    SCRIPT_RESOLVE,
    SCRIPT_MEMBERS,
    SCRIPT_CREW, /* what a session has another one do: it is given its text */
    SCRIPT_COUNT
};

struct scripts *scripts_new(struct node *node, struct process *process);
void scripts_free(struct scripts *scripts);

/* A process that evaluates a script, embedded in its owner; all zero is none. */
struct script {
    struct scripts *scripts;
    enum script_name name;
    struct process *process;
    struct peer *peer; /* held while it starts or runs */
    struct peer_wait wait;
    struct loop_task begin;
    struct rpc_call *lookup;
    struct monitor monitor;
    struct term_builder bindings;
    struct term_builder group_leader;
    struct buffer pid;   /* once it has started */
    struct list waiting; /* messages */
    struct drain_wait drain;
    void (*down)(void *owner, const struct term_long *reason);
    void *owner;
};

struct script_request {
    enum script_name name;
    const char *node;
    struct process *process; /* of ours, that it is linked to and talks to */
    struct term bindings;    /* [{'Variable', Value}], sorted by variable, as erl_eval wants */
    struct term group_leader;
    /* It could not be started, or has ended, with a reason: `noconnection` when its node is gone. Never
     * called from within script_start(). */
    void (*down)(void *owner, const struct term_long *reason);
    void *owner;
};

/* The text of a script, without comments. */
const char *script_source(enum script_name name);

/* Begins a binding in a list of them; its value follows. */
void script_build_binding(struct term_builder *bindings, const char *variable);

/* False when the node cannot be one. */
MUST_CHECK bool script_start(struct scripts *scripts, struct script *script,
                             const struct script_request *request);

/* Sends a message to the process once it runs. False when it does not. Those of one process arrive in their
 * order: behind one that waits. */
bool script_send(struct script *script, struct term message);

/* The same of one that may be long. What is held of it waits until its node has taken what it was sent
 * before, beside the targets there, so that neither its connection ends nor those keep waiting. */
bool script_send_long(struct script *script, const struct term_long *message);

/* As script_send() of what it is to have before it ends, even if it waits until then. */
bool script_tell(struct script *script, struct term message);

/* Sends a last message, that it is to end by itself, instead of those that wait but for what it is told
 * (script_tell()), and lets go of it; no event comes any more. One that does not run is killed. */
void script_end(struct script *script, struct term message);

/* Kills it, as it stands or as soon as it has started; no event comes any more. */
void script_kill(struct script *script);

/* Lets go of it; no event comes any more. */
void script_leave(struct script *script);

bool script_is_active(const struct script *script);

/* What {raised, Class, Reason, Stack}, as scripts tell of what they applied, would end a process with: the
 * reason of an exit, {Exception, Stack}, or {{nocatch, Value}, Stack}. What it begins with is appended, and
 * what comes behind that answered, a part of the message. */
struct term script_open_exit_reason(const struct term raised[4], struct term_builder *head);

#endif
