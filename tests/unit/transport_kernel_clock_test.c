#include "transport/kernel_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define US CLOCK_NS_PER_US
#define MS CLOCK_NS_PER_MS
#define S CLOCK_NS_PER_S
#define READING_NS 20 /* what a clock takes to be read */

/* Clocks that the test moves. The kernel stamps by a wall clock that is `kernel_ahead_ns` ahead of the one
 * that this process is shown. */
struct fixture {
    uint64_t now_ns;
    int64_t wall_ahead_ns;
    int64_t kernel_ahead_ns;
    uint64_t away_ns; /* the process has no processor for so long behind its next reading */
    struct clock monotonic;
    struct clock wall;
    struct kernel_clock clock;
    struct kernel_clock_line line;
};

static uint64_t passes(struct fixture *fixture, uint64_t shown_ns)
{
    fixture->now_ns += READING_NS + fixture->away_ns;
    fixture->away_ns = 0;
    return shown_ns;
}

static uint64_t read_monotonic(void *owner)
{
    struct fixture *fixture = owner;
    return passes(fixture, fixture->now_ns);
}

static uint64_t read_wall(void *owner)
{
    struct fixture *fixture = owner;
    return passes(fixture, fixture->now_ns + (uint64_t)fixture->wall_ahead_ns);
}

static void start(struct fixture *fixture)
{
    *fixture = (struct fixture){.now_ns = 1000 * S, .wall_ahead_ns = (int64_t)(1700000000 * S)};
    fixture->monotonic = (struct clock){.ns = read_monotonic, .owner = fixture};
    fixture->wall = (struct clock){.ns = read_wall, .owner = fixture};
    kernel_clock_init(&fixture->clock, &fixture->monotonic, &fixture->wall);
    kernel_clock_begin(&fixture->clock, &fixture->line);
}

static void pass(struct fixture *fixture, uint64_t ns)
{
    fixture->now_ns += ns;
}

/* What the kernel writes on what arrives now. */
static uint64_t stamp(const struct fixture *fixture)
{
    return fixture->now_ns + (uint64_t)(fixture->wall_ahead_ns + fixture->kernel_ahead_ns);
}

/* The wall clock of the kernel and that which this process is shown are the same one. */
static void set_wall(struct fixture *fixture, int64_t by_ns)
{
    fixture->wall_ahead_ns += by_ns;
}

static struct arrived place_on(struct fixture *fixture, struct kernel_clock_line *line, uint64_t stamp_ns,
                               bool is_all)
{
    kernel_clock_look(&fixture->clock, clock_read(&fixture->monotonic));
    struct arrived arrived = kernel_clock_place(&fixture->clock, line, stamp_ns);
    if (is_all)
        kernel_clock_emptied(&fixture->clock, line);
    return arrived;
}

static struct arrived place(struct fixture *fixture, uint64_t stamp_ns, bool is_all)
{
    return place_on(fixture, &fixture->line, stamp_ns, is_all);
}

static void assert_about(uint64_t measured_ns, uint64_t wanted_ns)
{
    uint64_t apart_ns = measured_ns > wanted_ns ? measured_ns - wanted_ns : wanted_ns - measured_ns;
    if (apart_ns > US)
        fail_msg("%llu ns, not %llu", (unsigned long long)measured_ns, (unsigned long long)wanted_ns);
}

/* Something arrives, and is read after a while, with all that there is. */
static void expect_kernel(struct fixture *fixture, uint64_t while_ns)
{
    uint64_t arrived_ns = fixture->now_ns, stamp_ns = stamp(fixture);
    pass(fixture, while_ns);
    struct arrived arrived = place(fixture, stamp_ns, true);
    assert_true(arrived.by_kernel);
    assert_about(arrived.ns, arrived_ns);
    assert_true(arrived.ns <= fixture->now_ns);
}

static void expect_loop(struct fixture *fixture, uint64_t stamp_ns, bool is_all)
{
    uint64_t now_ns = fixture->now_ns;
    struct arrived arrived = place(fixture, stamp_ns, is_all);
    assert_false(arrived.by_kernel);
    assert_int_equal(arrived.ns, now_ns);
}

