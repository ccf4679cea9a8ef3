/* Time. What is measured uses the monotonic clock in nanoseconds; the wall clock is for logs and dates. */
#ifndef HARNESSD_BASE_CLOCK_H
#define HARNESSD_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_NS_PER_US 1000ULL
#define CLOCK_NS_PER_MS 1000000ULL
#define CLOCK_NS_PER_S 1000000000ULL

/* Nanoseconds of a clock that only goes forward (CLOCK_MONOTONIC). */
uint64_t clock_ns(void);

/* Microseconds, and nanoseconds, since 1970-01-01 UTC; may jump (CLOCK_REALTIME). */
uint64_t clock_wall_us(void);
uint64_t clock_wall_ns(void);

/* A clock as a parameter, of what is also run by tests: the machine's, or one that a test moves. */
struct clock {
    uint64_t (*ns)(void *owner);
    void *owner;
};

extern const struct clock clock_machine;      /* reads clock_ns() */
extern const struct clock clock_machine_wall; /* reads clock_wall_ns() */

static inline uint64_t clock_read(const struct clock *clock)
{
    return clock->ns(clock->owner);
}

/* When a message has come, by the monotonic clock: as the kernel has seen it, or else when the loop has read
 * it, which is later. */
struct arrived {
    uint64_t ns;
    bool by_kernel;
};

#endif
