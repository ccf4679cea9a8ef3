#include "load_world.h"

#include "measure/events_copy.h"

static struct world world;

#define S CLOCK_NS_PER_S
#define EVENTS (world_record(&world)->events.count)

static void expect_message(size_t index, const char *text)
{
    struct term_builder builder = {0};
    assert_true(index < world.sent_count);
    struct term wanted = term_from_text(&builder, text);
    if (!term_same(wanted, term_of(&world.sent[index].message)))
        fail_msg("message %zu is not %s", index, text);
    term_build_free(&builder);
}

/* --- Scripts --- */

static void test_scripts(void **state)
{
    (void)state;
    world_make(&world, "#{target => c, threads => [[a, b], [], [c]]}");
    assert_int_equal(world.started, 0);
    world_run(&world, UINT64_MAX);
    assert_int_equal(world.started, 1);
    assert_int_equal(world.over, 1);
    assert_int_equal(world.sent_count, 3);
    expect_message(0, "a");
    expect_message(1, "c"); /* both threads have started before the first answer */
    expect_message(2, "b");
    assert_int_equal(world_record(&world)->operations, 3);
    assert_int_equal(world_record(&world)->operation_errors, 0);
    assert_int_equal(world.succeeded, 3);
    assert_int_equal(engine_thread(world.engine, 0).operations, 2);
    assert_int_equal(engine_thread(world.engine, 1).operations, 0);
    assert_int_equal(world.counters.operations, 3);
    assert_int_equal(world_record(&world)->ended_ns - world.begun_ns, 2 * MS);
    assert_int_equal(engine_in_flight(world.engine), 0);
    assert_int_equal(engine_threads_active(world.engine), 0);
    const struct event *last = events_at(&world_record(&world)->events, 2);
    assert_int_equal(last->step, 1);
    assert_int_equal(last->duration_us, 1000);
    assert_int_equal(last->end_us, 2000);
    world_free(&world);
}

static void test_casts_and_messages(void **state)
{
    (void)state;
    world_make(&world, "#{target => c, threads => [[{cast, a}, {'$cast', b}, {'$send', c}, {'$sleep', 5}]]}");
    world_run(&world, UINT64_MAX);
    assert_int_equal(world.sent_count, 4);
    expect_message(0, "a");
    assert_int_equal(world.sent[0].tag, -1);
    expect_message(1, "'__supertester_sync__'");
    assert_true(world.sent[1].tag >= 0);
    expect_message(2, "b");
    expect_message(3, "c");
    assert_int_equal(world_record(&world)->operations, 3); /* a sleep is none */
    assert_int_equal(world.succeeded, 3);
    assert_int_equal(world_record(&world)->ended_ns - world.begun_ns, 6 * MS);
    world_free(&world);
}

/* A tuple of many binaries, as text. */
static void print_long(struct buffer *text)
{
    buffer_print(text, "{");
    for (int i = 0; i < 1500; i++)
        buffer_print(text, "%s<<\"%0200d\">>", i ? ", " : "", i);
    buffer_print(text, "}");
}

/* A long message is sent from where the scenario has it, whatever is around it. */
static void test_long_messages(void **state)
{
    (void)state;
    static const char *const around[] = {"#{target => c, threads => [[", ", {cast, ", "}, {'$cast', ",
                                         "}, {'$send', ", "}, small]]}"};
    struct buffer text = {0}, wanted = {0};
    print_long(&wanted);
    for (size_t i = 0; i < ARRAY_LENGTH(around); i++) {
        buffer_print(&text, "%s", around[i]);
        if (i + 1 < ARRAY_LENGTH(around))
            print_long(&text);
    }
    buffer_append(&text, "", 1);
    buffer_append(&wanted, "", 1);
    world_make(&world, (const char *)buffer_bytes(&text));
    world_run(&world, UINT64_MAX);
    assert_int_equal(world.sent_count, 6);
    for (size_t i = 0; i < 5; i++)
        expect_message(i, i == 2 ? "'__supertester_sync__'" : (const char *)buffer_bytes(&wanted));
    expect_message(5, "small");
    assert_int_equal(world.held, 4);
    assert_int_equal(world_record(&world)->operations, 5);
    world_free(&world);
    buffer_free(&text);
    buffer_free(&wanted);
}

static void test_threads_out_of_time(void **state)
{
    (void)state;
    world_make(&world, "#{target => c, threads => [[a], [a, b]], timeout_ms => 50, call_timeout_ms => 1000}");
    world.targets[0].latency_ns = 40 * MS;
    world_run(&world, UINT64_MAX);
    assert_int_equal(world.over, 1);
    assert_true(term_is_atom(term_of(&world_record(&world)->thread_failure.bytes), "timeout"));
    assert_int_equal(world_record(&world)->ended_ns - world.begun_ns, 50 * MS);
    assert_int_equal(world_record(&world)->operations, 2);
    world_free(&world);
}

/* --- Deadlines --- */

static void test_timeouts(void **state)
{
    (void)state;
    world_make(&world, "#{target => c, threads => [[a, b]], call_timeout_ms => 10}");
    world.targets[0].latency_ns = 15 * MS;
    world_run(&world, UINT64_MAX);
    assert_int_equal(world.failed, 2);
    assert_int_equal(world_errors(&world, "timeout"), 2);
    assert_int_equal(world_record(&world)->operations, 2); /* late answers are nobody's */
    assert_int_equal(engine_thread(world.engine, 0).errors, 2);
    assert_in_range(world_record(&world)->ended_ns - world.begun_ns, 20 * MS, 20 * MS + MS / 2);
    assert_int_equal(world.counters.errors[ERROR_TIMEOUT], 2);
    world_free(&world);
}

