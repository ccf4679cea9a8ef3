#include "faults_world.h"

static struct world world;

#define FOUND "{found, none, [{undefined, $p, c, app, c}]}"

/* A fault of one process that is on app@target: its agent has been told what to do. */
static void make_acting(const char *chaos)
{
    world_make(&world, chaos, "");
    world_begin(&world);
    assert_int_equal(world.agent_count, 1);
    assert_string_equal(world.agents[0].node, CALLER);
    assert_int_equal(world.asked_count, 0); /* it has not started yet */
    world_agent_starts(&world, 0);
    world_expect_asked(&world, 0, "{find, {process, c}}");
    world_answer(&world, 0, FOUND);
    assert_int_equal(world.agent_count, 2);
    assert_string_equal(world.agents[1].node, "app@target");
    world_agent_starts(&world, 1);
    assert_int_equal(world.asked_count, 2);
}

/* One that lasts is in effect. */
static void make_held(void)
{
    make_acting("{suspend, 50}");
    world_expect_asked(&world, 1, "{hold, {suspend, [$p]}, 50}");
    world_answer(&world, 1, "{holding, 1, now}");
}

static void test_hold(void **state)
{
    (void)state;
    make_held();
    world_run(&world, 50);
    assert_int_equal(world.over, 0);
    world_answer(&world, 1, "{undone, true, true, now}");
    world_run(&world, 50);
    assert_int_equal(world.over, 1);
    world_expect_term(&world.result, "ok");
    assert_int_equal(world.injected, 1);
    assert_int_equal(world.marks, 2);
    world_expect_injection(&world, 0, "outcome", "ok");
    world_expect_injection(&world, 0, "kind", "suspend");
    world_expect_injection(&world, 0, "undone", "true");
    world_expect_healed(&world, true);
    assert_false(faults_heal(world.faults));
    world_free(&world);
}

static void test_what_is_left(void **state)
{
    (void)state;
    make_held();
    world_answer(&world, 1, "{undone, still_suspended, true, now}");
    world_run(&world, 50);
    world_expect_injection(&world, 0, "undone", "false");
    world_expect_left(&world, "still_suspended");
    world_free(&world);
}

static void test_healing(void **state)
{
    (void)state;
    make_held();
    assert_true(faults_heal(world.faults));
    world_expect_asked(&world, 2, "heal");
    assert_int_equal(world.healed, 0);
    world_answer(&world, 1, "{undone, true, true, now}");
    assert_int_equal(world.healed, 1);
    world_expect_healed(&world, true);
    world_free(&world);
}

/* Nobody claims that it is undone, or that it is not. */
static void test_not_over_yet(void **state)
{
    (void)state;
    struct term_builder built = {0};
    make_held();
    faults_build_healed(world.faults, &built);
    expect_term(term_built(&built), "nil");
    world_expect_injection(&world, 0, "undone", "nil");
    term_build_reset(&built);
    world_answer(&world, 1, "{undone, true, true, now}");
    faults_build_healed(world.faults, &built);
    expect_term(term_built(&built), "true");
    term_build_free(&built);
    world_free(&world);
    world_make(&world, "[#{action => {suspend, 5}, after_ms => 1000}]", "");
    world_begin(&world);
    world_expect_healed(&world, false); /* it may yet be held */
    faults_stop(world.faults);
    world_expect_healed(&world, true);
    world_free(&world);
}

static void test_giving_up(void **state)
{
    (void)state;
    make_held();
    assert_true(faults_heal(world.faults));
    faults_give_up(world.faults);
    assert_int_equal(world.healed, 0);
    world_expect_left(&world, "timeout");
    world_free(&world);
}

static void test_abandoning_while_it_is_looked_for(void **state)
{
    (void)state;
    world_make(&world, "{suspend, 50}", "");
    world_begin(&world);
    world_agent_starts(&world, 0);
    faults_abandon(world.faults);
    world_expect_injection(&world, 0, "outcome", "cancelled");
    world_answer(&world, 0, FOUND); /* nobody waits for it any more */
    assert_int_equal(world.agent_count, 1);
    world_expect_healed(&world, true);
    world_free(&world);
}

static void on_undone(void *owner, const struct faults *faults, const struct injection *injection)
{
    struct term_builder built = {0};
    struct term value;
    assert_true(injection_lasts(injection));
    faults_build_undone(faults, injection, &built);
    assert_true(term_pairs_get(term_built(&built), "run_id", &value));
    expect_term(value, "42");
    assert_true(term_pairs_get(term_built(&built), "undone", &value));
    expect_term(value, *(const char **)owner);
    world.undone++;
    term_build_free(&built);
}

