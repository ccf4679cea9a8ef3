#include "run_private.h"

/* A node's memory may well shrink while the run goes on; it has then used none. */
static int64_t judge_grown(int64_t first, int64_t last)
{
    return last > first ? last - first : 0;
}

/* What there is to judge by, between two measurements. `response` is the caller's to free. */
static struct measured judge_measure(const struct run *run, const struct measurement *first,
                                     const struct measurement *last, struct histogram *response)
{
    uint64_t load_end_ns =
        run_record(run)->ended_ns > run_record(run)->started_ns ? run_record(run)->ended_ns : clock_ns();
    struct faults_recovery recovery = faults_recovery(run->faults, load_end_ns);
    histogram_init(response, 3);
    latencies_add_responses(&run_record(run)->latencies, response);
    return (struct measured){.time_us = (last->at_ns - first->at_ns) / CLOCK_NS_PER_US,
                             .memory_bytes = judge_grown(first->memory_bytes, last->memory_bytes),
                             .reductions = judge_grown(first->reductions, last->reductions),
                             .response = response,
                             .operations = run_record(run)->operations,
                             .failed = run_record(run)->operation_errors,
                             .dropped = run_record(run)->dropped,
                             .load_us = (load_end_ns - run_record(run)->started_ns) / CLOCK_NS_PER_US,
                             .mailbox = run->probes.most,
                             .recovery_ms = recovery.is_known ? recovery.longest_ms : -1,
                             .is_recovery_missing = recovery.is_missing};
}

void judge_build_measurement(const struct run *run, struct term_builder *builder)
{
    struct histogram response;
    struct measured measured =
        judge_measure(run, &run->measurements.first, &run->measurements.last, &response);
    measured_build(&measured, builder);
    histogram_free(&response);
}

/* Of the run as it stands: at its end when it was judged, else now. */
static struct measured judge_measure_so_far(const struct run *run, struct histogram *response)
{
    struct measurement last = run->measurements.last;
    if (!last.at_ns) { /* they were not judged, or not yet */
        last = run->measurements.newest;
        last.at_ns = clock_ns();
    }
    return judge_measure(run, run->measurements.first.at_ns ? &run->measurements.first : &last, &last,
                         response);
}

void judge_build_expectations(const struct run *run, struct term_builder *builder)
{
    struct histogram response;
    struct measured measured = judge_measure_so_far(run, &response);
    expectations_build(&run->scenario->expectations, &measured, builder);
    histogram_free(&response);
}

void judge_warn(const struct run *run, struct warnings *warnings)
{
    const struct expectations *expectations = &run->scenario->expectations;
    struct histogram response;
    struct measured measured = judge_measure_so_far(run, &response);
    double unused;
    for (size_t i = 0; i < expectations->count; i++) {
        const char *name = expectation_name(expectations->items[i].kind);
        if (expectation_measure(expectations->items[i].kind, &measured, &unused))
            continue;
        struct term_builder *warning =
            warnings_add(warnings, WARNING_NOT_MEASURED, 1, "nothing was measured for %s", name);
        term_build_key(warning, "expectation");
        term_build_atom(warning, name);
    }
    histogram_free(&response);
}

/* Keeps the exception for the first one that is missed of these kinds. True when there is one. */
static bool judge_find_missed(const struct run *run, const struct expectations *expectations, uint32_t kinds,
                              const struct measurement *first, const struct measurement *last,
                              struct buffer *exception)
{
    struct histogram response;
    struct term_builder error = {0};
    struct measured measured = judge_measure(run, first, last, &response);
    const struct expectation *missed = expectations_missed(expectations, kinds, &measured);
    if (missed) {
        expectation_build_error(missed, &measured, run->has_elixir, &error);
        term_keep(exception, term_built(&error));
    }
    term_build_free(&error);
    histogram_free(&response);
    return missed != NULL;
}

/* {performance_failed, %{error: exception, measurement: map, expectations: list}} hides what else has failed.
 */
static void judge_fail_performance(struct run *run, const struct buffer *exception)
{
    struct term_builder detail = {0};
    term_build_map(&detail, 3);
    term_build_key(&detail, "error");
    term_build_term(&detail, term_of(exception));
    term_build_key(&detail, "measurement");
    judge_build_measurement(run, &detail);
    term_build_key(&detail, "expectations");
    judge_build_expectations(run, &detail);
    buffer_free(&run->verdict.failure);
    run->verdict.missed = true;
    run_fail(run, "performance_failed", term_built(&detail));
    term_build_free(&detail);
}

static void judge_fail_thread(struct run *run)
{
    struct term_builder detail = {0};
    term_build_tuple(&detail, 2);
    term_build_atom(&detail, "error");
    term_build_term(&detail, term_of(&run_record(run)->thread_failure));
    run_fail(run, "thread_failure", term_built(&detail));
    term_build_free(&detail);
}

