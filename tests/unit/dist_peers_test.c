#include "peers_world.h"

#include <errno.h>

/* --- Attempts of this node --- */

static void test_names(void **state)
{
    (void)state;
    struct table table;
    table_start(&table);
    assert_null(peer_hold(table.peers, OWN));
    assert_null(peer_hold(table.peers, "no_host"));
    assert_null(peer_hold(table.peers, ""));
    struct peer *peer = peer_hold(table.peers, APP);
    assert_string_equal(peer_name(peer), APP);
    assert_ptr_equal(peer_hold(table.peers, APP), peer);
    assert_null(peer_data(peer));
    peer_set_data(peer, &table);
    assert_ptr_equal(peer_data(peer), &table);
    peer_release(peer);
    assert_int_equal(table.peers->by_name.count, 1);
    peer_release(peer);
    assert_int_equal(table.peers->by_name.count, 0);
    table_end(&table);
}

static void test_connect(void **state)
{
    (void)state;
    struct table table;
    struct far far;
    struct wait first, second;
    table_start(&table);
    struct peer *peer = peer_hold(table.peers, APP);
    assert_int_equal(peer->state, PEER_IDLE);
    wait_start(&first, peer);
    assert_int_equal(peer->state, PEER_LOOKING_UP);
    assert_string_equal(table.lookup->host, "target");
    assert_string_equal(table.lookup->name, "app");
    table_found(&table, 4711, NULL);
    assert_int_equal(peer->state, PEER_RESOLVING);
    assert_string_equal(table.resolve->host, "target");
    assert_int_equal(table.resolve->port, 4711);
    wait_start(&second, peer); /* it joins the attempt */
    table_dialled(&table, &far, APP);
    assert_int_equal(peer->state, PEER_DIALLING);
    assert_false(peer_is_up(peer));
    assert_null(peers_find_up(table.peers, APP, strlen(APP)));
    assert_int_equal(peers_up_count(table.peers), 0);
    assert_int_equal(first.told, 0);
    far_shake(&far);
    wait_expect(&first, "");
    wait_expect(&second, "");
    assert_int_equal(table.lookups, 1);
    assert_ptr_equal(peers_find_up(table.peers, APP, strlen(APP)), peer);
    assert_int_equal(peers_up_count(table.peers), 1);
    assert_true(peer_flags(peer) == far_flags(&far));
    wait_start(&first, peer);
    wait_expect(&first, "");
    peer_release(peer);
    assert_int_equal(table.peers->by_name.count, 1); /* one that is up is kept */
    peer_disconnect(peer, "enough");
    assert_int_equal(table.down, 1);
    assert_string_equal(table.reason, "enough");
    assert_int_equal(table.limit, CONN_LIMIT_NONE);
    assert_int_equal(table.peers->by_name.count, 0);
    far_close(&far);
    table_end(&table);
}

/* How an attempt ends in each of its states. */
static void test_failures(void **state)
{
    (void)state;
    struct table table;
    struct far far;
    struct wait wait;
    struct resolve_address addresses[2] = {{.size = sizeof(struct sockaddr_in)}};
    table_start(&table);
    struct peer *peer = peer_hold(table.peers, APP);
    assert_true(peer_flags(peer) == 0);

    wait_start(&wait, peer);
    table_found(&table, 0, "unknown there");
    wait_expect(&wait, "unknown there");

    wait_start(&wait, peer);
    table_found(&table, 1, NULL);
    table_resolved(&table, NULL, 0, "unknown host");
    wait_expect(&wait, "unknown host");

    wait_start(&wait, peer);
    table_found(&table, 1, NULL);
    table_resolved(&table, NULL, 0, NULL);
    wait_expect(&wait, "no address");

    addresses[0].address.ss_family = 9999; /* cannot be dialled at all */
    wait_start(&wait, peer);
    table_found(&table, 1, NULL);
    table_resolved(&table, addresses, 1, NULL);
    wait_expect(&wait, strerror(EAFNOSUPPORT));
    assert_int_equal(peer->state, PEER_IDLE);

    int closed = world_listen(&addresses[0], false); /* refuses; the next address is there */
    wait_start(&wait, peer);
    table_found(&table, 1, NULL);
    addresses[1] = table.address;
    table_resolved(&table, addresses, 2, NULL);
    assert_int_equal(peer->state, PEER_DIALLING);
    WORLD_UNTIL(&table.world, peer->next_address == 2)
        ;
    assert_int_equal(wait.told, 0);
    far_open(&far, &table.world, world_accept(table.listener), APP);
    far_accept(&far);
    far.verdict = HANDSHAKE_REFUSE;
    far_shake(&far);
    wait_expect(&wait, "does not allow");
    close(closed);
    far_close(&far);

    wait_start(&wait, peer);
    table_dialled(&table, &far, APP);
    world_advance(CONN_SETUP_NS);
    wait_expect(&wait, "no progress");
    far_close(&far);
    assert_int_equal(table.up + table.down, 0);
    peer_release(peer);
    assert_int_equal(table.peers->by_name.count, 0);
    table_end(&table);
}

