/* What comes of hooks, of the chaos and of measurements, and what a cancelled run does about it. */
#include "run_stubs.h"

/* --- Hooks --- */

static void test_what_the_setup_may_return(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        enum run_state next;
        const char *failure;
    } rows[] = {
        {"{ok, $p}", RUN_PLANNING, ""},
        {"{ok, $p, #{}}", RUN_PLANNING, ""},
        {"{error, no}", RUN_REPORTING, "no"},
        {"{ok, $p, []}", RUN_REPORTING, "{invalid_setup_return,"},
        {"{ok, c}", RUN_REPORTING, "{invalid_setup_return,{ok,c}}"},
        {"ok", RUN_REPORTING, "{invalid_setup_return,ok}"},
        {"{error, a, b}", RUN_REPORTING, "{invalid_setup_return,{error,a,b}}"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        make("#{setup => {m, f, []}, threads => [[a]]}");
        put(RUN_SETUP);
        tell(RUN_EVENT_HOOK_RETURNED, rows[i].value);
        if (rows[i].next == RUN_REPORTING) /* there is nothing to clean up */
            assert_false(world_was_asked("session_clean_up"));
        expect_state(rows[i].next);
        assert_ptr_equal(strstr(world_failure(), rows[i].failure), world_failure());
        world_free();
    }
}

/* Only these two say that something does not hold. */
static void test_what_hooks_say_no_with(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        const char *reason;
    } rows[] = {{"false", "returned_false"}, {"{error, why}", "why"}};
    static const struct {
        enum run_state state;
        const char *failure;
    } hooks[] = {{RUN_STEADY_BEFORE, "{steady_state_failed,before,"},
                 {RUN_STEADY_AFTER, "{steady_state_failed,'after',"},
                 {RUN_INVARIANT, "{invariant_failed,"}};
    for (size_t hook = 0; hook < ARRAY_LENGTH(hooks); hook++)
        for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
            char failure[100];
            snprintf(failure, sizeof(failure), "%s%s}", hooks[hook].failure, rows[i].reason);
            make(ALL);
            put(hooks[hook].state);
            tell(RUN_EVENT_HOOK_RETURNED, rows[i].value);
            expect_state(RUN_CLEANUP);
            assert_string_equal(world_failure(), failure);
            world_free();
        }
}

/* Only a cleanup of its own is applied to what the setup has not made. */
static void test_what_the_setup_has_not_made(void **state)
{
    (void)state;
    static const struct {
        const char *scenario;
        const char *outcome;
        bool cleaned;
    } rows[] = {
        {"#{setup => {m, f, []}, threads => [[a]]}", "{returned, false, {ok, $p}}", true},
        {"#{setup => {m, f, []}, threads => [[a]]}", "{returned, true, {ok, $p}}", false},
        {"#{setup => {m, f, []}, cleanup => {m, f, []}, threads => [[a]]}", "{returned, true, {ok, $p}}",
         true},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct term_builder builder = {0};
        make(rows[i].scenario);
        put(RUN_SETUP);
        world.run.cancelled = true;
        run_hook_done(&world.run, TERM_LONG(term_from_text(&builder, rows[i].outcome)));
        assert_int_equal(world_was_asked("session_clean_up"), rows[i].cleaned);
        expect_state(rows[i].cleaned ? RUN_CLEANUP : RUN_REPORTING);
        term_build_free(&builder);
        world_free();
    }
}

