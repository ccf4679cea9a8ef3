#include "scenario_text.h"

#define WITH(load) "#{target => c, operations => [a], load => " load "}"

static void test_threads(void **state)
{
    (void)state;
    struct scenario *scenario = read_good(WITH("#{threads => 7, duration_ms => 3000, think_ms => 5}"));
    assert_int_equal(scenario->load.model, LOAD_CLOSED);
    assert_int_equal(scenario->thread_count, 7);
    assert_null(scenario->threads);
    assert_int_equal(scenario->load.think_low_ms, 5);
    assert_int_equal(scenario->load.think_high_ms, 5);
    assert_int_equal(scenario->timeout_ms, 4000);
    assert_int_equal(scenario->events_policy, EVENTS_LAST);
    assert_int_equal(scenario->events_number, 1000);
    scenario_free(scenario);
    scenario =
        read_good("#{target => c, operations => [a, {'$sleep', 50}], call_timeout_ms => 10, events => all,"
                  " load => [{threads, 2}, {iterations, 3}, {think_ms, {1, 9}}]}");
    assert_int_equal(scenario->load.iterations, 3);
    assert_int_equal(scenario->load.think_high_ms, 9);
    assert_int_equal(scenario->timeout_ms, 3 * (10 + 9 + 50 + 9) + 10); /* the most that it can take */
    assert_int_equal(scenario->events_policy, EVENTS_ALL);
    scenario_free(scenario);
}

static void test_rate(void **state)
{
    (void)state;
    struct scenario *scenario = read_good(
        WITH("#{rate => 2.5, duration_ms => 4000, arrival => poisson, max_in_flight => 9, max_queued => 0}"));
    assert_int_equal(scenario->load.model, LOAD_OPEN);
    assert_int_equal(scenario->load.arrival, ARRIVAL_POISSON);
    assert_true(scenario->load.stages[0].level == 2.5);
    assert_int_equal(scenario->thread_count, 9);
    assert_int_equal(scenario->load.max_queued, 0);
    scenario_free(scenario);
    scenario = read_good(WITH("#{rate => 100, duration_ms => 4000}"));
    assert_int_equal(scenario->load.arrival, ARRIVAL_CONSTANT);
    assert_int_equal(scenario->thread_count, 1000);
    assert_int_equal(scenario->load.max_queued, 100000);
    scenario_free(scenario);
}

static void test_stages(void **state)
{
    (void)state;
    struct scenario *scenario = read_good(
        WITH("#{stages => [#{duration_ms => 10, threads => 5}, [{threads, 2}, {duration_ms, 20}]]}"));
    assert_int_equal(scenario->load.model, LOAD_CLOSED);
    assert_true(scenario->load.is_linear && scenario->load.is_staged);
    assert_int_equal(scenario->thread_count, 5);
    assert_int_equal(scenario->timeout_ms, 1030);
    scenario_free(scenario);
    scenario = read_good(WITH("#{stages => [#{duration_ms => 10, rate => 0.5}], ramp => step}"));
    assert_int_equal(scenario->load.model, LOAD_OPEN);
    assert_false(scenario->load.is_linear);
    scenario_free(scenario);
}

static void test_mix(void **state)
{
    (void)state;
    struct scenario *scenario = read_good("#{target => c, load => #{threads => 1, iterations => 1}, mix =>"
                                          " [#{weight => 3, op => a}, [{op, {cast, b}}, {weight, 0.5}]]}");
    assert_int_equal(scenario->operation_count, 2);
    assert_true(scenario->mix[0] == 3 && scenario->mix[1] == 3.5);
    assert_int_equal(scenario->operations[1].kind, OPERATION_CAST);
    assert_int_equal(scenario->timeout_ms,
                     2000); /* one operation of at most a second, and a call's timeout */
    scenario_free(scenario);
}

