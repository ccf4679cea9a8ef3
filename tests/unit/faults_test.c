/* What is done, when, to whom, and that it is undone. */
#include "faults_acting.h"

static struct world world;

static void test_hold(void **state)
{
    (void)state;
    world_make_held(&world);
    world_run(&world, 50);
    assert_int_equal(world.over, 0);
    world_answer(&world, 1, "{undone, true, true, now}");
    world_run(&world, 50);
    assert_int_equal(world.over, 1);
    world_expect_term(&world.result, "ok");
    assert_int_equal(world.injected, 1);
    assert_int_equal(world.marks, 2);
    world_expect_injection(&world, 0, "outcome", "ok");
    world_expect_injection(&world, 0, "kind", "suspend");
    world_expect_injection(&world, 0, "undone", "true");
    world_expect_healed(&world, true);
    assert_false(faults_heal(world.faults));
    world_free(&world);
}

static void test_what_is_left(void **state)
{
    (void)state;
    world_make_held(&world);
    world_answer(&world, 1, "{undone, still_suspended, true, now}");
    world_run(&world, 50);
    world_expect_injection(&world, 0, "undone", "false");
    world_expect_left(&world, "still_suspended");
    world_free(&world);
}

static void test_healing(void **state)
{
    (void)state;
    world_make_held(&world);
    assert_true(faults_heal(world.faults));
    world_expect_asked(&world, 2, "heal");
    assert_int_equal(world.healed, 0);
    world_answer(&world, 1, "{undone, true, true, now}");
    assert_int_equal(world.healed, 1);
    world_expect_healed(&world, true);
    world_free(&world);
}

/* Nobody claims that it is undone, or that it is not. */
static void test_not_over_yet(void **state)
{
    (void)state;
    struct term_builder built = {0};
    world_make_held(&world);
    faults_build_healed(world.faults, &built);
    expect_term(term_built(&built), "nil");
    world_expect_injection(&world, 0, "undone", "nil");
    term_build_reset(&built);
    world_answer(&world, 1, "{undone, true, true, now}");
    faults_build_healed(world.faults, &built);
    expect_term(term_built(&built), "true");
    term_build_free(&built);
    world_free(&world);
    world_make(&world, "[#{action => {suspend, 5}, after_ms => 1000}]", "");
    world_begin(&world);
    world_expect_healed(&world, false); /* it may yet be held */
    faults_stop(world.faults);
    world_expect_healed(&world, true);
    world_free(&world);
}

static void test_giving_up(void **state)
{
    (void)state;
    world_make_held(&world);
    assert_true(faults_heal(world.faults));
    faults_give_up(world.faults);
    assert_int_equal(world.healed, 0);
    world_expect_left(&world, "timeout");
    world_free(&world);
}

static void test_abandoning_while_it_is_looked_for(void **state)
{
    (void)state;
    world_make(&world, "{suspend, 50}", "");
    world_begin(&world);
    world_agent_starts(&world, 0);
    faults_abandon(world.faults);
    world_expect_injection(&world, 0, "outcome", "cancelled");
    world_answer(&world, 0, FOUND); /* nobody waits for it any more */
    assert_int_equal(world.agent_count, 1);
    world_expect_healed(&world, true);
    world_free(&world);
}

static void on_undone(void *owner, const struct faults *faults, const struct injection *injection)
{
    struct term_builder built = {0};
    struct term value;
    assert_true(injection_lasts(injection));
    faults_build_undone(faults, injection, &built);
    assert_true(term_pairs_get(term_built(&built), "run_id", &value));
    expect_term(value, "42");
    assert_true(term_pairs_get(term_built(&built), "undone", &value));
    expect_term(value, *(const char **)owner);
    world.undone++;
    term_build_free(&built);
}

static void test_healing_now(void **state)
{
    (void)state;
    const char *expected = "true";
    world_make_held(&world);
    assert_int_equal(faults_heal_now(world.faults, on_undone, &expected), 1);
    world_expect_asked(&world, 2, "heal");
    assert_int_equal(world.undone, 0);
    world_answer(&world, 1, "{undone, true, true, now}");
    assert_int_equal(world.undone, 1);
    assert_int_equal(faults_heal_now(world.faults, on_undone, &expected), 0);
    world_free(&world);
    world_make_held(&world);
    expected = "false"; /* it has not been seen to be gone */
    assert_int_equal(faults_heal_now(world.faults, on_undone, &expected), 1);
    faults_tell_heal_now(world.faults, &expected);
    assert_int_equal(world.undone, 1);
    world_free(&world);
}