static void test_waits(void **state)
{
    (void)state;
    struct table table;
    struct wait waits[4];
    table_start(&table);
    struct peer *peer = peer_hold(table.peers, APP);
    for (size_t i = 0; i < ARRAY_LENGTH(waits); i++)
        wait_start(&waits[i], peer);
    waits[0].connects_again = true;
    waits[1].cancels = &waits[2];
    peer_release(peer); /* those who wait keep it */
    table_found(&table, 0, "not there");
    for (size_t i = 0; i < ARRAY_LENGTH(waits); i++)
        assert_int_equal(waits[i].told, i != 2);
    peer_wait_cancel(&waits[2].wait);               /* it waits no more */
    assert_int_equal(peer->state, PEER_LOOKING_UP); /* for the first, again */
    table_found(&table, 0, "still not there");
    assert_int_equal(waits[0].told, 2);
    assert_string_equal(waits[0].problem, "still not there");
    assert_int_equal(table.peers->by_name.count, 0);
    table_end(&table);
}

/* It was up when the wait began, and is not any more when the wait is told. */
static void test_wait_for_a_peer_that_goes(void **state)
{
    (void)state;
    struct table table;
    struct far far;
    struct wait wait, late;
    table_start(&table);
    table_comes_up(&table, &far, APP);
    struct peer *peer = peer_hold(table.peers, APP);
    wait_start(&wait, peer);
    peer_disconnect(peer, "just now");
    wait_start(&late, peer);
    peer_disconnect(peer, "again"); /* which it is not any more */
    wait_expect(&wait, "just now");
    wait_expect(&late, "just now");
    assert_int_equal(table.lookups, 0);
    peer_release(peer);
    far_close(&far);
    table_end(&table);
}

/* --- Peers that are kept --- */

/* It is dialled again after `retry_ns`, a quarter more or less. */
static void expect_retry(struct table *table, uint64_t retry_ns)
{
    int lookups = table->lookups;
    world_advance(retry_ns - retry_ns / 4 - 1);
    assert_int_equal(table->lookups, lookups);
    world_advance(retry_ns / 2 + 1);
    assert_int_equal(table->lookups, lookups + 1);
}

static void test_backoff(void **state)
{
    (void)state;
    struct table table;
    struct far far;
    table_start(&table);
    peers_keep(table.peers, APP, 0);
    const struct peer *peer = map_get(&table.peers->by_name, APP, strlen(APP));
    uint64_t retry_ns = 100 * MS;
    int logged = 0;
    for (int i = 0; i < 12; i++) {
        table_found(&table, 0, "not there");
        logged += peer->retries.was_due;
        expect_retry(&table, retry_ns);
        retry_ns = retry_ns * 2 < 30000 * MS ? retry_ns * 2 : 30000 * MS;
    }
    assert_in_range(logged, 3, 8);
    assert_int_equal(peer->retries.all, 12);
    table_dialled(&table, &far, APP);
    far_shake(&far);
    WORLD_UNTIL(&table.world, table.up)
        ;
    far_close(&far);
    WORLD_UNTIL(&table.world, table.down)
        ;
    assert_true(peer->retries.was_due); /* it is a trouble of its own */
    expect_retry(&table, 100 * MS);     /* from the beginning */
    peers_keep(table.peers, APP, 0);    /* which it is */
    assert_int_equal(table.lookups, 14);
    table_end(&table);
}

static void test_fixed_port(void **state)
{
    (void)state;
    struct table table;
    table_start(&table);
    peers_keep(table.peers, APP, 5000);
    assert_int_equal(table.lookups, 0);
    assert_int_equal(table.resolve->port, 5000);
    table_end(&table);
}

