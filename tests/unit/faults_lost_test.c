/* Agents that are lost, and what several nodes have to do together. */
#include "faults_acting.h"

static struct world world;

/* --- Agents that are lost --- */

static void test_lost_before_it_starts(void **state)
{
    (void)state;
    world_make(&world, "{suspend, 50}", "");
    world_begin(&world);
    world_agent_lost(&world, 0, "noconnection");
    world_run(&world, 0);
    world_expect_injection(&world, 0, "outcome", "{error, nodedown}");
    world_expect_healed(&world, true);
    assert_int_equal(world.over, 1);
    world_free(&world);
}

static void test_lost_while_it_looks(void **state)
{
    (void)state;
    world_make(&world, "{suspend, 50}", "");
    world_begin(&world);
    world_agent_starts(&world, 0);
    world_agent_lost(&world, 0, "killed");
    world_expect_injection(&world, 0, "outcome", "{error, killed}");
    world_free(&world);
}

static void test_lost_before_it_acts(void **state)
{
    (void)state;
    world_make(&world, "{suspend, 50}", "");
    world_begin(&world);
    world_agent_starts(&world, 0);
    world_answer(&world, 0, FOUND);
    world_agent_lost(&world, 1, "noconnection");
    world_expect_injection(&world, 0, "outcome", "{error, {nodedown, app@target}}");
    world_expect_healed(&world, true); /* it has never started, and has done nothing */
    world_free(&world);
}

static void test_lost_while_it_acts(void **state)
{
    (void)state;
    world_make_acting(&world, "{suspend, 50}");
    world_agent_lost(&world, 1, "noconnection");
    world_expect_injection(&world, 0, "outcome", "{error, {nodedown, app@target}}");
    world_expect_healed(&world, false); /* it may hold without having said so */
    world_free(&world);
}

static void test_lost_while_it_holds(void **state)
{
    (void)state;
    world_make_held(&world);
    world_agent_lost(&world, 1, "killed");
    world_run(&world, 0);
    world_expect_left(&world, "{agent_lost, killed}");
    assert_int_equal(world.over, 1);
    world_free(&world);
}

static void test_lost_while_it_heals(void **state)
{
    (void)state;
    world_make_held(&world);
    assert_true(faults_heal(world.faults));
    world_agent_lost(&world, 1, "noconnection");
    assert_int_equal(world.healed, 1);
    world_expect_healed(&world, false);
    world_free(&world);
}

/* --- Splits --- */

static void make_split(void)
{
    world_make(&world, "{disconnect, [a@x, b@x], 30}", "");
    world_begin(&world);
    world_agent_starts(&world, 0);
    world_agent_starts(&world, 1);
    world_expect_asked(&world, 0, "{hold, {split, [b@x]}, 30}");
    world_expect_asked(&world, 1, "{hold, {split, [a@x]}, 30}");
}

static void test_split(void **state)
{
    (void)state;
    make_split();
    world_answer(&world, 0, "{ready, 1}");
    assert_int_equal(world.asked_count, 2); /* not before all are */
    world_answer(&world, 1, "{ready, 1}");
    world_expect_asked(&world, 2, "brace");
    world_expect_asked(&world, 3, "brace");
    world_answer(&world, 1, "{braced}");
    assert_int_equal(world.asked_count, 4);
    world_answer(&world, 0, "{braced}");
    world_expect_asked(&world, 4, "cut");
    world_expect_asked(&world, 5, "cut");
    assert_int_equal(world.injected, 0);
    world_answer(&world, 0, "{holding, 1, now}");
    world_answer(&world, 1, "{holding, 1, now}");
    assert_int_equal(world.injected, 1);
    world_answer(&world, 0, "{undone, true, true, now}");
    world_answer(&world, 1, "{undone, true, {also_cut, [c@x]}, now}");
    world_run(&world, 30);
    world_expect_injection(&world, 0, "outcome", "{also_cut, [c@x]}");
    world_expect_healed(&world, true);
    assert_int_equal(world.over, 1);
    world_free(&world);
}

/* Nodes that are not kept apart on one side are not on the others either. */
static void test_split_that_fails(void **state)
{
    (void)state;
    make_split();
    world_answer(&world, 0, "{failed, no_guardian}");
    world_expect_asked(&world, 2, "heal");
    world_answer(&world, 1, "{undone, true, true, now}");
    world_expect_injection(&world, 0, "outcome", "{error, no_guardian}");
    assert_int_equal(world.injected, 0);
    world_expect_injection(&world, 0, "undone", "nil"); /* nothing was done */
    world_free(&world);
}

static void make_cut(void)
{
    make_split();
    for (size_t i = 0; i < 2; i++)
        world_answer(&world, i, "{ready}");
    for (size_t i = 0; i < 2; i++)
        world_answer(&world, i, "{braced}");
    assert_int_equal(world.asked_count, 6);
}

