/* How a run reaches one of its targets: connecting to its node, resolving :global and :via names, one monitor
 * that tells of its death. A target that failed is reached anew with the next use: another process may have
 * its name by then. */
#ifndef HARNESSD_LOAD_TARGET_PRIVATE_H
#define HARNESSD_LOAD_TARGET_PRIVATE_H

#include "load/target_way.h"
#include "node/rpc_out.h"
#include "scenario/scenario.h"

enum target_state {
    TARGET_IDLE,       /* nobody asked for it, or it has failed */
    TARGET_CONNECTING, /* `wait` waits for its node */
    TARGET_RESOLVING,  /* `lookup` asks for the pid behind its name */
    TARGET_CONFIRMING, /* monitored; `fence` tells when its node has seen that */
    TARGET_READY,      /* monitored; messages go to it */
};

struct target;

struct target_events {
    /* Messages can be sent from now on. */
    void (*ready)(void *owner, struct target *target);

    /* What was asked of it has no answer any more. `reason` is that of TARGET_DIED, and may be long. */
    void (*failed)(void *owner, struct target *target, enum target_failure failure,
                   const struct term_long *reason);

    /* It was congested and no longer is. */
    void (*drained)(void *owner, struct target *target);
};

struct target {
    const struct target_spec *spec;
    size_t index; /* in the scenario */
    struct process *process;
    struct term group_leader; /* for lookups */
    bool is_confirmed;        /* before it is ready: what is not answered would be taken for done by nobody */
    const struct target_events *events;
    void *owner;
    enum target_state state;
    char node[NODE_NAME_BYTES + 1]; /* where it is or was last looked for */
    struct peer *peer;              /* held while not idle */
    struct peer_wait wait;
    struct rpc_call *lookup;
    struct buffer found;        /* the pid that a lookup gave */
    struct monitor monitors[2]; /* one of them at a time, but while it is looked again */
    size_t current;
    bool is_fresh;        /* nothing was sent since it was looked */
    struct monitor fence; /* on nobody: its end comes behind that of a target that is not there */
    struct drain_wait drain;
    struct term_builder control; /* the control tuple of messages to it */
};

void target_init(struct target *target, const struct target_spec *spec, size_t index, bool is_confirmed,
                 struct process *process, struct term group_leader, const struct target_events *events,
                 void *owner);

/* Lets go of it; no event comes any more until it is reached again. What a lookup has found stays. */
void target_close(struct target *target);

/* After target_close(); its process may have ended. */
void target_free(struct target *target);

/* Sets out to reach it unless it is ready or on the way. */
void target_reach(struct target *target);

/* Whether a message may be sent now; when it is only congested, `drained` will tell. */
MUST_CHECK bool target_is_open(struct target *target);

/* Takes a monitor anew, the target being ready, unless nothing was sent since the last one. A server that has
 * died meanwhile is not there for what is sent from now on, and its death, on its way, is told no more. */
void target_look_again(struct target *target);

/* Sends a message; the target is ready. Losing the connection over it is told by `failed`. */
void target_send(struct target *target, struct term message);
void target_send_held(struct target *target, struct term head, struct term tail, struct blob *held);

/* When what is sent in this pass leaves, to be released; the target is ready. NULL when it is lost. */
MUST_CHECK struct departure *target_departure(const struct target *target);

#endif
