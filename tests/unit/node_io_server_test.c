/* What nodes print and report, and what is asked of them to make text of it. */
#include "node_world.h"

#include "base/log.h"
#include "node/io_server.h"
#include "node/rpc_out.h"

/* --- Calls of other nodes, which are the test's --- */

#define CALLS 100

struct rpc_call {
    char function[300];
    struct buffer arguments;
    rpc_done *done;
    void *owner;
    bool is_gone;
};

static struct rpc_call calls[CALLS];
static size_t call_count;
static bool node_is_none; /* that could be called */

struct rpc_call *rpc_call_start(struct process *process, const struct rpc_request *request, rpc_done *done,
                                void *owner)
{
    (void)process;
    if (node_is_none)
        return NULL;
    assert_true(call_count < CALLS);
    assert_string_equal(request->node, APP);
    struct rpc_call *call = &calls[call_count++];
    *call = (struct rpc_call){.done = done, .owner = owner};
    snprintf(call->function, sizeof(call->function), "%s:%s", request->module, request->function);
    term_keep(&call->arguments, request->arguments);
    return call;
}

void rpc_call_cancel(struct rpc_call *call)
{
    assert_false(call->is_gone);
    call->is_gone = true;
}

/* The last one that was made has come to this; `value` NULL is none. */
static void answer(enum rpc_outcome outcome, const char *value)
{
    struct term_builder builder = {0};
    struct rpc_call *call = &calls[call_count - 1];
    assert_false(call->is_gone);
    call->is_gone = true;
    call->done(call->owner, outcome, value ? term_from_text(&builder, value) : (struct term){0});
    term_build_free(&builder);
}

static void expect_call(const char *function, const char *arguments)
{
    assert_true(call_count > 0);
    assert_string_equal(calls[call_count - 1].function, function);
    expect_term(term_of(&calls[call_count - 1].arguments), arguments);
}

/* --- The world --- */

struct fixture {
    struct world world;
    struct io_server *io_server;
    char *log;
    size_t log_size;
    size_t looked_at; /* of it */
    FILE *file;
};

static const struct process_events nothing; /* is of interest to it */

static int setup(void **state)
{
    struct fixture *fixture = memory_zalloc(1, sizeof(*fixture));
    fixture->file = open_memstream(&fixture->log, &fixture->log_size);
    log_configure(LOG_LEVEL_INFO, LOG_TEXT, fixture->file);
    world_start(&fixture->world, NULL);
    for (int i = 0; i < 4; i++) /* the fifth is $o */
        process_exit_atom(process_spawn(fixture->world.node, &nothing, NULL), "normal");
    fixture->io_server = io_server_new(fixture->world.node);
    call_count = 0;
    node_is_none = false;
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    io_server_free(fixture->io_server);
    for (size_t i = 0; i < call_count; i++) {
        assert_true(calls[i].is_gone);
        buffer_free(&calls[i].arguments);
    }
    world_end(&fixture->world);
    log_configure(LOG_LEVEL_INFO, LOG_TEXT, stderr);
    fclose(fixture->file);
    free(fixture->log);
    free(fixture);
    return 0;
}

static void request(struct fixture *fixture, const char *what)
{
    char message[2000];
    snprintf(message, sizeof(message), "{io_request, $p, 7, %s}", what);
    world_tell(&fixture->world, "{2, '', $o}", message);
}

static void report(struct fixture *fixture, const char *message)
{
    world_tell(&fixture->world, "{6, $p, '', logger_proxy}", message);
}

static void expect_reply(struct fixture *fixture, const char *reply)
{
    char message[200];
    snprintf(message, sizeof(message), "{io_reply, 7, %s}", reply);
    world_expect_sent(&fixture->world, "{22, $o, $p}", message);
}

/* What was logged since this was asked last is `text`, without the time. */
static void expect_logged(struct fixture *fixture, const char *text)
{
    fflush(fixture->file);
    if (!text) {
        assert_int_equal(fixture->log_size, fixture->looked_at);
        return;
    }
    assert_true(fixture->log_size > fixture->looked_at);
    char *line = strstr(fixture->log + fixture->looked_at, " info ");
    assert_non_null(line);
    char *end = strchr(line, '\n');
    assert_non_null(end);
    *end = '\0';
    fixture->looked_at = (size_t)(end + 1 - fixture->log);
    assert_string_equal(line + strlen(" info "), text);
}

/* --- Output --- */

