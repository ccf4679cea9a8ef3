#include "scenario/scenario_json.h"
#include "scenario/scenario_texts.h"
#include "scenario_text.h"

/* --- Reading --- */

static const struct scenario_origin origin = {
    .caller_node = CALLER, .own_node = OWN, .hooks_at_target = true};

static struct scenario *read_json(const char *json, struct problems *problems)
{
    *problems = (struct problems){0};
    struct scenario *scenario = scenario_json_read(json, strlen(json), NULL, &origin, problems);
    assert_int_equal(scenario == NULL, problems->count > 0);
    assert_int_equal(problems->depth, 0);
    return scenario;
}

static struct scenario *read_good_json(const char *json)
{
    struct problems problems;
    char found[1000];
    struct scenario *scenario = read_json(json, &problems);
    if (!scenario)
        fail_msg("%s: %s", json, term_text(term_built(&problems.list), found, sizeof(found)));
    problems_free(&problems);
    return scenario;
}

static void expect_json_problems(const char *json, size_t count, const char *const *expected)
{
    struct term_builder listed = {0};
    struct problems problems;
    static char found[8000];
    struct scenario *scenario = read_json(json, &problems);
    if (scenario)
        fail_msg("%s passes", json);
    problems_build(&problems, &listed);
    term_text(term_built(&listed), found, sizeof(found));
    if (problems.count != count)
        fail_msg("%s: %zu problems: %s", json, problems.count, found);
    for (size_t i = 0; i < count; i++)
        if (!strstr(found, expected[i]))
            fail_msg("%s: no '%s' in %s", json, expected[i], found);
    problems_free(&problems);
    term_build_free(&listed);
}

#define EXPECT_JSON_PROBLEMS(json, ...)                                                                      \
    expect_json_problems(json, ARRAY_LENGTH(((const char *const[]){__VA_ARGS__})),                           \
                         (const char *const[]){__VA_ARGS__})

/* The keys of a file, and of the term that a shell sends for the same. */
struct pair {
    const char *json;
    const char *term;
};

static void expect_same(const struct pair *pair, const char *json_rest, const char *term_rest)
{
    struct term_builder forms[2] = {0}, builder = {0};
    struct problems problems = {0};
    char *json = memory_format("{%s, %s}", pair->json, json_rest);
    char *text = memory_format("#{%s, %s}", pair->term, term_rest);
    struct scenario *of_json = read_good_json(json);
    struct scenario *of_term = scenario_term_read(term_from_text(&builder, text), &origin, &problems);
    if (!of_term)
        fail_msg("%s cannot be read", text);
    scenario_term_build(of_json, &forms[0]);
    scenario_term_build(of_term, &forms[1]);
    if (!term_same(term_built(&forms[0]), term_built(&forms[1]))) {
        static char found[2][4000];
        fail_msg("%s: %s instead of %s", json, term_text(term_built(&forms[0]), found[0], sizeof(found[0])),
                 term_text(term_built(&forms[1]), found[1], sizeof(found[1])));
    }
    scenario_free(of_json);
    scenario_free(of_term);
    term_build_free(&builder);
    term_build_free(&forms[0]);
    term_build_free(&forms[1]);
    free(json);
    free(text);
}

static void expect_all_same(const struct pair *pairs, size_t count, const char *json_rest,
                            const char *term_rest)
{
    for (size_t i = 0; i < count; i++)
        expect_same(&pairs[i], json_rest, term_rest);
}

/* --- Files and terms that are the same --- */

static void test_keys(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"\"//\": \"a comment\"", "seed => nil"},
        {"\"default_operation\": \"cast\"", "default_operation => cast"},
        {"\"timeout_ms\": 7, \"call_timeout_ms\": 8, \"hook_timeout_ms\": 9",
         "timeout_ms => 7, call_timeout_ms => 8, hook_timeout_ms => 9"},
        {"\"strict_cast_sync?\": true", "'strict_cast_sync?' => true"},
        {"\"cast_sync_message\": 5", "cast_sync_message => 5"},
        {"\"mailbox\": {\"sampling_interval\": 5}", "mailbox => #{sampling_interval => 5}"},
        {"\"mailbox\": []", "mailbox => []"},
        {"\"mailbox\": null", "mailbox => nil"},
        {"\"events\": \"errors\"", "events => errors"},
        {"\"events\": {\"last\": 5, \"//\": \"a comment\"}", "events => {last, 5}"},
        {"\"events\": {\"sample\": 5}", "events => {sample, 5}"},
        {"\"seed\": 12", "seed => 12"},
        {"\"spread\": \"random\"", "spread => random"},
        {"\"spread\": {\"key\": 2}", "spread => {key, 2}"},
        {"\"hooks_node\": \"hooks@host\"", "hooks_node => hooks@host"},
        {"\"hooks_node\": null", "hooks_node => nil"},
        {"\"dry_run\": true", "dry_run => true"},
        {"\"warmup_ms\": 0", "warmup_ms => 0"},
        {"\"performance_expectations\": {\"max_p99_us\": 5, \"max_error_rate\": 0.5}, "
         "\"abort_when\": [\"max_error_rate\"]",
         "performance_expectations => [{max_p99_us, 5}, {max_error_rate, 0.5}], abort_when => "
         "[max_error_rate]"},
        {"\"performance_expectations\": {}", "performance_expectations => []"},
        {"\"metadata\": {\"team\": \"core\", \"build\": {\"number\": 5, \"tags\": [\"a\", null, true, 1.5]}}",
         "metadata => #{team => <<\"core\">>, build => #{number => 5, tags => [<<\"a\">>, nil, true, 1.5]}}"},
        {"\"invariant\": {\"module\": \"m\", \"function\": \"f\"}", "invariant => {m, f, []}"},
        {"\"cleanup\": {\"module\": \"m\", \"function\": \"f\", \"extra_args\": [1, [2.5, null]]}",
         "cleanup => {m, f, [1, [2.5, nil]]}"},
        {"\"steady_state\": null", "steady_state => nil"},
    };
    expect_all_same(pairs, ARRAY_LENGTH(pairs), "\"target\": \"server\", \"threads\": [[1]]",
                    "target => server, threads => [[1]]");
}

