/* Operations that take long, for those who find out why. */
#ifndef HARNESSD_MEASURE_SLOW_OPERATION_H
#define HARNESSD_MEASURE_SLOW_OPERATION_H

#include <stdbool.h>
#include <stdint.h>

/* An operation that is answered. */
struct slow_operation {
    uint32_t target;
    uint32_t thread;
    uint64_t step;      /* of the thread */
    uint32_t operation; /* its number in the scenario */
    bool is_custom;
    bool is_sent;     /* it has begun; an operation that has ended may never have */
    bool is_answered; /* of one that has ended: the server has, as it was to */
    bool is_exact;    /* of one that has ended: that this daemon was late is in no part of it */
    uint64_t sent_ns;
    uint64_t ended_ns; /* 0: it is under way */
};

/* A process has answered an operation. What was sent to it before that operation, and came to it first, is
 * done with by then as well. */
struct served {
    uint64_t ended_ns;
    uint64_t sent_ns; /* of all that have ended by then, the latest */
};

/* What is usual for operations of one kind, of service times. */
struct usual_time {
    uint64_t count;
    uint64_t p50_us; /* 0 without any, as the other */
    uint64_t p99_us;
};

/* Kinds of operations are those that latencies tell apart: from 1, and below this; 0: it is not known yet. */
#define SLOW_KINDS 66

#endif