static void test_let_go(void **state)
{
    (void)state;
    struct table table;
    struct far far;
    table_start(&table);
    peers_let_go(table.peers, APP); /* never heard of */
    peers_keep(table.peers, APP, 0);
    table_found(&table, 0, "not there");
    peers_let_go(table.peers, APP);
    assert_int_equal(table.peers->by_name.count, 0);

    peers_keep(table.peers, APP, 0);
    table_dialled(&table, &far, APP);
    far_shake(&far);
    WORLD_UNTIL(&table.world, table.up)
        ;
    peers_let_go(table.peers, APP);
    peers_let_go(table.peers, APP);
    assert_int_equal(peers_up_count(table.peers), 1); /* the connection stays */
    far_close(&far);
    WORLD_UNTIL(&table.world, table.down)
        ;
    assert_int_equal(table.peers->by_name.count, 0);
    table_end(&table);
}

/* --- Attempts of the other node --- */

static const struct simultaneous {
    enum peer_state state;
    const char *name;
    const char *status;
} simultaneous[] = {
    {PEER_LOOKING_UP, APP, "ok"}, {PEER_LOOKING_UP, GREATER, "ok"},
    {PEER_RESOLVING, APP, "ok"},  {PEER_RESOLVING, GREATER, "ok"},
    {PEER_DIALLING, APP, "nok"},  {PEER_DIALLING, GREATER, "ok_simultaneous"},
    {PEER_AWAITED, APP, "ok"},    {PEER_AWAITED, GREATER, "ok"},
};

/* The rule of OTP: the attempt of the node with the greater name goes on. */
static void test_simultaneous_connects(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(simultaneous); i++) {
        const struct simultaneous *row = &simultaneous[i];
        bool refused = strcmp(row->status, "nok") == 0;
        struct table table;
        struct far dialled = {0}, comes;
        struct wait wait;
        table_start(&table);
        struct peer *peer = peer_hold(table.peers, row->name);
        bring(&table, &dialled, peer, row->state, &wait);
        table_accepts(&table, &comes, row->name, false);
        struct buffer name = {0};
        handshake_initiate(&comes.handshake, &comes.identity, 2, OWN, &name);
        far_flush(&comes, &name);
        WORLD_UNTIL(&table.world, comes.input.size >= 3 + strlen(row->status))
            ;
        assert_memory_equal(buffer_bytes(&comes.input) + 3, row->status, strlen(row->status));
        assert_int_equal(buffer_bytes(&comes.input)[1], 1 + strlen(row->status));
        far_shake(refused ? &dialled : &comes);
        wait_expect(&wait, "");
        assert_int_equal(peers_up_count(table.peers), 1);
        assert_int_equal(table.up, 1);
        assert_int_equal(table.down, 0);
        assert_null(table.lookup);
        assert_null(table.resolve);
        WORLD_UNTIL(&table.world, refused ? comes.ended : !dialled.world || dialled.ended)
            ;
        assert_int_equal(table.lookups, 1);
        peer_release(peer);
        if (dialled.world)
            far_close(&dialled);
        far_close(&comes);
        table_end(&table);
    }
}

/* Nobody here knows it: it is forgotten. */
static void test_stranger_that_fails(void **state)
{
    (void)state;
    struct table table;
    struct far far;
    table_start(&table);
    table_accepts(&table, &far, APP, true);
    far_expect_status(&far, "ok");
    assert_int_equal(table.peers->by_name.count, 1);
    assert_int_equal(table.peers->claims.list.count, 1);
    far_close(&far);
    WORLD_UNTIL(&table.world, table.peers->by_name.count == 0)
        ;
    assert_int_equal(table.peers->claims.list.count, 0);
    assert_int_equal(table.up, 0);
    table_end(&table);
}

