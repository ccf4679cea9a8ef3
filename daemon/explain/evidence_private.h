/* What was seen of a process, of its node and of this daemon, as plain structs in the order of time. All
 * times are of this daemon's clock. */
#ifndef HARNESSD_EXPLAIN_EVIDENCE_PRIVATE_H
#define HARNESSD_EXPLAIN_EVIDENCE_PRIVATE_H

#include "measure/cause.h"
#include "measure/slow_operation.h"

/* A probe that does not touch the process, of high priority: whether its node runs. */
struct heartbeat {
    uint64_t sent_ns;
    uint64_t at_ns;       /* the node has come to it; 0: that is not known */
    uint64_t done_ns;     /* and was done with it; likewise */
    uint64_t taken_ns;    /* the node's system was seen to have it while there was no answer; 0: it was not */
    uint64_t answered_ns; /* or it was lost; 0: neither */
    uint32_t unacked;     /* segments that the node's system has left unacknowledged while it was late */
    uint32_t retransmits; /* of the connection, meanwhile */
    uint32_t ahead;       /* operations that were under way when it was sent, and may come before it */
    bool was_full;        /* it has waited behind other bytes for the node to take them */
    uint32_t ready;       /* processes and ports that wait for a scheduler */
    uint32_t schedulers;
    struct cause_detail queues;
};

enum look_state {
    LOOK_NOTHING,    /* no answer, or there is no such process */
    LOOK_IDLE,       /* waits in its loop */
    LOOK_LOOPING,    /* runs there: it is between two messages */
    LOOK_WAITING,    /* waits elsewhere */
    LOOK_CALLING,    /* for the answer of a process that is looked at as well */
    LOOK_RUNNING,    /* elsewhere */
    LOOK_RUNNABLE,   /* would, if it were its turn */
    LOOK_COLLECTING, /* its garbage */
    LOOK_SUSPENDED,  /* in its loop */
    LOOK_BLOCKED,    /* suspended elsewhere, as those are that send to a busy connection */
};

/* A probe of normal priority, which asks the process: it waits for its turn, and then for that of the
 * process. */
struct look {
    uint64_t sent_ns;
    uint64_t began_ns;    /* 0: that is not known */
    uint64_t ended_ns;    /* it was told of the process; likewise */
    uint64_t answered_ns; /* or it was lost; 0: neither */
    uint64_t reach_ns;    /* when the next one was to follow */
    enum look_state state;
    uint32_t stack;
    uint64_t queue;      /* messages */
    uint64_t heap_words; /* of the young generation, and of both with what is beside them */
    uint64_t all_words;
    uint64_t reductions; /* that it has done so far */
};

/* From and to. */
struct lapse {
    uint64_t from_ns;
    uint64_t to_ns;
};

/* The process had a scheduler for so long without giving it back, as its node tells. */
struct block {
    struct lapse lapse;
    uint32_t stack;
    bool is_certain; /* that it was at something: its schedulers had their processors */
};

struct evidence {
    const struct heartbeat *heartbeats;
    size_t heartbeat_count;
    const struct look *looks;
    size_t look_count;
    const struct block *blocks;
    size_t block_count;
    const struct lapse *stalls; /* of this daemon */
    size_t stall_count;
    const struct served *served; /* of operations of the process those that were told of */
    size_t served_count;
    uint64_t way_ns; /* that a probe is under way to the node, as a rule */
    bool is_local;   /* there is no network on it: when everything stands still, that is nobody's fault */
    uint64_t now_ns;
};

/* The longest run queues of a time that heartbeats have seen, by their index; SIZE_MAX: none were long. */
size_t evidence_long_queues(const struct evidence *evidence, uint64_t from_ns, uint64_t to_ns);

/* Whether those of a heartbeat are. */
bool heartbeat_has_long_queues(const struct heartbeat *heartbeat);

/* The first operation that has ended after a time; UINT64_MAX: none has. */
uint64_t evidence_next_end(const struct evidence *evidence, uint64_t after_ns);

/* When what was sent last was sent, of the operations that have ended by then; 0: that is not known. */
uint64_t evidence_served_ns(const struct evidence *evidence, uint64_t by_ns);

/* Whether garbage may have been collected while this look waited for its process: nobody has seen that it was
 * not. */
bool evidence_may_have_collected(const struct evidence *evidence, const struct look *look);

#endif
