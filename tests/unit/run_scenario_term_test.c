#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "run/scenario_term.h"
#include "term/term_check.h"
#include "term/term_read.h"
#include "term/term_text.h"

#define CALLER "app@caller"
#define OWN "harness@own"

/* --- Terms from text ---
 * Erlang's syntax, as far as the tests need it: atoms, 'atoms', integers, tuples, lists, maps, "strings"
 * (STRING_EXT), <<"binaries">>, $p (a pid of app@target), $o (a pid of the daemon's own node), $0 to $9 (fun
 * m:f of that arity), $l (a local fun of arity 2 of the module m). */

static void parse(const char **text, struct term_builder *builder);

static bool skip_to(const char **text, char wanted)
{
    *text += strspn(*text, " \n");
    if (**text != wanted)
        return false;
    (*text)++;
    return true;
}

static void expect_char(const char **text, char wanted)
{
    if (!skip_to(text, wanted))
        fail_msg("no %c at '%s'", wanted, *text);
}

/* Elements up to `end`, `|` in front of a tail; how many there are. */
static size_t parse_elements(const char **text, struct term_builder *builder, char end, bool *tail)
{
    size_t count = 0;
    *tail = false;
    while (!skip_to(text, end)) {
        if (count && !skip_to(text, ',')) {
            expect_char(text, '|');
            *tail = true;
        }
        parse(text, builder);
        count++;
        if (end == '}' && skip_to(text, '=')) {
            expect_char(text, '>');
            parse(text, builder);
        }
    }
    return count;
}

static void parse_container(const char **text, struct term_builder *builder, char begin, char end)
{
    struct term_builder elements = {0};
    bool tail;
    size_t count = parse_elements(text, &elements, end, &tail);
    if (begin == '#')
        term_build_map(builder, count);
    else if (begin == '{')
        term_build_tuple(builder, count);
    else
        term_build_list(builder, count - tail);
    buffer_append(&builder->bytes, buffer_bytes(&elements.bytes), elements.bytes.size);
    if (begin == '[' && count && !tail)
        term_build_nil(builder);
    term_build_free(&elements);
}

/* NEW_FUN_EXT: size, arity 2, digest, index 3, one free variable, module, old index, old uniq, pid, variable.
 */
static void build_local_fun(struct term_builder *builder, const struct term_pid *pid)
{
    struct term_builder rest = {0};
    uint8_t head[30] = {TERM_TAG_NEW_FUN, 0, 0, 0, 0, 2, [25] = 3, [29] = 1};
    term_build_atom(&rest, "m");
    term_build_integer(&rest, 3);
    term_build_integer(&rest, 1234567);
    term_build_pid(&rest, pid);
    term_build_atom(&rest, "variable");
    head[4] = (uint8_t)(sizeof(head) - 1 + rest.bytes.size); /* all but the tag */
    buffer_append(&builder->bytes, head, sizeof(head));
    buffer_append(&builder->bytes, buffer_bytes(&rest.bytes), rest.bytes.size);
    term_build_free(&rest);
}

static void parse_special(const char **text, struct term_builder *builder)
{
    struct term_pid pid = {.id = 5, .creation = 7};
    char kind = *(*text)++;
    snprintf(pid.node, sizeof(pid.node), "%s", kind == 'o' ? OWN : "app@target");
    if (isdigit((unsigned char)kind)) {
        buffer_append(&builder->bytes, "q", 1);
        term_build_atom(builder, "m");
        term_build_atom(builder, "f");
        term_build_integer(builder, kind - '0');
    } else if (kind == 'l') {
        build_local_fun(builder, &pid);
    } else {
        term_build_pid(builder, &pid);
    }
}

/* What is between quotes; escapes are octal numbers of three digits. */
static size_t parse_quoted(const char **text, char quote, char content[300])
{
    size_t size = 0;
    while (**text != quote) {
        if (**text == '\\') {
            content[size++] = (char)(((*text)[1] - '0') * 64 + ((*text)[2] - '0') * 8 + ((*text)[3] - '0'));
            *text += 4;
        } else {
            content[size++] = *(*text)++;
        }
        assert_true(size < 300);
    }
    (*text)++;
    content[size] = '\0';
    return size;
}

