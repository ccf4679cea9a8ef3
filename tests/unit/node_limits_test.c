/* Who is told that a limit has ended a connection. */
#include "node_world.h"

#include "node/monitor.h"
#include "node/process.h"

struct watcher {
    struct limit_watch watch;
    enum conn_limit limit; /* that was reached last */
    int told;
    int monitors_down;
    int told_before; /* when the monitor was told */
};

static void on_reached(void *owner, const struct peer *peer)
{
    struct watcher *watcher = owner;
    assert_string_equal(peer_name(peer), APP);
    watcher->limit = peer_limit(peer);
    watcher->told++;
}

static void on_down(void *owner, struct term reason)
{
    struct watcher *watcher = owner;
    assert_true(term_is_atom(reason, "noconnection"));
    watcher->monitors_down++;
    watcher->told_before = watcher->told;
}

static void go_and_come(struct world *world, enum conn_limit limit)
{
    world->app.limit = limit;
    world_app_goes(world);
    world->app.is_up = true;
    node_peers_events()->up(world->node, &world->app);
}

static void test_watches(void **state)
{
    (void)state;
    static const struct process_events events = {0};
    struct world world;
    struct watcher first = {.watch = {.reached = on_reached, .owner = &first}};
    struct watcher second = {.watch = {.reached = on_reached, .owner = &second}};
    struct monitor monitor = {0};
    world_start(&world, NULL);
    struct process *process = process_spawn(world.node, &events, NULL);
    node_watch_limits(world.node, &first.watch);
    node_watch_limits(world.node, &second.watch);
    go_and_come(&world, CONN_LIMIT_NONE);
    assert_int_equal(first.told + second.told, 0);
    assert_true(monitor_start(&monitor, process, &world.app, TERM_ATOM("server"), on_down, &first));
    go_and_come(&world, CONN_LIMIT_FRAME);
    assert_int_equal(first.told, 1);
    assert_int_equal(second.told, 1);
    assert_int_equal(first.limit, CONN_LIMIT_FRAME);
    assert_int_equal(first.monitors_down, 1);
    assert_int_equal(first.told_before, 1);
    node_unwatch_limits(world.node, &first.watch);
    go_and_come(&world, CONN_LIMIT_QUEUED);
    assert_int_equal(first.told, 1);
    assert_int_equal(second.limit, CONN_LIMIT_QUEUED);
    node_unwatch_limits(world.node, &second.watch);
    process_exit_atom(process, "normal");
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_watches)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
