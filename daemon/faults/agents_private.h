/* The agents of a run: on each node that it injects faults on a process that does so (daemon/node/chaos.erl).
 * They are started on demand and end with the run. */
#ifndef HARNESSD_FAULTS_AGENTS_PRIVATE_H
#define HARNESSD_FAULTS_AGENTS_PRIVATE_H

#include "node/script.h"

struct run;
struct chaos_agents;

struct chaos_agent {
    struct chaos_agent *next;
    struct chaos_agents *agents;
    char node[NODE_NAME_BYTES + 1];
    uint32_t serial;
    struct script script;
    bool started;
    struct buffer *waiting; /* requests that it is sent once it has started */
    size_t waiting_count;
};

struct chaos_agents {
    struct run *run;
    struct chaos_agent *first;
    uint32_t serials;

    /* It could not be started, or has ended; what it was asked for has no answer any more. Never called from
     * within chaos_agent_ask(). */
    void (*lost)(void *owner, struct chaos_agent *agent, struct term reason);
    void *owner;
};

void chaos_agents_init(struct chaos_agents *agents, struct run *run,
                       void (*lost)(void *owner, struct chaos_agent *agent, struct term reason), void *owner);

/* The agent of a node, which may not have started yet; NULL when the node cannot have one. */
MUST_CHECK struct chaos_agent *chaos_agent_of(struct chaos_agents *agents, const char *node);

/* Sends it a request, or does so once it has started. */
void chaos_agent_ask(struct chaos_agent *agent, uint64_t number, struct term request);
void chaos_agent_ask_atom(struct chaos_agent *agent, uint64_t number, const char *request);

/* Whether a message is of an agent. It then has an answer to request `*number`, or `answer` has no data. */
MUST_CHECK bool chaos_agents_message(struct chaos_agents *agents, struct term message, uint64_t *number,
                                     struct term *answer);

/* Tells all to end; nothing is told any more. */
void chaos_agents_end(struct chaos_agents *agents);

#endif