static void parse_word(const char **text, struct term_builder *builder)
{
    char content[300];
    size_t size = strspn(*text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789?@");
    if (isdigit((unsigned char)**text) || **text == '-') {
        char *end;
        term_build_integer(builder, strtoll(*text, &end, 10));
        *text = end;
        return;
    }
    if (!size)
        fail_msg("no term at '%s'", *text);
    snprintf(content, sizeof(content), "%.*s", (int)size, *text);
    term_build_atom(builder, content);
    *text += size;
}

static void parse_string(const char **text, struct term_builder *builder)
{
    char content[300];
    size_t size = parse_quoted(text, '"', content);
    const uint8_t header[] = {TERM_TAG_STRING, (uint8_t)(size >> 8), (uint8_t)size};
    buffer_append(&builder->bytes, header, sizeof(header));
    buffer_append(&builder->bytes, content, size);
}

static void parse(const char **text, struct term_builder *builder)
{
    char content[300];
    if (skip_to(text, '#')) {
        expect_char(text, '{');
        parse_container(text, builder, '#', '}');
    } else if (skip_to(text, '{')) {
        parse_container(text, builder, '{', '}');
    } else if (skip_to(text, '[')) {
        parse_container(text, builder, '[', ']');
    } else if (skip_to(text, '"')) {
        parse_string(text, builder);
    } else if (skip_to(text, '\'')) {
        parse_quoted(text, '\'', content);
        term_build_atom(builder, content);
    } else if (skip_to(text, '<')) {
        *text += strlen("<\"");
        term_build_binary(builder, content, parse_quoted(text, '"', content));
        *text += strlen(">>");
    } else if (skip_to(text, '$')) {
        parse_special(text, builder);
    } else {
        parse_word(text, builder);
    }
}

static struct term term_of(struct term_builder *builder, const char *text)
{
    const struct term_limits limits = {.depth = 100, .count = 100000};
    struct term term;
    size_t used;
    bool canonical;
    term_build_reset(builder);
    parse(&text, builder);
    assert_string_equal(text, "");
    assert_true(term_build_done(builder, &term));
    assert_int_equal(term_check(term.data, term.size, &limits, &used, &canonical), TERM_OK);
    assert_true(used == term.size && canonical);
    return term;
}

static void expect_term(struct term term, const char *text)
{
    struct term_builder builder = {0};
    char found[300];
    if (!term_same(term, term_of(&builder, text)))
        fail_msg("%s instead of %s", term_text(term, found, sizeof(found)), text);
    term_build_free(&builder);
}

/* --- Reading --- */

/* Reads a copy that is gone before the scenario is looked at. */
static struct scenario *read_term(struct term term, struct problems *problems)
{
    uint8_t *copy = memory_copy(term.data, term.size);
    *problems = (struct problems){0};
    struct scenario *scenario = scenario_term_read((struct term){copy, term.size}, CALLER, OWN, problems);
    free(copy);
    assert_int_equal(scenario == NULL, problems->count > 0);
    assert_int_equal(problems->depth, 0);
    return scenario;
}

/* A scenario without problems. Its normalised form reads back the same. */
static struct scenario *read_good(const char *text)
{
    struct term_builder builder = {0}, forms[2] = {0};
    struct problems problems;
    struct term term;
    char found[1000];
    struct scenario *scenario = read_term(term_of(&builder, text), &problems);
    if (!scenario) {
        assert_true(term_build_done(&problems.list, &term));
        fail_msg("%s: %s", text, term_text(term, found, sizeof(found)));
    }
    problems_free(&problems);
    scenario_term_build(scenario, &forms[0]);
    assert_true(term_build_done(&forms[0], &term));
    struct scenario *again = read_term(term, &problems);
    if (!again)
        fail_msg("%s: its normalised form %s cannot be read", text, term_text(term, found, sizeof(found)));
    scenario_term_build(again, &forms[1]);
    assert_true(term_build_done(&forms[1], &term));
    assert_int_equal(term.size, forms[0].bytes.size);
    assert_memory_equal(term.data, buffer_bytes(&forms[0].bytes), term.size);
    for (size_t i = 0; i < scenario->target_count; i++) {
        assert_int_equal(again->targets[i].kind, scenario->targets[i].kind);
        assert_string_equal(again->targets[i].node, scenario->targets[i].node);
    }
    scenario_free(again);
    problems_free(&problems);
    term_build_free(&builder);
    term_build_free(&forms[0]);
    term_build_free(&forms[1]);
    return scenario;
}

/* The problems as text; each of `expected` is there, and there are no more. */
static void expect_problems(const char *text, size_t count, const char *const *expected)
{
    struct term_builder builder = {0}, listed = {0};
    struct problems problems;
    struct term term;
    static char found[8000];
    struct scenario *scenario = read_term(term_of(&builder, text), &problems);
    if (scenario)
        fail_msg("%s passes", text);
    problems_build(&problems, &listed);
    assert_true(term_build_done(&listed, &term));
    term_text(term, found, sizeof(found));
    if (problems.count != count)
        fail_msg("%s: %zu problems: %s", text, problems.count, found);
    for (size_t i = 0; i < count; i++)
        if (!strstr(found, expected[i]))
            fail_msg("%s: no '%s' in %s", text, expected[i], found);
    problems_free(&problems);
    term_build_free(&builder);
    term_build_free(&listed);
}

#define PROBLEM(path, kind, message) "#{path => [" path "],problem => " kind ",message => <<\"" message
#define EXPECT_PROBLEMS(text, ...)                                                                           \
    expect_problems(text, ARRAY_LENGTH(((const char *const[]){__VA_ARGS__})),                                \
                    (const char *const[]){__VA_ARGS__})

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
        expect_term(term, "#{setup => nil, target => {counter, app@x}, default_operation => call,"
                          " threads => [[{call, a}], [{cast, b}]], timeout_ms => 7, call_timeout_ms => 1000,"
                          " hook_timeout_ms => 5000, cast_sync_message => '__supertester_sync__',"
                          " 'strict_cast_sync?' => false, invariant => nil, cleanup => nil, mailbox => nil,"
                          " chaos => nil, performance_expectations => [], metadata => #{}, events => all,"
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

static void test_not_supported(void **state)
{
    (void)state;
    static const char *const names[] = {
        "load", "operations", "mix", "spread", "steady_state", "seed", "abort_when", "warmup_ms", "dry_run",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        char text[200], problem[200];
        snprintf(text, sizeof(text), "#{target => counter, threads => [[a]], %s => $1}", names[i]);
        snprintf(problem, sizeof(problem), PROBLEM("%s", "not_supported", ""), names[i]);
        EXPECT_PROBLEMS(text, problem);
    }
    EXPECT_PROBLEMS("#{target => counter, threads => [[a]], load => true, seed => 0}",
                    PROBLEM("load", "not_supported", ""), PROBLEM("seed", "not_supported", ""));
    static const char *const chaos[] = {"{inject_crash, immediate}",
                                        "{kill_children, []}",
                                        "[#{action => {suspend, 5}}]",
                                        "{m, f}",
                                        "{m, f, [a|b]}",
                                        "true",
                                        "7"};
    for (size_t i = 0; i < ARRAY_LENGTH(chaos); i++) {
        char text[200];
        snprintf(text, sizeof(text), "#{target => counter, threads => [[a]], chaos => %s}", chaos[i]);
        EXPECT_PROBLEMS(text,
                        PROBLEM("chaos", "not_supported", "chaos terms and schedules are not supported"));
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
            bool needs_setup = hook == 0;
            snprintf(
                problem, sizeof(problem),
                PROBLEM("%s", "wrong_type", "must be a fun of arity %d or {module, function, extra_args}"),
                hooks[hook].name, hooks[hook].arity);
            with_hook(text, hook, values[i]);
            if (needs_setup)
                EXPECT_PROBLEMS(text, problem, PROBLEM("setup", "required", ""));
            else
                EXPECT_PROBLEMS(text, problem);
        }
    }
    EXPECT_PROBLEMS("#{threads => [a], setup => $2}",
                    PROBLEM("setup", "wrong_type", "must be a fun of arity 0"),
                    PROBLEM("setup", "required", ""));
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
        {"[{max_time_sm, 1}]", PROBLEM("performance_expectations", "unknown_key",
                                       "max_time_sm is not an expectation; did you mean max_time_ms")},
        {"[{colour, 1}]", PROBLEM("performance_expectations", "unknown_key", "colour is not an expectation")},
        {"[{max_p99_us, 1}]", PROBLEM("performance_expectations,max_p99_us", "not_supported", "")},
        {"[{min_ops_per_s, 1}]", PROBLEM("performance_expectations,min_ops_per_s", "not_supported", "")},
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
    for (size_t count = SCENARIO_EXPECTATIONS; count <= SCENARIO_EXPECTATIONS + 1; count++) {
        char text[2000] = "#{target => c, threads => [a], performance_expectations => [";
        for (size_t i = 0; i < count; i++)
            strcat(text, i ? ", {max_time_ms, 1}" : "{max_time_ms, 1}");
        strcat(text, "]}");
        if (count <= SCENARIO_EXPECTATIONS)
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
        "undefined",
        "7",
        "\"\\001\"",
        "<<\"counter\">>",
        "{}",
        "{counter}",
        "{counter, 7}",
        "{counter, nowhere}",
        "{7, app@x}",
        "{nil, app@x}",
        "{via, mod}",
        "{via, 7, x}",
        "{global, a, b}",
        "{counter, 'app@x@y'}",
        "#{}",
        "$1",
        "$o",
        "{counter, harness@own}",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char text[200];
        bool is_string = rows[i][0] == '"';
        snprintf(text, sizeof(text), "#{target => %s, threads => [[a]]}", rows[i]);
        EXPECT_PROBLEMS(text, is_string ? PROBLEM("target,0", "invalid_target", "")
                                        : PROBLEM("target", "invalid_target", ""));
        snprintf(text, sizeof(text), "#{target => [counter, %s], threads => [[a]]}", rows[i]);
        EXPECT_PROBLEMS(text, PROBLEM("target,1", "invalid_target", ""));
    }
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
        operation_build(&scenario->operations[scenario->threads[thread].first + i], &builder);
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
                  " <<\"bytes\">>, #{}, {call, {cast, q}}, [list], []], one, [], [{cast, {custom, $1}}]]}");
    assert_int_equal(scenario->thread_count, 4);
    EXPECT_SCRIPT(scenario, 0, "{call, a}", "{cast, {b, 1}}", "{call, bare}", "{call, {call, x, y}}",
                  "{call, {other, z}}", "{call, 5}", "{call, <<\"bytes\">>}", "{call, #{}}",
                  "{call, {cast, q}}", "{call, [list]}", "{call, []}");
    EXPECT_SCRIPT(scenario, 1, "{call, one}"); /* a script that is no list is one operation */
    assert_int_equal(scenario->threads[2].count, 0);
    EXPECT_SCRIPT(scenario, 3, "{cast, {custom, $1}}");
    scenario_free(scenario);
}

