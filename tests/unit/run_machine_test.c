#include "run_stubs.h"

/* --- Every state with every event --- */

static const struct column {
    enum run_event event;
    const char *detail;
    enum run_state next[RUN_STATE_COUNT]; /* RUN_RESOLVING: it stays where it is */
} columns[] = {
    {RUN_EVENT_TIMER,
     NULL,
     {[RUN_SESSION] = RUN_REPORTING,
      [RUN_SETUP] = RUN_REPORTING, /* there is nothing to clean up */
      [RUN_PLANNING] = RUN_CLEANUP,
      [RUN_STEADY_BEFORE] = RUN_CLEANUP,
      [RUN_RECOVERING] = RUN_CHAOS_WAIT,
      [RUN_CHAOS_WAIT] = RUN_JUDGING,
      [RUN_JUDGING] = RUN_HEALING,
      [RUN_HEALING] = RUN_STEADY_AFTER,
      [RUN_STEADY_AFTER] = RUN_CLEANUP,
      [RUN_INVARIANT] = RUN_CLEANUP,
      [RUN_CLEANUP] = RUN_REPORTING}},
    {RUN_EVENT_TURN, NULL, {0}}, /* the first piece, of more */
    {RUN_EVENT_CANCEL,
     NULL,
     {[RUN_STARTING] = RUN_JUDGING,
      [RUN_LOAD] = RUN_JUDGING,
      [RUN_RECOVERING] = RUN_JUDGING,
      [RUN_CHAOS_WAIT] = RUN_JUDGING}},
    /* There is nobody left to clean up. */
    {RUN_EVENT_LOST,
     "noconnection",
     {[RUN_SESSION] = RUN_REPORTING,
      [RUN_SETUP] = RUN_REPORTING,
      [RUN_PLANNING] = RUN_REPORTING,
      [RUN_STEADY_BEFORE] = RUN_REPORTING,
      [RUN_OBSERVING] = RUN_REPORTING,
      [RUN_STARTING] = RUN_JUDGING,
      [RUN_LOAD] = RUN_JUDGING,
      [RUN_RECOVERING] = RUN_JUDGING,
      [RUN_CHAOS_WAIT] = RUN_JUDGING,
      [RUN_STEADY_AFTER] = RUN_REPORTING,
      [RUN_CONTEXT] = RUN_REPORTING,
      [RUN_INVARIANT] = RUN_REPORTING,
      [RUN_CLEANUP] = RUN_REPORTING}},
    {RUN_EVENT_LOST,
     "killed",
     {[RUN_SESSION] = RUN_REPORTING,
      [RUN_SETUP] = RUN_REPORTING,
      [RUN_PLANNING] = RUN_CLEANUP,
      [RUN_STEADY_BEFORE] = RUN_CLEANUP,
      [RUN_OBSERVING] = RUN_CLEANUP,
      [RUN_STARTING] = RUN_JUDGING,
      [RUN_LOAD] = RUN_JUDGING,
      [RUN_RECOVERING] = RUN_JUDGING,
      [RUN_CHAOS_WAIT] = RUN_JUDGING,
      [RUN_STEADY_AFTER] = RUN_CLEANUP,
      [RUN_CONTEXT] = RUN_CLEANUP,
      [RUN_INVARIANT] = RUN_CLEANUP,
      [RUN_CLEANUP] = RUN_REPORTING}},
    {RUN_EVENT_TELLER, NULL, {0}},
    {RUN_EVENT_READY, NULL, {[RUN_SESSION] = RUN_SETUP}},
    {RUN_EVENT_PLANNED, NULL, {[RUN_PLANNING] = RUN_STEADY_BEFORE}},
    {RUN_EVENT_STARTED, NULL, {[RUN_STARTING] = RUN_LOAD}},
    {RUN_EVENT_OVER, NULL, {[RUN_STARTING] = RUN_RECOVERING, [RUN_LOAD] = RUN_RECOVERING}},
    {RUN_EVENT_CHAOS_OVER, NULL, {[RUN_CHAOS_WAIT] = RUN_JUDGING}},
    {RUN_EVENT_HEALED, NULL, {[RUN_HEALING] = RUN_STEADY_AFTER}},
    {RUN_EVENT_HOOK_RETURNED,
     "{ok, $p}",
     {[RUN_SETUP] = RUN_PLANNING,
      [RUN_STEADY_BEFORE] = RUN_OBSERVING,
      [RUN_STEADY_AFTER] = RUN_CONTEXT,
      [RUN_INVARIANT] = RUN_CLEANUP,
      [RUN_CLEANUP] = RUN_REPORTING}},
    {RUN_EVENT_HOOK_FAILED,
     "boom",
     {[RUN_SETUP] = RUN_REPORTING,
      [RUN_STEADY_BEFORE] = RUN_CLEANUP,
      [RUN_STEADY_AFTER] = RUN_CLEANUP,
      [RUN_INVARIANT] = RUN_CLEANUP,
      [RUN_CLEANUP] = RUN_REPORTING}},
    /* In OBSERVING the probes come first, and the measurement after them. */
    {RUN_EVENT_OBSERVED, NULL, {[RUN_JUDGING] = RUN_HEALING}},
};

