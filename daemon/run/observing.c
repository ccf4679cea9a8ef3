/* The states that measure: probes and the session tell what there is before and after the load. */
#include "machine_private.h"

void run_observed(struct run *run)
{
    if (!run->measurements.awaited && !run->probes.awaited && !run->finders.awaited)
        run_event(run, RUN_EVENT_OBSERVED, RUN_NO_DETAIL);
}

/* What has not answered until now is no longer awaited. */
void observing_late(struct run *run, const struct term_long *detail)
{
    (void)detail;
    run->measurements.awaited = false;
    probes_await_no_longer(run);
    finders_await_no_longer(run);
    run_observed(run);
}

void observing_lost(struct run *run, const struct term_long *reason)
{
    if (run_lose_session(run, reason))
        run_observed(run);
}

/* --- OBSERVING --- */

void observing_enter(struct run *run)
{
    run_arm(run, RUN_OBSERVE_NS);
    if (run_has_cleanup(run) && !run->scenario->setup.data)
        session_guard_cleanup(run);
    finders_start(run);
    (void)probes_start(run);
    run_observed(run);
}

/* The probes first: the measurement is of what follows. True when one is awaited now. */
static bool observing_measures(struct run *run)
{
    if (!run->scenario->expectations.count || run->measurements.first_asked)
        return false;
    run->measurements.first_asked = true;
    run_arm(run, RUN_OBSERVE_NS); /* that of the probes may have fired */
    session_measure(run);
    return run->measurements.awaited;
}

void observing_done(struct run *run, const struct term_long *detail)
{
    (void)detail;
    if (run->cancelled) {
        run_enter(run, RUN_CLEANUP);
        return;
    }
    if (!run->measurements.opening.at_ns)
        run->measurements.opening = run->measurements.newest;
    if (observing_measures(run))
        return;
    run->measurements.first = run->measurements.newest;
    run_enter(run, RUN_STARTING);
}

/* --- JUDGING --- */

void observing_enter_judging(struct run *run)
{
    run_arm(run, RUN_OBSERVE_NS);
    run->chaos.waited_ns = clock_ns();
    session_stop_work(run);
    if (run->verdict.failure.size || run_record(run)->thread_failure.size || run->chaos.failure.size ||
        run->cancelled || run->verdict.aborted)
        faults_abandon(run->faults);
    else
        faults_stop(run->faults);
    if (run->scenario->expectations.count)
        session_measure(run);
    (void)probes_stop(run);
    run_observed(run);
}

/* An expectation that was missed hides what else has failed. */
void observing_judging_done(struct run *run, const struct term_long *detail)
{
    (void)detail;
    bool has_chaos = run->scenario->chaos.data || run->scenario->action_count;
    bool chaos_awaited =
        has_chaos && !run_record(run)->thread_failure.size && !run->cancelled && !run->verdict.aborted;
    run_faults_judge(run);
    run->chaos.ms = (run->chaos.waited_ns - run->chaos.started_ns) / CLOCK_NS_PER_MS;
    if (chaos_awaited)
        telemetry_chaos(run, "stop", &run->chaos.failure);
    probes_end(run);
    finders_end(run);
    if (run->scenario->mailbox_interval_ms)
        telemetry_mailbox(run);
    judge_load(run);
    run_enter(run, RUN_HEALING);
}
