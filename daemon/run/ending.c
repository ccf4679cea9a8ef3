/* The states after the load in which no hook is applied: what lasts is undone, and the report written. */
#include "machine_private.h"
#include "run_warnings_private.h"

/* Nodes have to find each other again, which they may try for seconds. */
#define HEALING_NS (10 * CLOCK_NS_PER_S)

/* --- HEALING --- */

void ending_enter_healing(struct run *run)
{
    run_arm(run, HEALING_NS);
    if (!faults_heal(run->faults))
        ending_healed(run, (struct term){0});
}

void ending_healed(struct run *run, struct term detail)
{
    (void)detail;
    run_log_healed(run);
    run_faults_judge_undone(run);
    if (run->verdict.failure.size || run->cancelled)
        run_enter(run, RUN_CLEANUP);
    else if (run->scenario->steady_state.data)
        run_enter(run, RUN_STEADY_AFTER);
    else
        ending_check_invariant(run);
}

void ending_healing_late(struct run *run, struct term detail)
{
    faults_give_up(run->faults);
    ending_healed(run, detail);
}

/* What lasts is undone first. */
void ending_healing_lost(struct run *run, struct term reason)
{
    (void)run_lose_session(run, reason);
}

void ending_check_invariant(struct run *run)
{
    run_enter(run, run->scenario->invariant.data ? RUN_CONTEXT : RUN_CLEANUP);
}

/* --- CONTEXT: piece by piece --- */

void ending_enter_context(struct run *run)
{
    term_build_reset(&run->written);
    report_start(&run->report, run, REPORT_CONTEXT, &run->written);
    run_arm(run, 0);
}

void ending_write_context(struct run *run, struct term detail)
{
    (void)detail;
    if (report_continue(&run->report))
        run_arm(run, 0);
    else
        run_enter(run, RUN_INVARIANT);
}

/* --- REPORTING: piece by piece, after a last measurement --- */

void ending_enter_reporting(struct run *run)
{
    run_load_stop(run);
    run_tail_stop(run);
    probes_end(run);
    finders_end(run);
    if (run->request.expectations)
        session_measure(run);
    run_arm(run, RUN_OBSERVE_NS);
    run_observed(run);
}

/* What comes while it is being written, such as the loss of the session, changes it no more. */
static bool ending_is_report_begun(const struct run *run)
{
    return run->report.output && run->report.purpose == REPORT_RESULT;
}

void ending_measured(struct run *run, struct term detail)
{
    (void)detail;
    if (ending_is_report_begun(run))
        return;
    run->measurements.closing = run->measurements.newest;
    if (run->request.expectations)
        judge_whole_run(run);
    report_start(&run->report, run, REPORT_RESULT, run->request.result);
    run_arm(run, 0);
}

void ending_write_report(struct run *run, struct term detail)
{
    if (!ending_is_report_begun(run))
        observing_late(run, detail);
    else if (report_continue(&run->report))
        run_arm(run, 0);
    else
        run_enter(run, RUN_DONE);
}

/* --- DONE --- */

void ending_enter_done(struct run *run)
{
    judge_outcome(run);
    runner_leave(run);
    if (run->request.by) /* else who runs it reads them in its report */
        run_warnings_log(run);
    run_log_finished(run);
    telemetry_run_stopped(run);
    session_end(run);
    if (run->faults)
        faults_leave(run->faults);
    run->request.done(run->request.owner, run, term_of(&run->verdict.raised));
    process_exit_atom(run->process, "normal");
    run_arm(run, 0); /* to be freed in a pass of its own: a long report is much to give back */
}

void ending_reap(struct run *run, struct term detail)
{
    (void)detail;
    loop_defer(node_loop(runner_node(run->runner)), &run->reap);
}
