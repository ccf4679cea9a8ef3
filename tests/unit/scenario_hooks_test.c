#include "scenario_text.h"

/* A scenario whose key `name` is &module.function/2. */
static struct scenario *read_with_fun(const char *name, const char *module, const char *function)
{
    struct term_builder builder = {0};
    struct problems problems;
    struct term term;
    term_build_map(&builder, 3);
    term_build_key(&builder, "target");
    term_build_atom(&builder, "c");
    term_build_key(&builder, "threads");
    term_build_list(&builder, 1);
    term_build_atom(&builder, "a");
    term_build_nil(&builder);
    term_build_key(&builder, name);
    buffer_append(&builder.bytes, "q", 1);
    term_build_atom(&builder, module);
    term_build_atom(&builder, function);
    term_build_integer(&builder, 2);
    assert_true(term_build_done(&builder, &term));
    struct scenario *scenario = read_term(term, &problems);
    problems_free(&problems);
    term_build_free(&builder);
    return scenario;
}

/* The library's own funs mean what we do anyway; those of others are hooks. */
static void test_default_funs(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        const char *module;
        const char *function;
        bool says_nothing;
    } rows[] = {
        {"invariant", "Elixir.Supertester.ConcurrentHarness", "default_invariant", true},
        {"cleanup", "Elixir.Supertester.ProcessLifecycle", "default_cleanup", true},
        {"cleanup", "Elixir.Supertester.ConcurrentHarness.ProcessLifecycle", "default_cleanup", true},
        {"invariant", "Elixir.Supertester.ConcurrentHarness", "other_invariant", false},
        {"invariant", "Elixir.SupertesterX", "default_invariant", false},
        {"invariant", "Elixir.MyApp.Invariants", "default_invariant", false},
        {"invariant", "Elixir.Supertester", "default_invariant", false},
        {"cleanup", "Elixir.MyApp.Cleanup", "default_cleanup", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct scenario *scenario = read_with_fun(rows[i].key, rows[i].module, rows[i].function);
        assert_non_null(scenario);
        struct term hook = rows[i].key[0] == 'i' ? scenario->invariant : scenario->cleanup;
        assert_int_equal(hook.data == NULL, rows[i].says_nothing);
        scenario_free(scenario);
    }
}

/* --- Hooks --- */

static const struct {
    const char *name;
    int arity;
    size_t offset;
} hooks[] = {
    {"setup", 0, offsetof(struct scenario, setup)},
    {"invariant", 2, offsetof(struct scenario, invariant)},
    {"cleanup", 2, offsetof(struct scenario, cleanup)},
    {"chaos", 2, offsetof(struct scenario, chaos)},
};

/* A scenario with this hook and, where the hook does not make one, a target. */
static const char *with_hook(char text[300], size_t hook, const char *value)
{
    snprintf(text, 300, "#{%s threads => [[a]], %s => %s}", hook == 0 ? "" : "target => counter,",
             hooks[hook].name, value);
    return text;
}

static struct term hook_of(const struct scenario *scenario, size_t hook)
{
    return *(const struct term *)(const void *)((const char *)scenario + hooks[hook].offset);
}

static void test_hooks(void **state)
{
    (void)state;
    static const char *const triples[] = {"{m, f, []}", "{m, f, [a, {1}]}", "{'Elixir.My.App', run, [[]]}",
                                          "{m, f, \"\\001\\002\"}"};
    char text[300], fun[3];
    for (size_t hook = 0; hook < ARRAY_LENGTH(hooks); hook++) {
        snprintf(fun, sizeof(fun), "$%d", hooks[hook].arity);
        struct scenario *scenario = read_good(with_hook(text, hook, fun));
        expect_term(hook_of(scenario, hook), fun);
        scenario_free(scenario);
        for (size_t i = 0; i < ARRAY_LENGTH(triples); i++) {
            scenario = read_good(with_hook(text, hook, triples[i]));
            expect_term(hook_of(scenario, hook), triples[i]);
            for (size_t other = 0; other < ARRAY_LENGTH(hooks); other++)
                assert_int_equal(hook_of(scenario, other).data != NULL, other == hook);
            scenario_free(scenario);
        }
    }
    struct scenario *scenario =
        read_good("#{target => c, threads => [a], invariant => $l, hook_timeout_ms => 7}");
    expect_term(scenario->invariant, "$l");
    assert_int_equal(scenario->hook_timeout_ms, 7);
    scenario_free(scenario);
}