/* The peer has lost its connection, which this node still has; or it has not. */
static void test_alive(void **state)
{
    (void)state;
    for (int knows = 0; knows < 2; knows++) {
        struct table table;
        struct far old, new;
        table_start(&table);
        table_comes_up(&table, &old, APP);
        struct peer *peer = peer_hold(table.peers, APP);
        table_accepts(&table, &new, APP, true);
        if (knows) {
            far_expect_status(&new, "alive");
            far_write(&new, "\0\6sfalse", 8);
            WORLD_UNTIL(&table.world, new.ended)
                ;
            assert_int_equal(table.down, 0);
        } else {
            far_shake(&new);
            WORLD_UNTIL(&table.world, table.up == 2)
                ;
            WORLD_UNTIL(&table.world, old.ended)
                ;
            assert_int_equal(table.down, 1);
            assert_string_equal(table.reason, "replaced by a new connection of the peer");
        }
        assert_true(peer_is_up(peer));
        assert_int_equal(peers_up_count(table.peers), 1);
        far_send(knows ? &old : &new, "{22, $p, $o}", "hello");
        WORLD_UNTIL(&table.world, table.message[0])
            ;
        assert_string_equal(table.message, "hello");
        peer_release(peer);
        far_close(&old);
        far_close(&new);
        table_end(&table);
    }
}

/* The second connection of a peer that is admitted takes the place of the first. */
static void test_two_at_once(void **state)
{
    (void)state;
    struct table table;
    struct far first, second;
    table_start(&table);
    table_accepts(&table, &first, APP, true);
    far_expect_status(&first, "ok");
    table_accepts(&table, &second, APP, true);
    far_shake(&second);
    WORLD_UNTIL(&table.world, table.up)
        ;
    far_close(&first);
    WORLD_UNTIL(&table.world, table.peers->claims.list.count == 0)
        ;
    assert_int_equal(table.down, 0);
    assert_int_equal(peers_up_count(table.peers), 1);
    far_close(&second);
    table_end(&table);
}

static void test_not_allowed(void **state)
{
    (void)state;
    struct table table;
    struct far far;
    static const char *const names[] = {APP, OWN};
    table_start(&table);
    table.forbidden = APP;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        table_accepts(&table, &far, names[i], true);
        far_expect_status(&far, "not_allowed");
        WORLD_UNTIL(&table.world, far.ended)
            ;
        far_close(&far);
    }
    assert_int_equal(table.peers->by_name.count, 0);
    table_end(&table);
}

static void test_pending_handshakes(void **state)
{
    (void)state;
    struct table table;
    struct far fars[5];
    table_start(&table);
    for (size_t i = 0; i < 3; i++)
        table_accepts(&table, &fars[i], APP, false);
    assert_int_equal(table.peers->claims.list.count, 3);
    table_accepts(&table, &fars[3], APP, false);
    assert_int_equal(table.peers->claims.list.count, 3);
    WORLD_UNTIL(&table.world, fars[0].ended)
        ; /* the oldest */
    assert_false(fars[1].ended);
    peers_set_limits(table.peers, 1024, 1024 * 1024, 4);
    table_accepts(&table, &fars[4], APP, true);
    assert_int_equal(table.peers->claims.list.count, 4);
    far_shake(&fars[4]);
    WORLD_UNTIL(&table.world, table.up)
        ;
    assert_int_equal(table.peers->claims.list.count, 3);
    static const uint8_t zeros[1025];
    struct term_builder parts[2] = {0};
    term_build_binary(&parts[1], zeros, sizeof(zeros)); /* beyond the new limit */
    far_send_term(&fars[4], term_from_text(&parts[0], "{22, $p, $o}"), term_built(&parts[1]));
    WORLD_UNTIL(&table.world, table.too_large[0])
        ;
    assert_string_equal(table.too_large, "{message_too_large,1024}");
    term_build_free(&parts[0]);
    term_build_free(&parts[1]);
    for (size_t i = 0; i < ARRAY_LENGTH(fars); i++)
        far_close(&fars[i]);
    table_end(&table);
}

/* A flood from one address costs only that address. */
static void test_flood_of_one_source(void **state)
{
    (void)state;
    struct table table;
    struct far honest, fars[20];
    table_start(&table);
    table_accepts_from(&table, &honest, APP, true, "192.0.2.1:1");
    far_expect_status(&honest, "ok");
    for (size_t i = 0; i < ARRAY_LENGTH(fars); i++)
        table_accepts_from(&table, &fars[i], APP, true, "192.0.2.2:1");
    WORLD_UNTIL(&table.world, fars[17].ended)
        ;
    assert_int_equal(table.peers->claims.list.count, 3);
    assert_false(honest.ended || fars[18].ended || fars[19].ended);
    honest.handshake.state = HANDSHAKE_EXPECT_CHALLENGE;
    far_shake(&honest);
    WORLD_UNTIL(&table.world, table.up)
        ;
    for (size_t i = 0; i < ARRAY_LENGTH(fars); i++)
        far_close(&fars[i]);
    far_close(&honest);
    table_end(&table);
}

