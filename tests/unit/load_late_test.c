/* What comes too late in a load: the engine itself, and arrivals for which there is no room in its time. */
#include "load_world.h"

static struct world world;

/* The loop knows when the engine is due, whatever it is woken for. */
static void test_due(void **state)
{
    (void)state;
    world_make(&world, "#{target => c, operations => [a], load => #{rate => 100, duration_ms => 1000}}");
    const struct loop_lag *lag = &world_record(&world)->lag;
    assert_ptr_equal(world.loop.lags, lag);
    for (uint64_t ms = 5; ms < 1000; ms += 10) {
        world_run(&world, world.begun_ns + ms * MS);
        assert_int_equal(lag->due_ns, world.wake_ns);
        assert_true(lag->due_ns > world.now_ns && lag->due_ns <= world.now_ns + 5 * MS);
    }
    world_run(&world, UINT64_MAX);
    assert_int_equal(world_record(&world)->operations, 100);
    assert_int_equal(world_record(&world)->begun_late, 0);
    assert_null(world.loop.lags);
    world_free(&world);
}

#define ONE_AT_A_TIME                                                                                        \
    "#{target => c, operations => [a], call_timeout_ms => 10000, "                                           \
    "load => #{rate => 100, duration_ms => 1000, max_in_flight => 1, max_queued => "

/* Those that wait when the load is over begin after it. */
static void test_arrivals_that_wait(void **state)
{
    (void)state;
    world_make(&world, ONE_AT_A_TIME "60}}");
    const struct load_record *record = world_record(&world);
    world.targets[0].latency_ns = 20 * MS;
    world_run(&world, world.begun_ns + 500 * MS);
    assert_int_equal(record->begun_late, 0);
    world_run(&world, UINT64_MAX);
    assert_int_equal(record->operations, 100);
    assert_int_equal(record->arrivals_begun, 100);
    assert_int_equal(record->begun_late, 50);
    assert_int_equal(record->dropped + record->cut_off, 0);
    world_free(&world);
}

/* Those that wait when it is cut short are dropped, too, but might have had room. */
static void test_arrivals_that_are_dropped(void **state)
{
    (void)state;
    world_make(&world, ONE_AT_A_TIME "1}}");
    const struct load_record *record = world_record(&world);
    world.targets[0].latency_ns = 20 * MS;
    world_run(&world, world.begun_ns + 515 * MS);
    uint64_t dropped = record->dropped;
    assert_true(dropped > 20);
    assert_int_equal(engine_queued(world.engine), 1);
    engine_stop(world.engine);
    assert_int_equal(record->dropped, dropped + 1);
    assert_int_equal(record->cut_off, 1);
    assert_int_equal(record->arrivals_begun + record->dropped, 52);
    assert_int_equal(record->begun_late, 0);
    world_free(&world);
}

/* For those that have room it is only the engine that can be late: a little is nothing. */
static void test_arrivals_that_are_begun_late(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) {
        world_make(&world, "#{target => c, operations => [a], load => #{rate => 100, duration_ms => 100}}");
        world_run(&world, world.begun_ns + 45 * MS);
        world.now_ns = world.begun_ns + (late ? 150 * MS : 150 * MS - 1);
        world_run(&world, UINT64_MAX);
        assert_int_equal(world_record(&world)->arrivals_begun, 10);
        assert_int_equal(world_record(&world)->begun_late, late ? 5 : 0);
        world_free(&world);
    }
}

/* --- Whose fault it is --- */

static uint64_t waited(void)
{
    return world_record(&world)->latencies.waited;
}

static uint64_t sent_late_us(double quantile)
{
    return latencies_sent_late_us(&world_record(&world)->latencies, quantile);
}

