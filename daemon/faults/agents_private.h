/* The agents of a run: on each node that it injects faults on a process that does so. They are started on
 * demand and end with the run. */
#ifndef HARNESSD_FAULTS_AGENTS_PRIVATE_H
#define HARNESSD_FAULTS_AGENTS_PRIVATE_H

#include "base/clock.h"
#include "base/list.h"
#include "dist/node_name.h"
#include "faults/agent_way.h"
#include "term/term_build.h"

struct agents;

struct agent {
    struct list_link link;
    struct agents *agents;
    char node[NODE_NAME_BYTES + 1];
    uint32_t serial;
    void *process;
    bool started;
    struct buffer *waiting; /* requests that it is sent once it has started */
    size_t waiting_count;

    /* How far its node's clock is behind ours, at most: the least that one of its messages has shown. */
    int64_t behind_ns;
    uint64_t compared_ns; /* by that message; 0: there was none */
};

struct agents {
    uint64_t run_id;
    const struct agent_way *way;
    const struct clock *clock;
    void *way_owner;
    struct list items;
    uint32_t serials;

    /* It could not be started, or has ended; what it was asked for has no answer any more. Never called from
     * within agent_ask(). */
    void (*lost)(void *owner, struct agent *agent, struct term reason);
    void *owner;
};

/* The agent of a node, which may not have started yet; NULL when the node cannot have one. */
MUST_CHECK struct agent *agents_of(struct agents *agents, const char *node);

/* Sends it a request, or does so once it has started. */
void agent_ask(struct agent *agent, uint64_t number, struct term request);
void agent_ask_atom(struct agent *agent, uint64_t number, const char *request);

/* Whether a message is of an agent. It then has an answer to request `*number`, or `answer` has no data. */
MUST_CHECK bool agents_message(struct agents *agents, struct term message, uint64_t *number,
                               struct term *answer);

/* When it was here what a node's clock has shown. Too late by as much as the quickest of the agent's latest
 * messages was under way, and never too early. */
uint64_t agent_time(const struct agent *agent, int64_t its_ns);

/* Tells all to end; nothing is told any more. */
void agents_end(struct agents *agents);

#endif
