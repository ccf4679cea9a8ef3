#include "scenario_text.h"

#include "scenario/fault_kinds.h"

static const char *chaos(const char *value)
{
    static char text[600];
    snprintf(text, sizeof(text), "#{target => counter, threads => [[a]], chaos => %s}", value);
    return text;
}

static const struct fault_value *value_of(const struct scenario *scenario, enum fault_option_name name)
{
    return &scenario->actions[0].values[name];
}

static void test_crash(void **state)
{
    (void)state;
    struct scenario *scenario = read_good(chaos("{inject_crash, immediate}"));
    assert_null(scenario->chaos.data);
    assert_int_equal(scenario->action_count, 1);
    assert_false(scenario->actions_are_list);
    assert_string_equal(scenario->actions[0].kind->name, "inject_crash");
    assert_int_equal(scenario->actions[0].schedule.after_ms, 0);
    assert_int_equal(scenario->actions[0].schedule.times, 1);
    assert_true(scenario->actions[0].schedule.probability == 1);
    assert_false(scenario->actions[0].is_loose);
    assert_int_equal(scenario->actions[0].target.kind, FAULT_TARGET_SUBJECT);
    expect_term(value_of(scenario, FAULT_REASON)->term, "chaos_injection");
    scenario_free(scenario);

    scenario = read_good(chaos("{inject_crash, {after_ms, 120}, [{reason, {a, 1}}]}"));
    assert_int_equal(scenario->actions[0].schedule.after_ms, 120);
    assert_true(scenario->actions[0].is_loose);
    expect_term(value_of(scenario, FAULT_REASON)->term, "{a, 1}");
    scenario_free(scenario);

    scenario = read_good(chaos("{inject_crash, {random, 0}}"));
    assert_true(scenario->actions[0].schedule.probability == 0);
    scenario_free(scenario);
}

static void test_kill_children(void **state)
{
    (void)state;
    static const char *const plain[] = {"{kill_children}", "{kill_children, []}", "{kill_children, #{}}"};
    for (size_t i = 0; i < ARRAY_LENGTH(plain); i++) {
        struct scenario *scenario = read_good(chaos(plain[i]));
        assert_true(value_of(scenario, FAULT_KILL_RATE)->number == 0.3);
        assert_int_equal(value_of(scenario, FAULT_DURATION_MS)->integer, 5000);
        assert_int_equal(value_of(scenario, FAULT_KILL_INTERVAL_MS)->integer, 100);
        expect_term(value_of(scenario, FAULT_KILL_REASON)->term, "kill");
        scenario_free(scenario);
    }
    struct scenario *scenario = read_good(chaos("{kill_children, [{kill_rate, 1}, {duration_ms, 0},"
                                                " {kill_interval_ms, 7}, {kill_reason, boo},"
                                                " {kill_rate, 0}]}"));
    assert_true(value_of(scenario, FAULT_KILL_RATE)->number == 1); /* the first counts */
    assert_int_equal(value_of(scenario, FAULT_DURATION_MS)->integer, 0);
    assert_int_equal(value_of(scenario, FAULT_KILL_INTERVAL_MS)->integer, 7);
    expect_term(value_of(scenario, FAULT_KILL_REASON)->term, "boo");
    scenario_free(scenario);
}

static void test_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *name;
        const char *resource;
        enum fault_option_name option;
        int64_t value;
    } rows[] = {
        {"{suspend, 50}", "suspend", NULL, FAULT_DURATION_MS, 50},
        {"{flood, []}", "flood", NULL, FAULT_COUNT, 1000},
        {"{flood, [{count, 5}, {message, {m}}]}", "flood", NULL, FAULT_COUNT, 5},
        {"{garbage_collect, []}", "garbage_collect", NULL, FAULT_COUNT, 0},
        {"{exhaust, process_limit, [{spawn_count, 9}]}", "exhaust", "process_limit", FAULT_SPAWN_COUNT, 9},
        {"{exhaust, ets_tables}", "exhaust", "ets_tables", FAULT_COUNT, 50},
        {"{exhaust, memory, []}", "exhaust", "memory", FAULT_SIZE_MB, 10},
        {"{exhaust, ports, [{count, 3}, {duration_ms, 9}]}", "exhaust", "ports", FAULT_COUNT, 3},
        {"{burn_cpu, [{schedulers, 2}]}", "burn_cpu", NULL, FAULT_SCHEDULERS, 2},
        {"{burn_cpu, []}", "burn_cpu", NULL, FAULT_DURATION_MS, 1000},
        {"{disconnect, [a@x, b@x], 30}", "disconnect", NULL, FAULT_DURATION_MS, 30},
        {"{disconnect, [[a@x, c@x], b@x], 30}", "disconnect", NULL, FAULT_DURATION_MS, 30},
        {"{halt_node, a@x}", "halt_node", NULL, FAULT_NODE, 0},
        {"{apply, erlang, node, []}", "apply", NULL, FAULT_MODULE, 0},
        {"{apply, erlang, display, \"ab\"}", "apply", NULL, FAULT_MODULE, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct scenario *scenario = read_good(chaos(rows[i].text));
        const struct fault_kind *kind = scenario->actions[0].kind;
        assert_string_equal(kind->name, rows[i].name);
        if (rows[i].resource)
            assert_string_equal(kind->resource, rows[i].resource);
        assert_int_equal(value_of(scenario, rows[i].option)->integer, rows[i].value);
        scenario_free(scenario);
    }
    struct scenario *scenario = read_good(chaos("{exhaust, process_limit, []}"));
    assert_true(value_of(scenario, FAULT_PERCENTAGE)->number == 0.05);
    assert_false(value_of(scenario, FAULT_SPAWN_COUNT)->given);
    assert_int_equal(fault_held_ms(&scenario->actions[0]), FAULT_HELD_AT_MOST_MS);
    scenario_free(scenario);
}

