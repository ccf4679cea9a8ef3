/* What subscribers are told while runs go on. */
#include "registry_world.h"

static struct world world;
static struct term_builder pids[2];

/* $p, and a process of another node. */
static struct term own_pid(void)
{
    return term_from_text(&pids[0], "$p");
}

static struct term other_pid(void)
{
    return node_other_pid(&pids[1], 9);
}

/* The parts of a message {harness_event, Id, Name, Measurements, Metadata}, the last at the end. */
static void read_sent(size_t index, struct term parts[5])
{
    assert_true(index < world.node.sent_count);
    assert_true(term_read_tuple_of(term_of(&world.node.sent[index].message), 5, parts));
    assert_true(term_is_atom(parts[0], "harness_event"));
}

/* What was sent is [harness, run, What] of a run. */
static void expect_sent(size_t index, uint64_t id, const char *what)
{
    struct term parts[5];
    char name[64];
    int64_t of;
    read_sent(index, parts);
    assert_true(term_read_integer(parts[1], &of));
    assert_int_equal(of, id);
    snprintf(name, sizeof(name), "[harness, run, %s]", what);
    expect_term(parts[2], name);
}

enum part { MEASUREMENTS = 3, METADATA };

static void expect_part(size_t index, enum part part, const char *key, const char *text)
{
    struct term parts[5], value;
    read_sent(index, parts);
    assert_true(term_pairs_get(parts[part], key, &value));
    expect_term(value, text);
}

static bool has_value(size_t index, enum part part, const char *key)
{
    struct term parts[5], value;
    read_sent(index, parts);
    return term_pairs_get(parts[part], key, &value);
}

static void free_world(void)
{
    world_free(&world);
    term_build_free(&pids[0]);
    term_build_free(&pids[1]);
}

static void subscribe(uint64_t id)
{
    assert_int_equal(runs_subscribe(world.runs, id, own_pid(), "app@h"), SUBSCRIBED);
}

static void test_life_of_a_run(void **state)
{
    (void)state;
    world_make(&world);
    subscribe(SUBSCRIPTIONS_ALL);
    uint64_t running = world_start(&world, 100), queued = world_start(&world, 1);
    assert_int_equal(world.node.sent_count, 2);
    expect_sent(0, running, "start");
    expect_part(0, METADATA, "state", "load");
    expect_part(0, METADATA, "outcome", "nil");
    assert_true(has_value(0, MEASUREMENTS, "system_time_us"));
    expect_sent(1, queued, "queued");
    expect_part(1, METADATA, "state", "queued");
    assert_true(world_run(&world, running)->is_observed);
    world_run(&world, running)->figures.operations = 5;
    world_end(&world, running);
    expect_sent(2, queued, "start");
    world_settle(&world);
    assert_int_equal(world.node.sent_count, 4); /* stop comes when it is stored */
    expect_sent(3, running, "stop");
    expect_part(3, METADATA, "state", "finished");
    expect_part(3, METADATA, "outcome", "completed");
    expect_part(3, METADATA, "reason", "nil");
    expect_part(3, MEASUREMENTS, "operations", "5");
    free_world();
}

/* Progress is told each second, with what has happened since. */
static void test_progress(void **state)
{
    (void)state;
    world_make(&world);
    uint64_t id = world_start(&world, 1), other = world_start(&world, 1);
    struct run *run = world_run(&world, id);
    world_start(&world, 1);         /* waits for room, and has no progress */
    assert_false(run->is_observed); /* nobody wants to know */
    subscribe(id);
    assert_true(run->is_observed);
    assert_false(world_run(&world, other)->is_observed);
    run->figures.operations = 5000;
    run->figures.in_flight = 3;
    run->recent = (struct load_recent){.count = 9, .p50_us = 10, .p99_us = 20, .max_us = 30};
    WORLD_UNTIL(&world, world.node.sent_count == 1)
        ;
    expect_sent(0, id, "progress");
    expect_part(0, MEASUREMENTS, "operations", "5000");
    expect_part(0, MEASUREMENTS, "in_flight", "3");
    expect_part(0, MEASUREMENTS, "p99_us", "20");
    WORLD_UNTIL(&world, world.node.sent_count == 2)
        ;
    expect_part(1, MEASUREMENTS, "operations_per_s", "0");
    expect_part(1, MEASUREMENTS, "max_us", "nil");
    runs_unsubscribe(world.runs, id, own_pid());
    WORLD_UNTIL(&world, !run->is_observed)
        ; /* it costs nothing any more */
    assert_int_equal(world.node.sent_count, 2);
    free_world();
}

