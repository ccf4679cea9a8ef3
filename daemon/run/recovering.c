/* The state in which the load goes on after its end, for what faults have touched and is not there again. */
#include "machine_private.h"

static bool recovering_is_wanted(const struct run *run)
{
    return run->scenario->recovery_wait_ms && !run->verdict.aborted && !run->verdict.failure.size &&
           !run_record(run)->thread_failure.size && faults_are_recovering(run->faults);
}

void recovering_enter(struct run *run)
{
    run_load_stop(run);
    faults_load_over(run->faults, run_record(run)->ended_ns);
    if (recovering_is_wanted(run))
        run_tail_start(run);
    else
        run_enter(run, RUN_CHAOS_WAIT);
}

void recovering_work(struct run *run, struct term detail)
{
    (void)detail;
    if (!run_tail_work(run) || !faults_are_recovering(run->faults))
        run_enter(run, RUN_CHAOS_WAIT);
}

void recovering_lost(struct run *run, struct term reason)
{
    if (run_lose_session(run, reason))
        run_enter(run, RUN_CHAOS_WAIT);
}
