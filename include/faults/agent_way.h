/* How agents, the processes on other nodes that inject faults there, are started and told what to do: the
 * real ones are faults/agent_scripts.h, tests have their own. */
#ifndef HARNESSD_FAULTS_AGENT_WAY_H
#define HARNESSD_FAULTS_AGENT_WAY_H

#include <stdint.h>

#include "term/term.h"

struct agent_start {
    const char *node;
    struct term key; /* that its messages begin with */
    uint32_t serial; /* of the agent, which it tells when it has started */

    /* It could not be started, or has ended; `noconnection` when its node is gone. Never called from within
     * start(), nor after stop(). */
    void (*down)(void *owner, struct term reason);
    void *owner;
};

struct agent_way {
    /* What stands for the process until `down` has returned or it is stopped; NULL when the node cannot have
     * one. */
    void *(*start)(void *owner, const struct agent_start *start);
    void (*send)(void *process, struct term message);

    /* Tells it to end, as it stands. */
    void (*stop)(void *process, struct term message);
};

#endif
