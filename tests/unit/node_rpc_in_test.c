#include "node_world.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/worker.h"
#include "node/rpc_in.h"
#include "node_private.h"
#include "term/term_read.h"

#define NAMED(name) "{6, $p, '', " name "}"
#define MONITORED "{29, $r, $p, $q, {erpc, execute_call, 4}, [monitor]}"

/* What answers rpc, and the requests that it has handed on. */
struct fixture {
    struct world world;
    struct rpc_in *rpc_in;
    struct process *before;  /* those that a test has spawned */
    struct request *request; /* the last, until it is answered */
    bool answers;            /* all that comes, at once, with ok */
    char order[100];         /* the names of what was served */
    int served;
    int abandoned;
};

static void answer(struct fixture *fixture, const char *value);

static struct process *on_spawn(void *owner, struct peer *peer, const struct control *control,
                                struct term arguments)
{
    struct fixture *fixture = owner;
    return rpc_in_spawn(fixture->rpc_in, peer, control, arguments);
}

static void on_serve(void *owner, struct request *request)
{
    struct fixture *fixture = owner;
    char name[TERM_ATOM_BYTES + 1];
    size_t used = strlen(fixture->order);
    assert_true(term_read_atom(request->function, name));
    snprintf(fixture->order + used, sizeof(fixture->order) - used, "%s ", name);
    fixture->request = request;
    fixture->served++;
    if (fixture->answers)
        answer(fixture, "ok");
}

static void on_abandoned(void *owner)
{
    struct fixture *fixture = owner;
    fixture->abandoned++;
}

static const struct process_events nothing; /* is of interest to it */

/* The three processes that have names and one more, so that the next is $o. */
static void start(struct fixture *fixture)
{
    struct rpc_in_options options = {.name = "harness", .serve = on_serve, .owner = fixture};
    *fixture = (struct fixture){0};
    world_start(&fixture->world, on_spawn);
    fixture->rpc_in = rpc_in_new(fixture->world.node, &options);
    fixture->before = process_spawn(fixture->world.node, &nothing, NULL);
}

static void end(struct fixture *fixture)
{
    process_exit_atom(fixture->before, "normal");
    rpc_in_free(fixture->rpc_in);
    world_end(&fixture->world);
}

/* The pid of a named process stands for $o in what is expected of it: it is the fifth. */
static void start_named(struct fixture *fixture)
{
    struct rpc_in_options options = {.name = "harness", .serve = on_serve, .owner = fixture};
    *fixture = (struct fixture){0};
    world_start(&fixture->world, on_spawn);
    for (int i = 0; i < 4; i++)
        process_exit_atom(process_spawn(fixture->world.node, &nothing, NULL), "normal");
    fixture->rpc_in = rpc_in_new(fixture->world.node, &options);
    fixture->before = process_spawn(fixture->world.node, &nothing, NULL);
}

static void expect_request(const struct fixture *fixture, enum request_form form, const char *module,
                           const char *function, const char *arguments)
{
    const struct request *request = fixture->request;
    assert_non_null(request);
    assert_int_equal(request->form, form);
    assert_string_equal(request->peer, APP);
    expect_term(request->caller, "$p");
    if (module)
        expect_term(request->module, module);
    else
        assert_null(request->module.data);
    expect_term(request->function, function);
    struct term_builder builder = {0};
    term_build_list(&builder, request->arity);
    for (size_t i = 0; i < request->arity; i++)
        term_build_term(&builder, request->arguments[i]);
    if (request->arity)
        term_build_nil(&builder);
    expect_term(term_built(&builder), arguments);
    term_build_free(&builder);
}

static void answer(struct fixture *fixture, const char *value)
{
    struct term_builder builder = {0};
    struct request *request = fixture->request;
    fixture->request = NULL;
    term_build_atom(request_answer(request), "thrown_away");
    term_build_term(request_answer(request), term_from_text(&builder, value));
    request_return(request);
    term_build_free(&builder);
}

/* An answer may be an exception. */
static void raise(struct fixture *fixture)
{
    struct request *request = fixture->request;
    fixture->request = NULL;
    request_raise(request, TERM_ATOM("broken"), (struct term){(const uint8_t[]){TERM_TAG_NIL}, 1});
}

static void read_all(struct fixture *fixture)
{
    do { /* what has waited may be read there in its turn */
        worker_free_aside(&fixture->world.loop);
        loop_finish(&fixture->world.loop);
    } while (fixture->world.loop.aside);
}

static void watch(struct fixture *fixture)
{
    fixture->request->abandoned = on_abandoned;
    fixture->request->owner = fixture;
}

/* --- GenServer calls --- */