static void test_own_operations(void **state)
{
    (void)state;
    struct scenario *scenario = read_good(
        "#{target => c, threads => [[$1, {custom, $1}, {custom, {m, f, [a]}}, {call, $1}], $1,"
        " [{'$send', {a, 1}}, {'$cast', b}, {'$sleep', 5}, $0, $2, {m, f, []}, {call, {'$sleep', x}},"
        " {'$sleep', 1, 2}, {'$other', 1}]], default_operation => cast}");
    assert_true(scenario->has_custom_operations);
    EXPECT_SCRIPT(scenario, 0, "custom", "custom", "custom", "{call, $1}");
    EXPECT_SCRIPT(scenario, 1, "custom");
    EXPECT_SCRIPT(scenario, 2, "{'$send', {a, 1}}", "{'$cast', b}", "{'$sleep', 5}", "{cast, $0}",
                  "{cast, $2}", "{cast, {m, f, []}}", "{call, {'$sleep', x}}", "{cast, {'$sleep', 1, 2}}",
                  "{cast, {'$other', 1}}");
    expect_term(scenario->operations[0].message, "$1");
    expect_term(scenario->operations[2].message, "{m, f, [a]}");
    size_t sleep = scenario->threads[2].first + 2;
    assert_int_equal(scenario->operations[sleep].kind, OPERATION_SLEEP);
    assert_int_equal(scenario->operations[sleep].sleep_ms, 5);
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
    static const char *const customs[] = {"$0",     "$2",        "$l",         "a", "7",
                                          "{m, f}", "{m, f, a}", "{7, f, []}", "$p"};
    for (size_t i = 0; i < ARRAY_LENGTH(customs); i++) {
        char text[200];
        snprintf(text, sizeof(text), "#{target => c, threads => [[a, {custom, %s}]]}", customs[i]);
        EXPECT_PROBLEMS(text,
                        PROBLEM("threads,0,1", "invalid_operation", "{:custom, _} needs a fun of arity 1"));
        snprintf(text, sizeof(text), "#{target => c, threads => [a, {custom, %s}]}", customs[i]);
        EXPECT_PROBLEMS(text, PROBLEM("threads,1", "invalid_operation", ""));
    }
    EXPECT_PROBLEMS("#{target => c, threads => [[{'$sleep', 0}, {'$sleep', soon}], {'$sleep', 4294967296}]}",
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
        {"0", "out_of_range"},       {"-1", "out_of_range"}, {"4294967296", "out_of_range"},
        {"infinity", "wrong_type"},  {"nil", "wrong_type"},  {"\"\\001\"", "wrong_type"},
        {"<<\"5\">>", "wrong_type"}, {"{5}", "wrong_type"},
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
        PROBLEM("events", "out_of_range", ""), PROBLEM("chaos", "not_supported", ""),
        PROBLEM("metadata", "wrong_type", ""),
        PROBLEM("evnets", "unknown_key", "is not a key of scenarios; did you mean events?"));
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
        cmocka_unit_test(test_default_funs),
        cmocka_unit_test(test_not_supported),
        cmocka_unit_test(test_hooks),
        cmocka_unit_test(test_bad_hooks),
        cmocka_unit_test(test_setup_or_target),
        cmocka_unit_test(test_hooks_node),
        cmocka_unit_test(test_mailbox),
        cmocka_unit_test(test_expectations),
        cmocka_unit_test(test_bad_expectations),
        cmocka_unit_test(test_many_expectations),
        cmocka_unit_test(test_strict),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_bad_targets),
        cmocka_unit_test(test_improper_target_list),
        cmocka_unit_test(test_many_targets),
        cmocka_unit_test(test_operations),
        cmocka_unit_test(test_own_operations),
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
        cmocka_unit_test(test_many_operations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