static void test_other_keys(void **state)
{
    (void)state;
    struct scenario *scenario =
        read_good("#{target => [c, d], threads => [[a]], seed => 9223372036854775807, spread => {key, 2},"
                  " warmup_ms => 0, performance_expectations => [{max_p99_us, 5}, {max_time_ms, 1}],"
                  " abort_when => [max_p99_us]}");
    assert_true(scenario->has_seed && scenario->seed == INT64_MAX);
    assert_int_equal(scenario->spread, SPREAD_KEY);
    assert_int_equal(scenario->key_position, 2);
    assert_int_equal(scenario->warmup_ms, 0);
    assert_int_equal(scenario->abort_when, 1u << EXPECT_P99_US);
    scenario_free(scenario);
    scenario = read_good("#{target => [c, d], threads => [[a]], spread => random, seed => nil}");
    assert_int_equal(scenario->spread, SPREAD_RANDOM);
    assert_false(scenario->has_seed);
    scenario_free(scenario);
}

static void test_bad_loads(void **state)
{
    (void)state;
    static const struct {
        const char *load;
        const char *problem;
    } rows[] = {
        {"7", PROBLEM("load", "wrong_type", "must be a map or a keyword list, got 7")},
        {"#{}", PROBLEM("load", "required", "needs threads, rate or stages")},
        {"#{threads => 0, iterations => 1}",
         PROBLEM("load,threads", "out_of_range", "must be in 1 to 4294967295 threads, got 0")},
        {"#{threads => many, iterations => 1}", PROBLEM("load,threads", "wrong_type", "")},
        {"#{threads => 1}", PROBLEM("load,duration_ms", "required", "is required, or iterations are")},
        {"#{threads => 1, duration_ms => 1, iterations => 1}", PROBLEM("load,iterations", "conflict", "")},
        {"#{threads => 1, duration_ms => 1, arrival => poisson}",
         PROBLEM("load,arrival", "conflict", "does not go with threads")},
        {"#{threads => 1, duration_ms => 1, think_ms => -1}", PROBLEM("load,think_ms", "out_of_range", "")},
        {"#{threads => 1, duration_ms => 1, think_ms => {2, 1}}",
         PROBLEM("load,think_ms", "out_of_range", "")},
        {"#{threads => 1, duration_ms => 1, think_ms => {2, x}}", PROBLEM("load,think_ms", "wrong_type", "")},
        {"#{rate => 0, duration_ms => 1}", PROBLEM("load,rate", "out_of_range", "")},
        {"#{rate => 1}", PROBLEM("load,duration_ms", "required", "is required")},
        {"#{rate => 1, duration_ms => 1, think_ms => 1}",
         PROBLEM("load,think_ms", "conflict", "does not go with a rate")},
        {"#{rate => 1, duration_ms => 1, arrival => now}", PROBLEM("load,arrival", "out_of_range", "")},
        {"#{rate => 1, duration_ms => 1, threads => 1}",
         PROBLEM("load,rate", "conflict", "does not go with threads")},
        {"#{rate => 1, duration_ms => 1, max_in_flight => 0}",
         PROBLEM("load,max_in_flight", "out_of_range", "")},
        {"#{rate => 1, duration_ms => 1, max_queue => 0}",
         PROBLEM("load,max_queue", "unknown_key", "is not a key of load; did you mean max_queued?")},
        {"#{rate => 1, duration_ms => 1, duration => 1}",
         PROBLEM("load,duration", "unknown_key", "is not a key of load; did you mean duration_ms?")},
        {"#{stages => []}", PROBLEM("load,stages", "wrong_type", "")},
        {"#{stages => [#{duration_ms => 1, threads => 0}]}", PROBLEM("load,stages", "out_of_range", "")},
        {"#{stages => [#{duration_ms => 1, threads => 1}, 7]}", PROBLEM("load,stages,1", "wrong_type", "")},
        {"#{stages => [#{duration_ms => 1, threads => 1}, #{threads => 1}]}",
         PROBLEM("load,stages,1,duration_ms", "required", "")},
        {"#{stages => [#{duration_ms => 1, rate => 1}, #{duration_ms => 1, rate => -1}]}",
         PROBLEM("load,stages,1,rate", "out_of_range", "")},
        {"#{stages => [#{duration_ms => 1, rate => 1}], ramp => up}",
         PROBLEM("load,ramp", "out_of_range", "must be :linear or :step, got up")},
        {"#{stages => [#{duration_ms => 1, rate => 1}], duration_ms => 1}",
         PROBLEM("load,duration_ms", "conflict", "does not go with stages of a rate")},
        {"#{stages => [#{duration_ms => 4294967295, rate => 1}]}", PROBLEM("load", "out_of_range", "")},
    };
    char text[300];
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        snprintf(text, sizeof(text), WITH("%s"), rows[i].load);
        EXPECT_PROBLEMS(text, rows[i].problem);
    }
}

