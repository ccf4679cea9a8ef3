/* Operations that take long, for those who find out why. */
#ifndef HARNESSD_LOAD_LOAD_SLOW_H
#define HARNESSD_LOAD_LOAD_SLOW_H

#include "load/latencies.h"

/* An operation that is answered. */
struct load_slow {
    uint32_t target;
    uint32_t thread;
    uint64_t step;      /* of the thread */
    uint32_t operation; /* its number in the scenario */
    bool is_custom;
    bool is_sent; /* it has begun; an operation that has ended may never have */
    uint64_t sent_ns;
    uint64_t ended_ns; /* 0: it is under way */
};

/* What is usual for operations of one kind, of service times. */
struct load_usual {
    uint64_t count;
    uint64_t p50_us; /* 0 without any, as the other */
    uint64_t p99_us;
};

/* Kinds of operations are those of latencies_kind(), whose numbers are below this. */
#define LOAD_KINDS (LATENCIES_OPERATIONS + 2)

#endif
