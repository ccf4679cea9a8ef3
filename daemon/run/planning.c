/* What a run does about faults before and after its load: it finds out whom they are for, looks at the steady
 * state, undoes what lasts, and looks again. */
#include "run_private.h"
#include "term/term_read.h"

#define PLANNING_NS (5 * CLOCK_NS_PER_S)

/* Nodes have to find each other again, which they may try for seconds. */
#define HEALING_NS (10 * CLOCK_NS_PER_S)

void faults_enter_planning(struct run *run)
{
    run_arm(run, PLANNING_NS);
    if (!faults_plan(run->faults))
        run_planned(run);
}

/* Whom the actions are for is known, as far as it can be. */
void run_planned(struct run *run)
{
    if (run->state != RUN_PLANNING)
        return;
    if (run->scenario->dry_run)
        run_enter(run, RUN_REPORTING);
    else if (run->failure.size || run->cancelled)
        run_enter(run, RUN_CLEANUP);
    else
        run_enter(run, run->scenario->steady_state.data ? RUN_STEADY_BEFORE : RUN_OBSERVING);
}

static void enter_invariant(struct run *run)
{
    run_enter(run, run->scenario->invariant.data ? RUN_CONTEXT : RUN_CLEANUP);
}

void faults_enter_healing(struct run *run)
{
    run_arm(run, HEALING_NS);
    if (!faults_heal(run->faults))
        run_healed(run);
}

void run_healed(struct run *run)
{
    if (run->state != RUN_HEALING)
        return;
    run_log_healed(run);
    if (run->failure.size || run->cancelled)
        run_enter(run, RUN_CLEANUP);
    else if (run->scenario->steady_state.data)
        run_enter(run, RUN_STEADY_AFTER);
    else
        enter_invariant(run);
}

void faults_timed_out(struct run *run)
{
    if (run->state == RUN_PLANNING) {
        faults_plan_no_longer(run->faults);
        if (!run->scenario->dry_run)
            run_fail_atom(run, "chaos_failed", "timeout");
        run_planned(run);
    } else {
        faults_give_up(run->faults);
        run_healed(run);
    }
}

/* --- The steady state --- */

void faults_enter_steady(struct run *run)
{
    run_arm(run, run->scenario->hook_timeout_ms * CLOCK_NS_PER_MS);
    session_check_steady_state(run);
}

/* {steady_state_failed, before | after, Reason} */
void steady_failed(struct run *run, struct term detail)
{
    struct term_builder reason = {0};
    term_build_tuple(&reason, 3);
    term_build_atom(&reason, "steady_state_failed");
    term_build_atom(&reason, run->state == RUN_STEADY_BEFORE ? "before" : "after");
    term_build_term(&reason, detail);
    run_fail(run, NULL, term_built(&reason));
    term_build_free(&reason);
    run_enter(run, RUN_CLEANUP);
}

/* As of the invariant: only false and {error, Reason} say that it does not hold. */
void steady_returned(struct run *run, struct term value)
{
    struct term parts[2];
    struct term_builder returned_false = {0};
    term_build_atom(&returned_false, "returned_false");
    if (term_is_atom(value, "false"))
        steady_failed(run, term_built(&returned_false));
    else if (term_read_tuple_of(value, 2, parts) && term_is_atom(parts[0], "error"))
        steady_failed(run, parts[1]);
    else if (run->cancelled)
        run_enter(run, RUN_CLEANUP);
    else if (run->state == RUN_STEADY_BEFORE)
        run_enter(run, RUN_OBSERVING);
    else
        enter_invariant(run);
    term_build_free(&returned_false);
}
