/* Pseudo-processes: what stands for a process of this node. They have pids, may have a name, can be monitored
 * and linked to from other nodes, and end with a reason. */
#ifndef HARNESSD_NODE_PROCESS_H
#define HARNESSD_NODE_PROCESS_H

#include "node/node.h"

/* Any of them may be NULL: such messages and signals are then ignored, but for calls (gen:call/4), which are
 * answered with {error, {not_supported, What}}. */
struct process_events {
    void (*message)(void *owner, struct process *process, const struct incoming *incoming);

    /* A message that was too large to be kept: {message_too_large, Limit} (incoming->too_large) stands in its
     * body for each element that is not known, or for all of it. `message` has none of them. */
    void (*too_large)(void *owner, struct process *process, const struct incoming *incoming);

    /* An exit signal: a linked process ended, or somebody called exit/2. */
    void (*exit)(void *owner, struct process *process, struct term from, struct term reason);

    /* A monitor on it was taken off, or the node that held it went away. */
    void (*demonitored)(void *owner, struct process *process, struct term reference);

    /* The last monitor on it was taken off, or the node that held it went away. */
    void (*unobserved)(void *owner, struct process *process);
};

MUST_CHECK struct process *process_spawn(struct node *node, const struct process_events *events, void *owner);

/* For an owner that is made after its process. */
void process_set_owner(struct process *process, void *owner);

/* Gives it a name that nobody has. */
void process_register(struct process *process, const char *name);

/* Ends it: those who monitor it or are linked to it are told the reason. It is freed at the end of the pass
 * and gets no more events. */
void process_exit(struct process *process, struct term reason);

/* The same with a reason that may be long, inside of `held` (or NULL), which is held while it is sent. */
void process_exit_held(struct process *process, struct term reason, struct blob *held);

/* The same with an atom. */
void process_exit_atom(struct process *process, const char *reason);

/* Its pid, as a term that lives as long as it. */
struct term process_pid(const struct process *process);

/* What it is to conn_send(): messages of one process keep their order. */
uint64_t process_sender(const struct process *process);

struct node *process_node(const struct process *process);

/* Hands it a message, or what is left of one that was too large, as if it had come for it. */
void process_deliver(struct process *process, const struct incoming *incoming);

MUST_CHECK struct process *process_by_pid(const struct node *node, struct term pid);
MUST_CHECK struct process *process_by_name(const struct node *node, struct term name);

#endif
