#include "scenario_text.h"

static void test_smallest(void **state)
{
    (void)state;
    struct scenario *scenario = read_good("#{target => counter, threads => [[increment]]}");
    assert_int_equal(scenario->target_count, 1);
    assert_false(scenario->target_is_list);
    assert_int_equal(scenario->targets[0].kind, TARGET_NAME);
    assert_string_equal(scenario->targets[0].node, CALLER);
    expect_term(scenario->targets[0].name, "counter");
    expect_term(scenario->targets[0].server, "counter");
    assert_int_equal(scenario->thread_count, 1);
    assert_int_equal(scenario->operation_count, 1);
    assert_int_equal(scenario->operations[0].kind, OPERATION_CALL);
    expect_term(scenario->operations[0].message, "increment");
    assert_int_equal(scenario->default_operation, OPERATION_CALL);
    assert_int_equal(scenario->timeout_ms, 5000);
    assert_int_equal(scenario->call_timeout_ms, 1000);
    expect_term(scenario->cast_sync_message, "'__supertester_sync__'");
    expect_term(scenario->metadata, "#{}");
    assert_int_equal(scenario->events_policy, EVENTS_ALL);
    assert_int_equal(scenario->hook_timeout_ms, 5000);
    assert_string_equal(scenario->hooks_node, CALLER);
    assert_null(scenario->setup.data);
    assert_null(scenario->cleanup.data);
    assert_null(scenario->invariant.data);
    assert_null(scenario->chaos.data);
    assert_false(scenario->strict_cast_sync);
    assert_false(scenario->has_custom_operations);
    assert_int_equal(scenario->mailbox_interval_ms, 0);
    assert_int_equal(scenario->expectations.count, 0);
    scenario_free(scenario);
}

static const char *const shapes[] = {
    "#{target => {counter, app@x}, threads => [[a], [{cast, b}]], timeout_ms => 7}",
    "[{target, {counter, app@x}}, {threads, [[a], [{cast, b}]]}, {timeout_ms, 7}]",
    "#{'__struct__' => 'Elixir.Supertester.ConcurrentHarness.Scenario', target => {counter, app@x},"
    " threads => [[a], [{cast, b}]], timeout_ms => 7}",
    /* The first of a key that comes twice in a keyword list counts. */
    "[{timeout_ms, 7}, {target, {counter, app@x}}, {target, other}, {threads, [[a], [{cast, b}]]},"
    " {timeout_ms, wrong}]",
};

static void test_shapes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(shapes); i++) {
        struct scenario *scenario = read_good(shapes[i]);
        struct term_builder builder = {0};
        struct term term;
        scenario_term_build(scenario, &builder);
        assert_true(term_build_done(&builder, &term));
        expect_term(term,
                    "#{setup => nil, target => {counter, app@x}, default_operation => call,"
                    " threads => [[{call, a}], [{cast, b}]], load => nil, operations => nil, mix => nil,"
                    " spread => round_robin, timeout_ms => 7, call_timeout_ms => 1000,"
                    " hook_timeout_ms => 5000, cast_sync_message => '__supertester_sync__',"
                    " 'strict_cast_sync?' => false, invariant => nil, cleanup => nil, thread_setup => nil,"
                    " thread_cleanup => nil, mailbox => nil,"
                    " steady_state => nil, chaos => nil, dry_run => false, performance_expectations => [], "
                    "abort_when => [],"
                    " warmup_ms => 1000, recovery_wait_ms => 0, explain => false, metadata => #{}, events => "
                    "all, seed => nil,"
                    " hooks_node => app@caller}");
        term_build_free(&builder);
        scenario_free(scenario);
    }
}

/* What the library's struct holds in the keys that its user did not set. */
static void test_values_that_say_nothing(void **state)
{
    (void)state;
    scenario_free(read_good("#{'__struct__' => 'Elixir.Supertester.ConcurrentHarness.Scenario',"
                            " target => counter, threads => [[a]], setup => nil, cleanup => nil,"
                            " default_operation => call, mailbox => nil, chaos => nil,"
                            " 'strict_cast_sync?' => false, performance_expectations => [],"
                            " metadata => #{}}"));
    scenario_free(read_good("#{target => counter, threads => [[a]], metadata => nil, load => nil,"
                            " abort_when => [], dry_run => false, invariant => nil, hooks_node => nil,"
                            " performance_expectations => nil}"));
}