/* The telemetry of a run reaches those of this run, and nobody when there are none. */
static void test_telemetry(void **state)
{
    (void)state;
    static const char *const name[4] = {"app", "run", "chaos", "start"};
    world_make(&world);
    uint64_t id = world_start(&world, 1), other = world_start(&world, 1);
    const struct run_request *request = &world_run(&world, id)->request;
    request->event(request->owner, name, TERM_EMPTY_MAP, TERM_EMPTY_MAP);
    assert_int_equal(world.node.sent_count, 0);
    subscribe(id);
    request->event(request->owner, name, TERM_EMPTY_MAP, TERM_EMPTY_MAP);
    const struct run_request *others = &world_run(&world, other)->request;
    others->event(others->owner, name, TERM_EMPTY_MAP, TERM_EMPTY_MAP);
    assert_int_equal(world.node.sent_count, 1);
    struct term parts[5];
    read_sent(0, parts);
    expect_term(parts[2], "[app, run, chaos, start]");
    free_world();
}

static void test_unsubscribed(void **state)
{
    (void)state;
    world_make(&world);
    uint64_t id = world_start(&world, 1);
    subscribe(id);
    runs_unsubscribe(world.runs, id, own_pid());
    world_end(&world, id);
    world_settle(&world);
    assert_int_equal(world.node.sent_count, 0);
    free_world();
}

/* After the end of its run nothing is left of a subscription; one of all runs stays. */
static void test_after_the_end(void **state)
{
    (void)state;
    world_make(&world);
    uint64_t id = world_start(&world, 1);
    subscribe(id);
    assert_int_equal(runs_subscribe(world.runs, SUBSCRIPTIONS_ALL, other_pid(), "app@h"), SUBSCRIBED);
    assert_int_equal(world.node.monitor_count, 2);
    world_end(&world, id);
    world_settle(&world);
    assert_int_equal(world.node.sent_count, 2);
    assert_int_equal(world.node.monitor_count, 1);
    free_world();
}

static void test_no_node(void **state)
{
    (void)state;
    world_make(&world);
    uint64_t id = world_start(&world, 1);
    world.node.peers[0].is_up = false;
    assert_int_equal(runs_subscribe(world.runs, id, own_pid(), "app@h"), SUBSCRIPTION_NODEDOWN);
    assert_false(world_run(&world, id)->is_observed);
    free_world();
}

/* One that waits is told to have ended when it never can start any more. */
static void test_refused_while_it_waits(void **state)
{
    (void)state;
    world_make(&world);
    world_start(&world, 60);
    uint64_t id = world_start(&world, 50);
    subscribe(id);
    world.limits.room.amounts[ROOM_THREADS] = 20;
    runs_set_limits(world.runs, &world.limits);
    world_settle(&world);
    assert_int_equal(world.node.sent_count, 1);
    expect_sent(0, id, "stop");
    expect_part(0, METADATA, "outcome", "not_run");
    expect_part(0, METADATA, "reason", "<<\"{busy,threads}\">>");
    free_world();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life_of_a_run),
        cmocka_unit_test(test_progress),
        cmocka_unit_test(test_telemetry),
        cmocka_unit_test(test_unsubscribed),
        cmocka_unit_test(test_after_the_end),
        cmocka_unit_test(test_no_node),
        cmocka_unit_test(test_refused_while_it_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