static void test_calls(void **state)
{
    (void)state;
    static const struct {
        const char *message, *function, *arguments, *control, *reply;
    } rows[] = {
        {"{'$gen_call', {$p, $r}, info}", "info", "[]", "{22, $o, $p}", "{$r, [yes]}"},
        {"{'$gen_call', {$p, 1}, {run, #{a => 1}, $q}}", "run", "[#{a => 1}, $q]", "{22, $o, $p}",
         "{1, [yes]}"},
        {"{'$gen_call', {$p, [alias|$r]}, {run}}", "run", "[]", "{33, $o, $r}", "{[alias|$r], [yes]}"},
        {"{'$gen_call', {$p, [[alias|$s]|x]}, {f, 1, 2, 3, 4, 5, 6, 7, 8}}", "f", "[1, 2, 3, 4, 5, 6, 7, 8]",
         "{33, $o, $s}", "{[[alias|$s]|x], [yes]}"},
        {"{'$gen_call', {$p, [alias|5]}, {run}}", "run", "[]", "{22, $o, $p}", "{[alias|5], [yes]}"},
        {"{'$gen_call', {$p, [other|$r]}, {run}}", "run", "[]", "{22, $o, $p}", "{[other|$r], [yes]}"},
        {"{'$gen_call', {$p, []}, {run}}", "run", "[]", "{22, $o, $p}", "{[], [yes]}"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct fixture fixture;
        start_named(&fixture);
        world_tell(&fixture.world, NAMED("harness"), rows[i].message);
        expect_request(&fixture, REQUEST_CALL, NULL, rows[i].function, rows[i].arguments);
        assert_true(request_expects_answer(fixture.request));
        world_expect_nothing_sent(&fixture.world);
        answer(&fixture, "[yes]");
        world_expect_sent(&fixture.world, rows[i].control, rows[i].reply);
        world_tell(&fixture.world, "{22, $p, $o}", rows[i].message); /* by its pid */
        raise(&fixture);
        assert_int_equal(fixture.served, 2);
        end(&fixture);
    }
}

static void test_calls_of_no_function(void **state)
{
    (void)state;
    static const struct {
        const char *message, *reply;
    } rows[] = {
        {"{'$gen_call', {$p, $r}, 5}", "{$r, {error, {undef, {5, 0}}}}"},
        {"{'$gen_call', {$p, $r}, {}}", "{$r, {error, {undef, {{}, 0}}}}"},
        {"{'$gen_call', {$p, $r}, {1, 2}}", "{$r, {error, {undef, {{1, 2}, 0}}}}"},
        {"{'$gen_call', {$p, $r}, {f, 1, 2, 3, 4, 5, 6, 7, 8, 9}}",
         "{$r, {error, {undef, {{f, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 0}}}}"},
    };
    struct fixture fixture;
    start_named(&fixture);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        world_tell(&fixture.world, NAMED("harness"), rows[i].message);
        world_expect_sent(&fixture.world, "{22, $o, $p}", rows[i].reply);
    }
    world_tell(&fixture.world, NAMED("harness"), "{'$gen_call', {$p, $r}, {f, 1}}");
    request_undefined(fixture.request, "nearest: g()");
    world_expect_sent(&fixture.world, "{22, $o, $p}", "{$r, {error, {undef, {f, 1}}}}");
    world_tell(&fixture.world, NAMED("harness"), "{'$gen_call', {$p, $r}, f}");
    raise(&fixture);
    world_expect_sent(&fixture.world, "{22, $o, $p}", "{$r, {error, {exception, broken, []}}}");
    assert_int_equal(fixture.served, 2);
    end(&fixture);
}

/* What is too large raises with its limit, and with that of the configuration where it is a share of that. */
static void test_calls_that_are_too_large(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"{message_too_large, 1000}", "limit => 1000"},
        {"{message_too_large, 667}", "limit => 667, of => 1000"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct fixture fixture;
        char message[200], raised[200];
        start_named(&fixture);
        snprintf(message, sizeof(message), "{'$gen_call', {$p, $r}, %s}", rows[i][0]);
        world_tell_too_large(&fixture.world, NAMED("harness"), message, rows[i][0]);
        snprintf(
            raised, sizeof(raised),
            "{$r, {error, {exception, {message_too_large, #{key => <<\"limits.frame_bytes\">>, %s}}, []}}}",
            rows[i][1]);
        world_expect_sent(&fixture.world, "{22, $o, $p}", raised);
        assert_int_equal(fixture.served, 0);
        end(&fixture);
    }
}

static void test_casts(void **state)
{
    (void)state;
    struct fixture fixture;
    start_named(&fixture);
    world_tell(&fixture.world, NAMED("harness"), "{'$gen_cast', {run, 1}}");
    expect_request(&fixture, REQUEST_CAST, NULL, "run", "[1]");
    assert_false(request_expects_answer(fixture.request));
    answer(&fixture, "ok");
    world_tell(&fixture.world, NAMED("harness"), "{'$gen_cast', 5}");
    world_tell(&fixture.world, "{2, '', $o}", "{'$gen_cast', run}"); /* of nobody */
    world_tell(&fixture.world, NAMED("harness"), "{'$gen_cast', run}");
    raise(&fixture);
    assert_int_equal(fixture.served, 2);
    world_expect_nothing_sent(&fixture.world);
    end(&fixture);
}

static void test_ignored_messages(void **state)
{
    (void)state;
    static const char *const messages[] = {
        "hello",
        "{'$gen_call', {$p, $r}}",
        "{'$gen_call', $p, run}",
        "{'$gen_call', {harness, $r}, run}",
        "{'$gen_cast', run, 1}",
        "{system, $p, get_state}",
        "{$p, {call, m, f}}",
        "{$p, {call, m, f, [], $q, 1}}",
        "{$p, {call, 1, f, [], $q}}",
        "{$p, {call, m, 1, [], $q}}",
        "{$p, {ask, m, f, [], $q}}",
        "{other, {call, m, f, [], $q}}",
        "{'EXIT', $p, normal}",
    };
    static const char *const names[] = {NAMED("harness"), NAMED("rex"), NAMED("net_kernel"), NAMED("nobody")};
    struct fixture fixture;
    start(&fixture);
    for (size_t i = 0; i < ARRAY_LENGTH(messages); i++)
        for (size_t k = 0; k < ARRAY_LENGTH(names); k++)
            world_tell(&fixture.world, names[k], messages[i]);
    world_tell(&fixture.world, NAMED("rex"), "{'$gen_cast', {cast, m, f}}");
    world_tell(&fixture.world, "{22, $p, $q}", "hello"); /* a process that is not here */
    world_tell(&fixture.world, "{33, $p, $r}", "hello");
    world_tell(&fixture.world, "{7, $p, $q}", NULL);
    assert_int_equal(fixture.served, 0);
    world_expect_nothing_sent(&fixture.world);
    end(&fixture);
}

