/* Suites: runs of runs. */
#include "registry_world.h"

static struct world world;
static size_t cancels;

static void on_cancel(void *owner)
{
    assert_ptr_equal(owner, &world);
    cancels++;
}

static struct term_builder caller;

static const char *busy;

/* 0 when it is refused. */
static uint64_t open_suite(bool is_callers)
{
    uint64_t id = 0;
    struct runs_suite suite = {.by = "run_chaos_suite",
                               .caller = node_other_pid(&caller, 7),
                               .is_callers = is_callers,
                               .target = TERM_ATOM("a_target"),
                               .cancel = on_cancel,
                               .owner = &world};
    cancels = 0;
    return runs_open_suite(world.runs, &suite, &id, &busy) ? id : 0;
}

static void end_suite(uint64_t id, enum outcome outcome, const char *result)
{
    struct term_builder built = {0};
    (void)term_from_text(&built, result);
    runs_end_suite(world.runs, id, outcome, blob_take(&built.bytes, NULL));
    world_settle(&world);
}

static uint64_t start_member(uint64_t suite)
{
    struct runs_request request = world_request(&world, 1);
    request.suite = suite;
    request.begun = NULL;
    return world_ask(&world, &request);
}

static uint64_t finish_member(uint64_t suite, const char *outcome)
{
    uint64_t id = start_member(suite);
    assert_true(id);
    world_run(&world, id)->figures.operations = 3;
    runner_end(world_run(&world, id), outcome, "{ok, #{a => report}}", NULL);
    world_settle(&world);
    return id;
}

static void expect_listed(const uint64_t *ids, size_t count)
{
    struct term_builder builder = {0};
    struct term_list list;
    struct term one, id;
    int64_t number;
    runs_build_list(world.runs, 100, UINT64_MAX, &builder);
    assert_true(term_list_start(&list, term_built(&builder)));
    assert_int_equal(list.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_true(term_list_next(&list, &one) && term_pairs_get(one, "run_id", &id) &&
                    term_read_integer(id, &number));
        assert_int_equal(number, ids[i]);
    }
    term_build_free(&builder);
}

static size_t count_members(uint64_t id)
{
    struct term_list list;
    struct term members = world_status(&world, id, "members");
    if (term_is_atom(members, "nil"))
        return 0;
    assert_true(term_list_start(&list, members));
    return list.count;
}

static void test_one(void **state)
{
    (void)state;
    world_make(&world);
    uint64_t other = world_finish_one(&world), suite = open_suite(false);
    world_expect_phase(&world, suite, RUN_PHASE_SUITE);
    world_expect_status(&world, suite, "state", "suite");
    world_expect_status(&world, suite, "members", "nil");
    uint64_t first = finish_member(suite, "completed"), second = start_member(suite);
    assert_int_equal(runs_count(world.runs, RUN_PHASE_RUNNING), 1);
    assert_int_equal(runs_count(world.runs, RUN_PHASE_SUITE), 1);
    expect_listed((uint64_t[]){suite, other}, 2);
    assert_int_equal(count_members(suite), 2);
    world_end(&world, second);
    world_settle(&world);
    end_suite(suite, OUTCOME_FAILED, "{ok, #{failed => 1}}");
    assert_int_equal(runs_count(world.runs, RUN_PHASE_SUITE), 0);
    world_restart(&world);
    expect_listed((uint64_t[]){suite, other}, 2);
    world_expect_status(&world, suite, "outcome", "failed");
    world_expect_status(&world, suite, "operations", "3");
    assert_int_equal(count_members(suite), 2);
    world_expect_phase(&world, first, RUN_PHASE_FINISHED);
    runs_delete(world.runs, suite);
    world_expect_phase(&world, first, RUN_PHASE_NONE);
    world_expect_phase(&world, second, RUN_PHASE_NONE);
    expect_listed((uint64_t[]){other}, 1);
    world_free(&world);
}

