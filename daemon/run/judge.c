#include <math.h>

#include "measure/quantile_interval.h"
#include "run_private.h"

/* A node's memory may well shrink while the run goes on; it has then used none. */
static int64_t judge_grown(int64_t first, int64_t last)
{
    return last > first ? last - first : 0;
}

/* The response times that there are to judge by, for as long as they are judged. */
struct judge_times {
    struct histogram response;
    struct batches batches; /* when these came, where intervals are wanted */
};

static void judge_free_times(struct judge_times *times)
{
    histogram_free(&times->response);
    batches_free(&times->batches);
}

/* For intervals of what was measured. */
static void judge_add_batches(const struct run *run, struct judge_times *times, struct measured *measured)
{
    latencies_add_response_batches(&run_record(run)->latencies, &times->batches);
    measured->batches = &times->batches;
}

/* What there is to judge by, between two measurements. `times` is the caller's to free. */
static struct measured judge_measure(const struct run *run, const struct measurement *first,
                                     const struct measurement *last, struct judge_times *times)
{
    uint64_t load_end_ns =
        run_record(run)->ended_ns > run_record(run)->started_ns ? run_record(run)->ended_ns : clock_ns();
    struct faults_recovery recovery = faults_recovery(run->faults, load_end_ns);
    *times = (struct judge_times){.batches = {.room = 0}};
    histogram_init(&times->response, 3);
    latencies_add_responses(&run_record(run)->latencies, &times->response);
    bool of_whole_run = first == &run->measurements.opening; /* whose time passes in any case */
    bool was_tried = of_whole_run ? first->at_ns && last->at_ns : run_record(run)->timeline.start_ns != 0;
    bool was_asked = first->memory_bytes && last->memory_bytes;
    return (struct measured){.was_tried = was_tried,
                             .has_asked_process = was_asked,
                             .has_nothing_to_fix = run->faults && faults_none_drawn(run->faults),
                             .time_us = (last->at_ns - first->at_ns) / CLOCK_NS_PER_US,
                             .memory_bytes =
                                 was_asked ? judge_grown(first->memory_bytes, last->memory_bytes) : 0,
                             .reductions = was_asked ? judge_grown(first->reductions, last->reductions) : 0,
                             .response = &times->response,
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
    struct judge_times times;
    struct measured measured = judge_measure(run, &run->measurements.first, &run->measurements.last, &times);
    measured_build(&measured, builder);
    judge_free_times(&times);
}

/* Of the run as it stands: at its end when it was judged, else now. */
static struct measured judge_measure_so_far(const struct run *run, struct judge_times *times)
{
    struct measurement last = run->measurements.last;
    if (!last.at_ns) { /* they were not judged, or not yet */
        last = run->measurements.newest;
        last.at_ns = clock_ns();
    }
    return judge_measure(run, run->measurements.first.at_ns ? &run->measurements.first : &last, &last, times);
}

void judge_build_expectations(const struct run *run, struct term_builder *builder)
{
    struct judge_times times;
    struct measured measured = judge_measure_so_far(run, &times);
    judge_add_batches(run, &times, &measured);
    expectations_build(&run->scenario->expectations, &measured,
                       run->measurements.last.at_ns && !run->cancelled, builder);
    judge_free_times(&times);
}

static void judge_warn_unmeasured(const struct expectation *expectation, const struct measured *measured,
                                  struct warnings *warnings)
{
    const char *name = expectation_name(expectation->kind);
    if (expectation_judge(expectation, measured) != EXPECTATION_NOT_MEASURED)
        return;
    struct term_builder *warning =
        warnings_add(warnings, WARNING_NOT_MEASURED, 1, "nothing was measured for %s", name);
    term_build_key(warning, "expectation");
    term_build_atom(warning, name);
}

/* How many it would take is no exact number. */
static uint64_t judge_round_up(double count)
{
    double unit = pow(10, fmax(floor(log10(count)) - 1, 0));
    return (uint64_t)(ceil(count / unit) * unit);
}

static void judge_warn_short(const struct expectation *expectation, const struct batches_interval *interval,
                             uint64_t count, struct warnings *warnings)
{
    const char *name = expectation_name(expectation->kind);
    uint64_t needs = quantile_needs(expectation_quantile(expectation->kind));
    uint64_t needed = judge_round_up((double)count * (double)needs / interval->worth);
    char worth[100] = "";
    if (interval->worth < (double)count)
        snprintf(worth, sizeof(worth), ", so much alike that they are worth %.0f,", ceil(interval->worth));
    struct term_builder *warning = warnings_add(
        warnings, WARNING_RUN_TOO_SHORT, 4,
        "the run was too short for %s: %llu operations%s do not tell how high it may be, and some %llu would",
        name, (unsigned long long)count, worth, (unsigned long long)needed);
    term_build_key(warning, "expectation");
    term_build_atom(warning, name);
    term_build_key_unsigned(warning, "operations", count);
    term_build_key_unsigned(warning, "worth", (uint64_t)ceil(interval->worth));
    term_build_key_unsigned(warning, "needed", needed);
}

static void judge_warn_uncertain(const struct expectation *expectation,
                                 const struct batches_interval *interval, bool is_met,
                                 struct warnings *warnings)
{
    const char *name = expectation_name(expectation->kind);
    struct term_builder *warning = warnings_add(
        warnings, WARNING_VERDICT_UNCERTAIN, 3,
        "%s was %s, and may be otherwise next time: the limit is within its 95 %% interval, from "
        "%llu to %llu",
        name, is_met ? "met" : "missed", (unsigned long long)interval->low,
        (unsigned long long)interval->high);
    term_build_key(warning, "expectation");
    term_build_atom(warning, name);
    term_build_key_unsigned(warning, "low", interval->low);
    term_build_key_unsigned(warning, "high", interval->high);
}

/* Whether the operations are too few, or slow for too few reasons. Faults of the run are reasons that were
 * wanted: of those there are as many as there were to be. */
static bool judge_is_too_short(const struct run *run, enum expectation_kind kind, uint64_t count,
                               const struct batches_interval *interval)
{
    bool are_too_few = count < quantile_needs(expectation_quantile(kind));
    bool has_faults = run->faults && faults_injected_count(run->faults);
    return (!interval->has_low || !interval->has_high) && (are_too_few || !has_faults);
}

/* A run without a verdict may still have had too little for one. */
static void judge_warn_chance(const struct run *run, const struct expectation *expectation,
                              const struct measured *measured, struct warnings *warnings)
{
    struct batches_interval interval;
    if (!expectation_interval(expectation->kind, measured, &interval))
        return;
    enum expectation_verdict verdict = expectation_judge(expectation, measured);
    if (judge_is_too_short(run, expectation->kind, measured->response->count, &interval))
        judge_warn_short(expectation, &interval, measured->response->count, warnings);
    else if (!run->cancelled && interval.has_low && interval.has_high &&
             expectation_certainty(expectation, verdict, &interval) == EXPECTATION_UNCERTAIN)
        judge_warn_uncertain(expectation, &interval, verdict == EXPECTATION_MET, warnings);
}

void judge_warn(const struct run *run, struct warnings *warnings)
{
    const struct expectations *expectations = &run->scenario->expectations;
    const struct expectations *of_whole_run = run->request.expectations;
    struct judge_times times;
    struct measured measured = judge_measure_so_far(run, &times);
    judge_add_batches(run, &times, &measured);
    for (size_t i = 0; i < expectations->count; i++) {
        judge_warn_unmeasured(&expectations->items[i], &measured, warnings);
        judge_warn_chance(run, &expectations->items[i], &measured, warnings);
    }
    for (size_t i = 0; of_whole_run && i < of_whole_run->count; i++)
        judge_warn_chance(run, &of_whole_run->items[i], &measured, warnings);
    judge_free_times(&times);
}

/* Keeps the exception for the first one that is missed of these kinds. True when there is one. */
static bool judge_find_missed(const struct run *run, const struct expectations *expectations, uint32_t kinds,
                              const struct measurement *first, const struct measurement *last, bool is_over,
                              struct buffer *exception)
{
    struct judge_times times;
    struct term_builder error = {0};
    struct measured measured = judge_measure(run, first, last, &times);
    const struct expectation *missed = expectations_missed(expectations, kinds, &measured, is_over);
    if (missed) {
        expectation_build_error(missed, &measured, run->has_elixir, &error);
        term_keep(exception, term_built(&error));
    }
    term_build_free(&error);
    judge_free_times(&times);
    return missed != NULL;
}

/* {performance_failed, %{run_id:, error: exception, measurement: map, expectations: list}} */
static void judge_fail_missed(struct run *run, const struct expectations *expectations,
                              const struct measurement *first, const struct measurement *last,
                              const struct buffer *exception)
{
    struct judge_times times;
    struct measured measured = judge_measure(run, first, last, &times);
    struct term_builder detail = {0};
    judge_add_batches(run, &times, &measured);
    term_build_map(&detail, 4);
    term_build_key_unsigned(&detail, "run_id", run->id);
    term_build_key(&detail, "error");
    term_build_term(&detail, term_of(exception));
    term_build_key(&detail, "measurement");
    measured_build(&measured, &detail);
    term_build_key(&detail, "expectations");
    expectations_build(expectations, &measured, !run->cancelled, &detail);
    run_fail(run, REASON_PERFORMANCE_FAILED, TERM_LONG(term_built(&detail)));
    term_build_free(&detail);
    judge_free_times(&times);
}

/* Hides what else has failed. */
static void judge_fail_performance(struct run *run, const struct buffer *exception)
{
    term_kept_free(&run->verdict.failure);
    run->verdict.missed = true;
    judge_fail_missed(run, &run->scenario->expectations, &run->measurements.first, &run->measurements.last,
                      exception);
}

static void judge_fail_thread(struct run *run)
{
    struct term_builder head = {0};
    struct term_long detail = term_kept_long(&run_record(run)->thread_failure);
    term_build_tuple(&head, 2);
    term_build_atom(&head, "error");
    term_build_term(&head, detail.head);
    detail.head = term_built(&head);
    run_fail(run, REASON_THREAD_FAILURE, &detail);
    term_build_free(&head);
}

static void judge_fail_chaos(struct run *run)
{
    const struct term_long failure = term_kept_long(&run->chaos.failure);
    run_fail(run, REASON_CHAOS_FAILED, &failure);
}

static void judge_expectations(struct run *run)
{
    struct buffer exception = {0};
    run->measurements.last = run->measurements.newest;
    run->measurements.last.at_ns = run->chaos.waited_ns;
    if (run->verdict.aborted) {
        judge_fail_performance(run, &run->verdict.abort_error);
    } else if (judge_find_missed(run, &run->scenario->expectations, EXPECTATIONS_ALL,
                                 &run->measurements.first, &run->measurements.last, true, &exception)) {
        judge_fail_performance(run, &exception);
    } else {
        run->verdict.judged = true;
        telemetry_performance(run);
    }
    buffer_free(&exception);
}

/* Whether scripts without an operation have something else to tell. */
static bool judge_tests_otherwise(const struct scenario *scenario)
{
    return scenario->threads && (scenario->invariant.data || scenario->steady_state.data ||
                                 scenario->chaos.data || scenario->action_count);
}

bool judge_nothing_succeeded(const struct run *run)
{
    const struct load_record *record = run_record(run);
    const struct expectations *of_whole_run = run->request.expectations;
    bool allows_errors = expectations_allow_all_errors(&run->scenario->expectations) ||
                         (of_whole_run && expectations_allow_all_errors(of_whole_run));
    return record->timeline.start_ns && run_state_group(run->state) > RUN_LOADING && !allows_errors &&
           record->operations == record->operation_errors &&
           (record->operations || !judge_tests_otherwise(run->scenario));
}

/* Scripts are answered as the library does. */
static void judge_fail_load(struct run *run)
{
    if (!run->scenario->threads && judge_nothing_succeeded(run))
        run_fail_atom(run, REASON_LOAD_FAILED, "nothing_succeeded");
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
        judge_fail_chaos(run);
    judge_fail_load(run);
}

void judge_whole_run(struct run *run)
{
    uint32_t kinds = EXPECTATIONS_ALL;
    bool is_whole = !run->verdict.failure.size;
    if (run->cancelled || run->verdict.refused || run->scenario->dry_run)
        return;                         /* there is no run to be judged */
    if (!run->measurements.first.at_ns) /* no load has begun */
        kinds &= ~(1u << EXPECT_OPS_PER_S);
    if (!judge_find_missed(run, run->request.expectations, kinds, &run->measurements.opening,
                           &run->measurements.closing, is_whole, &run->verdict.raised))
        return;
    run->verdict.missed = true;
    judge_fail_missed(run, run->request.expectations, &run->measurements.opening, &run->measurements.closing,
                      &run->verdict.raised);
}

/* True when one was, and the load is over. */
static bool judge_abort_when_missed(struct run *run, uint32_t kinds)
{
    run->verdict.aborted =
        judge_find_missed(run, &run->scenario->expectations, kinds, &run->measurements.first,
                          &run->measurements.newest, false, &run->verdict.abort_error);
    if (run->verdict.aborted) {
        run_log_aborted(run);
        run_event(run, RUN_EVENT_OVER, RUN_NO_DETAIL);
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

/* When the session has not answered in time, what it says later is what there is to compare with. */
static void judge_complete_first(struct run *run, const struct measurement *later)
{
    if (run->measurements.first.memory_bytes)
        return;
    run->measurements.first.memory_bytes = later->memory_bytes;
    run->measurements.first.reductions = later->reductions;
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
