#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "scenario/plan.h"

#define MS(ms) ((uint64_t)(ms) * CLOCK_NS_PER_MS)

static struct load_plan staged(enum load_model model, bool linear, struct plan_stage *stages, size_t count)
{
    return (struct load_plan){.model = model,
                              .stages = stages,
                              .stage_count = count,
                              .is_staged = true,
                              .is_linear = linear,
                              .max_in_flight = 7};
}

/* --- Threads --- */

static void test_ramp_of_threads(void **state)
{
    (void)state;
    struct plan_stage stages[] = {{1000, 10}, {500, 10}, {1000, 0}};
    struct load_plan load = staged(LOAD_CLOSED, true, stages, 3);
    static const uint64_t rows[][2] = {{0, 1},     {50, 1},    {100, 2},   {150, 2},  {999, 10}, {1000, 10},
                                       {1499, 10}, {1500, 10}, {1599, 10}, {1601, 9}, {2499, 1}, {2500, 0}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        assert_int_equal(plan_threads_at(&load, MS(rows[i][0])), rows[i][1]);
    assert_int_equal(plan_most_threads(&load), 10);
    assert_true(plan_duration_ns(&load) == MS(2500));
}

static void test_steps_of_threads(void **state)
{
    (void)state;
    struct plan_stage stages[] = {{1000, 10}, {500, 3}, {1, 20}};
    struct load_plan load = staged(LOAD_CLOSED, false, stages, 3);
    static const uint64_t rows[][2] = {{0, 10}, {999, 10}, {1000, 3}, {1499, 3}, {1500, 20}, {1501, 0}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        assert_int_equal(plan_threads_at(&load, MS(rows[i][0])), rows[i][1]);
    assert_int_equal(plan_most_threads(&load), 20);
    assert_true(plan_next_change_ns(&load, 0) == MS(1000));
    assert_true(plan_next_change_ns(&load, MS(1000)) == MS(1500));
    assert_true(plan_next_change_ns(&load, MS(1501)) == UINT64_MAX);
}

/* Going from change to change visits every number of threads in turn, and no time in between differs. */
static void test_changes(void **state)
{
    (void)state;
    struct plan_stage stages[] = {{777, 100}, {333, 37}, {50, 37}, {1234, 64}, {99, 0}};
    struct load_plan load = staged(LOAD_CLOSED, true, stages, ARRAY_LENGTH(stages));
    uint64_t at = 0, changes = 0, end = plan_duration_ns(&load);
    while (at < end) {
        uint64_t now = plan_threads_at(&load, at), next = plan_next_change_ns(&load, at);
        assert_true(next > at);
        assert_int_equal(plan_threads_at(&load, at + (next - at) / 2), now);
        uint64_t then = plan_threads_at(&load, next);
        if (next < end)
            assert_true(then == now || then == now + 1 || then + 1 == now);
        at = next;
        assert_true(++changes < 1000);
    }
    assert_true(at == end);
    assert_true(changes >= 99 + 63 + 27 + 63);
}

static void test_iterations_have_no_end(void **state)
{
    (void)state;
    struct load_plan load = {.model = LOAD_CLOSED, .threads = 5, .iterations = 3};
    assert_int_equal(plan_threads_at(&load, 0), 5);
    assert_int_equal(plan_threads_at(&load, UINT64_MAX / 2), 5);
    assert_true(plan_next_change_ns(&load, 0) == UINT64_MAX);
    assert_int_equal(plan_duration_ns(&load), 0);
    assert_int_equal(plan_most_threads(&load), 5);
}

/* --- Arrivals --- */

static void test_constant_arrivals(void **state)
{
    (void)state;
    struct plan_stage stage = {60000, 20000};
    struct load_plan load = staged(LOAD_OPEN, false, &stage, 1);
    struct arrivals arrivals;
    uint64_t at, count = 0;
    arrivals_init(&arrivals, &load, 1);
    for (; arrivals_next(&arrivals, &at); count++)
        assert_true(llabs((long long)(at - count * 50000)) <= 1);
    assert_int_equal(count, 1200000);
    assert_false(arrivals_next(&arrivals, &at));
    assert_int_equal(plan_most_threads(&load), 7);
}

/* With r(t) = 1000 t the k-th arrival is where 500 t^2 = k. */
static void test_ramp_of_arrivals(void **state)
{
    (void)state;
    struct plan_stage stages[] = {{2000, 2000}, {1000, 2000}, {2000, 0}};
    struct load_plan load = staged(LOAD_OPEN, true, stages, 3);
    struct arrivals arrivals;
    uint64_t at, last = 0, count = 0;
    arrivals_init(&arrivals, &load, 1);
    while (arrivals_next(&arrivals, &at)) {
        double expected = sqrt((double)count / 500) * 1e9;
        if (count < 2000)
            assert_true(fabs((double)at - expected) < 2);
        else if (count < 4000)
            assert_true(llabs((long long)(at - MS(2000) - (count - 2000) * 500000)) <= 1);
        assert_true(at >= last);
        last = at;
        count++;
    }
    assert_int_equal(count, 2000 + 2000 + 2000);
    assert_true(last < MS(5000));
}

/* A stage without arrivals is passed by, and what it leaves of the way to the next one is kept. */
static void test_pauses(void **state)
{
    (void)state;
    struct plan_stage stages[] = {{1000, 0}, {1000, 2.5}, {500, 0}, {1000, 2}};
    struct load_plan load = staged(LOAD_OPEN, false, stages, 4);
    static const uint64_t expected[] = {1000, 1400, 1800, 2750, 3250};
    struct arrivals arrivals;
    uint64_t at, count = 0;
    arrivals_init(&arrivals, &load, 1);
    for (; arrivals_next(&arrivals, &at); count++)
        assert_true(llabs((long long)(at - MS(expected[count]))) <= 1);
    assert_int_equal(count, ARRAY_LENGTH(expected));
}

/* Gaps of a Poisson process are exponential: their mean and their deviation are the same, and a seed repeats
 * them. */
static void test_poisson_arrivals(void **state)
{
    (void)state;
    struct plan_stage stage = {100000, 1000};
    struct load_plan load = staged(LOAD_OPEN, false, &stage, 1);
    load.arrival = ARRIVAL_POISSON;
    struct arrivals arrivals, again, other;
    uint64_t at, at_again, at_other, last = 0, count = 0, same = 0;
    double sum = 0, squares = 0;
    arrivals_init(&arrivals, &load, 7);
    arrivals_init(&again, &load, 7);
    arrivals_init(&other, &load, 8);
    while (arrivals_next(&arrivals, &at)) {
        assert_true(arrivals_next(&again, &at_again) && at_again == at);
        same += arrivals_next(&other, &at_other) && at_other == at;
        double gap = (double)(at - last) / 1e6;
        sum += gap;
        squares += gap * gap;
        last = at;
        count++;
    }
    assert_true(fabs((double)count - 100000) < 5 * sqrt(100000));
    assert_true(fabs(sum / (double)count - 1) < 0.02);
    assert_true(fabs(squares / (double)count - 2) < 0.06);
    assert_true(same < 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ramp_of_threads),
        cmocka_unit_test(test_steps_of_threads),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_iterations_have_no_end),
        cmocka_unit_test(test_constant_arrivals),
        cmocka_unit_test(test_ramp_of_arrivals),
        cmocka_unit_test(test_pauses),
        cmocka_unit_test(test_poisson_arrivals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