/* The normalised form with these keys is that without them. */
static void expect_not_given(const char *keys, const char *without)
{
    struct term_builder forms[2] = {0};
    char text[2000];
    const char *const given[] = {keys, without};
    for (size_t i = 0; i < ARRAY_LENGTH(given); i++) {
        snprintf(text, sizeof(text), "#{target => c, %s}", given[i]);
        struct scenario *scenario = read_good(text);
        scenario_term_build(scenario, &forms[i]);
        scenario_free(scenario);
    }
    struct term terms[2] = {term_built(&forms[0]), term_built(&forms[1])};
    if (!term_same(terms[0], terms[1]))
        fail_msg("%s is not %s", keys, without);
    term_build_free(&forms[0]);
    term_build_free(&forms[1]);
}

/* What is nil is not given, whatever the key. */
static void test_nil_is_not_given(void **state)
{
    (void)state;
    static const struct {
        const char *keys;
        const char *without;
    } rows[] = {
        {"threads => [[a]], load => nil, operations => nil, mix => nil, events => nil, timeout_ms => nil,"
         " call_timeout_ms => nil, hook_timeout_ms => nil, default_operation => nil, warmup_ms => nil,"
         " recovery_wait_ms => nil, explain => nil, 'strict_cast_sync?' => nil, spread => nil, seed => nil, "
         "dry_run => nil,"
         " metadata => nil, abort_when => nil, performance_expectations => nil, mailbox => nil, chaos => nil,"
         " setup => nil, invariant => nil, cleanup => nil, thread_setup => nil, thread_cleanup => nil,"
         " steady_state => nil, hooks_node => nil",
         "threads => [[a]]"},
        {"operations => [a], events => nil, timeout_ms => nil, load => #{rate => 5, duration_ms => 70,"
         " threads => nil, stages => nil, iterations => nil, think_ms => nil, arrival => nil,"
         " max_in_flight => nil, max_queued => nil, ramp => nil}",
         "operations => [a], load => #{rate => 5, duration_ms => 70}"},
        {"operations => [a], load => #{rate => nil, threads => 2, iterations => 3, duration_ms => nil}",
         "operations => [a], load => #{threads => 2, iterations => 3}"},
        {"operations => [a], load => #{ramp => nil, stages => [#{duration_ms => 5, threads => 3}]}",
         "operations => [a], load => #{stages => [#{duration_ms => 5, threads => 3}]}"},
        {"load => #{threads => 2, iterations => 3}, mix => [#{weight => 1, op => a, name => nil}]",
         "load => #{threads => 2, iterations => 3}, mix => [#{weight => 1, op => a}]"},
        {"threads => [[a]], chaos => #{action => {suspend, 1}, after_ms => nil, every_ms => nil, times => "
         "nil,"
         " jitter_ms => nil, probability => nil, target => nil, allow_missing => nil}",
         "threads => [[a]], chaos => #{action => {suspend, 1}}"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        expect_not_given(rows[i].keys, rows[i].without);
    EXPECT_PROBLEMS("[{target, c}, {load, [{threads, 1}, {duration_ms, nil}, {duration_ms, 5}]},"
                    " {mix, [[{weight, nil}, {op, a}]]}, {chaos, #{action => nil}}]",
                    PROBLEM("load,duration_ms", "required", ""), PROBLEM("mix,0,weight", "required", ""),
                    PROBLEM("chaos,action", "required", ""));
    EXPECT_PROBLEMS(
        "#{target => c, operations => [a], load => #{stages => [[{duration_ms, nil}, {rate, nil}]]}}",
        PROBLEM("load,stages,0,duration_ms", "required", ""),
        PROBLEM("load,stages,0,threads", "required", ""), PROBLEM("load,stages,0,rate", "unknown_key", ""),
        PROBLEM("load,stages", "out_of_range", ""));
}

static void test_targets(void **state)
{
    (void)state;
    static const struct {
        const char *target;
        enum target_kind kind;
        const char *node;
        const char *name; /* NULL: none */
        const char *module;
    } rows[] = {
        {"$p", TARGET_PID, "app@target", NULL, ""},
        {"counter", TARGET_NAME, CALLER, "counter", ""},
        {"'Elixir.My.Server'", TARGET_NAME, CALLER, "'Elixir.My.Server'", ""},
        {"via", TARGET_NAME, CALLER, "via", ""},
        {"global", TARGET_NAME, CALLER, "global", ""},
        {"{counter, app@x}", TARGET_NAME, "app@x", "counter", ""},
        {"{via, app@x}", TARGET_NAME, "app@x", "via", ""},
        {"{global, name}", TARGET_GLOBAL, CALLER, "name", "global"},
        {"{global, {a, 1}}", TARGET_GLOBAL, CALLER, "{a, 1}", "global"},
        {"{via, 'Elixir.Registry', {reg, 7}}", TARGET_VIA, CALLER, "{reg, 7}", "Elixir.Registry"},
        {"{children, sup}", TARGET_CHILDREN, CALLER, "sup", ""},
        {"{children, {sup, app@x}}", TARGET_CHILDREN, "app@x", "sup", ""},
        {"{children, $p}", TARGET_CHILDREN, "app@target", "$p", ""},
        {"{children, {global, a}}", TARGET_CHILDREN, CALLER, "{global, a}", "global"},
        {"{children, app@x}", TARGET_NAME, "app@x", "children", ""},
        {"{pg, group}", TARGET_PG, CALLER, "group", "pg"},
        {"{pg, scope, {a, 1}}", TARGET_PG, CALLER, "{a, 1}", "scope"},
        {"{pg, app@x}", TARGET_NAME, "app@x", "pg", ""},
        {"{find, $0}", TARGET_FIND, CALLER, "$0", ""},
        {"{find, {m, f, []}}", TARGET_FIND, CALLER, "{m, f, []}", ""},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        for (int listed = 0; listed < 2; listed++) {
            char text[200];
            snprintf(text, sizeof(text), "#{target => %s%s%s, threads => [[a]]}", listed ? "[" : "",
                     rows[i].target, listed ? ", counter]" : "");
            struct scenario *scenario = read_good(text);
            const struct target_spec *target = &scenario->targets[0];
            assert_int_equal(scenario->target_is_list, listed);
            assert_int_equal(scenario->target_count, 1 + listed);
            assert_int_equal(target->kind, rows[i].kind);
            assert_string_equal(target->node, rows[i].node);
            assert_string_equal(target->module, rows[i].module);
            expect_term(target->server, rows[i].target);
            assert_int_equal(target->name.data != NULL, rows[i].name != NULL);
            if (rows[i].name)
                expect_term(target->name, rows[i].name);
            scenario_free(scenario);
        }
    }
}

static void test_bad_targets(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "undefined",    "7",           "\"\\001\"",      "<<\"counter\">>",
        "{}",           "{counter}",   "{counter, 7}",   "{7, app@x}",
        "{nil, app@x}", "{via, 7, x}", "{global, a, b}", "#{}",
        "$1",           "$o",
    };
    static const char *const nodes[] = {"nowhere", "'app@x@y'", "harness@own"};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char text[200];
        bool is_string = rows[i][0] == '"';
        snprintf(text, sizeof(text), "#{target => %s, threads => [[a]]}", rows[i]);
        EXPECT_PROBLEMS(text, is_string ? PROBLEM("target,0", "invalid_target", "")
                                        : PROBLEM("target", "invalid_target", ""));
        snprintf(text, sizeof(text), "#{target => [counter, %s], threads => [[a]]}", rows[i]);
        EXPECT_PROBLEMS(text, PROBLEM("target,1", "invalid_target", ""));
    }
    for (size_t i = 0; i < ARRAY_LENGTH(nodes); i++) {
        char text[200];
        snprintf(text, sizeof(text), "#{target => [counter, {counter, %s}], threads => [[a]]}", nodes[i]);
        EXPECT_PROBLEMS(text, PROBLEM("target,1,node", "invalid_target", ""));
    }
    EXPECT_PROBLEMS("#{target => {via, mod}, threads => [[a]]}",
                    PROBLEM("target,node", "invalid_target", "mod cannot be the name of a node"));
    EXPECT_PROBLEMS("#{target => nil, threads => [[a]]}", PROBLEM("setup", "required", ""));
    EXPECT_PROBLEMS("#{target => [nil], threads => [[a]]}", PROBLEM("target,0", "invalid_target", ""));
    EXPECT_PROBLEMS("#{target => [], threads => [[a]]}", PROBLEM("target", "empty", ""));
    EXPECT_PROBLEMS("#{target => [7, a, 8], threads => [[a]]}", PROBLEM("target,0", "invalid_target", ""),
                    PROBLEM("target,2", "invalid_target", ""));
}