static void test_targets(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"\"target\": \"server\"", "target => server"},
        {"\"target\": {\"name\": \"server\"}", "target => server"},
        {"\"target\": {\"node\": \"app@host\", \"name\": \"server\"}", "target => {server, app@host}"},
        {"\"target\": {\"global\": 5}", "target => {global, 5}"},
        {"\"target\": {\"via\": \"registry\", \"name\": [1]}", "target => {via, registry, [1]}"},
        {"\"target\": {\"children\": {\"node\": \"app@host\", \"name\": \"sup\"}}",
         "target => {children, {sup, app@host}}"},
        {"\"target\": {\"children\": \"sup\"}", "target => {children, sup}"},
        {"\"target\": [{\"pg\": 1}, {\"pg\": [1], \"scope\": \"s\"}]", "target => [{pg, 1}, {pg, s, [1]}]"},
        {"\"target\": {\"find\": {\"module\": \"m\", \"function\": \"f\"}}", "target => {find, {m, f, []}}"},
        {"\"target\": [\"a\", {\"name\": \"b\", \"node\": \"app@host\"}]", "target => [a, {b, app@host}]"},
        {"\"setup\": {\"module\": \"m\", \"function\": \"f\"}", "setup => {m, f, []}"},
        {"\"setup\": null, \"target\": \"server\"", "setup => nil, target => server"},
    };
    expect_all_same(pairs, ARRAY_LENGTH(pairs), "\"threads\": [[1]]", "threads => [[1]]");
}

static void test_operations(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"\"threads\": [[{\"call\": 1}, {\"cast\": 2}, {\"$send\": 3}, {\"$cast\": 4}, {\"$sleep\": 5}, 6]]",
         "threads => [[{call, 1}, {cast, 2}, {'$send', 3}, {'$cast', 4}, {'$sleep', 5}, 6]]"},
        {"\"threads\": [[{\"custom\": {\"module\": \"m\", \"function\": \"f\"}, \"//\": 1}], [], {\"call\": "
         "1}]",
         "threads => [[{custom, {m, f, []}}], [], {call, 1}]"},
        {"\"threads\": [[[1, true]], null]", "threads => [[[1, true]], nil]"},
        {"\"threads\": [[{\"op\": {\"call\": 1}, \"name\": \"look\", \"expect\": [1, true]}, {\"op\": 2}]]",
         "threads => [[#{op => {call, 1}, name => look, expect => [1, true]}, #{op => 2}]]"},
        {"\"thread_setup\": {\"module\": \"m\", \"function\": \"f\"}, \"thread_cleanup\": {\"module\": "
         "\"m\", "
         "\"function\": \"g\"}, \"threads\": [[1]]",
         "thread_setup => {m, f, []}, thread_cleanup => {m, g, []}, threads => [[1]]"},
        {"\"load\": {\"threads\": 1, \"iterations\": 1}, \"mix\": [{\"weight\": 1, \"op\": 2, \"name\": "
         "\"n\", "
         "\"expect\": 3}]",
         "load => #{threads => 1, iterations => 1}, mix => [#{weight => 1, op => 2, name => n, expect => "
         "3}]"},
        {"\"load\": {\"threads\": 2, \"iterations\": 3}, \"operations\": [{\"call\": 1}]",
         "load => #{threads => 2, iterations => 3}, operations => [{call, 1}]"},
        {"\"load\": {\"threads\": 2, \"duration_ms\": 3, \"think_ms\": [4, 5]}, \"operations\": 7",
         "load => #{threads => 2, duration_ms => 3, think_ms => {4, 5}}, operations => 7"},
        {"\"load\": {\"rate\": 2.5, \"duration_ms\": 3, \"arrival\": \"poisson\", \"max_in_flight\": 4, "
         "\"max_queued\": 5}, \"mix\": [{\"weight\": 2.5, \"op\": {\"cast\": 1}}, {\"op\": 3, \"weight\": "
         "1}]",
         "load => #{rate => 2.5, duration_ms => 3, arrival => poisson, max_in_flight => 4, max_queued => 5}, "
         "mix => [#{weight => 2.5, op => {cast, 1}}, #{op => 3, weight => 1}]"},
        {"\"load\": {\"stages\": [{\"duration_ms\": 1, \"threads\": 2}], \"ramp\": \"step\", \"think_ms\": "
         "3}, "
         "\"operations\": [1]",
         "load => #{stages => [#{duration_ms => 1, threads => 2}], ramp => step, think_ms => 3}, "
         "operations => [1]"},
    };
    expect_all_same(pairs, ARRAY_LENGTH(pairs), "\"target\": \"server\"", "target => server");
}

