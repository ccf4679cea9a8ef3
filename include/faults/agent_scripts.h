/* Agents on real nodes: each is a script (daemon/node/chaos.erl) that is linked to a process of this node. */
#ifndef HARNESSD_FAULTS_AGENT_SCRIPTS_H
#define HARNESSD_FAULTS_AGENT_SCRIPTS_H

#include "faults/agent_way.h"
#include "node/script.h"

/* The owner of agent_scripts_way. */
struct agent_scripts {
    struct scripts *scripts;
    struct process *process;  /* that they talk to */
    struct term group_leader; /* of all that they start */
};

extern const struct agent_way agent_scripts_way;

#endif