static void test_stamps_are_placed(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    static const uint64_t whiles[] = {0, 1, US, 50 * US, MS, 3 * S};
    for (size_t i = 0; i < sizeof(whiles) / sizeof(whiles[0]); i++) {
        expect_kernel(&fixture, whiles[i]);
        pass(&fixture, 10 * S); /* nothing has to happen in between */
    }
}

static void test_without_a_stamp(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    expect_loop(&fixture, 0, true);
    pass(&fixture, MS);
    expect_kernel(&fixture, US);
    expect_loop(&fixture, 0, false);
    assert_false(fixture.clock.is_apart);
}

/* Small differences between stamps and clocks never give a time that is not between the last look and now. */
static void test_within_its_bounds(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    expect_kernel(&fixture, US);
    fixture.kernel_ahead_ns = (int64_t)(5 * US);
    uint64_t now_ns = fixture.now_ns;
    struct arrived arrived = place(&fixture, stamp(&fixture), true);
    assert_true(arrived.by_kernel);
    assert_int_equal(arrived.ns, now_ns);
    uint64_t empty_ns = fixture.line.empty_ns, early_ns = empty_ns - 5 * US;
    arrived = place(&fixture, early_ns + (uint64_t)fixture.wall_ahead_ns, true);
    assert_true(arrived.by_kernel);
    assert_int_equal(arrived.ns, empty_ns);
}

/* Between two looks, in either direction and by little or much: what came before has the stamp of another
 * time, and what comes when all that was read has the right one again. */
static void test_wall_clock_is_set(void **state)
{
    (void)state;
    static const int64_t steps[] = {(int64_t)(11 * US),   -(int64_t)(11 * US), (int64_t)(300 * US),
                                    -(int64_t)(300 * US), (int64_t)(3600 * S), -(int64_t)(3600 * S)};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct fixture fixture;
        start(&fixture);
        expect_kernel(&fixture, 20 * US);
        uint64_t before[] = {stamp(&fixture), stamp(&fixture), stamp(&fixture)};
        pass(&fixture, MS);
        set_wall(&fixture, steps[i]);
        pass(&fixture, MS);
        expect_loop(&fixture, before[0], false); /* here it is found */
        expect_loop(&fixture, before[1], false);
        expect_loop(&fixture, before[2], true);
        for (int k = 0; k < 3; k++) {
            pass(&fixture, MS);
            expect_kernel(&fixture, 20 * US);
        }
        assert_int_equal(fixture.clock.steps, 1);
        assert_false(fixture.clock.is_apart);
    }
}

/* It may have been set between the read, which has found nothing more, and the look behind it. */
static void test_wall_clock_is_set_while_reading(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    uint64_t first = stamp(&fixture);
    pass(&fixture, US); /* it is read, with all; then, before the look, something else comes */
    uint64_t second = stamp(&fixture);
    set_wall(&fixture, (int64_t)MS);
    expect_loop(&fixture, first, true);
    pass(&fixture, US);
    expect_loop(&fixture, second, true);
    expect_kernel(&fixture, US);
}

/* Each connection for itself; one that is made later has nothing of before. */
static void test_lines_apart(void **state)
{
    (void)state;
    struct fixture fixture;
    struct kernel_clock_line other, later;
    start(&fixture);
    kernel_clock_begin(&fixture.clock, &other);
    set_wall(&fixture, (int64_t)S);
    expect_loop(&fixture, 0, true);
    kernel_clock_begin(&fixture.clock, &later);
    expect_loop(&fixture, 0, true);
    expect_kernel(&fixture, US);
    assert_false(place_on(&fixture, &other, stamp(&fixture), false).by_kernel);
    assert_true(place_on(&fixture, &later, stamp(&fixture), false).by_kernel);
    assert_false(place_on(&fixture, &other, stamp(&fixture), true).by_kernel);
    assert_true(place_on(&fixture, &other, stamp(&fixture), true).by_kernel);
}

/* Small steps add up to one that counts. */
static void test_small_steps(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    for (int i = 0; i < 100; i++) {
        set_wall(&fixture, (int64_t)US);
        pass(&fixture, MS);
        (void)place(&fixture, 0, true);
    }
    assert_true(fixture.clock.steps >= 8 && fixture.clock.steps <= 10);
}

