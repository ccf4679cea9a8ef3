#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"

/* Rounded up to what libevent takes. */
static void timer_add(const struct loop_timer *timer, uint64_t delay_ns)
{
    const uint64_t delay_us = (delay_ns + CLOCK_NS_PER_US - 1) / CLOCK_NS_PER_US;
    const uint64_t us_per_s = CLOCK_NS_PER_S / CLOCK_NS_PER_US;
    const struct timeval delay = {.tv_sec = (time_t)(delay_us / us_per_s),
                                  .tv_usec = (suseconds_t)(delay_us % us_per_s)};
    evtimer_add(timer->event, &delay);
}

/* libevent's clock is a coarse one, which is behind by as much as a tick when a timer is set. */
static void timer_fired(evutil_socket_t unused, short events, void *argument)
{
    (void)unused;
    (void)events;
    struct loop_timer *timer = argument;
    loop_enter(timer->loop);
    const uint64_t now_ns = clock_ns();
    if (now_ns < timer->due_ns)
        timer_add(timer, timer->due_ns - now_ns);
    else
        timer->fire(timer->owner);
}

/* A timer that was stopped or set anew since the kernel said that it is due has nothing to read. */
static void timer_precise_fired(evutil_socket_t descriptor, short events, void *argument)
{
    (void)events;
    struct loop_timer *timer = argument;
    uint64_t times;
    loop_enter(timer->loop);
    if (read(descriptor, &times, sizeof(times)) == (ssize_t)sizeof(times))
        timer->fire(timer->owner);
}

static NO_RETURN void timer_cannot_make(const char *reason)
{
    log_error("cannot make a timer", log_string("reason", reason));
    abort();
}

void loop_timer_init(struct loop_timer *timer, struct loop *loop, void (*fire)(void *owner), void *owner)
{
    *timer = (struct loop_timer){.loop = loop, .fire = fire, .owner = owner, .descriptor = -1};
    timer->event = evtimer_new(loop->base, timer_fired, timer);
    if (!timer->event)
        timer_cannot_make("no event");
}

void loop_timer_init_precise(struct loop_timer *timer, struct loop *loop, void (*fire)(void *owner),
                             void *owner)
{
    *timer = (struct loop_timer){.loop = loop, .fire = fire, .owner = owner};
    timer->descriptor = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (timer->descriptor < 0) {
        log_warning("no descriptor for a precise timer", log_string("reason", strerror(errno)));
        loop_timer_init(timer, loop, fire, owner);
        return;
    }
    timer->event = event_new(loop->base, timer->descriptor, EV_READ | EV_PERSIST, timer_precise_fired, timer);
    if (!timer->event || event_add(timer->event, NULL) != 0)
        timer_cannot_make("no event");
}

/* 0 disarms. */
static void timer_set_descriptor(const struct loop_timer *timer, uint64_t delay_ns)
{
    struct itimerspec when = {.it_value = {.tv_sec = (time_t)(delay_ns / CLOCK_NS_PER_S),
                                           .tv_nsec = (long)(delay_ns % CLOCK_NS_PER_S)}};
    int failed = timerfd_settime(timer->descriptor, 0, &when, NULL);
    assert(!failed);
}

void loop_timer_set(struct loop_timer *timer, uint64_t delay_ns)
{
    if (timer->descriptor >= 0) {
        timer_set_descriptor(timer, delay_ns ? delay_ns : 1);
        return;
    }
    timer->due_ns = clock_ns() + delay_ns;
    timer_add(timer, delay_ns);
}

void loop_timer_stop(struct loop_timer *timer)
{
    if (timer->descriptor >= 0)
        timer_set_descriptor(timer, 0);
    else
        evtimer_del(timer->event);
}

void loop_timer_free(struct loop_timer *timer)
{
    if (!timer->event)
        return;
    event_free(timer->event);
    if (timer->descriptor >= 0)
        close(timer->descriptor);
    timer->event = NULL;
}
