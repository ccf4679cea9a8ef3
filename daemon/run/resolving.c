/* The first state of a run whose scenario is from a file: nodes are asked what its texts mean. */
#include <assert.h>

#include "run/resolution.h"
#include "run_private.h"

static void on_resolved(void *owner, struct scenario *scenario, struct term reason)
{
    struct run *run = owner;
    run->resolution = NULL;
    if (scenario) {
        assert(scenario->thread_count == run->scenario->thread_count); /* the limits count them already */
        scenario_free(run->request.scenario);
        run->request.scenario = scenario;
        run->scenario = scenario;
    } else {
        run_fail(run, NULL, reason);
    }
    run_begin(run);
}

void resolving_enter(struct run *run)
{
    run->resolution =
        resolution_start(run->runner, run->scenario, term_built(&run->group_leader), on_resolved, run);
}

void resolving_free(struct run *run)
{
    if (run->resolution)
        resolution_cancel(run->resolution);
    run->resolution = NULL;
}

/* One that was cancelled before it got here has no resolution, and does not get here. */
void resolving_cancel(struct run *run)
{
    if (!run->resolution)
        return;
    resolving_free(run);
    run_begin(run);
}