/* That of a run that is resolved is another test's. */
static void test_every_state_with_every_event(void **state)
{
    (void)state;
    bool is_covered[RUN_EVENT_COUNT] = {[RUN_EVENT_RESOLVED] = true};
    for (size_t i = 0; i < ARRAY_LENGTH(columns); i++) {
        const struct column *column = &columns[i];
        is_covered[column->event] = true;
        for (enum run_state from = RUN_SESSION; from < RUN_STATE_COUNT; from++) {
            enum run_state next = column->next[from] == RUN_RESOLVING ? from : column->next[from];
            make(ALL);
            put(from);
            tell(column->event, column->detail);
            if (world.run.state != next)
                fail_msg("event %d (%s) leads from %s to %s, not to %s", (int)column->event,
                         column->detail ? column->detail : "", run_state_name(from),
                         run_state_name(world.run.state), run_state_name(next));
            world_free();
        }
    }
    for (size_t event = 0; event < RUN_EVENT_COUNT; event++)
        assert_true(is_covered[event]);
}

/* What comes twice, or after the end, changes nothing. */
static void test_an_ended_run_is_told_in_vain(void **state)
{
    (void)state;
    make(ALL);
    put(RUN_DONE);
    assert_int_equal(world.done, 1);
    for (size_t i = 0; i < ARRAY_LENGTH(columns); i++)
        tell(columns[i].event, columns[i].detail);
    assert_false(world.run.cancelled);
    assert_string_equal(world_failure(), "");
    assert_int_equal(world.done, 1);
    assert_ptr_equal(world.piece, &world.run.reap);
    world_free();
}

static void test_names_and_groups(void **state)
{
    (void)state;
    enum run_group last = RUN_BEFORE;
    for (enum run_state i = 0; i < RUN_STATE_COUNT; i++) {
        assert_non_null(run_state_name(i));
        assert_true(run_state_group(i) >= last); /* they follow each other */
        last = run_state_group(i);
    }
    assert_int_equal(last, RUN_ENDING);
    assert_int_equal(run_state_group(RUN_STARTING), RUN_LOADING);
    assert_int_equal(run_state_group(RUN_LOAD), RUN_LOADING);
}

/* --- From the beginning to the end --- */

/* What is measured from now on. */
static void measured(int64_t memory_bytes)
{
    world.run.measurements.newest = (struct measurement){.memory_bytes = memory_bytes, .at_ns = 1};
}

