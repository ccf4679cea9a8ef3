/* This node, as the others see it: its name, its pseudo-processes, and the connections behind them. It turns
 * control messages into calls of the process that they are for (process.h, monitor.h). */
#ifndef HARNESSD_NODE_NODE_H
#define HARNESSD_NODE_NODE_H

#include "base/list.h"
#include "dist/peers.h"

struct node;
struct process;

/* A message for a process of this node; borrowed for the call. */
struct incoming {
    struct peer *peer;
    struct term from; /* the sender's pid; without data when an old node did not say */
    struct term body;
    struct term too_large; /* {message_too_large, Limit} of one that is; else without data */
    struct blob *held;     /* what a long body is in, for who wants to keep it; else NULL */
    struct arrived arrived;
};

struct node_options {
    struct loop *loop;
    const struct handshake_identity *identity; /* outlives the node; its creation is set before
                                                                              the first process is spawned */

    /* Whether a node of this name may connect. */
    bool (*allowed)(void *owner, const char *node);

    /* A SPAWN_REQUEST: what it answers goes back as SPAWN_REPLY. NULL refuses with `notsup`. */
    struct process *(*spawn)(void *owner, struct peer *peer, const struct control *control,
                             struct term arguments);
    void *owner;
};

/* A wait until a congested peer has drained, embedded in its owner. */
struct drain_wait {
    void (*drained)(void *owner);
    void *owner;
    struct peer *peer; /* while waiting */
    struct drain_wait *next;
};

/* Who is told of connections that a limit of this node has ended, embedded in its owner. */
struct limit_watch {
    void (*reached)(void *owner, const struct peer *peer);
    void *owner;
    struct list_link link;
};

struct node *node_new(const struct node_options *options);
void node_free(struct node *node);

/* The peer table works on this node's behalf: its events go here. */
const struct peers_events *node_peers_events(void);
void node_set_peers(struct node *node, struct peers *peers);

struct peers *node_peers(const struct node *node);
struct loop *node_loop(const struct node *node);
const char *node_name(const struct node *node);

/* How many pseudo-processes there are. */
size_t node_process_count(const struct node *node);

/* The peer that a pid, port or reference belongs to, if it is up. */
MUST_CHECK struct peer *node_peer_of(const struct node *node, struct term identifier);

/* Sends `message` to a process of another node, by pid. False when that node is not connected. */
bool node_send(struct node *node, const struct process *from, struct term to, struct term message);

/* Tells once when `peer`, which is congested, has drained, those first who have waited longest; never when it
 * goes down instead. Asking twice is asking once. */
void node_wait_drained(struct node *node, struct peer *peer, struct drain_wait *wait);
void node_cancel_drained(struct node *node, struct drain_wait *wait);

/* Tells of each connection that was closed because more came in or waited than a limit allows, see
 * peer_limit(), before anything that was behind it fails. */
void node_watch_limits(struct node *node, struct limit_watch *watch);
void node_unwatch_limits(struct node *node, struct limit_watch *watch);

/* A fresh reference of this node, appended to `builder`. */
void node_build_reference(struct node *node, struct term_builder *builder);

#endif
