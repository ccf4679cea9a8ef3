#include "base/loop.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

/* libevent writes to standard error by itself otherwise. */
static void loop_on_libevent_message(int severity, const char *message)
{
    if (severity == EVENT_LOG_ERR)
        log_error("libevent", log_string("message", message));
    else if (severity == EVENT_LOG_WARN)
        log_warning("libevent", log_string("message", message));
    else
        log_debug("libevent", log_string("message", message));
}

void loop_init(struct loop *loop)
{
    event_set_log_callback(loop_on_libevent_message);
    *loop = (struct loop){.last = &loop->first, .later_last = &loop->later, .pass = 1};
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

static void loop_run_deferred(struct loop *loop)
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

/* What was left for this pass runs before what it has deferred itself. */
static void loop_take_later(struct loop *loop)
{
    if (!loop->later)
        return;
    *loop->later_last = loop->first;
    if (!loop->first)
        loop->last = loop->later_last;
    loop->first = loop->later;
    loop->later = NULL;
    loop->later_last = &loop->later;
}

static uint64_t loop_later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void loop_add_lag(struct loop_lag *lag, uint64_t from_ns, uint64_t to_ns)
{
    uint64_t took = to_ns - loop_later(from_ns, lag->from_ns);
    if (took > lag->most_ns)
        lag->most_ns = took;
    lag->busy_ns += took;
    if (took > LOOP_LATE_NS)
        lag->late_ns += took;
}

static void loop_note_lag(struct loop *loop)
{
    loop->rested_ns = clock_ns();
    for (struct loop_lag *lag = loop->lags; lag; lag = lag->next)
        loop_add_lag(lag, loop->pass_ns, loop->rested_ns);
}

static void loop_end_pass(struct loop *loop)
{
    loop_take_later(loop);
    if (loop->first)
        loop_enter(loop);
    loop_run_deferred(loop);
    loop->pass++;
    if (loop->pass_ns)
        loop_note_lag(loop);
    loop->pass_ns = 0;
}

static void loop_gather_pause(struct loop *loop)
{
    struct timespec pause = {.tv_nsec = LOOP_GATHER_NS};
    loop->gathering = false;
    (void)nanosleep(&pause, NULL);
}

void loop_run_pass(struct loop *loop)
{
    event_base_loop(loop->base, EVLOOP_ONCE | (loop->first || loop->later ? EVLOOP_NONBLOCK : 0));
    loop_end_pass(loop);
}

void loop_run(struct loop *loop)
{
    (void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); /* else short sleeps take twice as long */
    loop_end_pass(loop);
    while (!loop->stopping) {
        loop_run_pass(loop);
        if (loop->gathering && !loop->later)
            loop_gather_pause(loop);
    }
}

void loop_finish(struct loop *loop)
{
    do {
        loop_end_pass(loop);
    } while (loop->later);
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

void loop_defer_next(struct loop *loop, struct loop_task *task)
{
    assert(task->run);
    if (task->queued)
        return;
    task->queued = true;
    task->next = NULL;
    *loop->later_last = task;
    loop->later_last = &task->next;
}

/* False when it is not in this list. */
static bool loop_take_back(struct loop_task **first, struct loop_task ***last, struct loop_task *task)
{
    struct loop_task **link = first;
    while (*link && *link != task)
        link = &(*link)->next;
    if (!*link)
        return false;
    *link = task->next;
    if (*last == &task->next)
        *last = link;
    return true;
}

void loop_cancel(struct loop *loop, struct loop_task *task)
{
    if (!task->queued)
        return;
    bool found = loop_take_back(&loop->first, &loop->last, task) ||
                 loop_take_back(&loop->later, &loop->later_last, task);
    assert(found);
    task->queued = false;
}

/* --- Lag --- */

/* Passes since it was due have had their own time. */
static void loop_note_wait(const struct loop *loop, struct loop_lag *lag)
{
    uint64_t from_ns = loop_later(lag->due_ns, loop_later(loop->rested_ns, lag->from_ns));
    if (lag->due_ns && loop->pass_ns > from_ns && loop->pass_ns - from_ns > LOOP_LATE_NS)
        lag->late_ns += loop->pass_ns - from_ns;
}

void loop_begin_pass(struct loop *loop)
{
    if (loop->pass_ns)
        return;
    loop->pass_ns = clock_ns();
    for (struct loop_lag *lag = loop->lags; lag; lag = lag->next)
        loop_note_wait(loop, lag);
}

void loop_watch_lag(struct loop *loop, struct loop_lag *lag)
{
    loop_unwatch_lag(loop, lag); /* in case that it does already */
    *lag = (struct loop_lag){.from_ns = clock_ns(), .next = loop->lags};
    loop->lags = lag;
}

void loop_unwatch_lag(struct loop *loop, struct loop_lag *lag)
{
    struct loop_lag **link = &loop->lags;
    while (*link && *link != lag)
        link = &(*link)->next;
    if (!*link)
        return;
    *link = lag->next;
    if (loop->pass_ns)
        loop_add_lag(lag, loop->pass_ns, clock_ns());
}

uint64_t loop_take_lag(struct loop_lag *lag)
{
    uint64_t most = lag->most_ns;
    lag->most_ns = 0;
    return most;
}