static void test_improper_target_list(void **state)
{
    (void)state;
    EXPECT_PROBLEMS("#{target => [a|b], threads => [[a]]}", PROBLEM("target", "wrong_type", ""));
}

static void test_many_targets(void **state)
{
    (void)state;
    for (size_t count = 10000; count <= 10001; count++) {
        struct term_builder builder = {0};
        struct problems problems;
        struct term term;
        term_build_map(&builder, 2);
        term_build_key(&builder, "threads");
        term_build_list(&builder, 1);
        term_build_atom(&builder, "a");
        term_build_nil(&builder);
        term_build_key(&builder, "target");
        term_build_list(&builder, count);
        for (size_t i = 0; i < count; i++)
            term_build_atom(&builder, "c");
        term_build_nil(&builder);
        assert_true(term_build_done(&builder, &term));
        struct scenario *scenario = read_term(term, &problems);
        assert_int_equal(scenario != NULL, count <= 10000);
        scenario_free(scenario);
        problems_free(&problems);
        term_build_free(&builder);
    }
}

static void expect_script(const struct scenario *scenario, size_t thread, size_t count,
                          const char *const *operations)
{
    assert_int_equal(scenario->threads[thread].count, count);
    for (size_t i = 0; i < count; i++) {
        struct term_builder builder = {0};
        struct term term;
        const struct operation *operation = &scenario->operations[scenario->threads[thread].first + i];
        operation_build(operation, operation->message, &builder);
        assert_true(term_build_done(&builder, &term));
        expect_term(term, operations[i]);
        term_build_free(&builder);
    }
}

