#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "registry/room.h"

static const struct room limits = {
    {[ROOM_RUNS] = 3, [ROOM_THREADS] = 100, [ROOM_IN_FLIGHT] = 50, [ROOM_QUEUED_ARRIVALS] = 1000}};
static const struct room nothing;

/* What `wanted` lacks beside what is taken, by name; NULL when it fits. */
static const char *lacks(struct room taken, struct room wanted)
{
    enum room_kind kind;
    return room_lacks(&limits, &taken, &wanted, &kind) ? room_name(kind) : NULL;
}

static void test_limits(void **state)
{
    (void)state;
    static const char *const names[] = {"runs", "threads", "in_flight", "queued_arrivals"};
    assert_null(lacks(nothing, nothing));
    assert_null(lacks(nothing, limits));
    assert_null(lacks(limits, nothing));
    for (size_t kind = 0; kind < ROOM_KINDS; kind++) {
        struct room wanted = nothing, taken = nothing;
        wanted.amounts[kind] = limits.amounts[kind] + 1;
        assert_string_equal(lacks(nothing, wanted), names[kind]);
        wanted.amounts[kind] = 1;
        assert_string_equal(lacks(limits, wanted), names[kind]);
        taken.amounts[kind] = limits.amounts[kind] - 1;
        assert_null(lacks(taken, wanted));
        wanted.amounts[kind] = UINT64_MAX;
        assert_string_equal(lacks(taken, wanted), names[kind]);
        taken.amounts[kind] = limits.amounts[kind] + 7; /* of runs that were cancelled while they waited */
        assert_string_equal(lacks(taken, nothing), names[kind]);
    }
}

/* Where 0 is no limit; of arrivals a node has none of its own. */
static void test_limits_of_a_node(void **state)
{
    (void)state;
    static const char *const names[] = {"runs_per_node", "threads_per_node", "in_flight_per_node"};
    const struct room most = {{UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX}};
    enum room_kind kind;
    assert_false(room_lacks_per_node(&nothing, &most, &most, &kind));
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        struct room limited = nothing, taken = nothing, wanted = nothing;
        limited.amounts[i] = 3;
        taken.amounts[i] = 2;
        wanted.amounts[i] = 1;
        assert_false(room_lacks_per_node(&limited, &taken, &wanted, &kind));
        wanted.amounts[i] = 2;
        assert_true(room_lacks_per_node(&limited, &taken, &wanted, &kind));
        assert_string_equal(room_name_per_node(kind), names[i]);
    }
}

static void test_taking(void **state)
{
    (void)state;
    struct room taken = nothing, one = {{1, 30, 20, 400}};
    room_take(&taken, &one);
    assert_null(lacks(taken, one));
    room_take(&taken, &one);
    assert_string_equal(lacks(taken, one), "in_flight");
    room_give(&taken, &one);
    assert_null(lacks(taken, one));
    room_give(&taken, &one);
    assert_memory_equal(&taken, &nothing, sizeof(taken));
}

static void test_scenarios(void **state)
{
    (void)state;
    struct scenario scripts = {.thread_count = 7};
    struct room wanted = room_of_scenario(&scripts);
    struct room expected = {{1, 7, 7, 0}};
    assert_memory_equal(&wanted, &expected, sizeof(wanted));
    struct scenario closed = {.thread_count = 9, .load = {.model = LOAD_CLOSED, .max_queued = 5}};
    wanted = room_of_scenario(&closed);
    expected = (struct room){{1, 9, 9, 0}};
    assert_memory_equal(&wanted, &expected, sizeof(wanted));
    struct scenario open = {.thread_count = 11, .load = {.model = LOAD_OPEN, .max_queued = 5}};
    wanted = room_of_scenario(&open);
    expected = (struct room){{1, 0, 11, 5}};
    assert_memory_equal(&wanted, &expected, sizeof(wanted));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_limits), cmocka_unit_test(test_limits_of_a_node),
                                       cmocka_unit_test(test_taking), cmocka_unit_test(test_scenarios)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