static void test_answers_of_others(void **state)
{
    (void)state;
    world_make(&world, "#{target => c, threads => [[a]]}");
    world.targets[0].is_silent = true;
    world_run(&world, world.begun_ns + MS);
    assert_int_equal(world.sent_count, 1);
    engine_reply(world.engine, world.sent[0].tag + 1, TERM_LONG(TERM_ATOM("ok")), world_arrived(&world));
    engine_reply(world.engine, -1, TERM_LONG(TERM_ATOM("ok")), world_arrived(&world));
    engine_reply(world.engine, INT64_MAX, TERM_LONG(TERM_ATOM("ok")), world_arrived(&world));
    assert_int_equal(world_record(&world)->operations, 0);
    engine_reply(world.engine, world.sent[0].tag, TERM_LONG(TERM_ATOM("ok")), world_arrived(&world));
    assert_int_equal(world_record(&world)->operations, 1);
    engine_reply(world.engine, world.sent[0].tag, TERM_LONG(TERM_ATOM("ok")), world_arrived(&world));
    assert_int_equal(world_record(&world)->operations, 1);
    world_free(&world);
}

/* --- The closed model --- */

static void test_iterations(void **state)
{
    (void)state;
    world_make(
        &world,
        "#{target => c, operations => [a, b], load => #{threads => 3, iterations => 5}, events => all}");
    world_run(&world, UINT64_MAX);
    assert_int_equal(world_record(&world)->operations, 3 * 5 * 2);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(engine_thread(world.engine, i).operations, 10);
    assert_int_equal(EVENTS, 30);
    assert_int_equal(world.over, 1);
    world_free(&world);
}

static void test_duration(void **state)
{
    (void)state;
    world_make(&world, "#{target => c, operations => [a], load => #{threads => 2, duration_ms => 100}}");
    world.targets[0].latency_ns = 7 * MS;
    world_run(&world, UINT64_MAX);
    for (size_t i = 0; i < world.sent_count; i++)
        assert_true(world.sent[i].at_ns < world.begun_ns + 100 * MS);
    assert_int_equal(world.sent_count, 2 * 15); /* at 0, 7, ... 98 */
    assert_int_equal(world_record(&world)->operations, world.sent_count);
    assert_int_equal(world_record(&world)->ended_ns - world.begun_ns,
                     105 * MS); /* what has begun is awaited */
    assert_int_equal(world.over, 1);
    world_free(&world);
}

/* Threads begin somewhere in their first thinking, and think after each operation. */
static void test_thinking(void **state)
{
    (void)state;
    uint64_t first_ns[3] = {0};
    world_make(&world, "#{target => c, operations => [{call, {t, {'$thread'}}}], "
                       "load => #{threads => 3, duration_ms => 1000, think_ms => 100}}");
    world_run(&world, UINT64_MAX);
    for (size_t i = 0; i < 3; i++)
        first_ns[i] = world.sent[i].at_ns - world.begun_ns;
    assert_true(first_ns[0] < first_ns[1] && first_ns[1] < first_ns[2] && first_ns[2] <= 101 * MS);
    assert_in_range(world.sent_count, 3 * 9, 3 * 10);
    assert_int_equal(world_record(&world)->operations, world.sent_count);
    assert_true(world_record(&world)->ended_ns - world.begun_ns < 1010 * MS); /* who thinks is not awaited */
    world_free(&world);
}

/* The number of threads that are active follows the stages; those that are not needed park. */
static void test_stages_of_threads(void **state)
{
    (void)state;
    world_make(&world,
               "#{target => c, operations => [a], load => #{ramp => step, stages => [#{duration_ms => 100, "
               "threads => 4}, #{duration_ms => 100, threads => 1}, #{duration_ms => 100, threads => 3}]}}");
    world_run(&world, world.begun_ns + 50 * MS);
    assert_int_equal(engine_threads_active(world.engine), 4);
    world_run(&world, world.begun_ns + 150 * MS);
    assert_int_equal(engine_threads_active(world.engine), 1);
    world_run(&world, world.begun_ns + 250 * MS);
    assert_int_equal(engine_threads_active(world.engine), 3);
    world_run(&world, UINT64_MAX);
    assert_int_equal(engine_threads_active(world.engine), 0);
    assert_int_equal(world.over, 1);
    assert_in_range(world_record(&world)->ended_ns - world.begun_ns, 300 * MS, 302 * MS);
    world_free(&world);
}

static void test_ramp_of_threads(void **state)
{
    (void)state;
    world_make(
        &world,
        "#{target => c, operations => [a], load => #{ramp => linear, stages => [#{duration_ms => 1000, "
        "threads => 10}]}}");
    for (uint64_t at = 1; at < 10; at++) {
        world_run(&world, world.begun_ns + at * 100 * MS - 10 * MS);
        assert_in_range(engine_threads_active(world.engine), at, at + 1);
    }
    world_run(&world, UINT64_MAX);
    assert_int_equal(world.over, 1);
    world_free(&world);
}

/* --- The open model --- */

