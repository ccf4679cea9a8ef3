#include "peers_world.h"

/* Only what has connected is judged, not what this node has dialled. */
static void test_judged_again(void **state)
{
    (void)state;
    struct table table;
    struct far accepted, other, dialled;
    struct wait wait;
    table_start(&table);
    table_comes_up(&table, &accepted, APP);
    table_comes_up(&table, &other, GREATER);
    peers_judge_again(table.peers);
    assert_int_equal(table.down, 0);
    table.forbidden = APP;
    peers_judge_again(table.peers);
    assert_int_equal(table.down, 1);
    assert_string_equal(table.reason, "no longer allowed");
    assert_int_equal(peers_up_count(table.peers), 1);
    struct peer *peer = peer_hold(table.peers, APP);
    wait_start(&wait, peer);
    table_dialled(&table, &dialled, APP);
    far_shake(&dialled);
    wait_expect(&wait, "");
    peers_judge_again(table.peers);
    assert_int_equal(table.down, 1);
    peer_release(peer);
    far_close(&accepted);
    far_close(&other);
    far_close(&dialled);
    table_end(&table);
}

/* Also a peer that was admitted and is not done with its handshake. */
static void test_judged_again_in_handshakes(void **state)
{
    (void)state;
    struct table table;
    struct far admitted, other, silent;
    table_start(&table);
    table_accepts(&table, &silent, APP, false);
    table_accepts(&table, &admitted, APP, true);
    far_expect_status(&admitted, "ok");
    table_accepts(&table, &other, GREATER, true);
    far_step(&other);
    table.forbidden = APP;
    peers_judge_again(table.peers);
    WORLD_UNTIL(&table.world, admitted.ended)
        ;
    assert_int_equal(table.peers->claims.list.count, 2);
    far_shake(&other);
    WORLD_UNTIL(&table.world, table.up)
        ;
    assert_int_equal(peers_up_count(table.peers), 1);
    far_close(&admitted);
    far_close(&other);
    far_close(&silent);
    table_end(&table);
}

/* Who is told that the peer is gone, because a new connection of it took the place of the old, may connect at
 * once: the new connection is what it gets. */
static void test_connected_when_replaced(void **state)
{
    (void)state;
    struct table table;
    struct far old, new;
    struct wait wait = {.wait = {.done = wait_done, .owner = &wait}};
    table_start(&table);
    table_comes_up(&table, &old, APP);
    struct peer *peer = peer_hold(table.peers, APP);
    table.connects_when_down = &wait;
    table_comes_up(&table, &new, APP);
    wait_expect(&wait, "");
    assert_int_equal(table.down, 1);
    assert_int_equal(table.lookups, 1);
    assert_null(table.lookup); /* its own attempt is given up */
    assert_true(peer_is_up(peer));
    assert_int_equal(peers_up_count(table.peers), 1);
    peer_release(peer);
    far_close(&old);
    far_close(&new);
    table_end(&table);
}

/* An attempt that nobody wants any more ends, and its peer is forgotten with it. */
static void test_attempt_that_nobody_wants(void **state)
{
    (void)state;
    for (int resolves = 0; resolves < 2; resolves++) {
        for (int kept = 0; kept < 2; kept++) {
            struct table table;
            struct wait wait;
            table_start(&table);
            struct peer *peer = peer_hold(table.peers, APP);
            if (kept)
                peers_keep(table.peers, APP, 0);
            else
                wait_start(&wait, peer);
            peer_release(peer);
            if (resolves)
                table_found(&table, 4000, NULL);
            if (kept)
                peers_let_go(table.peers, APP);
            else
                peer_wait_cancel(&wait.wait);
            assert_int_equal(table.peers->by_name.count, 1);
            if (resolves)
                table_resolved(&table, NULL, 0, "unknown host");
            else
                table_found(&table, 0, "not there");
            assert_int_equal(table.peers->by_name.count, 0);
            table_end(&table);
        }
    }
}

static void test_close(void **state)
{
    (void)state;
    struct table table;
    struct far up, pending;
    struct wait wait;
    int ends[2];
    table_start(&table);
    table_comes_up(&table, &up, APP);
    table_accepts(&table, &pending, GREATER, true);
    far_expect_status(&pending, "ok");
    struct peer *peer = peer_hold(table.peers, APP);
    peers_close(table.peers);
    assert_int_equal(table.down, 1);
    assert_string_equal(table.reason, "this node stops");
    WORLD_UNTIL(&table.world, up.ended && pending.ended)
        ;
    wait_start(&wait, peer);
    wait_expect(&wait, "this node stops");
    assert_int_equal(table.lookups, 0);
    world_pair(ends);
    peers_accept(table.peers, ends[0], "");
    char byte;
    assert_int_equal(read(ends[1], &byte, 1), 0);
    close(ends[1]);
    far_close(&up);
    far_close(&pending);
    table_end(&table); /* the peer is still held */
}

/* Whoever waits is told, whatever the attempt is at. */
static void test_closed_in_attempts(void **state)
{
    (void)state;
    for (int reached = PEER_LOOKING_UP; reached <= PEER_AWAITED; reached++) {
        struct table table;
        struct far far = {0};
        struct wait wait;
        table_start(&table);
        struct peer *peer = peer_hold(table.peers, APP);
        bring(&table, &far, peer, reached, &wait);
        peer_release(peer);
        peers_close(table.peers);
        assert_null(table.lookup);
        assert_null(table.resolve);
        wait_expect(&wait, "this node stops");
        assert_int_equal(table.lookups, 1);
        assert_int_equal(table.peers->by_name.count, 0);
        if (far.world)
            far_close(&far);
        table_end(&table);
    }
}

static void test_no_retry_when_closed(void **state)
{
    (void)state;
    struct table table;
    table_start(&table);
    peers_keep(table.peers, APP, 0);
    table_found(&table, 0, "not there");
    peers_close(table.peers);
    world_advance(60 * CLOCK_NS_PER_S);
    assert_int_equal(table.lookups, 1);
    table_end(&table);
}

/* Who is told that a peer is gone may let go of others, and ask for new ones, also when all are closed. Which
 * peers are neighbours in the table is a matter of chance. */
static void test_peers_change_while_they_are_closed(void **state)
{
    (void)state;
    for (int round = 0; round < 100; round++) {
        struct table table;
        struct far far;
        char name[32];
        table_start(&table);
        snprintf(name, sizeof(name), "up%d@target", round);
        table_comes_up(&table, &far, name);
        for (int i = 0; i < TABLE_RELEASES; i++) {
            snprintf(name, sizeof(name), "idle%d@target", i);
            table.releases_when_down[i] = peer_hold(table.peers, name);
        }
        table.holds_when_down = "new@target";
        peers_close(table.peers);
        assert_int_equal(table.down, 1);
        assert_int_equal(table.peers->by_name.count, 1);
        far_close(&far);
        table_end(&table);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_judged_again),
        cmocka_unit_test(test_judged_again_in_handshakes),
        cmocka_unit_test(test_connected_when_replaced),
        cmocka_unit_test(test_attempt_that_nobody_wants),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_closed_in_attempts),
        cmocka_unit_test(test_no_retry_when_closed),
        cmocka_unit_test(test_peers_change_while_they_are_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