#define EXPECT_SCRIPT(scenario, thread, ...)                                                                 \
    expect_script(scenario, thread, ARRAY_LENGTH(((const char *const[]){__VA_ARGS__})),                      \
                  (const char *const[]){__VA_ARGS__})

static void test_operations(void **state)
{
    (void)state;
    struct scenario *scenario =
        read_good("#{target => c, threads => [[{call, a}, {cast, {b, 1}}, bare, {call, x, y}, {other, z}, 5,"
                  " <<\"bytes\">>, #{}, {call, {cast, q}}, [list], []], one, [], [{cast, {custom, $1}}], nil,"
                  " [nil]]}");
    assert_int_equal(scenario->thread_count, 6);
    EXPECT_SCRIPT(scenario, 0, "{call, a}", "{cast, {b, 1}}", "{call, bare}", "{call, {call, x, y}}",
                  "{call, {other, z}}", "{call, 5}", "{call, <<\"bytes\">>}", "{call, #{}}",
                  "{call, {cast, q}}", "{call, [list]}", "{call, []}");
    EXPECT_SCRIPT(scenario, 1, "{call, one}"); /* a script that is no list is one operation */
    assert_int_equal(scenario->threads[2].count, 0);
    EXPECT_SCRIPT(scenario, 3, "{cast, {custom, $1}}");
    assert_int_equal(scenario->threads[4].count, 0); /* as none at all */
    EXPECT_SCRIPT(scenario, 5, "{call, nil}");
    scenario_free(scenario);
}

