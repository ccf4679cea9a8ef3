/* Nothing that has begun is lost, whatever happens: over random loads with random failures, ends and customs
 * all counts agree, at any time. */
#include "load_world.h"

#include "base/random.h"
#include "engine_private.h"

#define RUNS 400
#define STEP_NS (7 * MS)
#define STEPS 40

static struct world world;
static struct random chance;
static bool session_is_lost; /* customs that were under way then have no end */

static bool one_in(uint64_t many)
{
    return random_below(&chance, many) == 0;
}

static uint64_t between(uint64_t low, uint64_t high)
{
    return low + random_below(&chance, high - low + 1);
}

/* --- What is made up --- */

static void write_operations(struct buffer *text, bool may_sleep)
{
    static const char *const operations[] = {"a",
                                             "{call, b}",
                                             "{cast, c}",
                                             "{'$cast', d}",
                                             "{'$send', e}",
                                             "$1",
                                             "#{op => f, name => n, expect => ok}",
                                             "#{op => g, name => n, expect => never}",
                                             "#{op => {cast, h}, expect => never}",
                                             "#{op => $2, name => m, expect => ok}",
                                             "{'$sleep', 3}"};
    size_t count = between(1, 5);
    for (size_t i = 0; i < count; i++)
        buffer_print(text, "%s%s", i ? ", " : "",
                     operations[random_below(&chance, ARRAY_LENGTH(operations) - !may_sleep)]);
}

static void write_load(struct buffer *text)
{
    switch (random_below(&chance, 3)) {
    case 0:
        buffer_print(text, "#{threads => %llu, iterations => %llu}", (unsigned long long)between(1, 6),
                     (unsigned long long)between(1, 30));
        break;
    case 1:
        buffer_print(text, "#{threads => %llu, duration_ms => %llu, think_ms => %llu}",
                     (unsigned long long)between(1, 6), (unsigned long long)between(1, 200),
                     (unsigned long long)between(1, 5));
        break;
    default:
        buffer_print(text, "#{rate => %llu, duration_ms => %llu, max_in_flight => %llu, max_queued => %llu}",
                     (unsigned long long)between(1, 900), (unsigned long long)between(1, 200),
                     (unsigned long long)between(1, 5), (unsigned long long)between(0, 10));
    }
}

static void write_scenario(struct buffer *text)
{
    bool scripts = one_in(3);
    buffer_print(text, "#{target => [c, d], events => all, call_timeout_ms => %llu, ",
                 (unsigned long long)between(2, 40));
    if (scripts) {
        size_t threads = between(1, 5);
        buffer_print(text, "timeout_ms => %llu, threads => [", (unsigned long long)between(20, 400));
        for (size_t i = 0; i < threads; i++) {
            buffer_print(text, i ? ", [" : "[");
            write_operations(text, true);
            buffer_print(text, "]");
        }
        buffer_print(text, "]}");
    } else {
        buffer_print(text, "operations => [");
        write_operations(text, true);
        buffer_print(text, "], load => ");
        write_load(text);
        buffer_print(text, "}");
    }
    buffer_append(text, "", 1);
}

/* --- What happens --- */

static void happen_to_target(uint64_t what)
{
    struct world_target *target = &world.targets[random_below(&chance, 2)];
    size_t number = (size_t)(target - world.targets);
    switch (what) {
    case 0:
        target->is_silent = !target->is_silent;
        break;
    case 1:
        target->is_away = !target->is_away;
        target->away = (enum target_failure)random_below(&chance, 2);
        break;
    case 2:
        target->is_congested = !target->is_congested;
        if (!target->is_congested && target->is_open)
            engine_target_open(world.engine, number);
        break;
    default:
        target->is_open = false;
        engine_target_failed(world.engine, number, (enum target_failure)random_below(&chance, 3),
                             TERM_LONG(TERM_ATOM("killed")));
    }
}