static void test_chaos(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"\"chaos\": null", "chaos => nil"},
        {"\"chaos\": {\"module\": \"m\", \"function\": \"f\"}", "chaos => {m, f, []}"},
        {"\"chaos\": []", "chaos => []"},
        {"\"chaos\": {\"kind\": \"suspend\", \"duration_ms\": 5}", "chaos => {suspend, 5}"},
        {"\"chaos\": [{\"kind\": \"inject_crash\", \"spec\": \"immediate\"}]",
         "chaos => [{inject_crash, immediate, []}]"},
        {"\"chaos\": [{\"kind\": \"inject_crash\", \"spec\": {\"after_ms\": 5}, \"reason\": 7}]",
         "chaos => [{inject_crash, {after_ms, 5}, [{reason, 7}]}]"},
        {"\"chaos\": [{\"kind\": \"inject_crash\", \"spec\": {\"random\": 0.5}}]",
         "chaos => [{inject_crash, {random, 0.5}, []}]"},
        {"\"chaos\": [{\"kind\": \"kill_children\", \"duration_ms\": 1, \"kill_rate\": 0.5}]",
         "chaos => [{kill_children, [{kill_rate, 0.5}, {duration_ms, 1}]}]"},
        {"\"chaos\": [{\"kind\": \"flood\", \"count\": 1, \"message\": 2}]",
         "chaos => [{flood, [{count, 1}, {message, 2}]}]"},
        {"\"chaos\": [{\"kind\": \"garbage_collect\", \"//\": 1}]", "chaos => [{garbage_collect, []}]"},
        {"\"chaos\": [{\"kind\": \"exhaust\", \"resource\": \"memory\", \"size_mb\": 1}]",
         "chaos => [{exhaust, memory, [{size_mb, 1}]}]"},
        {"\"chaos\": [{\"kind\": \"exhaust\", \"resource\": \"process_limit\", \"percentage\": 0.5}]",
         "chaos => [{exhaust, process_limit, [{percentage, 0.5}]}]"},
        {"\"chaos\": [{\"kind\": \"burn_cpu\", \"schedulers\": 1}]",
         "chaos => [{burn_cpu, [{schedulers, 1}]}]"},
        {"\"chaos\": [{\"kind\": \"disconnect\", \"nodes\": [\"a@h\", [\"b@h\", \"c@h\"]], \"duration_ms\": "
         "5}]",
         "chaos => [{disconnect, [a@h, [b@h, c@h]], 5}]"},
        {"\"chaos\": [{\"kind\": \"halt_node\", \"node\": \"a@h\"}]", "chaos => [{halt_node, a@h}]"},
        {"\"chaos\": [{\"kind\": \"apply\", \"module\": \"m\", \"function\": \"f\", \"arguments\": [1, "
         "[2]]}]",
         "chaos => [{apply, m, f, [1, [2]]}]"},
        {"\"chaos\": {\"action\": {\"kind\": \"suspend\", \"duration_ms\": 5}, \"after_ms\": 1, "
         "\"every_ms\": 2, "
         "\"times\": 3, \"jitter_ms\": 4, \"probability\": 0.5, \"target\": \"other\"}",
         "chaos => #{action => {suspend, 5}, after_ms => 1, every_ms => 2, times => 3, jitter_ms => 4, "
         "probability => 0.5, target => other}"},
    };
    expect_all_same(pairs, ARRAY_LENGTH(pairs), "\"target\": \"server\", \"threads\": [[1]]",
                    "target => server, threads => [[1]]");
}

static void test_chaos_targets(void **state)
{
    (void)state;
    static const struct pair rows[] = {
        {"\"server\"", "server"},
        {"{\"name\": \"server\", \"node\": \"app@host\"}", "{server, app@host}"},
        {"{\"global\": 5}", "{global, 5}"},
        {"{\"children\": \"sup\"}", "{children, sup}"},
        {"{\"child\": {\"name\": \"sup\", \"node\": \"app@host\"}}", "{child, {sup, app@host}}"},
        {"{\"application\": \"kernel\"}", "{application, kernel}"},
        {"{\"application\": \"kernel\", \"node\": \"app@host\"}", "{application, kernel, app@host}"},
        {"{\"module\": \"m\", \"node\": \"app@host\"}", "{module, m, app@host}"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char json[300], term[300];
        snprintf(json, sizeof(json),
                 "\"chaos\": [{\"action\": {\"kind\": \"garbage_collect\"}, \"target\": %s}]", rows[i].json);
        snprintf(term, sizeof(term), "chaos => [#{action => {garbage_collect, []}, target => %s}]",
                 rows[i].term);
        expect_same(&(struct pair){json, term}, "\"target\": \"server\", \"threads\": [[1]]",
                    "target => server, threads => [[1]]");
    }
    static const struct pair on_node = {
        "\"chaos\": [{\"action\": {\"kind\": \"burn_cpu\"}, \"target\": {\"node\": \"app@host\"}}]",
        "chaos => [#{action => {burn_cpu, []}, target => {node, app@host}}]"};
    expect_same(&on_node, "\"target\": \"server\", \"threads\": [[1]]", "target => server, threads => [[1]]");
}

/* --- Where hooks are applied --- */

static void test_hooks_node(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *node;
    } rows[] = {
        {"{\"target\": \"server\", \"threads\": [[1]]}", CALLER},
        {"{\"target\": {\"name\": \"server\", \"node\": \"app@host\"}, \"threads\": [[1]]}", "app@host"},
        {"{\"target\": {\"name\": \"server\", \"node\": \"app@host\"}, \"threads\": [[1]], \"hooks_node\": "
         "\"other@host\"}",
         "other@host"},
        {"{\"setup\": {\"module\": \"m\", \"function\": \"f\"}, \"threads\": [[1]]}", CALLER},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct scenario *scenario = read_good_json(rows[i].json);
        assert_string_equal(scenario->hooks_node, rows[i].node);
        scenario_free(scenario);
    }
}

