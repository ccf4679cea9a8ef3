/* A clock that only the test moves, and the loop's timers by it. It stands in for base/clock.h and the timers
 * of base/loop.h, in the one file of a test that includes it. */
#ifndef HARNESSD_TESTS_WORLD_CLOCK_H
#define HARNESSD_TESTS_WORLD_CLOCK_H

#include "base/clock.h"
#include "base/loop.h"

#define WORLD_TIMERS 64

static struct {
    uint64_t now_ns;
    size_t count;
    struct {
        struct loop_timer *timer;
        uint64_t due_ns;
    } set[WORLD_TIMERS];
} world_clock = {.now_ns = 1000 * CLOCK_NS_PER_S};

uint64_t clock_ns(void)
{
    return world_clock.now_ns;
}

uint64_t clock_wall_us(void)
{
    return world_clock.now_ns / CLOCK_NS_PER_US;
}

uint64_t clock_wall_ns(void)
{
    return world_clock.now_ns;
}

static uint64_t world_read_clock(void *owner)
{
    (void)owner;
    return world_clock.now_ns;
}

const struct clock clock_machine = {.ns = world_read_clock};
const struct clock clock_machine_wall = {.ns = world_read_clock};

void loop_timer_init(struct loop_timer *timer, struct loop *loop, void (*fire)(void *owner), void *owner)
{
    *timer = (struct loop_timer){.loop = loop, .fire = fire, .owner = owner, .descriptor = -1};
}

void loop_timer_init_precise(struct loop_timer *timer, struct loop *loop, void (*fire)(void *owner),
                             void *owner)
{
    loop_timer_init(timer, loop, fire, owner);
}

void loop_timer_stop(struct loop_timer *timer)
{
    for (size_t i = 0; i < world_clock.count; i++) {
        if (world_clock.set[i].timer == timer) {
            world_clock.set[i] = world_clock.set[--world_clock.count];
            return;
        }
    }
}

void loop_timer_set(struct loop_timer *timer, uint64_t delay_ns)
{
    loop_timer_stop(timer);
    assert_true(world_clock.count < WORLD_TIMERS);
    world_clock.set[world_clock.count].timer = timer;
    world_clock.set[world_clock.count++].due_ns = world_clock.now_ns + delay_ns;
}

void loop_timer_free(struct loop_timer *timer)
{
    loop_timer_stop(timer);
}

/* The position of the timer that is due first, of those that are due by then; -1 when none is. */
static inline int world_first_due(uint64_t until_ns)
{
    int first = -1;
    for (size_t i = 0; i < world_clock.count; i++) {
        uint64_t due_ns = world_clock.set[i].due_ns;
        if (due_ns <= until_ns && (first < 0 || due_ns < world_clock.set[first].due_ns))
            first = (int)i;
    }
    return first;
}

/* Moves the clock. What is due fires, and what that defers runs; sockets are left alone. */
static inline void world_advance(uint64_t delay_ns)
{
    uint64_t until_ns = world_clock.now_ns + delay_ns;
    for (int due; (due = world_first_due(until_ns)) >= 0;) {
        struct loop_timer *timer = world_clock.set[due].timer;
        struct loop *loop = timer->loop; /* the timer may be gone afterwards */
        world_clock.now_ns = world_clock.set[due].due_ns;
        loop_timer_stop(timer);
        timer->fire(timer->owner);
        loop_finish(loop);
    }
    world_clock.now_ns = until_ns;
}

#endif