static void test_bad_hooks(void **state)
{
    (void)state;
    static const char *const values[] = {
        "true",
        "fun",
        "7",
        "[]",
        "\"\\001\"",
        "<<\"f\">>",
        "{}",
        "{m, f}",
        "{m, f, a}",
        "{m, f, [a|b]}",
        "{7, f, []}",
        "{m, 7, []}",
        "{m, f, [], []}",
        "#{}",
        "$p",
        "$3",
        "$1",
    };
    char text[300], problem[200];
    for (size_t hook = 0; hook < ARRAY_LENGTH(hooks); hook++) {
        bool is_chaos = strcmp(hooks[hook].name, "chaos") == 0;
        for (size_t i = 0; i < ARRAY_LENGTH(values); i++) {
            bool is_fun = values[i][0] == '$' && isdigit((unsigned char)values[i][1]);
            if (is_chaos && !is_fun)
                continue; /* may become a chaos term */
            snprintf(
                problem, sizeof(problem),
                PROBLEM("%s", "wrong_type", "must be a fun of arity %d or {module, function, extra_args}"),
                hooks[hook].name, hooks[hook].arity);
            with_hook(text, hook, values[i]);
            EXPECT_PROBLEMS(text, problem);
        }
    }
    EXPECT_PROBLEMS("#{threads => [a], setup => $2}",
                    PROBLEM("setup", "wrong_type", "must be a fun of arity 0"));
    EXPECT_PROBLEMS("#{target => c, threads => [a], invariant => $0, cleanup => $1, chaos => $3}",
                    PROBLEM("invariant", "wrong_type", "must be a fun of arity 2"),
                    PROBLEM("cleanup", "wrong_type", "must be a fun of arity 2"),
                    PROBLEM("chaos", "wrong_type", "must be a fun of arity 2"));
}

static void test_setup_or_target(void **state)
{
    (void)state;
    struct scenario *scenario = read_good("#{setup => $0, target => nil, threads => [a]}");
    assert_int_equal(scenario->target_count, 1);
    assert_false(scenario->target_is_list);
    assert_null(scenario->target.data);
    scenario_free(scenario);
    EXPECT_PROBLEMS("#{setup => $0, target => c, threads => [a]}",
                    PROBLEM("target", "conflict", "cannot be given together with setup"));
}

static void test_hooks_node(void **state)
{
    (void)state;
    static const char *const bad[] = {"7", "node", "'a@b@c'", "<<\"a@b\">>", "harness@own", "[]"};
    struct scenario *scenario = read_good("#{target => c, threads => [a], hooks_node => other@x}");
    assert_string_equal(scenario->hooks_node, "other@x");
    assert_string_equal(scenario->targets[0].node, CALLER);
    scenario_free(scenario);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        char text[200];
        snprintf(text, sizeof(text), "#{target => c, threads => [a], hooks_node => %s}", bad[i]);
        EXPECT_PROBLEMS(text, PROBLEM("hooks_node", "wrong_type", "must be the name of another node"));
    }
}

/* --- Mailbox and expectations --- */

static void test_mailbox(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        uint64_t interval_ms;
    } good[] = {
        {"nil", 0},
        {"[]", 10},
        {"#{}", 10},
        {"[{sampling_interval, 1}]", 1},
        {"#{sampling_interval => 250}", 250},
        {"[{sampling_interval, 4294967295}]", 4294967295},
    };
    static const struct {
        const char *value;
        const char *problem;
    } bad[] = {
        {"true", PROBLEM("mailbox", "wrong_type", "must be a keyword list, got")},
        {"10", PROBLEM("mailbox", "wrong_type", "")},
        {"[10]", PROBLEM("mailbox", "wrong_type", "")},
        {"[{sampling_interval, 1}|x]", PROBLEM("mailbox", "wrong_type", "")},
        {"[{sampling_interval, 0}]", PROBLEM("mailbox,sampling_interval", "out_of_range", "")},
        {"[{sampling_interval, -1}]", PROBLEM("mailbox,sampling_interval", "out_of_range", "")},
        {"[{sampling_interval, soon}]", PROBLEM("mailbox,sampling_interval", "wrong_type", "")},
        {"[{interval, 1}]", PROBLEM("mailbox", "unknown_key", "")},
    };
    char text[200];
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        snprintf(text, sizeof(text), "#{target => c, threads => [a], mailbox => %s}", good[i].value);
        struct scenario *scenario = read_good(text);
        assert_true(scenario->mailbox_interval_ms == good[i].interval_ms);
        scenario_free(scenario);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        snprintf(text, sizeof(text), "#{target => c, threads => [a], mailbox => %s}", bad[i].value);
        EXPECT_PROBLEMS(text, bad[i].problem);
    }
}