/* When the session has not answered in time there is nothing to compare with. */
static void judge_complete_first(struct run *run, const struct measurement *later)
{
    if (run->measurements.first.memory_bytes)
        return;
    run->measurements.first.memory_bytes = later->memory_bytes;
    run->measurements.first.reductions = later->reductions;
}

static void judge_expectations(struct run *run)
{
    struct buffer exception = {0};
    run->measurements.last = run->measurements.newest;
    run->measurements.last.at_ns = run->chaos.waited_ns;
    judge_complete_first(run, &run->measurements.last);
    if (run->verdict.aborted) {
        judge_fail_performance(run, &run->verdict.abort_error);
    } else if (judge_find_missed(run, &run->scenario->expectations, EXPECTATIONS_ALL,
                                 &run->measurements.first, &run->measurements.last, &exception)) {
        judge_fail_performance(run, &exception);
    } else {
        run->verdict.judged = true;
        telemetry_performance(run);
    }
    buffer_free(&exception);
}

/* A failed thread hides the failure of the chaos, which is then not awaited. */
void judge_load(struct run *run)
{
    /* A node or a session that was lost is not hidden by what was missed for it; but what had been missed
     * before has ended the load. */
    if (run->scenario->expectations.count && (!run->verdict.failure.size || run->verdict.aborted))
        judge_expectations(run);
    if (run_record(run)->thread_failure.size)
        judge_fail_thread(run);
    else if (run->chaos.failure.size)
        run_fail(run, "chaos_failed", term_of(&run->chaos.failure));
}

void judge_whole_run(struct run *run)
{
    uint32_t kinds = EXPECTATIONS_ALL;
    if (run->cancelled || run->verdict.refused || run->scenario->dry_run)
        return; /* there is no run to be judged */
    if (!run->measurements.opening.at_ns || !run->measurements.closing.at_ns)
        kinds &= ~(expectations_of_process() | 1u << EXPECT_TIME_MS);
    if (!run->measurements.first.at_ns) /* no load has begun */
        kinds &= ~(1u << EXPECT_OPS_PER_S);
    run->verdict.missed |=
        judge_find_missed(run, run->request.expectations, kinds, &run->measurements.opening,
                          &run->measurements.closing, &run->verdict.raised);
}

/* True when one was, and the load is over. */
static bool judge_abort_when_missed(struct run *run, uint32_t kinds)
{
    run->verdict.aborted =
        judge_find_missed(run, &run->scenario->expectations, kinds, &run->measurements.first,
                          &run->measurements.newest, &run->verdict.abort_error);
    if (run->verdict.aborted) {
        run_log_aborted(run);
        run_event(run, RUN_EVENT_OVER, (struct term){0});
    }
    return run->verdict.aborted;
}

void judge_while_loading(struct run *run)
{
    uint32_t wanted = run->scenario->abort_when, of_process = expectations_of_process();
    if (!wanted || run_state_group(run->state) != RUN_LOADING)
        return;
    run->measurements.newest.at_ns = clock_ns();
    if (judge_abort_when_missed(run, wanted & ~of_process))
        return;
    if ((wanted & of_process) && !run->measurements.awaited) {
        run->verdict.abort_asked = true;
        session_measure(run);
    }
}

void judge_measured(struct run *run)
{
    if (!run->verdict.abort_asked) /* the answer to what was asked before the load, late */
        return;
    run->verdict.abort_asked = false;
    judge_complete_first(run, &run->measurements.newest);
    (void)judge_abort_when_missed(run, run->scenario->abort_when & expectations_of_process());
}

/* --- The outcome --- */

bool judge_nothing_succeeded(const struct run *run)
{
    const struct load_record *record = run_record(run);
    const struct expectations *of_whole_run = run->request.expectations;
    bool allows_errors = expectations_have(&run->scenario->expectations, EXPECT_ERROR_RATE) ||
                         (of_whole_run && expectations_have(of_whole_run, EXPECT_ERROR_RATE));
    return outcome_nothing_succeeded(record->operations, record->operation_errors, allows_errors);
}

/* A dry run that has ended well, but for what it tells. */
static bool judge_dry_run_has_problem(const struct run *run)
{
    return run->scenario->dry_run && !run->verdict.failure.size && faults_have_problem(run->faults);
}

/* The first that holds: what was asked of it comes before what was seen, and that before what came after. */
void judge_outcome(struct run *run)
{
    struct run_verdict *verdict = &run->verdict;
    const struct {
        bool holds;
        enum outcome outcome;
    } rows[] = {
        {run->cancelled, OUTCOME_CANCELLED},
        {verdict->missed, OUTCOME_MISSED},
        {verdict->refused || judge_dry_run_has_problem(run), OUTCOME_NOT_RUN},
        {verdict->failure.size || verdict->cleanup_failure.size, OUTCOME_FAILED},
        {judge_nothing_succeeded(run), OUTCOME_FAILED},
        {true, OUTCOME_COMPLETED},
    };
    size_t row = 0;
    while (!rows[row].holds)
        row++;
    verdict->outcome = rows[row].outcome;
}
