/* Runs from when they are asked for until they have ended: room, the queue, cancelling, callers. */
#include "registry_world.h"

#include "run_entry_private.h"

static struct world world;

/* --- Starting --- */

static void test_start(void **state)
{
    (void)state;
    world_make(&world);
    struct runs_request request = world_request(&world, 3);
    struct term_builder leader = {0}, caller = {0};
    request.group_leader = term_from_text(&leader, "$p");
    request.caller = term_from_text(&caller, "$p");
    uint64_t id = world_ask(&world, &request);
    const struct run_request *started = &world_run(&world, id)->request;
    assert_ptr_equal(started->scenario, request.scenario);
    assert_string_equal(started->by, "start");
    assert_false(started->cancelled);
    assert_null(started->caller.data); /* it is not the caller's run */
    expect_term(started->requester, "$p");
    expect_term(started->group_leader, "$p");
    assert_null(started->expectations);
    world_expect_phase(&world, id, RUN_PHASE_RUNNING);
    assert_int_equal(runs_count(world.runs, RUN_PHASE_RUNNING), 1);
    assert_true(runs_busy(world.runs) && runs_has_begun(world.runs, id));
    assert_int_equal(world.begun_count, 0); /* not from within */
    WORLD_UNTIL(&world, world.begun_count)
        ;
    assert_int_equal(world.begun[0], id);
    term_build_free(&leader);
    term_build_free(&caller);
    world_free(&world);
    assert_int_equal(world.begun_count, 1);
}

static void test_end(void **state)
{
    (void)state;
    world_make(&world);
    uint64_t id = world_start(&world, 1);
    world_end(&world, id);
    world_expect_phase(&world, id, RUN_PHASE_STORING);
    assert_int_equal(runs_count(world.runs, RUN_PHASE_RUNNING), 0);
    assert_int_equal(runs_count(world.runs, RUN_PHASE_STORING), 1);
    assert_true(runs_busy(world.runs));
    world_settle(&world);
    world_expect_phase(&world, id, RUN_PHASE_FINISHED);
    assert_int_equal(runs_count(world.runs, RUN_PHASE_STORING), 0);
    assert_int_equal(world.begun_count, 1); /* before its end was told, if not earlier */
    assert_false(runs_busy(world.runs));
    assert_false(runs_has_begun(world.runs, id));
    world_free(&world);
}

static void test_ids(void **state)
{
    (void)state;
    world_make(&world);
    uint64_t first = world_finish_one(&world), second = world_finish_one(&world);
    assert_true(second > first);
    world_restart(&world);
    assert_true(world_finish_one(&world) > second);
    world_expect_phase(&world, second + 1000000000000, RUN_PHASE_NONE);
    world_free(&world);
}

static void test_ids_of_one_moment(void **state)
{
    (void)state;
    world_make(&world);
    uint64_t ids[5];
    for (size_t i = 0; i < ARRAY_LENGTH(ids); i++)
        ids[i] = world_start(&world, 1);
    for (size_t i = 1; i < ARRAY_LENGTH(ids); i++)
        assert_true(ids[i] > ids[i - 1]);
    world_free(&world);
}

static void test_expectations(void **state)
{
    (void)state;
    struct term_builder expectations = {0};
    world_make(&world);
    struct runs_request request = world_request(&world, 1);
    request.expectations = term_from_text(&expectations, "[{max_time_ms, 77}]");
    uint64_t id = world_ask(&world, &request);
    term_build_free(&expectations); /* it was borrowed */
    const struct expectations *kept = world_run(&world, id)->request.expectations;
    assert_non_null(kept);
    assert_int_equal(kept->count, 1);
    world_end(&world, id);
    world_free(&world);
}

/* --- Room and the queue --- */

