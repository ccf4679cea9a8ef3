/* Who is looked at: nodes, and processes on them, with what was seen of each. */
#ifndef HARNESSD_EXPLAIN_SUBJECTS_PRIVATE_H
#define HARNESSD_EXPLAIN_SUBJECTS_PRIVATE_H

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

/* Ends of operations that are kept of a process, and lapses of this daemon, and blocks. */
#define EXPLAIN_SERVED 512
#define EXPLAIN_STALLS 64
#define EXPLAIN_BLOCKS 64

/* Operations that have ended and wait for their causes. */
#define EXPLAIN_PENDING 16384

struct subject;

/* What evidence says of a time up to now, as of one round of settling. */
struct view {
    uint64_t round;
    uint64_t from_ns;
    struct subject *callee; /* or NULL */
    struct evidence evidence;
    struct evidence of_callee;
    struct spans spans;
};

/* A node that has processes that are looked at. They are never forgotten. */
struct explain_node {
    char name[NODE_NAME_BYTES + 1];
    struct node_clock clock;
    struct track heartbeats; /* struct heartbeat */
    size_t unanswered;
    uint64_t due_ns;   /* when it may be asked again */
    uint64_t late_ns;  /* since when the oldest of what is late there is under way; 0: nothing is */
    bool is_local;     /* no network is between it and this daemon */
    size_t first_left; /* heartbeats that are still to be sent at the beginning, to compare clocks */
    struct view view;  /* of operations whose process was not looked at */

    /* monitors.c */
    enum {
        NODE_UNASKED,   /* nobody knows yet whether it can be monitored */
        NODE_ASKED,     /* for its threads */
        NODE_ASKED_FOR, /* their names */
        NODE_UNFIT,     /* it cannot be, or somebody else does */
        NODE_HELD,      /* a process was started that has it monitored */
        NODE_MONITORED, /* and is at it */
    } monitoring;
    struct probe_threads schedulers;
    struct track waits; /* struct waits */
    uint64_t waits_due_ns;
    bool was_late;
};

/* What the schedulers of a node have waited for processors. */
struct waits {
    uint64_t at_ns;
    uint64_t waited_ns[PROBE_SCHEDULERS];
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
    struct track served; /* struct served */
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

struct explain;

/* NULL: there is no room for it. */
struct explain_node *subjects_node(struct explain *explain, const char *name);

/* The process that an operation is for, or who applies it; with `adds` one that is not there yet is made.
 * NULL: it is not known, or there is no room. */
struct subject *subjects_of(struct explain *explain, const struct slow_operation *slow, bool adds);
struct subject *subjects_target(struct explain *explain, uint32_t target);

/* The node that an operation is for; NULL: it is not known, or there is no room. */
struct explain_node *subjects_node_of(struct explain *explain, const struct slow_operation *slow);

/* An operation for it was answered. */
void subjects_note_served(struct subject *subject, struct served served);

/* Whom a process has called: one of the others, or one that is made. */
struct subject *subjects_callee(struct explain *explain, struct subject *caller,
                                const struct probe_look *look);
void subjects_free(struct explain *explain);

#endif