/* To have no processor between two readings looks like a step, and is none. */
static void test_no_processor_while_looking(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    for (int i = 0; i < 20; i++) {
        pass(&fixture, MS);
        fixture.away_ns = 5 * MS;
        expect_kernel(&fixture, 20 * US);
    }
    assert_int_equal(fixture.clock.steps, 0);
}

/* Stamps of the past and of the future, each so often that they cannot be of this clock. */
static void test_another_clock(void **state)
{
    (void)state;
    static const int64_t aheads[] = {(int64_t)(86400 * S), -(int64_t)(86400 * S), (int64_t)MS, -(int64_t)MS};
    for (size_t i = 0; i < sizeof(aheads) / sizeof(aheads[0]); i++) {
        struct fixture fixture;
        start(&fixture);
        expect_loop(&fixture, 0, true);
        expect_loop(&fixture, 0, true);
        fixture.kernel_ahead_ns = aheads[i];
        for (int k = 0; k < KERNEL_CLOCK_STRANGE; k++) {
            assert_false(fixture.clock.is_apart);
            pass(&fixture, 100 * US);
            uint64_t stamp_ns = stamp(&fixture);
            pass(&fixture, 20 * US);
            expect_loop(&fixture, stamp_ns, true);
        }
        assert_true(fixture.clock.is_apart);
        fixture.kernel_ahead_ns = 0; /* it stays so */
        expect_loop(&fixture, stamp(&fixture), true);
    }
}

/* A process that is shown time that goes faster than the kernel's: its stamps stay behind. */
static void test_faster_time(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    for (int i = 0; i < 1000; i++) {
        pass(&fixture, 100 * US);
        fixture.kernel_ahead_ns -= (int64_t)(50 * US);
        uint64_t stamp_ns = stamp(&fixture);
        pass(&fixture, 20 * US);
        (void)place(&fixture, stamp_ns, true);
    }
    assert_true(fixture.clock.is_apart);
}

/* A packet that was late in its own kernel is no sign of another clock. */
static void test_strange_now_and_then(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    expect_kernel(&fixture, US);
    expect_kernel(&fixture, US);
    for (int i = 0; i < 10 * KERNEL_CLOCK_STRANGE; i++) {
        uint64_t old = stamp(&fixture) - 50 * MS;
        expect_loop(&fixture, old, true);
        pass(&fixture, 100 * US);
        expect_kernel(&fixture, US);
        pass(&fixture, 100 * US);
    }
    assert_false(fixture.clock.is_apart);
}

/* The machine's own clocks. */
static void test_machine(void **state)
{
    (void)state;
    struct kernel_clock clock;
    struct kernel_clock_line line;
    kernel_clock_init(&clock, &clock_machine, &clock_machine_wall);
    kernel_clock_begin(&clock, &line);
    for (int i = 0; i < 1000; i++) {
        uint64_t before_ns = clock_ns(), stamp_ns = clock_wall_ns(), after_ns = clock_ns();
        kernel_clock_look(&clock, clock_ns());
        struct arrived arrived = kernel_clock_place(&clock, &line, stamp_ns);
        if (!arrived.by_kernel)
            continue; /* it was set just now */
        assert_true(arrived.ns + (uint64_t)KERNEL_CLOCK_STEP_NS >= before_ns);
        assert_true(arrived.ns <= after_ns + (uint64_t)KERNEL_CLOCK_STEP_NS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stamps_are_placed),
        cmocka_unit_test(test_without_a_stamp),
        cmocka_unit_test(test_within_its_bounds),
        cmocka_unit_test(test_wall_clock_is_set),
        cmocka_unit_test(test_wall_clock_is_set_while_reading),
        cmocka_unit_test(test_lines_apart),
        cmocka_unit_test(test_small_steps),
        cmocka_unit_test(test_no_processor_while_looking),
        cmocka_unit_test(test_another_clock),
        cmocka_unit_test(test_faster_time),
        cmocka_unit_test(test_strange_now_and_then),
        cmocka_unit_test(test_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
