#include "base/log_repeat.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/clock.h"

/* Ten times a second for a day. */
static void test_a_day_is_a_few_lines(void **state)
{
    (void)state;
    struct log_repeat repeat = {.all = 0};
    const uint64_t times = 24 * 3600 * 10;
    uint64_t lines = 0, told = 0, now_ns = 1;
    for (uint64_t i = 0; i < times; i++, now_ns += CLOCK_NS_PER_S / 10) {
        if (!log_repeat_is_due_at(&repeat, now_ns))
            continue;
        lines++;
        told += (uint64_t)log_times(&repeat).integer;
        if (i == 0)
            assert_true(log_times(&repeat).is_left_out);
    }
    assert_in_range(lines, 12, 40);
    assert_int_equal(told + repeat.times, times);
}

static void test_it_is_over_when_it_was_quiet(void **state)
{
    (void)state;
    struct log_repeat repeat = {.all = 0};
    const uint64_t quiet_ns = LOG_REPEAT_QUIET_S * CLOCK_NS_PER_S;
    assert_int_equal(log_repeat_is_over_at(&repeat, quiet_ns), 0);
    assert_true(log_repeat_is_due_at(&repeat, 1000));
    assert_false(log_repeat_is_due_at(&repeat, 2000));
    assert_int_equal(log_repeat_is_over_at(&repeat, 1999 + quiet_ns), 0);
    assert_false(log_repeat_is_due_at(&repeat, 3000)); /* what comes and goes is no news */
    assert_int_equal(log_repeat_is_over_at(&repeat, 3000 + quiet_ns), 3);
    assert_int_equal(log_repeat_is_over_at(&repeat, 3001 + quiet_ns), 0);
    assert_true(log_repeat_is_due_at(&repeat, 3001 + quiet_ns));
    /* Also where nobody asks whether it is. */
    assert_true(log_repeat_is_due_at(&repeat, 3001 + 3 * quiet_ns));
    assert_true(log_times(&repeat).is_left_out);
}

static void test_intervals_double(void **state)
{
    (void)state;
    struct log_repeat repeat = {.all = 0};
    uint64_t now_ns = 5;
    for (uint64_t seconds = 1; seconds < 1000; seconds *= 2) {
        assert_true(log_repeat_is_due_at(&repeat, now_ns));
        now_ns += seconds * CLOCK_NS_PER_S;
        assert_false(log_repeat_is_due_at(&repeat, now_ns - 1));
    }
    assert_true(log_repeat_is_due_at(&repeat, now_ns));
    assert_int_equal(log_times(&repeat).integer, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_day_is_a_few_lines),
        cmocka_unit_test(test_intervals_double),
        cmocka_unit_test(test_it_is_over_when_it_was_quiet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