static void test_rate(void **state)
{
    (void)state;
    world_make(&world, "#{target => c, operations => [a], load => #{rate => 1000, duration_ms => 500}}");
    world_run(&world, UINT64_MAX);
    assert_int_equal(world.sent_count, 500);
    for (size_t i = 0; i < world.sent_count; i++)
        assert_in_range(world.sent[i].at_ns - world.begun_ns, i * MS, i * MS + MS / 10);
    assert_int_equal(world_record(&world)->operations, 500);
    assert_int_equal(world_record(&world)->dropped, 0);
    world_free(&world);
}

/* One thread that takes 10 ms for arrivals each ms: five wait with their intended starts, the others are
 * dropped. */
static void test_backlog(void **state)
{
    (void)state;
    world_make(&world, "#{target => c, operations => [a], load => #{rate => 1000, duration_ms => 100, "
                       "max_in_flight => 1, max_queued => 5}}");
    world.targets[0].latency_ns = 10 * MS;
    world_run(&world, world.begun_ns + 50 * MS + MS / 2);
    assert_in_range(engine_queued(world.engine), 4, 5);
    assert_int_equal(engine_in_flight(world.engine), 1);
    world_run(&world, UINT64_MAX);
    const struct load_record *record = world_record(&world);
    assert_int_equal(record->operations + record->dropped, 100);
    assert_int_equal(record->operations, world.sent_count);
    assert_int_equal(world.counters.dropped, record->dropped);
    struct histogram response;
    histogram_init(&response, 3);
    latencies_add_responses(&record->latencies, &response);
    assert_in_range(response.max, 50000, 62000); /* five others were before it */
    histogram_free(&response);
    world_free(&world);
}

static void test_open_load_out_of_time(void **state)
{
    (void)state;
    world_make(&world,
               "#{target => c, operations => [a], load => #{rate => 100, duration_ms => 100, "
               "max_in_flight => 3, max_queued => 100}, timeout_ms => 1100, call_timeout_ms => 1000}");
    world.targets[0].is_silent = true;
    world_run(&world, UINT64_MAX);
    const struct load_record *record = world_record(&world);
    assert_int_equal(record->operations, 6); /* three that timed out, three more at the end */
    assert_int_equal(record->dropped, 4);
    assert_int_equal(world_errors(&world, "timeout"), 6);
    assert_int_equal(record->thread_failure.size, 0);
    assert_int_equal(record->ended_ns - world.begun_ns, 1100 * MS);
    assert_int_equal(world.over, 1);
    world_free(&world);
}

static void test_sleeps_out_of_time(void **state)
{
    (void)state;
    world_make(&world,
               "#{target => c, operations => [{'$sleep', 5000}], load => #{rate => 100, duration_ms => 50, "
               "max_in_flight => 1}, timeout_ms => 5050}");
    world_run(&world, UINT64_MAX);
    assert_int_equal(world_record(&world)->begun, 0); /* sleeps are no operations */
    assert_int_equal(world_record(&world)->operations, 0);
    assert_int_equal(world_record(&world)->operation_errors, 0);
    assert_int_equal(EVENTS, 1); /* of the one that came to its end */
    assert_int_equal(world_record(&world)->dropped, 3);
    assert_int_equal(world_record(&world)->ended_ns - world.begun_ns, 5050 * MS);
    world_free(&world);
}

/* --- What is drawn --- */

static void test_mix_is_repeatable(void **state)
{
    (void)state;
    static const char text[] =
        "#{target => [c, d, e], spread => random, load => #{threads => 5, iterations => 40}, mix => "
        "[#{weight => 3, op => {a, {'$int', 1, 1000000}}}, #{weight => 1, op => b}], events => all}";
    struct world other;
    size_t count = 0;
    world_make(&world, text);
    world_run(&world, UINT64_MAX);
    world_make(&other, text);
    world_run(&other, UINT64_MAX);
    assert_int_equal(world.sent_count, 200);
    assert_int_equal(other.sent_count, 200);
    struct buffer scratch = {0};
    for (size_t i = 0; i < 200; i++) {
        const struct event *event = events_at(&world_record(&world)->events, i);
        count += event->operation == 0;
        assert_true(term_same(term_of(&world.sent[i].message), term_of(&other.sent[i].message)));
        assert_int_equal(world.sent[i].target, other.sent[i].target);
        buffer_truncate(&scratch, 0); /* an event's message is drawn again, and is one that was sent */
        struct term again =
            engine_message_at(world.engine, event->operation, event->thread, event->step, &scratch);
        bool is_found = false;
        for (size_t j = 0; !is_found && j < 200; j++)
            is_found = term_same(again, term_of(&world.sent[j].message));
        assert_true(is_found);
    }
    assert_in_range(count, 120, 180);
    buffer_free(&scratch);
    world_free(&world);
    world_free(&other);
}

static void test_spreads(void **state)
{
    (void)state;
    size_t counts[3] = {0};
    world_make(&world,
               "#{target => [c, d, e], operations => [a], load => #{threads => 2, iterations => 30}}");
    world_run(&world, UINT64_MAX);
    for (size_t i = 0; i < world.sent_count; i++)
        counts[world.sent[i].target]++;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(counts[i], 20);
    world_free(&world);
    world_make(&world,
               "#{target => [c, d, e], operations => [{k, {'$pick', [x, y, z]}}], spread => {key, 2}, "
               "load => #{threads => 2, iterations => 30}}");
    world_run(&world, UINT64_MAX);
    for (size_t i = 0; i < world.sent_count; i++)
        for (size_t j = 0; j < i; j++)
            if (term_same(term_of(&world.sent[i].message), term_of(&world.sent[j].message)))
                assert_int_equal(world.sent[i].target, world.sent[j].target);
    world_free(&world);
}

