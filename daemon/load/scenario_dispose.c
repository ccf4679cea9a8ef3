#include "load/scenario_dispose.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/worker.h"

struct disposal {
    struct worker_job job;
    struct scenario *scenario;
};

static void scenario_dispose_work(struct worker_job *job)
{
    scenario_free(CONTAINER_OF(job, struct disposal, job)->scenario);
}

static void scenario_dispose_done(struct worker_job *job)
{
    free(CONTAINER_OF(job, struct disposal, job));
}

void scenario_dispose(struct loop *loop, struct scenario *scenario)
{
    if (!scenario || !scenario_is_large(scenario)) {
        scenario_free(scenario);
        return;
    }
    if (scenario->content && scenario->content->holders > 1) { /* what is being sent needs it for longer */
        blob_release(scenario->content);
        scenario->content = NULL;
    }
    struct disposal *disposal = memory_zalloc(1, sizeof(*disposal));
    *disposal = (struct disposal){.job = {.work = scenario_dispose_work, .done = scenario_dispose_done},
                                  .scenario = scenario};
    worker_queue(worker_aside(loop), &disposal->job);
}
