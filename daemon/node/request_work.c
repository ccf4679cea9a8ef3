#include "node/request_work.h"

#include <string.h>

#include "base/map.h"
#include "node_private.h"

/* What has more to be read keeps others waiting for more than some ten milliseconds. */
#define REQUEST_SHORT_BYTES (1024 * 1024)

/* --- How much may wait --- */

bool request_admit(struct request *request, size_t bytes)
{
    const size_t all = bytes + sizeof(*request);
    if (request->waiting_bytes)
        return true;
    if (!share_take(&request->node->works.waiting, request->peer, request->caller, all))
        return false;
    request->waiting_bytes = all;
    request->waiting_process = request->caller; /* who is called may find in it that another has asked */
    return true;
}

void request_settle(struct request *request)
{
    if (request->waiting_bytes)
        share_give_back(&request->node->works.waiting, request->peer, request->waiting_process,
                        request->waiting_bytes);
    request->waiting_bytes = 0;
}

/* --- Work --- */

static void request_work_do(struct worker_job *job)
{
    struct request_work *work = CONTAINER_OF(job, struct request_work, job);
    work->work(work);
}

static void request_work_on_done(struct worker_job *job)
{
    struct request_work *work = CONTAINER_OF(job, struct request_work, job);
    struct request *request = work->request;
    list_remove(&request->node->works.under_way, &work->link);
    if (!work->is_kept) {
        request->abandoned = NULL;
        work->is_dropped = job->is_dropped || !request_is_wanted(request);
    }
    work->done(work);
}

static void request_work_on_abandoned(void *owner)
{
    struct request_work *work = owner;
    if (!request_is_wanted(work->request))
        worker_drop(worker_aside(node_loop(work->request->node)), &work->job);
}

void request_work_start(struct request_work *work)
{
    struct request *request = work->request;
    struct request_works *works = &request->node->works;
    if (!request->order)
        request->order = ++works->orders;
    work->job = (struct worker_job){.work = request_work_do,
                                    .done = request_work_on_done,
                                    .turn = {.node = map_hash(request->peer, strlen(request->peer)),
                                             .caller = map_hash(request->caller.data, request->caller.size),
                                             .order = request->order,
                                             .takes_long = work->bytes > REQUEST_SHORT_BYTES}};
    list_append(&works->under_way, &work->link);
    worker_queue(worker_aside(node_loop(request->node)), &work->job);
    if (work->is_kept)
        return;
    request->abandoned = request_work_on_abandoned;
    request->owner = work;
    if (request->is_abandoned)
        request_work_on_abandoned(work);
}

void request_works_forget(struct request_works *works, const char *node)
{
    LIST_EACH(struct request_work, work, &works->under_way, link)
        if (strcmp(work->request->peer, node) == 0)
            request_abandon(work->request);
}