static void happen_to_customs(void)
{
    static const char *const outcomes[] = {"{returned, ok}",
                                           "{raised, error, badarg, []}",
                                           "{raised, exit, {timeout, call}, []}",
                                           "{raised, throw, ball, []}",
                                           "{exited, killed}",
                                           "{thread_setup_failed, timeout, []}",
                                           "set_up"};
    for (size_t i = 0; i < world.applied_count; i++) {
        struct term_builder outcome = {0};
        if (one_in(2))
            engine_custom_done(
                world.engine, world.applied[i].thread, (int64_t)world.applied[i].step,
                TERM_LONG(term_from_text(&outcome, outcomes[random_below(&chance, ARRAY_LENGTH(outcomes))])),
                world_arrived(&world));
        term_build_free(&outcome);
    }
}

static void happen(void)
{
    if (one_in(4))
        happen_to_target(random_below(&chance, 5));
    happen_to_customs();
    if (one_in(20)) {
        static const uint32_t spreads[][2] = {{0, 1}, {1, 0}, {0, 0}, {1, 1}};
        engine_spread(world.engine, spreads[random_below(&chance, ARRAY_LENGTH(spreads))], between(1, 2), 2);
    }
    if (one_in(60)) {
        engine_session_down(world.engine, TERM_LONG(TERM_ATOM("noconnection")));
        session_is_lost = true;
    }
    if (one_in(60))
        engine_stop(world.engine);
}

/* --- What has to agree --- */

static uint64_t events_that_count(uint64_t *failed)
{
    const struct events *events = &world_record(&world)->events;
    uint64_t count = 0;
    *failed = 0;
    for (size_t i = 0; i < events->count; i++) {
        const struct event *event = events_at(events, i);
        if (world.scenario->operations[event->operation].kind == OPERATION_SLEEP)
            continue;
        count++;
        *failed += event->kind != RESULT_OK;
    }
    return count;
}

static void expect_threads_agree(void)
{
    uint64_t operations = 0, errors = 0;
    for (size_t i = 0; i < world.scenario->thread_count; i++) {
        operations += engine_thread(world.engine, i).operations;
        errors += engine_thread(world.engine, i).errors;
    }
    assert_int_equal(operations, world_record(&world)->operations);
    assert_int_equal(errors, world_record(&world)->operation_errors);
}

static void expect_timeline_agrees(void)
{
    const struct load_record *record = world_record(&world);
    uint64_t operations = 0, dropped = 0, errors = 0;
    for (size_t i = 0; i < record->timeline.count; i++) {
        const struct timeline_interval *interval = &record->timeline.intervals[i];
        operations += interval->operations;
        dropped += interval->dropped;
        for (size_t reason = 0; interval->errors && reason <= ERRORS_REASONS; reason++)
            errors += interval->errors[reason];
    }
    assert_int_equal(operations, record->operations);
    assert_int_equal(dropped, record->dropped);
    assert_int_equal(errors, record->operation_errors);
}

/* Of those that somebody answers, each has one response time, among the good or among the failed. */
static void expect_latencies_agree(void)
{
    const struct load_record *record = world_record(&world);
    uint64_t times = 0, untold = 0, answered = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(record->latencies.items); i++) {
        const struct latency *latency = record->latencies.items[i];
        if (!latency)
            continue;
        assert_in_range(latency->service.count, 0, latency->response.count);
        untold += latency->response.count - latency->service.count;
        times += latency->response.count + latency->failed.count;
    }
    for (size_t i = 0; i < record->events.count; i++)
        answered +=
            operation_is_answered(world.scenario->operations[events_at(&record->events, i)->operation].kind);
    assert_int_equal(untold, record->latencies.excluded);
    assert_int_equal(times, answered);
}

