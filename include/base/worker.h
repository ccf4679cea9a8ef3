/* Threads for what would stop the loop: writing, reading and syncing files, and work of many milliseconds.
 * Jobs are done in turns of who has asked for them (fair_queue.h), those of nobody in the order in which they
 * were queued, one at a time. */
#ifndef HARNESSD_BASE_WORKER_H
#define HARNESSD_BASE_WORKER_H

#include <stdbool.h>

#include "base/fair_queue.h"
#include "base/loop.h"

/* Embedded in whatever the work is about, zero but for the two functions, and for what a turn begins with,
 * when it is queued. */
struct worker_job {
    /* Called by the thread. It may look at nothing but what belongs to the job, and must not log: neither the
     * log nor anything of the loop knows of a second thread. */
    void (*work)(struct worker_job *job);

    /* Called by the loop when that is done, as a piece (loop_defer_piece()); it may free the job and queue
     * others. */
    void (*done)(struct worker_job *job);

    bool is_dropped; /* it was not begun, see worker_drop() */
    struct fair_item turn;
    struct worker_job *next;
};

struct worker;

struct worker *worker_new(struct loop *loop);

/* Does all that was queued, and what that queues in turn, waiting for it, and ends the thread. */
void worker_free(struct worker *worker);

void worker_queue(struct worker *worker, struct worker_job *job);

/* Of a job that was queued: nobody wants it any more. If it was not begun it never is, and `done` is called
 * soon, by the loop. */
void worker_drop(struct worker *worker, struct worker_job *job);

/* The threads of a loop for work that is pure but long: what one caller has sent that is large is read,
 * checked and freed there, so that others do not wait. There are two, and one of them does nothing that takes
 * long: what is short waits for nothing long but what its own caller has asked for before. They are made when
 * they are first asked for, which a program does at its start: without threads it cannot go on. */
struct worker *worker_aside(struct loop *loop);

/* Does all that they have to do, and what that leads to, if there are any. */
void worker_finish_aside(struct loop *loop);

/* The same, and ends them. */
void worker_free_aside(struct loop *loop);

/* Whether there are jobs whose `done` was not called yet. */
bool worker_busy(const struct worker *worker);

#endif
