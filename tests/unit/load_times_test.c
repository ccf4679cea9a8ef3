#include "load_world.h"

#include "engine_private.h"

/* What times of an operation are: from when the kernel was given its message to when it has seen the reply.
 */

#define US CLOCK_NS_PER_US

static struct world world;

static double number(const char *view, const char *key)
{
    struct term_builder built = {0};
    struct term latency, stats;
    double value = -1;
    latencies_build(&world_record(&world)->latencies, &built);
    latency = term_built(&built);
    if (strcmp(view, "overall") != 0 && strcmp(view, "start_delay") != 0)
        assert_true(term_pairs_get(latency, view, &latency));
    if (strcmp(view, "start_delay") == 0)
        assert_true(term_pairs_get(latency, view, &stats));
    else if (strcmp(key, "excluded") == 0)
        stats = latency;
    else
        assert_true(term_pairs_get(latency, "overall", &stats));
    struct term figure;
    assert_true(term_pairs_get(stats, key, &figure));
    assert_true(term_read_number(figure, &value) || term_is_atom(figure, "nil"));
    term_build_free(&built);
    return value;
}

static void expect(const char *view, const char *key, double wanted)
{
    double value = number(view, key);
    if (value != wanted)
        fail_msg("%s of %s is %g, not %g", key, view, value, wanted);
}

/* One call under way, that the test answers and says of when it has left. */
static void start_call(const char *rest)
{
    char text[300];
    snprintf(text, sizeof(text), "#{target => c, operations => [ping], call_timeout_ms => 1000, load => %s}",
             rest);
    world_make(&world, text);
    world.targets[0].is_silent = true;
    world.keeps_departures = true;
    world_run(&world, world.now_ns);
    assert_int_equal(world.sent_count, 1);
}

/* It leaves, and the loop does something else for a while. */
static void leave(uint64_t ns, bool was_full)
{
    world.departure->ns = world.now_ns + ns;
    world.departure->was_full = was_full;
}

static void reply_at(uint64_t arrived_ns, uint64_t now_ns)
{
    world.now_ns = now_ns;
    engine_reply(world.engine, world.sent[world.sent_count - 1].tag, TERM_LONG(TERM_ATOM("ok")),
                 (struct arrived){.ns = arrived_ns, .by_kernel = true});
}

/* Neither the loop's time before the write nor that behind the arrival is in a service time. */
static void test_service_time(void **state)
{
    (void)state;
    start_call("#{threads => 1, iterations => 1}");
    const uint64_t begun_ns = world.now_ns;
    leave(30 * US, false);
    reply_at(begun_ns + 130 * US, begun_ns + 900 * US);
    assert_int_equal(world.over, 1);
    expect("service", "max_us", 100);
    expect("overall", "max_us", 130);
    expect("start_delay", "max_us", 30);
    expect("service", "excluded", 0);
    const struct event *event = events_at(&world_record(&world)->events, 0);
    assert_int_equal(event->duration_us, 130);
    assert_int_equal(event->end_us, 130);
    world_free(&world);
}

/* A reply has not come before its call has left, or after it was read. */
static void test_impossible_times(void **state)
{
    (void)state;
    static const struct {
        int64_t arrived_us;
        double service_us;
    } rows[] = {{-100, 0}, {0, 0}, {29, 0}, {31, 1}, {500, 470}, {501, 470}, {100000, 470}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        start_call("#{threads => 1, iterations => 1}");
        const uint64_t begun_ns = world.now_ns;
        leave(30 * US, false);
        reply_at(begun_ns + (uint64_t)(rows[i].arrived_us * (int64_t)US), begun_ns + 500 * US);
        expect("service", "max_us", rows[i].service_us);
        world_free(&world);
    }
}

/* What was sent while the other side took no more, or waits for that still. */
static void test_full_socket(void **state)
{
    (void)state;
    for (int has_left = 0; has_left < 2; has_left++) {
        start_call("#{threads => 1, iterations => 1}");
        const uint64_t begun_ns = world.now_ns;
        if (has_left)
            leave(30 * US, true);
        reply_at(begun_ns + 130 * US, begun_ns + 200 * US);
        expect("service", "count", 0);
        expect("service", "excluded", 1);
        expect("overall", "max_us", 130);
        expect("start_delay", "max_us", has_left ? 30 : 0);
        assert_int_equal(world.counters.service.count, 0);
        assert_int_equal(world.counters.response.count, 1);
        world_free(&world);
    }
}

