/* The first state of a run whose scenario is from a file: nodes are asked what its texts mean. */
#include <assert.h>

#include "machine_private.h"
#include "run/resolution.h"

static void resolving_take(void *owner, struct scenario *scenario, struct term reason)
{
    struct run *run = owner;
    run->resolution = NULL;
    if (scenario) {
        assert(scenario->thread_count == run->scenario->thread_count); /* the limits count them already */
        scenario_free(run->request.scenario);
        run->request.scenario = scenario;
        run->scenario = scenario;
    }
    run_event(run, RUN_EVENT_RESOLVED, reason);
}

void resolving_enter(struct run *run)
{
    run->resolution =
        resolution_start(run->runner, run->scenario, term_built(&run->group_leader), resolving_take, run);
}

void resolving_done(struct run *run, struct term reason)
{
    if (reason.data) {
        run->verdict.refused = true;
        run_fail_as(run, reason);
    }
    run_begin(run);
}

void resolving_cancel(struct run *run, struct term detail)
{
    (void)detail;
    run->cancelled = true;
    resolving_free(run);
    run_begin(run);
}

void resolving_free(struct run *run)
{
    if (run->resolution)
        resolution_cancel(run->resolution);
    run->resolution = NULL;
}