/* Without a caller nothing may come without a node. */
static void test_nobody_calls(void **state)
{
    (void)state;
    static const struct scenario_origin nobody = {
        .caller_node = "", .own_node = OWN, .hooks_at_target = true};
    static const struct {
        const char *json;
        const char *path; /* of the problem; NULL: there is none */
    } rows[] = {
        {"{\"target\": {\"name\": \"server\", \"node\": \"app@host\"}, \"threads\": [[1]]}", NULL},
        {"{\"target\": \"server\", \"threads\": [[1]]}", "path => [target],"},
        {"{\"target\": {\"global\": 5}, \"threads\": [[1]]}", "path => [target],"},
        {"{\"target\": {\"via\": \"m\", \"name\": 5}, \"threads\": [[1]]}", "path => [target],"},
        {"{\"setup\": {\"module\": \"m\", \"function\": \"f\"}, \"threads\": [[1]]}",
         "path => [hooks_node],"},
        {"{\"setup\": {\"module\": \"m\", \"function\": \"f\"}, \"hooks_node\": \"app@host\", \"threads\": "
         "[[1]]}",
         NULL},
        {"{\"target\": {\"name\": \"server\", \"node\": \"app@host\"}, \"threads\": [[1]], \"chaos\": "
         "[{\"action\": "
         "{\"kind\": \"garbage_collect\"}, \"target\": {\"module\": \"m\"}}]}",
         "path => [chaos,0,target],"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct problems problems = {0};
        struct term_builder listed = {0};
        char found[1000];
        struct scenario *scenario =
            scenario_json_read(rows[i].json, strlen(rows[i].json), NULL, &nobody, &problems);
        problems_build(&problems, &listed);
        term_text(term_built(&listed), found, sizeof(found));
        assert_int_equal(problems.count, rows[i].path ? 1 : 0);
        if (rows[i].path && !strstr(found, rows[i].path))
            fail_msg("%s: %s", rows[i].json, found);
        scenario_free(scenario);
        problems_free(&problems);
        term_build_free(&listed);
    }
}

/* --- Texts --- */

#define WITH_TEXTS                                                                                           \
    "{\"target\": {\"name\": {\"elixir\": \"My.Name\"}, \"node\": \"app@host\"},"                            \
    "\"hooks_node\": \"hooks@host\","                                                                        \
    "\"threads\": [[{\"call\": {\"erlang\": \"{add, 1}\"}}, {\"elixir\": \":get\"}],"                        \
    "              [{\"custom\": {\"erlang\": \"fun(_) -> ok end\"}}, {\"call\": [1, {\"erlang\": "          \
    "\"a\"}]}]],"                                                                                            \
    "\"metadata\": {\"who\": {\"erlang\": \"me\"}},"                                                         \
    "\"cleanup\": {\"module\": \"m\", \"function\": \"f\", \"extra_args\": [{\"erlang\": \"x\"}]}}"

static void test_texts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum scenario_language language;
        bool is_hook;
        const char *path;
        const char *node;
        const char *meaning;
    } rows[] = {
        {"My.Name", LANGUAGE_ELIXIR, false, "[target, name]", "app@host", "'Elixir.My.Name'"},
        {"{add, 1}", LANGUAGE_ERLANG, false, "[threads, 0, 0, call]", "app@host", "{add, 1}"},
        {":get", LANGUAGE_ELIXIR, false, "[threads, 0, 1]", "app@host", "{cast, get}"},
        {"fun(_) -> ok end", LANGUAGE_ERLANG, true, "[threads, 1, 0, custom]", "hooks@host", "$1"},
        {"a", LANGUAGE_ERLANG, false, "[threads, 1, 1, call, 1]", "app@host", "<<\"a\">>"},
        {"me", LANGUAGE_ERLANG, false, "[metadata, who]", "app@host", "me"},
        {"x", LANGUAGE_ERLANG, false, "[cleanup, extra_args, 0]", "app@host", "[a, {b}]"},
    };
    struct scenario *scenario = read_good_json(WITH_TEXTS);
    const struct scenario_texts *texts = scenario->texts;
    struct term_builder builders[ARRAY_LENGTH(rows)] = {0}, form = {0}, wanted = {0};
    struct term meanings[ARRAY_LENGTH(rows)];
    struct problems problems = {0};
    assert_non_null(texts);
    assert_int_equal(texts->count, ARRAY_LENGTH(rows));
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct scenario_text *item = &texts->items[i];
        assert_string_equal(item->text, rows[i].text);
        assert_int_equal(item->language, rows[i].language);
        assert_int_equal(item->is_hook, rows[i].is_hook);
        assert_string_equal(scenario_text_node(item, scenario), rows[i].node);
        expect_term((struct term){buffer_bytes(&item->path), item->path.size}, rows[i].path);
        meanings[i] = term_from_text(&builders[i], rows[i].meaning);
    }
    struct scenario *whole = scenario_texts_read(texts, meanings, &problems);
    assert_non_null(whole);
    scenario_term_build(whole, &form);
    struct scenario *same = scenario_term_read(
        term_from_text(&wanted,
                       "#{target => {'Elixir.My.Name', app@host}, hooks_node => hooks@host, threads => "
                       "[[{call, {add, 1}}, {cast, get}], [{custom, $1}, {call, [1, <<\"a\">>]}]], "
                       "metadata => #{who => me}, cleanup => {m, f, [[a, {b}]]}}"),
        &origin, &problems);
    assert_non_null(same);
    term_build_reset(&wanted);
    scenario_term_build(same, &wanted);
    assert_true(term_same(term_built(&form), term_built(&wanted)));
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        term_build_free(&builders[i]);
    term_build_free(&form);
    term_build_free(&wanted);
    scenario_free(same);
    scenario_free(whole);
    scenario_free(scenario);
}