static void test_own_operations(void **state)
{
    (void)state;
    struct scenario *scenario = read_good(
        "#{target => c, threads => [[$1, {custom, $1}, {custom, {m, f, [a]}}, {call, $1}], $2,"
        " [{'$send', {a, 1}}, {'$cast', b}, {'$sleep', 5}, $0, $3, {m, f, []}, {call, {'$sleep', x}},"
        " {'$sleep', 1, 2}, {'$other', 1}]], default_operation => cast}");
    assert_true(scenario->has_custom_operations);
    EXPECT_SCRIPT(scenario, 0, "custom", "custom", "custom", "{call, $1}");
    EXPECT_SCRIPT(scenario, 1, "custom");
    EXPECT_SCRIPT(scenario, 2, "{'$send', {a, 1}}", "{'$cast', b}", "{'$sleep', 5}", "{cast, $0}",
                  "{cast, $3}", "{cast, {m, f, []}}", "{call, {'$sleep', x}}", "{cast, {'$sleep', 1, 2}}",
                  "{cast, {'$other', 1}}");
    expect_term(scenario->operations[0].message, "$1");
    expect_term(scenario->operations[2].message, "{m, f, [a]}");
    size_t sleep = scenario->threads[2].first + 2;
    assert_int_equal(scenario->operations[sleep].kind, OPERATION_SLEEP);
    assert_int_equal(scenario->operations[sleep].sleep_ms, 5);
    scenario_free(scenario);
}

static void test_named_operations(void **state)
{
    (void)state;
    struct scenario *scenario = read_good(
        "#{target => c, threads => [[#{op => a}, #{op => {cast, b}, name => n}, #{op => $2, name => {x, 1}},"
        " #{op => {call, c}, expect => {ok, '_'}}, #{op => d, expect => '_', name => nil},"
        " {call, #{op => e, other => 1}}, #{no => op}, [{op, f}]]], thread_setup => $1, thread_cleanup => "
        "$1}");
    EXPECT_SCRIPT(scenario, 0, "{call, a}", "{cast, b}", "custom", "{call, c}", "{call, d}",
                  "{call, #{op => e, other => 1}}", "{call, #{no => op}}", "{call, [{op, f}]}");
    static const char *const names[] = {NULL, "n", "{x, 1}", NULL, NULL, NULL, NULL, NULL};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        const struct operation *operation = &scenario->operations[i];
        assert_int_equal(operation->name.data != NULL, names[i] != NULL);
        if (names[i])
            expect_term(operation->name, names[i]);
        assert_int_equal(operation->expect.data != NULL, i == 3);
    }
    expect_term(scenario->operations[3].expect, "{ok, '_'}");
    expect_term(scenario->thread_setup, "$1");
    expect_term(scenario->thread_cleanup, "$1");
    scenario_free(scenario);

    scenario = read_good("#{target => c, load => #{threads => 1, iterations => 1},"
                         " mix => [#{weight => 1, op => #{op => a, name => x}, expect => ok},"
                         " #{weight => 2, op => b, name => y}]}");
    expect_term(scenario->operations[0].name, "x");
    expect_term(scenario->operations[0].expect, "ok");
    expect_term(scenario->operations[1].name, "y");
    scenario_free(scenario);

    EXPECT_PROBLEMS(
        "#{target => c, threads => [[#{op => #{op => a}, name => n}, #{op => {'$sleep', 1}, expect => ok},"
        " #{op => {custom, x}, name => y, expect => 1}, #{op => a, names => n}]],"
        " thread_setup => $2, thread_cleanup => $0}",
        PROBLEM("threads,0,0,op", "invalid_operation", "must be an operation that"),
        PROBLEM("threads,0,1,expect", "conflict", "has no reply"),
        PROBLEM("threads,0,2,op", "invalid_operation", "{:custom, _} needs a fun of arity 1 or 2"),
        PROBLEM("threads,0,3,names", "unknown_key", "is not a key of operations with a name"),
        PROBLEM("thread_setup", "wrong_type", "must be a fun of arity 1"),
        PROBLEM("thread_cleanup", "wrong_type", "must be a fun of arity 1"));
    EXPECT_PROBLEMS("#{target => c, threads => [[a]], thread_cleanup => $1}",
                    PROBLEM("thread_cleanup", "conflict", "needs thread_setup"));
}

