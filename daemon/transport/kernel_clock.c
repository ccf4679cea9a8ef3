#include "transport/kernel_clock.h"

/* Clocks are read again when that has taken longer than this, as it does when something else gets the
 * processor in between. */
#define KERNEL_CLOCK_READ_NS (2 * CLOCK_NS_PER_US)
#define KERNEL_CLOCK_TRIES 20

/* How far the wall clock is ahead, as exactly as can be. */
static int64_t kernel_clock_compare(const struct kernel_clock *clock)
{
    uint64_t least_ns = UINT64_MAX;
    int64_t ahead_ns = 0;
    for (int tries = 0; tries < KERNEL_CLOCK_TRIES && least_ns > KERNEL_CLOCK_READ_NS; tries++) {
        uint64_t before_ns = clock_read(clock->monotonic);
        uint64_t wall_ns = clock_read(clock->wall);
        uint64_t took_ns = clock_read(clock->monotonic) - before_ns;
        if (took_ns >= least_ns)
            continue;
        least_ns = took_ns;
        ahead_ns = (int64_t)(wall_ns - before_ns - took_ns / 2);
    }
    return ahead_ns;
}

static bool kernel_clock_is_near(int64_t a, int64_t b)
{
    return a - b <= KERNEL_CLOCK_STEP_NS && b - a <= KERNEL_CLOCK_STEP_NS;
}

void kernel_clock_init(struct kernel_clock *clock, const struct clock *monotonic, const struct clock *wall)
{
    *clock = (struct kernel_clock){.monotonic = monotonic, .wall = wall};
    clock->ahead_ns = kernel_clock_compare(clock);
}

void kernel_clock_begin(const struct kernel_clock *clock, struct kernel_clock_line *line)
{
    *line = (struct kernel_clock_line){.steps = clock->steps};
}

/* Whether the wall clock is where it was. That this thread had no processor between the two readings looks
 * like a step, so that they are compared again. */
static bool kernel_clock_stands(struct kernel_clock *clock, uint64_t now_ns)
{
    int64_t ahead_ns = (int64_t)(clock_read(clock->wall) - now_ns);
    if (kernel_clock_is_near(ahead_ns, clock->ahead_ns))
        return true;
    ahead_ns = kernel_clock_compare(clock);
    if (kernel_clock_is_near(ahead_ns, clock->ahead_ns))
        return true;
    clock->ahead_ns = ahead_ns;
    clock->steps++;
    return false;
}

void kernel_clock_look(struct kernel_clock *clock, uint64_t now_ns)
{
    clock->before_ns = clock->looked_ns;
    clock->looked_ns = now_ns;
    clock->stands = !clock->is_apart && kernel_clock_stands(clock, now_ns);
}

static void kernel_clock_doubt(struct kernel_clock *clock)
{
    clock->is_apart = ++clock->strange >= KERNEL_CLOCK_STRANGE;
}

struct arrived kernel_clock_place(struct kernel_clock *clock, const struct kernel_clock_line *line,
                                  uint64_t stamp_ns)
{
    const int64_t earliest_ns = (int64_t)line->empty_ns, latest_ns = (int64_t)clock->looked_ns;
    int64_t at_ns = (int64_t)stamp_ns - clock->ahead_ns;
    if (!stamp_ns || !clock->stands || clock->is_apart || line->steps != clock->steps)
        return (struct arrived){.ns = clock->looked_ns};
    if (at_ns < earliest_ns - KERNEL_CLOCK_STEP_NS || at_ns > latest_ns + KERNEL_CLOCK_STEP_NS) {
        kernel_clock_doubt(clock);
        return (struct arrived){.ns = clock->looked_ns};
    }
    clock->strange = 0;
    at_ns = at_ns < earliest_ns ? earliest_ns : at_ns > latest_ns ? latest_ns : at_ns;
    return (struct arrived){.ns = (uint64_t)at_ns, .by_kernel = true};
}

/* Where the clock was set, that may have been between the read and the look, and more have come before it: so
 * it is not taken for empty then. */
void kernel_clock_emptied(const struct kernel_clock *clock, struct kernel_clock_line *line)
{
    if (!clock->stands)
        return;
    line->steps = clock->steps;
    line->empty_ns = clock->before_ns;
}