/* --- Targets that fail --- */

/* Targets that come and go have numbers behind the scenario's own. */
static void test_another_spread(void **state)
{
    (void)state;
    static const uint32_t some[] = {3, 1}, none[] = {0};
    world_make(&world,
               "#{target => [a, b, c, d], operations => [x], load => #{threads => 1, iterations => 6}}");
    engine_spread(world.engine, some, 2, 6);
    world.targets[1].is_silent = true;
    world_run(&world, world.begun_ns + 20 * MS);
    assert_int_equal(world.sent_count, 2);
    assert_int_equal(world.sent[0].target, 3);
    assert_int_equal(world.sent[1].target, 1);
    assert_true(engine_is_unused(world.engine, 3));
    assert_false(engine_is_unused(world.engine, 1));
    engine_spread(world.engine, none, 1, 6);
    engine_target_failed(world.engine, 1, TARGET_DIED, TERM_LONG(TERM_ATOM("killed")));
    world_run(&world, UINT64_MAX);
    assert_true(engine_is_unused(world.engine, 1));
    for (size_t i = 2; i < world.sent_count; i++)
        assert_int_equal(world.sent[i].target, 0);
    assert_int_equal(world_record(&world)->operations, 6);
    assert_int_equal(world_record(&world)->operation_errors, 1);
    world_free(&world);
}

static void test_nobody_there(void **state)
{
    (void)state;
    world_make(&world, "#{target => c, threads => [[a, b, c]]}");
    world.targets[0].is_away = true;
    world.targets[0].away = TARGET_NOPROC;
    world_run(&world, UINT64_MAX);
    assert_int_equal(world_errors(&world, "noproc"), 3);
    assert_int_equal(world.targets[0].reached, 3);
    assert_int_equal(world.sent_count, 0);
    assert_int_equal(world.counters.errors[ERROR_NOPROC], 3);
    assert_in_range(world_record(&world)->ended_ns - world.begun_ns, 2 * 50 * CLOCK_NS_PER_US,
                    MS); /* it rests between */
    world_free(&world);
}

/* A node that cannot be reached is not dialled all the time: once a millisecond. */
static void test_node_away(void **state)
{
    (void)state;
    world_make(&world, "#{target => c, operations => [a], load => #{threads => 10, duration_ms => 100}}");
    world.targets[0].is_away = true;
    world.targets[0].away = TARGET_NODEDOWN;
    world_run(&world, world.begun_ns + 50 * MS);
    assert_in_range(world.targets[0].reached, 40, 51);
    world.targets[0].is_away = false;
    world_run(&world, UINT64_MAX);
    assert_true(world.succeeded > 0 && world.failed > 0);
    assert_int_equal(world.succeeded + world.failed, world_record(&world)->operations);
    world_free(&world);
}

static void test_died_while_called(void **state)
{
    (void)state;
    world_make(&world, "#{target => c, threads => [[a], [b], [c, d]]}");
    world.targets[0].is_silent = true;
    world_run(&world, world.begun_ns + MS);
    assert_int_equal(engine_in_flight(world.engine), 3);
    world.targets[0].is_open = world.targets[0].is_silent = false;
    engine_target_failed(world.engine, 0, TARGET_DIED, TERM_LONG(TERM_ATOM("killed")));
    world_run(&world, UINT64_MAX);
    assert_int_equal(world_errors(&world, "killed"), 3);
    assert_int_equal(world.succeeded, 1); /* it was reached again for the last one */
    assert_int_equal(world.targets[0].reached, 2);
    world_free(&world);
}

/* Before a call of a script that is alone with its target; a load has no time for that. */
static void test_looking_again(void **state)
{
    (void)state;
    world_make(&world, "#{target => c, threads => [[a, b, {'$cast', c}]]}");
    world_run(&world, UINT64_MAX);
    assert_int_equal(world.targets[0].looked, 2);
    world_free(&world);
    world_make(&world, "#{target => c, threads => [[a], [b]]}");
    world_run(&world, UINT64_MAX);
    assert_int_equal(world.targets[0].looked, 1);
    world_free(&world);
    world_make(&world, "#{target => c, operations => [a], load => #{threads => 1, iterations => 3}}");
    world_run(&world, UINT64_MAX);
    assert_int_equal(world.targets[0].looked, 0);
    world_free(&world);
}

static void test_lost_with_a_cast(void **state)
{
    (void)state;
    world_make(&world, "#{target => c, threads => [[{cast, a}]]}");
    world.targets[0].is_lost_at_send = true;
    world_run(&world, world.begun_ns + MS);
    assert_int_equal(world.sent_count, 1); /* the sync call had no way any more */
    engine_target_failed(world.engine, 0, TARGET_DIED, TERM_LONG(TERM_ATOM("noconnection")));
    assert_int_equal(world_errors(&world, "noconnection"), 1);
    assert_int_equal(world.over, 1);
    world_free(&world);
}

static void test_congestion(void **state)
{
    (void)state;
    world_make(&world, "#{target => c, threads => [[a], [b]]}");
    world.targets[0].is_congested = true;
    world_run(&world, world.begun_ns + 10 * MS);
    assert_int_equal(world.sent_count, 0);
    assert_int_equal(engine_in_flight(world.engine), 2);
    world.targets[0].is_congested = false;
    engine_target_open(world.engine, 0);
    assert_int_equal(world.sent_count, 2);
    world_run(&world, UINT64_MAX);
    assert_int_equal(world.succeeded, 2);
    world_free(&world);
}

