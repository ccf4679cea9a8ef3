/* What is told of a run in each of its phases, and the list of all. */
#include "registry_world.h"

static struct world world;

static bool is_time(const char *key, uint64_t id)
{
    struct term time = world_status(&world, id, key);
    const uint8_t *text;
    size_t size;
    return term_read_binary(time, &text, &size) && size == strlen("2026-01-31T12:00:00Z") &&
           text[10] == 'T' && text[size - 1] == 'Z';
}

static int64_t number(const char *key, uint64_t id)
{
    int64_t value;
    assert_true(term_read_integer(world_status(&world, id, key), &value));
    return value;
}

static void test_queued(void **state)
{
    (void)state;
    world_make(&world);
    world_start(&world, 60);
    uint64_t first = world_start(&world, 50), second = world_start(&world, 10);
    world_expect_status(&world, second, "state", "queued");
    world_expect_status(&world, second, "outcome", "nil");
    world_expect_status(&world, first, "runs_before", "0");
    world_expect_status(&world, second, "runs_before", "1");
    world_expect_status(&world, second, "waits_for", "threads"); /* of the first */
    world_expect_status(&world, second, "threads", "10");
    world_expect_status(&world, second, "started_at", "nil");
    world_expect_status(&world, second, "left_ms", "nil");
    world_expect_status(&world, second, "stored", "nil");
    assert_true(is_time("accepted_at", second));
    world_free(&world);
}

/* Room was made, and those that wait start at the end of the pass. */
static void test_queued_with_room(void **state)
{
    (void)state;
    world_make(&world);
    uint64_t running = world_start(&world, 60), waits = world_start(&world, 50);
    runner_end(world_run(&world, running), "completed", WORLD_REPORT, NULL);
    world_expect_status(&world, waits, "waits_for", "runs");
    world_free(&world);
}

/* The time that it has waited counts until it starts, and no longer. */
static void test_elapsed(void **state)
{
    (void)state;
    world_make(&world);
    uint64_t first = world_start(&world, 100), second = world_start(&world, 100);
    while (number("elapsed_ms", second) < 20)
        ; /* it is the clock that is waited for */
    const uint64_t before_ns = clock_ns();
    world_end(&world, first);
    int64_t elapsed_ms = number("elapsed_ms", second);
    assert_true(elapsed_ms <= (int64_t)((clock_ns() - before_ns) / CLOCK_NS_PER_MS));
    world_free(&world);
}

static void test_running(void **state)
{
    (void)state;
    world_make(&world);
    struct runs_request request = world_request(&world, 4);
    struct term_builder caller = {0};
    request.by = "run_with_performance";
    request.name = "nightly";
    request.caller = term_from_text(&caller, "$p");
    request.scenario->load.stages = memory_zalloc(1, sizeof(struct plan_stage));
    request.scenario->load.stages[0].duration_ms = 5000;
    request.scenario->load.stage_count = 1;
    uint64_t id = world_ask(&world, &request);
    struct run_figures *figures = &world_run(&world, id)->figures;
    *figures = (struct run_figures){.state = RUN_LOAD,
                                    .operations = 11,
                                    .operation_errors = 2,
                                    .dropped = 3,
                                    .in_flight = 4,
                                    .load_ns = 1500 * CLOCK_NS_PER_MS};
    world_expect_status(&world, id, "state", "load");
    world_expect_status(&world, id, "by", "run_with_performance");
    world_expect_status(&world, id, "name", "<<\"nightly\">>");
    world_expect_status(&world, id, "caller", "$p");
    world_expect_status(&world, id, "target", "a_target");
    world_expect_status(&world, id, "metadata", "#{}");
    world_expect_status(&world, id, "operations", "11");
    world_expect_status(&world, id, "operation_errors", "2");
    world_expect_status(&world, id, "dropped", "3");
    world_expect_status(&world, id, "in_flight", "4");
    world_expect_status(&world, id, "planned_ms", "5000");
    world_expect_status(&world, id, "left_ms", "3500");
    world_expect_status(&world, id, "waits_for", "nil");
    world_expect_status(&world, id, "runs_before", "nil");
    world_expect_status(&world, id, "ended_at", "nil");
    assert_true(is_time("started_at", id));
    figures->load_ns = 9000 * CLOCK_NS_PER_MS; /* longer than was planned */
    world_expect_status(&world, id, "left_ms", "0");
    figures->state = RUN_RESOLVING;
    figures->load_ns = 0;
    world_expect_status(&world, id, "state", "resolving");
    world_expect_status(&world, id, "left_ms", "5000");
    figures->state = RUN_REPORTING;
    world_expect_status(&world, id, "left_ms", "nil");
    term_build_free(&caller);
    world_free(&world);
}

/* How long only its iterations say. */
static void test_running_for_an_unknown_time(void **state)
{
    (void)state;
    world_make(&world);
    uint64_t id = world_start(&world, 1);
    world_expect_status(&world, id, "state", "load");
    world_expect_status(&world, id, "left_ms", "nil");
    world_expect_status(&world, id, "planned_ms", "nil");
    world_expect_status(&world, id, "caller", "nil");
    world_expect_status(&world, id, "name", "nil");
    world_free(&world);
}