static void test_queue(void **state)
{
    (void)state;
    world_make(&world);
    uint64_t first = world_start(&world, 1), second = world_start(&world, 1);
    uint64_t third = world_start(&world, 1), fourth = world_start(&world, 1);
    assert_int_equal(world.runner.started, 2);
    world_expect_phase(&world, third, RUN_PHASE_QUEUED);
    assert_int_equal(runs_count(world.runs, RUN_PHASE_QUEUED), 2);
    assert_false(runs_has_begun(world.runs, third));
    WORLD_UNTIL(&world, world.begun_count == 4)
        ; /* those that wait are on disk as well */
    runner_end(world_run(&world, second), "completed", WORLD_REPORT, NULL);
    world_expect_phase(&world, third, RUN_PHASE_QUEUED); /* the one that ends is still being left */
    loop_finish(&world.loop);
    world_expect_phase(&world, third, RUN_PHASE_RUNNING);
    world_expect_phase(&world, fourth, RUN_PHASE_QUEUED);
    world_end(&world, first);
    world_expect_phase(&world, fourth, RUN_PHASE_RUNNING);
    assert_int_equal(world.runner.started, 4);
    world_free(&world);
}

/* One that would have room waits behind one that has none. */
static void test_no_overtaking(void **state)
{
    (void)state;
    world_make(&world);
    uint64_t large = world_start(&world, 60), larger = world_start(&world, 50);
    uint64_t small = world_start(&world, 1);
    world_expect_phase(&world, larger, RUN_PHASE_QUEUED);
    world_expect_phase(&world, small, RUN_PHASE_QUEUED);
    world_expect_status(&world, larger, "waits_for", "threads");
    world_end(&world, large);
    world_expect_phase(&world, larger, RUN_PHASE_RUNNING);
    world_expect_phase(&world, small, RUN_PHASE_RUNNING);
    world_free(&world);
}

/* Several start when one that was large has ended. */
static void test_room_for_several(void **state)
{
    (void)state;
    world_prepare(&world);
    world.limits.room.amounts[ROOM_RUNS] = 10;
    world_open(&world);
    uint64_t large = world_start(&world, 100);
    uint64_t ids[] = {world_start(&world, 40), world_start(&world, 40), world_start(&world, 40)};
    world_end(&world, large);
    world_expect_phase(&world, ids[0], RUN_PHASE_RUNNING);
    world_expect_phase(&world, ids[1], RUN_PHASE_RUNNING);
    world_expect_phase(&world, ids[2], RUN_PHASE_QUEUED);
    world_free(&world);
}

static void expect_refused(size_t threads, const char *limit)
{
    assert_int_equal(world_start(&world, threads), 0);
    assert_string_equal(world.busy, limit);
}

static void test_refusals(void **state)
{
    (void)state;
    world_make(&world);
    expect_refused(101, "threads"); /* never */
    for (size_t i = 0; i < 2 + 3; i++)
        assert_true(world_start(&world, 1));
    expect_refused(1, "queued_runs");
    assert_int_equal(runs_count(world.runs, RUN_PHASE_QUEUED), 3);
    world.limits.queued_runs = 0;
    runs_set_limits(world.runs, &world.limits);
    expect_refused(1, "runs");
    runs_stop(world.runs);
    expect_refused(1, "stopping");
    world_free(&world);
}

static void test_no_queue(void **state)
{
    (void)state;
    world_prepare(&world);
    world.limits.queued_runs = 0;
    world_open(&world);
    assert_true(world_start(&world, 70));
    expect_refused(31, "threads");
    uint64_t fits = world_start(&world, 30);
    world_expect_phase(&world, fits, RUN_PHASE_RUNNING);
    expect_refused(1, "runs");
    world_free(&world);
}

/* No run may wait any more, and one still does: another that would have room must not overtake it. */
static void test_no_queue_any_more(void **state)
{
    (void)state;
    world_make(&world);
    world_start(&world, 60);
    uint64_t waits = world_start(&world, 50);
    world.limits.queued_runs = 0;
    runs_set_limits(world.runs, &world.limits);
    world_expect_phase(&world, waits, RUN_PHASE_QUEUED);
    expect_refused(1, "queued_runs");
    world_free(&world);
}