static void test_missing_sync(void **state)
{
    (void)state;
    struct term_builder reasons[3] = {0};
    static const char *const texts[] = {"{#{message => <<\"no handle_call/3 clause\">>}, []}",
                                        "{function_clause, [{m, handle_call, [], []}]}",
                                        "{function_clause, []}"};
    for (size_t i = 0; i < 3; i++) {
        world_make(&world, "#{target => c, threads => [[{cast, a}]]}");
        world.targets[0].is_silent = true;
        world_run(&world, world.begun_ns + MS);
        engine_target_failed(world.engine, 0, TARGET_DIED, TERM_LONG(term_from_text(&reasons[i], texts[i])));
        assert_int_equal(world_errors(&world, "missing_sync_handler"), i < 2);
        assert_int_equal(world.over, 1);
        term_build_free(&reasons[i]);
        world_free(&world);
    }
}

/* All calls of a target end of one reason, which is kept once however long it is, held or not. */
static void test_long_reason(void **state)
{
    (void)state;
    for (size_t is_held = 0; is_held < 2; is_held++) {
        struct term_builder builder = {0};
        static char text[3 * TERM_LONG_BYTES];
        term_build_tuple(&builder, 2);
        term_build_atom(&builder, "nodedown");
        term_build_binary(&builder, text, sizeof(text));
        struct blob *blob = blob_take(&builder.bytes, NULL);
        const struct term_long reason = {.tail = {blob->data, blob->size}, .held = is_held ? blob : NULL};
        world_make(&world, "#{target => c, threads => [[a], [a], [{cast, a}]]}");
        world.targets[0].is_silent = true;
        world_run(&world, world.begun_ns + MS);
        engine_target_failed(world.engine, 0, TARGET_DIED, &reason);
        const struct load_record *record = world_record(&world);
        assert_int_equal(world.over, 1);
        assert_int_equal(blob->holders, 1 + is_held);
        assert_int_equal(record->errors.counts[0], 3);
        assert_int_equal(record->errors.total, 3);
        assert_int_equal(record->samples.count, 1);
        assert_int_equal(record->samples.items[0].count, 3);
        assert_int_equal(record->events.count, 3);
        assert_int_equal(record->events.terms.bytes, blob->size);
        for (size_t i = 0; i < 3; i++) {
            const struct event *event = events_at(&record->events, i);
            assert_int_equal(event->kind, RESULT_EXIT);
            assert_int_equal(event->term, events_at(&record->events, 0)->term);
        }
        world_free(&world);
        assert_int_equal(blob->holders, 1);
        blob_release(blob);
        term_build_free(&builder);
    }
}

/* What comes of one failure is not taken for what has come of another. */
static void test_reasons_one_after_the_other(void **state)
{
    (void)state;
    world_make(&world, "#{target => c, threads => [[a, a], [a, a]]}");
    world.targets[0].is_silent = true;
    world_run(&world, world.begun_ns + MS);
    engine_target_failed(world.engine, 0, TARGET_DIED, TERM_LONG(TERM_ATOM("killed")));
    world_run(&world, world.begun_ns + 2 * MS);
    engine_target_failed(world.engine, 0, TARGET_DIED, TERM_LONG(TERM_ATOM("shutdown")));
    assert_int_equal(world_errors(&world, "killed"), 2);
    assert_int_equal(world_errors(&world, "shutdown"), 2);
    assert_int_equal(world_record(&world)->samples.count, 2);
    assert_int_equal(world.over, 1);
    world_free(&world);
}

/* --- Turns --- */

/* What one pass does is bounded, and the rest comes in the next ones. */
static void test_turns(void **state)
{
    (void)state;
    world_make(&world, "#{target => c, operations => [a], load => #{threads => 5000, iterations => 1}}");
    world_run(&world, UINT64_MAX);
    assert_int_equal(world_record(&world)->operations, 5000);
    for (size_t i = 1024; i < world.sent_count; i++)
        assert_true(world.sent[i].pass > world.sent[i - 1024].pass);
    world_free(&world);
}

static void test_failures_take_turns(void **state)
{
    (void)state;
    world_make(&world, "#{target => c, operations => [a], load => #{threads => 3000, iterations => 1}}");
    world.targets[0].is_silent = true;
    world_run(&world, world.begun_ns + 100 * MS);
    assert_int_equal(world.sent_count, 3000);
    engine_target_failed(world.engine, 0, TARGET_DIED, TERM_LONG(TERM_ATOM("killed")));
    assert_int_equal(world_record(&world)->operations, 1024);
    loop_finish(&world.loop);
    assert_int_equal(world_record(&world)->operations, 3000);
    assert_int_equal(world.over, 1);
    world_free(&world);
}

/* --- Custom operations --- */

static void tell(uint32_t thread, uint64_t step, const char *outcome)
{
    struct term_builder builder = {0};
    engine_custom_done(world.engine, thread, (int64_t)step, TERM_LONG(term_from_text(&builder, outcome)),
                       world_arrived(&world));
    term_build_free(&builder);
}

