/* Work for requests that takes long: threads do it (base/worker.h, worker_aside()), in turns of the nodes
 * that have sent them and of their callers. A request that was begun goes on before the next of its caller,
 * and what nobody waits for any more is not begun. How much of a node may wait is bounded. */
#ifndef HARNESSD_NODE_REQUEST_WORK_H
#define HARNESSD_NODE_REQUEST_WORK_H

#include "base/worker.h"
#include "node/request.h"
#include "node/share.h"

/* Bytes of requests that wait for threads or for room for their answers, of which the nodes and their
 * processes have their shares (node/share.h). */
#define REQUESTS_WAITING_BYTES (256 * 1024 * 1024)

/* Embedded in what it is about, zero but for the first four. */
struct request_work {
    struct request *request;
    size_t bytes; /* that are to be read or written; to copy a hundred takes no longer than to read one */
    void (*work)(struct request_work *work);

    /* Called by the loop when that is done. Is it dropped, nobody wants it any more, and it may not have been
     * begun: what there is of it is to be freed, and the request to be dropped. */
    void (*done)(struct request_work *work);

    bool is_kept; /* it is done whoever waits */
    bool is_dropped;

    struct worker_job job;
    struct list_link link;
};

void request_work_start(struct request_work *work);

/* All that a node knows of them. */
struct request_works {
    struct list under_way;
    struct share waiting;
    uint64_t orders;
};

/* A connection is gone: nobody waits for what has come by it. */
void request_works_forget(struct request_works *works, const char *node);

/* Counts the bytes of a request among those that wait until it is answered, or settled. False when its node,
 * or its caller there, has no room for them. Asking again is nothing. */
MUST_CHECK bool request_admit(struct request *request, size_t bytes);

/* It does not wait any more: it has become a run, which has limits of its own. */
void request_settle(struct request *request);

#endif