/* --- What is done at once --- */

static void test_crash(void **state)
{
    (void)state;
    world_make_acting(&world, "{inject_crash, immediate}");
    world_expect_asked(&world, 1, "{crash, [$p], chaos_injection}");
    world_answer(&world, 1, "{crashed, {1, 0, 0}}");
    world_run(&world, 0);
    assert_int_equal(world.over, 1);
    world_expect_injection(&world, 0, "outcome", "ok");
    world_expect_injection(&world, 0, "amount", "1");
    world_free(&world);
    world_make_acting(&world, "{inject_crash, immediate}");
    world_answer(&world, 1, "{crashed, {0, 1, 0}}");
    world_expect_injection(&world, 0, "outcome", "survived");
    world_free(&world);
    world_make_acting(&world, "{inject_crash, immediate}");
    world_answer(&world, 1, "{crashed, {0, 0, 1}}");
    world_expect_injection(&world, 0, "outcome", "noproc");
    assert_false(faults_recovery(world.faults, world.now_ns).is_known);
    world_free(&world);
}

static void test_apply(void **state)
{
    (void)state;
    world_make(&world, "{apply, erlang, node, []}", "");
    world_begin(&world);
    world_agent_starts(&world, 0);
    world_answer_last(&world, "{returned, app@caller}");
    world_run(&world, 0);
    world_expect_term(&world.result, "{ok, app@caller}");
    world_free(&world);
    world_make(&world, "{apply, erlang, node, []}", "");
    world_begin(&world);
    world_agent_starts(&world, 0);
    world_answer_last(&world, "{failed, badarg}");
    world_expect_injection(&world, 0, "outcome", "{error, badarg}");
    world_free(&world);
}

static void test_nobody(void **state)
{
    (void)state;
    world_make(&world, "{suspend, 50}", "");
    world_begin(&world);
    world_agent_starts(&world, 0);
    world_answer(&world, 0, "{found, none, []}");
    world_run(&world, 0);
    world_expect_injection(&world, 0, "outcome", "noproc");
    assert_int_equal(world.over, 1);
    assert_int_equal(world.injected, 0);
    world_free(&world);
    world_make(&world, "{suspend, 50}", "");
    world.takes_no_agents = true;
    world_begin(&world);
    world_expect_injection(&world, 0, "outcome", "noproc");
    world_free(&world);
}

/* --- Schedules --- */

static void test_schedule(void **state)
{
    (void)state;
    world_make(&world, "#{action => {inject_crash, immediate}, after_ms => 100, every_ms => 50, times => 3}",
               "");
    world_begin(&world);
    world_run(&world, 99);
    assert_int_equal(world.agent_count, 0);
    world_run(&world, 100);
    world_agent_starts(&world, 0);
    for (size_t i = 0; i < 3; i++) {
        world_run(&world, 100 + i * 50);
        assert_int_equal(faults_injected_count(world.faults), i + 1);
        assert_int_equal(world.over, 0);
        world_answer_last(&world, "{found, none, []}");
    }
    world_run(&world, 1000);
    assert_int_equal(faults_injected_count(world.faults), 3);
    assert_int_equal(world.over, 1);
    world_free(&world);
}

static void test_what_is_not_drawn(void **state)
{
    (void)state;
    world_make(&world, "{inject_crash, {random, 0.0}}", "");
    world_begin(&world);
    world_expect_injection(&world, 0, "outcome", "not_drawn");
    assert_int_equal(world.over, 1);
    world_free(&world);
}

static void test_what_is_pending_at_the_end(void **state)
{
    (void)state;
    world_make(&world, "#{action => {suspend, 5}, after_ms => 1000}", "");
    world_begin(&world);
    world_run(&world, 100);
    faults_stop(world.faults);
    world_run(&world, 2000);
    world_expect_injection(&world, 0, "outcome", "cancelled");
    assert_int_equal(world.over, 1);
    assert_int_equal(world.agent_count, 0);
    world_free(&world);
}

