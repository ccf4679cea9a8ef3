/* What is not injected: because of what was found, or what is allowed; and dry runs, which say so before. */
#include "faults_acting.h"

static struct world world;

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
    world_make_acting(&world, "[{inject_crash, immediate}]");
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
    world_make_acting(&world, "{suspend, 50}");
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
        cmocka_unit_test(test_what_is_missed),         cmocka_unit_test(test_crashes_that_are_missed),
        cmocka_unit_test(test_missed_again_and_again), cmocka_unit_test(test_nothing_is_held),
        cmocka_unit_test(test_rounds_that_are_missed), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_refused_at_last),        cmocka_unit_test(test_dry_run),
        cmocka_unit_test(test_problems_of_a_dry_run),  cmocka_unit_test(test_nothing_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