/* Each is asked for once. */
static void test_same_texts(void **state)
{
    (void)state;
    static const size_t firsts[] = {0, 0, 2, 3, 4, 0, 4};
    struct scenario *scenario = read_good_json(
        "{\"target\": \"server\", \"threads\": [[{\"call\": {\"erlang\": \"get\"}}, {\"cast\": {\"erlang\": "
        "\"get\"}}, {\"elixir\": \"get\"}, {\"erlang\": \"get \"}, {\"custom\": {\"erlang\": \"get\"}}, "
        "{\"erlang\": \"get\"}, {\"custom\": {\"erlang\": \"get\"}}]]}");
    assert_int_equal(scenario->texts->count, ARRAY_LENGTH(firsts));
    for (size_t i = 0; i < ARRAY_LENGTH(firsts); i++)
        assert_int_equal(scenario->texts->items[i].first, firsts[i]);
    scenario_free(scenario);
}

static void test_no_texts(void **state)
{
    (void)state;
    struct scenario *scenario = read_good_json("{\"target\": \"server\", \"threads\": [[1]]}");
    assert_null(scenario->texts);
    scenario_free(scenario);
}

/* --- Settings --- */

static void expect_set(const char *const *items, size_t count, const char *json, const char *term)
{
    const struct scenario_settings settings = {.items = items, .count = count};
    struct term_builder forms[2] = {0}, builder = {0};
    struct problems problems = {0};
    struct scenario *set = scenario_json_read(json, strlen(json), &settings, &origin, &problems);
    struct scenario *same = scenario_term_read(term_from_text(&builder, term), &origin, &problems);
    if (!set || !same)
        fail_msg("%s with %s is no scenario", json, items[0]);
    scenario_term_build(set, &forms[0]);
    scenario_term_build(same, &forms[1]);
    if (!term_same(term_built(&forms[0]), term_built(&forms[1])))
        fail_msg("%s with %s is not %s", json, items[0], term);
    scenario_free(set);
    scenario_free(same);
    term_build_free(&builder);
    term_build_free(&forms[0]);
    term_build_free(&forms[1]);
}

#define LOADED                                                                                               \
    "{\"target\": \"server\", \"load\": {\"threads\": 1, \"duration_ms\": 9}, \"operations\": [1, 2]}"

static void test_settings(void **state)
{
    (void)state;
    static const char *const nested[] = {"load.duration_ms=5000", "operations[1]=3", "seed=7"};
    static const char *const names[] = {"target.node=app@host", "target.name=other", "metadata.a.b=text"};
    static const char *const whole[] = {"target={\"name\": \"s\", \"node\": \"a@b\"}", "target.name=t",
                                        "events=\"none\"", "mailbox=null", "operations[0]={\"call\": 5}"};
    static const char *const path[] = {"metadata.text=a=b", "metadata.empty="};
    expect_set(
        nested, ARRAY_LENGTH(nested), LOADED,
        "#{target => server, load => #{threads => 1, duration_ms => 5000}, operations => [1, 3], seed => 7}");
    expect_set(names, ARRAY_LENGTH(names),
               "{\"target\": {\"name\": \"server\", \"node\": \"x@y\"}, \"threads\": [[1]]}",
               "#{target => {other, app@host}, threads => [[1]], metadata => #{a => #{b => <<\"text\">>}}}");
    expect_set(
        whole, ARRAY_LENGTH(whole), LOADED,
        "#{target => {t, a@b}, load => #{threads => 1, duration_ms => 9}, operations => [{call, 5}, 2], "
        "events => none}");
    expect_set(
        path, ARRAY_LENGTH(path), LOADED,
        "#{target => server, load => #{threads => 1, duration_ms => 9}, operations => [1, 2], metadata "
        "=> #{text => <<\"a=b\">>, empty => <<\"\">>}}");
}

/* --- Terms over a file's --- */

static struct scenario *read_overridden(const char *json, const char *overrides, struct problems *problems)
{
    struct term_builder builder = {0};
    struct scenario_settings settings = {.overrides = term_from_text(&builder, overrides)};
    *problems = (struct problems){0};
    struct scenario *scenario = scenario_json_read(json, strlen(json), &settings, &origin, problems);
    term_build_free(&builder);
    return scenario;
}

#define FOUR_TEXTS                                                                                           \
    "{\"metadata\": {\"a\": {\"erlang\": \"x\"}, \"b\": {\"erlang\": \"y\"}}, \"target\": \"server\", "      \
    "\"threads\": [[{\"erlang\": \"x\"}, {\"elixir\": \":z\"}]], \"invariant\": {\"erlang\": \"fun f/2\"}}"