static void test_healing_now(void **state)
{
    (void)state;
    const char *expected = "true";
    make_held();
    assert_int_equal(faults_heal_now(world.faults, on_undone, &expected), 1);
    world_expect_asked(&world, 2, "heal");
    assert_int_equal(world.undone, 0);
    world_answer(&world, 1, "{undone, true, true, now}");
    assert_int_equal(world.undone, 1);
    assert_int_equal(faults_heal_now(world.faults, on_undone, &expected), 0);
    world_free(&world);
    make_held();
    expected = "false"; /* it has not been seen to be gone */
    assert_int_equal(faults_heal_now(world.faults, on_undone, &expected), 1);
    faults_tell_heal_now(world.faults, &expected);
    assert_int_equal(world.undone, 1);
    world_free(&world);
}

/* --- What is done at once --- */

static void test_crash(void **state)
{
    (void)state;
    make_acting("{inject_crash, immediate}");
    world_expect_asked(&world, 1, "{crash, [$p], chaos_injection}");
    world_answer(&world, 1, "{crashed, {1, 0, 0}}");
    world_run(&world, 0);
    assert_int_equal(world.over, 1);
    world_expect_injection(&world, 0, "outcome", "ok");
    world_expect_injection(&world, 0, "amount", "1");
    world_free(&world);
    make_acting("{inject_crash, immediate}");
    world_answer(&world, 1, "{crashed, {0, 1, 0}}");
    world_expect_injection(&world, 0, "outcome", "survived");
    world_free(&world);
    make_acting("{inject_crash, immediate}");
    world_answer(&world, 1, "{crashed, {0, 0, 1}}");
    world_expect_injection(&world, 0, "outcome", "noproc");
    assert_false(faults_recovery(world.faults, world.now_ns).is_known);
    world_free(&world);
}

static void test_apply(void **state)
{
    (void)state;
    world_make(&world, "{apply, erlang, node, []}", "");
    world_begin(&world);
    world_agent_starts(&world, 0);
    world_answer_last(&world, "{returned, app@caller}");
    world_run(&world, 0);
    world_expect_term(&world.result, "{ok, app@caller}");
    world_free(&world);
    world_make(&world, "{apply, erlang, node, []}", "");
    world_begin(&world);
    world_agent_starts(&world, 0);
    world_answer_last(&world, "{failed, badarg}");
    world_expect_injection(&world, 0, "outcome", "{error, badarg}");
    world_free(&world);
}

static void test_nobody(void **state)
{
    (void)state;
    world_make(&world, "{suspend, 50}", "");
    world_begin(&world);
    world_agent_starts(&world, 0);
    world_answer(&world, 0, "{found, none, []}");
    world_run(&world, 0);
    world_expect_injection(&world, 0, "outcome", "noproc");
    assert_int_equal(world.over, 1);
    assert_int_equal(world.injected, 0);
    world_free(&world);
    world_make(&world, "{suspend, 50}", "");
    world.takes_no_agents = true;
    world_begin(&world);
    world_expect_injection(&world, 0, "outcome", "noproc");
    world_free(&world);
}

/* --- Agents that are lost --- */

static void test_lost_before_it_starts(void **state)
{
    (void)state;
    world_make(&world, "{suspend, 50}", "");
    world_begin(&world);
    world_agent_lost(&world, 0, "noconnection");
    world_run(&world, 0);
    world_expect_injection(&world, 0, "outcome", "{error, nodedown}");
    world_expect_healed(&world, true);
    assert_int_equal(world.over, 1);
    world_free(&world);
}

static void test_lost_while_it_looks(void **state)
{
    (void)state;
    world_make(&world, "{suspend, 50}", "");
    world_begin(&world);
    world_agent_starts(&world, 0);
    world_agent_lost(&world, 0, "killed");
    world_expect_injection(&world, 0, "outcome", "{error, killed}");
    world_free(&world);
}

static void test_lost_before_it_acts(void **state)
{
    (void)state;
    world_make(&world, "{suspend, 50}", "");
    world_begin(&world);
    world_agent_starts(&world, 0);
    world_answer(&world, 0, FOUND);
    world_agent_lost(&world, 1, "noconnection");
    world_expect_injection(&world, 0, "outcome", "{error, {nodedown, app@target}}");
    world_expect_healed(&world, true); /* it has never started, and has done nothing */
    world_free(&world);
}

