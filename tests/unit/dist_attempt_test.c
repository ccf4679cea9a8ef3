/* Attempts of this node beside connections that have given a name and have not proved it. */
#include "peers_world.h"

#include "attempt_private.h"

/* Somebody says that name and nothing else. */
static void claim(struct table *table, struct far *far, const char *name, const char *status)
{
    table_accepts(table, far, name, true);
    far_expect_status(far, status);
}

static void dials(struct table *table, struct far *far, const char *name)
{
    far_open(far, &table->world, world_accept(table->listener), name);
    far_accept(far);
}

static void resolves(struct table *table)
{
    table_found(table, 4000, NULL);
    table_resolved(table, &table->address, 1, NULL);
}

static const char *const names[] = {APP, GREATER};

/* An attempt waits for who has given the peer's name for a moment in all, however many come. */
static void test_claims_that_stay(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        struct table table;
        struct far claims[12], dialled;
        struct wait wait;
        table_start(&table);
        peers_set_limits(table.peers, 1024 * 1024, 1024 * 1024, 100);
        struct peer *peer = peer_hold(table.peers, names[i]);
        claim(&table, &claims[0], names[i], "ok");
        assert_int_equal(peer->state, PEER_IDLE);
        wait_start(&wait, peer);
        resolves(&table);
        assert_int_equal(peer->state, PEER_AWAITED);
        for (int k = 1; k < 10; k++) {
            world_advance(ATTEMPT_YIELD_NS / 10);
            claim(&table, &claims[k], names[i], "ok");
            assert_int_equal(peer->state, PEER_AWAITED);
        }
        world_advance(ATTEMPT_YIELD_NS / 10);
        assert_int_equal(peer->state, PEER_DIALLING);
        for (int k = 10; k < 12; k++)
            claim(&table, &claims[k], names[i], strcmp(names[i], OWN) < 0 ? "nok" : "ok_simultaneous");
        assert_int_equal(peer->state, PEER_DIALLING); /* nothing is given up for them */
        dials(&table, &dialled, names[i]);
        far_shake(&dialled);
        wait_expect(&wait, "");
        assert_int_equal(table.lookups, 1);
        assert_int_equal(table.up, 1);
        world_advance(CONN_SETUP_NS);
        WORLD_UNTIL(&table.world, !table.peers->claims.list.count)
            ;
        assert_int_equal(table.down, 0);
        assert_int_equal(peer->claims, 0);
        peer_release(peer);
        for (size_t k = 0; k < ARRAY_LENGTH(claims); k++)
            far_close(&claims[k]);
        far_close(&dialled);
        table_end(&table);
    }
}

/* What an honest node does: it connects, and this node does not have to. */
static void test_claim_that_is_proved(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        struct table table;
        struct far comes;
        struct wait wait;
        table_start(&table);
        struct peer *peer = peer_hold(table.peers, names[i]);
        table_accepts(&table, &comes, names[i], true);
        WORLD_UNTIL(&table.world, peer->claims)
            ;
        wait_start(&wait, peer);
        resolves(&table);
        assert_int_equal(peer->state, PEER_AWAITED);
        far_shake(&comes);
        wait_expect(&wait, "");
        assert_int_equal(table.up, 1);
        assert_int_equal(peer->next_address, 0); /* nothing was dialled */
        peer_release(peer);
        far_close(&comes);
        table_end(&table);
    }
}

/* The attempt goes on at once when nobody is left who might be the peer. */
static void test_claims_that_go(void **state)
{
    (void)state;
    struct table table;
    struct far first, second, dialled;
    struct wait wait;
    table_start(&table);
    struct peer *peer = peer_hold(table.peers, APP);
    claim(&table, &first, APP, "ok");
    claim(&table, &second, APP, "ok");
    wait_start(&wait, peer);
    resolves(&table);
    far_close(&first);
    WORLD_UNTIL(&table.world, peer->claims == 1)
        ;
    assert_int_equal(peer->state, PEER_AWAITED);
    far_write(&second, "\0\25r01230123456789abcdef", 23); /* without the cookie */
    WORLD_UNTIL(&table.world, peer->state == PEER_DIALLING)
        ;
    dials(&table, &dialled, APP);
    far_shake(&dialled);
    wait_expect(&wait, "");
    peer_release(peer);
    far_close(&second);
    far_close(&dialled);
    table_end(&table);
}

/* The one that proves first is the connection, and ends the attempt that is under way beside it. */
static void test_claim_that_is_proved_beside_a_dial(void **state)
{
    (void)state;
    struct table table;
    struct far dialled, comes;
    struct wait wait;
    table_start(&table);
    struct peer *peer = peer_hold(table.peers, GREATER);
    bring(&table, &dialled, peer, PEER_DIALLING, &wait);
    table_accepts(&table, &comes, GREATER, true);
    far_shake(&comes);
    wait_expect(&wait, "");
    WORLD_UNTIL(&table.world, dialled.ended)
        ;
    assert_int_equal(table.up, 1);
    assert_int_equal(table.down, 0);
    peer_release(peer);
    far_close(&dialled);
    far_close(&comes);
    table_end(&table);
}