static void test_too_many(void **state)
{
    (void)state;
    world_make(&world, "#{action => {suspend, 60000}, every_ms => 1, times => 20000}", "");
    world_begin(&world);
    world_run(&world, 11000);
    assert_int_equal(world.over, 1);
    world_expect_term(&world.failure, "too_many_injections");
    world_free(&world);
}

static void test_record_is_bounded(void **state)
{
    (void)state;
    world_make(&world, "#{action => {suspend, 1}, every_ms => 1, times => 10500}", "");
    world.takes_no_agents = true; /* each ends at once */
    world_begin(&world);
    world_run(&world, 11000);
    assert_int_equal(world.over, 1);
    assert_int_equal(faults_injected_count(world.faults), 10500);
    assert_int_equal(faults_injections_dropped(world.faults), 500);
    world_free(&world);
}

/* --- Children of a supervisor --- */

static void test_rounds(void **state)
{
    (void)state;
    world_make(&world, "{kill_children, [{kill_rate, 1.0}, {duration_ms, 100}, {kill_interval_ms, 40}]}", "");
    world_begin(&world);
    world_agent_starts(&world, 0);
    world_expect_asked(&world, 0, "{find, {children, c}}");
    world_answer(&world, 0, "{found, {undefined, $o, c, app, c}, [{one, $p, one, app, one}]}");
    world_agent_starts(&world, 1);
    world_expect_asked(&world, 1, "{crash, [$p], kill}");
    world_answer(&world, 1, "{crashed, {1, 0, 0}}");
    world_run(&world, 40);
    world_answer_last(&world,
                      "{found, {undefined, $o, c, app, c}, [{one, $o, one, app, one}]}"); /* another one */
    world_run(&world, 200);
    for (size_t i = 0; i < 4 && !world.over; i++) {
        world_answer_last(&world, "{found, {undefined, $o, c, app, c}, []}");
        world_run(&world, 400 + i * 100);
    }
    assert_int_equal(world.over, 1);
    struct term killed, restarted;
    assert_true(term_pairs_get(term_of(&world.result), "killed", &killed));
    assert_true(term_pairs_get(term_of(&world.result), "restarted", &restarted));
    expect_term(restarted, "1");
    world_free(&world);
}

/* The end of the chaos is told at once, and not when something else is due. */
static void test_rounds_that_are_forbidden_midway(void **state)
{
    (void)state;
    world_make(&world,
               "[{kill_children, [{kill_rate, 1.0}, {duration_ms, 9000}, {kill_interval_ms, 40}]}, "
               "#{action => {garbage_collect, []}, after_ms => 5000, every_ms => 5000}]",
               "");
    world_begin(&world);
    world_agent_starts(&world, 0);
    world_answer(&world, 0, "{found, {undefined, $o, c, app, c}, [{one, $p, one, app, one}]}");
    world_agent_starts(&world, 1);
    world_answer(&world, 1, "{crashed, {1, 0, 0}}");
    world_run(&world, 40);
    world_answer_last(&world, "{found, {undefined, $o, c, kernel, c}, [{one, $p, one, kernel, one}]}");
    assert_int_equal(world.over, 0);
    world_run(&world, 41);
    assert_int_equal(world.over, 1);
    world_free(&world);
}

static void test_rounds_without_a_supervisor(void **state)
{
    (void)state;
    world_make(&world, "{kill_children, []}", "");
    world_begin(&world);
    world_agent_starts(&world, 0);
    world_answer(&world, 0, "{failed, not_a_supervisor}");
    world_run(&world, 0);
    assert_int_equal(world.over, 1);
    world_expect_term(&world.failure, "not_a_supervisor");
    world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hold),
        cmocka_unit_test(test_what_is_left),
        cmocka_unit_test(test_healing),
        cmocka_unit_test(test_not_over_yet),
        cmocka_unit_test(test_giving_up),
        cmocka_unit_test(test_abandoning_while_it_is_looked_for),
        cmocka_unit_test(test_healing_now),
        cmocka_unit_test(test_crash),
        cmocka_unit_test(test_apply),
        cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_schedule),
        cmocka_unit_test(test_what_is_not_drawn),
        cmocka_unit_test(test_what_is_pending_at_the_end),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_record_is_bounded),
        cmocka_unit_test(test_rounds),
        cmocka_unit_test(test_rounds_that_are_forbidden_midway),
        cmocka_unit_test(test_rounds_without_a_supervisor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
