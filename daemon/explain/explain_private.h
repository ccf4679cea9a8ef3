/* Explaining from inside: who is looked at (subjects.c), when (watch.c), with what (probes.c), and what comes
 * of it (settle.c). */
#ifndef HARNESSD_EXPLAIN_EXPLAIN_PRIVATE_H
#define HARNESSD_EXPLAIN_EXPLAIN_PRIVATE_H

#include "base/buffer.h"
#include "base/list.h"
#include "causes_private.h"
#include "explain/explain.h"
#include "node_clock_private.h"
#include "probe_terms_private.h"
#include "track_private.h"

#define EXPLAIN_MS CLOCK_NS_PER_MS

/* Who is looked at, at most. */
#define EXPLAIN_NODES 32
#define EXPLAIN_SUBJECTS 64

/* Probes that may be without an answer, of each of them. */
#define EXPLAIN_UNANSWERED 2

/* Heartbeats of a node, and looks at a process, that are kept: so many that a minute fits in. */
#define EXPLAIN_KEPT 256

/* Times of operations' ends that are kept of a process, and lapses of this daemon, and blocks. */
#define EXPLAIN_ENDS 512
#define EXPLAIN_STALLS 64
#define EXPLAIN_BLOCKS 64

/* Operations that have ended and wait for their causes. */
#define EXPLAIN_PENDING 16384

/* What evidence says, as of one round of settling. */
struct view {
    uint64_t round;
    struct evidence evidence;
    struct spans spans;
};

/* A node that has processes that are looked at. They are never forgotten. */
struct explain_node {
    char name[NODE_NAME_BYTES + 1];
    struct node_clock clock;
    struct track heartbeats; /* struct heartbeat */
    size_t unanswered;
    uint64_t due_ns;      /* when it may be asked again */
    uint64_t late_ns;     /* since when the oldest of what is late there is under way; 0: nothing is */
    uint32_t retransmits; /* of its connection, when it was looked at last */
    size_t first_left;    /* heartbeats that are still to be sent at the beginning, to compare clocks */
    struct view view;     /* of operations whose process was not looked at */
};

enum subject_kind {
    SUBJECT_TARGET, /* of the scenario, or a member of one */
    SUBJECT_CUSTOM, /* who applies a thread's custom operation */
    SUBJECT_CALLEE, /* whom such an operation has called */
};

/* A process that is looked at. */
struct subject {
    bool is_used; /* else the place is free */
    enum subject_kind kind;
    uint32_t number; /* of the target, or of the thread */
    uint64_t step;   /* of the thread */
    struct explain_node *node;
    struct buffer pid; /* empty: not known yet */
    struct buffer name;
    struct track looks;  /* struct look */
    struct track tops;   /* uint64_t of each look: where it was */
    struct track ends;   /* uint64_t */
    struct track blocks; /* struct block */
    size_t unanswered;
    uint64_t due_ns;
    uint64_t late_ns; /* as of a node */
    bool was_late;
    bool is_first;    /* it is to be looked at once at the beginning */
    uint64_t used_ns; /* when it was late for the last time */
    uint64_t idle;    /* where it is when it has nothing to do; 0: not known */
    size_t pending;   /* operations that wait for their causes */
    struct subject *callee;
    struct view view;
};

/* A probe without an answer. */
struct probe {
    bool is_used;
    uint64_t number;
    struct explain_node *node;
    struct subject *subject; /* NULL: it is a heartbeat */
    uint64_t sent_ns;
    uint64_t place; /* in the track of its node, or subject */
    size_t name_count;
    struct subject *named[PROBE_NAMES]; /* whose names it looks up */
};

#define EXPLAIN_PROBES ((EXPLAIN_NODES + EXPLAIN_SUBJECTS) * EXPLAIN_UNANSWERED)

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
    bool is_watching; /* something is late */
    uint64_t due_ns;  /* when it is to be woken; 0: it is not */
    struct explain_node *nodes[EXPLAIN_NODES];
    size_t node_count;
    struct subject *subjects; /* EXPLAIN_SUBJECTS of them */
    struct probe *probes;     /* EXPLAIN_PROBES of them */
    uint64_t numbers;         /* of probes */
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
};

static inline uint64_t explain_now(const struct explain *explain)
{
    return clock_read(explain->options.clock);
}

/* --- subjects.c --- */

/* NULL: there is no room for it. */
struct explain_node *subjects_node(struct explain *explain, const char *name);

/* The process that an operation is for, or who applies it; with `adds` one that is not there yet is made.
 * NULL: it is not known, or there is no room. */
struct subject *subjects_of(struct explain *explain, const struct slow_operation *slow, bool adds);
struct subject *subjects_target(struct explain *explain, uint32_t target);

/* The node that an operation is for; NULL: it is not known, or there is no room. */
struct explain_node *subjects_node_of(struct explain *explain, const struct slow_operation *slow);

/* Whom a process has called: one of the others, or one that is made. */
struct subject *subjects_callee(struct explain *explain, struct subject *caller,
                                const struct probe_look *look);
void subjects_free(struct explain *explain);

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

/* Looks after those that have no answer. */
void probes_look_after(struct explain *explain, uint64_t now_ns);

/* Whether one is under way that was sent before, to the node or about the process (which may be NULL). */
bool probes_are_awaited(const struct explain *explain, const struct explain_node *node,
                        const struct subject *subject, uint64_t before_ns);

/* Those about a process are told no more. */
void probes_forget(struct explain *explain, const struct subject *subject);
void probes_drop_all(struct explain *explain);

/* --- settle.c --- */

/* An operation has ended. */
void settle_add(struct explain *explain, const struct slow_operation *slow, uint64_t now_ns);

/* Finds the causes of operations about which no more is to be expected, some at a time. True when there are
 * more of these. */
bool settle_work(struct explain *explain, uint64_t now_ns);
void settle_all(struct explain *explain);

/* The service time beyond which an operation is among the slowest. */
static inline uint64_t settle_least_us(const struct explain *explain)
{
    return explain->longest[EXPLAIN_SLOWEST - 1];
}

#endif