static void test_lost_while_it_acts(void **state)
{
    (void)state;
    make_acting("{suspend, 50}");
    world_agent_lost(&world, 1, "noconnection");
    world_expect_injection(&world, 0, "outcome", "{error, {nodedown, app@target}}");
    world_expect_healed(&world, false); /* it may hold without having said so */
    world_free(&world);
}

static void test_lost_while_it_holds(void **state)
{
    (void)state;
    make_held();
    world_agent_lost(&world, 1, "killed");
    world_run(&world, 0);
    world_expect_left(&world, "{agent_lost, killed}");
    assert_int_equal(world.over, 1);
    world_free(&world);
}

static void test_lost_while_it_heals(void **state)
{
    (void)state;
    make_held();
    assert_true(faults_heal(world.faults));
    world_agent_lost(&world, 1, "noconnection");
    assert_int_equal(world.healed, 1);
    world_expect_healed(&world, false);
    world_free(&world);
}

/* --- Splits --- */

static void make_split(void)
{
    world_make(&world, "{disconnect, [a@x, b@x], 30}", "");
    world_begin(&world);
    world_agent_starts(&world, 0);
    world_agent_starts(&world, 1);
    world_expect_asked(&world, 0, "{hold, {split, [b@x]}, 30}");
    world_expect_asked(&world, 1, "{hold, {split, [a@x]}, 30}");
}

static void test_split(void **state)
{
    (void)state;
    make_split();
    world_answer(&world, 0, "{ready, 1}");
    assert_int_equal(world.asked_count, 2); /* not before all are */
    world_answer(&world, 1, "{ready, 1}");
    world_expect_asked(&world, 2, "cut");
    world_expect_asked(&world, 3, "cut");
    world_answer(&world, 0, "{holding, 1, now}");
    world_answer(&world, 1, "{holding, 1, now}");
    world_answer(&world, 0, "{undone, true, true, now}");
    world_answer(&world, 1, "{undone, true, {also_cut, [c@x]}, now}");
    world_run(&world, 30);
    world_expect_injection(&world, 0, "outcome", "{also_cut, [c@x]}");
    world_expect_healed(&world, true);
    assert_int_equal(world.over, 1);
    world_free(&world);
}

/* Nodes that are not kept apart on one side are not on the others either. */
static void test_split_that_fails(void **state)
{
    (void)state;
    make_split();
    world_answer(&world, 0, "{failed, no_guardian}");
    world_expect_asked(&world, 2, "heal");
    world_answer(&world, 1, "{undone, true, true, now}");
    world_expect_injection(&world, 0, "outcome", "{error, no_guardian}");
    world_free(&world);
}

/* --- Schedules --- */

static void test_schedule(void **state)
{
    (void)state;
    world_make(&world, "#{action => {inject_crash, immediate}, after_ms => 100, every_ms => 50, times => 3}",
               "");
    world_begin(&world);
    world_run(&world, 99);
    assert_int_equal(world.agent_count, 0);
    world_run(&world, 100);
    world_agent_starts(&world, 0);
    for (size_t i = 0; i < 3; i++) {
        world_run(&world, 100 + i * 50);
        assert_int_equal(faults_injected_count(world.faults), i + 1);
        assert_int_equal(world.over, 0);
        world_answer_last(&world, "{found, none, []}");
    }
    world_run(&world, 1000);
    assert_int_equal(faults_injected_count(world.faults), 3);
    assert_int_equal(world.over, 1);
    world_free(&world);
}

static void test_what_is_not_drawn(void **state)
{
    (void)state;
    world_make(&world, "{inject_crash, {random, 0.0}}", "");
    world_begin(&world);
    world_expect_injection(&world, 0, "outcome", "not_drawn");
    assert_int_equal(world.over, 1);
    world_free(&world);
}

static void test_what_is_pending_at_the_end(void **state)
{
    (void)state;
    world_make(&world, "#{action => {suspend, 5}, after_ms => 1000}", "");
    world_begin(&world);
    world_run(&world, 100);
    faults_stop(world.faults);
    world_run(&world, 2000);
    world_expect_injection(&world, 0, "outcome", "cancelled");
    assert_int_equal(world.over, 1);
    assert_int_equal(world.agent_count, 0);
    world_free(&world);
}