/* A call that was given up has waited from its send as well. */
static void test_given_up(void **state)
{
    (void)state;
    start_call("#{threads => 1, iterations => 1}");
    leave(30 * US, false);
    world_run(&world, world.now_ns + 2000 * MS);
    assert_int_equal(world.over, 1);
    assert_true(number("service", "max_us") >= 999970 && number("service", "max_us") <= 1001000);
    expect("service", "excluded", 0);
    world_free(&world);
}

/* The next operation of a thread is to start when the loop has read the reply: the server has not been asked
 * before. */
static void test_next_operation(void **state)
{
    (void)state;
    start_call("#{threads => 1, iterations => 2}");
    const uint64_t begun_ns = world.now_ns;
    leave(0, false);
    reply_at(begun_ns + 100 * US, begun_ns + 150 * US);
    loop_finish(&world.loop);
    assert_int_equal(world.sent_count, 2);
    leave(10 * US, false);
    reply_at(begun_ns + 260 * US, begun_ns + 300 * US);
    expect("overall", "max_us", 110); /* from 150 to 260 */
    expect("service", "max_us", 100);
    expect("overall", "count", 2);
    world_free(&world);
}

/* Who asks whether a target has recovered is told the same times. */
static void test_late_replies_of_others(void **state)
{
    (void)state;
    start_call("#{threads => 1, iterations => 1}");
    const uint64_t begun_ns = world.now_ns;
    leave(30 * US, false);
    engine_reply(world.engine, world.sent[0].tag + 1, TERM_LONG(TERM_ATOM("ok")), world_arrived(&world));
    assert_int_equal(world_record(&world)->latencies.replies, 0); /* it is nobody's */
    reply_at(begun_ns + 130 * US, begun_ns + 200 * US);
    assert_int_equal(world_record(&world)->latencies.replies, 1);
    assert_int_equal(world.seen.sent_ns, begun_ns + 30 * US);
    assert_int_equal(world.seen.now_ns, begun_ns + 130 * US);
    world_free(&world);
}

/* A custom operation has no departure, and ends when its outcome has come. */
static void test_custom(void **state)
{
    (void)state;
    struct term_builder outcome = {0};
    world_make(&world, "#{target => c, operations => [{custom, {m, f, []}}], "
                       "load => #{threads => 1, iterations => 1}}");
    world_run(&world, world.now_ns);
    assert_int_equal(world.applied_count, 1);
    const uint64_t begun_ns = world.now_ns;
    world.now_ns += 500 * US;
    engine_custom_done(world.engine, 0, 0, TERM_LONG(term_from_text(&outcome, "{returned, ok}")),
                       (struct arrived){.ns = begun_ns + 400 * US, .by_kernel = false});
    expect("service", "max_us", 400);
    assert_int_equal(world_record(&world)->latencies.replies, 1);
    assert_int_equal(world_record(&world)->latencies.by_kernel, 0);
    term_build_free(&outcome);
    world_free(&world);
}

/* One that waits for its turn until the run is out of time was never applied: the thread's one before was. */
static void test_custom_never_applied(void **state)
{
    (void)state;
    struct term_builder outcome = {0};
    world_make_with(&world,
                    "#{target => c, operations => [{custom, {m, f, []}}], "
                    "load => #{rate => 100, duration_ms => 50}, timeout_ms => 1050}",
                    1);
    world_begin(&world);
    world_run(&world, world.begun_ns + 25 * CLOCK_NS_PER_MS);
    assert_int_equal(world.applied_count, 1);
    engine_custom_done(world.engine, 0, 0, TERM_LONG(term_from_text(&outcome, "{returned, ok}")),
                       (struct arrived){.ns = world.now_ns, .by_kernel = false});
    world_run(&world, UINT64_MAX);
    assert_int_equal(world.over, 1);
    assert_int_equal(world.applied_count, 2);
    expect("overall", "count", 5);
    expect("service", "count", 2);
    expect("service", "excluded", 3);
    assert_true(number("start_delay", "max_us") < 50 * 1000);
    assert_true(number("service", "max_us") <= number("overall", "max_us"));
    term_build_free(&outcome);
    world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_service_time),   cmocka_unit_test(test_impossible_times),
        cmocka_unit_test(test_full_socket),    cmocka_unit_test(test_given_up),
        cmocka_unit_test(test_next_operation), cmocka_unit_test(test_late_replies_of_others),
        cmocka_unit_test(test_custom),         cmocka_unit_test(test_custom_never_applied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
