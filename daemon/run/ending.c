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
        ending_healed(run, RUN_NO_DETAIL);
}

void ending_healed(struct run *run, const struct term_long *detail)
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

void ending_healing_late(struct run *run, const struct term_long *detail)
{
    faults_give_up(run->faults);
    ending_healed(run, detail);
}

/* What lasts is undone first. */
void ending_healing_lost(struct run *run, const struct term_long *reason)
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
    session_open_invariant(run);
    run_take_turn(run);
}

/* The first piece is its beginning. False when that was the last one. */
static bool ending_write(struct run *run, enum report_purpose purpose, struct term_builder *output)
{
    if (run->report.output == output)
        return report_continue(&run->report);
    report_start(&run->report, run, purpose, output);
    return true;
}

void ending_write_context(struct run *run, const struct term_long *detail)
{
    (void)detail;
    if (ending_write(run, REPORT_CONTEXT, &run->written))
        run_take_turn(run);
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

void ending_measured(struct run *run, const struct term_long *detail)
{
    (void)detail;
    run_take_turn(run);
}

/* What comes while it is being written, such as the loss of the session, changes it no more. */
void ending_write_report(struct run *run, const struct term_long *detail)
{
    (void)detail;
    bool is_begun = run->report.output == run->request.result;
    if (!is_begun && run_explain_settle(run)) {
        run_take_turn(run);
        return;
    }
    if (!is_begun)
        run->measurements.closing = run->measurements.newest;
    if (!is_begun && run->request.expectations)
        judge_whole_run(run);
    if (ending_write(run, REPORT_RESULT, run->request.result))
        run_take_turn(run);
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
    telemetry_explained(run);
    telemetry_run_stopped(run);
    session_end(run);
    if (run->faults)
        faults_leave(run->faults);
    run->request.done(run->request.owner, run, term_of(&run->verdict.raised));
    process_exit_atom(run->process, "normal");
    loop_defer_piece(run_loop(run), &run->reap); /* it is much to give back */
}