/* {raised, Class, Exception, Stack} */
static void test_how_hooks_raise(void **state)
{
    (void)state;
    static const struct {
        enum run_state state;
        const char *outcome;
        const char *failure;
    } rows[] = {
        {RUN_SETUP, "{raised, error, badarg, []}", "{setup_failed,{badarg,[]}}"},
        {RUN_SETUP, "{raised, throw, x, []}", "{setup_failed,{{throw,x},[]}}"},
        {RUN_INVARIANT, "{raised, exit, x, []}", "{invariant_failed,{{exit,x},[]}}"},
        {RUN_STEADY_BEFORE, "{raised, error, x, []}", "{steady_state_failed,before,{x,[]}}"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct term_builder builder = {0};
        make(ALL);
        put(rows[i].state);
        run_hook_done(&world.run, TERM_LONG(term_from_text(&builder, "nonsense")));
        term_build_free(&builder);
        expect_state(rows[i].state);
        run_hook_done(&world.run, TERM_LONG(term_from_text(&builder, rows[i].outcome)));
        assert_string_equal(world_failure(), rows[i].failure);
        term_build_free(&builder);
        world_free();
    }
}

static void test_a_hook_that_never_returns(void **state)
{
    (void)state;
    static const struct {
        enum run_state state;
        const char *failure;
    } rows[] = {{RUN_SETUP, "{setup_failed,timeout}"},
                {RUN_STEADY_AFTER, "{steady_state_failed,'after',timeout}"},
                {RUN_INVARIANT, "{invariant_failed,timeout}"}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        make(ALL);
        put(rows[i].state);
        assert_int_equal(world.armed_ns, world.scenario->hook_timeout_ms * CLOCK_NS_PER_MS);
        world.session_is_there = world.script_is_active = false;
        tell(RUN_EVENT_TIMER, NULL);
        assert_string_equal(world_failure(), rows[i].failure);
        if (rows[i].state != RUN_SETUP)
            EXPECT_ASKED("session_kill", "session_start"); /* another one cleans up */
        world_free();
    }
}

/* --- Cleaning up --- */

static void test_a_cleanup_that_fails(void **state)
{
    (void)state;
    make(ALL);
    put(RUN_CLEANUP);
    tell(RUN_EVENT_HOOK_FAILED, "{badarg, []}");
    char text[200];
    assert_string_equal(world_text(&world.run.verdict.cleanup_failure, text, sizeof(text)),
                        "{cleanup_failed,{badarg,[]}}");
    assert_string_equal(world_failure(), "");
    world_free();

    make(ALL);
    put(RUN_CLEANUP);
    tell(RUN_EVENT_LOST, "killed");
    assert_string_equal(world_text(&world.run.verdict.cleanup_failure, text, sizeof(text)),
                        "{cleanup_failed,killed}");
    world_free();
}

/* A process that the setup has made elsewhere is stopped there when the hooks' node is gone; once. */
static void test_a_subject_elsewhere_is_stopped_there(void **state)
{
    (void)state;
    make("#{setup => {m, f, []}, threads => [[a]]}");
    strcpy(world.run.subject_spec.node, "subject@there");
    put(RUN_CLEANUP);
    tell(RUN_EVENT_LOST, "noconnection");
    expect_state(RUN_CLEANUP);
    EXPECT_ASKED("session_start");
    assert_non_null(strstr(world_failure(), "nodedown"));
    tell(RUN_EVENT_READY, NULL);
    EXPECT_ASKED("session_clean_up");
    tell(RUN_EVENT_LOST, "noconnection");
    expect_state(RUN_REPORTING);
    assert_false(world_was_asked("session_start"));
    world_free();

    make("#{setup => {m, f, []}, threads => [[a]]}");
    strcpy(world.run.subject_spec.node, "subject@there");
    put(RUN_OBSERVING);
    world.session_is_there = world.script_is_active = false;
    tell(RUN_EVENT_LOST, "noconnection");
    expect_state(RUN_CLEANUP);
    EXPECT_ASKED("session_start");
    world_free();
}

/* --- Load and chaos --- */

static void test_a_load_that_ends_with_its_session(void **state)
{
    (void)state;
    make(ALL);
    put(RUN_LOAD);
    world.session_down_ends_load = true;
    tell(RUN_EVENT_LOST, "killed");
    expect_state(RUN_JUDGING);
    assert_string_equal(world_failure(), "{session_failed,killed}");
    world_free();
}

static void test_when_the_chaos_is_awaited(void **state)
{
    (void)state;
    make(ALL);
    put(RUN_LOAD);
    world.recovers = false; /* that would be awaited first */
    tell(RUN_EVENT_OVER, NULL);
    expect_state(RUN_CHAOS_WAIT);
    assert_int_equal(world.armed_ns, world.scenario->timeout_ms * CLOCK_NS_PER_MS);
    tell(RUN_EVENT_TIMER, NULL);
    expect_state(RUN_JUDGING);
    char text[100];
    assert_string_equal(world_text(&world.run.chaos.failure, text, sizeof(text)), "timeout");
    assert_true(world_was_asked("faults_abandon"));
    world_free();

    make(ALL); /* a thread has failed */
    put(RUN_LOAD);
    term_kept_set(&world.record.thread_failure, TERM_LONG(TERM_ATOM("timeout")));
    tell(RUN_EVENT_OVER, NULL);
    expect_state(RUN_JUDGING);
    assert_true(world_was_asked("faults_abandon"));
    tell(RUN_EVENT_OBSERVED, NULL);
    assert_false(world_was_asked("telemetry_chaos_stop"));
    world_free();

    make(ALL); /* an expectation was missed */
    put(RUN_LOAD);
    world.run.verdict.aborted = true;
    tell(RUN_EVENT_OVER, NULL);
    expect_state(RUN_JUDGING);
    assert_true(world_was_asked("faults_abandon"));
    world_free();

    make(ALL); /* it was over before */
    put(RUN_LOAD);
    run_chaos_over(&world.run, TERM_LONG(TERM_ATOM("done")), NULL);
    run_chaos_over(&world.run, NULL, TERM_LONG(TERM_ATOM("failed")));
    expect_state(RUN_LOAD);
    world.recovers = false;
    tell(RUN_EVENT_OVER, NULL);
    expect_state(RUN_JUDGING);
    assert_true(world_was_asked("faults_stop"));
    assert_string_equal(world_text(&world.run.chaos.result, text, sizeof(text)), "done");
    assert_int_equal(world.run.chaos.failure.size, 0);
    world_free();
}

static void test_a_chaos_fun(void **state)
{
    (void)state;
    static const struct {
        const char *outcome;
        const char *result;
        const char *failure;
    } rows[] = {
        {"{returned, 7}", "7", ""}, {"{failed, why}", "", "why"}, {"{raised, error, boom, []}", "", "boom"}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct term_builder builder = {0};
        char text[100];
        make("#{target => c, chaos => $2, threads => [[a]]}");
        put(RUN_STARTING);
        world_free();
        make("#{target => c, chaos => $2, threads => [[a]]}");
        run_enter(&world.run, RUN_STARTING);
        EXPECT_ASKED("telemetry_chaos_start", "session_start_chaos");
        run_chaos_done(&world.run, TERM_LONG(term_from_text(&builder, "nonsense")));
        term_build_free(&builder);
        assert_true(world.run.chaos.running);
        run_chaos_done(&world.run, TERM_LONG(term_from_text(&builder, rows[i].outcome)));
        assert_false(world.run.chaos.running);
        assert_string_equal(world_text(&world.run.chaos.result, text, sizeof(text)), rows[i].result);
        assert_string_equal(world_text(&world.run.chaos.failure, text, sizeof(text)), rows[i].failure);
        term_build_free(&builder);
        world_free();
    }
}

/* --- Being cancelled --- */

/* Where a run goes from each state when that comes to its end. */
static void test_a_cancelled_run(void **state)
{
    (void)state;
    static const struct {
        enum run_state at;
        enum run_event event;
        const char *detail;
        enum run_state next;
    } rows[] = {
        {RUN_SESSION, RUN_EVENT_READY, NULL, RUN_REPORTING},
        {RUN_SETUP, RUN_EVENT_HOOK_RETURNED, "{ok, $p}", RUN_CLEANUP},
        {RUN_PLANNING, RUN_EVENT_PLANNED, NULL, RUN_CLEANUP},
        {RUN_STEADY_BEFORE, RUN_EVENT_HOOK_RETURNED, "true", RUN_CLEANUP},
        {RUN_OBSERVING, RUN_EVENT_OBSERVED, NULL, RUN_CLEANUP},
        {RUN_JUDGING, RUN_EVENT_OBSERVED, NULL, RUN_HEALING},
        {RUN_HEALING, RUN_EVENT_HEALED, NULL, RUN_CLEANUP},
        {RUN_STEADY_AFTER, RUN_EVENT_HOOK_RETURNED, "true", RUN_CLEANUP},
        {RUN_INVARIANT, RUN_EVENT_HOOK_RETURNED, "true", RUN_CLEANUP},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        make(ALL);
        put(rows[i].at);
        run_cancel(&world.run);
        run_cancel(&world.run);
        expect_state(rows[i].at);
        assert_true(world.run.cancelled);
        tell(rows[i].event, rows[i].detail);
        expect_state(rows[i].next);
        world_free();
    }
    make(ALL); /* what is cleaned up is never cut short */
    put(RUN_CLEANUP);
    run_cancel(&world.run);
    assert_false(world.run.cancelled);
    world_free();
}

/* --- Measuring --- */

static void test_answers_that_do_not_come(void **state)
{
    (void)state;
    make(ALL);
    put(RUN_OBSERVING);
    tell(RUN_EVENT_TIMER, NULL);
    expect_state(RUN_OBSERVING); /* the probes' time is over, the measurement's begins */
    assert_true(world_was_asked("session_measure"));
    tell(RUN_EVENT_TIMER, NULL);
    expect_state(RUN_STARTING);
    world_free();

    make(ALL);
    put(RUN_JUDGING);
    run_observed(&world.run);
    expect_state(RUN_JUDGING); /* something is awaited still */
    world.run.probes.awaited = 0;
    run_observed(&world.run);
    expect_state(RUN_JUDGING);
    world.run.measurements.awaited = false;
    run_observed(&world.run);
    expect_state(RUN_HEALING);
    world_free();

    make(ALL);
    put(RUN_REPORTING);
    tell(RUN_EVENT_TIMER, NULL);
    expect_state(RUN_REPORTING);
    turn();
    assert_true(world_was_asked("report_start"));
    world_free();

    make(ALL);
    put(RUN_REPORTING);
    tell(RUN_EVENT_LOST, "noconnection");
    turn();
    assert_true(world_was_asked("report_start"));
    assert_string_equal(world_failure(), ""); /* it is past that */
    world_free();
}

static void test_a_timer_tells_its_run(void **state)
{
    (void)state;
    make(ALL);
    put(RUN_HEALING);
    run_timer_fired(&world.run);
    assert_true(world_was_asked("faults_give_up"));
    expect_state(RUN_STEADY_AFTER);
    world_free();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_setup_may_return),
        cmocka_unit_test(test_what_hooks_say_no_with),
        cmocka_unit_test(test_what_the_setup_has_not_made),
        cmocka_unit_test(test_how_hooks_raise),
        cmocka_unit_test(test_a_hook_that_never_returns),
        cmocka_unit_test(test_a_cleanup_that_fails),
        cmocka_unit_test(test_a_subject_elsewhere_is_stopped_there),
        cmocka_unit_test(test_a_load_that_ends_with_its_session),
        cmocka_unit_test(test_when_the_chaos_is_awaited),
        cmocka_unit_test(test_a_chaos_fun),
        cmocka_unit_test(test_a_cancelled_run),
        cmocka_unit_test(test_answers_that_do_not_come),
        cmocka_unit_test(test_a_timer_tells_its_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
