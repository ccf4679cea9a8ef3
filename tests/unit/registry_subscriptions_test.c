/* Who is told of runs, and who no longer is. */
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

static void free_world(void)
{
    world_free(&world);
    term_build_free(&pids[0]);
    term_build_free(&pids[1]);
}

static struct subscriptions *make_subscriptions(void)
{
    world_prepare(&world);
    world.node.process = (struct process){.node = &world.node};
    return subscriptions_new(&world.node.process);
}

#define METADATA "#{of => run}"

static void tell(struct subscriptions *subscriptions, uint64_t id)
{
    struct term_builder metadata = {0};
    static const char *const name[] = {"a", "b", "c", "d"};
    const struct subscription_event event = {.id = id,
                                             .name = name,
                                             .measurements = TERM_EMPTY_MAP,
                                             .metadata = term_from_text(&metadata, METADATA)};
    subscriptions_tell(subscriptions, &event);
    term_build_free(&metadata);
}

static void end(struct subscriptions *subscriptions, uint64_t id)
{
    static const char *const name[] = {"end", NULL};
    const struct subscription_event event = {
        .id = id, .name = name, .measurements = TERM_EMPTY_MAP, .metadata = TERM_EMPTY_MAP};
    subscriptions_end(subscriptions, &event);
}

static void expect_message(size_t index, const char *text)
{
    assert_true(index < world.node.sent_count);
    expect_term(term_of(&world.node.sent[index].message), text);
}

static void test_telling(void **state)
{
    (void)state;
    struct subscriptions *subscriptions = make_subscriptions();
    assert_int_equal(subscriptions_add(subscriptions, 5, own_pid(), "app@h"), SUBSCRIBED);
    assert_int_equal(subscriptions_add(subscriptions, SUBSCRIPTIONS_ALL, other_pid(), "app@h"), SUBSCRIBED);
    assert_int_equal(subscriptions_add(subscriptions, 5, own_pid(), "app@h"),
                     SUBSCRIBED); /* was so already */
    assert_int_equal(world.node.monitor_count, 2);
    tell(subscriptions, 5);
    assert_int_equal(world.node.sent_count, 2);
    expect_message(0, "{harness_event, 5, [a, b, c, d], #{}, " METADATA "}");
    assert_true(term_same(term_of(&world.node.sent[0].to), other_pid()));
    assert_true(term_same(term_of(&world.node.sent[1].to), own_pid()));
    tell(subscriptions, 6);
    assert_int_equal(world.node.sent_count, 3);
    assert_true(term_same(term_of(&world.node.sent[2].to), other_pid()));
    end(subscriptions, 5);
    assert_int_equal(world.node.sent_count, 5);
    expect_message(4, "{harness_event, 5, [end], #{}, #{}}");
    assert_int_equal(world.node.monitor_count, 1); /* that of the run is over */
    assert_true(subscriptions_have(subscriptions, 5) && subscriptions_have(subscriptions, 77));
    subscriptions_free(subscriptions);
    assert_int_equal(world.node.monitor_count, 0);
    free_world();
}

static void test_removing(void **state)
{
    (void)state;
    struct subscriptions *subscriptions = make_subscriptions();
    assert_int_equal(subscriptions_add(subscriptions, 5, own_pid(), "app@h"), SUBSCRIBED);
    assert_int_equal(subscriptions_add(subscriptions, 6, own_pid(), "app@h"), SUBSCRIBED);
    subscriptions_remove(subscriptions, 7, own_pid());
    subscriptions_remove(subscriptions, 5, other_pid());
    assert_true(subscriptions_have(subscriptions, 5));
    subscriptions_remove(subscriptions, 5, own_pid());
    assert_false(subscriptions_have(subscriptions, 5));
    assert_true(subscriptions_have(subscriptions, 6));
    tell(subscriptions, 5);
    assert_int_equal(world.node.sent_count, 0);
    subscriptions_free(subscriptions);
    free_world();
}