/* A peer has said that its own attempt goes on: that is waited for, not for ever, and whatever has been said
 * in its name meanwhile. */
static void test_peer_that_says_it_comes(void **state)
{
    (void)state;
    struct table table;
    struct far dialled, stranger;
    struct wait wait;
    table_start(&table);
    struct peer *peer = peer_hold(table.peers, APP);
    bring(&table, &dialled, peer, PEER_AWAITED, &wait);
    claim(&table, &stranger, APP, "ok");
    far_close(&stranger);
    WORLD_UNTIL(&table.world, !peer->claims)
        ;
    assert_int_equal(peer->state, PEER_AWAITED);
    for (int refusals = 1; refusals < 7; refusals++) {
        world_advance(ATTEMPT_REFUSED_NS - 1);
        assert_int_equal(peer->state, PEER_AWAITED);
        world_advance(1);
        assert_int_equal(peer->state, PEER_DIALLING);
        assert_int_equal(wait.told, 0);
        far_close(&dialled);
        dials(&table, &dialled, APP);
        dialled.verdict = HANDSHAKE_REFUSE_SIMULTANEOUS;
        far_shake(&dialled);
        WORLD_UNTIL(&table.world, peer->state != PEER_DIALLING)
            ;
    }
    wait_expect(&wait, "the peer's own attempt goes on");
    assert_int_equal(table.lookups, 1);
    peer_release(peer);
    far_close(&dialled);
    table_end(&table);
}

/* A peer has a connection with a node of this name. Whose name it is takes its place; who does not know that
 * leaves it, and asks once more, as it may have been its own. */
static void test_namesake(void **state)
{
    (void)state;
    struct table table;
    struct far dialled;
    struct wait wait;
    table_start(&table);
    struct peer *peer = peer_hold(table.peers, APP);
    wait_start(&wait, peer);
    resolves(&table);
    dials(&table, &dialled, APP);
    dialled.verdict = HANDSHAKE_ALIVE;
    far_shake(&dialled);
    wait_expect(&wait, "");
    assert_true(dialled.handshake.replaces);
    assert_int_equal(peer->namesakes.all, 1);
    far_close(&dialled);
    WORLD_UNTIL(&table.world, table.down)
        ;

    table.has_no_name = true;
    wait_start(&wait, peer);
    resolves(&table);
    for (int i = 0; i < 2; i++) {
        dials(&table, &dialled, APP);
        dialled.verdict = HANDSHAKE_ALIVE;
        far_step(&dialled);
        WORLD_UNTIL(&table.world, peer->state != PEER_DIALLING)
            ;
        assert_false(dialled.handshake.replaces);
        assert_int_equal(wait.told, i);
        far_close(&dialled);
        if (i == 0)
            world_advance(ATTEMPT_REFUSED_NS);
    }
    wait_expect(&wait, "the peer is connected with a node of this name already");
    assert_int_equal(peer->namesakes.all, 2);
    assert_int_equal(table.lookups, 2);
    peer_release(peer);
    table_end(&table);
}

/* An attempt that nobody wants any more ends with the wait. */
static void test_nobody_wants_it_any_more(void **state)
{
    (void)state;
    struct table table;
    struct far dialled;
    struct wait wait;
    table_start(&table);
    struct peer *peer = peer_hold(table.peers, APP);
    bring(&table, &dialled, peer, PEER_AWAITED, &wait);
    peer_wait_cancel(&wait.wait);
    peer_release(peer);
    world_advance(ATTEMPT_REFUSED_NS);
    assert_int_equal(table.peers->by_name.count, 0);
    far_close(&dialled);
    table_end(&table);
}

/* Who claims to be a peer that is connected changes nothing, whatever it says. */
static void test_claims_beside_a_connection(void **state)
{
    (void)state;
    static const char *const answers[] = {"\0\5strue", "\0\6sfalse", "\0\2sx"};
    struct table table;
    struct far up, claims[ARRAY_LENGTH(answers)];
    table_start(&table);
    table_comes_up(&table, &up, APP);
    for (size_t i = 0; i < ARRAY_LENGTH(answers); i++) {
        claim(&table, &claims[i], APP, "alive");
        far_write(&claims[i], answers[i], 2 + (size_t)answers[i][1]);
    }
    WORLD_UNTIL(&table.world, claims[1].ended && claims[2].ended && claims[0].input.size)
        ;
    world_advance(CONN_SETUP_NS);
    WORLD_UNTIL(&table.world, claims[0].ended)
        ;
    assert_int_equal(table.down, 0);
    assert_int_equal(peers_up_count(table.peers), 1);
    for (size_t i = 0; i < ARRAY_LENGTH(answers); i++)
        far_close(&claims[i]);
    far_close(&up);
    table_end(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_claims_that_stay),
        cmocka_unit_test(test_claim_that_is_proved),
        cmocka_unit_test(test_claims_that_go),
        cmocka_unit_test(test_claim_that_is_proved_beside_a_dial),
        cmocka_unit_test(test_peer_that_says_it_comes),
        cmocka_unit_test(test_namesake),
        cmocka_unit_test(test_nobody_wants_it_any_more),
        cmocka_unit_test(test_claims_beside_a_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
