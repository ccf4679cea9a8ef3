/* What weakens the verdict on expectations: what there was too little of, and what chance may have decided.
 */
#include "warnings_expect.h"

#include "base/random.h"
#include "run_private.h"

static struct {
    struct load_record record;
    struct run run;
    struct expectations of_whole_run;
    uint64_t faults; /* that were injected */
} world;

/* --- What it has come to --- */

const struct load_record *run_record(const struct run *run)
{
    assert_ptr_equal(run, &world.run);
    return &world.record;
}

struct faults_recovery faults_recovery(const struct faults *faults, uint64_t now_ns)
{
    assert_ptr_equal(faults, world.run.faults);
    assert_true(now_ns > 0);
    return (struct faults_recovery){0};
}

uint64_t faults_injected_count(const struct faults *faults)
{
    assert_ptr_equal(faults, world.run.faults);
    return world.faults;
}

bool faults_none_drawn(const struct faults *faults)
{
    assert_ptr_equal(faults, world.run.faults);
    return false;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#define NEVER(type, name, parameters, ...)                                                                   \
    type name parameters                                                                                     \
    {                                                                                                        \
        fail_msg("%s", #name);                                                                               \
        __VA_ARGS__;                                                                                         \
    }

NEVER(enum run_group, run_state_group, (enum run_state state), return RUN_ENDING)
NEVER(bool, faults_have_problem, (const struct faults *faults), return false)
NEVER(void, run_event, (struct run * run, enum run_event event, const struct term_long *detail), (void)0)
NEVER(void, run_fail, (struct run * run, enum reason reason, const struct term_long *detail), (void)0)
NEVER(void, run_fail_atom, (struct run * run, enum reason reason, const char *detail), (void)0)
NEVER(void, run_log_aborted, (const struct run *run), (void)0)
NEVER(void, session_measure, (struct run * run), (void)0)
NEVER(void, telemetry_performance, (struct run * run), (void)0)
#pragma GCC diagnostic pop

/* A run that is held to these. */
static void make(const char *expectations)
{
    char text[1000];
    memset(&world, 0, sizeof(world));
    snprintf(text, sizeof(text),
             "#{target => {x, 'n@h'}, threads => [[get]], performance_expectations => %s}", expectations);
    world.run.scenario = read_good(text);
    world.record.timeline.start_ns = 1;
    world.record.started_ns = 1;
    world.record.ended_ns = 2000000001;
    latencies_init(&world.record.latencies, world.run.scenario);
}

static void end(void)
{
    latencies_free(&world.record.latencies);
    scenario_free((struct scenario *)(uintptr_t)world.run.scenario);
}

/* All from 1 ms on, each once, in no order: a millisecond has nothing to do with the next. */
static void measure(uint64_t count)
{
    const uint64_t step = 7919; /* is prime */
    for (uint64_t i = 0; i < count; i++) {
        uint64_t us = (1 + i * step % count) * 1000;
        latencies_record(&world.record.latencies, 0,
                         (struct latency_sample){.response_us = us, .service_us = us});
        world.record.operations++;
    }
}

static void expect(const char *text)
{
    struct warnings warnings = {.count = 0};
    judge_warn(&world.run, &warnings);
    warnings_expect(&warnings, text);
}

static void expect_message(const char *wanted)
{
    struct warnings warnings = {.count = 0};
    judge_warn(&world.run, &warnings);
    warnings_expect_message(&warnings, wanted);
}

/* --- */

static void test_nothing_asked(void **state)
{
    (void)state;
    make("[]");
    measure(10);
    expect("[]");
    end();
    make("[{max_error_rate, 1}, {max_time_ms, 5000}]");
    measure(10);
    expect("[]");
    end();
}

static void test_not_measured(void **state)
{
    (void)state;
    make("[{max_p99_us, 5}]");
    expect("[#{warning => not_measured, expectation => max_p99_us}]");
    expect_message("nothing was measured for max_p99_us");
    end();
}

static void test_too_short(void **state)
{
    (void)state;
    make("[{max_p50_us, 1000000}, {max_p99_us, 1000000}, {max_p999_us, 5000000}]");
    measure(250);
    expect(
        "[#{warning => run_too_short, expectation => max_p99_us, operations => 250, worth => 250, needed => "
        "370}, #{warning => run_too_short, expectation => max_p999_us, operations => 250, worth => 250, "
        "needed "
        "=> 3700}]");
    expect_message("the run was too short for max_p99_us: 250 operations do not tell how high it may be, and "
                   "some 370 would");
    world.run.cancelled = true; /* all the more */
    world.run.faults = (struct faults *)(void *)&world;
    world.faults = 1;
    expect_message("the run was too short for max_p99_us: 250 operations do not tell how high it may be, and "
                   "some 370 would");
    end();
}

/* Enough, but for their being slow for one reason. */
static void test_too_much_alike(void **state)
{
    (void)state;
    make("[{max_p99_us, 10000000}]");
    for (uint64_t i = 0; i < 10000; i++)
        latencies_record(&world.record.latencies, 0,
                         (struct latency_sample){.response_us = i >= 5000 && i < 5200 ? 900000 : 1000 + i % 7,
                                                 .service_us = 1});
    struct warnings warnings = {.count = 0};
    struct term_builder built = {0};
    struct term_list list;
    struct term warning, value;
    double worth, needed;
    judge_warn(&world.run, &warnings);
    assert_int_equal(warnings.count, 1);
    warnings_build(&warnings, &built);
    assert_true(term_list_start(&list, term_built(&built)) && term_list_next(&list, &warning));
    assert_true(term_pairs_get(warning, "worth", &value) && term_read_number(value, &worth));
    assert_true(term_pairs_get(warning, "needed", &value) && term_read_number(value, &needed));
    assert_true(worth >= 10 && worth < 300);
    assert_true(needed >= 10000 * 368.0 / worth && needed <= 1.11 * 10000 * 368.0 / (worth - 1));
    char message[200];
    snprintf(
        message, sizeof(message),
        "the run was too short for max_p99_us: 10000 operations, so much alike that they are worth %.0f, "
        "do not tell how high it may be, and some %.0f would",
        worth, needed);
    expect_message(message);
    /* Where that is a fault of the run it is as it was to be. */
    world.run.faults = (struct faults *)(void *)&world;
    expect_message(message);
    world.faults = 1;
    expect("[]");
    warnings_free(&warnings);
    term_build_free(&built);
    end();
}

/* p50 of 1000 is between the 469th and the 532nd. */
static void test_uncertain(void **state)
{
    (void)state;
    make("[{max_p50_us, 533000}, {max_p50_us, 520000}, {max_p50_us, 480000}, {max_p50_us, 460000}]");
    measure(1000);
    expect("[#{warning => verdict_uncertain, expectation => max_p50_us, low => 468992, high => 532479}, "
           "#{warning "
           "=> verdict_uncertain, expectation => max_p50_us, low => 468992, high => 532479}]");
    expect_message(
        "max_p50_us was met, and may be otherwise next time: the limit is within its 95 % interval, "
        "from 468992 to 532479");
    world.run.cancelled = true; /* there is no verdict */
    expect("[]");
    end();
    make("[{max_p50_us, 480000}]");
    measure(1000);
    expect_message("max_p50_us was missed, and may be otherwise next time: the limit is within its 95 % "
                   "interval, from 468992 to 532479");
    end();
}

/* Those of run_with_performance() likewise. */
static void test_of_whole_run(void **state)
{
    (void)state;
    make("[]");
    measure(250);
    world.of_whole_run = (struct expectations){.items = {{.kind = EXPECT_P99_US, .limit = 1e9}}, .count = 1};
    world.run.request.expectations = &world.of_whole_run;
    expect(
        "[#{warning => run_too_short, expectation => max_p99_us, operations => 250, worth => 250, needed => "
        "370}]");
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_asked), cmocka_unit_test(test_not_measured),
        cmocka_unit_test(test_too_short),     cmocka_unit_test(test_too_much_alike),
        cmocka_unit_test(test_uncertain),     cmocka_unit_test(test_of_whole_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