/* sys:get_state/1 is answered by all that have names. */
static void test_system_messages(void **state)
{
    (void)state;
    static const char *const names[] = {"{6, $p, '', harness}", "{6, $p, '', rex}",
                                        "{6, $p, '', net_kernel}"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        struct fixture fixture;
        start(&fixture);
        world_tell(&fixture.world, names[i], "{system, {$p, [alias|$r]}, {get, state}}");
        assert_int_equal(fixture.world.sent_count, 1);
        expect_term(term_of(&fixture.world.sent[0].payload),
                    "{[alias|$r], {error, {not_supported, {get, state}}}}");
        end(&fixture);
    }
}

/* Whoever calls a process that takes no messages does not wait for it, even if that ends meanwhile. */
static void test_calls_of_other_processes(void **state)
{
    (void)state;
    static const struct {
        const char *message, *answer;
    } rows[] = {
        {"{'$gen_call', {$p, $r}, hello}", "{$r, {error, {not_supported, hello}}}"},
        {"{system, {$p, [alias|$r]}, get_state}", "{[alias|$r], {error, {not_supported, get_state}}}"},
        {"{'$gen_cast', hello}", NULL},
        {"hello", NULL},
        {"{'$gen_call', {$p, $r}, $x}", "{$r, {error, {not_supported, $x}}}"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct fixture fixture;
        start(&fixture);
        struct process *process = process_spawn(fixture.world.node, &nothing, NULL);
        world_tell(&fixture.world, "{22, $p, $o}", rows[i].message);
        process_exit_atom(process, "normal");
        read_all(&fixture);
        assert_int_equal(fixture.world.sent_count, rows[i].answer != NULL);
        if (rows[i].answer)
            expect_term(term_of(&fixture.world.sent[0].payload), rows[i].answer);
        assert_int_equal(fixture.served, 0);
        end(&fixture);
    }
}

/* Whoever calls what is not there is told so, whatever has that name on other nodes. */
static void test_unknown_calls(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *message;
        const char *answer;
    } rows[] = {
        {NAMED("rex"), "{'$gen_call', {$p, $r}, {call, m, f}}", "{$r, {error, {undef, {call, 2}}}}"},
        {NAMED("rex"), "{'$gen_call', {$p, $r}, 5}", "{$r, {error, {undef, {5, 0}}}}"},
        {NAMED("net_kernel"), "{'$gen_call', {$p, $r}, {is_auth}}", "{$r, {error, {undef, {is_auth, 0}}}}"},
        {NAMED("net_kernel"), "{'$gen_call', {$p, $r}, {spawn, a, b, [], $p}}",
         "{$r, {error, {undef, {spawn, 4}}}}"},
        {NAMED("harness"), "{$p, {$p, $r}, which_handlers}",
         "{$r, {error, {not_supported, which_handlers}}}"},
        {NAMED("rex"), "{$p, {sbcast, harness, hello}}", "{rex, 'harness@own', 'harness@own'}"},
        {NAMED("rex"), "{$p, {sbcast, nobody, hello}}",
         "{rex, 'harness@own', {nonexisting_name, 'harness@own'}}"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct fixture fixture;
        start(&fixture);
        world_tell(&fixture.world, rows[i].name, rows[i].message);
        assert_int_equal(fixture.world.sent_count, 1);
        expect_term(term_of(&fixture.world.sent[0].payload), rows[i].answer);
        assert_int_equal(fixture.served, 0);
        end(&fixture);
    }
}

/* A broadcast in a broadcast is none, whatever is in that. */
static void test_broadcasts_of_broadcasts(void **state)
{
    (void)state;
    static const char *const messages[] = {
        "{$p, {sbcast, rex, {$p, {sbcast, harness, {'$gen_cast', run}}}}}",
        "{$p, {sbcast, rex, {$p, {sbcast, rex, {$p, {sbcast, rex, {$p, {sbcast, rex, hello}}}}}}}}",
        "{$p, {sbcast, rex, {$p, {sbcast, rex, $x}}}}",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(messages); i++) {
        struct fixture fixture;
        start_named(&fixture);
        world_tell(&fixture.world, NAMED("rex"), messages[i]);
        worker_free_aside(&fixture.world.loop);
        loop_finish(&fixture.world.loop);
        assert_int_equal(fixture.world.sent_count, 1);
        expect_term(term_of(&fixture.world.sent[0].payload), "{rex, 'harness@own', 'harness@own'}");
        assert_int_equal(fixture.served, 0);
        end(&fixture);
    }
}

/* What is no broadcast is handed on, to rex as well. */
static void test_broadcasts_of_requests(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    fixture.answers = true;
    world_tell(&fixture.world, NAMED("rex"), "{$p, {sbcast, rex, {$q, {call, m, f, [], $q}}}}");
    world_tell(&fixture.world, NAMED("rex"), "{$p, {sbcast, harness, {'$gen_cast', run}}}");
    assert_string_equal(fixture.order, "f run ");
    end(&fixture);
}

/* A shell of another node learns that it cannot run here in a way that it can show. */
static void test_remote_shells(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        const char *begins; /* what is answered */
    } rows[] = {
        {"{'$gen_call', {$p, $r}, {call, code, ensure_loaded, [shell], $q}}", "{module, shell}"},
        {"{'$gen_call', {$p, $r}, {call, code, ensure_loaded, [iex], $q}}", "{module, iex}"},
        {"{'$gen_call', {$p, $r}, {call, net_kernel, get_net_ticktime, [], $q}}", "60"},
        {"{'$gen_call', {$p, $r}, {call, application, get_env, [stdlib, shell_slogan, hello], $q}}", "hello"},
        {"{'$gen_call', {$p, $r}, {call, erlang, system_info, [otp_release], $q}}", "[50, 53]"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct fixture fixture;
        char answer[100];
        start(&fixture);
        world_tell(&fixture.world, NAMED("rex"), rows[i].message);
        assert_int_equal(fixture.world.sent_count, 1);
        snprintf(answer, sizeof(answer), "{$r, %s}", rows[i].begins);
        expect_term(term_of(&fixture.world.sent[0].payload), answer);
        assert_int_equal(fixture.served, 0);
        end(&fixture);
    }
}

/* A default value of any size is answered as it came, and not copied by the loop. */
static void test_remote_shell_with_a_long_value(void **state)
{
    (void)state;
    struct fixture fixture;
    start_named(&fixture);
    world_tell_held(&fixture.world, NAMED("rex"),
                    "{'$gen_call', {$p, $r}, {call, application, get_env, [stdlib, shell_slogan, $x], $q}}");
    struct worker *reading = fixture.world.loop.aside;
    fixture.world.loop.aside = NULL;
    worker_free(reading);
    assert_int_equal(fixture.world.sent_count, 0);
    assert_non_null(fixture.world.loop.aside); /* which copies it */
    read_all(&fixture);
    assert_int_equal(fixture.world.sent_count, 1);
    expect_term(term_of(&fixture.world.sent[0].payload), "{$r, $x}");
    assert_int_equal(fixture.served, 0);
    end(&fixture);
}

/* What is not asked for by a shell is nothing of it. */
static void test_no_remote_shells(void **state)
{
    (void)state;
    static const char *const messages[] = {
        "{'$gen_call', {$p, $r}, {call, code, ensure_loaded, [lists], $q}}",
        "{'$gen_call', {$p, $r}, {call, code, ensure_loaded, [], $q}}",
        "{'$gen_call', {$p, $r}, {call, erlang, system_info, [version], $q}}",
        "{'$gen_call', {$p, $r}, {call, application, get_env, [kernel, a, b], $q}}",
        "{'$gen_call', {$p, $r}, {call, shell, start, [], user}}",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(messages); i++) {
        struct fixture fixture;
        start(&fixture);
        world_tell(&fixture.world, NAMED("rex"), messages[i]);
        assert_int_equal(fixture.served, 1);
        request_undefined(fixture.request, NULL);
        end(&fixture);
    }
}

/* A shell that is started says its sentence to its group leader, and ends when that is printed. */
static void test_remote_shell_that_is_started(void **state)
{
    (void)state;
    struct fixture fixture;
    char text[1000];
    start(&fixture);
    size_t before = node_process_count(fixture.world.node);
    world_tell(&fixture.world, NAMED("rex"), "{'$gen_call', {$p, $r}, {call, shell, start, [], $p}}");
    assert_int_equal(fixture.world.sent_count, 2);
    term_text(term_of(&fixture.world.sent[0].payload), text, sizeof(text));
    assert_non_null(strstr(text, "io_request"));
    assert_non_null(strstr(text, "no shell can run on it"));
    expect_term(term_of(&fixture.world.sent[1].payload), "{$r, $o}");
    assert_int_equal(node_process_count(fixture.world.node), before + 1);
    world_tell(&fixture.world, "{22, $p, $o}", "{io_reply, harness, ok}");
    assert_int_equal(node_process_count(fixture.world.node), before);
    end(&fixture);
}

static void test_ping(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    world_tell(&fixture.world, NAMED("net_kernel"), "{'$gen_call', {$p, $r}, {is_auth, 'app@target'}}");
    assert_int_equal(fixture.world.sent_count, 1);
    expect_term(term_of(&fixture.world.sent[0].payload), "{$r, yes}");
    end(&fixture);
}

/* --- rex --- */

static void test_rex(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        enum request_form form;
        const char *arguments, *reply, *raised;
    } rows[] = {
        {"{'$gen_call', {$p, $r}, {call, m, f, [a, 2], $q}}", REQUEST_REX_CALL, "[a, 2]", "{$r, ok}",
         "{$r, {badrpc, {'EXIT', {broken, []}}}}"},
        {"{'$gen_call', {$p, $r}, {block_call, m, f, [], user}}", REQUEST_REX_CALL, "[]", "{$r, ok}",
         "{$r, {badrpc, {'EXIT', {broken, []}}}}"},
        {"{$p, {call, m, f, \"AB\", $q}}", REQUEST_REX_SEND, "[65, 66]", "{rex, ok}",
         "{rex, {badrpc, {'EXIT', {broken, []}}}}"},
        {"{'$gen_cast', {cast, m, f, [a], $q}}", REQUEST_CAST, "[a]", NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct fixture fixture;
        start(&fixture);
        for (int raises = 0; raises < 2; raises++) {
            world_tell(&fixture.world, NAMED("rex"), rows[i].message);
            expect_request(&fixture, rows[i].form, "m", "f", rows[i].arguments);
            if (strstr(rows[i].message, "$q"))
                expect_term(fixture.request->group_leader, "$q");
            else
                assert_null(fixture.request->group_leader.data);
            if (raises)
                raise(&fixture);
            else
                answer(&fixture, "ok");
            if (!rows[i].reply) {
                world_expect_nothing_sent(&fixture.world);
                continue;
            }
            assert_int_equal(fixture.world.sent_count, raises + 1);
            expect_term(term_of(&fixture.world.sent[raises].payload),
                        raises ? rows[i].raised : rows[i].reply);
        }
        end(&fixture);
    }
}

static void test_rex_arguments(void **state)
{
    (void)state;
    static const char *const lists[] = {"5", "[1|2]", "[1, 2, 3, 4, 5, 6, 7, 8, 9]", "{}"};
    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
        struct fixture fixture;
        char message[200], reply[200];
        start(&fixture);
        snprintf(message, sizeof(message), "{'$gen_call', {$p, $r}, {call, m, f, %s, $q}}", lists[i]);
        world_tell(&fixture.world, NAMED("rex"), message);
        snprintf(message, sizeof(message), "{$p, {call, m, f, %s, $q}}", lists[i]);
        world_tell(&fixture.world, NAMED("rex"), message);
        snprintf(message, sizeof(message), "{'$gen_cast', {cast, m, f, %s, $q}}", lists[i]);
        world_tell(&fixture.world, NAMED("rex"), message);
        assert_int_equal(fixture.served, 0);
        assert_int_equal(fixture.world.sent_count, 2);
        for (int k = 0; k < 2; k++) {
            snprintf(reply, sizeof(reply), "{%s, {badrpc, {'EXIT', {undef, [{m, f, %s, []}]}}}}",
                     k ? "rex" : "$r", lists[i]);
            expect_term(term_of(&fixture.world.sent[k].payload), reply);
        }
        end(&fixture);
    }
}

