#include "base/clock_jump.h"

#include <time.h>

#include "base/clock.h"

/* Three clocks are never read at once: they are read again when that has taken too long, as it does when
 * something else gets the processor in between. */
#define CLOCK_JUMP_READ_NS ((int64_t)CLOCK_NS_PER_MS)
#define CLOCK_JUMP_TRIES 20

static int64_t clock_jump_read(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * (int64_t)CLOCK_NS_PER_S + now.tv_nsec;
}

struct clock_times clock_times_now(void)
{
    struct clock_times times;
    int64_t taken_ns = CLOCK_JUMP_READ_NS;
    for (int tries = 0; tries < CLOCK_JUMP_TRIES && taken_ns >= CLOCK_JUMP_READ_NS; tries++) {
        times.monotonic_ns = clock_jump_read(CLOCK_MONOTONIC);
        times.boot_ns = clock_jump_read(CLOCK_BOOTTIME);
        times.wall_ns = clock_jump_read(CLOCK_REALTIME);
        taken_ns = clock_jump_read(CLOCK_MONOTONIC) - times.monotonic_ns;
    }
    return times;
}