static void test_what_goes_together(void **state)
{
    (void)state;
#define LOAD "load => #{threads => 1, duration_ms => 1000}"
    EXPECT_PROBLEMS("#{target => c, threads => [a], operations => [a], " LOAD "}",
                    PROBLEM("threads", "conflict", ""));
    EXPECT_PROBLEMS("#{target => c, " LOAD "}", PROBLEM("operations", "required", ""));
    EXPECT_PROBLEMS("#{target => c, operations => [], " LOAD "}", PROBLEM("operations", "empty", ""));
    EXPECT_PROBLEMS("#{target => c, operations => [a], mix => [#{weight => 1, op => a}], " LOAD "}",
                    PROBLEM("mix", "conflict", ""));
    EXPECT_PROBLEMS("#{target => c, operations => [a]}", PROBLEM("threads", "required", ""),
                    PROBLEM("operations", "conflict", ""));
    EXPECT_PROBLEMS("#{target => c, operations => [a], timeout_ms => 1999, " LOAD "}",
                    PROBLEM("timeout_ms", "out_of_range",
                            "must be at least the load's length plus a call's timeout, 2000, got 1999"));
    scenario_free(read_good("#{target => c, operations => [a], timeout_ms => 2000, " LOAD "}"));
}

static void test_bad_choices(void **state)
{
    (void)state;
    static const struct {
        const char *mix;
        const char *problem;
    } rows[] = {
        {"[]", PROBLEM("mix", "wrong_type", "")},
        {"a", PROBLEM("mix", "wrong_type", "")},
        {"[a]", PROBLEM("mix,0", "wrong_type", "must be a map of weight and op, got a")},
        {"[#{op => a}]", PROBLEM("mix,0,weight", "required", "")},
        {"[#{op => a, weight => 0}]", PROBLEM("mix,0,weight", "out_of_range", "")},
        {"[#{op => a, weight => 1}, #{weight => 1}]", PROBLEM("mix,1,op", "required", "")},
        {"[#{op => {custom, a}, weight => 1}]", PROBLEM("mix,0,op", "invalid_operation", "")},
        {"[#{op => a, wieght => 1, weight => 2}]",
         PROBLEM("mix,0,wieght", "unknown_key", "is not a key of choices of a mix; did you mean weight?")},
    };
    char text[300];
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        snprintf(text, sizeof(text), "#{target => c, " LOAD ", mix => %s}", rows[i].mix);
        EXPECT_PROBLEMS(text, rows[i].problem);
    }
}

static void test_other_bad_keys(void **state)
{
    (void)state;
    static const struct {
        const char *pair;
        const char *problem;
    } rows[] = {
        {"seed => -1", PROBLEM("seed", "wrong_type", "")},
        {"seed => x", PROBLEM("seed", "wrong_type", "")},
        {"warmup_ms => -1", PROBLEM("warmup_ms", "out_of_range", "")},
        {"spread => even", PROBLEM("spread", "out_of_range", "")},
        {"spread => {key, 0}", PROBLEM("spread", "out_of_range", "")},
        {"abort_when => max_p99_us", PROBLEM("abort_when", "wrong_type", "")},
        {"abort_when => [max_p99_us]",
         PROBLEM("abort_when,0", "required", "performance_expectations has no max_p99_us to judge by")},
        {"abort_when => [p99]", PROBLEM("abort_when,0", "unknown_key", "p99 is not an expectation")},
    };
    char text[300];
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        snprintf(text, sizeof(text), "#{target => c, threads => [a], %s}", rows[i].pair);
        EXPECT_PROBLEMS(text, rows[i].problem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_stages),
        cmocka_unit_test(test_mix),
        cmocka_unit_test(test_other_keys),
        cmocka_unit_test(test_bad_loads),
        cmocka_unit_test(test_what_goes_together),
        cmocka_unit_test(test_bad_choices),
        cmocka_unit_test(test_other_bad_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
