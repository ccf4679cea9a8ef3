/* Explaining from inside: who is looked at (subjects.c), when (watch.c), with what (probes.c), and what comes
 * of it (settle.c). */
#ifndef HARNESSD_EXPLAIN_EXPLAIN_PRIVATE_H
#define HARNESSD_EXPLAIN_EXPLAIN_PRIVATE_H

#include "subjects_private.h"

/* Looks that may be made at once. */
#define EXPLAIN_LOOKS 4000

enum probe_kind {
    PROBE_HEARTBEAT,
    PROBE_LOOK,
    PROBE_THREADS_OF_NODE,
    PROBE_NAMES_OF_THREADS,
    PROBE_WAITS,
    PROBE_KINDS
};

/* A probe without an answer. */
struct probe {
    bool is_used;
    enum probe_kind kind;
    uint64_t number;
    struct explain_node *node;
    struct subject *subject;     /* of a look */
    uint64_t sent_ns;            /* it was made then, or has left */
    struct departure *departure; /* when it does; NULL: it is not known */
    uint64_t place;              /* in the track of its node, or subject */
    struct wire wire;            /* of a heartbeat, when it was sent */
    uint64_t has_bytes; /* whose acknowledgement says that the node's system has it; 0: not known yet */
    size_t name_count;
    struct subject *named[PROBE_NAMES]; /* whose names it looks up */
};

/* With one for each node beside heartbeats. */
#define EXPLAIN_PROBES ((EXPLAIN_NODES + EXPLAIN_SUBJECTS) * EXPLAIN_UNANSWERED + EXPLAIN_NODES)

/* An operation that has ended. */
struct pending {
    struct slow_operation slow;
    bool is_late;              /* else it is only among the slowest */
    struct explain_node *node; /* NULL: nothing was seen of it */
    struct subject *subject;   /* NULL: it was not looked at */
    struct subject *callee;    /* NULL: it has called nobody who was */
};

struct explain {
    struct explain_options options;
    struct stacks stacks;
    bool is_begun;
    bool is_stopped;
    bool is_watching;      /* something is late */
    uint64_t watch_due_ns; /* when it is to look for what is late again */
    uint64_t due_ns;       /* when it is to be woken; 0: it is not */
    struct explain_node *nodes[EXPLAIN_NODES];
    size_t node_count;
    struct subject *subjects; /* EXPLAIN_SUBJECTS of them, of which so many were ever in use */
    size_t subject_count;
    struct probe *probes; /* EXPLAIN_PROBES of them, likewise */
    size_t probe_count;
    uint64_t numbers;         /* of probes */
    uint64_t serials;         /* of subjects */
    struct probe_terms terms; /* scratch */
    struct track stalls;      /* struct lapse, of this daemon */
    uint64_t looks_left;      /* that may be made at once, */
    uint64_t looks_given_ns;  /* as of then */

    /* What is late of each kind, and since when that is known. */
    struct {
        uint64_t known_ns;
        uint64_t late_ns;
    } kinds[SLOW_KINDS];

    struct pending *pending; /* a ring of EXPLAIN_PENDING */
    size_t pending_first;
    size_t pending_count;
    uint64_t round;                    /* of settling */
    uint64_t longest[EXPLAIN_SLOWEST]; /* service times in us, of what has ended so far, the longest first */
    struct explained slowest[EXPLAIN_SLOWEST];
    size_t slowest_count;
    struct explain_totals totals;
    uint64_t took_ns; /* what all of it took here */
};

static inline uint64_t explain_now(const struct explain *explain)
{
    return clock_read(explain->options.clock);
}

/* --- watch.c --- */

/* How long an operation of this number may take until it is late. */
uint64_t watch_late_ns(struct explain *explain, uint32_t operation, uint64_t now_ns);

/* Looks for what is late, and at that; when that is to be done again. */
uint64_t watch_work(struct explain *explain, uint64_t now_ns);

/* Has the load tell of operations that matter now. */
void watch_tell(struct explain *explain);

/* --- probes.c --- */

void probes_send_heartbeat(struct explain *explain, struct explain_node *node, uint64_t now_ns);
void probes_send_look(struct explain *explain, struct subject *subject, uint64_t now_ns, uint64_t reach_ns);

/* Sends what is in `terms` to a node, unless something of this kind is under way there. */
void probes_send_to_node(struct explain *explain, struct explain_node *node, enum probe_kind kind,
                         uint64_t now_ns);

/* See explain_answered(). */
void probes_answered(struct explain *explain, uint64_t number, struct term results, uint64_t came_ns);

/* Looks after those that have no answer. */
void probes_look_after(struct explain *explain, uint64_t now_ns);

/* Whether one is under way that was sent before, to the node or about the process (which may be NULL). */
bool probes_are_awaited(const struct explain *explain, const struct explain_node *node,
                        const struct subject *subject, uint64_t before_ns);

/* Those about a process are told no more. */
void probes_forget(struct explain *explain, const struct subject *subject);
void probes_drop_all(struct explain *explain);

/* --- monitors.c: which processes do not give their scheduler back, as their node tells --- */

/* A heartbeat of the node is answered. */
void monitors_go_on(struct explain *explain, struct explain_node *node, uint64_t now_ns);

/* What was asked for that is told. */
bool monitors_take_threads(struct explain *explain, const struct probe *probe, struct term results,
                           uint64_t now_ns);
bool monitors_take_names(struct explain *explain, const struct probe *probe, struct term results,
                         uint64_t now_ns);
bool monitors_take_waits(struct explain *explain, const struct probe *probe, struct term results,
                         uint64_t now_ns);

/* While something is late there, and once more when it is no longer. */
void monitors_ask(struct explain *explain, struct explain_node *node, uint64_t now_ns);

/* Whether schedulers had their processors all the time. */
bool monitors_is_certain(const struct explain_node *node, const struct block *block);

/* --- view.c --- */

/* What is to be said of the time of an operation, by what was seen so far: the spans of its process's view,
 * or of its node's. NULL: nobody has looked at either. Good until more is seen. */
const struct view *view_of(struct explain *explain, const struct pending *pending);

/* --- settle.c --- */

/* An operation has ended. */
void settle_add(struct explain *explain, const struct slow_operation *slow, uint64_t now_ns);

/* Finds the causes of operations about which no more is to be expected, some at a time; of all, with what is
 * known by now. True when there are more of these. */
bool settle_work(struct explain *explain, uint64_t now_ns);
bool settle_all(struct explain *explain);

/* The service time beyond which an operation is among the slowest. */
static inline uint64_t settle_least_us(const struct explain *explain)
{
    return explain->longest[EXPLAIN_SLOWEST - 1];
}

#endif