static void test_too_many(void **state)
{
    (void)state;
    world_make(&world, "#{action => {suspend, 60000}, every_ms => 1, times => 20000}", "");
    world_begin(&world);
    world_run(&world, 11000);
    assert_int_equal(world.over, 1);
    world_expect_term(&world.failure, "too_many_injections");
    world_free(&world);
}

static void test_record_is_bounded(void **state)
{
    (void)state;
    world_make(&world, "#{action => {suspend, 1}, every_ms => 1, times => 10500}", "");
    world.takes_no_agents = true; /* each ends at once */
    world_begin(&world);
    world_run(&world, 11000);
    assert_int_equal(world.over, 1);
    assert_int_equal(faults_injected_count(world.faults), 10500);
    assert_int_equal(faults_injections_dropped(world.faults), 500);
    world_free(&world);
}

/* --- Children of a supervisor --- */

static void test_rounds(void **state)
{
    (void)state;
    world_make(&world, "{kill_children, [{kill_rate, 1.0}, {duration_ms, 100}, {kill_interval_ms, 40}]}", "");
    world_begin(&world);
    world_agent_starts(&world, 0);
    world_expect_asked(&world, 0, "{find, {children, c}}");
    world_answer(&world, 0, "{found, {undefined, $o, c, app, c}, [{one, $p, one, app, one}]}");
    world_agent_starts(&world, 1);
    world_expect_asked(&world, 1, "{crash, [$p], kill}");
    world_answer(&world, 1, "{crashed, {1, 0, 0}}");
    world_run(&world, 40);
    world_answer_last(&world,
                      "{found, {undefined, $o, c, app, c}, [{one, $o, one, app, one}]}"); /* another one */
    world_run(&world, 200);
    for (size_t i = 0; i < 4 && !world.over; i++) {
        world_answer_last(&world, "{found, {undefined, $o, c, app, c}, []}");
        world_run(&world, 400 + i * 100);
    }
    assert_int_equal(world.over, 1);
    struct term killed, restarted;
    assert_true(term_pairs_get(term_of(&world.result), "killed", &killed));
    assert_true(term_pairs_get(term_of(&world.result), "restarted", &restarted));
    expect_term(restarted, "1");
    world_free(&world);
}

/* The end of the chaos is told at once, and not when something else is due. */
static void test_rounds_that_are_forbidden_midway(void **state)
{
    (void)state;
    world_make(&world,
               "[{kill_children, [{kill_rate, 1.0}, {duration_ms, 9000}, {kill_interval_ms, 40}]}, "
               "#{action => {garbage_collect, []}, after_ms => 5000, every_ms => 5000}]",
               "");
    world_begin(&world);
    world_agent_starts(&world, 0);
    world_answer(&world, 0, "{found, {undefined, $o, c, app, c}, [{one, $p, one, app, one}]}");
    world_agent_starts(&world, 1);
    world_answer(&world, 1, "{crashed, {1, 0, 0}}");
    world_run(&world, 40);
    world_answer_last(&world, "{found, {undefined, $o, c, kernel, c}, [{one, $p, one, kernel, one}]}");
    assert_int_equal(world.over, 0);
    world_run(&world, 41);
    assert_int_equal(world.over, 1);
    world_free(&world);
}

static void test_rounds_without_a_supervisor(void **state)
{
    (void)state;
    world_make(&world, "{kill_children, []}", "");
    world_begin(&world);
    world_agent_starts(&world, 0);
    world_answer(&world, 0, "{failed, not_a_supervisor}");
    world_run(&world, 0);
    assert_int_equal(world.over, 1);
    world_expect_term(&world.failure, "not_a_supervisor");
    world_free(&world);
}

/* --- What was not injected --- */

/* The one action of a scenario comes to nothing by this answer to who its target is. */
static void expect_missed_by(const char *chaos, const char *found, const char *missed)
{
    world_make(&world, chaos, "");
    world_begin(&world);
    world_agent_starts(&world, 0);
    world_answer(&world, 0, found);
    world_run(&world, 0);
    world_expect_missed(&world, missed);
    world_free(&world);
}

