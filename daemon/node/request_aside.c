#include <stdlib.h>

#include "base/memory.h"
#include "node/large_answers.h"
#include "node/request_work.h"

/* A request whose answer is being built by a thread. */
struct request_aside {
    struct answer_wait wait;
    struct request_work work;
    void (*build)(struct request *request);
};

static void request_aside_build(struct request_work *work)
{
    CONTAINER_OF(work, struct request_aside, work)->build(work->request);
}

static void request_aside_on_done(struct request_work *work)
{
    struct request *request = work->request;
    if (work->is_dropped)
        request_drop(request);
    else
        request_return(request);
    free(CONTAINER_OF(work, struct request_aside, work));
}

static void request_aside_go_on(struct answer_wait *wait)
{
    request_work_start(&CONTAINER_OF(wait, struct request_aside, wait)->work);
}

void request_answer_by(struct request *request, void (*build)(struct request *request), bool takes_long)
{
    if (!takes_long) {
        build(request);
        request_return(request);
        return;
    }
    if (!request_admit(request, request->argument_list.size)) {
        request_answer_busy(request, "requests");
        return;
    }
    struct request_aside *aside = memory_zalloc(1, sizeof(*aside));
    *aside = (struct request_aside){.wait = {.request = request, .go_on = request_aside_go_on},
                                    .work = {.request = request,
                                             .bytes = request->argument_list.size,
                                             .work = request_aside_build,
                                             .done = request_aside_on_done},
                                    .build = build};
    if (!large_answers_enter(&aside->wait))
        free(aside);
}