/* --- erpc --- */

static void test_erpc(void **state)
{
    (void)state;
    for (int outcome = 0; outcome < 4; outcome++) {
        struct fixture fixture;
        start(&fixture);
        world_tell(&fixture.world, MONITORED, "[res, m, f, [1, x]]");
        assert_int_equal(fixture.served, 0); /* not before its process is known there */
        world_expect_sent(&fixture.world, "{31, $r, $p, 2, $o}", NULL);
        expect_request(&fixture, REQUEST_ERPC, "m", "f", "[1, x]");
        expect_term(fixture.request->group_leader, "$q");
        assert_true(request_expects_answer(fixture.request));
        watch(&fixture);
        if (outcome == 0)
            answer(&fixture, "done");
        else if (outcome == 1)
            raise(&fixture);
        else
            request_undefined(fixture.request, outcome == 2 ? NULL : "nearest: g()");
        static const char *const reasons[] = {
            "{res, return, done}",
            "{res, error, broken, []}",
            "{res, error, undef, [{m, f, [1, x], []}]}",
            "{res, error, undef, [{m, f, [1, x], [{error_info, #{cause => <<\"nearest: g()\">>}}]}]}",
        };
        world_expect_sent(&fixture.world, "{28, $o, $p, $r}", reasons[outcome]);
        world_tell(&fixture.world, "{20, $p, $o, $r}", NULL); /* too late */
        assert_int_equal(fixture.abandoned, 0);
        assert_int_equal(node_process_count(fixture.world.node), 4);
        end(&fixture);
    }
}

