#include "base/loop.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

void loop_init(struct loop *loop)
{
    *loop = (struct loop){.last = &loop->first};
    struct event_config *config = event_config_new();
    if (config)
        event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    loop->base = config ? event_base_new_with_config(config) : NULL;
    if (config)
        event_config_free(config);
    if (!loop->base) {
        log_error("cannot make an event loop");
        abort();
    }
}

void loop_free(struct loop *loop)
{
    event_base_free(loop->base);
}

static void run_deferred(struct loop *loop)
{
    while (loop->first) {
        struct loop_task *task = loop->first;
        loop->first = task->next;
        if (!loop->first)
            loop->last = &loop->first;
        task->queued = false;
        task->run(task->owner);
    }
}

static void gather(struct loop *loop)
{
    struct timespec pause = {.tv_nsec = LOOP_GATHER_NS};
    loop->gathering = false;
    (void)nanosleep(&pause, NULL);
}

void loop_run(struct loop *loop)
{
    (void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); /* else short sleeps take twice as long */
    run_deferred(loop);
    while (!loop->stopping) {
        event_base_loop(loop->base, EVLOOP_ONCE);
        run_deferred(loop);
        if (loop->gathering)
            gather(loop);
    }
}

void loop_finish(struct loop *loop)
{
    run_deferred(loop);
}

void loop_stop(struct loop *loop)
{
    loop->stopping = true;
}

void loop_defer(struct loop *loop, struct loop_task *task)
{
    assert(task->run);
    if (task->queued)
        return;
    task->queued = true;
    task->next = NULL;
    *loop->last = task;
    loop->last = &task->next;
}

void loop_cancel(struct loop *loop, struct loop_task *task)
{
    if (!task->queued)
        return;
    struct loop_task **link = &loop->first;
    while (*link != task)
        link = &(*link)->next;
    *link = task->next;
    if (loop->last == &task->next)
        loop->last = link;
    task->queued = false;
}

static void timer_fired(evutil_socket_t unused, short events, void *argument)
{
    (void)unused;
    (void)events;
    struct loop_timer *timer = argument;
    timer->fire(timer->owner);
}

void loop_timer_init(struct loop_timer *timer, struct loop *loop, void (*fire)(void *owner), void *owner)
{
    *timer = (struct loop_timer){.loop = loop, .fire = fire, .owner = owner};
    timer->event = evtimer_new(loop->base, timer_fired, timer);
    if (!timer->event) {
        log_error("cannot make a timer");
        abort();
    }
}

void loop_timer_set(struct loop_timer *timer, uint64_t delay_ns)
{
    struct timeval delay = {.tv_sec = (time_t)(delay_ns / CLOCK_NS_PER_S),
                            .tv_usec = (suseconds_t)(delay_ns % CLOCK_NS_PER_S / CLOCK_NS_PER_US)};
    evtimer_add(timer->event, &delay);
}

void loop_timer_stop(struct loop_timer *timer)
{
    evtimer_del(timer->event);
}

void loop_timer_free(struct loop_timer *timer)
{
    if (timer->event)
        event_free(timer->event);
    timer->event = NULL;
}