static void test_subscribers_that_go(void **state)
{
    (void)state;
    struct subscriptions *subscriptions = make_subscriptions();
    assert_int_equal(subscriptions_add(subscriptions, 5, own_pid(), "app@h"), SUBSCRIBED);
    assert_int_equal(subscriptions_add(subscriptions, SUBSCRIPTIONS_ALL, own_pid(), "app@h"), SUBSCRIBED);
    assert_int_equal(subscriptions_add(subscriptions, 5, other_pid(), "app@h"), SUBSCRIBED);
    node_ends(&world.node, own_pid());
    tell(subscriptions, 5);
    assert_int_equal(world.node.sent_count, 1);
    node_loses(&world.node, 1);
    assert_false(subscriptions_have(subscriptions, 5));
    assert_int_equal(subscriptions_add(subscriptions, 5, other_pid(), "app@h"), SUBSCRIPTION_NODEDOWN);
    world.node.peers[0].refuses_monitors = true;
    assert_int_equal(subscriptions_add(subscriptions, 5, own_pid(), "app@h"), SUBSCRIPTION_NODEDOWN);
    assert_false(subscriptions_have(subscriptions, 5));
    subscriptions_free(subscriptions);
    free_world();
}

/* A connection that is lost is noticed at the end of the pass. */
static void test_subscriber_that_goes_now(void **state)
{
    (void)state;
    struct subscriptions *subscriptions = make_subscriptions();
    assert_int_equal(subscriptions_add(subscriptions, 5, own_pid(), "app@h"), SUBSCRIBED);
    world.node.peers[0].is_up = false;
    tell(subscriptions, 5);
    assert_int_equal(world.node.sent_count, 0);
    assert_true(subscriptions_have(subscriptions, 5));
    subscriptions_free(subscriptions);
    free_world();
}

/* A process has its share of its node's, and leaves as much to others. */
static void test_too_many(void **state)
{
    (void)state;
    struct subscriptions *subscriptions = make_subscriptions();
    for (uint64_t id = 1; id <= SUBSCRIPTIONS_MOST / 4; id++)
        assert_int_equal(subscriptions_add(subscriptions, id, own_pid(), "app@h"), SUBSCRIBED);
    assert_int_equal(subscriptions_add(subscriptions, SUBSCRIPTIONS_MOST, own_pid(), "app@h"),
                     SUBSCRIPTIONS_TOO_MANY);
    assert_int_equal(subscriptions_add(subscriptions, 1, own_pid(), "app@h"), SUBSCRIBED);
    assert_int_equal(subscriptions_add(subscriptions, SUBSCRIPTIONS_MOST, own_pid(), "other@h"), SUBSCRIBED);
    subscriptions_remove(subscriptions, SUBSCRIPTIONS_MOST, own_pid());
    end(subscriptions, 1);
    assert_int_equal(subscriptions_add(subscriptions, SUBSCRIPTIONS_MOST, own_pid(), "app@h"), SUBSCRIBED);
    subscriptions_free(subscriptions);
    free_world();
}

/* To a node that does not read only the end is sent, with how much it has missed. */
static void test_congestion(void **state)
{
    (void)state;
    struct subscriptions *subscriptions = make_subscriptions();
    assert_int_equal(subscriptions_add(subscriptions, 5, own_pid(), "app@h"), SUBSCRIBED);
    world.node.peers[0].is_congested = true;
    tell(subscriptions, 5);
    tell(subscriptions, 5);
    assert_int_equal(world.node.sent_count, 0);
    world.node.peers[0].is_congested = false;
    tell(subscriptions, 5);
    expect_message(0, "{harness_event, 5, [a, b, c, d], #{}, #{of => run, events_missed => 2}}");
    tell(subscriptions, 5);
    expect_message(1, "{harness_event, 5, [a, b, c, d], #{}, " METADATA "}");
    world.node.peers[0].is_congested = true;
    tell(subscriptions, 5);
    end(subscriptions, 5);
    expect_message(2, "{harness_event, 5, [end], #{}, #{events_missed => 1}}");
    subscriptions_free(subscriptions);
    free_world();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_telling),
        cmocka_unit_test(test_removing),
        cmocka_unit_test(test_subscribers_that_go),
        cmocka_unit_test(test_subscriber_that_goes_now),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_congestion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