static void test_what_is_missed(void **state)
{
    (void)state;
    static const char nobody[] = "{found, none, []}";
    expect_missed_by(
        "{suspend, 50}", nobody,
        "{not_injected, [#{action => {suspend, 50}, target => c, outcome => noproc, names => #{}}]}");
    expect_missed_by(
        "#{action => {suspend, 50}, target => d}", "{failed, noproc}",
        "{not_injected, [#{action => {suspend, 50}, target => d, outcome => noproc, names => #{}}]}");
    expect_missed_by("#{action => {suspend, 50}, allow_missing => true}", nobody, "none");
    expect_missed_by("#{action => {suspend, 50}, allow_missing => true}", "{failed, own_process}",
                     "{not_injected, [#{action => {suspend, 50}, target => c, "
                     "outcome => {error, own_process}, names => #{}}]}");
    expect_missed_by("{inject_crash, immediate}", nobody, "none"); /* the library's results */
    expect_missed_by("{kill_children, []}", "{failed, not_a_supervisor}", "none");
    expect_missed_by("[{inject_crash, immediate}]", nobody,
                     "{not_injected, [#{action => {inject_crash, immediate}, target => c, "
                     "outcome => noproc, names => #{}}]}");
    expect_missed_by(
        "[{kill_children, []}]", "{failed, noproc}",
        "{not_injected, [#{action => {kill_children, []}, target => c, outcome => noproc, names => #{}}]}");
    expect_missed_by("#{action => {kill_children, []}}", "{failed, not_a_supervisor}",
                     "{not_injected, [#{action => {kill_children, []}, target => c, "
                     "outcome => {error, not_a_supervisor}, names => #{}}]}");
}

static void expect_crash_missed(const char *counts, const char *missed)
{
    make_acting("[{inject_crash, immediate}]");
    world_answer(&world, 1, counts);
    world_run(&world, 0);
    world_expect_missed(&world, missed);
    world_free(&world);
}

static void test_crashes_that_are_missed(void **state)
{
    (void)state;
    expect_crash_missed("{crashed, {1, 2, 3}}", "none");
    expect_crash_missed("{crashed, {0, 1, 1}}",
                        "{not_injected, [#{action => {inject_crash, immediate}, target => c, "
                        "outcome => survived, names => #{$p => c}}]}");
}

/* However often it was to be, it is told once. */
static void test_missed_again_and_again(void **state)
{
    (void)state;
    world_make(&world, "#{action => {suspend, 1}, every_ms => 1, times => 500}", "");
    world.takes_no_agents = true;
    world_begin(&world);
    world_run(&world, 1000);
    world_expect_missed(
        &world, "{not_injected, [#{action => {suspend, 1}, target => c, outcome => noproc, names => #{}}]}");
    world_free(&world);
    world_make(&world, "[{inject_crash, {random, 0.0}}, #{action => {suspend, 1}, after_ms => 50}]", "");
    world_begin(&world);
    faults_stop(world.faults);
    world_run(&world, 100);
    world_expect_missed(&world, "none"); /* not drawn, and cancelled */
    world_free(&world);
}

static void test_nothing_is_held(void **state)
{
    (void)state;
    make_acting("{suspend, 50}");
    world_answer(&world, 1, "{holding, 0, now}");
    world_answer(&world, 1, "{undone, true, true, now}");
    world_expect_missed(
        &world,
        "{not_injected, [#{action => {suspend, 50}, target => c, outcome => noproc, names => #{$p => c}}]}");
    world_free(&world);
    world_make(&world, "{exhaust, ports, []}", "");
    world_begin(&world);
    world_agent_starts(&world, 0);
    world_answer(&world, 0, "{holding, 0, now}");
    world_expect_missed(&world, "none"); /* it is under way */
    world_answer(&world, 0, "{undone, true, true, now}");
    world_expect_missed(&world, "{not_injected, [#{action => {exhaust, ports, []}, target => c, "
                                "outcome => {error, nothing_held}, names => #{}}]}");
    world_free(&world);
}

