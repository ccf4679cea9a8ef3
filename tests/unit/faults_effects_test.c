/* Which fault has made operations slow. */
#include "faults_acting.h"

#include "measure/cause.h"

static struct world world;

/* The fault that may be the cause of what a process has had, ms after the start, which had answered what was
 * sent to it by then; 0: nobody knows. */
static uint64_t fault_after(enum cause cause, const char *pid, uint64_t from_ms, uint64_t to_ms,
                            uint64_t served_ms)
{
    struct term_builder builder = {0};
    const struct cause_effect effect = {.cause = cause,
                                        .node = "app@target",
                                        .pid = pid ? term_from_text(&builder, pid) : (struct term){0},
                                        .from_ns = world.begun_ns + from_ms * MS,
                                        .to_ns = world.begun_ns + to_ms * MS,
                                        .served_ns = served_ms ? world.begun_ns + served_ms * MS : 0};
    uint64_t number = faults_number_of(world.faults, &effect);
    term_build_free(&builder);
    return number;
}

static uint64_t fault_of(enum cause cause, const char *pid, uint64_t from_ms, uint64_t to_ms)
{
    return fault_after(cause, pid, from_ms, to_ms, 0);
}

static void test_while_it_is_in_effect(void **state)
{
    (void)state;
    world_make_held(&world);
    assert_int_equal(fault_of(CAUSE_SUSPENDED, "$p", 0, 1), 1); /* it goes on */
    world_run(&world, 50);
    world_answer(&world, 1, "{undone, true, true, now}");
    world_expect_injection(&world, 0, "number", "1");
    const struct {
        uint64_t from_ms;
        uint64_t to_ms;
        uint64_t number;
    } rows[] = {{0, 10, 1}, {10, 40, 1}, {49, 90, 1}, {0, 0, 0}, {50, 90, 0}, {80, 90, 0}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        assert_int_equal(fault_of(CAUSE_SUSPENDED, "$p", rows[i].from_ms, rows[i].to_ms), rows[i].number);
    world_free(&world);
}

/* Of whom it was not done to, and of what it does not do, it is not the cause. */
static void test_whose(void **state)
{
    (void)state;
    world_make_held(&world);
    assert_int_equal(fault_of(CAUSE_SUSPENDED, "$q", 0, 1), 0);
    assert_int_equal(fault_of(CAUSE_HANDLER, "$p", 0, 1), 0);
    assert_int_equal(fault_of(CAUSE_UNKNOWN, "$p", 0, 1), 0);
    /* Whoever it is that has a name there. */
    assert_int_equal(fault_of(CAUSE_SUSPENDED, NULL, 0, 1), 1);
    world_answer(&world, 1, "{undone, true, true, now}");
    world_free(&world);
}

/* What is over at once is worked through later. */
static void test_afterwards(void **state)
{
    (void)state;
    world_make_acting(&world, "{flood, [{count, 5}]}");
    world_answer(&world, 1, "{returned, 5}");
    world_run(&world, 0);
    assert_int_equal(world.over, 1);
    assert_int_equal(fault_of(CAUSE_QUEUE, "$p", 100, 200), 1);
    assert_int_equal(fault_of(CAUSE_QUEUE, "$p", 5000, 5100), 0);
    /* It was, once something is answered that was sent after it. */
    assert_int_equal(fault_after(CAUSE_QUEUE, "$p", 100, 200, 50), 0);
    world_free(&world);
}

/* Of two the last. */
static void test_last(void **state)
{
    (void)state;
    world_make_acting(&world,
                      "[#{action => {flood, [{count, 5}]}, after_ms => 0, every_ms => 10, times => 2}]");
    world_answer(&world, 1, "{returned, 5}");
    assert_int_equal(fault_of(CAUSE_QUEUE, "$p", 5, 8), 1);
    world_run(&world, 10);
    world_answer_last(&world, FOUND);
    world_answer_last(&world, "{returned, 5}");
    assert_int_equal(world.injected, 2);
    assert_int_equal(fault_of(CAUSE_QUEUE, "$p", 5, 8), 1);
    assert_int_equal(fault_of(CAUSE_QUEUE, "$p", 5, 20), 2);
    world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_while_it_is_in_effect),
        cmocka_unit_test(test_whose),
        cmocka_unit_test(test_afterwards),
        cmocka_unit_test(test_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