static void expect_all_to_load(void)
{
    tell(RUN_EVENT_READY, NULL);
    EXPECT_ASKED("telemetry_run_started", "session_measure", "session_setup");
    measured(7);
    tell(RUN_EVENT_OBSERVED, NULL);
    assert_int_equal(world.run.measurements.opening.memory_bytes, 7);
    tell(RUN_EVENT_HOOK_RETURNED, "{ok, $p, #{a => 1}}");
    EXPECT_ASKED("faults_plan");
    assert_string_equal(world.run.subject_spec.node, "app@target");
    tell(RUN_EVENT_PLANNED, NULL);
    EXPECT_ASKED("session_check_steady_state");
    tell(RUN_EVENT_HOOK_RETURNED, "true");
    EXPECT_ASKED("probes_start");
    tell(RUN_EVENT_OBSERVED, NULL);
    expect_state(RUN_OBSERVING);
    EXPECT_ASKED("session_measure");
    measured(8);
    tell(RUN_EVENT_OBSERVED, NULL);
    expect_state(RUN_STARTING);
    assert_int_equal(world.run.measurements.opening.memory_bytes, 7); /* it stays the first one */
    assert_int_equal(world.run.measurements.first.memory_bytes, 8);
    EXPECT_ASKED("engine_begin", "run_explain_begin", "telemetry_chaos_start", "faults_start");
    tell(RUN_EVENT_TIMER, NULL);
    EXPECT_ASKED("engine_work");
    tell(RUN_EVENT_STARTED, NULL);
    tell(RUN_EVENT_TIMER, NULL);
    tell(RUN_EVENT_OBSERVED, NULL);
    EXPECT_ASKED("engine_work", "judge_measured");
}

static void expect_all_to_report(void)
{
    tell(RUN_EVENT_OVER, NULL);
    expect_state(RUN_RECOVERING);
    EXPECT_ASKED("run_load_stop", "faults_load_over", "run_tail_start");
    world.tail_ends = false;
    tell(RUN_EVENT_TIMER, NULL);
    expect_state(RUN_RECOVERING);
    world.recovers = false;
    tell(RUN_EVENT_TIMER, NULL);
    expect_state(RUN_CHAOS_WAIT);
    EXPECT_ASKED("run_tail_work", "run_tail_stop");
    run_chaos_over(&world.run, TERM_LONG(TERM_ATOM("ok")), NULL);
    expect_state(RUN_JUDGING);
    EXPECT_ASKED("session_stop_work", "faults_stop", "session_measure", "probes_stop");
    tell(RUN_EVENT_OBSERVED, NULL);
    EXPECT_ASKED("telemetry_chaos_stop", "probes_end", "judge_load", "faults_heal");
    tell(RUN_EVENT_HEALED, NULL);
    EXPECT_ASKED("run_log_healed", "session_check_steady_state");
    tell(RUN_EVENT_HOOK_RETURNED, "false_is_not_this");
    turn();
    EXPECT_ASKED("context_start");
    world.report_pieces = 3;
    turn();
    turn();
    expect_state(RUN_CONTEXT);
    turn();
    EXPECT_ASKED("session_check_invariant");
    tell(RUN_EVENT_HOOK_RETURNED, "ok");
    EXPECT_ASKED("session_clean_up");
    tell(RUN_EVENT_HOOK_RETURNED, "ok");
}

static void expect_all_to_end(void)
{
    EXPECT_ASKED("session_measure");
    measured(9);
    world.report_pieces = 2;
    world.settle_pieces = 2;
    tell(RUN_EVENT_OBSERVED, NULL);
    turn();
    EXPECT_ASKED("run_explain_settle");
    assert_false(world_was_asked("report_start"));
    turn();
    assert_int_equal(world.run.measurements.closing.memory_bytes, 9);
    EXPECT_ASKED("run_explain_settle", "judge_whole_run", "report_start");
    tell(RUN_EVENT_OBSERVED, NULL); /* it is begun once */
    turn();
    assert_false(world_was_asked("report_start"));
    expect_state(RUN_REPORTING);
    turn();
    expect_state(RUN_DONE);
    EXPECT_ASKED("judge_outcome", "runner_leave", "run_log_finished", "telemetry_run_stopped", "session_end",
                 "faults_leave", "process_exit_atom");
    assert_int_equal(world.done, 1);
}