/* The engine was away for a tenth of the time: that is in the p99 of response times. */
static void test_sent_late(void **state)
{
    (void)state;
    world_make(&world, "#{target => c, operations => [a], load => #{rate => 1000, duration_ms => 1000}}");
    world_run(&world, world.begun_ns + 500 * MS);
    assert_int_equal(sent_late_us(0.99), 0);
    world.now_ns += 100 * MS;
    world_run(&world, UINT64_MAX);
    assert_int_equal(world_record(&world)->operations, 1000);
    assert_int_equal(waited(), 0);
    assert_in_range(sent_late_us(0.99), 88000, 92000);
    assert_in_range(sent_late_us(0.95), 48000, 52000);
    assert_int_equal(sent_late_us(0.5), 0);
    world_free(&world);
}

/* What waits for room is not sent late by us. */
static void test_wait_for_room(void **state)
{
    (void)state;
    world_make(&world, ONE_AT_A_TIME "60}}");
    world.targets[0].latency_ns = 20 * MS;
    world_run(&world, UINT64_MAX);
    assert_int_equal(waited(), 99);
    assert_true(histogram_quantile(&world_record(&world)->latencies.start_delay, 0.99) > 900000);
    assert_int_equal(sent_late_us(0.99), 0);
    world_free(&world);
}

static void test_wait_for_target(void **state)
{
    (void)state;
    world_make(&world, "#{target => c, operations => [a], load => #{rate => 100, duration_ms => 1000}}");
    world_run(&world, world.begun_ns + 204 * MS);
    uint64_t before = waited();
    assert_true(before <= 1); /* that for which the target was reached */
    world.targets[0].is_congested = true;
    world_run(&world, world.begun_ns + 504 * MS);
    world.targets[0].is_congested = false;
    engine_target_open(world.engine, 0);
    world_run(&world, UINT64_MAX);
    assert_int_equal(waited() - before, 30);
    assert_true(histogram_quantile(&world_record(&world)->latencies.start_delay, 0.99) > 250000);
    assert_int_equal(sent_late_us(0.99), 0);
    world_free(&world);
}

/* Two threads, one custom operation at a time: the other waits. */
static void test_wait_for_customs(void **state)
{
    (void)state;
    struct term_builder reply = {0};
    world_make_with(&world, "#{target => c, threads => [[$1], [$1]]}", 1);
    world_begin(&world);
    world_run(&world, world.begun_ns);
    for (int64_t thread = 0; thread < 2; thread++) {
        world.now_ns += 300 * MS;
        engine_custom_done(world.engine, thread, 0, TERM_LONG(term_from_text(&reply, "{returned, ok}")),
                           world_arrived(&world));
    }
    assert_int_equal(world_record(&world)->operations, 2);
    assert_int_equal(waited(), 1);
    assert_int_equal(sent_late_us(0.99), 0);
    term_build_free(&reply);
    world_free(&world);
}

static void test_in_flight(void **state)
{
    (void)state;
    struct term_builder reply = {0};
    world_make(&world, "#{target => [c, d], threads => [[a], [b], [a], [$1], [$1]]}");
    world.targets[1].is_congested = true;
    world_run(&world, world.begun_ns);
    assert_int_equal(engine_in_flight(world.engine), 5);
    assert_int_equal(engine_in_flight_to(world.engine, 0), 2); /* was sent */
    assert_int_equal(engine_in_flight_to(world.engine, 1), 1); /* waits */
    assert_int_equal(engine_in_flight_customs(world.engine), 2);
    engine_custom_done(world.engine, 3, 0, TERM_LONG(term_from_text(&reply, "{returned, ok}")),
                       world_arrived(&world));
    world_run(&world, world.begun_ns + 10 * MS);
    assert_int_equal(engine_in_flight_to(world.engine, 0), 0);
    assert_int_equal(engine_in_flight_to(world.engine, 1), 1);
    assert_int_equal(engine_in_flight_customs(world.engine), 1);
    term_build_free(&reply);
    world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_due),
        cmocka_unit_test(test_arrivals_that_wait),
        cmocka_unit_test(test_arrivals_that_are_dropped),
        cmocka_unit_test(test_arrivals_that_are_begun_late),
        cmocka_unit_test(test_sent_late),
        cmocka_unit_test(test_wait_for_room),
        cmocka_unit_test(test_wait_for_target),
        cmocka_unit_test(test_wait_for_customs),
        cmocka_unit_test(test_in_flight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
