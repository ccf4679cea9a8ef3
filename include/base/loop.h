/* The one event loop. A pass waits for events, runs their callbacks, then runs what was deferred; that is
 * when connections write what the pass has queued and when closed objects are freed, so that no callback ever
 * frees what another one of the same pass still holds. */
#ifndef HARNESSD_BASE_LOOP_H
#define HARNESSD_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include <event2/event.h>

struct loop {
    struct event_base *base;
    struct loop_task *first; /* deferred, in order */
    struct loop_task **last;
    bool stopping;
    bool gathering; /* see loop_gather() */
};

/* Says that much more of what this pass was about is on its way, so that the next pass may begin
 * LOOP_GATHER_NS after this one at the earliest. Being woken for every few bytes costs both sides more than
 * the bytes do. */
#define LOOP_GATHER_NS 50000
static inline void loop_gather(struct loop *loop)
{
    loop->gathering = true;
}

/* Work for the end of the pass, embedded in the object that it is about. */
struct loop_task {
    void (*run)(void *owner);
    void *owner;
    struct loop_task *next;
    bool queued;
};

/* A timer, embedded in its owner; it fires once each time it is set. */
struct loop_timer {
    struct event *event;
    struct loop *loop;
    void (*fire)(void *owner);
    void *owner;
};

void loop_init(struct loop *loop);
void loop_free(struct loop *loop);

/* Runs passes until loop_stop() was called. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* Runs what was deferred since the last pass: for the end of the program. */
void loop_finish(struct loop *loop);

/* Runs `task` at the end of this pass, once however often it was deferred. A task that a task defers runs at
 * the end of the same pass. */
void loop_defer(struct loop *loop, struct loop_task *task);

/* Takes a task back, so that its owner may be freed by somebody else. */
void loop_cancel(struct loop *loop, struct loop_task *task);

void loop_timer_init(struct loop_timer *timer, struct loop *loop, void (*fire)(void *owner), void *owner);

/* Fires in `delay_ns` from now, and no longer when it was set to before. */
void loop_timer_set(struct loop_timer *timer, uint64_t delay_ns);
void loop_timer_stop(struct loop_timer *timer);
void loop_timer_free(struct loop_timer *timer);

#endif