/* Limits that are raised let those start that wait; one that never could start any more ends. */
static void test_other_limits(void **state)
{
    (void)state;
    struct world_wait wait;
    world_make(&world);
    uint64_t running = world_start(&world, 40), second = world_start(&world, 50);
    uint64_t third = world_start(&world, 30), fourth = world_start(&world, 5);
    assert_true(world_wait(&world, third, &wait, RUN_WAIT_RESULT));
    world.limits.room.amounts[ROOM_RUNS] = 3;
    world.limits.room.amounts[ROOM_THREADS] = 20;
    runs_set_limits(world.runs, &world.limits);
    world_expect_phase(&world, second, RUN_PHASE_RUNNING); /* goes on */
    world_expect_phase(&world, third, RUN_PHASE_STORING);
    world_expect_phase(&world, fourth, RUN_PHASE_QUEUED);
    world_settle(&world);
    world_expect_answer(&wait, "{error, {busy, threads}}");
    world_expect_status(&world, third, "outcome", "not_run");
    world_expect_status(&world, third, "reason", "<<\"{busy,threads}\">>");
    assert_int_equal(world.runner.refused, 1);
    world.limits.room.amounts[ROOM_THREADS] = 100;
    runs_set_limits(world.runs, &world.limits);
    world_expect_phase(&world, fourth, RUN_PHASE_RUNNING);
    world_end(&world, running);
    world_free(&world);
}

/* What a node has too much of it is refused, queued runs counted, and no other node is. */
static void test_limits_of_a_node(void **state)
{
    (void)state;
    world_prepare(&world);
    world.limits.room_per_node = (struct room){{[ROOM_RUNS] = 2, [ROOM_THREADS] = 50}};
    world_open(&world);
    struct runs_request request = world_request(&world, 40);
    request.node = "a@b";
    uint64_t first = world_ask(&world, &request);
    request.scenario = world_request(&world, 11).scenario;
    assert_int_equal(world_ask(&world, &request), 0);
    assert_string_equal(world.busy, "threads_per_node");
    request.scenario = world_request(&world, 10).scenario;
    assert_int_not_equal(world_ask(&world, &request), 0);
    request.scenario = world_request(&world, 0).scenario;
    assert_int_equal(world_ask(&world, &request), 0);
    assert_string_equal(world.busy, "runs_per_node");
    request.node = "c@d";
    request.scenario = world_request(&world, 50).scenario;
    uint64_t waits = world_ask(&world, &request);
    world_expect_phase(&world, waits, RUN_PHASE_QUEUED); /* limits.runs is 2 */
    request.scenario = world_request(&world, 1).scenario;
    assert_int_equal(world_ask(&world, &request), 0); /* what waits counts */
    assert_string_equal(world.busy, "threads_per_node");
    assert_int_not_equal(world_start(&world, 50), 0); /* the daemon's own has no such limit */
    world_end(&world, first);
    request.node = "a@b";
    request.scenario = world_request(&world, 0).scenario;
    assert_int_not_equal(world_ask(&world, &request), 0);
    world_free(&world);
}

/* --- Cancelling --- */

static void test_cancel_running(void **state)
{
    (void)state;
    world_make(&world);
    uint64_t id = world_start(&world, 1);
    runs_cancel(world.runs, id);
    assert_int_equal(world_run(&world, id)->cancels, 1);
    world_expect_phase(&world, id, RUN_PHASE_RUNNING); /* it cleans up and reports */
    world_expect_status(&world, id, "cancelled", "true");
    world_run(&world, id)->figures.cancelled = false; /* one past its load goes on to its end */
    world_expect_status(&world, id, "cancelled", "false");
    runner_end(world_run(&world, id), "cancelled", "{error, {cancelled, #{}}}", NULL);
    runs_cancel(world.runs, id); /* while it is being stored */
    world_settle(&world);
    runs_cancel(world.runs, id); /* stays as it is */
    world_expect_phase(&world, id, RUN_PHASE_FINISHED);
    world_expect_status(&world, id, "outcome", "cancelled");
    world_expect_status(&world, id, "cancelled", "true");
    world_expect_status(&world, id, "reason", "<<\"cancelled\">>");
    world_free(&world);
}

/* An exit signal to the process of a run, whose pid its status has, is a cancel, but for one of reason
 * `normal`. */