static void test_disconnected_when_up(void **state)
{
    (void)state;
    struct table table;
    struct far far;
    table_start(&table);
    table.disconnects_when_up = true;
    table_accepts(&table, &far, APP, true);
    WORLD_UNTIL(&table.world, far.input.size)
        ;
    far_step(&far);
    far_step(&far);
    WORLD_UNTIL(&table.world, table.down)
        ;
    assert_string_equal(table.reason, "not now");
    assert_int_equal(table.peers->by_name.count, 0);
    far_close(&far);
    table_end(&table);
}

/* --- Messages --- */

static bool send_to(struct peer *peer, enum control_operation operation, struct term payload)
{
    struct term_builder parts[4] = {0};
    struct control control = {.operation = operation,
                              .from = term_from_text(&parts[0], "$o"),
                              .to = term_from_text(&parts[1], operation == CONTROL_ALIAS_SEND ? "$r" : "$p"),
                              .reason = term_from_text(&parts[2], "normal")};
    bool sent = peer_send(peer, 1, &control, payload);
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++)
        term_build_free(&parts[i]);
    return sent;
}

static void test_sends(void **state)
{
    (void)state;
    struct table table;
    struct far far;
    struct term control, payload;
    table_start(&table);
    struct peer *peer = peer_hold(table.peers, APP);
    assert_false(send_to(peer, CONTROL_SEND, TERM_ATOM("early")));
    assert_false(peer_send_encoded(peer, 1, TERM_ATOM("early"), (struct term){0}));
    table_accepts(&table, &far, APP, false);
    far.identity.flags &= ~(FLAG_ALIAS | FLAG_EXIT_PAYLOAD);
    far_initiate(&far);
    far_shake(&far);
    WORLD_UNTIL(&table.world, table.up)
        ;
    assert_true(send_to(peer, CONTROL_SEND, TERM_ATOM("hello")));
    assert_true(peers_queued_bytes(table.peers) > 0);
    far_receive(&far, &control, &payload);
    expect_term(control, "{22, $o, $p}");
    expect_term(payload, "hello");
    assert_false(send_to(peer, CONTROL_ALIAS_SEND, TERM_ATOM("hello"))); /* it has none */
    assert_true(send_to(peer, CONTROL_EXIT2, TERM_ATOM("normal")));
    far_receive(&far, &control, &payload);
    expect_term(control, "{8, $o, $p, normal}"); /* the reason inside */
    assert_null(payload.data);
    assert_int_equal(peers_queued_bytes(table.peers), 0);
    peer_release(peer);
    far_close(&far);
    table_end(&table);
}

static void test_congestion(void **state)
{
    (void)state;
    struct table table;
    struct far far;
    static uint8_t bytes[900000];
    struct term_builder builder = {0};
    table_start(&table);
    table_comes_up(&table, &far, APP);
    struct peer *peer = peers_find_up(table.peers, APP, strlen(APP));
    term_build_binary(&builder, bytes, sizeof(bytes));
    assert_false(peer_is_congested(peer));
    assert_true(send_to(peer, CONTROL_SEND, term_built(&builder)));
    assert_true(peer_is_congested(peer));
    WORLD_UNTIL(&table.world, table.drained)
        ;
    assert_false(peer_is_congested(peer));
    term_build_free(&builder);
    far_close(&far);
    table_end(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_connect),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_waits),
        cmocka_unit_test(test_wait_for_a_peer_that_goes),
        cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_fixed_port),
        cmocka_unit_test(test_let_go),
        cmocka_unit_test(test_simultaneous_connects),
        cmocka_unit_test(test_stranger_that_fails),
        cmocka_unit_test(test_alive),
        cmocka_unit_test(test_two_at_once),
        cmocka_unit_test(test_not_allowed),
        cmocka_unit_test(test_pending_handshakes),
        cmocka_unit_test(test_flood_of_one_source),
        cmocka_unit_test(test_disconnected_when_up),
        cmocka_unit_test(test_sends),
        cmocka_unit_test(test_congestion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
