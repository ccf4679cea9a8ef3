/* Why operations took their time: the causes, each with a detail of its own kind, and how they are told. */
#ifndef HARNESSD_MEASURE_CAUSE_H
#define HARNESSD_MEASURE_CAUSE_H

#include "measure/stacks.h"
#include "term/help.h"
#include "term/term_build.h"

enum cause {
    CAUSE_GARBAGE_COLLECTION,
    CAUSE_HANDLER,
    CAUSE_QUEUE,
    CAUSE_SCHEDULED_OUT,
    CAUSE_SUSPENDED,
    CAUSE_NODE_PAUSED,
    CAUSE_REPLY_BLOCKED,
    CAUSE_NETWORK,
    CAUSE_DAEMON,
    CAUSE_UNKNOWN, /* what was not seen; the last */
    CAUSE_COUNT
};

/* For sets of them. */
#define CAUSE_BIT(cause) (1u << (cause))

/* The table of them, for help. */
const struct help_table *causes_table(void);

/* "garbage_collection", ... */
const char *cause_name(enum cause cause);

/* Of so many run queues the lengths are told. */
#define CAUSE_QUEUES 32

enum cause_detail_kind {
    CAUSE_NO_DETAIL, /* nil */
    CAUSE_STACK,     /* the stack */
    CAUSE_HEAP,      /* %{heap_size:, total_heap_size:}, in words */
    CAUSE_QUEUES_OF, /* %{run_queue_lengths: [...]} */
    CAUSE_LENGTH,    /* %{message_queue_len:} */
    CAUSE_FAULT,     /* %{fault:}, the number of one that was injected */
    CAUSE_WIRE,      /* %{unacked:, retransmits:} */
};

struct cause_detail {
    enum cause_detail_kind kind;
    union {
        uint32_t stack;
        struct {
            uint64_t heap;
            uint64_t total;
        } words;
        struct {
            uint16_t count;
            uint16_t lengths[CAUSE_QUEUES];
        } queues;
        uint64_t number; /* a length, or that of a fault */
        struct {
            uint32_t unacked;
            uint32_t retransmits;
        } wire;
    };
};

/* So much of some time was of this cause. */
struct cause_share {
    enum cause cause;
    uint64_t us;
    struct cause_detail detail;
};

/* What a process has had of a cause, and when: a fault may be behind it. */
struct cause_effect {
    enum cause cause;
    const char *node;
    struct term pid; /* without data when it is not known */
    uint64_t from_ns;
    uint64_t to_ns;
    uint64_t served_ns; /* what it was sent by then it was done with before; 0: that is not known */
};

/* Appends a detail, and %{cause:, us:, detail:}. `stacks` has those that details name. */
void cause_build_detail(const struct cause_detail *detail, const struct stacks *stacks,
                        struct term_builder *builder);
void cause_build(const struct cause_share *share, const struct stacks *stacks, struct term_builder *builder);

#endif