/* erpc:cast has no monitor: nothing comes back but that it was spawned. */
static void test_erpc_cast(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    world_tell(&fixture.world, "{29, $r, $p, $q, {erpc, execute_cast, 3}, []}", "[m, f, [1]]");
    world_expect_sent(&fixture.world, "{31, $r, $p, 0, $o}", NULL);
    expect_request(&fixture, REQUEST_ERPC_CAST, "m", "f", "[1]");
    assert_false(request_expects_answer(fixture.request));
    answer(&fixture, "ok");
    world_expect_nothing_sent(&fixture.world);
    world_tell(&fixture.world, "{29, $s, $p, $q, {erpc, execute_cast, 3}, []}", "[m, f, 5]"); /* no list */
    loop_finish(&fixture.world.loop);
    assert_int_equal(fixture.world.sent_count, 2);
    assert_int_equal(fixture.served, 1);
    assert_int_equal(node_process_count(fixture.world.node), 4);
    end(&fixture);
}

static void test_erpc_with_a_link(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    world_tell(&fixture.world, "{29, $r, $p, $q, {erpc, execute_call, 4}, [link, monitor, {priority, high}]}",
               "[res, m, f, []]");
    world_expect_sent(&fixture.world, "{31, $r, $p, 3, $o}", NULL);
    answer(&fixture, "ok");
    world_expect_sent(&fixture.world, "{28, $o, $p, $r}", "{res, return, ok}");
    world_expect_sent(&fixture.world, "{24, $o, $p}", "{res, return, ok}");
    end(&fixture);
}