static void test_customs(void **state)
{
    (void)state;
    world_make_with(&world, "#{target => c, threads => [[$1], [$1], [$1], [$1]]}", 2);
    world_begin(&world);
    world_run(&world, world.begun_ns + MS);
    assert_int_equal(world.applied_count, 2); /* the others wait for room */
    assert_int_equal(engine_in_flight(world.engine), 2);
    tell(0, 1, "{returned, ok}"); /* not what it is at */
    tell(3, 0, "{returned, ok}"); /* has not started */
    tell(9, 0, "{returned, ok}");
    assert_int_equal(world_record(&world)->operations, 0);
    tell(0, 0, "{returned, ok}");
    assert_int_equal(world.applied_count, 3);
    tell(0, 0, "{returned, ok}"); /* was told already */
    tell(1, 0, "{raised, error, badarg, []}");
    tell(2, 0, "{raised, throw, ball, []}");
    assert_int_equal(world.applied_count, 4);
    tell(3, 0, "{exited, killed}");
    assert_int_equal(world.over, 1);
    assert_int_equal(world_errors(&world, "badarg"), 1);
    assert_int_equal(world_record(&world)->operations, 4);
    assert_int_equal(world_errors(&world, "{throw, ball}"), 1); /* which fails its thread as well */
    assert_int_equal(world_errors(&world, "{exit, killed}"), 1);
    assert_int_equal(load_unfinished(world_record(&world)), 0);
    struct term_builder reason = {0};
    assert_true(term_same(term_of(&world_record(&world)->thread_failure.bytes),
                          term_from_text(&reason, "{{nocatch, ball}, []}")));
    term_build_free(&reason);
    world_free(&world);
}

static void test_customs_of_nobody(void **state)
{
    (void)state;
    static const uint32_t none[] = {0}, one[] = {1};
    world_make_with(
        &world, "#{target => [{pg, g}, b], operations => [$1], load => #{threads => 1, iterations => 3}}", 2);
    world.targets[0].is_away = true;
    world.targets[0].away = TARGET_NOPROC;
    engine_spread(world.engine, none, 1, 2);
    world_begin(&world);
    world_run(&world, world.begun_ns);
    assert_int_equal(world.applied_count, 0);
    assert_int_equal(world_errors(&world, "noproc"), 1);
    engine_spread(world.engine, one, 1, 2);
    world_run(&world, world.begun_ns + 1000 * MS);
    assert_int_equal(world.applied_count, 1);
    engine_spread(world.engine, none, 1, 2);
    tell(0, world.applied[0].step, "{returned, ok}");
    world_run(&world, UINT64_MAX);
    assert_int_equal(world.applied_count, 1);
    assert_int_equal(world.sent_count, 0);
    assert_int_equal(world.over, 1);
    assert_int_equal(world_record(&world)->operations, 3);
    assert_int_equal(world_errors(&world, "noproc"), 2);
    assert_int_equal(load_unfinished(world_record(&world)), 0);
    world_free(&world);
}

/* In a load the thread goes on. */
static void test_customs_of_a_load(void **state)
{
    (void)state;
    static const char *const outcomes[] = {"{raised, exit, {timeout, call}, []}", "{raised, throw, ball, []}",
                                           "{exited, killed}", "{raised, error, badarg, []}",
                                           "{returned, ok}"};
    world_make_with(&world, "#{target => c, operations => [$1], load => #{threads => 1, iterations => 5}}",
                    2);
    world_begin(&world);
    for (size_t i = 0; i < ARRAY_LENGTH(outcomes); i++) {
        world_run(&world, world.begun_ns + (i + 1) * MS);
        assert_int_equal(world.applied_count, i + 1);
        tell(0, i, outcomes[i]);
    }
    assert_int_equal(world.over, 1);
    assert_int_equal(world_record(&world)->thread_failure.size, 0);
    assert_int_equal(world_record(&world)->operations, 5);
    assert_int_equal(world_record(&world)->operation_errors, 4);
    assert_int_equal(world_errors(&world, "{exit, {timeout, call}}"), 1);
    assert_int_equal(world_errors(&world, "{throw, ball}"), 1);
    assert_int_equal(world_errors(&world, "{exit, killed}"), 1);
    assert_int_equal(world.counters.errors[ERROR_RAISED], 4);
    world_free(&world);
}

/* The time that a thread takes to be set up is no operation's, but an arrival has waited for it. */
static void test_customs_of_threads_that_are_set_up(void **state)
{
    (void)state;
    static const struct {
        const char *load;
        uint64_t duration_us;
    } rows[] = {{"threads => [[$1]]", 2000},
                {"operations => [$1], load => #{threads => 1, iterations => 1}", 2000},
                {"operations => [$1], load => #{rate => 1, duration_ms => 1000}, events => all", 7000}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char text[200];
        snprintf(text, sizeof(text), "#{target => c, thread_setup => $1, %s}", rows[i].load);
        world_make_with(&world, text, 1);
        world_begin(&world);
        world_run(&world, world.begun_ns + MS);
        assert_int_equal(world.applied_count, 1);
        uint64_t applied_ns = world.now_ns;
        world_run(&world, applied_ns + 5 * MS);
        tell(0, 0, "set_up");
        assert_int_equal(engine_in_flight(world.engine), 1);
        world_run(&world, applied_ns + 7 * MS);
        tell(0, 0, "{returned, ok}");
        assert_int_equal(EVENTS, 1);
        uint64_t duration_us = events_at(&world_record(&world)->events, 0)->duration_us;
        assert_true(duration_us >= rows[i].duration_us && duration_us <= rows[i].duration_us + 1000);
        world_free(&world);
    }
}