static void test_cancelling(void **state)
{
    (void)state;
    struct world_wait wait;
    world_make(&world);
    uint64_t suite = open_suite(false);
    assert_true(world_wait(&world, suite, &wait, RUN_WAIT_RESULT));
    runs_cancel(world.runs, suite);
    runs_cancel(world.runs, suite);
    assert_int_equal(cancels, 1);
    world_expect_status(&world, suite, "cancelled", "true");
    end_suite(suite, OUTCOME_CANCELLED, "{error, {cancelled, #{failed => 1}}}");
    world_expect_answer(&wait, "{error, {cancelled, #{failed => 1}}}");
    world_expect_status(&world, suite, "outcome", "cancelled");
    world_free(&world);
}

/* The caller's end is the suite's, however many members there were; those are not watched for themselves. */
static void test_caller(void **state)
{
    (void)state;
    world_make(&world);
    uint64_t suite = open_suite(true);
    struct runs_request request = world_request(&world, 1);
    request.suite = suite;
    request.is_callers = true;
    request.caller = node_other_pid(&caller, 7);
    assert_true(world_ask(&world, &request));
    assert_int_equal(world.node.monitor_count, 1);
    node_ends(&world.node, node_other_pid(&caller, 7));
    assert_int_equal(cancels, 1);
    end_suite(suite, OUTCOME_CANCELLED, "{error, {cancelled, #{}}}");
    world.node.peers[1].is_up = false;
    suite = open_suite(true);
    assert_int_equal(cancels, 1);
    end_suite(suite, OUTCOME_CANCELLED, "{error, {cancelled, #{}}}");
    world_free(&world);
}

/* However many members there are, the reports of so many are kept, and rather those that did not complete. */
static void test_many_members(void **state)
{
    (void)state;
    world_prepare(&world);
    world.has_no_folder = true;
    world_open(&world);
    uint64_t suite = open_suite(false);
    uint64_t failed = finish_member(suite, "failed"), completed = finish_member(suite, "completed");
    for (size_t i = 0; i < RUNS_MEMBERS + 20; i++)
        finish_member(suite, "completed");
    assert_int_equal(count_members(suite), RUNS_MEMBERS);
    world_expect_phase(&world, failed, RUN_PHASE_FINISHED);
    world_expect_phase(&world, completed, RUN_PHASE_NONE);
    end_suite(suite, OUTCOME_COMPLETED, "{ok, #{}}");
    world_free(&world);
}

/* Those that have ended make room. */
static void test_limit(void **state)
{
    (void)state;
    world_make(&world);
    uint64_t first = open_suite(false);
    assert_int_not_equal(open_suite(false), 0);
    assert_int_equal(open_suite(false), 0);
    assert_string_equal(busy, "suites");
    end_suite(first, OUTCOME_COMPLETED, "{ok, []}");
    assert_int_not_equal(open_suite(false), 0);
    world_free(&world);
}

/* A daemon that is killed in the midst of one finds it again, with its members. */
static void test_interrupted(void **state)
{
    (void)state;
    world_make(&world);
    uint64_t suite = open_suite(false), member = finish_member(suite, "completed");
    world_restart(&world);
    world_expect_phase(&world, suite, RUN_PHASE_INTERRUPTED);
    assert_int_equal(count_members(suite), 1);
    expect_listed((uint64_t[]){suite}, 1);
    runs_stop(world.runs);
    assert_int_equal(open_suite(false), 0);
    assert_string_equal(busy, "stopping");
    runs_delete(world.runs, suite);
    world_expect_phase(&world, member, RUN_PHASE_NONE);
    world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one),         cmocka_unit_test(test_cancelling),
        cmocka_unit_test(test_caller),      cmocka_unit_test(test_many_members),
        cmocka_unit_test(test_interrupted), cmocka_unit_test(test_limit),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    term_build_free(&caller);
    return failed;
}
