#include "base/loop.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "loop_private.h"

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
    *loop = (struct loop){.now.last = &loop->now.first,
                          .later.last = &loop->later.first,
                          .row = LOOP_ROW_OTHERS, /* runs are next */
                          .pass = 1};
    for (size_t i = 0; i < LOOP_ROWS; i++)
        loop->rows[i].last = &loop->rows[i].first;
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

/* --- Tasks --- */

static void loop_append(struct loop_queue *queue, struct loop_task *task)
{
    assert(task->run);
    if (task->queued)
        return;
    task->queued = true;
    task->next = NULL;
    *queue->last = task;
    queue->last = &task->next;
    queue->count++;
}

/* False when it is not in this queue. */
static bool loop_take_out(struct loop_queue *queue, struct loop_task *task)
{
    struct loop_task **link = &queue->first;
    while (*link && *link != task)
        link = &(*link)->next;
    if (!*link)
        return false;
    *link = task->next;
    if (queue->last == &task->next)
        queue->last = link;
    queue->count--;
    task->queued = false;
    return true;
}

static void loop_run_first(struct loop_queue *queue)
{
    struct loop_task *task = queue->first;
    (void)loop_take_out(queue, task);
    task->run(task->owner);
}

static void loop_run_deferred(struct loop *loop)
{
    while (loop->now.first)
        loop_run_first(&loop->now);
}

/* What was left for this pass runs before what it has deferred itself. */
static void loop_take_later(struct loop *loop)
{
    struct loop_queue *now = &loop->now, *later = &loop->later;
    if (!later->first)
        return;
    *later->last = now->first;
    if (!now->first)
        now->last = later->last;
    now->first = later->first;
    now->count += later->count;
    *later = (struct loop_queue){.last = &later->first};
}

static bool loop_has_pieces(const struct loop *loop)
{
    return loop->rows[LOOP_ROW_RUNS].first || loop->rows[LOOP_ROW_OTHERS].first;
}

/* The next row of which somebody is left for this pass. */
static bool loop_choose_row(struct loop *loop, const size_t left[LOOP_ROWS])
{
    for (size_t i = 1; i <= LOOP_ROWS; i++) {
        const enum loop_row row = (loop->row + i) % LOOP_ROWS;
        if (!left[row] || !loop->rows[row].first)
            continue;
        loop->row = row;
        return true;
    }
    return false;
}

/* What a piece defers as the next one is for another pass. */
static void loop_run_pieces(struct loop *loop)
{
    size_t left[LOOP_ROWS];
    if (!loop_has_pieces(loop))
        return;
    for (size_t i = 0; i < LOOP_ROWS; i++)
        left[i] = loop->rows[i].count;
    (void)loop_has_time(loop); /* it begins now, if it has not before; there is always time for one */
    while (loop_choose_row(loop, left)) {
        left[loop->row]--;
        loop_run_first(&loop->rows[loop->row]);
        if (!loop_has_time(loop))
            return;
    }
}

void loop_defer(struct loop *loop, struct loop_task *task)
{
    loop_append(&loop->now, task);
}

void loop_defer_next(struct loop *loop, struct loop_task *task)
{
    loop_append(&loop->later, task);
}

bool loop_has_time(struct loop *loop)
{
    const uint64_t now_ns = clock_ns();
    if (loop->pieces_pass != loop->pass) {
        loop->pieces_pass = loop->pass;
        loop->pieces_ns = now_ns;
    }
    return now_ns - loop->pieces_ns < LOOP_SHARE_NS;
}

void loop_defer_piece(struct loop *loop, struct loop_task *task)
{
    loop_append(&loop->rows[LOOP_ROW_OTHERS], task);
}

void loop_defer_turn(struct loop *loop, struct loop_task *task)
{
    loop_append(&loop->rows[LOOP_ROW_RUNS], task);
}

void loop_cancel(struct loop *loop, struct loop_task *task)
{
    if (!task->queued)
        return;
    bool found = loop_take_out(&loop->now, task) || loop_take_out(&loop->later, task);
    for (size_t i = 0; i < LOOP_ROWS && !found; i++)
        found = loop_take_out(&loop->rows[i], task);
    assert(found);
}

/* --- Passes --- */

static uint64_t loop_later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t loop_earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void loop_add_absence(struct loop_lag *lag, uint64_t took_ns)
{
    const uint64_t us = took_ns / CLOCK_NS_PER_US;
    const size_t octave = us ? 63 - (size_t)__builtin_clzll(us) : 0;
    struct loop_absence *absence = &lag->absences[octave < LOOP_LAG_OCTAVES ? octave : LOOP_LAG_OCTAVES - 1];
    absence->count++;
    absence->ns += took_ns;
}

static void loop_add_lag(struct loop_lag *lag, uint64_t from_ns, uint64_t to_ns)
{
    uint64_t took = to_ns - loop_later(from_ns, lag->from_ns);
    loop_add_absence(lag, took);
    if (took > lag->most_ns)
        lag->most_ns = took;
    lag->busy_ns += took;
    if (took > LOOP_LATE_NS)
        lag->late_ns += took;
}

/* What this thread has used of a processor. */
static uint64_t loop_thread_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec;
}