/* Where any term is a value, nil is one. */
static void test_nil_is_a_term(void **state)
{
    (void)state;
    struct scenario *scenario = read_good("#{target => c, cast_sync_message => nil,"
                                          " threads => [nil, [nil, #{op => nil, expect => nil}]]}");
    expect_term(scenario->cast_sync_message, "nil");
    assert_int_equal(scenario->threads[0].count, 0);
    EXPECT_SCRIPT(scenario, 1, "{call, nil}", "{call, nil}");
    expect_term(scenario->operations[1].expect, "nil");
    scenario_free(scenario);
}

static void test_default_operation(void **state)
{
    (void)state;
    struct scenario *scenario =
        read_good("[{target, c}, {threads, [[a, {call, b}], 7]}, {default_operation, cast}]");
    EXPECT_SCRIPT(scenario, 0, "{cast, a}", "{call, b}");
    EXPECT_SCRIPT(scenario, 1, "{cast, 7}");
    scenario_free(scenario);
}

/* A list of small integers comes as a string. */
static void test_strings(void **state)
{
    (void)state;
    struct scenario *scenario = read_good("#{target => c, threads => [\"\\001\\002\\377\", [\"\\005\"]]}");
    EXPECT_SCRIPT(scenario, 0, "{call, 1}", "{call, 2}", "{call, 255}");
    EXPECT_SCRIPT(scenario, 1, "{call, \"\\005\"}");
    scenario_free(scenario);
    scenario = read_good("#{target => c, threads => \"\\007\\010\"}"); /* scripts of one operation each */
    assert_int_equal(scenario->thread_count, 2);
    EXPECT_SCRIPT(scenario, 0, "{call, 7}");
    EXPECT_SCRIPT(scenario, 1, "{call, 8}");
    scenario_free(scenario);
}

static void test_bad_threads(void **state)
{
    (void)state;
    EXPECT_PROBLEMS("#{target => c, threads => []}", PROBLEM("threads", "empty", ""));
    EXPECT_PROBLEMS("#{target => c, threads => many}", PROBLEM("threads", "wrong_type", ""));
    EXPECT_PROBLEMS("#{target => c, threads => #{}}", PROBLEM("threads", "wrong_type", ""));
    EXPECT_PROBLEMS("#{target => c, threads => [[a]|b]}", PROBLEM("threads", "wrong_type", ""));
    EXPECT_PROBLEMS("#{target => c, threads => [[a], [a, b|c]]}", PROBLEM("threads,1", "wrong_type", ""));
    static const char *const customs[] = {"$0", "$3", "a", "7", "{m, f}", "{m, f, a}", "{7, f, []}", "$p"};
    for (size_t i = 0; i < ARRAY_LENGTH(customs); i++) {
        char text[200];
        snprintf(text, sizeof(text), "#{target => c, threads => [[a, {custom, %s}]]}", customs[i]);
        EXPECT_PROBLEMS(text,
                        PROBLEM("threads,0,1", "invalid_operation", "{:custom, _} needs a fun of arity 1"));
        snprintf(text, sizeof(text), "#{target => c, threads => [a, {custom, %s}]}", customs[i]);
        EXPECT_PROBLEMS(text, PROBLEM("threads,1", "invalid_operation", ""));
    }
    EXPECT_PROBLEMS("#{target => c, threads => [[{'$sleep', -1}, {'$sleep', soon}], {'$sleep', 4294967296}]}",
                    PROBLEM("threads,0,0", "out_of_range", ""), PROBLEM("threads,0,1", "wrong_type", ""),
                    PROBLEM("threads,1", "out_of_range", ""));
}