static void test_customs_of_threads_that_cannot_be_set_up(void **state)
{
    (void)state;
    struct term_builder wanted = {0};
    world_make_with(&world, "#{target => c, threads => [[$1, $1]], thread_setup => $1}", 1);
    world_begin(&world);
    world_run(&world, world.begun_ns + MS);
    tell(0, 0, "{thread_setup_failed, timeout, []}");
    assert_int_equal(world.applied_count, 2); /* the thread goes on */
    tell(0, 1, "{returned, ok}");
    assert_int_equal(world_record(&world)->operation_errors, 1);
    const struct event *event = events_at(&world_record(&world)->events, 0);
    assert_int_equal(event->kind, RESULT_RAISED);
    assert_true(term_same(terms_get(&world_record(&world)->events.terms, event->term).tail,
                          term_from_text(&wanted, "{{thread_setup_failed, timeout}, []}")));
    term_build_free(&wanted);
    world_free(&world);
}

/* --- Names --- */

/* Operations of one name are one row, those without a name are in none. */
static void test_names(void **state)
{
    (void)state;
    world_make(&world,
               "#{target => c, threads => [[#{op => a, name => n}, #{op => b, name => n, expect => x},"
               " #{op => {cast, c}, name => m}, d]]}");
    world_run(&world, UINT64_MAX);
    struct counters_row *n = counters_row_of(&world.counters, TERM_ATOM("n"));
    struct counters_row *m = counters_row_of(&world.counters, TERM_ATOM("m"));
    assert_int_equal(world.counters.named_count, 2);
    assert_int_equal(n->operations, 2);
    assert_int_equal(n->errors, 1);
    assert_int_equal(m->operations, 1);
    assert_int_equal(m->errors, 0);
    world_free(&world);
}

/* --- What is expected --- */

static void test_replies_that_are_not_expected(void **state)
{
    (void)state;
    struct term_builder wanted = {0};
    world_make(&world,
               "#{target => c, threads => [[#{op => a, expect => ok}, #{op => b, expect => {ok, '_'}},"
               " #{op => {cast, c}, expect => done}, d]]}");
    world_run(&world, UINT64_MAX);
    assert_int_equal(world_record(&world)->operations, 4);
    assert_int_equal(world_record(&world)->operation_errors, 2);
    assert_int_equal(world.succeeded, 2);
    assert_int_equal(world.counters.errors[ERROR_UNEXPECTED], 2);
    static const enum result_kind kinds[] = {RESULT_OK, RESULT_UNEXPECTED, RESULT_UNEXPECTED, RESULT_OK};
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++)
        assert_int_equal(events_at(&world_record(&world)->events, i)->kind, kinds[i]);
    uint32_t term = events_at(&world_record(&world)->events, 1)->term;
    assert_true(term_same(terms_get(&world_record(&world)->events.terms, term).tail,
                          term_from_text(&wanted, "{unexpected, ok}")));
    term_build_free(&wanted);
    world_free(&world);
}

static void test_session_down(void **state)
{
    (void)state;
    world_make(&world, "#{target => c, threads => [[$1], [a, $1], [a]]}");
    world.targets[0].is_silent = true;
    world_run(&world, world.begun_ns + MS);
    engine_session_down(world.engine, TERM_LONG(TERM_ATOM("noconnection")));
    assert_true(term_is_atom(term_of(&world_record(&world)->thread_failure.bytes), "noconnection"));
    assert_int_equal(engine_threads_active(world.engine), 2);
    world_free(&world);
}

static void test_customs_out_of_time(void **state)
{
    (void)state;
    world_make_with(&world,
                    "#{target => c, operations => [$1], load => #{rate => 100, duration_ms => 50}, "
                    "timeout_ms => 1050}",
                    2);
    world_begin(&world);
    world_run(&world, UINT64_MAX);
    assert_int_equal(world_errors(&world, "timeout"), 5);
    assert_int_equal(world.over, 1);
    world_free(&world);
}

/* At the end of a closed load those that wait for room never start. */
static void test_customs_that_wait(void **state)
{
    (void)state;
    world_make_with(&world, "#{target => c, operations => [$1], load => #{threads => 4, duration_ms => 50}}",
                    1);
    world_begin(&world);
    world_run(&world, world.begun_ns + 60 * MS);
    assert_int_equal(world.applied_count, 1);
    assert_int_equal(engine_threads_active(world.engine), 1);
    tell(0, 0, "{returned, ok}");
    assert_int_equal(world.over, 1);
    assert_int_equal(world_record(&world)->operations, 1);
    world_free(&world);
}

static void test_strict_sync(void **state)
{
    (void)state;
    struct term_builder reason = {0};
    world_make(&world, "#{target => c, threads => [[{cast, a}]], 'strict_cast_sync?' => true}");
    world.targets[0].is_silent = true;
    world_run(&world, world.begun_ns + MS);
    engine_target_failed(world.engine, 0, TARGET_DIED,
                         TERM_LONG(term_from_text(&reason, "{function_clause, [{m, handle_call, [], []}]}")));
    assert_int_equal(world.applied_count, 1);
    assert_true(world.applied[0].is_strict);
    tell(0, 0, "{raised, error, badarg, []}");
    assert_int_equal(world.over, 1);
    assert_true(world_record(&world)->thread_failure.size > 0);
    term_build_free(&reason);
    world_free(&world);
}

/* --- The end, and what is seen of it --- */

