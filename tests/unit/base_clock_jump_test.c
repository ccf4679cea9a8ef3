#include "base/clock_jump.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/compiler.h"

#define SECOND ((int64_t)CLOCK_NS_PER_S)

static void test_between(void **state)
{
    (void)state;
    static const struct {
        struct clock_times later;
        struct clock_jump jump;
    } rows[] = {
        {{100, 200, 300}, {0, 0}},
        {{100 + SECOND, 200 + SECOND, 300 + SECOND}, {0, 0}},
        {{100 + SECOND, 200 + SECOND, 300 + 4 * SECOND}, {0, 3 * SECOND}},
        {{100 + SECOND, 200 + SECOND, 300 - 4 * SECOND}, {0, -5 * SECOND}},
        {{100 + SECOND, 200 + 6 * SECOND, 300 + 6 * SECOND}, {5 * SECOND, 0}}, /* suspended */
        {{100 + SECOND, 200 + 6 * SECOND, 300 + 7 * SECOND}, {5 * SECOND, SECOND}},
    };
    const struct clock_times earlier = {100, 200, 300};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct clock_jump jump = clock_jump_between(&earlier, &rows[i].later);
        assert_true(jump.suspended_ns == rows[i].jump.suspended_ns);
        assert_true(jump.moved_ns == rows[i].jump.moved_ns);
    }
}

/* The machine's own clocks, which nobody sets meanwhile. */
static void test_now(void **state)
{
    (void)state;
    uint64_t before_ns = clock_ns(), before_us = clock_wall_us();
    struct clock_times earlier = clock_times_now();
    struct clock_times later = clock_times_now();
    assert_true(earlier.monotonic_ns >= (int64_t)before_ns && later.monotonic_ns > earlier.monotonic_ns);
    assert_true(later.monotonic_ns <= (int64_t)clock_ns());
    assert_true(earlier.boot_ns >= earlier.monotonic_ns);
    assert_true((uint64_t)earlier.wall_ns / CLOCK_NS_PER_US >= before_us);
    struct clock_jump jump = clock_jump_between(&earlier, &later);
    assert_true(jump.suspended_ns < SECOND / 10 && jump.suspended_ns > -SECOND / 10);
    assert_true(jump.moved_ns < SECOND / 10 && jump.moved_ns > -SECOND / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_between),
        cmocka_unit_test(test_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
