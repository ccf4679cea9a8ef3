/* How probes reach other nodes: the real ones are explain/probe_spawns.h, tests have their own. A probe is a
 * process that applies functions that are there, one after the other, tells what they have returned, and is
 * gone: nothing is evaluated, no message is received, and no atom made. */
#ifndef HARNESSD_EXPLAIN_PROBE_WAY_H
#define HARNESSD_EXPLAIN_PROBE_WAY_H

#include <stdbool.h>
#include <stdint.h>

#include "term/term.h"
#include "transport/departure.h"
#include "transport/wire.h"

struct probe_request {
    const char *node;
    uint64_t number;       /* by which explain_answered() or explain_lost() tell of it */
    struct term functions; /* a list of external funs */
    struct term arguments; /* a list of their argument lists */
    bool is_urgent;        /* of high priority */
    bool is_linked;        /* ends with the connection, as one has to that may be kept waiting */
};

struct probe_way {
    /* False when the node is not connected, or takes nothing now. Neither an answer nor a loss is told from
     * within. */
    bool (*send)(void *owner, const struct probe_request *request);

    /* When what is sent to the node from now on to the end of the pass leaves, held; NULL: it is not known.
     */
    struct departure *(*departure)(void *owner, const char *node);

    /* Nobody waits for it any more: it ends as it stands. */
    void (*drop)(void *owner, uint64_t number);

    /* Starts a process that evaluates forms with bindings, which have it tell explain_monitoring() and
     * explain_blocked(), and explain_monitor_lost() tells when it has ended. It ends with the connection.
     * False: it cannot be.
     */
    bool (*monitor)(void *owner, const char *node, struct term forms, struct term bindings);

    /* False when nothing is known. */
    bool (*wire)(void *owner, const char *node, struct wire *wire);
};

#endif