static void test_erpc_arguments(void **state)
{
    (void)state;
    static const struct {
        const char *list, *reason;
    } rows[] = {
        {"[res, m, f, 5]", "{res, error, undef, [{m, f, 5, []}]}"},
        {"[res, m, f, [1|2]]", "{res, error, undef, [{m, f, [1|2], []}]}"},
        {"[res, m, f, [1, 2, 3, 4, 5, 6, 7, 8, 9]]",
         "{res, error, undef, [{m, f, [1, 2, 3, 4, 5, 6, 7, 8, 9], []}]}"},
        {"[res, m, f]", "{[], error, undef, [{erpc, execute_call, [res, m, f], []}]}"},
        {"[res, m, f, [], x]", "{[], error, undef, [{erpc, execute_call, [res, m, f, [], x], []}]}"},
        {"[res, 1, f, []]", "{[], error, undef, [{erpc, execute_call, [res, 1, f, []], []}]}"},
        {"[res, m, 1, []]", "{[], error, undef, [{erpc, execute_call, [res, m, 1, []], []}]}"},
        {"{res, m, f, []}", "{[], error, undef, [{erpc, execute_call, {res, m, f, []}, []}]}"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct fixture fixture;
        start(&fixture);
        world_tell(&fixture.world, MONITORED, rows[i].list);
        world_expect_sent(&fixture.world, "{31, $r, $p, 2, $o}", NULL);
        world_expect_sent(&fixture.world, "{28, $o, $p, $r}", rows[i].reason);
        assert_int_equal(fixture.served, 0);
        end(&fixture);
    }
}

static void test_refused_spawns(void **state)
{
    (void)state;
    static const struct {
        const char *function, *arguments;
    } rows[] = {
        {"{erl_eval, exprs, 2}", "[a, b]"},
        {"{erpc, call, 4}", "[res, m, f, []]"},
    };
    struct fixture fixture;
    start(&fixture);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char control[200];
        snprintf(control, sizeof(control), "{29, $r, $p, $q, %s, [monitor]}", rows[i].function);
        world_tell(&fixture.world, control, rows[i].arguments);
        world_expect_sent(&fixture.world, "{31, $r, $p, 0, notsup}", NULL);
    }
    assert_int_equal(fixture.served, 0);
    end(&fixture);
}

/* --- Long messages --- */

/* They are read by the thread, and what comes behind one of the same sender is served behind it. */
static void test_long_messages_keep_their_order(void **state)
{
    (void)state;
    struct fixture fixture;
    start_named(&fixture);
    world_tell(&fixture.world, NAMED("harness"), "{'$gen_call', {$p, $r}, {long, $x}}");
    world_tell(&fixture.world, NAMED("harness"), "{'$gen_cast', {short, 1}}");
    assert_int_equal(fixture.served, 0);
    world_tell(&fixture.world, "{6, $q, '', harness}", "{'$gen_call', {$q, $s}, other}");
    assert_int_equal(fixture.served, 1); /* of somebody else */
    expect_term(fixture.request->function, "other");
    answer(&fixture, "ok");
    world_expect_sent(&fixture.world, "{22, $o, $q}", "{$s, ok}");
    fixture.answers = true;
    read_all(&fixture);
    assert_int_equal(fixture.served, 3);
    assert_string_equal(fixture.order, "other long short ");
    world_expect_sent(&fixture.world, "{22, $o, $p}", "{$r, ok}");
    world_expect_nothing_sent(&fixture.world);
    end(&fixture);
}

static void answer_slowly(void *owner, struct request *request)
{
    struct fixture *fixture = owner;
    const uint64_t until_ns = clock_ns() + LOOP_SHARE_NS;
    on_serve(fixture, request);
    while (clock_ns() < until_ns)
        continue;
}

/* What has waited for one is done in turns, and what comes meanwhile waits behind it. */
static void test_what_has_waited_takes_turns(void **state)
{
    (void)state;
    struct fixture fixture;
    struct rpc_in_options options = {.name = "harness", .serve = answer_slowly, .owner = &fixture};
    fixture = (struct fixture){.answers = true};
    world_start(&fixture.world, on_spawn);
    fixture.rpc_in = rpc_in_new(fixture.world.node, &options);
    fixture.before = process_spawn(fixture.world.node, &nothing, NULL);
    world_tell(&fixture.world, NAMED("harness"), "{'$gen_cast', {long, $x}}");
    for (int i = 0; i < 3; i++)
        world_tell(&fixture.world, NAMED("harness"), "{'$gen_cast', {short, 1}}");
    assert_true(loop_has_time(&fixture.world.loop)); /* it begins now */
    worker_free_aside(&fixture.world.loop);
    for (int served = 1; served <= 4; served++) {
        assert_int_equal(fixture.served, served);
        loop_run_pass(&fixture.world.loop);
        if (served == 2)
            world_tell(&fixture.world, NAMED("harness"), "{'$gen_cast', {last, 1}}");
    }
    assert_string_equal(fixture.order, "long short short short last ");
    end(&fixture);
}

