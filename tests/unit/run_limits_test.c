/* What a run remembers of limits that have ended connections. */
#include "scenario_text.h"

#include "run_limits_private.h"

/* --- The connections, the targets and the engine --- */

struct peer {
    const char *name;
    enum conn_limit limit;
};

#define TARGETS 3

static struct {
    struct peer *of_target[TARGETS];
    uint64_t in_flight[TARGETS];
    uint64_t customs;
    bool is_on;
} world;

const char *peer_name(const struct peer *peer)
{
    return peer->name;
}

enum conn_limit peer_limit(const struct peer *peer)
{
    return peer->limit;
}

size_t targets_count(const struct targets *targets)
{
    assert_ptr_equal(targets, &world);
    return TARGETS;
}

bool targets_are_on(const struct targets *targets, size_t target, const struct peer *peer)
{
    assert_ptr_equal(targets, &world);
    assert_true(target < TARGETS);
    return world.of_target[target] == peer;
}

bool engine_is_on(const struct engine *engine)
{
    assert_ptr_equal(engine, &world);
    return world.is_on;
}

uint64_t engine_in_flight_to(const struct engine *engine, size_t target)
{
    assert_ptr_equal(engine, &world);
    return world.in_flight[target];
}

uint64_t engine_in_flight_customs(const struct engine *engine)
{
    assert_ptr_equal(engine, &world);
    return world.customs;
}

/* --- The tests --- */

static struct peer app = {"app@target", CONN_LIMIT_FRAME}, other = {"other@target", CONN_LIMIT_FRAME},
                   stranger = {"stranger@target", CONN_LIMIT_FRAME};
static struct scenario scenario = {.target_count = TARGETS};

static void make(struct run *run)
{
    memset(&world, 0, sizeof(world));
    world.is_on = true;
    *run = (struct run){.scenario = &scenario,
                        .targets = (struct targets *)(void *)&world,
                        .engine = (struct engine *)(void *)&world};
    for (size_t i = 0; i < TARGETS; i++)
        world.of_target[i] = i ? &app : &other;
    app.limit = CONN_LIMIT_FRAME;
}

static void expect(const struct run *run, size_t index, const struct peer *peer, enum conn_limit limit,
                   uint64_t times, uint64_t operations)
{
    const struct list_link *link = run->limits.first;
    assert_true(index < run->limits.count);
    for (; index; index--)
        link = link->next;
    const struct run_limit *reached = LIST_ITEM(link, const struct run_limit, link);
    assert_string_equal(reached->node, peer->name);
    assert_int_equal(reached->limit, limit);
    assert_int_equal(reached->times, times);
    assert_int_equal(reached->operations, operations);
}

static void test_targets(void **state)
{
    (void)state;
    struct run run;
    make(&run);
    run_limits_reached(&run, &stranger);
    assert_int_equal(run.limits.count, 0);
    world.in_flight[0] = 1;
    world.in_flight[1] = 20;
    world.in_flight[2] = 300;
    run_limits_reached(&run, &app);
    expect(&run, 0, &app, CONN_LIMIT_FRAME, 1, 320);
    run_limits_reached(&run, &other);
    run_limits_reached(&run, &app);
    app.limit = CONN_LIMIT_QUEUED;
    world.in_flight[2] = 0;
    run_limits_reached(&run, &app);
    assert_int_equal(run.limits.count, 3);
    expect(&run, 0, &app, CONN_LIMIT_FRAME, 2, 640);
    expect(&run, 1, &other, CONN_LIMIT_FRAME, 1, 1);
    expect(&run, 2, &app, CONN_LIMIT_QUEUED, 1, 20);
    run_limits_free(&run);
    assert_int_equal(run.limits.count, 0);
}

/* A session has custom operations, as long as the load goes on; telemetry has none. */
static void test_sessions(void **state)
{
    (void)state;
    struct run run;
    make(&run);
    run.session.peer = &stranger;
    world.customs = 4;
    run_limits_reached(&run, &stranger);
    expect(&run, 0, &stranger, CONN_LIMIT_FRAME, 1, 4);
    world.is_on = false;
    run_limits_reached(&run, &stranger);
    expect(&run, 0, &stranger, CONN_LIMIT_FRAME, 2, 4);
    run.session.peer = NULL;
    run.teller.peer = &stranger;
    world.is_on = true;
    run_limits_reached(&run, &stranger);
    expect(&run, 0, &stranger, CONN_LIMIT_FRAME, 3, 4);
    run_limits_free(&run);
}

/* Before the scenario is known as a whole there is no more than a session. */
static void test_beginning(void **state)
{
    (void)state;
    struct run run;
    make(&run);
    run.engine = NULL;
    run.targets = NULL;
    run_limits_reached(&run, &app);
    assert_int_equal(run.limits.count, 0);
    run.session.peer = &app;
    run_limits_reached(&run, &app);
    expect(&run, 0, &app, CONN_LIMIT_FRAME, 1, 0);
    run_limits_free(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