static void test_stop(void **state)
{
    (void)state;
    world_make(&world, "#{target => c, operations => [a], load => #{threads => 3, duration_ms => 1000}}");
    world_run(&world, world.begun_ns + 10 * MS);
    uint64_t operations = world_record(&world)->operations;
    size_t sent = world.sent_count;
    engine_stop(world.engine);
    world_run(&world, world.begun_ns + 100 * MS);
    engine_target_failed(world.engine, 0, TARGET_DIED, TERM_LONG(TERM_ATOM("killed")));
    engine_work(world.engine);
    loop_finish(&world.loop);
    assert_false(engine_is_on(world.engine));
    assert_int_equal(world.over, 0);
    assert_int_equal(world_record(&world)->operations, operations);
    assert_int_equal(world.sent_count, sent);
    assert_int_equal(world_record(&world)->ended_ns - world.begun_ns, 10 * MS);
    world_free(&world);
}

static void test_seconds(void **state)
{
    (void)state;
    world_make(&world, "#{target => c, operations => [a], warmup_ms => 2000, "
                       "load => #{rate => 10, duration_ms => 10000}}");
    world_run(&world, world.begun_ns + 1900 * MS);
    assert_int_equal(world.seconds, 0);
    world_run(&world, world.begun_ns + 5900 * MS);
    assert_in_range(world.seconds, 3, 4);
    world.stops_at_second = true;
    world_run(&world, UINT64_MAX);
    assert_in_range(world_record(&world)->ended_ns - world.begun_ns, 6000 * MS, 7200 * MS);
    assert_int_equal(world.over, 0);
    world_free(&world);
}

static void test_timeline_and_recent(void **state)
{
    (void)state;
    struct load_recent recent;
    struct term_builder built = {0};
    struct term_list list;
    world_make_with(&world, "#{target => c, operations => [a], load => #{rate => 100, duration_ms => 1000}}",
                    1);
    engine_mark(world.engine, world.now_ns, TERM_ATOM("before")); /* there is no timeline yet */
    engine_gauge(world.engine, TIMELINE_MAILBOX, 4);
    engine_build_timeline(world.engine, world.now_ns, &built);
    assert_true(term_list_start(&list, term_built(&built)));
    assert_int_equal(list.count, 0);
    term_build_reset(&built);
    world_begin(&world);
    engine_observe(world.engine, true);
    world_run(&world, world.begun_ns + 500 * MS);
    engine_gauge(world.engine, TIMELINE_MAILBOX, 4);
    engine_mark(world.engine, world.now_ns, TERM_ATOM("now"));
    engine_take_recent(world.engine, &recent);
    assert_in_range(recent.count, 49, 50);
    assert_int_equal(recent.max_us, 1000);
    engine_take_recent(world.engine, &recent);
    assert_int_equal(recent.count, 0);
    engine_observe(world.engine, false);
    world_run(&world, UINT64_MAX);
    engine_take_recent(world.engine, &recent);
    assert_int_equal(recent.count, 0);
    engine_build_timeline(world.engine, world.now_ns, &built);
    assert_true(term_list_start(&list, term_built(&built)));
    assert_in_range(list.count, 10, 11);
    term_build_free(&built);
    world_free(&world);
}

static void test_copied_events(void **state)
{
    (void)state;
    struct events_copy copy;
    world_make(
        &world,
        "#{target => c, operations => [a], load => #{threads => 1, duration_ms => 100}, events => all}");
    world_run(&world, world.begun_ns + 50 * MS);
    events_copy_begin(&copy, engine_events(world.engine));
    size_t count = copy.events.count;
    world_run(&world, UINT64_MAX);
    assert_true(events_copy_go_on(&copy, SIZE_MAX));
    assert_int_equal(copy.events.count, count);
    assert_true(EVENTS > count);
    events_copy_free(&copy, &world.loop);
    world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scripts),
        cmocka_unit_test(test_casts_and_messages),
        cmocka_unit_test(test_long_messages),
        cmocka_unit_test(test_threads_out_of_time),
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_answers_of_others),
        cmocka_unit_test(test_iterations),
        cmocka_unit_test(test_duration),
        cmocka_unit_test(test_thinking),
        cmocka_unit_test(test_stages_of_threads),
        cmocka_unit_test(test_ramp_of_threads),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_backlog),
        cmocka_unit_test(test_open_load_out_of_time),
        cmocka_unit_test(test_sleeps_out_of_time),
        cmocka_unit_test(test_mix_is_repeatable),
        cmocka_unit_test(test_spreads),
        cmocka_unit_test(test_another_spread),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_node_away),
        cmocka_unit_test(test_died_while_called),
        cmocka_unit_test(test_looking_again),
        cmocka_unit_test(test_lost_with_a_cast),
        cmocka_unit_test(test_congestion),
        cmocka_unit_test(test_missing_sync),
        cmocka_unit_test(test_long_reason),
        cmocka_unit_test(test_reasons_one_after_the_other),
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_failures_take_turns),
        cmocka_unit_test(test_customs),
        cmocka_unit_test(test_customs_of_nobody),
        cmocka_unit_test(test_customs_of_a_load),
        cmocka_unit_test(test_customs_of_threads_that_are_set_up),
        cmocka_unit_test(test_customs_of_threads_that_cannot_be_set_up),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_replies_that_are_not_expected),
        cmocka_unit_test(test_session_down),
        cmocka_unit_test(test_customs_out_of_time),
        cmocka_unit_test(test_customs_that_wait),
        cmocka_unit_test(test_strict_sync),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_seconds),
        cmocka_unit_test(test_timeline_and_recent),
        cmocka_unit_test(test_copied_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