static void test_all_goes_well(void **state)
{
    (void)state;
    make(ALL);
    run_begin(&world.run);
    expect_state(RUN_SESSION);
    EXPECT_ASKED("run_load_init", "run_faults_init", "session_start_both");
    expect_all_to_load();
    expect_all_to_report();
    expect_state(RUN_REPORTING);
    expect_all_to_end();
    assert_string_equal(world_failure(), "");
    world_free();
}

/* A run without hooks, faults and expectations goes through in a few steps. */
static void test_a_plain_run(void **state)
{
    (void)state;
    make(PLAIN);
    world.plans = world.heals = world.probes_start = world.probes_stop = world.recovers = false;
    run_begin(&world.run);
    tell(RUN_EVENT_READY, NULL);
    expect_state(RUN_STARTING);
    assert_false(world_was_asked("session_measure"));
    assert_false(world_was_asked("faults_start"));
    tell(RUN_EVENT_STARTED, NULL);
    tell(RUN_EVENT_OVER, NULL);
    expect_state(RUN_REPORTING);
    turn();
    assert_true(world_was_asked("report_start"));
    assert_false(world_was_asked("session_clean_up"));
    assert_false(world_was_asked("telemetry_chaos_stop"));
    turn();
    expect_state(RUN_DONE);
    assert_false(world_was_asked("judge_whole_run"));
    world_free();
}

static void test_what_begins_nowhere(void **state)
{
    (void)state;
    make(ALL);
    world.refuses = true;
    run_begin(&world.run);
    expect_state(RUN_REPORTING);
    world_free();

    make(ALL);
    world.run.cancelled = true;
    run_begin(&world.run);
    expect_state(RUN_REPORTING);
    world_free();

    make(ALL);
    world.scenario->dry_run = true;
    run_begin(&world.run);
    expect_state(RUN_PLANNING);
    tell(RUN_EVENT_TIMER, NULL);
    expect_state(RUN_REPORTING); /* who was not found in time is the dry run's to tell */
    assert_string_equal(world_failure(), "");
    world_free();
}

/* --- Resolving --- */

static void test_resolving(void **state)
{
    (void)state;
    make(ALL);
    run_resolve(&world.run);
    EXPECT_ASKED("resolution_start");
    tell(RUN_EVENT_TIMER, NULL);
    tell(RUN_EVENT_READY, NULL);
    expect_state(RUN_RESOLVING);
    tell(RUN_EVENT_RESOLVED, NULL);
    expect_state(RUN_SESSION);
    world_free();

    make(ALL);
    run_resolve(&world.run);
    tell(RUN_EVENT_RESOLVED, "{nodedown, n}");
    expect_state(RUN_REPORTING);
    assert_string_equal(world_failure(), "{nodedown,n}");
    assert_true(world.run.verdict.refused);
    world_free();

    make(ALL);
    run_resolve(&world.run);
    run_cancel(&world.run);
    EXPECT_ASKED("resolution_cancel", "run_load_init");
    expect_state(RUN_REPORTING);
    assert_true(world.run.cancelled);
    assert_null(world.run.resolution);
    world_free();
}

/* --- The session --- */