static void test_times(void **state)
{
    (void)state;
    struct scenario *scenario =
        read_good("#{target => c, threads => [a], timeout_ms => 1, call_timeout_ms => 4294967295,"
                  " hook_timeout_ms => 9}");
    assert_int_equal(scenario->timeout_ms, 1);
    assert_true(scenario->call_timeout_ms == 4294967295);
    assert_int_equal(scenario->hook_timeout_ms, 9);
    scenario_free(scenario);
    static const struct {
        const char *value;
        const char *kind;
    } rows[] = {
        {"0", "out_of_range"},      {"-1", "out_of_range"},      {"4294967296", "out_of_range"},
        {"infinity", "wrong_type"}, {"\"\\001\"", "wrong_type"}, {"<<\"5\">>", "wrong_type"},
        {"{5}", "wrong_type"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char text[200], first[100], second[100], third[100];
        snprintf(
            text, sizeof(text),
            "#{target => c, threads => [a], timeout_ms => %s, call_timeout_ms => %s, hook_timeout_ms => %s}",
            rows[i].value, rows[i].value, rows[i].value);
        snprintf(first, sizeof(first), PROBLEM("timeout_ms", "%s", ""), rows[i].kind);
        snprintf(second, sizeof(second), PROBLEM("call_timeout_ms", "%s", ""), rows[i].kind);
        snprintf(third, sizeof(third), PROBLEM("hook_timeout_ms", "%s", ""), rows[i].kind);
        EXPECT_PROBLEMS(text, first, second, third);
    }
}

static void test_events(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        enum events_policy policy;
        uint64_t number;
    } good[] = {
        {"all", EVENTS_ALL, 0},
        {"errors", EVENTS_ERRORS, 0},
        {"none", EVENTS_NONE, 0},
        {"{last, 1}", EVENTS_LAST, 1},
        {"{sample, 9223372036854775807}", EVENTS_SAMPLE, INT64_MAX},
    };
    static const char *const bad[] = {
        "some",     "last",         "{last, 0}", "{last, -1}", "{last, many}",
        "{all, 1}", "{last, 1, 2}", "[]",        "7",          "{sample, <<\"1\">>}"};
    char text[200];
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        snprintf(text, sizeof(text), "#{target => c, threads => [a], events => %s}", good[i].value);
        struct scenario *scenario = read_good(text);
        assert_int_equal(scenario->events_policy, good[i].policy);
        assert_true(scenario->events_number == good[i].number);
        scenario_free(scenario);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        snprintf(text, sizeof(text), "#{target => c, threads => [a], events => %s}", bad[i]);
        EXPECT_PROBLEMS(text, PROBLEM("events", "out_of_range", ""));
    }
}

static void test_other_values(void **state)
{
    (void)state;
    struct scenario *scenario = read_good("#{target => c, threads => [a], cast_sync_message => {sync, [1]},"
                                          " metadata => #{<<\"any\">> => {1}, 2 => \"\\001\"}}");
    expect_term(scenario->cast_sync_message, "{sync, [1]}");
    expect_term(scenario->metadata, "#{<<\"any\">> => {1}, 2 => \"\\001\"}");
    scenario_free(scenario);
    EXPECT_PROBLEMS("#{target => c, threads => [a], metadata => [{a, 1}]}",
                    PROBLEM("metadata", "wrong_type", ""));
    EXPECT_PROBLEMS("#{target => c, threads => [a], default_operation => send}",
                    PROBLEM("default_operation", "out_of_range", ""));
}

static void test_unknown_keys(void **state)
{
    (void)state;
    EXPECT_PROBLEMS("#{target => c, threads => [a], timeout => 5}", PROBLEM("timeout", "unknown_key", ""));
    EXPECT_PROBLEMS(
        "#{target => c, threads => [a], timout_ms => 5, colour => red, 7 => x, <<\"target\">> => c}",
        PROBLEM("timout_ms", "unknown_key", "is not a key of scenarios; did you mean timeout_ms?"),
        PROBLEM("colour", "unknown_key", "is not a key of scenarios\""),
        PROBLEM("", "unknown_key", "keys must be atoms, got 7"),
        PROBLEM("", "unknown_key", "keys must be atoms, got"));
    EXPECT_PROBLEMS("#{targets => c, thread => [a]}", PROBLEM("targets", "unknown_key", "is not a key"),
                    PROBLEM("thread", "unknown_key", "is not a key"), PROBLEM("setup", "required", ""),
                    PROBLEM("threads", "required", ""));
}

static void test_required(void **state)
{
    (void)state;
    EXPECT_PROBLEMS("#{}", PROBLEM("setup", "required", "is required, or target is"),
                    PROBLEM("threads", "required", "is required"));
    EXPECT_PROBLEMS("[]", PROBLEM("setup", "required", ""), PROBLEM("threads", "required", ""));
    EXPECT_PROBLEMS("#{target => c}", PROBLEM("threads", "required", ""));
}