static void test_text_is_logged(void **state)
{
    static const struct {
        const char *request;
        const char *text;
    } rows[] = {
        {"{put_chars, unicode, <<\"words\\012\">>}", "words"},
        {"{put_chars, unicode, [\"de\", [<<\"ep\">>, [228 | <<\"!\">>]]]}", "deepä!"},
        {"{put_chars, [97, 98]}", "ab"},
        {"{put_chars, unicode, {no, text}}", "{no,text}"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char line[200];
        request(*state, rows[i].request);
        expect_reply(*state, "ok");
        snprintf(line, sizeof(line), "output peer=" APP " text=%s", rows[i].text);
        expect_logged(*state, line);
    }
    assert_int_equal(call_count, 0);
}

static void test_a_format_is_the_node_s_to_apply(void **state)
{
    request(*state, "{put_chars, unicode, io_lib, format, [\"a ~p~n\", [{b, 1}]]}");
    expect_call("io_lib:format", "[\"a ~p~n\", [{b, 1}], [{chars_limit, 1000}]]");
    world_expect_nothing_sent(&((struct fixture *)*state)->world);
    answer(RPC_RETURNED, "[\"a \", [\"{b,1}\"], \"\\012\"]");
    expect_reply(*state, "ok");
    expect_logged(*state, "output peer=" APP " text=\"a {b,1}\"");

    request(*state, "{put_chars, unicode, m, f, [x]}");
    expect_call("m:f", "[x]");
    answer(RPC_RETURNED, "<<\"from f\">>");
    expect_reply(*state, "ok");
    expect_logged(*state, "output peer=" APP " text=\"from f\"");

    request(*state, "{put_chars, m, f, []}");
    expect_call("m:f", "[]");
    answer(RPC_RETURNED, "[]");
    expect_reply(*state, "ok");
}

static void test_a_format_that_cannot_be_applied(void **state)
{
    request(*state, "{put_chars, unicode, io_lib, format, [\"~d\", []]}");
    answer(RPC_RAISED, "{error, badarg, []}");
    expect_reply(*state, "{error, format}");
    request(*state, "{put_chars, unicode, io_lib, format, [\"~p\", [1]]}");
    answer(RPC_NODEDOWN, NULL);
    expect_reply(*state, "{error, terminated}");
    static const char *const nonsense[] = {"{put_chars, unicode, io_lib, format, x}",
                                           "{put_chars, unicode, 1, format, []}",
                                           "{put_chars, unicode, io_lib, \"format\", []}"};
    for (size_t i = 0; i < ARRAY_LENGTH(nonsense); i++) {
        request(*state, nonsense[i]);
        expect_reply(*state, "{error, format}");
    }
    node_is_none = true;
    request(*state, "{put_chars, unicode, io_lib, format, [\"~p\", [1]]}");
    expect_reply(*state, "{error, format}");
    expect_logged(*state, NULL);
}

static void test_what_is_no_output(void **state)
{
    static const char *const requests[] = {"{get_line, unicode, '>'}", "getopts", "{put_chars}",
                                           "{requests, [{get_line, ''}]}"};
    for (size_t i = 0; i < ARRAY_LENGTH(requests); i++) {
        request(*state, requests[i]);
        expect_reply(*state, "{error, enotsup}");
    }
    world_tell(&((struct fixture *)*state)->world, "{2, '', $o}", "{io_request, no_pid, 7, getopts}");
    world_expect_nothing_sent(&((struct fixture *)*state)->world);
}

static void test_several_requests_in_their_order(void **state)
{
    request(*state, "{requests, [{put_chars, unicode, <<\"1\">>}, {put_chars, unicode, m, two, []},"
                    " {put_chars, unicode, m, three, []}]}");
    expect_logged(*state, "output peer=" APP " text=1");
    expect_call("m:two", "[]");
    answer(RPC_RETURNED, "\"2\"");
    expect_logged(*state, "output peer=" APP " text=2");
    expect_call("m:three", "[]");
    answer(RPC_RETURNED, "\"3\"");
    expect_logged(*state, "output peer=" APP " text=3");
    expect_reply(*state, "ok");
    request(*state, "{requests, []}");
    expect_reply(*state, "ok");
}

/* What a node has still to format is left when this node ends. */
static void test_a_text_that_never_comes(void **state)
{
    request(*state, "{put_chars, unicode, m, f, []}");
    report(*state, "{log, error, #{}, #{}}");
    assert_int_equal(call_count, 2);
}

/* --- What is long --- */

/* A message with an element so many times. */
static void tell_many(struct fixture *fixture, const char *control, const char *before, const char *element,
                      size_t count, const char *after)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    fputs(before, file);
    for (size_t i = 0; i < count; i++)
        fprintf(file, i ? ", %s" : "%s", element);
    fputs(after, file);
    fclose(file);
    world_tell(&fixture->world, control, text);
    free(text);
}

#define LONG "twelve_bytes"
#define TO_LEADER "{2, '', $o}"
#define TO_LOGGER "{6, $p, '', logger_proxy}"

