/* Why operations are slow: what is late triggers probes of the process that it is for, and of its node; what
 * they have seen, and what this daemon knows of itself, becomes the causes of each slow operation. As long as
 * nothing is late no probe is sent, but for those at the beginning that compare clocks, look at what is
 * usual, and take the node's system monitor where that is free.
 *
 * It is a machine: its clock, its waking, its way to other nodes and what it has to know of the load are
 * parameters. */
#ifndef HARNESSD_EXPLAIN_EXPLAIN_H
#define HARNESSD_EXPLAIN_EXPLAIN_H

#include "base/clock.h"
#include "dist/node_name.h"
#include "explain/probe_way.h"
#include "measure/cause.h"
#include "measure/slow_operation.h"

struct explain;

/* A process that is looked at. */
struct explain_process {
    const char *node;
    struct term pid;  /* without data when only its name is known, */
    struct term name; /* by which it is registered on the node */
};

/* What its owner knows and does. */
struct explain_way {
    /* As those of the engine. */
    size_t (*late)(void *owner, uint64_t before_ns, struct slow_operation *late, size_t most);
    void (*watch_slow)(void *owner, uint64_t least_us);
    size_t (*kind)(void *owner, uint32_t operation);
    struct usual_time (*usual)(void *owner, size_t kind);
    uint32_t (*in_flight)(void *owner);
    struct served (*served)(void *owner, uint32_t target);

    /* Which process a target is; false when that is not known. What it points to is good until the next call.
     */
    bool (*find)(void *owner, uint32_t target, struct explain_process *process);

    /* Asks which process applies the custom operation that a thread is at: explain_found_custom() tells. The
     * node that it is on. */
    void (*find_custom)(void *owner, uint32_t thread, uint64_t step);
    const char *(*customs_node)(void *owner);

    /* The number of the fault that has had an effect; 0: none is known to. */
    uint64_t (*fault)(void *owner, const struct cause_effect *effect);

    /* explain_work() is to be called at this time, and no longer at the one before. */
    void (*wake)(void *owner, uint64_t when_ns);

    /* The causes of an operation are known; the details name stacks of explain_stacks(). */
    void (*explained)(void *owner, const struct slow_operation *slow, const struct cause_share *shares,
                      size_t count);
};

struct explain_options {
    struct term pid; /* that probes are told by, and are linked to */
    const struct clock *clock;
    const struct explain_way *way;
    void *owner;
    const struct probe_way *probes;
    void *probes_owner;
};

/* What `options` points to outlives it. */
struct explain *explain_new(const struct explain_options *options);
void explain_free(struct explain *explain);

/* The load begins, for `targets` targets: what is usual for the first of them is looked at. */
void explain_begin(struct explain *explain, uint32_t targets);

/* Does what is due. */
void explain_work(struct explain *explain);

/* Probes are sent no more; answers are still taken. */
void explain_stop(struct explain *explain);

/* All operations that have ended are explained with what is known by now, some at a time. True while there
 * are more. */
MUST_CHECK bool explain_settle(struct explain *explain);

/* --- What happens outside --- */

/* An operation has ended, as `slow` of the engine tells. */
void explain_ended(struct explain *explain, const struct slow_operation *slow);

/* A probe has answered: what its functions have returned, a list, and when that has come. Or it never will.
 */
void explain_answered(struct explain *explain, uint64_t number, struct term results, uint64_t came_ns);
void explain_lost(struct explain *explain, uint64_t number);

/* A node tells which processes do not give their schedulers back, and it has told of one: when by its clock,
 * {timeout, Milliseconds} and where it was in a list of pairs. Or it tells no longer. */
void explain_monitoring(struct explain *explain, const char *node);
void explain_blocked(struct explain *explain, const char *node, struct term pid, int64_t node_ns,
                     struct term info);
void explain_monitor_lost(struct explain *explain, const char *node);

/* The process that applies the custom operation of a thread. */
void explain_found_custom(struct explain *explain, uint32_t thread, uint64_t step, struct term pid);

/* --- What came of it --- */

#define EXPLAIN_SLOWEST 20

/* One of the slowest operations. */
struct explained {
    struct slow_operation slow;
    size_t share_count;
    struct cause_share shares[CAUSE_COUNT];
};

/* That of this rank, from 0; NULL: there are not so many. */
const struct explained *explain_slowest(const struct explain *explain, size_t rank);

/* What one cause has come to. */
struct explain_sum {
    uint64_t operations; /* that had it */
    uint64_t us;
    uint64_t worst_us; /* of one operation, whose detail it is */
    struct cause_detail detail;
};

struct explain_totals {
    uint64_t operations; /* that were explained */
    struct explain_sum causes[CAUSE_COUNT];
    uint64_t heartbeats; /* that were sent */
    uint64_t looks;
    uint64_t lost;      /* of these, those without an answer */
    uint64_t monitored; /* nodes that have told which processes did not give their schedulers back */
    uint64_t node_us;   /* what they took on their nodes, without waiting */
    uint64_t daemon_us; /* what all of it took here */
};

const struct explain_totals *explain_totals(const struct explain *explain);
const struct stacks *explain_stacks(const struct explain *explain);

#endif
