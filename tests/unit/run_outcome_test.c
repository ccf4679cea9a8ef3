/* How a run is judged, and how its result is read by those who only have that: with the same word. */
#include "scenario_text.h"

#include "report/report_view.h"
#include "report/run_result.h"
#include "run_private.h"

static struct {
    struct load_record record;
    bool has_problem;
} world;

/* --- What judging and reporting need of the others --- */

const struct load_record *run_record(const struct run *run)
{
    assert_non_null(run);
    return &world.record;
}

bool faults_have_problem(const struct faults *faults)
{
    assert_null(faults);
    return world.has_problem;
}

void faults_build_dry_run(const struct faults *faults, struct term_builder *builder)
{
    assert_null(faults);
    term_build_map(builder, 2);
    term_build_key(builder, "dry_run");
    term_build_boolean(builder, true);
    term_build_key(builder, "chaos");
    term_build_list(builder, 1);
    term_build_map(builder, 1);
    term_build_key(builder, "problem");
    term_build_atom(builder, world.has_problem ? "noproc" : "nil");
    term_build_nil(builder);
}

size_t report_parts_count(bool for_invariant)
{
    assert_false(for_invariant);
    return 1;
}

void report_parts_build(struct run *run, bool for_invariant, struct term_gaps *gaps,
                        struct term_builder *builder)
{
    (void)gaps;
    assert_false(for_invariant);
    term_build_key(builder, "warnings");
    if (!judge_nothing_succeeded(run)) {
        term_build_list(builder, 0);
        return;
    }
    term_build_list(builder, 1);
    term_build_map(builder, 1);
    term_build_key(builder, "warning");
    term_build_atom(builder, "nothing_succeeded");
    term_build_nil(builder);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#define NEVER(type, name, parameters, ...)                                                                   \
    type name parameters                                                                                     \
    {                                                                                                        \
        fail_msg("%s", #name);                                                                               \
        __VA_ARGS__;                                                                                         \
    }

enum run_group run_state_group(enum run_state state)
{
    return RUN_ENDING;
}

struct load_thread engine_thread(const struct engine *engine, size_t thread)
{
    return (struct load_thread){0};
}

NEVER(struct faults_recovery, faults_recovery, (const struct faults *faults, uint64_t now_ns),
      return (struct faults_recovery){0})
NEVER(struct events *, engine_events, (struct engine * engine), return NULL)
NEVER(struct loop *, run_loop, (const struct run *run), return NULL)
NEVER(struct term, engine_message_at,
      (const struct engine *engine, uint32_t operation, uint32_t thread, uint64_t step,
       struct buffer *output),
      return (struct term){0})
NEVER(void, run_event, (struct run * run, enum run_event event, const struct term_long *detail), (void)0)
NEVER(void, run_fail, (struct run * run, enum reason reason, const struct term_long *detail), (void)0)
NEVER(bool, faults_none_drawn, (const struct faults *faults), return false)
NEVER(uint64_t, faults_injected_count, (const struct faults *faults), return 0)
NEVER(void, run_fail_atom, (struct run * run, enum reason reason, const char *detail), (void)0)
NEVER(void, run_log_aborted, (const struct run *run), (void)0)
NEVER(void, session_measure, (struct run * run), (void)0)
NEVER(void, telemetry_performance, (struct run * run), (void)0)
#pragma GCC diagnostic pop

/* --- Every way out --- */

static const struct failure {
    const char *reason; /* NULL: none */
    bool missed;
    bool refused;
} failures[] = {
    {NULL, false, false},
    {"{performance_failed, #{}}", true, false},
    {"{not_allowed, #{}}", false, true},
    {"{invalid_scenario, []}", false, true},
    {"{thread_failure, {error, timeout}}", false, false},
    {"{nodedown, n}", false, false},
    {"users_reason", false, false},
};

/* What the result says, read by somebody who has nothing else. */
static enum outcome outcome_of_result(struct run *run)
{
    struct term_builder stored = {0}, result = {0};
    struct report_view view;
    report_start(&run->report, run, REPORT_RESULT, &stored);
    while (report_continue(&run->report))
        ;
    run_result_build(term_built(&stored), false, &result);
    struct report_source source = {.result = term_built(&result)};
    assert_true(report_view_read(&source, &view));
    report_free(&run->report);
    term_build_free(&stored);
    term_build_free(&result);
    return view.outcome;
}

static void expect_one_word(struct run *run, const struct failure *failure, bool cleanup_fails)
{
    struct term_builder builder = {0};
    run->verdict = (struct run_verdict){.missed = failure->missed, .refused = failure->refused};
    if (failure->reason)
        term_kept_set(&run->verdict.failure, TERM_LONG(term_from_text(&builder, failure->reason)));
    if (cleanup_fails)
        term_kept_set(&run->verdict.cleanup_failure, TERM_LONG(TERM_ATOM("timeout")));
    judge_outcome(run);
    enum outcome seen = outcome_of_result(run);
    if (run->verdict.outcome != seen)
        fail_msg("judged %s, read as %s: cancelled %d, dry run %d, problem %d, reason %s, cleanup fails %d",
                 outcome_name(run->verdict.outcome), outcome_name(seen), run->cancelled,
                 run->scenario->dry_run, world.has_problem, failure->reason ? failure->reason : "none",
                 cleanup_fails);
    term_kept_free(&run->verdict.failure);
    term_kept_free(&run->verdict.cleanup_failure);
    term_build_free(&builder);
}

static void test_one_word(void **state)
{
    (void)state;
    static const char *const scenarios[] = {
        "#{target => c, threads => [[a]]}",
        "#{target => c, threads => [[a]], performance_expectations => [{max_error_rate, 1.0}]}",
        "#{target => c, threads => [[a]], dry_run => true}"};
    for (size_t i = 0; i < ARRAY_LENGTH(scenarios); i++) {
        struct scenario *scenario = read_good(scenarios[i]);
        for (unsigned bits = 0; bits < 16; bits++) {
            struct run run = {.scenario = scenario, .cancelled = bits & 1};
            world.has_problem = bits & 2;
            world.record.timeline.start_ns = !scenario->dry_run;
            world.record.operations = scenario->dry_run ? 0 : 10;
            world.record.operation_errors = scenario->dry_run ? 0 : (bits & 4 ? 10 : 9);
            for (size_t failure = 0; failure < ARRAY_LENGTH(failures); failure++)
                expect_one_word(&run, &failures[failure], bits & 8 && !scenario->dry_run);
        }
        scenario_free(scenario);
    }
}

/* --- Which one it is --- */

static void expect_outcome(enum outcome expected, struct run *run)
{
    judge_outcome(run);
    assert_string_equal(outcome_name(run->verdict.outcome), outcome_name(expected));
}

/* From the last word to the first: each takes the place of those before. */
static void test_what_comes_first(void **state)
{
    (void)state;
    struct scenario *scenario = read_good("#{target => c, threads => [[a]]}");
    struct run run = {.scenario = scenario};
    world.has_problem = false;
    world.record.timeline.start_ns = 1;
    world.record.operations = world.record.operation_errors = 0;
    expect_outcome(OUTCOME_FAILED, &run); /* it has done nothing */
    world.record.timeline.start_ns = 0;
    expect_outcome(OUTCOME_COMPLETED, &run); /* it was not asked to */
    world.record.timeline.start_ns = 1;
    world.record.operations = world.record.operation_errors = 5;
    expect_outcome(OUTCOME_FAILED, &run);
    world.record.operation_errors = 4;
    expect_outcome(OUTCOME_COMPLETED, &run);
    world.has_problem = true;
    expect_outcome(OUTCOME_COMPLETED, &run); /* it is no dry run */
    term_kept_set(&run.verdict.cleanup_failure, TERM_LONG(TERM_ATOM("timeout")));
    expect_outcome(OUTCOME_FAILED, &run);
    term_kept_set(&run.verdict.failure, TERM_LONG(TERM_ATOM("any")));
    expect_outcome(OUTCOME_FAILED, &run);
    run.verdict.refused = true;
    expect_outcome(OUTCOME_NOT_RUN, &run);
    run.verdict.missed = true;
    expect_outcome(OUTCOME_MISSED, &run);
    run.cancelled = true;
    expect_outcome(OUTCOME_CANCELLED, &run);
    term_kept_free(&run.verdict.failure);
    term_kept_free(&run.verdict.cleanup_failure);
    scenario_free(scenario);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_word),
        cmocka_unit_test(test_what_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