/* The other side is told to let go before it is known how the first is. */
static void test_split_that_one_side_lets_go(void **state)
{
    (void)state;
    make_cut();
    world_answer(&world, 0, "{holding, 1, now}");
    world_answer(&world, 1, "{holding, 1, now}");
    world_answer(&world, 0, "{let_go, {holder_lost, killed}}");
    world_expect_asked(&world, 7, "heal");
    world_answer(&world, 1, "{undone, true, true, now}");
    world_answer(&world, 0, "{undone, true, not_kept_apart, now}");
    world_run(&world, 0);
    world_expect_injection(&world, 0, "outcome", "{healed_early, {a@x, {holder_lost, killed}}}");
    world_expect_healed(&world, true);
    assert_int_equal(world.over, 1);
    assert_int_equal(world.injected, 1);
    world_free(&world);
}

/* Each side has given up by its own clock, and what it is told to do by then comes too late. */
static void test_split_that_is_not_cut_in_time(void **state)
{
    (void)state;
    make_cut();
    for (size_t i = 0; i < 2; i++) {
        world_answer(&world, i, "{let_go, not_cut_in_time}");
        world_answer(&world, i, "{undone, true, true, now}");
    }
    world_run(&world, 0);
    world_expect_injection(&world, 0, "outcome", "{error, not_cut_in_time}");
    world_expect_injection(&world, 0, "undone", "nil");
    world_expect_healed(&world, true);
    assert_int_equal(world.injected, 0);
    world_free(&world);
}

/* Nobody is cut off whose other side cannot be. */
static void test_split_that_one_side_leaves_before(void **state)
{
    (void)state;
    make_split();
    world_answer(&world, 0, "{ready}");
    world_answer(&world, 0, "{let_go, {holder_lost, killed}}");
    world_answer(&world, 0, "{undone, true, true, now}");
    size_t asked = world.asked_count;
    world_expect_asked(&world, asked - 1, "heal");
    world_answer(&world, 1, "{ready}");
    assert_int_equal(world.asked_count, asked);
    world_answer(&world, 1, "{undone, true, true, now}");
    world_expect_injection(&world, 0, "outcome", "{error, {holder_lost, killed}}");
    world_free(&world);
}

static void test_split_that_is_healed_before(void **state)
{
    (void)state;
    make_split();
    assert_true(faults_heal(world.faults));
    world_answer(&world, 0, "{undone, true, true, now}");
    world_answer(&world, 1, "{undone, true, true, now}");
    world_expect_injection(&world, 0, "outcome", "cancelled");
    assert_int_equal(world.healed, 1);
    world_free(&world);
}

/* What one node does not hold any more is not held on others either, and fails the run. */
static void test_hold_that_is_let_go(void **state)
{
    (void)state;
    struct term_builder missed = {0};
    world_make_held(&world);
    world_answer(&world, 1, "{let_go, {holder_lost, killed}}");
    world_answer(&world, 1, "{undone, true, true, now}");
    world_run(&world, 0);
    world_expect_injection(&world, 0, "outcome", "{healed_early, {app@target, {holder_lost, killed}}}");
    world_expect_injection(&world, 0, "undone", "true");
    assert_true(faults_missed(world.faults, &missed));
    term_build_free(&missed);
    world_free(&world);
}

/* As long as the load goes on: it is `ok` until it is not. */
static void test_open_hold_that_is_let_go(void **state)
{
    (void)state;
    world_make(&world, "#{action => {exhaust, ports, [{count, 5}]}, target => {node, app@target}}", "");
    world_begin(&world);
    world_agent_starts(&world, 0);
    world_answer(&world, 0, "{holding, 5, now}");
    world_expect_injection(&world, 0, "outcome", "ok");
    world_answer(&world, 0, "{let_go, {holder_lost, killed}}");
    world_answer(&world, 0, "{undone, true, true, now}");
    world_expect_injection(&world, 0, "outcome", "{healed_early, {app@target, {holder_lost, killed}}}");
    world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lost_before_it_starts),
        cmocka_unit_test(test_lost_while_it_looks),
        cmocka_unit_test(test_lost_before_it_acts),
        cmocka_unit_test(test_lost_while_it_acts),
        cmocka_unit_test(test_lost_while_it_holds),
        cmocka_unit_test(test_lost_while_it_heals),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_split_that_fails),
        cmocka_unit_test(test_split_that_one_side_lets_go),
        cmocka_unit_test(test_split_that_is_not_cut_in_time),
        cmocka_unit_test(test_split_that_one_side_leaves_before),
        cmocka_unit_test(test_split_that_is_healed_before),
        cmocka_unit_test(test_hold_that_is_let_go),
        cmocka_unit_test(test_open_hold_that_is_let_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