/* The texts that are left stand for what they are, and those of one text have one number. */
static void test_overrides(void **state)
{
    (void)state;
    static const struct {
        const char *overrides;
        const char *texts[5];
        size_t firsts[5];
    } rows[] = {
        {"#{}", {"x", "y", "x", ":z", "fun f/2"}, {0, 1, 0, 3, 4}},
        {"#{timeout_ms => 7, node => a@b}", {"x", "y", "x", ":z", "fun f/2"}, {0, 1, 0, 3, 4}},
        {"#{metadata => #{a => 1}}", {"y", "x", ":z", "fun f/2"}, {0, 1, 2, 3}},
        {"#{metadata => #{c => [a, b, c]}}", {"x", "y", "x", ":z", "fun f/2"}, {0, 1, 0, 3, 4}},
        {"#{metadata => nil}", {"x", ":z", "fun f/2"}, {0, 1, 2}},
        {"#{threads => [[<<\"something that is long\">>]], invariant => $2}", {"x", "y"}, {0, 1}},
        {"#{metadata => #{}, invariant => nil, threads => [[a]]}", {"x", "y"}, {0, 1}},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct problems problems;
        struct scenario *scenario = read_overridden(FOUR_TEXTS, rows[i].overrides, &problems);
        assert_non_null(scenario);
        const struct scenario_texts *texts = scenario->texts;
        size_t count = 0, end = 0;
        for (; count < ARRAY_LENGTH(rows[i].texts) && rows[i].texts[count]; count++) {
            assert_true(count < texts->count);
            assert_string_equal(texts->items[count].text, rows[i].texts[count]);
            assert_int_equal(texts->items[count].first, rows[i].firsts[count]);
            assert_true(texts->items[count].start >= end);
            end = texts->items[count].start + texts->items[count].size;
            struct term stand_in = {buffer_bytes(&texts->term) + texts->items[count].start,
                                    texts->items[count].size};
            if (texts->items[count].is_hook)
                expect_term(stand_in, "{harnessd, text, []}");
            else
                assert_int_equal(term_type(stand_in), TERM_ATOM);
        }
        assert_int_equal(texts->count, count);
        scenario_free(scenario);
        problems_free(&problems);
    }
}

#define WITH_PAIRS                                                                                           \
    "{\"target\": \"s\", \"load\": {\"rate\": 5, \"duration_ms\": 70}, \"operations\": [1], "                \
    "\"mailbox\": {\"sampling_interval\": 20}, \"metadata\": {\"team\": \"core\", \"in\": {\"a\": 1}}, "     \
    "\"performance_expectations\": {\"max_p99_us\": 10, \"max_error_rate\": 0.5, \"max_p50_us\": 5}}"

#define SINGLE                                                                                               \
    "{\"target\": \"s\", \"load\": {\"rate\": 5, \"duration_ms\": 70}, "                                     \
    "\"operations\": {\"op\": 1, \"name\": \"one\"}, "                                                       \
    "\"chaos\": {\"action\": {\"kind\": \"suspend\", \"duration_ms\": 1}, \"after_ms\": 9}}"

/* Pairs are merged key by key, whether they are a map or a keyword list here and there. */
static void test_overridden_pairs(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *overrides;
        const char *expected; /* within the normalised form */
    } rows[] = {
        {WITH_PAIRS, "#{performance_expectations => #{max_error_rate => 0.25}}",
         "[{max_p99_us,10},{max_error_rate,0.25},{max_p50_us,5}]"},
        {WITH_PAIRS, "#{performance_expectations => [{max_p999_us, 30}, {max_p99_us, 20}]}",
         "[{max_p99_us,20},{max_error_rate,0.5},{max_p50_us,5},{max_p999_us,30}]"},
        {WITH_PAIRS, "#{performance_expectations => #{max_error_rate => nil, max_p999_us => nil}}",
         "[{max_p99_us,10},{max_p50_us,5}]"},
        {WITH_PAIRS, "#{performance_expectations => [{max_error_rate, nil}, {max_p50_us, nil}]}",
         "[{max_p99_us,10}]"},
        {WITH_PAIRS, "#{performance_expectations => #{}}",
         "[{max_p99_us,10},{max_error_rate,0.5},{max_p50_us,5}]"},
        {WITH_PAIRS, "#{performance_expectations => []}", "performance_expectations => []"},
        {WITH_PAIRS, "#{performance_expectations => nil}", "performance_expectations => []"},
        {WITH_PAIRS, "#{load => [{duration_ms, 90}]}", "rate => 5,duration_ms => 90"},
        {WITH_PAIRS, "#{load => [{rate, nil}, {threads, 3}, {threads, 4}]}",
         "threads => 3,duration_ms => 70"},
        {WITH_PAIRS, "#{mailbox => [{sampling_interval, 30}]}", "[{sampling_interval,30}]"},
        {WITH_PAIRS, "#{mailbox => []}", "[{sampling_interval,10}]"},
        {WITH_PAIRS, "#{metadata => [{in, [{b, 2}, {b, 3}, {a, nil}]}, {out, 7}]}",
         "#{team => <<\"core\">>,in => #{b => 2},out => 7}"},
        {SINGLE, "#{operations => [{op, 2}, {name, 3}]}", "operations => [{call,{op,2}},{call,{name,3}}]"},
        {SINGLE, "#{metadata => #{a => 1}}", "metadata => #{a => 1}"},
        {SINGLE, "#{chaos => [{suspend, 2}]}", "chaos => [{suspend,2}]"},
        {SINGLE, "#{chaos => #{after_ms => 4}}", "after_ms => 4"},
        {SINGLE, "#{performance_expectations => #{max_p99_us => 3, max_p50_us => nil}}", "[{max_p99_us,3}]"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct problems problems;
        struct term_builder form = {0};
        char found[4000] = "nothing";
        struct scenario *scenario = read_overridden(rows[i].json, rows[i].overrides, &problems);
        if (scenario) {
            scenario_term_build(scenario, &form);
            term_text(term_built(&form), found, sizeof(found));
        }
        if (!strstr(found, rows[i].expected))
            fail_msg("%s: no '%s' in %s", rows[i].overrides, rows[i].expected, found);
        term_build_free(&form);
        scenario_free(scenario);
        problems_free(&problems);
    }
}

