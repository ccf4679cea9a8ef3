/* Recovery: for each target of the scenario that a fault has touched, from when the fault took effect to the
 * first success that was sent after that. */
#ifndef HARNESSD_FAULTS_RECOVERY_PRIVATE_H
#define HARNESSD_FAULTS_RECOVERY_PRIVATE_H

#include "base/list.h"
#include "injections_private.h"

struct faults;

/* One target, touched by one fault. It stands in its target's list as long as it waits for a success. */
struct recovery_watch {
    struct list_link waiting;
    struct recovery_watch *next; /* of the same injection */
    struct injection *injection; /* NULL: it is no longer recorded */
    size_t target;          /* TARGET_ANY: the fault has touched none, and the next success of any counts */
    size_t part;            /* of the injection, by whose effect it counts */
    uint64_t effect_ns;     /* it took effect; 0: not yet */
    uint64_t known_ns;      /* that was known here */
    uint64_t from_ns;       /* what was sent before tells nothing */
    uint64_t errors_before; /* of the target, when the fault was asked for */
    uint64_t errors;        /* until it has recovered */
    uint64_t last_error_ns; /* before the next fault; 0: none */
    uint64_t early_sent_ns; /* the last success before `known_ns` */
    uint64_t early_ended_ns;
    bool waited; /* for longer than the target makes its callers wait otherwise */
    uint64_t recovered_ns;
    uint64_t recovery_ns; /* when `recovered_ns` is not 0 */
};

/* What is known of a target. The last of them stands for any. */
struct recovery {
    struct list waiting;
    struct recovery_watch *latest; /* its failures are told of this one, until the next */
    struct recovery_watch *kept;   /* the oldest of those that wait whose injection is no longer recorded */
    uint64_t errors;
    uint64_t last_error_ns;
    uint64_t usual_ns;  /* how long its answers take while it has nothing to recover from */
    uint64_t spread_ns; /* and by how much they differ from that */
    uint64_t
        looked_effects; /* so many effects there were when it was last looked whether one has touched it */
    uint64_t answered_effects; /* and when it last answered what was sent after the latest one */
    uint64_t answered_ns;
};

/* Whether somebody was kept waiting by what took so long of the target. */
bool recovery_is_wait(const struct recovery *recovery, uint64_t waited_ns);

/* It has recovered. */
void recovery_settle(struct faults *faults, struct recovery_watch *watch, uint64_t sent_ns, uint64_t now_ns);

/* The last one is of any target. */
struct recovery *recovery_of(const struct faults *faults, size_t target);

/* Whether it has lost something, and has not been seen to be there again. */
bool recovery_is_owed(const struct faults *faults, const struct recovery_watch *watch);

/* --- recovery_watch.c --- */

/* NULL when the fault has touched very many already: the longest of these is known nevertheless. */
struct recovery_watch *recovery_add(struct faults *faults, struct injection *injection, size_t target,
                                    size_t part);
struct recovery_watch *recovery_find(const struct injection *injection, size_t target);

/* Takes it out of all lists but the injection's. */
void recovery_free_watch(struct faults *faults, struct recovery_watch *watch);

/* Failures of the target until now, or until it has recovered. */
uint64_t recovery_errors(const struct faults *faults, const struct recovery_watch *watch);

#endif