static void test_exit_signals(void **state)
{
    (void)state;
    static const char *const reasons[] = {"normal", "kill", "shutdown", "{bad, 1}"};
    for (size_t i = 0; i < ARRAY_LENGTH(reasons); i++) {
        struct term_builder reason = {0};
        world_make(&world);
        uint64_t id = world_start(&world, 1);
        struct process *process = run_entry_find(world.runs, id)->process;
        world_expect_status(&world, id, "pid", "pid");
        process->events->exit(process->owner, process, TERM_ATOM("who"), term_from_text(&reason, reasons[i]));
        assert_int_equal(world_run(&world, id)->cancels, i > 0);
        runner_end(world_run(&world, id), "cancelled", "{error, {cancelled, #{}}}", NULL);
        world_settle(&world);
        world_expect_status(&world, id, "pid", "nil");
        term_build_free(&reason);
        world_free(&world);
    }
}

/* There is a report of nothing; who waits behind it moves up. */
static void test_cancel_queued(void **state)
{
    (void)state;
    world_make(&world);
    uint64_t large = world_start(&world, 60), waits = world_start(&world, 90);
    uint64_t last = world_start(&world, 1);
    runs_cancel(world.runs, waits);
    world_expect_phase(&world, waits, RUN_PHASE_RUNNING);
    assert_true(world_run(&world, waits)->request.cancelled);
    assert_int_equal(world_run(&world, waits)->cancels, 0);
    runner_end(world_run(&world, waits), "cancelled", "{error, {cancelled, #{}}}", NULL);
    loop_finish(&world.loop);
    world_expect_phase(&world, last, RUN_PHASE_RUNNING);
    world_expect_phase(&world, large, RUN_PHASE_RUNNING);
    world_free(&world);
}

/* One in the middle of the queue, and the last. */
static void test_cancel_within_queue(void **state)
{
    (void)state;
    world_make(&world);
    uint64_t running = world_start(&world, 100);
    uint64_t ids[] = {world_start(&world, 10), world_start(&world, 20), world_start(&world, 30)};
    runs_cancel(world.runs, ids[1]);
    world_expect_status(&world, ids[2], "runs_before", "1");
    runs_cancel(world.runs, ids[2]);
    world_expect_status(&world, ids[0], "runs_before", "0");
    assert_int_equal(runs_count(world.runs, RUN_PHASE_QUEUED), 1);
    runs_cancel(world.runs, running);
    assert_int_equal(world_run(&world, running)->cancels, 1);
    world_free(&world);
}

static void test_cancel_unknown(void **state)
{
    (void)state;
    world_make(&world);
    uint64_t id = world_start(&world, 1);
    runs_cancel(world.runs, id + 1);
    runs_cancel(world.runs, 0);
    assert_int_equal(world_run(&world, id)->cancels, 0);
    world_free(&world);
}

/* --- Callers --- */

static uint64_t start_callers(size_t threads)
{
    struct term_builder caller = {0};
    struct runs_request request = world_request(&world, threads);
    request.caller = term_from_text(&caller, "$p");
    request.is_callers = true;
    uint64_t id = world_ask(&world, &request);
    term_build_free(&caller);
    return id;
}

static void end_caller(void)
{
    struct term_builder caller = {0};
    node_ends(&world.node, term_from_text(&caller, "$p"));
    term_build_free(&caller);
}

static void test_caller_dies(void **state)
{
    (void)state;
    world_make(&world);
    uint64_t running = start_callers(60), waiting = start_callers(60), others = world_start(&world, 1);
    expect_term(world_run(&world, running)->request.caller, "$p");
    assert_int_equal(world.node.monitor_count, 2);
    end_caller();
    assert_int_equal(world_run(&world, running)->cancels, 1);
    assert_true(world_run(&world, waiting)->request.cancelled);
    world_expect_phase(&world, others, RUN_PHASE_QUEUED);
    world_expect_status(&world, others, "cancelled", "false");
    world_free(&world);
}

static void test_caller_of_one_that_has_ended(void **state)
{
    (void)state;
    world_make(&world);
    uint64_t id = start_callers(1);
    world_end(&world, id);
    assert_int_equal(world.node.monitor_count, 0);
    world_free(&world);
}

