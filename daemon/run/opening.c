/* The states before the load in which no hook is applied: of a scenario from a file nodes are asked what its
 * texts mean, the session is started, and whom the faults are for is found out. */
#include <assert.h>

#include "load/scenario_dispose.h"
#include "machine_private.h"
#include "run/resolution.h"

/* The time for a session to start, and for finding out whom the faults are for. */
#define SESSION_NS (10 * CLOCK_NS_PER_S)
#define PLANNING_NS (5 * CLOCK_NS_PER_S)

/* --- RESOLVING --- */

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

/* --- SESSION --- */

void opening_enter_session(struct run *run)
{
    run_arm(run, SESSION_NS);
    session_start_both(run);
}

/* The session is started after the one that tells telemetry, for its first event is the start of the run. */
void opening_teller_decided(struct run *run, const struct term_long *detail)
{
    (void)detail;
    if (!script_is_active(&run->session))
        session_start(run);
}

void opening_session_ready(struct run *run, const struct term_long *detail)
{
    (void)detail;
    run_enter(run, run->cancelled ? RUN_REPORTING : RUN_SETUP);
}

/* When nothing needs one there is just no telemetry. */
void opening_session_lost(struct run *run, const struct term_long *reason)
{
    if (run_needs_session(run) || run->cancelled) {
        run->verdict.refused = true; /* nothing was started */
        (void)run_lose_session(run, reason);
        run_enter(run, RUN_CLEANUP);
    } else {
        run->hooks_node_lost |= run_is_nodedown(reason);
        run_enter(run, RUN_SETUP);
    }
}

void opening_session_late(struct run *run, const struct term_long *detail)
{
    (void)detail;
    bool needed = run_needs_session(run);
    session_kill(run);
    run->verdict.refused |= needed;
    if (needed)
        run_fail_atom(run, REASON_SESSION_FAILED, "timeout");
    run_enter(run, needed || run->cancelled ? RUN_REPORTING : RUN_SETUP);
}

/* What there was before all that follows; of use only when the run as a whole is measured. */
void opening_measured(struct run *run, const struct term_long *detail)
{
    (void)detail;
    run->measurements.opening = run->measurements.newest;
}

/* --- PLANNING --- */

void opening_enter_planning(struct run *run)
{
    run_arm(run, PLANNING_NS);
    if (!faults_plan(run->faults))
        opening_planned(run, RUN_NO_DETAIL);
}

/* Whom the actions are for is known, as far as it can be. */
void opening_planned(struct run *run, const struct term_long *detail)
{
    (void)detail;
    if (run->scenario->dry_run)
        run_enter(run, RUN_REPORTING);
    else if (run->verdict.failure.size || run->cancelled)
        run_enter(run, RUN_CLEANUP);
    else
        run_enter(run, run->scenario->steady_state.data ? RUN_STEADY_BEFORE : RUN_OBSERVING);
}

void opening_planning_late(struct run *run, const struct term_long *detail)
{
    faults_plan_no_longer(run->faults);
    if (!run->scenario->dry_run)
        run_fail_atom(run, REASON_CHAOS_FAILED, "timeout");
    opening_planned(run, detail);
}
