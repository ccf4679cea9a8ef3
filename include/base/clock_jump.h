/* Whether clocks that go the same way have gone apart: the wall clock when somebody has set it, the monotonic
 * one, by which everything is measured, when the machine was suspended, for then it stands. */
#ifndef HARNESSD_BASE_CLOCK_JUMP_H
#define HARNESSD_BASE_CLOCK_JUMP_H

#include <stdint.h>

/* What they have shown at one moment. */
struct clock_times {
    int64_t monotonic_ns;
    int64_t boot_ns; /* goes on in a suspended machine (CLOCK_BOOTTIME) */
    int64_t wall_ns; /* likewise, but for being set */
};

struct clock_times clock_times_now(void);

struct clock_jump {
    int64_t suspended_ns;
    int64_t moved_ns; /* below 0 when the wall clock was set back */
};

/* Between two moments. */
static inline struct clock_jump clock_jump_between(const struct clock_times *earlier,
                                                   const struct clock_times *later)
{
    int64_t monotonic_ns = later->monotonic_ns - earlier->monotonic_ns;
    int64_t boot_ns = later->boot_ns - earlier->boot_ns;
    int64_t wall_ns = later->wall_ns - earlier->wall_ns;
    return (struct clock_jump){.suspended_ns = boot_ns - monotonic_ns, .moved_ns = wall_ns - boot_ns};
}

#endif
