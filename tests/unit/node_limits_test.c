/* Who is told that a limit has ended a connection, and what there is too much of without ending one. */
#include "node_world.h"

#include "holders_private.h"
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

static void on_down(void *owner, const struct term_long *reason)
{
    struct watcher *watcher = owner;
    assert_true(term_is_atom(reason->tail, "noconnection"));
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

/* --- Monitors and links --- */

static const struct process_events nothing; /* is of interest to it */

static struct process *on_spawn(void *owner, struct peer *peer, const struct control *control,
                                struct term arguments)
{
    struct world *world = owner;
    (void)peer;
    (void)control;
    (void)arguments;
    return process_spawn(world->node, &nothing, NULL);
}

/* That whose pid is $o, which is the fifth. */
static struct process *spawn_o(struct world *world)
{
    for (int i = 0; i < 4; i++)
        process_exit_atom(process_spawn(world->node, &nothing, NULL), "normal");
    return process_spawn(world->node, &nothing, NULL);
}

/* References of APP that nobody else has. */
static void monitor_many(struct world *world, struct term pid, struct term target, int from, int count)
{
    for (int i = from; i < from + count; i++) {
        struct term_builder reference = {0};
        const uint32_t words[3] = {(uint32_t)i, 1, 2};
        term_build_reference(&reference, APP, 1, words, 3);
        const struct control control = {
            .operation = CONTROL_MONITOR, .from = pid, .to = target, .reference = term_built(&reference)};
        node_peers_events()->message(world->node, &world->app, &control, (struct term){0});
        term_build_free(&reference);
    }
}

/* One process has a third of the room, and is then refused more; others are not, until there is none. */
static void test_monitors_of_one_process(void **state)
{
    (void)state;
    struct world world;
    struct term_builder p = {0};
    world_start(&world, on_spawn);
    struct process *process = spawn_o(&world);
    monitor_many(&world, term_from_text(&p, "$p"), process_pid(process), 0, HOLDERS_LIMIT / 3);
    world_expect_nothing_sent(&world);
    world_tell(&world, "{19, $p, $o, $r}", NULL);
    world_expect_sent(&world, "{28, $o, $p, $r}", "system_limit");
    world_tell(&world, "{1, $p, $o}", NULL);
    world_expect_sent(&world, "{24, $o, $p}", "system_limit");
    world_tell(&world, "{29, $r, $p, $q, {erpc, execute_call, 4}, [monitor]}", "[]");
    world_expect_sent(&world, "{31, $r, $p, 0, system_limit}", NULL);
    world_tell(&world, "{19, $p, nobody, $r}", NULL);
    world_expect_sent(&world, "{28, nobody, $p, $r}", "noproc");
    world_tell(&world, "{19, $q, $o, $r}", NULL);
    world_tell(&world, "{1, $q, $o}", NULL);
    world_expect_nothing_sent(&world);
    world_app_goes(&world);
    process_exit_atom(process, "normal");
    term_build_free(&p);
    world_end(&world);
}

/* A process that gives up what it has may have it anew. */
static void test_monitors_that_are_taken_off(void **state)
{
    (void)state;
    struct world world;
    struct term_builder p = {0};
    world_start(&world, on_spawn);
    struct process *process = spawn_o(&world);
    monitor_many(&world, term_from_text(&p, "$p"), process_pid(process), 0, HOLDERS_LIMIT / 3 - 1);
    for (int i = 0; i < 3; i++) {
        world_tell(&world, "{19, $p, $o, $r}", NULL);
        world_tell(&world, "{20, $p, $o, $r}", NULL);
        world_tell(&world, "{1, $p, $o}", NULL);
        world_expect_nothing_sent(&world);
        world_tell(&world, "{35, 5, $p, $o}", NULL);
        world_expect_sent(&world, "{36, 5, $o, $p}", NULL);
    }
    world_app_goes(&world);
    process_exit_atom(process, "normal");
    term_build_free(&p);
    world_end(&world);
}

/* However many have all that they may, the next one has something, for long. */
static void test_room_for_others(void **state)
{
    (void)state;
    struct holders holders = {0};
    struct holder *held[12] = {NULL};
    size_t counts[ARRAY_LENGTH(held)] = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(held); i++) {
        const uint8_t bytes[] = {(uint8_t)i};
        const struct term pid = {bytes, sizeof(bytes)};
        for (; holders_held(&holders, pid) < holders_limit(&holders); counts[i]++)
            held[i] = holders_hold(&holders, pid);
        assert_true(counts[i] > 300);
        assert_int_equal(held[i]->held, counts[i]);
    }
    assert_true(holders.held < HOLDERS_LIMIT);
    for (size_t i = 0; i < ARRAY_LENGTH(held); i++)
        for (; counts[i]; counts[i]--)
            holders_let_go(&holders, held[i]);
    assert_int_equal(holders.held, 0);
    assert_int_equal(holders.map.count, 0);
    map_free(&holders.map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_watches),
        cmocka_unit_test(test_monitors_of_one_process),
        cmocka_unit_test(test_monitors_that_are_taken_off),
        cmocka_unit_test(test_room_for_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