static void test_callers_node_goes_away(void **state)
{
    (void)state;
    world_make(&world);
    uint64_t id = start_callers(1);
    node_loses(&world.node, 0);
    assert_int_equal(world_run(&world, id)->cancels, 1);
    world_free(&world);
    world_make(&world); /* it has gone before */
    world.node.peers[0].is_up = false;
    id = start_callers(1);
    assert_int_equal(world_run(&world, id)->cancels, 1);
    world_free(&world);
    world_make(&world); /* it goes now */
    world.node.peers[0].refuses_monitors = true;
    id = start_callers(1);
    assert_int_equal(world_run(&world, id)->cancels, 1);
    world_free(&world);
}

/* Old nodes know no monitors. */
static void test_caller_that_cannot_be_watched(void **state)
{
    (void)state;
    world_make(&world);
    world.node.peers[0].flags = 0;
    uint64_t id = start_callers(1);
    assert_int_equal(world.node.monitor_count, 0);
    assert_int_equal(world_run(&world, id)->cancels, 0);
    world_free(&world);
}

/* --- The end of all --- */

static void test_stop(void **state)
{
    (void)state;
    world_make(&world);
    uint64_t first = world_start(&world, 60), second = world_start(&world, 60);
    uint64_t third = world_start(&world, 60);
    assert_false(runs_stopping(world.runs));
    runs_stop(world.runs);
    assert_true(runs_stopping(world.runs));
    assert_int_equal(world_run(&world, first)->cancels, 1);
    assert_true(world_run(&world, second)->request.cancelled);
    assert_true(world_run(&world, third)->request.cancelled);
    const uint64_t ids[] = {third, second, first};
    for (size_t i = 0; i < ARRAY_LENGTH(ids); i++) {
        assert_true(runs_busy(world.runs));
        runner_end(world_run(&world, ids[i]), "cancelled", "{error, {cancelled, #{}}}", NULL);
    }
    world_settle(&world);
    assert_false(runs_busy(world.runs));
    world_expect_status(&world, third, "outcome", "cancelled");
    world_free(&world);
}

/* What has not ended is given up, and interrupted; who waits is told so. */
static void test_close(void **state)
{
    (void)state;
    struct world_wait waits[4];
    world_make(&world);
    uint64_t first = world_start(&world, 60), second = world_start(&world, 60);
    assert_true(world_wait(&world, first, &waits[0], RUN_WAIT_RESULT));
    assert_true(world_wait(&world, first, &waits[1], RUN_WAIT_PARTIAL));
    assert_true(world_wait(&world, second, &waits[2], RUN_WAIT_RESULT));
    assert_true(world_wait(&world, second, &waits[3], RUN_WAIT_PARTIAL));
    world_restart(&world);
    world_expect_answer(&waits[0], "{error, {interrupted, #{journal => 1}}}");
    world_expect_answer(&waits[1], "#{journal => 1}");
    world_expect_answer(&waits[2], "{error, {interrupted, nil}}");
    world_expect_answer(&waits[3], NULL);
    world_expect_phase(&world, first, RUN_PHASE_INTERRUPTED);
    world_expect_phase(&world, second, RUN_PHASE_INTERRUPTED);
    world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_ids_of_one_moment),
        cmocka_unit_test(test_expectations),
        cmocka_unit_test(test_queue),
        cmocka_unit_test(test_no_overtaking),
        cmocka_unit_test(test_room_for_several),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_no_queue),
        cmocka_unit_test(test_no_queue_any_more),
        cmocka_unit_test(test_other_limits),
        cmocka_unit_test(test_limits_of_a_node),
        cmocka_unit_test(test_cancel_running),
        cmocka_unit_test(test_exit_signals),
        cmocka_unit_test(test_cancel_queued),
        cmocka_unit_test(test_cancel_within_queue),
        cmocka_unit_test(test_cancel_unknown),
        cmocka_unit_test(test_caller_dies),
        cmocka_unit_test(test_caller_of_one_that_has_ended),
        cmocka_unit_test(test_callers_node_goes_away),
        cmocka_unit_test(test_caller_that_cannot_be_watched),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