static void test_bad_overrides(void **state)
{
    (void)state;
    static const char *const overrides[] = {"[{timeout_ms, 7}]", "7", "#{timeout => 7}",
                                            "#{timeout_ms => -1}"};
    for (size_t i = 0; i < ARRAY_LENGTH(overrides); i++) {
        struct problems problems;
        assert_null(read_overridden(FOUR_TEXTS, overrides[i], &problems));
        assert_int_equal(problems.count, 1);
        problems_free(&problems);
    }
}

static void test_texts_in_lines(void **state)
{
    (void)state;
    struct scenario *scenario =
        read_good_json("{\"target\": \"s\", \"threads\": [[{\"erlang\": [\"{a,\", \" b}\"]}]]}");
    assert_string_equal(scenario->texts->items[0].text, "{a,\n b}");
    scenario_free(scenario);
    static const char *const wrong[] = {"[]", "[1]", "[\"a\", null]", "{}"};
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        char json[200];
        snprintf(json, sizeof(json), "{\"target\": \"s\", \"threads\": [[{\"call\": {\"erlang\": %s}}]]}",
                 wrong[i]);
        expect_json_problems(json, 1,
                             (const char *const[]){PROBLEM("threads,0,0,call,erlang", "wrong_type", "")});
    }
    /* What was read from no file has none beside it. */
    expect_json_problems("{\"target\": \"s\", \"threads\": [[1]], \"cleanup\": {\"file\": \"a.exs\"}}", 1,
                         (const char *const[]){PROBLEM("cleanup,file", "no_file", "a.exs cannot be read")});
}

static void test_bad_settings(void **state)
{
    (void)state;
    static const struct {
        const char *setting;
        const char *problem;
    } rows[] = {
        {"load", PROBLEM("", "syntax", "load is no setting")},
        {"", PROBLEM("", "syntax", " is no setting")},
        {"=5", PROBLEM("", "no_place", "there is no  in the file")},
        {"operations.7=5",
         PROBLEM("", "no_place", "there is no operations.7 in the file to be set; places in lists")},
        {"operations[2]=5", PROBLEM("", "no_place", "there is no operations[2]")},
        {"operations.a=5", PROBLEM("", "no_place", "")},
        {"operations[1].a=5", PROBLEM("", "no_place", "")},
        {"operations[x]=5", PROBLEM("", "no_place", "")},
        {"operations[=5", PROBLEM("", "no_place", "")},
        {"operations[-1]=5", PROBLEM("", "no_place", "")},
        {"[0]=5", PROBLEM("", "no_place", "")},
        {"load..threads=5", PROBLEM("", "no_place", "")},
        {"target.node=x@y", PROBLEM("", "no_place", "")},
        {"metadata=\xff", PROBLEM("", "syntax", "metadata has a value")},
        {"load.threads=0", PROBLEM("load,threads", "out_of_range", "")},
        {"load.thread=1", PROBLEM("load,thread", "unknown_key", "")},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct scenario_settings settings = {.items = &rows[i].setting, .count = 1};
        struct problems problems = {0};
        struct term_builder listed = {0};
        char found[1000];
        assert_null(scenario_json_read(LOADED, strlen(LOADED), &settings, &origin, &problems));
        problems_build(&problems, &listed);
        term_text(term_built(&listed), found, sizeof(found));
        if (problems.count != 1 || !strstr(found, rows[i].problem))
            fail_msg("%s: %s", rows[i].setting, found);
        problems_free(&problems);
        term_build_free(&listed);
    }
}

/* --- What is wrong --- */

#define RUNS "\"target\": \"server\", \"threads\": [[1]]"

static void test_bad_json(void **state)
{
    (void)state;
    char *large = memory_alloc(SCENARIO_JSON_BYTES_MOST + 2);
    memset(large, ' ', SCENARIO_JSON_BYTES_MOST + 1);
    large[SCENARIO_JSON_BYTES_MOST + 1] = '\0';
    EXPECT_JSON_PROBLEMS("", PROBLEM("", "syntax", "line 1"));
    EXPECT_JSON_PROBLEMS("{", PROBLEM("", "syntax", "line 1"));
    EXPECT_JSON_PROBLEMS("{\"a\": 1,\n \"a\": 2}", PROBLEM("", "syntax", "line 2"));
    EXPECT_JSON_PROBLEMS("{} {}", PROBLEM("", "syntax", "line 1"));
    EXPECT_JSON_PROBLEMS("{\"seed\": 99999999999999999999}", PROBLEM("", "syntax", "line 1"));
    EXPECT_JSON_PROBLEMS("[]", PROBLEM("", "wrong_type", "a scenario is a JSON object"));
    EXPECT_JSON_PROBLEMS("5", PROBLEM("", "wrong_type", "a scenario is a JSON object"));
    EXPECT_JSON_PROBLEMS(large, PROBLEM("", "out_of_range", "has more than"));
    free(large);
}