/* Of all rounds one is enough that has killed somebody. */
static void test_rounds_that_are_missed(void **state)
{
    (void)state;
    static const char chaos[] =
        "[{kill_children, [{kill_rate, 1.0}, {duration_ms, 50}, {kill_interval_ms, 40}]}]";
    static const char one[] = "{found, {undefined, $o, c, app, c}, [{one, $p, one, app, one}]}";
    static const char *const counts[] = {"{crashed, {0, 1, 0}}", "{crashed, {1, 0, 0}}"};
    for (size_t i = 0; i < ARRAY_LENGTH(counts); i++) {
        world_make(&world, chaos, "");
        world_begin(&world);
        world_agent_starts(&world, 0);
        world_answer(&world, 0, one);
        world_agent_starts(&world, 1);
        world_answer(&world, 1, "{crashed, {0, 0, 1}}");
        world_run(&world, 40);
        world_answer_last(&world, one);
        world_answer_last(&world, counts[i]);
        world_run(&world, 80);
        world_answer_last(&world, one);
        world_run(&world, 80);
        assert_int_equal(world.over, 1);
        world_expect_missed(&world, i ? "none"
                                      : "{not_injected, [#{action => {kill_children, [{kill_rate, 1.0}, "
                                        "{duration_ms, 50}, {kill_interval_ms, 40}]}, target => c, "
                                        "outcome => survived, names => #{$p => one}}]}");
        world_free(&world);
    }
    world_make(&world, chaos, ""); /* without children */
    world_begin(&world);
    world_agent_starts(&world, 0);
    for (size_t i = 0; i < 3; i++) {
        world_answer_last(&world, "{found, {undefined, $o, c, app, c}, []}");
        world_run(&world, 40 * (i + 1));
    }
    assert_int_equal(world.over, 1);
    world_expect_injection(&world, 0, "outcome", "noproc");
    world_free(&world);
}

/* --- What is forbidden, and dry runs --- */

static void test_refusals(void **state)
{
    (void)state;
    struct term rule;
    world_make(&world, "{halt_node, a@x}", "");
    assert_true(faults_refused(world.faults));
    assert_true(term_pairs_get(term_of(&world.refusal), "rule", &rule));
    expect_term(rule, "<<\"access.chaos.allow\">>");
    world_free(&world);
    world_make(&world, "{disconnect, [a@x, [b@x, holy@place]], 30}", "");
    assert_true(faults_refused(world.faults));
    assert_true(term_pairs_get(term_of(&world.refusal), "rule", &rule));
    expect_term(rule, "<<\"access.targets.deny\">>");
    world_free(&world);
    world_make(&world, "{suspend, 5}", "");
    assert_false(faults_refused(world.faults));
    assert_true(faults_plan(world.faults));
    world_agent_starts(&world, 0);
    world_answer(&world, 0, "{found, none, [{undefined, $p, holy, app, holy}]}");
    assert_int_equal(world.planned, 1);
    assert_true(term_pairs_get(term_of(&world.refusal), "rule", &rule));
    expect_term(rule, "<<\"access.names.deny\">>");
    world_free(&world);
}

/* What was allowed when it was planned may not be when it is injected. */
static void test_refused_at_last(void **state)
{
    (void)state;
    struct term value;
    world_make(&world, "{suspend, 5}", "");
    world_begin(&world);
    world_agent_starts(&world, 0);
    world_answer(&world, 0, "{found, none, [{undefined, $p, c, kernel, c}]}");
    struct term_builder built = {0};
    struct term_list list;
    struct term injection, parts[2];
    faults_build_injections(world.faults, &built);
    assert_true(term_list_start(&list, term_built(&built)) && term_list_next(&list, &injection));
    assert_true(term_pairs_get(injection, "outcome", &value) && term_read_tuple_of(value, 2, parts));
    assert_true(term_is_atom(parts[0], "not_allowed"));
    term_build_free(&built);
    assert_int_equal(world.injected, 0);
    world_free(&world);
}

static void test_dry_run(void **state)
{
    (void)state;
    struct term_builder built = {0};
    struct term plans, plan, value;
    struct term_list list;
    world_make(&world, "[{suspend, 5}, {inject_crash, {after_ms, 70}}]", ", dry_run => true");
    assert_true(faults_plan(world.faults));
    world_agent_starts(&world, 0);
    world_answer(&world, 0, FOUND);
    assert_int_equal(world.planned, 0);
    faults_plan_no_longer(world.faults); /* of the second nothing is known */
    faults_build_dry_run(world.faults, &built);
    assert_true(term_pairs_get(term_built(&built), "chaos", &plans) && term_list_start(&list, plans));
    assert_true(term_list_next(&list, &plan) && term_pairs_get(plan, "target", &value));
    expect_term(value, "[$p]");
    assert_true(term_pairs_get(plan, "problem", &value));
    expect_term(value, "nil");
    assert_true(term_list_next(&list, &plan) && term_pairs_get(plan, "problem", &value));
    expect_term(value, "timeout");
    assert_true(term_pairs_get(plan, "at_ms", &value));
    expect_term(value, "[70]");
    term_build_free(&built);
    assert_int_equal(world.injected, 0);
    world_free(&world);
}

