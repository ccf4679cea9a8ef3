/* The longest pass of the loop within the last minute: by the clock, which is how long everybody has waited,
 * and by the processor's time of the loop's thread, which says whether the loop itself has done so much or
 * the machine was busy with other things. */
#ifndef HARNESSD_BASE_LOOP_MINUTE_H
#define HARNESSD_BASE_LOOP_MINUTE_H

#include "base/loop.h"

#define LOOP_MINUTE_S 60

/* Embedded in its owner, all zero before it begins. */
struct loop_minute {
    struct loop *loop;
    struct loop_lag lag;
    struct loop_timer second;
    uint64_t clock_ns[LOOP_MINUTE_S]; /* for each of the last seconds */
    uint64_t cpu_ns[LOOP_MINUTE_S];
    size_t index;
};

void loop_minute_begin(struct loop_minute *minute, struct loop *loop);
void loop_minute_end(struct loop_minute *minute);

/* The pass that asks is not over yet, and does not count. */
uint64_t loop_minute_clock_ns(const struct loop_minute *minute);
uint64_t loop_minute_cpu_ns(const struct loop_minute *minute);

#endif
