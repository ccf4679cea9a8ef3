/* The states of the load, and of the chaos beside it. */
#include "machine_private.h"
#include "term/term_read.h"

/* --- STARTING, LOAD --- */

void loading_enter_starting(struct run *run)
{
    engine_begin(run->engine);
    run_explain_begin(run);
    run->measurements.first.at_ns = run_record(run)->started_ns;
    if (!run->scenario->chaos.data && !run->scenario->action_count)
        return;
    run->chaos.running = true;
    run->chaos.started_ns = clock_ns();
    telemetry_chaos(run, "start", &(struct term_kept){0});
    if (run->scenario->chaos.data)
        session_start_chaos(run);
    else
        faults_start(run->faults, run_record(run)->started_ns);
}

void loading_enter_load(struct run *run)
{
    (void)run; /* the engine is at work */
}

void loading_work(struct run *run, const struct term_long *detail)
{
    (void)detail;
    engine_work(run->engine);
}

void loading_started(struct run *run, const struct term_long *detail)
{
    (void)detail;
    run_enter(run, RUN_LOAD);
}

void loading_over(struct run *run, const struct term_long *detail)
{
    (void)detail;
    run_enter(run, RUN_RECOVERING);
}

void loading_cancel(struct run *run, const struct term_long *detail)
{
    (void)detail;
    run->cancelled = true;
    run_enter(run, RUN_CHAOS_WAIT);
}

/* The load may be over with it. */
void loading_lost(struct run *run, const struct term_long *reason)
{
    if (!run_lose_session(run, reason))
        return;
    engine_session_down(run->engine, reason);
    if (run_state_group(run->state) == RUN_LOADING)
        run_enter(run, RUN_CHAOS_WAIT);
}

void loading_measured(struct run *run, const struct term_long *detail)
{
    (void)detail;
    judge_measured(run);
}

/* --- RECOVERING: the load goes on after its end, for what faults have touched and is not there again --- */

static bool loading_has_to_recover(const struct run *run)
{
    return run->scenario->recovery_wait_ms && !run->verdict.aborted && !run->verdict.failure.size &&
           !run_record(run)->thread_failure.size && faults_are_recovering(run->faults);
}

void loading_enter_recovering(struct run *run)
{
    run_load_stop(run);
    faults_load_over(run->faults, run_record(run)->ended_ns);
    if (loading_has_to_recover(run))
        run_tail_start(run);
    else
        run_enter(run, RUN_CHAOS_WAIT);
}

void loading_recover(struct run *run, const struct term_long *detail)
{
    (void)detail;
    if (!run_tail_work(run) || !faults_are_recovering(run->faults))
        run_enter(run, RUN_CHAOS_WAIT);
}

void loading_recovering_lost(struct run *run, const struct term_long *reason)
{
    if (run_lose_session(run, reason))
        run_enter(run, RUN_CHAOS_WAIT);
}

/* --- CHAOS_WAIT --- */

/* It is awaited once more as long as the threads were; when a thread has failed it is not. */
void loading_enter_chaos_wait(struct run *run)
{
    run_load_stop(run);
    run_tail_stop(run);
    faults_load_over(run->faults, run_record(run)->ended_ns);
    if (!run->chaos.running) {
        run_enter(run, RUN_JUDGING);
    } else if (run_record(run)->thread_failure.size || run->cancelled || run->verdict.aborted) {
        run->chaos.running = false;
        run_enter(run, RUN_JUDGING);
    } else {
        run_arm(run, run->scenario->timeout_ms * CLOCK_NS_PER_MS);
    }
}

void loading_chaos_over(struct run *run, const struct term_long *detail)
{
    (void)detail;
    run_enter(run, RUN_JUDGING);
}

void loading_chaos_late(struct run *run, const struct term_long *detail)
{
    (void)detail;
    run_chaos_over(run, NULL, TERM_LONG(TERM_ATOM("timeout")));
}

void loading_chaos_cancel(struct run *run, const struct term_long *detail)
{
    (void)detail;
    run->cancelled = true;
    run->chaos.running = false;
    run_enter(run, RUN_JUDGING);
}

void loading_chaos_lost(struct run *run, const struct term_long *reason)
{
    if (run_lose_session(run, reason))
        run_enter(run, RUN_JUDGING);
}

/* --- What has come of the chaos --- */

void run_chaos_over(struct run *run, const struct term_long *result, const struct term_long *failure)
{
    if (!run->chaos.running)
        return;
    run->chaos.running = false;
    if (failure)
        term_kept_set(&run->chaos.failure,
                      failure); /* a failed thread hides it: it is judged when all is done */
    else
        term_kept_set(&run->chaos.result, result);
    run_event(run, RUN_EVENT_CHAOS_OVER, RUN_NO_DETAIL);
}

void run_chaos_done(struct run *run, const struct term_long *outcome)
{
    struct term parts[4];
    struct term_builder head = {0};
    struct term_long told = {.held = outcome->held};
    size_t arity = 0;
    if (!term_read_tuple(outcome->tail, 4, parts, &arity) || arity < 2)
        return;
    told.tail = arity == 4 ? script_open_exit_reason(parts, &head) : parts[1];
    told.head = term_of(&head.bytes);
    if (term_is_atom(parts[0], "returned"))
        run_chaos_over(run, &told, NULL);
    else
        run_chaos_over(run, NULL, &told);
    term_build_free(&head);
}
