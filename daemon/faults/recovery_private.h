/* Recovery: for each target of the scenario that a fault has touched, from when the fault took effect to the
 * first success that was sent after that. */
#ifndef HARNESSD_FAULTS_RECOVERY_PRIVATE_H
#define HARNESSD_FAULTS_RECOVERY_PRIVATE_H

#include "base/list.h"
#include "injections_private.h"

struct faults;

/* A member of a target that gives several and that a fault is done to. */
struct recovery_victim {
    size_t target; /* its number */
    size_t part;   /* of the injection */
};

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
    uint64_t relapsed_ns;            /* something that was sent after that failed last; 0: nothing did */
    uint64_t again_ns;               /* the first success that was sent after its last relapse; 0: none */
    uint64_t recovery_ns;            /* when `recovered_ns` is not 0 */
    struct recovery_victim *victims; /* of a whole: those of whom it is not known yet when it took effect */
    size_t victim_count;
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

    /* Of a target that gives several: its members that are called nothing. */
    size_t there;
    size_t before; /* so many there were when a fault was last asked for and nothing waited */
    size_t wanted; /* so many are to be there again */
    size_t owed;   /* so many of them have to answer */
};

/* Whom a target of the scenario gives, or gave. */
struct recovery_member {
    struct list_link gone;
    size_t index;
    size_t source; /* that target */
    bool is_there;
    uint64_t given_at;    /* the list that it was in last */
    struct buffer pid;    /* whoever bears its name now, or did last */
    struct buffer called; /* empty: nothing */
    struct recovery own;  /* of one that is called something */

    /* Of one that is not. */
    uint64_t answered_ns; /* the last that it has answered well was sent then */
    uint64_t owes_ns;     /* it has to answer something that was sent since; 0: nothing */
    uint64_t known_ns;    /* that was known here */
};

/* Whether somebody was kept waiting by what took so long of the target. */
bool recovery_is_wait(const struct recovery *recovery, uint64_t waited_ns);

/* It has recovered. */
void recovery_settle(struct faults *faults, struct recovery_watch *watch, uint64_t sent_ns, uint64_t now_ns);

/* Whether it has lost something, and has not been seen to be there again. */
bool recovery_is_owed(const struct faults *faults, const struct recovery_watch *watch);

/* --- recovery_members.c --- */

/* Recoveries have numbers below: those of the targets of the scenario, and behind them those of members. A
 * member that is called nothing has none of its own, and another number than its own is recovery_number(). */
size_t recovery_total(const struct faults *faults);
size_t recovery_number(const struct faults *faults, size_t target);

/* That of any target for a number that is none. */
struct recovery *recovery_of(const struct faults *faults, size_t target);

/* That of the target that a member is of; NULL: it is none. */
struct recovery *recovery_of_whole(const struct faults *faults, size_t target);

/* What a target or a member is told as. */
struct term recovery_name(const struct faults *faults, size_t target);

void recovery_free_members(struct faults *faults);

/* Whether as many are there as before, and have answered. */
bool recovery_is_complete(const struct recovery *recovery);

/* Whether a member is not there, or too few of a whole are. */
bool recovery_is_away(const struct faults *faults, size_t target);

/* A member that is called nothing has to answer what is sent from then on, unless it has; and it has
 * answered. Nothing happens for any other target. */
void recovery_owe(struct faults *faults, size_t target, uint64_t from_ns);
void recovery_pay(struct faults *faults, const struct observation *seen);

/* A fault is asked for: of wholes that wait for nothing as many are there as it is to be again. */
void recovery_count_members(struct faults *faults);

/* A target begins to wait. */
void recovery_begin_whole(struct faults *faults, size_t target);

/* Members among the candidates that are on a node, or all that are on it, may have to recover. */
void recovery_watch_members(struct faults *faults, struct injection *injection, size_t part,
                            const struct candidate *candidates, size_t count, const char *node);
void recovery_watch_members_of_node(struct faults *faults, struct injection *injection, size_t part,
                                    const char *node);

/* A part took effect. */
void recovery_touch_victims(struct faults *faults, struct recovery_watch *watch, size_t part,
                            uint64_t from_ns);

/* --- recovery_watch.c --- */

bool recovery_is_pid_of(struct term pid, const char *node);

/* NULL when the fault has touched very many already: the longest of these is known nevertheless. */
struct recovery_watch *recovery_add(struct faults *faults, struct injection *injection, size_t target,
                                    size_t part);
struct recovery_watch *recovery_find(const struct injection *injection, size_t target);

/* Takes it out of all lists but the injection's. */
void recovery_free_watch(struct faults *faults, struct recovery_watch *watch);

/* Failures of the target until now, or until it has recovered. */
uint64_t recovery_errors(const struct faults *faults, const struct recovery_watch *watch);

#endif