/* Of those with a name as many as there are events. */
static void expect_names_agree(void)
{
    const struct events *events = &world_record(&world)->events;
    uint64_t operations = 0, errors = 0;
    for (size_t i = 0; i < events->count; i++) {
        const struct event *event = events_at(events, i);
        if (!world.scenario->operations[event->operation].name.data)
            continue;
        operations++;
        errors += event->kind != RESULT_OK;
    }
    for (size_t i = 0; i < world.counters.named_count; i++) {
        operations -= world.counters.named[i]->operations;
        errors -= world.counters.named[i]->errors;
    }
    assert_int_equal(operations, 0);
    assert_int_equal(errors, 0);
}

static void expect_all_agree(void)
{
    const struct load_record *record = world_record(&world);
    const struct engine *engine = world.engine;
    uint64_t failed = 0;
    if (engine_is_on(engine) && !session_is_lost)
        assert_int_equal(load_unfinished(record), engine_in_flight(engine) + engine->custom_waiting);
    assert_true(record->begun >= record->operations);
    assert_int_equal(events_that_count(&failed), record->operations);
    assert_int_equal(failed, record->operation_errors);
    assert_int_equal(record->errors.total, record->operation_errors);
    assert_int_equal(world.counters.operations, record->operations);
    assert_int_equal(counters_all_errors(&world.counters), record->operation_errors);
    assert_int_equal(world.counters.dropped, record->dropped);
    assert_int_equal(world.succeeded + world.failed, record->operations);
    assert_int_equal(world.failed, record->operation_errors);
    expect_threads_agree();
    expect_timeline_agrees();
    expect_latencies_agree();
    expect_names_agree();
}

static void test_conservation(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < RUNS; seed++) {
        struct buffer text = {0};
        random_seed(&chance, seed);
        write_scenario(&text);
        world_make_with(&world, (const char *)buffer_bytes(&text), between(1, 4));
        world_begin(&world);
        session_is_lost = false;
        for (size_t step = 1; step <= STEPS && engine_is_on(world.engine); step++) {
            world_run(&world, world.begun_ns + step * STEP_NS);
            expect_all_agree();
            happen();
            expect_all_agree();
        }
        world_run(&world, UINT64_MAX);
        expect_all_agree();
        assert_false(engine_is_on(world.engine));
        world_free(&world);
        buffer_free(&text);
    }
}

static uint64_t arrivals_of_the_load(void)
{
    struct arrivals arrivals;
    uint64_t count = 0, at_ns;
    arrivals_init(&arrivals, &world.scenario->load, 7);
    while (arrivals_next(&arrivals, &at_ns))
        count++;
    return count;
}

/* Of an open load each arrival is one that has begun or was dropped, when nobody stops it. */
static void test_arrivals(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < RUNS; seed++) {
        struct buffer text = {0};
        random_seed(&chance, seed);
        uint64_t rate = between(1, 20) * 50, duration_ms = between(1, 10) * 20;
        buffer_print(&text, "#{target => [c, d], call_timeout_ms => 20, operations => [");
        write_operations(&text, false);
        buffer_print(&text,
                     "], load => #{rate => %llu, duration_ms => %llu, max_in_flight => 2, max_queued => 3}}",
                     (unsigned long long)rate, (unsigned long long)duration_ms);
        buffer_append(&text, "", 1);
        world_make_with(&world, (const char *)buffer_bytes(&text), 2);
        world_begin(&world);
        for (size_t step = 1; step <= STEPS && engine_is_on(world.engine); step++) {
            world_run(&world, world.begun_ns + step * STEP_NS);
            happen_to_target(random_below(&chance, 5));
            happen_to_customs();
        }
        world_run(&world, UINT64_MAX);
        const struct load_record *record = world_record(&world);
        assert_int_equal(record->begun + record->dropped, arrivals_of_the_load());
        assert_int_equal(load_unfinished(record), 0); /* what is under way at its end has timed out */
        world_free(&world);
        buffer_free(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conservation),
        cmocka_unit_test(test_arrivals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
