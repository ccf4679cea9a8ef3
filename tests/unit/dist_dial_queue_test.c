#include "dial_queue_private.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "peers_private.h"

#define PEERS 1000

static struct loop loop;
static struct peers table;
static struct peer peers[PEERS];
static size_t started;
static bool fails; /* attempts fail at once */

static void set_state(struct peer *peer, enum peer_state state)
{
    enum peer_state from = peer->state;
    peer->state = state;
    dial_queue_note(&table.queue, peer_is_attempt(from), peer_is_attempt(state));
}

static void start(struct peer *peer)
{
    started++;
    set_state(peer, PEER_LOOKING_UP);
    if (fails)
        set_state(peer, PEER_IDLE);
}

static int begin(void **state)
{
    (void)state;
    loop_init(&loop);
    table = (struct peers){.closing = false};
    dial_queue_init(&table.queue, &loop, start);
    started = 0;
    for (size_t i = 0; i < PEERS; i++)
        peers[i] = (struct peer){.peers = &table, .kept = true};
    return 0;
}

static int end(void **state)
{
    (void)state;
    loop_cancel(&loop, &table.queue.begin);
    loop_free(&loop);
    return 0;
}

static void ask_all(void)
{
    for (size_t i = 0; i < PEERS; i++)
        dial_queue_ask(&table.queue, &peers[i]);
}

static void run_passes(size_t count)
{
    for (size_t i = 0; i < count; i++)
        loop_run_pass(&loop);
}

static void test_so_many_at_once(void **state)
{
    (void)state;
    fails = false;
    ask_all();
    assert_int_equal(started, DIAL_QUEUE_TURN);
    while (started < DIAL_QUEUE_ATTEMPTS_MOST)
        run_passes(1);
    assert_int_equal(table.queue.attempts, DIAL_QUEUE_ATTEMPTS_MOST);
    ask_all(); /* changes nothing: who waits does so once */
    assert_int_equal(started, DIAL_QUEUE_ATTEMPTS_MOST);
    assert_int_equal(table.queue.waiting.count, PEERS);
    /* In their order, as others are done; who is let go of, or was connected to meanwhile, has no turn. */
    peers[DIAL_QUEUE_ATTEMPTS_MOST].kept = false;
    peers[DIAL_QUEUE_ATTEMPTS_MOST + 1].state = PEER_UP;
    for (size_t i = 0; i < DIAL_QUEUE_ATTEMPTS_MOST; i++)
        dial_queue_leave(&table.queue, &peers[i]);
    set_state(&peers[0], PEER_UP);
    run_passes(1);
    assert_int_equal(started, DIAL_QUEUE_ATTEMPTS_MOST + 1);
    assert_int_equal(peers[DIAL_QUEUE_ATTEMPTS_MOST].state, PEER_IDLE);
    assert_int_equal(peers[DIAL_QUEUE_ATTEMPTS_MOST + 2].state, PEER_LOOKING_UP);
}

static void test_a_pass_is_short_though_all_fail(void **state)
{
    (void)state;
    fails = true;
    ask_all();
    assert_int_equal(started, DIAL_QUEUE_TURN);
    for (size_t passes = 0; started < PEERS; passes++) {
        size_t before = started;
        run_passes(1);
        assert_true(started - before <= DIAL_QUEUE_TURN);
        assert_true(passes < PEERS);
    }
    assert_int_equal(table.queue.waiting.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_so_many_at_once, begin, end),
        cmocka_unit_test_setup_teardown(test_a_pass_is_short_though_all_fail, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