static void test_depth(void **state)
{
    (void)state;
    for (size_t depth = SCENARIO_JSON_DEPTH_MOST - 3; depth < SCENARIO_JSON_DEPTH_MOST + 3; depth++) {
        char json[400] = "{" RUNS ", \"metadata\": {\"deep\": ";
        for (size_t i = 0; i < depth; i++)
            strcat(json, "[");
        for (size_t i = 0; i < depth; i++)
            strcat(json, "]");
        strcat(json, "}}");
        /* The root and the metadata are two levels. */
        if (depth + 2 > SCENARIO_JSON_DEPTH_MOST)
            EXPECT_JSON_PROBLEMS(json, "nested deeper");
        else
            scenario_free(read_good_json(json));
    }
}

static void test_long_keys(void **state)
{
    (void)state;
    char json[3000] = "{" RUNS ", \"metadata\": {\"";
    for (size_t i = 0; i < 255; i++)
        strcat(json, "\xc3\xa9");
    size_t size = strlen(json);
    strcat(json, "\": 1}}");
    scenario_free(read_good_json(json));
    strcpy(json + size, "x\": 1}}");
    EXPECT_JSON_PROBLEMS(json, PROBLEM("metadata", "unknown_key", "has a key of more than"));
}

static void test_problems(void **state)
{
    (void)state;
    EXPECT_JSON_PROBLEMS("{\"target\": \"server\", \"threads\": [[\"get\", {}, {\"call\": 1, \"cast\": 2}]]}",
                         PROBLEM("threads,0,0", "wrong_type", "must be a term"),
                         PROBLEM("threads,0,1", "invalid_operation", ""),
                         PROBLEM("threads,0,2", "invalid_operation", ""));
    EXPECT_JSON_PROBLEMS(
        "{\"target\": \"server\", \"threads\": [[{\"call\": {\"a\": 1}}, {\"cats\": 1}]]}",
        PROBLEM("threads,0,0,call", "wrong_type", "must be a term"),
        PROBLEM("threads,0,1,cats", "unknown_key", "is not a key of operations; did you mean cast?"));
    EXPECT_JSON_PROBLEMS(
        "{" RUNS ", \"tiemout_ms\": 5}",
        PROBLEM("tiemout_ms", "unknown_key", "is not a key of scenarios; did you mean timeout_ms?"));
    EXPECT_JSON_PROBLEMS("{" RUNS ", \"invariant\": {\"module\": 5, \"extra_args\": 1, \"function\": \"f\", "
                         "\"extra\": 1}}",
                         PROBLEM("invariant,module", "wrong_type", ""),
                         PROBLEM("invariant,extra_args", "wrong_type", "must be a list of terms"),
                         PROBLEM("invariant,extra", "unknown_key", "is not a key of hooks"));
    EXPECT_JSON_PROBLEMS("{\"threads\": [[1]], \"target\": [{\"name\": 5, \"node\": 6}, {\"nam\": \"a\"}]}",
                         PROBLEM("target,0,name", "wrong_type", ""),
                         PROBLEM("target,0,node", "wrong_type", ""),
                         PROBLEM("target,1", "invalid_target", ""));
    EXPECT_JSON_PROBLEMS("{" RUNS ", \"chaos\": [{}, {\"kind\": \"suspend\"}, {\"kind\": \"suspnd\"}, 5]}",
                         PROBLEM("chaos,0", "invalid_action", "must have a kind"),
                         PROBLEM("chaos,1,duration_ms", "wrong_type", "must be an integer"),
                         "did you mean suspend", PROBLEM("chaos,3", "invalid_action", ""));
    EXPECT_JSON_PROBLEMS(
        "{" RUNS ", \"chaos\": [{\"kind\": \"exhaust\", \"resource\": \"disk\"}, "
        "{\"kind\": \"suspend\", \"duration_sm\": 5, \"duration_ms\": 5}]}",
        PROBLEM("chaos,0", "invalid_action", "exhaust needs"),
        PROBLEM("chaos,1,duration_sm", "unknown_key", "is not a key of suspend; did you mean duration_ms?"));
    EXPECT_JSON_PROBLEMS("{" RUNS ", \"chaos\": [{\"action\": {\"kind\": \"suspend\", \"duration_ms\": 0}, "
                         "\"after\": 5, \"target\": {\"node\": 5}}]}",
                         PROBLEM("chaos,0,'after'", "unknown_key", ""),
                         PROBLEM("chaos,0,action,duration_ms", "out_of_range", ""),
                         PROBLEM("chaos,0,target", "invalid_target", "must be named"),
                         PROBLEM("chaos,0,target", "invalid_target", "of suspend"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_operations),
        cmocka_unit_test(test_chaos),
        cmocka_unit_test(test_chaos_targets),
        cmocka_unit_test(test_hooks_node),
        cmocka_unit_test(test_nobody_calls),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_no_texts),
        cmocka_unit_test(test_same_texts),
        cmocka_unit_test(test_overrides),
        cmocka_unit_test(test_bad_overrides),
        cmocka_unit_test(test_overridden_pairs),
        cmocka_unit_test(test_texts_in_lines),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_bad_settings),
        cmocka_unit_test(test_bad_json),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_long_keys),
        cmocka_unit_test(test_problems),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