/* What an agent is told. */
static void test_requests(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *request;
    } rows[] = {
        {"{inject_crash, immediate}", "{crash, [p], chaos_injection}"},
        {"{kill_children}", "{crash, [p], kill}"},
        {"{suspend, 50}", "{suspend, [p]}"},
        {"{flood, [{count, 5}]}", "{flood, [p], 5, harnessd_flood}"},
        {"{garbage_collect, []}", "{garbage_collect, [p]}"},
        {"{exhaust, process_limit, []}", "{processes, 500}"},
        {"{exhaust, process_limit, [{percentage, 1}]}", "{processes, 10000}"},
        {"{exhaust, process_limit, [{percentage, 1}, {spawn_count, 3}]}", "{processes, 3}"},
        {"{exhaust, ets_tables}", "{tables, 50}"},
        {"{exhaust, memory, [{size_mb, 2}]}", "{memory, 2}"},
        {"{exhaust, ports}", "{ports, 50}"},
        {"{burn_cpu, []}", "{burn, 0}"},
        {"{burn_cpu, [{schedulers, 3}]}", "{burn, 3}"},
        {"{halt_node, a@x}", "{halt}"},
        {"{apply, m, f, [a, 1]}", "{apply, m, f, [a, 1]}"},
    };
    struct term_builder pids = {0};
    struct term list = term_from_text(&pids, "[p]");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct scenario *scenario = read_good(chaos(rows[i].text));
        struct term_builder request = {0};
        struct term term;
        scenario->actions[0].kind->build(&scenario->actions[0], list, &request);
        assert_true(term_build_done(&request, &term));
        expect_term(term, rows[i].request);
        term_build_free(&request);
        scenario_free(scenario);
    }
    term_build_free(&pids);
}

static void test_schedule(void **state)
{
    (void)state;
    struct scenario *scenario =
        read_good(chaos("[#{action => {suspend, 5}, after_ms => 10, every_ms => 20, times => 3,"
                        " jitter_ms => 4, probability => 1, target => worker},"
                        " {inject_crash, immediate},"
                        " #{action => {inject_crash, {after_ms, 7}}, after_ms => 30,"
                        "   every_ms => 9},"
                        " #{action => {suspend, 1}, after_ms => nil, times => nil,"
                        "   target => nil}]"));
    const struct fault_action *actions = scenario->actions;
    assert_int_equal(scenario->action_count, 4);
    assert_true(scenario->actions_are_list);
    assert_int_equal(actions[0].schedule.after_ms, 10);
    assert_int_equal(actions[0].schedule.every_ms, 20);
    assert_int_equal(actions[0].schedule.times, 3);
    assert_int_equal(actions[0].schedule.jitter_ms, 4);
    assert_false(actions[0].is_loose);
    assert_int_equal(actions[0].target.kind, FAULT_TARGET_PROCESS);
    assert_string_equal(actions[0].target.spec.node, CALLER);
    assert_false(actions[1].is_scheduled);
    assert_int_equal(actions[2].schedule.after_ms, 37); /* the term's delay and the map's */
    assert_true(actions[2].schedule.times == OCCURRENCES_ENDLESS);
    assert_true(actions[2].is_loose);
    assert_int_equal(actions[3].schedule.times, 1);
    assert_int_equal(actions[3].target.kind, FAULT_TARGET_SUBJECT);
    scenario_free(scenario);

    scenario = read_good(chaos("[]"));
    assert_int_equal(scenario->action_count, 0);
    scenario_free(scenario);
    scenario = read_good(chaos("#{action => {suspend, 1}}"));
    assert_int_equal(scenario->action_count, 1);
    assert_false(scenario->actions_are_list);
    scenario_free(scenario);
}