/* Their order is kept: the first one missed is the error. */
static void test_expectations(void **state)
{
    (void)state;
    struct scenario *scenario =
        read_good("#{target => c, threads => [a], performance_expectations => [{max_reductions, 5},"
                  " {max_time_ms, 0}, {max_memory_bytes, 123456789}, {max_time_ms, 7}]}");
    static const struct {
        enum expectation_kind kind;
        double limit;
        const char *value;
    } rows[] = {
        {EXPECT_REDUCTIONS, 5, "5"},
        {EXPECT_TIME_MS, 0, "0"},
        {EXPECT_MEMORY_BYTES, 123456789, "123456789"},
        {EXPECT_TIME_MS, 7, "7"},
    };
    assert_int_equal(scenario->expectations.count, ARRAY_LENGTH(rows));
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        assert_int_equal(scenario->expectations.items[i].kind, rows[i].kind);
        assert_true(scenario->expectations.items[i].limit == rows[i].limit);
        expect_term(scenario->expectations.items[i].value, rows[i].value);
    }
    scenario_free(scenario);
    scenario_free(
        read_good("#{target => c, threads => [a], performance_expectations => #{max_time_ms => 1}}"));
}

static void test_bad_expectations(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        const char *problem;
    } rows[] = {
        {"fast", PROBLEM("performance_expectations", "wrong_type", "must be a keyword list, got fast")},
        {"[fast]", PROBLEM("performance_expectations", "wrong_type", "")},
        {"[{max_time_ms, -1}]", PROBLEM("performance_expectations,max_time_ms", "wrong_type", "")},
        {"[{max_time_ms, soon}]", PROBLEM("performance_expectations,max_time_ms", "wrong_type", "")},
        {"[{max_reductions, nil}]", PROBLEM("performance_expectations,max_reductions", "wrong_type", "")},
        {"[{max_time_sm, 1}]",
         PROBLEM("performance_expectations", "unknown_key",
                 "max_time_sm is not an expectation; did you mean max_time_ms (milliseconds)")},
        {"[{colour, 1}]", PROBLEM("performance_expectations", "unknown_key", "colour is not an expectation")},
        {"[{max_p98_us, 1}]",
         PROBLEM("performance_expectations", "unknown_key",
                 "max_p98_us is not an expectation; did you mean max_p90_us (microseconds)")},
        {"[{p99_ms, 1}]", PROBLEM("performance_expectations", "unknown_key",
                                  "p99_ms is not an expectation; did you mean max_p99_us (microseconds)")},
        {"[{mailbox, 1}]", PROBLEM("performance_expectations", "unknown_key",
                                   "mailbox is not an expectation; did you mean max_mailbox")},
        {"[{max_error_rate, high}]", PROBLEM("performance_expectations,max_error_rate", "wrong_type", "")},
        {"[{max_error_rate, 5}]",
         PROBLEM("performance_expectations,max_error_rate", "out_of_range", "must be in 0 to 1, got 5")},
    };
    char text[300];
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        snprintf(text, sizeof(text), "#{target => c, threads => [a], performance_expectations => %s}",
                 rows[i].value);
        EXPECT_PROBLEMS(text, rows[i].problem);
    }
}

static void test_many_expectations(void **state)
{
    (void)state;
    for (size_t count = EXPECTATIONS_LIMIT; count <= EXPECTATIONS_LIMIT + 1; count++) {
        char text[2000] = "#{target => c, threads => [a], performance_expectations => [";
        for (size_t i = 0; i < count; i++)
            strcat(text, i ? ", {max_time_ms, 1}" : "{max_time_ms, 1}");
        strcat(text, "]}");
        if (count <= EXPECTATIONS_LIMIT)
            scenario_free(read_good(text));
        else
            EXPECT_PROBLEMS(text, PROBLEM("performance_expectations,max_time_ms", "out_of_range", ""));
    }
}

static void test_strict(void **state)
{
    (void)state;
    struct scenario *scenario = read_good("#{target => c, threads => [a], 'strict_cast_sync?' => true}");
    assert_true(scenario->strict_cast_sync);
    scenario_free(scenario);
    EXPECT_PROBLEMS("#{target => c, threads => [a], 'strict_cast_sync?' => yes}",
                    PROBLEM("'strict_cast_sync?'", "wrong_type", "must be true or false, got yes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_funs),      cmocka_unit_test(test_hooks),
        cmocka_unit_test(test_bad_hooks),         cmocka_unit_test(test_setup_or_target),
        cmocka_unit_test(test_hooks_node),        cmocka_unit_test(test_mailbox),
        cmocka_unit_test(test_expectations),      cmocka_unit_test(test_bad_expectations),
        cmocka_unit_test(test_many_expectations), cmocka_unit_test(test_strict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
