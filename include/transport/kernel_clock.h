/* When bytes have arrived, by the stamps that the kernel gives them, which are of the wall clock
 * (CLOCK_REALTIME): the daemon reads them later, how much depends on how busy it is. A stamp is placed on the
 * monotonic clock, by which everything is measured.
 *
 * Both clocks go at the same pace, so that the difference between them stays as it is until somebody sets the
 * wall clock. It is looked at with each read. What has come before it was set and is read afterwards has the
 * stamp of another time, so that stamps are taken again only when a connection has nothing left to be read.
 * A stamp that lies outside the time in which the bytes can have come, between when there was nothing to be
 * read and now, is no time of this clock; after many of them in a row the kernel's clock is taken for another
 * one than this process is shown, as it is under libfaketime. Where there is no stamp that can be used, the
 * time is that of the loop: now. */
#ifndef HARNESSD_TRANSPORT_KERNEL_CLOCK_H
#define HARNESSD_TRANSPORT_KERNEL_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

/* By how much clocks may seem to go apart, as they cannot be read at once, and a stamp may be wrong. */
#define KERNEL_CLOCK_STEP_NS ((int64_t)(10 * CLOCK_NS_PER_US))

/* After so many impossible stamps in a row none is taken any more. */
#define KERNEL_CLOCK_STRANGE 32

/* What all connections share. */
struct kernel_clock {
    const struct clock *monotonic;
    const struct clock *wall;
    int64_t ahead_ns;   /* the wall clock, of the monotonic one */
    uint64_t looked_ns; /* when the clocks were read last, and the time before */
    uint64_t before_ns;
    uint64_t steps;   /* times that the wall clock was set */
    uint32_t strange; /* impossible stamps, in a row */
    bool stands;      /* the wall clock was not set before the clocks were read last */
    bool is_apart;    /* the kernel's stamps are of another clock */
};

/* Of one connection. */
struct kernel_clock_line {
    uint64_t steps;    /* of the clock, that all that is still to be read has come after */
    uint64_t empty_ns; /* nothing was left to be read then, or later; 0: not known */
};

void kernel_clock_init(struct kernel_clock *clock, const struct clock *monotonic, const struct clock *wall);

/* For a connection that begins. */
void kernel_clock_begin(const struct kernel_clock *clock, struct kernel_clock_line *line);

/* To be called after each read, when the monotonic clock has shown `now_ns`. */
void kernel_clock_look(struct kernel_clock *clock, uint64_t now_ns);

/* When a part of what was just read has arrived. `stamp_ns` is that of its last bytes, 0 when it has none. */
struct arrived kernel_clock_place(struct kernel_clock *clock, const struct kernel_clock_line *line,
                                  uint64_t stamp_ns);

/* Nothing was left to be read behind it; to be called when all of it was placed. */
void kernel_clock_emptied(const struct kernel_clock *clock, struct kernel_clock_line *line);

#endif