static void test_targets(void **state)
{
    (void)state;
    static const struct {
        const char *target;
        enum fault_target_kind kind;
        const char *node;
    } rows[] = {
        {"$p", FAULT_TARGET_PROCESS, "app@target"},
        {"worker", FAULT_TARGET_PROCESS, CALLER},
        {"{worker, app@x}", FAULT_TARGET_PROCESS, "app@x"},
        {"{global, w}", FAULT_TARGET_PROCESS, CALLER},
        {"{children, sup}", FAULT_TARGET_CHILDREN, CALLER},
        {"{children, {sup, app@x}}", FAULT_TARGET_CHILDREN, "app@x"},
        {"{child, $p}", FAULT_TARGET_CHILD, "app@target"},
        {"{application, shop}", FAULT_TARGET_APPLICATION, CALLER},
        {"{application, shop, app@x}", FAULT_TARGET_APPLICATION, "app@x"},
        {"{module, 'Elixir.Shop', app@x}", FAULT_TARGET_MODULE, "app@x"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char text[300];
        snprintf(text, sizeof(text), "[#{action => {suspend, 5}, target => %s}]", rows[i].target);
        struct scenario *scenario = read_good(chaos(text));
        assert_int_equal(scenario->actions[0].target.kind, rows[i].kind);
        assert_string_equal(scenario->actions[0].target.spec.node, rows[i].node);
        scenario_free(scenario);
    }
    struct scenario *scenario = read_good(chaos("[#{action => {burn_cpu, []}, target => {node, app@x}}]"));
    assert_int_equal(scenario->actions[0].target.kind, FAULT_TARGET_ON_NODE);
    assert_string_equal(scenario->actions[0].target.spec.node, "app@x");
    scenario_free(scenario);
}

/* A hook whose module has the name of a kind is none. */
static void test_hooks_beside_terms(void **state)
{
    (void)state;
    struct scenario *scenario = read_good(chaos("{m, f, [x]}"));
    assert_non_null(scenario->chaos.data);
    assert_int_equal(scenario->action_count, 0);
    scenario_free(scenario);
    scenario = read_good(chaos("{exhaust, memory, []}"));
    assert_null(scenario->chaos.data);
    assert_int_equal(scenario->action_count, 1);
    scenario_free(scenario);
}

struct bad_chaos {
    const char *chaos;
    const char *path;
    const char *problem;
    const char *message;
};

static void expect_bad(const struct bad_chaos *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char problem[300];
        snprintf(problem, sizeof(problem), "#{path => [%s],problem => %s,message => <<\"%s", rows[i].path,
                 rows[i].problem, rows[i].message);
        EXPECT_PROBLEMS(chaos(rows[i].chaos), problem);
    }
}

