#include "base/loop_minute.h"

#include "base/clock.h"

static void loop_minute_on_second(void *owner)
{
    struct loop_minute *minute = owner;
    minute->index = (minute->index + 1) % LOOP_MINUTE_S;
    minute->cpu_ns[minute->index] = minute->lag.most_cpu_ns;
    minute->lag.most_cpu_ns = 0;
    minute->clock_ns[minute->index] = loop_take_lag(&minute->lag);
    loop_timer_set(&minute->second, CLOCK_NS_PER_S);
}

void loop_minute_begin(struct loop_minute *minute, struct loop *loop)
{
    minute->loop = loop;
    loop_watch_lag(loop, &minute->lag);
    loop_timer_init(&minute->second, loop, loop_minute_on_second, minute);
    loop_timer_set(&minute->second, CLOCK_NS_PER_S);
}

void loop_minute_end(struct loop_minute *minute)
{
    loop_unwatch_lag(minute->loop, &minute->lag);
    loop_timer_free(&minute->second);
}

static uint64_t loop_minute_most(const uint64_t seconds[LOOP_MINUTE_S], uint64_t most)
{
    for (size_t i = 0; i < LOOP_MINUTE_S; i++)
        if (seconds[i] > most)
            most = seconds[i];
    return most;
}

uint64_t loop_minute_clock_ns(const struct loop_minute *minute)
{
    return loop_minute_most(minute->clock_ns, minute->lag.most_ns);
}

uint64_t loop_minute_cpu_ns(const struct loop_minute *minute)
{
    return loop_minute_most(minute->cpu_ns, minute->lag.most_cpu_ns);
}