static void test_a_session_that_nobody_needs(void **state)
{
    (void)state;
    static const struct {
        enum run_event event;
        const char *detail;
    } ends[] = {{RUN_EVENT_TIMER, NULL}, {RUN_EVENT_LOST, "noconnection"}, {RUN_EVENT_LOST, "killed"}};
    for (size_t i = 0; i < ARRAY_LENGTH(ends); i++) {
        make(PLAIN);
        put(RUN_SESSION);
        tell(ends[i].event, ends[i].detail);
        expect_state(RUN_PLANNING);
        assert_string_equal(world_failure(), "");
        world_free();

        make(PLAIN);
        put(RUN_SESSION);
        run_cancel(&world.run);
        tell(ends[i].event, ends[i].detail);
        expect_state(RUN_REPORTING);
        world_free();
    }
    for (enum run_state at = RUN_PLANNING; at < RUN_DONE; at++) {
        if (at == RUN_STEADY_BEFORE || (at >= RUN_STEADY_AFTER && at <= RUN_CLEANUP))
            continue; /* a hook's */
        make(PLAIN);
        put(at);
        bool chaos = world.run.chaos.running;
        tell(RUN_EVENT_LOST, "killed");
        expect_state(at);
        assert_int_equal(world.run.chaos.running, chaos);
        assert_string_equal(world_failure(), "");
        world_free();
    }
}

/* Its node is another matter, when hooks or targets are there. */
static void test_a_node_that_is_lost_is_a_failure(void **state)
{
    (void)state;
    for (enum run_state at = RUN_PLANNING; at < RUN_CLEANUP; at++) {
        make(at == RUN_STEADY_BEFORE || at >= RUN_STEADY_AFTER ? ALL : PLAIN);
        put(at);
        tell(RUN_EVENT_LOST, "noconnection");
        assert_non_null(strstr(world_failure(), "nodedown"));
        assert_non_null(strstr(world_failure(), world.scenario->hooks_node));
        assert_true(world.run.hooks_node_lost);
        assert_false(world.run.chaos.running);
        world_free();
    }
}

/* But where neither hooks nor targets are. */
static void test_a_node_that_nothing_needs(void **state)
{
    (void)state;
    for (enum run_state at = RUN_PLANNING; at < RUN_CLEANUP; at++) {
        if (at == RUN_STEADY_BEFORE || at >= RUN_STEADY_AFTER)
            continue;
        world_make("#{target => {c, app@elsewhere}, threads => [[a]], recovery_wait_ms => 9}");
        world.recovers = true;
        put(at);
        tell(RUN_EVENT_LOST, "noconnection");
        expect_state(at);
        assert_string_equal(world_failure(), "");
        world_free();
    }
}

static void test_a_session_that_does_not_start(void **state)
{
    (void)state;
    make(ALL);
    put(RUN_SESSION);
    assert_true(world.armed_ns > 0);
    tell(RUN_EVENT_TIMER, NULL);
    assert_true(world_was_asked("session_kill"));
    assert_string_equal(world_failure(), "{session_failed,timeout}");
    world_free();

    make(ALL);
    put(RUN_SESSION);
    tell(RUN_EVENT_LOST, "{undef, []}");
    assert_string_equal(world_failure(), "{session_failed,{undef,[]}}");
    world_free();
}

/* The session waits for who tells telemetry elsewhere. */
static void test_the_teller_comes_first(void **state)
{
    (void)state;
    make(ALL);
    put(RUN_SESSION);
    world.script_is_active = false;
    tell(RUN_EVENT_TELLER, NULL);
    EXPECT_ASKED("session_start");
    world.script_is_active = true;
    tell(RUN_EVENT_TELLER, NULL);
    assert_false(world_was_asked("session_start"));
    world_free();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_state_with_every_event),
        cmocka_unit_test(test_an_ended_run_is_told_in_vain),
        cmocka_unit_test(test_names_and_groups),
        cmocka_unit_test(test_all_goes_well),
        cmocka_unit_test(test_a_plain_run),
        cmocka_unit_test(test_what_begins_nowhere),
        cmocka_unit_test(test_resolving),
        cmocka_unit_test(test_a_session_that_nobody_needs),
        cmocka_unit_test(test_a_node_that_is_lost_is_a_failure),
        cmocka_unit_test(test_a_node_that_nothing_needs),
        cmocka_unit_test(test_a_session_that_does_not_start),
        cmocka_unit_test(test_the_teller_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