static void test_long_erpc(void **state)
{
    (void)state;
    static const struct {
        const char *arguments, *reason;
        int served;
    } rows[] = {
        {"[res, m, f, [$x]]", "{res, return, ok}", 1},
        {"[res, m, f, $x]", NULL, 0},
        {"[$x]", NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct fixture fixture;
        start(&fixture);
        fixture.answers = true;
        world_tell(&fixture.world, MONITORED, rows[i].arguments);
        world_expect_sent(&fixture.world, "{31, $r, $p, 2, $o}", NULL);
        assert_int_equal(fixture.served, 0);
        read_all(&fixture);
        assert_int_equal(fixture.served, rows[i].served);
        if (rows[i].reason)
            world_expect_sent(&fixture.world, "{28, $o, $p, $r}", rows[i].reason);
        assert_int_equal(fixture.world.sent_count, 2); /* its exit */
        assert_int_equal(node_process_count(fixture.world.node), 4);
        end(&fixture);
    }
}

/* What is still being read when this node ends is nobody's. */
static void test_long_messages_at_the_end(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    world_tell(&fixture.world, NAMED("harness"), "{'$gen_call', {$p, $r}, {long, $x}}");
    world_tell(&fixture.world, MONITORED, "[res, m, f, [$x]]");
    process_exit_atom(fixture.before, "normal");
    rpc_in_free(fixture.rpc_in);
    assert_int_equal(fixture.served, 0);
    world_end(&fixture.world);
}

/* What there is no room for is refused, and only its own node has less. */
static void test_no_room_for_long_messages(void **state)
{
    (void)state;
    struct fixture fixture;
    start_named(&fixture);
    fixture.world.node->works.waiting.most = 1000;
    world_tell(&fixture.world, NAMED("harness"), "{'$gen_call', {$p, $r}, {long, $x}}");
    world_tell(&fixture.world, NAMED("harness"), "{'$gen_call', {$p, $s}, {long, $x}}");
    world_expect_sent(&fixture.world, "{22, $o, $p}", "{$s, {error, {busy, requests}}}");
    world_tell(&fixture.world, NAMED("harness"), "{'$gen_cast', {long, $x}}");
    fixture.answers = true;
    read_all(&fixture);
    assert_int_equal(fixture.served, 1);
    world_expect_sent(&fixture.world, "{22, $o, $p}", "{$r, ok}");
    world_tell(&fixture.world, NAMED("harness"), "{'$gen_call', {$p, $s}, {long, $x}}");
    read_all(&fixture);
    world_expect_sent(&fixture.world, "{22, $o, $p}", "{$s, ok}");
    end(&fixture);
}

static void test_no_room_for_long_erpc(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    fixture.world.node->works.waiting.most = 1000;
    world_tell(&fixture.world, NAMED("harness"), "{'$gen_cast', {long, $x}}");
    world_tell(&fixture.world, MONITORED, "[res, m, f, [$x]]");
    world_expect_sent(&fixture.world, "{31, $r, $p, 2, $o}", NULL);
    world_expect_sent(&fixture.world, "{28, $o, $p, $r}", "{res, return, {error, {busy, requests}}}");
    fixture.answers = true;
    read_all(&fixture);
    assert_int_equal(fixture.served, 1);
    end(&fixture);
}

/* --- Callers that do not wait any more --- */

/* Nobody serves what nobody waits for by the time that it was read; a cast is done all the same. */
static void test_abandoned_while_read(void **state)
{
    (void)state;
    for (int goes = 0; goes < 2; goes++) {
        struct fixture fixture;
        start_named(&fixture);
        fixture.answers = true;
        world_tell(&fixture.world, "{19, $p, harness, $r}", NULL);
        world_tell(&fixture.world, NAMED("harness"), "{'$gen_call', {$p, [alias|$r]}, {given_up, $x}}");
        world_tell(&fixture.world, NAMED("harness"), "{'$gen_call', {$p, $s}, {wanted, $x}}");
        world_tell(&fixture.world, NAMED("harness"), "{'$gen_cast', {cast, $x}}");
        if (goes)
            world_app_goes(&fixture.world);
        else
            world_tell(&fixture.world, "{20, $p, harness, $r}", NULL);
        read_all(&fixture);
        assert_string_equal(fixture.order, goes ? "cast " : "wanted cast ");
        assert_int_equal(fixture.world.sent_count, goes ? 0 : 1);
        end(&fixture);
    }
}

static void test_erpc_abandoned(void **state)
{
    (void)state;
    for (int goes = 0; goes < 2; goes++) {
        for (int watched = 0; watched < 2; watched++) {
            struct fixture fixture;
            start(&fixture);
            world_tell(&fixture.world, MONITORED, "[res, m, f, []]");
            world_expect_sent(&fixture.world, "{31, $r, $p, 2, $o}", NULL);
            if (watched)
                watch(&fixture);
            world_tell(&fixture.world, "{20, $p, $o, $s}", NULL); /* another monitor */
            assert_int_equal(fixture.abandoned, 0);
            if (goes)
                world_app_goes(&fixture.world);
            else
                world_tell(&fixture.world, "{20, $p, $o, $r}", NULL);
            assert_int_equal(fixture.abandoned, watched);
            answer(&fixture, "late"); /* it is still to be answered */
            world_expect_nothing_sent(&fixture.world);
            end(&fixture);
        }
    }
}

/* The monitor of a call is its tag. */
static void test_calls_abandoned(void **state)
{
    (void)state;
    static const struct {
        const char *name, *message;
    } rows[] = {
        {"harness", "{'$gen_call', {$p, $r}, run}"},
        {"harness", "{'$gen_call', {$p, [alias|$r]}, run}"},
        {"rex", "{'$gen_call', {$p, [alias|$r]}, {call, m, f, [], $q}}"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        for (int goes = 0; goes < 2; goes++) {
            struct fixture fixture;
            char control[200];
            start(&fixture);
            snprintf(control, sizeof(control), "{19, $p, %s, $r}", rows[i].name);
            world_tell(&fixture.world, control, NULL);
            world_tell(&fixture.world, "{19, $p, harness, $s}", NULL);
            snprintf(control, sizeof(control), "{6, $p, '', %s}", rows[i].name);
            world_tell(&fixture.world, control, rows[i].message);
            watch(&fixture);
            struct request *watched = fixture.request;
            world_tell(&fixture.world, NAMED("harness"), "{'$gen_call', {$p, 5}, other}");
            world_tell(&fixture.world, "{20, $p, harness, $s}", NULL);
            assert_int_equal(fixture.abandoned, 0);
            snprintf(control, sizeof(control), "{20, $p, %s, $r}", rows[i].name);
            if (goes)
                world_app_goes(&fixture.world);
            else
                world_tell(&fixture.world, control, NULL);
            assert_int_equal(fixture.abandoned, 1);
            answer(&fixture, "other");
            fixture.request = watched;
            answer(&fixture, "late");
            assert_int_equal(fixture.world.sent_count, goes ? 0 : 2);
            end(&fixture);
        }
    }
}

/* The usual end of a call: it was answered, then its monitor is taken off. */
static void test_demonitored_after_the_answer(void **state)
{
    (void)state;
    struct fixture fixture;
    start_named(&fixture);
    world_tell(&fixture.world, "{19, $p, harness, $r}", NULL);
    world_tell(&fixture.world, NAMED("harness"), "{'$gen_call', {$p, [alias|$r]}, run}");
    watch(&fixture);
    answer(&fixture, "ok");
    world_tell(&fixture.world, "{20, $p, harness, $r}", NULL);
    assert_int_equal(fixture.abandoned, 0);
    world_expect_sent(&fixture.world, "{33, $o, $r}", "{[alias|$r], ok}");
    end(&fixture);
}

static void test_monitors_of_names(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    world_tell(&fixture.world, "{19, $p, nobody, $r}", NULL);
    world_expect_sent(&fixture.world, "{28, nobody, $p, $r}", "noproc");
    world_tell(&fixture.world, "{19, $p, rex, $r}", NULL);
    world_expect_nothing_sent(&fixture.world);
    process_exit_atom(fixture.before, "normal");
    rpc_in_free(fixture.rpc_in);
    world_expect_sent(&fixture.world, "{28, rex, $p, $r}", "shutdown");
    world_end(&fixture.world);
}

/* Calls that are served are answered by those who serve them, also when what has handed them on is gone. */
static void test_answered_at_the_end(void **state)
{
    (void)state;
    struct fixture fixture;
    struct request *requests[3];
    start_named(&fixture);
    for (int i = 0; i < 3; i++) {
        world_tell(&fixture.world, NAMED("harness"), "{'$gen_call', {$p, $r}, run}");
        requests[i] = fixture.request;
    }
    process_exit_atom(fixture.before, "normal");
    rpc_in_free(fixture.rpc_in);
    for (int i = 0; i < 3; i++) {
        fixture.request = requests[(i + 1) % 3]; /* whatever the order */
        answer(&fixture, "ok");
    }
    for (int i = 0; i < 3; i++)
        world_expect_sent(&fixture.world, "{22, $o, $p}", "{$r, ok}");
    world_end(&fixture.world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_calls_of_no_function),
        cmocka_unit_test(test_calls_that_are_too_large),
        cmocka_unit_test(test_casts),
        cmocka_unit_test(test_ignored_messages),
        cmocka_unit_test(test_system_messages),
        cmocka_unit_test(test_calls_of_other_processes),
        cmocka_unit_test(test_ping),
        cmocka_unit_test(test_unknown_calls),
        cmocka_unit_test(test_broadcasts_of_broadcasts),
        cmocka_unit_test(test_broadcasts_of_requests),
        cmocka_unit_test(test_remote_shells),
        cmocka_unit_test(test_remote_shell_with_a_long_value),
        cmocka_unit_test(test_no_remote_shells),
        cmocka_unit_test(test_remote_shell_that_is_started),
        cmocka_unit_test(test_rex),
        cmocka_unit_test(test_rex_arguments),
        cmocka_unit_test(test_erpc),
        cmocka_unit_test(test_erpc_cast),
        cmocka_unit_test(test_erpc_with_a_link),
        cmocka_unit_test(test_erpc_arguments),
        cmocka_unit_test(test_long_messages_keep_their_order),
        cmocka_unit_test(test_what_has_waited_takes_turns),
        cmocka_unit_test(test_long_erpc),
        cmocka_unit_test(test_long_messages_at_the_end),
        cmocka_unit_test(test_refused_spawns),
        cmocka_unit_test(test_no_room_for_long_messages),
        cmocka_unit_test(test_no_room_for_long_erpc),
        cmocka_unit_test(test_abandoned_while_read),
        cmocka_unit_test(test_erpc_abandoned),
        cmocka_unit_test(test_calls_abandoned),
        cmocka_unit_test(test_demonitored_after_the_answer),
        cmocka_unit_test(test_monitors_of_names),
        cmocka_unit_test(test_answered_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
