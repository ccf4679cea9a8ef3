/* The first state of a run whose scenario is from a file: nodes are asked what its texts mean. */
#include <assert.h>

#include "load/scenario_dispose.h"
#include "machine_private.h"
#include "run/resolution.h"

static void resolving_take(void *owner, struct scenario *scenario, struct term reason)
{
    struct run *run = owner;
    run->resolution = NULL;
    if (scenario) {
        assert(scenario->thread_count == run->scenario->thread_count); /* the limits count them already */
        scenario_dispose(node_loop(process_node(run->process)), run->request.scenario);
        run->request.scenario = scenario;
        run->scenario = scenario;
    }
    run_event(run, RUN_EVENT_RESOLVED, TERM_LONG(reason));
}

void resolving_enter(struct run *run)
{
    run->resolution =
        resolution_start(run->runner, run->scenario, term_built(&run->group_leader), resolving_take, run);
}

void resolving_done(struct run *run, const struct term_long *reason)
{
    if (reason->tail.data) {
        run->verdict.refused = true;
        run_fail_as(run, reason);
    }
    run_begin(run);
}

void resolving_cancel(struct run *run, const struct term_long *detail)
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