static void test_no_scenario(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "7",           "scenario", "<<\"x\">>",
        "{target, c}", "[target]", "[{target, c}|x]",
        "\"\\001\"",   "$p",       "[{target, c}, {threads, [a], x}]",
        "[{7, c}]",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        EXPECT_PROBLEMS(rows[i],
                        PROBLEM("", "wrong_type", "a scenario is a map, a keyword list or a struct"));
}

/* All problems at once. */
static void test_all_problems(void **state)
{
    (void)state;
    EXPECT_PROBLEMS(
        "#{target => 7, threads => [[{custom, $0}], {custom, a}], timeout_ms => 0, events => x, chaos => y,"
        " metadata => z, evnets => all}",
        PROBLEM("target", "invalid_target", ""), PROBLEM("threads,0,0", "invalid_operation", ""),
        PROBLEM("threads,1", "invalid_operation", ""), PROBLEM("timeout_ms", "out_of_range", ""),
        PROBLEM("events", "out_of_range", ""), PROBLEM("chaos", "invalid_action", ""),
        PROBLEM("metadata", "wrong_type", ""),
        PROBLEM("evnets", "unknown_key", "is not a key of scenarios; did you mean events?"));
}

/* What is large is so by what it takes. */
static void test_bytes(void **state)
{
    (void)state;
    struct scenario *scenario = read_good("#{target => c, threads => [[a]]}");
    assert_in_range(scenario_bytes(scenario), 1, 1000);
    assert_false(scenario_is_large(scenario));
    scenario_free(scenario);
    scenario = read_good("#{target => c, threads => [[$x]]}");
    assert_in_range(scenario_bytes(scenario), 300 * 1000, 310 * 1000);
    assert_true(scenario_is_large(scenario));
    scenario_free(scenario);
}

static void test_many_operations(void **state)
{
    (void)state;
    struct term_builder builder = {0};
    struct problems problems;
    struct term term;
    term_build_map(&builder, 2);
    term_build_key(&builder, "target");
    term_build_atom(&builder, "c");
    term_build_key(&builder, "threads");
    term_build_list(&builder, 300);
    for (int64_t thread = 0; thread < 300; thread++) {
        term_build_list(&builder, (size_t)thread);
        for (int64_t step = 0; step < thread; step++)
            term_build_integer(&builder, thread * 1000 + step);
        if (thread)
            term_build_nil(&builder);
    }
    term_build_nil(&builder);
    assert_true(term_build_done(&builder, &term));
    struct scenario *scenario = read_term(term, &problems);
    assert_non_null(scenario);
    assert_int_equal(scenario->thread_count, 300);
    assert_int_equal(scenario->operation_count, 300 * 299 / 2);
    assert_true(scenario_bytes(scenario) >= term.size + 300 * sizeof(struct thread_script));
    assert_true(scenario_is_large(scenario));
    for (size_t thread = 0; thread < 300; thread++) {
        struct thread_script script = scenario->threads[thread];
        assert_int_equal(script.count, thread);
        for (size_t step = 0; step < script.count; step++) {
            int64_t number;
            assert_true(term_read_integer(scenario->operations[script.first + step].message, &number));
            assert_int_equal(number, thread * 1000 + step);
        }
    }
    scenario_free(scenario);
    problems_free(&problems);
    term_build_free(&builder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_smallest),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_values_that_say_nothing),
        cmocka_unit_test(test_nil_is_not_given),
        cmocka_unit_test(test_nil_is_a_term),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_bad_targets),
        cmocka_unit_test(test_improper_target_list),
        cmocka_unit_test(test_many_targets),
        cmocka_unit_test(test_operations),
        cmocka_unit_test(test_own_operations),
        cmocka_unit_test(test_named_operations),
        cmocka_unit_test(test_default_operation),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_bad_threads),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_other_values),
        cmocka_unit_test(test_unknown_keys),
        cmocka_unit_test(test_required),
        cmocka_unit_test(test_no_scenario),
        cmocka_unit_test(test_all_problems),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_many_operations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
