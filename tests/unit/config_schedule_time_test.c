#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "config/schedule_time.h"

#define HOUR 3600
#define DAY (24 * HOUR)

/* 2026-01-15 00:00 UTC. */
#define MIDNIGHT 1768435200LL

static void in_zone(const char *zone)
{
    setenv("TZ", zone, 1);
    tzset();
}

static struct schedule_time at(uint32_t at_s, uint64_t every_s, int64_t now_s)
{
    struct schedule_time time = {.has_at = true, .at_s = at_s, .every_s = every_s};
    schedule_time_start(&time, 0, now_s);
    return time;
}

static void test_every(void **state)
{
    (void)state;
    assert_int_equal(schedule_time_every("90s"), 90);
    assert_int_equal(schedule_time_every("15m"), 900);
    assert_int_equal(schedule_time_every("8h"), 8 * HOUR);
    assert_int_equal(schedule_time_every("1d"), DAY);
    assert_int_equal(schedule_time_every("366d"), 366 * DAY);
    static const char *const bad[] = {
        "", "s", "90", "0s", "-1s", " 1s", "+1s", "1.5h", "1w", "1ss", "367d", "9999999999999999999s", "1 h"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(schedule_time_every(bad[i]), 0);
}

static void test_at(void **state)
{
    (void)state;
    uint32_t at_s = 0;
    assert_true(schedule_time_at("02:30", &at_s));
    assert_int_equal(at_s, 2 * HOUR + 1800);
    assert_true(schedule_time_at("23:59:58", &at_s));
    assert_int_equal(at_s, DAY - 2);
    assert_true(schedule_time_at("00:00", &at_s));
    assert_int_equal(at_s, 0);
    static const char *const bad[] = {"",     "2:30",   "24:00",   "02:60",     "02:30:60", "02-30",
                                      "02:3", "02:30:", "02:30:1", "02:30:15x", "0230",     "aa:bb"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(schedule_time_at(bad[i], &at_s));
}

/* By the monotonic clock, whatever the other one shows. */
static void test_interval(void **state)
{
    (void)state;
    struct schedule_time time = {.every_s = 10};
    uint64_t start = 1000 * CLOCK_NS_PER_S;
    schedule_time_start(&time, start, 0);
    assert_int_equal(schedule_time_check(&time, start, 999999), SCHEDULE_NOT_DUE);
    assert_int_equal(schedule_time_left_s(&time, start, 0), 10);
    assert_int_equal(schedule_time_left_s(&time, start + 1, 0), 10);
    assert_int_equal(schedule_time_check(&time, start + 10 * CLOCK_NS_PER_S - 1, 0), SCHEDULE_NOT_DUE);
    assert_int_equal(schedule_time_check(&time, start + 10 * CLOCK_NS_PER_S, 0), SCHEDULE_DUE);
    assert_int_equal(schedule_time_check(&time, start + 10 * CLOCK_NS_PER_S, 0), SCHEDULE_NOT_DUE);
    /* A little late is not missed, and the next one is not later for it. */
    assert_int_equal(schedule_time_check(&time, start + 23 * CLOCK_NS_PER_S, 0), SCHEDULE_DUE);
    assert_int_equal(schedule_time_left_s(&time, start + 23 * CLOCK_NS_PER_S, 0), 7);
    /* Two went by unseen. */
    assert_int_equal(schedule_time_check(&time, start + 51 * CLOCK_NS_PER_S, 0), SCHEDULE_MISSED);
    assert_int_equal(schedule_time_check(&time, start + 60 * CLOCK_NS_PER_S, 0), SCHEDULE_DUE);
}

static void test_daily(void **state)
{
    (void)state;
    in_zone("UTC");
    struct schedule_time time = at(2 * HOUR + 1800, 0, MIDNIGHT);
    int64_t due = MIDNIGHT + 2 * HOUR + 1800;
    assert_int_equal(time.due_s, due);
    assert_int_equal(schedule_time_left_s(&time, 0, MIDNIGHT), 2 * HOUR + 1800);
    assert_int_equal(schedule_time_check(&time, 0, due - 1), SCHEDULE_NOT_DUE);
    assert_int_equal(schedule_time_check(&time, 0, due), SCHEDULE_DUE);
    assert_int_equal(time.due_s, due + DAY);
    assert_int_equal(schedule_time_check(&time, 0, due), SCHEDULE_NOT_DUE);
    assert_int_equal(schedule_time_check(&time, 0, due + DAY + 60), SCHEDULE_DUE);
    assert_int_equal(schedule_time_check(&time, 0, due + 2 * DAY + 61), SCHEDULE_MISSED);
    assert_int_equal(time.due_s, due + 3 * DAY);
    /* One that is started at the time, or after it, waits for the next day. */
    assert_int_equal(at(2 * HOUR + 1800, 0, due).due_s, due + DAY);
    assert_int_equal(at(2 * HOUR + 1800, 0, due + 1).due_s, due + DAY);
}

/* From the time of the day on, and from there again each day. */
static void test_daily_with_interval(void **state)
{
    (void)state;
    in_zone("UTC");
    struct schedule_time time = at(HOUR, 10 * HOUR, MIDNIGHT + 2 * HOUR);
    static const int64_t hours[] = {11, 21, 25, 35, 45, 49};
    for (size_t i = 0; i < sizeof(hours) / sizeof(hours[0]); i++) {
        assert_int_equal(time.due_s, MIDNIGHT + hours[i] * HOUR);
        assert_int_equal(schedule_time_check(&time, 0, time.due_s), SCHEDULE_DUE);
    }
    /* Before the first of the day they are those of the day before. */
    assert_int_equal(at(10 * HOUR, HOUR, MIDNIGHT + 1800).due_s, MIDNIGHT + HOUR);
    /* Longer than a day it is each day. */
    assert_int_equal(at(HOUR, 2 * DAY, MIDNIGHT + 2 * HOUR).due_s, MIDNIGHT + DAY + HOUR);
}

static void test_zone(void **state)
{
    (void)state;
    in_zone("CET-1CEST,M3.5.0,M10.5.0/3");
    assert_int_equal(at(2 * HOUR + 1800, 0, MIDNIGHT).due_s, MIDNIGHT + HOUR + 1800);
    /* 2026-03-29: the clock goes from 02:00 to 03:00, and there is no 02:30. */
    int64_t spring = 1774738800; /* 00:00 CET */
    assert_int_equal(at(2 * HOUR + 1800, 0, spring).due_s, spring + 2 * HOUR + 1800);
    assert_int_equal(at(4 * HOUR, 0, spring).due_s, spring + 3 * HOUR);
    /* 2026-10-25: there are two of them, and one is due. */
    int64_t autumn = 1792879200; /* 00:00 CEST */
    struct schedule_time time = at(2 * HOUR + 1800, 0, autumn);
    int64_t first = time.due_s;
    assert_true(first == autumn + 2 * HOUR + 1800 || first == autumn + 3 * HOUR + 1800);
    assert_int_equal(schedule_time_check(&time, 0, first), SCHEDULE_DUE);
    assert_int_equal(time.due_s, autumn + DAY + HOUR + 2 * HOUR + 1800);
    in_zone("UTC");
}

static void test_clock_set_back(void **state)
{
    (void)state;
    in_zone("UTC");
    struct schedule_time time = at(10 * HOUR, 0, MIDNIGHT);
    int64_t due = MIDNIGHT + 10 * HOUR;
    assert_int_equal(schedule_time_check(&time, 0, due + 5), SCHEDULE_DUE);
    /* An hour back: it comes again, and is not due again. */
    assert_int_equal(schedule_time_check(&time, 0, due - HOUR), SCHEDULE_NOT_DUE);
    assert_int_equal(schedule_time_check(&time, 0, due), SCHEDULE_NOT_DUE);
    assert_int_equal(time.due_s, due + DAY);
    /* A month back: it was wrong before. */
    assert_int_equal(schedule_time_check(&time, 0, due - 30 * DAY - HOUR), SCHEDULE_NOT_DUE);
    assert_int_equal(time.due_s, due - 30 * DAY);
    assert_int_equal(schedule_time_check(&time, 0, due - 30 * DAY), SCHEDULE_DUE);
}

static void test_clock_set_forward(void **state)
{
    (void)state;
    in_zone("UTC");
    struct schedule_time time = at(10 * HOUR, 0, MIDNIGHT);
    /* Over it by an hour: missed. Over it by a few seconds: due. */
    assert_int_equal(schedule_time_check(&time, 0, MIDNIGHT + 11 * HOUR), SCHEDULE_MISSED);
    assert_int_equal(time.due_s, MIDNIGHT + DAY + 10 * HOUR);
    assert_int_equal(schedule_time_check(&time, 0, MIDNIGHT + DAY + 10 * HOUR + 30), SCHEDULE_DUE);
    /* And back to before it: what was missed is still to come. */
    time = at(10 * HOUR, 0, MIDNIGHT);
    assert_int_equal(schedule_time_check(&time, 0, MIDNIGHT + 11 * HOUR), SCHEDULE_MISSED);
    assert_int_equal(schedule_time_check(&time, 0, MIDNIGHT + 9 * HOUR), SCHEDULE_NOT_DUE);
    assert_int_equal(time.due_s, MIDNIGHT + 10 * HOUR);
    assert_int_equal(schedule_time_check(&time, 0, MIDNIGHT + 10 * HOUR), SCHEDULE_DUE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every),
        cmocka_unit_test(test_at),
        cmocka_unit_test(test_interval),
        cmocka_unit_test(test_daily),
        cmocka_unit_test(test_daily_with_interval),
        cmocka_unit_test(test_zone),
        cmocka_unit_test(test_clock_set_back),
        cmocka_unit_test(test_clock_set_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
