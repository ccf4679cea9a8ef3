/* What the files of this layer know of one another; nobody else includes it. */
#ifndef HARNESSD_NODE_NODE_PRIVATE_H
#define HARNESSD_NODE_NODE_PRIVATE_H

#include "base/map.h"
#include "node/large_answers.h"
#include "node/monitor.h"
#include "node/request_work.h"

struct node {
    struct node_options options;
    struct peers *peers;
    struct map processes; /* pid, as its bytes */
    struct map names;     /* atom, as its bytes */
    struct drain_wait *drain_waits;
    struct list limit_watches;
    struct large_answers *large_answers;
    struct rpc_in *rpc_in; /* NULL when this node serves nobody */
    struct request_works works;
    uint64_t next_process;
    uint64_t next_reference;
};

struct observer;
struct link;

struct process {
    struct node *node;
    const struct process_events *events; /* NULL once it has ended */
    void *owner;
    uint64_t number;
    struct term_builder pid;
    struct term_builder name; /* empty when it has none */
    struct observer *observers;
    struct link *links;
    struct loop_task reap;
};

/* Answers a message that its process has no use for, if it is a call, so that nobody waits for it. */
void rpc_in_refuse(struct rpc_in *rpc_in, const struct incoming *incoming);

/* A connection is gone: nobody waits for what has come by it. */
void rpc_in_forget(struct rpc_in *rpc_in, const char *node);

#endif