/* What it is for short passes does not matter. */
static uint64_t loop_read_cpu(struct loop *loop, uint64_t took_ns)
{
    loop->unread_ns += took_ns;
    if (loop->unread_ns < LOOP_READ_NS)
        return 0;
    const uint64_t now_ns = loop_thread_ns(), used_ns = now_ns - loop->thread_ns;
    loop->thread_ns = now_ns;
    loop->unread_ns = 0;
    return used_ns < took_ns ? used_ns : took_ns;
}

static void loop_note_lag(struct loop *loop)
{
    loop->rested_ns = clock_ns();
    const uint64_t cpu_ns = loop_read_cpu(loop, loop->rested_ns - loop->pass_ns);
    for (struct loop_lag *lag = loop->lags; lag; lag = lag->next) {
        loop_add_lag(lag, loop->pass_ns, loop->rested_ns);
        lag->most_cpu_ns = loop_later(lag->most_cpu_ns, cpu_ns);
    }
}

static void loop_end_pass(struct loop *loop)
{
    loop_take_later(loop);
    if (loop->now.first || loop_has_pieces(loop))
        loop_enter(loop);
    loop_run_deferred(loop);
    loop_run_pieces(loop);
    loop_run_deferred(loop);
    loop->pass++;
    if (loop->pass_ns)
        loop_note_lag(loop);
    loop->pass_ns = 0;
}

/* Those who watch have the end of the pass noted. What was gathered is to be done with when something is due.
 */
uint64_t loop_rest_ns(const struct loop *loop)
{
    const uint64_t least_ns = loop_earlier(loop->gather_ns, LOOP_GATHER_SHARED_NS);
    uint64_t rest_ns = loop->gather_ns;
    for (const struct loop_lag *lag = loop->lags; lag; lag = lag->next) {
        const uint64_t until_ns = loop->rested_ns + LOOP_GATHER_SHARED_NS;
        if (lag->is_hurried || (lag->due_ns && lag->due_ns < until_ns + least_ns))
            return least_ns;
        if (lag->due_ns)
            rest_ns = loop_earlier(rest_ns, lag->due_ns - until_ns);
    }
    return rest_ns;
}

static void loop_gather_pause(struct loop *loop)
{
    const uint64_t rest_ns = loop_rest_ns(loop);
    struct timespec pause = {.tv_nsec = (long)rest_ns};
    for (struct loop_lag *lag = loop->lags; lag; lag = lag->next)
        loop_add_absence(lag, rest_ns);
    (void)nanosleep(&pause, NULL);
}

/* Whether there is something to do without an event. */
static bool loop_is_busy(const struct loop *loop)
{
    return loop->now.first || loop->later.first || loop_has_pieces(loop);
}

void loop_run_pass(struct loop *loop)
{
    event_base_loop(loop->base, EVLOOP_ONCE | (loop_is_busy(loop) ? EVLOOP_NONBLOCK : 0));
    loop_end_pass(loop);
}

void loop_run(struct loop *loop)
{
    (void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); /* else short sleeps take twice as long */
    loop_end_pass(loop);
    while (!loop->stopping) {
        loop->gather_ns = 0;
        loop_run_pass(loop);
        if (loop->gather_ns && !loop_is_busy(loop))
            loop_gather_pause(loop);
    }
}

void loop_finish(struct loop *loop)
{
    do {
        loop_end_pass(loop);
    } while (loop_is_busy(loop));
}

void loop_stop(struct loop *loop)
{
    loop->stopping = true;
}

/* --- Lag --- */

static void loop_add_late(struct loop_lag *lag, uint64_t late_ns)
{
    lag->late_ns += late_ns;
    loop_add_absence(lag, late_ns);
}

/* Passes since it was due have had their own time. */
static void loop_note_wait(const struct loop *loop, struct loop_lag *lag)
{
    uint64_t from_ns = loop_later(lag->due_ns, loop_later(loop->rested_ns, lag->from_ns));
    if (lag->due_ns && loop->pass_ns > from_ns && loop->pass_ns - from_ns > LOOP_LATE_NS)
        loop_add_late(lag, loop->pass_ns - from_ns);
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
    if (!loop->lags)
        loop->thread_ns = loop_thread_ns();
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

/* The share that has waited for longer than that: who comes while the loop is away waits for what is left of
 * that. Absences of one octave are taken as if all of them were as long as their mean. */
static double loop_lag_beyond(const struct loop_lag *lag, double wait_ns, double watched_ns, double share)
{
    double sum = 0;
    for (size_t i = 0; i < LOOP_LAG_OCTAVES; i++) {
        double count = (double)lag->absences[i].count;
        double beyond = ((double)lag->absences[i].ns - count * wait_ns) / watched_ns;
        if (beyond > 0)
            sum += beyond < count * share ? beyond : count * share;
    }
    return sum;
}

uint64_t loop_lag_wait_ns(const struct loop_lag *lag, uint64_t watched_ns, double share, double quantile)
{
    const double watched = (double)watched_ns;
    double low = 0, high = watched;
    if (loop_lag_beyond(lag, 0, watched, share) <= 1 - quantile)
        return 0;
    while (high - low > (double)CLOCK_NS_PER_US) {
        double middle = (low + high) / 2;
        if (loop_lag_beyond(lag, middle, watched, share) > 1 - quantile)
            low = middle;
        else
            high = middle;
    }
    return (uint64_t)high;
}

uint64_t loop_take_lag(struct loop_lag *lag)
{
    uint64_t most = lag->most_ns;
    lag->most_ns = 0;
    return most;
}