static void test_ended(void **state)
{
    (void)state;
    world_make(&world);
    uint64_t id = world_start(&world, 1);
    world_run(&world, id)->figures.operations = 23;
    runner_end(world_run(&world, id), "failed", "{error, {nodedown, a@x}}", NULL);
    world_expect_status(&world, id, "state", "storing");
    world_expect_status(&world, id, "stored", "nil");
    world_expect_status(&world, id, "outcome", "failed");
    assert_true(is_time("ended_at", id));
    int64_t elapsed_ms = number("elapsed_ms", id);
    world_settle(&world);
    world_expect_status(&world, id, "state", "finished");
    world_expect_status(&world, id, "stored", "disk");
    world_expect_status(&world, id, "outcome", "failed");
    world_expect_status(&world, id, "reason", "<<\"{nodedown,a@x}\">>");
    world_expect_status(&world, id, "operations", "23");
    world_expect_status(&world, id, "cancelled", "false");
    assert_int_equal(number("elapsed_ms", id), elapsed_ms);
    assert_true(number("report_bytes", id) > 0);
    assert_true(is_time("accepted_at", id) && is_time("started_at", id) && is_time("ended_at", id));
    world_free(&world);
}

static void test_unknown(void **state)
{
    (void)state;
    world_make(&world);
    uint64_t id = world_start(&world, 1);
    assert_false(runs_build_status(world.runs, id + 1, &world.status));
    assert_int_equal(world.status.bytes.size, 0);
    assert_false(runs_has_begun(world.runs, id + 1));
    world_expect_phase(&world, id + 1, RUN_PHASE_NONE);
    world_free(&world);
}

/* What is long is told as text, cut short. */
static void test_long_terms(void **state)
{
    (void)state;
    static char text[5000];
    struct term_builder builder = {0};
    const uint8_t *data;
    size_t size;
    memset(text, 'x', sizeof(text));
    term_build_binary(&builder, text, sizeof(text));
    world_make(&world);
    struct runs_request request = world_request(&world, 1);
    request.scenario->target = request.scenario->metadata = term_built(&builder);
    uint64_t id = world_ask(&world, &request);
    assert_true(term_read_binary(world_status(&world, id, "target"), &data, &size) && size < 1000);
    assert_true(term_read_binary(world_status(&world, id, "metadata"), &data, &size) && size < 1000);
    world_end(&world, id);
    term_build_free(&builder);
    world_free(&world);
}

/* A setup gives the target later. */
static void test_no_target(void **state)
{
    (void)state;
    world_make(&world);
    struct runs_request request = world_request(&world, 1);
    request.scenario->target = (struct term){.data = NULL};
    uint64_t id = world_ask(&world, &request);
    world_expect_status(&world, id, "target", "nil");
    world_end(&world, id);
    world_free(&world);
}

/* --- The list --- */

/* The ids in it are these. */
static void expect_list(size_t most, uint64_t before, size_t count, const uint64_t *ids)
{
    struct term_builder builder = {0};
    struct term_list list;
    struct term run, id;
    int64_t value;
    runs_build_list(world.runs, most, before, &builder);
    assert_true(term_list_start(&list, term_built(&builder)));
    assert_int_equal(list.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_true(term_list_next(&list, &run) && term_pairs_get(run, "run_id", &id));
        assert_true(term_read_integer(id, &value));
        assert_int_equal(value, ids[i]);
    }
    assert_false(term_list_next(&list, &run));
    assert_true(term_list_proper(&list));
    term_build_free(&builder);
}

static void test_list(void **state)
{
    (void)state;
    world_make(&world);
    expect_list(10, UINT64_MAX, 0, NULL);
    uint64_t finished = world_finish_one(&world), storing = world_start(&world, 1);
    uint64_t running = world_start(&world, 100), queued = world_start(&world, 100);
    world_end(&world, storing);
    const uint64_t all[] = {queued, running, storing, finished};
    expect_list(10, UINT64_MAX, 4, all);
    expect_list(4, UINT64_MAX, 4, all);
    expect_list(3, UINT64_MAX, 3, all);
    expect_list(0, UINT64_MAX, 0, NULL);
    expect_list(10, running, 2, &all[2]);
    expect_list(1, running + 1, 1, &all[1]);
    expect_list(10, finished, 0, NULL);
    world_restart(&world);
    expect_list(10, UINT64_MAX, 4, all); /* of an earlier daemon as well */
    world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queued),
        cmocka_unit_test(test_queued_with_room),
        cmocka_unit_test(test_elapsed),
        cmocka_unit_test(test_running),
        cmocka_unit_test(test_running_for_an_unknown_time),
        cmocka_unit_test(test_ended),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_long_terms),
        cmocka_unit_test(test_no_target),
        cmocka_unit_test(test_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
