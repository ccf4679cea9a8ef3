/* A thread for what would stop the loop: writing, reading and syncing files, and work of many milliseconds.
 * Jobs are done one at a time in the order in which they were queued. */
#ifndef HARNESSD_BASE_WORKER_H
#define HARNESSD_BASE_WORKER_H

#include <stdbool.h>

#include "base/loop.h"

/* Embedded in whatever the work is about, zero but for the two functions when it is queued. */
struct worker_job {
    /* Called by the thread. It may look at nothing but what belongs to the job, and must not log: neither the
     * log nor anything of the loop knows of a second thread. */
    void (*work)(struct worker_job *job);

    /* Called by the loop when that is done; it may free the job and queue others. */
    void (*done)(struct worker_job *job);

    struct worker_job *next;
};

struct worker;

struct worker *worker_new(struct loop *loop);

/* Does all that was queued, and what that queues in turn, waiting for it, and ends the thread. */
void worker_free(struct worker *worker);

void worker_queue(struct worker *worker, struct worker_job *job);

/* Whether there are jobs whose `done` was not called yet. */
bool worker_busy(const struct worker *worker);

#endif
