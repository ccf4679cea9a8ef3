/* Operations that take long: those that are under way for too long, those that were told of, and what is
 * usual. */
#include "load_world.h"

static struct world world;

static size_t late(uint64_t ms_ago, struct slow_operation found[20])
{
    return engine_late(world.engine, world.now_ns - ms_ago * MS, found, 10);
}

/* The oldest first; what was not sent yet says so. */
static void test_under_way(void **state)
{
    (void)state;
    struct slow_operation found[20];
    world_make(&world, "#{target => [c, d], operations => [a, b], call_timeout_ms => 10000, "
                       "load => #{rate => 100, duration_ms => 1000}}");
    world.targets[0].is_silent = true;
    world.targets[1].is_congested = true;
    world_run(&world, world.begun_ns + 45 * MS);
    size_t count = late(0, found);
    assert_int_equal(count, world.now_ns - world.begun_ns >= 45 * MS ? engine_in_flight(world.engine) : 0);
    assert_true(count >= 4);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(found[i].target, i % 2);
        assert_int_equal(found[i].is_sent, i % 2 == 0);
        assert_int_equal(found[i].operation, i % 2);
        assert_int_equal(found[i].step, i);
        assert_int_equal(found[i].ended_ns, 0);
        assert_false(found[i].is_custom);
        assert_true(i == 0 || found[i].sent_ns > found[i - 1].sent_ns);
    }
    assert_int_equal(late(20, found), count - 2);
    assert_int_equal(late(1000, found), 0);
    assert_int_equal(engine_late(world.engine, world.now_ns, found, 2), 2);
    engine_stop(world.engine);
    assert_int_equal(late(0, found), 0);
    world_free(&world);
}

/* Custom operations come and go in any order. */
static void test_customs(void **state)
{
    (void)state;
    struct slow_operation found[20];
    world_make(&world, "#{target => c, operations => [{custom, {m, f, []}}], call_timeout_ms => 10000, "
                       "load => #{threads => 5, iterations => 2}}");
    world_run(&world, world.begun_ns + MS);
    assert_int_equal(world.applied_count, 5);
    world.now_ns += 10 * MS;
    static const uint32_t ended[] = {2, 0, 4}; /* in the middle, the first, the last */
    for (size_t i = 0; i < 3; i++) {
        struct term_builder outcome = {0};
        engine_custom_done(world.engine, ended[i], 0, TERM_LONG(term_from_text(&outcome, "{returned, 1}")),
                           world_arrived(&world));
        term_build_free(&outcome);
        loop_finish(&world.loop);
    }
    assert_int_equal(late(5, found), 2);
    assert_int_equal(found[0].thread, 1);
    assert_int_equal(found[1].thread, 3);
    assert_true(found[0].is_custom && found[0].is_sent);
    world.now_ns += MS;
    assert_int_equal(late(0, found), 5);
    assert_int_equal(found[2].thread, 2);
    assert_int_equal(found[2].step, 1);
    assert_int_equal(found[4].thread, 4);
    engine_session_down(world.engine, TERM_LONG(TERM_ATOM("gone")));
    assert_int_equal(late(0, found), 0);
    assert_int_equal(engine_in_flight(world.engine), 0);
    world_free(&world);
}

/* Those that take as long as was said, however they end. */
static void test_ended(void **state)
{
    (void)state;
    world_make(&world,
               "#{target => c, operations => [a, {'$cast', b}, {'$sleep', 50}], call_timeout_ms => 30, "
               "load => #{threads => 1, iterations => 3}}");
    world.targets[0].latency_ns = 20 * MS;
    engine_watch_slow(world.engine, 20001);
    world_run(&world, world.begun_ns + 60 * MS);
    assert_int_equal(world.slow_count, 0);
    engine_watch_slow(world.engine, 20000);
    world_run(&world, world.begun_ns + 120 * MS);
    assert_int_equal(world.slow_count, 1);
    assert_int_equal(world.slow.operation, 0);
    assert_int_equal(world.slow.step, 3);
    assert_int_equal(world.slow.ended_ns - world.slow.sent_ns, 20 * MS);
    assert_true(world.slow.is_exact);
    world.targets[0].is_silent = true;
    world_run(&world, UINT64_MAX);
    assert_int_equal(world.slow_count, 2);
    assert_int_equal(world.slow.ended_ns - world.slow.sent_ns, 30 * MS);
    assert_false(world.slow.is_exact); /* the engine has given it up */
    assert_int_equal(world_record(&world)->operation_errors, 1);
    world_free(&world);
}

static void test_usual(void **state)
{
    (void)state;
    world_make(&world, "#{target => c, operations => [a, #{op => b, name => \"b\"}, {'$send', x}], "
                       "load => #{threads => 1, iterations => 100}}");
    assert_int_equal(engine_kind(world.engine, 0), 0);
    assert_int_equal(engine_usual(world.engine, 0).count, 0);
    world_run(&world, UINT64_MAX);
    size_t a = engine_kind(world.engine, 0), b = engine_kind(world.engine, 1);
    assert_true(a && b && a != b && a < SLOW_KINDS && b < SLOW_KINDS);
    assert_int_equal(engine_kind(world.engine, 2), 0); /* nobody answers it */
    assert_int_equal(engine_usual(world.engine, a).count, 100);
    assert_int_equal(engine_usual(world.engine, a).p50_us, 1000);
    assert_int_equal(engine_usual(world.engine, b).p99_us, 1000);
    world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_under_way),
        cmocka_unit_test(test_customs),
        cmocka_unit_test(test_ended),
        cmocka_unit_test(test_usual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