static void test_bad_terms(void **state)
{
    (void)state;
    static const struct bad_chaos rows[] = {
        {"7", "chaos", "invalid_action", "7 is not a chaos term"},
        {"true", "chaos", "invalid_action", ""},
        {"{m, f}", "chaos", "invalid_action", ""},
        {"{}", "chaos", "invalid_action", ""},
        {"{inject_crsh, immediate}", "chaos", "invalid_action",
         "{inject_crsh,immediate} is not a chaos term; did you mean inject_crash"},
        {"{crash, immediate}", "chaos", "invalid_action",
         "{crash,immediate} is not a chaos term; did you mean inject_crash"},
        {"{inject_crash}", "chaos", "invalid_action", "inject_crash takes 1 arguments and options"},
        {"{suspend, 5, []}", "chaos", "invalid_action", "suspend takes 1 arguments, got"},
        {"{inject_crash, later}", "chaos,spec", "invalid_action", "must be :immediate"},
        {"{inject_crash, {after_ms, x}}", "chaos,spec", "wrong_type", ""},
        {"{inject_crash, {random, 2}}", "chaos,spec", "out_of_range", ""},
        {"{inject_crash, immediate, [{raeson, a}]}", "chaos,raeson", "unknown_key",
         "is not a key of inject_crash; did you mean reason?"},
        {"{inject_crash, immediate, a}", "chaos", "wrong_type", ""},
        {"{kill_children, [{kill_rate, 2}]}", "chaos,kill_rate", "out_of_range", ""},
        {"{kill_children, [{kill_interval_ms, 0}]}", "chaos,kill_interval_ms", "out_of_range", ""},
        {"{suspend, 0}", "chaos,duration_ms", "out_of_range", ""},
        {"{suspend, a}", "chaos,duration_ms", "wrong_type", ""},
        {"{exhaust, disk, []}", "chaos", "invalid_action", "exhaust needs :process_limit"},
        {"{exhaust, memory, [{count, 1}]}", "chaos,count", "unknown_key", ""},
        {"{exhaust, memory, [{size_mb, 0}]}", "chaos,size_mb", "out_of_range", ""},
        {"{disconnect, [a@x], 5}", "chaos,nodes", "wrong_type", ""},
        {"{disconnect, [a@x, a@x], 5}", "chaos,nodes", "conflict", ""},
        {"{disconnect, [[a@x, b@x], [c@x, b@x]], 5}", "chaos,nodes", "conflict", ""},
        {"{disconnect, [a@x, b], 5}", "chaos,nodes", "wrong_type", ""},
        {"{disconnect, [a@x, " OWN "], 5}", "chaos,nodes", "wrong_type", ""},
        {"{halt_node, here}", "chaos,node", "wrong_type", ""},
        {"{apply, m, f, x}", "chaos,arguments", "wrong_type", ""},
        {"{apply, 1, f, []}", "chaos,module", "wrong_type", ""},
        {"[x]", "chaos,0", "invalid_action", ""},
        {"[{suspend, 5} | x]", "chaos", "wrong_type", ""},
    };
    expect_bad(rows, ARRAY_LENGTH(rows));
}

static void test_bad_schedules_and_targets(void **state)
{
    (void)state;
    static const struct bad_chaos rows[] = {
        {"[#{after_ms => 5}]", "chaos,0,action", "required", ""},
        {"[#{action => {suspend, 5}, afetr_ms => 1}]", "chaos,0,afetr_ms", "unknown_key",
         "is not a key of scheduled actions; did you mean after_ms?"},
        {"[#{action => {suspend, 5}, after_ms => -1}]", "chaos,0,after_ms", "out_of_range", ""},
        {"[#{action => {suspend, 5}, every_ms => 0}]", "chaos,0,every_ms", "out_of_range", ""},
        {"[#{action => {suspend, 5}, allow_missing => perhaps}]", "chaos,0,allow_missing", "wrong_type", ""},
        {"[#{action => {suspend, 5}, times => 2}]", "chaos,0,times", "conflict", "needs every_ms"},
        {"[#{action => {suspend, 5}, probability => 7}]", "chaos,0,probability", "out_of_range", ""},
        {"[#{action => {suspend, 5}, target => 7}]", "chaos,0,target", "invalid_target", ""},
        {"[#{action => {suspend, 5}, target => $o}]", "chaos,0,target", "invalid_target", ""},
        {"[#{action => {suspend, 5}, target => {node, a@x}}]", "chaos,0,target", "invalid_target", ""},
        {"[#{action => {kill_children}, target => {children, s}}]", "chaos,0,target", "invalid_target", ""},
        {"[#{action => {halt_node, a@x}, target => w}]", "chaos,0,target", "conflict", ""},
        {"[#{action => {suspend, 5}, target => {module, m, here}}]", "chaos,0,target", "wrong_type", ""},
        {"[#{action => {suspend, 5}, target => {children, s, a@x}}]", "chaos,0,target", "invalid_target", ""},
    };
    expect_bad(rows, ARRAY_LENGTH(rows));
}

static void test_steady_state_and_dry_run(void **state)
{
    (void)state;
    struct scenario *scenario = read_good("#{target => counter, threads => [[a]], steady_state => $2,"
                                          " dry_run => true}");
    assert_int_equal(scenario->steady_state.data[0], TERM_TAG_EXPORT);
    assert_true(scenario->dry_run);
    scenario_free(scenario);
    EXPECT_PROBLEMS("#{target => counter, threads => [[a]], steady_state => $1, dry_run => 1}",
                    PROBLEM("steady_state", "wrong_type", "must be a fun of arity 2"),
                    PROBLEM("dry_run", "wrong_type", "must be true or false"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crash),
        cmocka_unit_test(test_kill_children),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_schedule),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_bad_terms),
        cmocka_unit_test(test_bad_schedules_and_targets),
        cmocka_unit_test(test_hooks_beside_terms),
        cmocka_unit_test(test_steady_state_and_dry_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
