#include "base/clock.h"

#include <time.h>

static uint64_t clock_read_id(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t clock_ns(void)
{
    return clock_read_id(CLOCK_MONOTONIC);
}

uint64_t clock_wall_ns(void)
{
    return clock_read_id(CLOCK_REALTIME);
}

uint64_t clock_wall_us(void)
{
    return clock_wall_ns() / CLOCK_NS_PER_US;
}

static uint64_t clock_read_machine(void *owner)
{
    (void)owner;
    return clock_ns();
}

static uint64_t clock_read_machine_wall(void *owner)
{
    (void)owner;
    return clock_wall_ns();
}

const struct clock clock_machine_wall = {.ns = clock_read_machine_wall};
const struct clock clock_machine = {.ns = clock_read_machine};