/* What a dry run says of the one action for that answer. */
static void expect_problem(const char *chaos, const char *answer, const char *problem)
{
    struct term_builder built = {0};
    struct term plans, plan, value;
    struct term_list list;
    world_make(&world, chaos, ", dry_run => true");
    assert_true(faults_plan(world.faults));
    for (size_t i = 0; i < world.agent_count; i++)
        world_agent_starts(&world, i);
    for (size_t i = 0; i < world.asked_count; i++)
        world_answer(&world, i, answer);
    assert_int_equal(world.planned, 1);
    faults_build_dry_run(world.faults, &built);
    assert_true(term_pairs_get(term_built(&built), "chaos", &plans) && term_list_start(&list, plans));
    assert_true(term_list_next(&list, &plan) && term_pairs_get(plan, "problem", &value));
    expect_term(value, problem);
    assert_int_equal(faults_have_problem(world.faults), strcmp(problem, "nil") != 0);
    term_build_free(&built);
    world_free(&world);
}

static void test_problems_of_a_dry_run(void **state)
{
    (void)state;
    static const char nobody[] = "{found, none, []}";
    expect_problem("{suspend, 5}", nobody, "noproc");
    expect_problem("#{action => {suspend, 5}, target => {application, nope}}", nobody, "noproc");
    expect_problem("#{action => {suspend, 5}, allow_missing => true}", nobody, "nil");
    expect_problem("#{action => {suspend, 5}, allow_missing => true}", "{failed, own_process}",
                   "own_process");
    expect_problem("{kill_children, []}", "{failed, not_a_supervisor}", "not_a_supervisor");
    expect_problem("{kill_children, []}",
                   "{found, {undefined, $o, c, app, c}, [{one, undefined, '', '', ''}]}", "noproc");
    expect_problem("{disconnect, [a@x, [b@x, c@x]], 5}", nobody, "nil");
    expect_problem("{apply, lists, nope, [1]}", "{failed, {error, undef}}", "{error, undef}");
}

static void test_nothing_to_do(void **state)
{
    (void)state;
    world_make(&world, "[]", "");
    assert_false(faults_refused(world.faults));
    assert_false(faults_plan(world.faults));
    world_observe(&world, 0, world.now_ns, world.now_ns, false);
    faults_abandon(world.faults);
    assert_false(faults_heal(world.faults));
    assert_false(faults_recovery(world.faults, world.now_ns).is_known);
    assert_false(faults_message(world.faults, TERM_ATOM("other")));
    world_expect_healed(&world, true);
    world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hold),
        cmocka_unit_test(test_what_is_left),
        cmocka_unit_test(test_healing),
        cmocka_unit_test(test_not_over_yet),
        cmocka_unit_test(test_giving_up),
        cmocka_unit_test(test_abandoning_while_it_is_looked_for),
        cmocka_unit_test(test_healing_now),
        cmocka_unit_test(test_crash),
        cmocka_unit_test(test_apply),
        cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_lost_before_it_starts),
        cmocka_unit_test(test_lost_while_it_looks),
        cmocka_unit_test(test_lost_before_it_acts),
        cmocka_unit_test(test_lost_while_it_acts),
        cmocka_unit_test(test_lost_while_it_holds),
        cmocka_unit_test(test_lost_while_it_heals),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_split_that_fails),
        cmocka_unit_test(test_schedule),
        cmocka_unit_test(test_what_is_not_drawn),
        cmocka_unit_test(test_what_is_pending_at_the_end),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_record_is_bounded),
        cmocka_unit_test(test_rounds),
        cmocka_unit_test(test_rounds_that_are_forbidden_midway),
        cmocka_unit_test(test_rounds_without_a_supervisor),
        cmocka_unit_test(test_what_is_missed),
        cmocka_unit_test(test_crashes_that_are_missed),
        cmocka_unit_test(test_missed_again_and_again),
        cmocka_unit_test(test_nothing_is_held),
        cmocka_unit_test(test_rounds_that_are_missed),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_refused_at_last),
        cmocka_unit_test(test_dry_run),
        cmocka_unit_test(test_problems_of_a_dry_run),
        cmocka_unit_test(test_nothing_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