static void test_very_many_requests_are_counted(void **state)
{
    tell_many(*state, TO_LEADER, "{io_request, $p, 7, {requests, [", "{put_chars, unicode, <<\"x\">>}", 150,
              "]}}");
    expect_reply(*state, "ok");
    struct fixture *fixture = *state;
    fflush(fixture->file);
    assert_non_null(strstr(fixture->log, " info output left out peer=" APP " requests=50\n"));
}

static void test_a_long_request_is_no_node_s_to_format(void **state)
{
    tell_many(*state, TO_LEADER, "{io_request, $p, 7, {put_chars, unicode, io_lib, format, [\"~p\", [[", LONG,
              90000, "]]]}}");
    expect_reply(*state, "ok");
    tell_many(*state, TO_LEADER, "{io_request, $p, 7, {put_chars, unicode, [", "[]", 90000, "]}}");
    expect_reply(*state, "ok");
    tell_many(*state, TO_LEADER, "{io_request, $p, 7, {put_chars, [", "a", 90000, "], <<\"x\">>}}");
    expect_reply(*state, "{error, enotsup}");
    tell_many(*state, TO_LEADER, "{io_request, $p, [", "a", 1000, "], getopts}");
    world_expect_nothing_sent(&((struct fixture *)*state)->world);
    assert_int_equal(call_count, 0);
}

static void test_a_long_report_is_shown_as_it_is(void **state)
{
    tell_many(*state, TO_LOGGER, "{log, error, \"~p\", [[", LONG, 90000, "]], #{}}");
    tell_many(*state, TO_LOGGER, "{log, error, [", LONG, 90000, "], #{}}");
    assert_int_equal(call_count, 0);
    struct fixture *fixture = *state;
    fflush(fixture->file);
    char *first = strstr(fixture->log, "report=[[" LONG "," LONG ","),
         *second = strstr(fixture->log, "report=[" LONG "," LONG ",");
    assert_non_null(first);
    assert_non_null(second);
    assert_non_null(strstr(first, "...\n"));
    assert_non_null(strstr(second, "...\n"));
}

/* --- Reports --- */

#define CONFIGURATION "#{chars_limit => 1000, single_line => true, template => [msg]}"

static void test_reports_are_formatted_by_their_node(void **state)
{
    report(*state, "{log, error, #{label => crash}, #{pid => $p}}");
    expect_call("logger_formatter:format", "[#{level => error, meta => #{pid => $p},"
                                           " msg => {report, #{label => crash}}}, " CONFIGURATION "]");
    answer(RPC_RETURNED, "[<<\"it \">>, \"crashed\"]");
    expect_logged(*state, "report of a process peer=" APP " report=\"it crashed\"");
    report(*state, "{log, warning, \"a ~p\", [b], #{}}");
    expect_call("logger_formatter:format",
                "[#{level => warning, meta => #{}, msg => {\"a ~p\", [b]}}, " CONFIGURATION "]");
    answer(RPC_TIMEOUT, NULL);
    expect_logged(*state, "report of a process peer=" APP " report=[b]");
    report(*state, "{log, warning, [{a, 1}], #{}}");
    expect_call("logger_formatter:format",
                "[#{level => warning, meta => #{}, msg => {report, [{a, 1}]}}, " CONFIGURATION "]");
    answer(RPC_RETURNED, "\"a: 1\"");
    report(*state, "{log, warning, \"text\", #{}}");
    expect_call("logger_formatter:format",
                "[#{level => warning, meta => #{}, msg => {string, \"text\"}}, " CONFIGURATION "]");
    answer(RPC_RETURNED, "\"text\"");
    expect_logged(*state, "report of a process peer=" APP " report=\"a: 1\"");
    expect_logged(*state, "report of a process peer=" APP " report=text");
    report(*state, "{not_log, 1, 2, 3}");
    expect_logged(*state, NULL);
}

static void test_too_many_reports_are_shown_as_they_are(void **state)
{
    for (int i = 0; i < 64; i++)
        report(*state, "{log, error, \"x\", #{}}");
    expect_logged(*state, NULL);
    report(*state, "{log, error, [{y, 1}], #{}}");
    assert_int_equal(call_count, 64);
    expect_logged(*state, "report of a process peer=" APP " report=[{y,1}]");
    answer(RPC_RETURNED, "\"x\"");
    report(*state, "{log, error, \"z\", #{}}");
    assert_int_equal(call_count, 65);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_text_is_logged, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_format_is_the_node_s_to_apply, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_format_that_cannot_be_applied, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_no_output, setup, teardown),
        cmocka_unit_test_setup_teardown(test_several_requests_in_their_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_text_that_never_comes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_very_many_requests_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_long_request_is_no_node_s_to_format, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_long_report_is_shown_as_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reports_are_formatted_by_their_node, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many_reports_are_shown_as_they_are, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
