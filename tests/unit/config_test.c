#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/memory.h"
#include "config/config_key.h"
#include "config_flags_private.h"
#include "cookie_private.h"
#include "dist/node_name.h"

#define ARGUMENTS 16

static char directory[64];
static struct config config;
static char *problems;
static size_t problems_size;

/* A file of the test's own directory. */
static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static const char *write_file(const char *name, const char *text, size_t size, mode_t mode)
{
    const char *path = path_of(name);
    unlink(path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
    return path;
}

/* config_load() with these flags, NULL at the end; what it printed is in `problems`. */
static enum config_action load(const char *const *flags)
{
    char *arguments[ARGUMENTS] = {(char *)"harnessd"};
    int count = 1;
    for (; flags[count - 1]; count++)
        arguments[count] = (char *)flags[count - 1];
    FILE *output = open_memstream(&problems, &problems_size);
    enum config_action action = config_load(count, arguments, &config, output);
    fclose(output);
    return action;
}

#define LOAD(...) load((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static enum config_action load_file(const char *text)
{
    return LOAD("--config", write_file("harnessd.json", text, strlen(text), 0644));
}

static void unload(void)
{
    config_free(&config);
    free(problems);
    problems = NULL;
}

/* Loads the file and expects exactly these lines. */
static void expect_problems(const char *text, const char *expected)
{
    assert_int_equal(load_file(text), CONFIG_INVALID);
    assert_string_equal(problems, expected);
    unload();
}

static void expect_flag_problems(const char *const *flags, const char *expected)
{
    assert_int_equal(load(flags), CONFIG_INVALID);
    assert_string_equal(problems, expected);
    unload();
}

static int make_directory(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/serve_config_test.XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    static const char *const names[] = {"harnessd.json", "cookie", "link", ".erlang.cookie"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        unlink(path_of(names[i]));
    return rmdir(directory);
}

static int set_environment(void **state)
{
    (void)state;
    setenv(COOKIE_VARIABLE, "secret", 1);
    setenv("HOME", directory, 1);
    unsetenv("ERL_EPMD_PORT");
    unsetenv("CREDENTIALS_DIRECTORY");
    return 0;
}

static void test_defaults(void **state)
{
    (void)state;
    assert_int_equal(LOAD("--sname", "a@localhost"), CONFIG_RUN);
    assert_string_equal(problems, "");
    assert_string_equal(config.node_name, "a@localhost");
    assert_false(config.long_names);
    assert_null(config.cookie_file);
    assert_string_equal(config.cookie, "secret");
    assert_int_equal(config.listen.count, 0);
    assert_int_equal(config.port, 0);
    assert_int_equal(config.net_ticktime_s, 60);
    assert_null(config.epmd_host);
    assert_int_equal(config.epmd_port, 4369);
    assert_true(config.epmd_register);
    assert_true(config.epmd_start);
    assert_int_equal(config.peer_count, 0);
    assert_int_equal(config.limit_runs, 64);
    assert_int_equal(config.limit_threads, 1000000);
    assert_int_equal(config.limit_events, 1000000);
    assert_int_equal(config.limit_frame_bytes, 128 << 20);
    assert_int_equal(config.limit_queued_bytes, 256 << 20);
    assert_int_equal(config.limit_pending_handshakes, 256);
    assert_int_equal(config.allowed_callers.count, 1);
    assert_string_equal(config.allowed_callers.items[0].pattern, "*");
    assert_int_equal(config.denied_callers.count, 0);
    assert_int_equal(config.log_level, LOG_LEVEL_INFO);
    assert_int_equal(config.log_format, LOG_TEXT);
    assert_int_equal(config.shutdown_ms, 20000);
    assert_int_equal(config.http_listen.count, 1);
    assert_string_equal(config.http_listen.items[0], "127.0.0.1:9464");
    assert_null(config.http_token);
    unload();
}

static void test_every_key(void **state)
{
    (void)state;
    write_file("cookie", "from_file\n", 10, 0600);
    char *text = memory_format(
        "{\"node\": {\"name\": \"n@10.0.0.1\", \"names\": \"long\", \"cookie_file\": \"%s\", \"listen\": "
        "\"::\","
        " \"port\": 65535, \"net_ticktime\": 4}, \"epmd\": {\"host\": \"e\", \"port\": 1, \"register\": "
        "false,"
        " \"start\": false}, \"peers\": [\"app@h\", {\"node\": \"b@::1\", \"port\": 9100}, {\"node\": "
        "\"c@d\"}],"
        " \"limits\": {\"runs\": 1, \"threads\": 2, \"events\": 3, \"frame_bytes\": 65536,"
        " \"queued_bytes\": 1099511627776, \"pending_handshakes\": 4}, \"access\": {\"callers\":"
        " {\"allow\": [\"a*\", \"b@?\"], \"deny\": [\"c\"]}}, \"log\": {\"level\": \"debug\","
        " \"format\": \"json\"}, \"shutdown_ms\": 0}",
        path_of("cookie"));
    assert_int_equal(load_file(text), CONFIG_RUN);
    assert_string_equal(problems, "");
    assert_string_equal(config.node_name, "n@10.0.0.1");
    assert_true(config.long_names);
    assert_string_equal(config.cookie, "from_file");
    assert_int_equal(config.listen.count, 1);
    assert_string_equal(config.listen.items[0], "::");
    assert_int_equal(config.port, 65535);
    assert_int_equal(config.net_ticktime_s, 4);
    assert_string_equal(config.epmd_host, "e");
    assert_int_equal(config.epmd_port, 1);
    assert_false(config.epmd_register);
    assert_false(config.epmd_start);
    assert_int_equal(config.peer_count, 3);
    assert_string_equal(config.peers[0].node, "app@h");
    assert_int_equal(config.peers[0].port, 0);
    assert_string_equal(config.peers[1].node, "b@::1");
    assert_int_equal(config.peers[1].port, 9100);
    assert_string_equal(config.peers[2].node, "c@d");
    assert_int_equal(config.limit_runs, 1);
    assert_int_equal(config.limit_threads, 2);
    assert_int_equal(config.limit_events, 3);
    assert_int_equal(config.limit_frame_bytes, 65536);
    assert_int_equal(config.limit_queued_bytes, 1LL << 40);
    assert_int_equal(config.limit_pending_handshakes, 4);
    assert_int_equal(config.allowed_callers.count, 2);
    assert_string_equal(config.allowed_callers.items[1].pattern, "b@?");
    assert_string_equal(config.denied_callers.items[0].pattern, "c");
    assert_int_equal(config.log_level, LOG_LEVEL_DEBUG);
    assert_int_equal(config.log_format, LOG_JSON);
    assert_int_equal(config.shutdown_ms, 0);
    unload();
    free(text);
}

static void test_flag_of_a_boolean(void **state)
{
    (void)state;
    assert_int_equal(LOAD("--name", "a@b.c", "--exit-on-taken-name"), CONFIG_RUN);
    assert_true(config.exit_on_taken_name);
    unload();
}

static void test_flags_override_file(void **state)
{
    (void)state;
    static const char text[] = "{\"node\": {\"name\": \"file@a.b\", \"names\": \"long\", \"port\": 1},"
                               " \"log\": {\"level\": \"debug\"}}";
    write_file("cookie", "flag", 4, 0400);
    char *cookie = memory_string(path_of("cookie"));
    const char *file = write_file("harnessd.json", text, strlen(text), 0644);
    assert_int_equal(LOAD("--port=2", "--sname", "flag@host", "--log-level", "error", "--cookie-file", cookie,
                          "--config", file),
                     CONFIG_RUN);
    assert_string_equal(problems, "");
    assert_string_equal(config.node_name, "flag@host");
    assert_false(config.exit_on_taken_name);
    assert_false(config.long_names);
    assert_int_equal(config.port, 2);
    assert_int_equal(config.log_level, LOG_LEVEL_ERROR);
    assert_string_equal(config.cookie, "flag");
    unload();
    free(cookie);
}

static void test_actions(void **state)
{
    (void)state;
    static const char text[] = "{\"node\": {\"name\": \"a@b\"}}";
    assert_int_equal(LOAD("--help"), CONFIG_HELP);
    unload();
    assert_int_equal(LOAD("run", "--help"), CONFIG_HELP_ON_RUN);
    unload();
    assert_int_equal(LOAD("--help-keys"), CONFIG_HELP_ON_KEYS);
    unload();
    assert_int_equal(LOAD("--version"), CONFIG_VERSION);
    unload();
    unsetenv(COOKIE_VARIABLE); /* a check asks for no cookie that the file does not name */
    assert_int_equal(LOAD("--check-config", write_file("harnessd.json", text, strlen(text), 0644)),
                     CONFIG_CHECK);
    assert_string_equal(problems, "");
    assert_string_equal(config.file, path_of("harnessd.json"));
    unload();
    static const char bad[] = "{\"node\": {\"name\": \"a@b\", \"cookie_file\": \"/nonexistent\"}}";
    assert_int_equal(LOAD("--check-config", write_file("harnessd.json", bad, strlen(bad), 0644)),
                     CONFIG_INVALID);
    assert_string_equal(problems, "node.cookie_file: cannot open /nonexistent: No such file or directory\n");
    unload();
}

#define FLAGS(...) ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

#define TRY "try harnessd --help\n"

static void test_flag_problems(void **state)
{
    (void)state;
    expect_flag_problems(FLAGS(), "node.name: required (or --name, --sname)\n" TRY);
    expect_flag_problems(FLAGS("--sname", "a@b", "--prot", "1"),
                         "--prot: unknown flag (nearest: --port)\n" TRY);
    expect_flag_problems(FLAGS("--sname", "a@b", "--prot=1"), "--prot: unknown flag (nearest: --port)\n" TRY);
    expect_flag_problems(FLAGS("--sname", "a@b", "--log", "info"),
                         "--log: unknown flag (nearest: --log-level)\n" TRY);
    expect_flag_problems(FLAGS("--sname", "a@b", "--version=2"), "--version=2: takes no value\n" TRY);
    expect_flag_problems(FLAGS("--sname", "a@b", "--", "--port"), "--port: unexpected argument\n" TRY);
    expect_flag_problems(FLAGS("--sname", "a@b", "--colour"), "--colour: unknown flag\n" TRY);
    expect_flag_problems(FLAGS("-x", "--sname", "a@b"), "-x: unknown flag\n" TRY);
    expect_flag_problems(FLAGS("--sname", "a@b", "--port"), "--port: needs a value\n" TRY);
    expect_flag_problems(FLAGS("--sname", "a@b", "--port", "70000"), "--port: 70000 is not in 0 to 65535\n");
    expect_flag_problems(FLAGS("--sname", "a@b", "--port", "1x"), "--port: is not an integer\n");
    expect_flag_problems(FLAGS("--sname", "a@b", "--port", ""), "--port: is not an integer\n");
    expect_flag_problems(FLAGS("--sname", "a@b", "--port", "99999999999999999999"),
                         "--port: is not an integer\n");
    expect_flag_problems(FLAGS("--sname", "a@b", "--log-level", "inf"),
                         "--log-level: inf is not one of debug, info, warning, error (nearest: info)\n");
    expect_flag_problems(FLAGS("--sname", "a@b", "--name", "a@b.c"),
                         "--sname: cannot be given together with --name\n" TRY);
}

static void test_commands(void **state)
{
    (void)state;
    static const struct {
        const char *word, *problem;
    } rows[] = {
        {"rnu", "rnu: unknown command (nearest: run)\n" TRY},
        {"RUN", "RUN: unknown command (nearest: run)\n" TRY},
        {"help", "help: unknown command (nearest: --help)\n" TRY},
        {"check-config", "check-config: unknown command (nearest: --check-config)\n" TRY},
        {"start", "start: unknown command; the daemon needs none: harnessd --name NAME@HOST\n" TRY},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        expect_flag_problems(FLAGS(rows[i].word, "--sname", "a@b"), rows[i].problem);
    expect_flag_problems(FLAGS("--sname", "a@b", "run"), "run: has to be the first argument\n" TRY);
    expect_flag_problems(FLAGS("run", "a.json", "b.json", "--connect", "a@b"),
                         "b.json: unexpected argument\ntry harnessd run --help\n");
    expect_flag_problems(FLAGS("run", "a.json", "--connect", "a@b", "--json=a", "--json=b"),
                         "--json: was given twice\ntry harnessd run --help\n");
    expect_flag_problems(FLAGS("run", "a.json", "--connect", "a@b", "--junit", "a", "--junit=a"),
                         "--junit: was given twice\ntry harnessd run --help\n");
}

/* What everybody would see in the list of processes is at least not in a log as well. */
static void test_cookies_are_no_flags(void **state)
{
    (void)state;
    static const char *const rows[][3] = {{"--cookie", "hush"},
                                          {"--cookie=hush"},
                                          {"-setcookie", "hush"},
                                          {"--setcookie", "hush"},
                                          {"--cookie", "hush", "--help"}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const char *words[] = {"--sname", "a@b", rows[i][0], rows[i][1], rows[i][1] ? rows[i][2] : NULL,
                               NULL};
        assert_int_equal(load(words), CONFIG_INVALID);
        assert_string_equal(problems, "--cookie: a cookie never comes from the command line: --cookie-file "
                                      "FILE or HARNESSD_COOKIE has it\n" TRY);
        unload();
    }
}

static void test_help_has_a_letter(void **state)
{
    (void)state;
    assert_int_equal(LOAD("-h"), CONFIG_HELP);
    unload();
    assert_int_equal(LOAD("run", "-h"), CONFIG_HELP_ON_RUN);
    unload();
}

static void test_nodes_to_connect_to(void **state)
{
    (void)state;
    static const struct {
        const char *flag;
        const char *node;
        uint16_t port;
    } rows[] = {{"app@127.0.0.1", "app@127.0.0.1", 0}, {"app@127.0.0.1:9100", "app@127.0.0.1", 9100},
                {"app@host:1", "app@host", 1},         {"app@::1", "app@::1", 0},
                {"app@[::1]", "app@::1", 0},           {"app@[::1]:65535", "app@::1", 65535},
                {"app@fe80::1:2", "app@fe80::1:2", 0}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        assert_int_not_equal(LOAD("run", "a.json", "--connect", "first@x.y", "--connect", rows[i].flag),
                             CONFIG_RUN);
        assert_int_equal(config.one_shot.connect_count, 2);
        assert_string_equal(config.one_shot.connects[0].node, "first@x.y");
        assert_string_equal(config.one_shot.connects[1].node, rows[i].node);
        assert_int_equal(config.one_shot.connects[1].port, rows[i].port);
        unload();
    }
    expect_flag_problems(FLAGS("run", "a.json", "--connect", "a@b:0"),
                         "--connect: 0 is no port: it must be in 1 to 65535\ntry harnessd run --help\n");
    expect_flag_problems(FLAGS("run", "a.json", "--connect", "a@[::1]:x"),
                         "--connect: x is no port: it must be in 1 to 65535\ntry harnessd run --help\n");
    expect_flag_problems(FLAGS("run", "a.json", "--connect", "a:5"),
                         "--connect: a has no @HOST\ntry harnessd run --help\n");
    expect_flag_problems(FLAGS("run", "a.json"), "--connect: required\ntry harnessd run --help\n");
}

static void test_bad_flags_win_over_help(void **state)
{
    (void)state;
    expect_flag_problems(FLAGS("run", "--help", "--nonsense"),
                         "--nonsense: unknown flag\ntry harnessd run --help\n");
    expect_flag_problems(FLAGS("--help", "--nonsense"), "--nonsense: unknown flag\n" TRY);
}

static void test_file_problems(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *problems;
    } rows[] = {
        {"{\"node\": {\"name\": \"a@b\", \"port\": 70000}}", "node.port: 70000 is not in 0 to 65535\n"},
        {"{\"node\": {\"name\": \"a@b\", \"port\": -1}}", "node.port: -1 is not in 0 to 65535\n"},
        {"{\"node\": {\"name\": \"a@b\", \"port\": 1.0}}", "node.port: is not an integer\n"},
        {"{\"node\": {\"name\": \"a@b\", \"port\": \"1\"}}", "node.port: is not an integer\n"},
        {"{\"node\": {\"name\": \"a@b\", \"net_ticktime\": 3}}",
         "node.net_ticktime: 3 is not in 4 to 3600\n"},
        {"{\"node\": {\"name\": \"a@b\", \"listen\": \"host\"}}", "node.listen: host is not an IP address\n"},
        {"{\"node\": {\"name\": \"a@b\", \"names\": \"longs\"}}",
         "node.names: longs is not one of short, long (nearest: long)\n"},
        {"{\"node\": {\"nmae\": \"a@b\"}}", "node.nmae: unknown key (nearest: node.name)\n"
                                            "node.name: required (or --name, --sname)\n"},
        {"{\"node\": {\"name\": \"\"}}", "node.name: is empty\n"},
        {"{\"node\": {\"name\": 1}}", "node.name: is not a string\n"},
        {"{\"node\": {\"name\": \"a@b\"}, \"limit\": {}}", "limit: unknown key (nearest: limits)\n"},
        {"{\"node\": {\"name\": \"a@b\"}, \"speed\": {\"listen\": \"x\"}}", "speed: unknown key\n"},
        {"{\"node\": {\"name\": \"a@b\"}, \"http\": {\"listen\": \"x\"}}",
         "http.listen: x is not ADDRESS:PORT, with an IPv6 address in brackets\n"},
        {"{\"node\": {\"name\": \"a@b\"}, \"node.port\": 1}", "node.port: unknown key\n"},
        {"{\"node\": {\"name\": \"a@b\"}, \"epmd\": 7}", "epmd: is not an object\n"},
        {"{\"node\": {\"name\": \"a@b\"}, \"epmd\": {\"start\": 1, \"host\": \"\"}}",
         "epmd.start: is neither true nor false\nepmd.host: is empty\n"},
        {"{\"node\": {\"name\": \"a@b\"}, \"line\\nbreak\": 1}", "line?break: unknown key\n"},
        {"[]", "FILE: is not a JSON object\n"},
        {"{\"node\": {\"name\": \"a@b\", \"name\": \"c@d\"}}",
         "FILE:1:31: duplicate object key near '\"name\"'\n"},
        {"{", "FILE:1:1: string or '}' expected near end of file\n"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        assert_int_equal(load_file(rows[i].text), CONFIG_INVALID);
        const char *file = path_of("harnessd.json");
        const char *expected = rows[i].problems;
        const char *printed = problems;
        if (strncmp(expected, "FILE", 4) == 0) {
            assert_int_equal(strncmp(printed, file, strlen(file)), 0);
            expected += 4;
            printed += strlen(file);
        }
        assert_string_equal(printed, expected);
        unload();
    }
    assert_int_equal(LOAD("--config", "/nonexistent", "--sname", "a@b"), CONFIG_INVALID);
    assert_string_equal(problems, "/nonexistent: cannot open: No such file or directory\n");
    unload();
}

static void test_list_problems(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *problems;
    } rows[] = {
        {"{\"node\": {\"name\": \"a@b\", \"listen\": [\"::1\", \"[::1]\", \"\"]}}",
         "node.listen[1]: [::1] is not an IP address\nnode.listen[2]: is empty\n"},
        {"{\"node\": {\"name\": \"a@b\", \"listen\": \"\"}}", "node.listen: is empty\n"},
        {"{\"node\": {\"name\": \"a@b\"}, \"access\": {\"callers\": {\"alow\": []}}}",
         "access.callers.alow: unknown key (nearest: access.callers.allow)\n"},
        {"{\"node\": {\"name\": \"a@b\"}, \"access\": {\"callers\": {\"allow\": \"*\", \"deny\": [\"\", "
         "1]}}}",
         "access.callers.allow: is not a list of patterns\naccess.callers.deny[0]: is empty\n"
         "access.callers.deny[1]: is neither a pattern nor an object with \"pattern\"\n"},
        {"{\"node\": {\"name\": \"a@b\"}, \"access\": {\"callers\": {\"allow\": [{\"functions\": []},"
         " {\"pattern\": \"c\", \"function\": []}, {\"pattern\": \"d\", \"functions\": \"run\"},"
         " {\"pattern\": \"e\", \"functions\": [1]}]}}}",
         "access.callers.allow[0]: is neither a pattern nor an object with \"pattern\"\n"
         "access.callers.allow[1].function: unknown key (nearest: functions)\n"
         "access.callers.allow[2].functions: is not a list of functions\n"
         "access.callers.allow[3].functions[0]: is not a string\n"},
        {"{\"node\": {\"name\": \"a@b\"}, \"audit\": {\"required\": true, \"bytes\": 1}}",
         "audit.bytes: 1 is not in 65536 to 1099511627776\naudit.required: needs an audit.file\n"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        expect_problems(rows[i].text, rows[i].problems);
}

static void test_peer_problems(void **state)
{
    (void)state;
    expect_problems("{\"node\": {\"name\": \"a@b\"}, \"peers\": {}}", "peers: is not a list of nodes\n");
    expect_problems(
        "{\"node\": {\"name\": \"a@b\"}, \"access\": {\"chaos\": {\"allow\": [\"*\", \"supend\"], "
        "\"deny\": [\"halt*\", \"apply\", \"nuke_*\"]}}}",
        "access.chaos.allow[1]: supend is no kind of fault (nearest: suspend)\n"
        "access.chaos.deny[2]: nuke_* is no kind of fault\n");
    expect_problems("{\"node\": {\"name\": \"a@b\"}, \"peers\": [1, \"x\", {\"node\": \"p@q\", \"prot\": 1},"
                    " {\"node\": \"r@s\", \"port\": 65536}, \"t@u@v\", {}, \"t@u\", \"t@u\", \"a@b\","
                    " {\"//\": \"comment\", \"node\": \"w@x\", \"port\": null}]}",
                    "peers[0]: is neither \"NAME@HOST\" nor an object with \"node\"\n"
                    "peers[1]: x has no @HOST\n"
                    "peers[2].prot: unknown key (nearest: port)\n"
                    "peers[3].port: 65536 is not in 0 to 65535\n"
                    "peers[4]: t@u@v has a second @\n"
                    "peers[5]: is neither \"NAME@HOST\" nor an object with \"node\"\n"
                    "peers[7]: t@u is there twice\n"
                    "peers: a@b is this node itself\n");
}

static void test_names(void **state)
{
    (void)state;
    char longest[NODE_NAME_BYTES + 2];
    memset(longest, 'a', sizeof(longest));
    longest[1] = '@';
    longest[NODE_NAME_BYTES + 1] = '\0';
    assert_non_null(node_name_problem(longest));
    longest[NODE_NAME_BYTES] = '\0';
    assert_null(node_name_problem(longest));
    static const char *const good[] = {"a@b", "A-_9@h", "a@localhost", "a@10.0.0.1", "a@::1", "a@b_c.d"};
    static const char *const bad[] = {"",      "a",     "@b",    "a@",         "a@b@c",
                                      "a b@c", "a.b@c", "a@b c", "\xc3\xa4@b", "a@b/c"};
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
        assert_null(node_name_problem(good[i]));
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_non_null(node_name_problem(bad[i]));
    assert_null(node_name_kind_problem("a@localhost", true));
    assert_null(node_name_kind_problem("a@localhost", false));
    assert_null(node_name_kind_problem("a@::1", true));
    assert_non_null(node_name_kind_problem("a@::1", false));
    assert_non_null(node_name_kind_problem("a@b.c", false));
    assert_non_null(node_name_kind_problem("a@b", true));
}

static void test_names_are_completed(void **state)
{
    (void)state;
    char host[256] = "";
    assert_int_equal(gethostname(host, sizeof(host) - 1), 0);
    host[strcspn(host, ".")] = '\0';
    char *expected = memory_format("app@%s", host);
    assert_int_equal(LOAD("--sname", "app"), CONFIG_RUN);
    assert_string_equal(config.node_name, expected);
    unload();
    assert_int_equal(load_file("{\"node\": {\"name\": \"app\"}}"), CONFIG_RUN);
    assert_string_equal(config.node_name, expected);
    assert_false(config.long_names);
    unload();
    free(expected);
    assert_int_equal(load_file("{\"node\": {\"name\": \"app@a.b\"}}"), CONFIG_RUN);
    assert_true(config.long_names);
    unload();
    /* Not every host has a name in full; then it is a problem and never half a name. */
    if (LOAD("--name", "app") == CONFIG_RUN)
        assert_true(node_name_looks_long(config.node_name));
    else
        assert_string_equal(problems, "--name: app has no @HOST, and this host has no full name; give --name "
                                      "app@ADDRESS, or --sname app\n");
    unload();
}

/* Two that run the same at once are two nodes. */
static void test_names_of_one_shots(void **state)
{
    (void)state;
    static const struct {
        const char *peer;
        const char *host; /* NULL: any */
        bool long_names;
    } rows[] = {
        {"app@127.0.0.1", "@127.0.0.1", true}, {"app@localhost", "@localhost", false},
        {"app@10.0.0.7", NULL, true},          {"app@fd00::7", NULL, true},
        {"app@app1.example.org", NULL, true},  {"app@app1", NULL, false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        assert_int_equal(LOAD("run", "a.json", "--connect", rows[i].peer), CONFIG_ONE_SHOT);
        assert_string_equal(problems, "");
        assert_int_equal(config.long_names, rows[i].long_names);
        if (rows[i].host)
            assert_string_equal(strchr(config.node_name, '@'), rows[i].host);
        char *first = memory_string(config.node_name);
        unload();
        assert_int_equal(LOAD("run", "a.json", "--connect", rows[i].peer), CONFIG_ONE_SHOT);
        assert_string_not_equal(config.node_name, first);
        unload();
        free(first);
    }
}

static void test_http_addresses(void **state)
{
    (void)state;
    expect_problems("{\"node\": {\"name\": \"a@b\"}, \"http\": {\"listen\": \"localhost:80\"}}",
                    "http.listen: localhost:80 is not ADDRESS:PORT, with an IPv6 address in brackets\n");
    assert_int_equal(load_file("{\"node\": {\"name\": \"a@b\"}, \"http\": {\"listen\": \"\"}}"), CONFIG_RUN);
    assert_int_equal(config.http_listen.count, 0);
    unload();
    assert_int_equal(LOAD("--sname", "a@b", "--http", ""), CONFIG_RUN);
    assert_int_equal(config.http_listen.count, 0);
    unload();
    assert_int_equal(LOAD("--sname", "a@b", "--http", "127.0.0.1:9465"), CONFIG_RUN);
    assert_string_equal(config.http_listen.items[0], "127.0.0.1:9465");
    unload();
    assert_int_equal(
        load_file("{\"node\": {\"name\": \"a@b\"}, \"http\": {\"listen\": [\"127.0.0.1:0\", \"[::1]:80\"]}}"),
        CONFIG_RUN);
    assert_int_equal(config.http_listen.count, 2);
    assert_string_equal(config.http_listen.items[1], "[::1]:80");
    unload();
    expect_problems("{\"node\": {\"name\": \"a@b\"}, \"http\": {\"listen\": [\"::1:80\", \"\", 1]}}",
                    "http.listen[0]: ::1:80 is not ADDRESS:PORT, with an IPv6 address in brackets\n"
                    "http.listen[1]: is empty\nhttp.listen[2]: is not a string\n");
    expect_problems("{\"node\": {\"name\": \"a@b\"}, \"http\": {\"listen\": 1}}",
                    "http.listen: is not a string\n");
    expect_flag_problems(FLAGS("--sname", "a@b", "--http", "9465"),
                         "--http: 9465 is not ADDRESS:PORT, with an IPv6 address in brackets\n");
}

static void test_epmd_port(void **state)
{
    (void)state;
    setenv("ERL_EPMD_PORT", "4400", 1);
    assert_int_equal(LOAD("--sname", "a@b"), CONFIG_RUN);
    assert_int_equal(config.epmd_port, 4400);
    unload();
    assert_int_equal(load_file("{\"node\": {\"name\": \"a@b\"}, \"epmd\": {\"port\": 5000}}"), CONFIG_RUN);
    assert_int_equal(config.epmd_port, 5000);
    unload();
    setenv("ERL_EPMD_PORT", "0", 1);
    expect_flag_problems(FLAGS("--sname", "a@b"), "ERL_EPMD_PORT: 0 is not in 1 to 65535\n");
    unsetenv("ERL_EPMD_PORT");
}

/* The cookie of a file with these bytes and this mode, or NULL with what is wrong after the file's name. */
static char *cookie_of(const char *bytes, size_t size, mode_t mode, char problem[200])
{
    char *text = NULL;
    const char *path = write_file("cookie", bytes, size, mode);
    char *cookie = cookie_load(path, &text);
    assert_true((cookie == NULL) == (text != NULL));
    problem[0] = '\0';
    if (text) {
        assert_int_equal(strncmp(text, path, strlen(path)), 0);
        snprintf(problem, 200, "%s", text + strlen(path));
    }
    free(text);
    return cookie;
}

static void test_cookie_files(void **state)
{
    (void)state;
    char problem[200];
    char bytes[300];
    memset(bytes, 'c', sizeof(bytes));
    static const char *const good[] = {"abc", "abc\n", "abc \t\r\n\n"};
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        char *cookie = cookie_of(good[i], strlen(good[i]), 0600, problem);
        assert_string_equal(cookie, "abc");
        cookie_free(cookie);
    }
    char *cookie = cookie_of(bytes, COOKIE_BYTES, 0400, problem);
    assert_int_equal(strlen(cookie), COOKIE_BYTES);
    cookie_free(cookie);
    assert_null(cookie_of(bytes, COOKIE_BYTES + 1, 0600, problem));
    assert_string_equal(problem, " holds more than 255 bytes");
    assert_null(cookie_of("", 0, 0600, problem));
    assert_string_equal(problem, " is empty");
    assert_null(cookie_of(" \n", 2, 0600, problem));
    assert_string_equal(problem, " is empty");
    assert_null(cookie_of("a\nb", 3, 0600, problem));
    assert_string_equal(problem, " holds characters that are not printable");
    assert_null(cookie_of("a\0", 2, 0600, problem));
    assert_string_equal(problem, " holds characters that are not printable");
    assert_null(cookie_of("abc", 3, 0640, problem));
    assert_non_null(strstr(problem, "has mode 0640"));
    assert_null(cookie_of("abc", 3, 0601, problem));
}

static void test_cookie_sources(void **state)
{
    (void)state;
    char *problem = NULL;
    assert_null(cookie_load(directory, &problem));
    assert_non_null(strstr(problem, "is not a regular file"));
    free(problem);
    assert_null(cookie_load("/dev/null", &problem));
    free(problem);

    char *link_path = memory_string(path_of("link"));
    symlink(write_file("cookie", "abc", 3, 0600), link_path);
    char *cookie = cookie_load(link_path, &problem);
    assert_string_equal(cookie, "abc");
    cookie_free(cookie);
    free(link_path);

    setenv(COOKIE_VARIABLE, "not\x01printable", 1);
    assert_null(cookie_load(NULL, &problem));
    assert_string_equal(problem, COOKIE_VARIABLE " holds characters that are not printable");
    free(problem);

    unsetenv(COOKIE_VARIABLE);
    unlink(path_of(".erlang.cookie"));
    assert_null(cookie_load(NULL, &problem));
    char *expected =
        memory_format("no cookie: there is no %s, which the first node with a name makes (erl -sname "
                      "a); or give --cookie-file FILE or HARNESSD_COOKIE",
                      path_of(".erlang.cookie"));
    assert_string_equal(problem, expected);
    free(expected);
    free(problem);

    write_file(".erlang.cookie", "home\n", 5, 0400);
    cookie = cookie_load(NULL, &problem);
    assert_string_equal(cookie, "home");
    cookie_free(cookie);

    unsetenv("HOME");
    assert_null(cookie_load(NULL, &problem));
    assert_non_null(strstr(problem, "give --cookie-file FILE or HARNESSD_COOKIE"));
    free(problem);
}

static void test_credentials_are_exempt(void **state)
{
    (void)state;
    char problem[200];
    setenv("CREDENTIALS_DIRECTORY", directory, 1);
    char *cookie = cookie_of("abc", 3, 0444, problem);
    assert_string_equal(cookie, "abc");
    cookie_free(cookie);
    setenv("CREDENTIALS_DIRECTORY", "/tmp/serve_config_tes", 1);
    assert_null(cookie_of("abc", 3, 0444, problem));
    setenv("CREDENTIALS_DIRECTORY", "/nonexistent", 1);
    assert_null(cookie_of("abc", 3, 0444, problem));
    unsetenv("CREDENTIALS_DIRECTORY");
}

/* A file of the tree, found from where this one is. */
static char *tree_path(const char *name)
{
    const char *end = strstr(__FILE__, "tests/unit/");
    assert_non_null(end);
    return memory_format("%.*s%s", (int)(end - __FILE__), __FILE__, name);
}

/* The value of a path such as "access.callers.allow", and whether there is a comment beside it. */
static const json_t *value_at(const json_t *root, const char *path, bool *commented)
{
    char component[64];
    for (;;) {
        size_t size = strcspn(path, ".");
        snprintf(component, sizeof(component), "//%.*s", (int)size, path);
        *commented = json_object_get(root, component) != NULL;
        root = json_object_get(root, component + 2);
        if (!path[size])
            return root;
        path += size + 1;
    }
}

static void test_example_has_every_key(void **state)
{
    (void)state;
    char *path = tree_path("config/harnessd.json");
    json_t *root = json_load_file(path, 0, NULL);
    assert_non_null(root);
    size_t count;
    const struct config_key *keys = config_keys(&count);
    for (size_t i = 0; i < count; i++) {
        bool commented = false;
        const json_t *value = value_at(root, keys[i].path, &commented);
        json_t *fallback = json_loads(keys[i].fallback, JSON_DECODE_ANY, NULL);
        if (!value || !commented)
            fail_msg("%s is not in config/harnessd.json, or has no comment", keys[i].path);
        if (strcmp(keys[i].path, "node.name") != 0 && !json_equal(value, fallback))
            fail_msg("%s has another value than its default in config/harnessd.json", keys[i].path);
        json_decref(fallback);
    }
    json_decref(root);
    assert_int_equal(LOAD("--check-config", path), CONFIG_CHECK);
    assert_string_equal(problems, "");
    unload();
    free(path);
}

/* Whether a comment such as "//port" has no key beside it that the table knows, here or further down. */
static bool has_stray_comment(const json_t *section, const char *prefix)
{
    const char *key;
    json_t *value;
    bool stray = false;
    json_object_foreach((json_t *)section, key, value)
    {
        bool comment = strncmp(key, "//", 2) == 0;
        char *path = memory_format("%s%s", prefix, comment ? key + 2 : key);
        char *below = memory_format("%s.", path);
        if (comment && *path)
            stray |= !config_key_find(path) && !json_is_object(json_object_get(section, key + 2));
        else if (json_is_object(value))
            stray |= has_stray_comment(value, below);
        free(below);
        free(path);
    }
    return stray;
}

static void test_example_has_nothing_else(void **state)
{
    (void)state;
    char *path = tree_path("config/harnessd.json");
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    assert_false(has_stray_comment(root, ""));
    json_object_set_new(json_object_get(root, "node"), "//prot", json_string("Is no key."));
    assert_true(has_stray_comment(root, ""));
    json_decref(root);
    free(path);
}

/* What one of the writers of usage writes, to be freed, with its lines counted, none of which is too long. */
static char *usage_of(void (*write)(FILE *output), size_t *lines)
{
    char *text = NULL;
    size_t size = 0, column = 0;
    FILE *output = open_memstream(&text, &size);
    write(output);
    fclose(output);
    *lines = 0;
    for (const char *c = text; *c; c++) {
        column = *c == '\n' ? 0 : column + 1;
        *lines += *c == '\n';
        if (column > 100)
            fail_msg("a line is too long before%.40s", c);
    }
    return text;
}

static void test_usage_names_every_key(void **state)
{
    (void)state;
    size_t count, lines;
    char *text = usage_of(config_usage_of_keys, &lines);
    const struct config_key *keys = config_keys(&count);
    for (size_t i = 0; i < count; i++)
        if (!strstr(text, keys[i].path) || lines < 2 * count)
            fail_msg("%s is missing", keys[i].path);
    assert_non_null(strstr(text, "  limits.runs                runs at once\n"
                                 "                             1 to 10000; default: 64\n"));
    assert_non_null(strstr(text, "\n  HARNESSD_COOKIE "));
    free(text);
}

static void test_usage_fits_a_screen(void **state)
{
    (void)state;
    size_t lines;
    char *text = usage_of(config_usage, &lines);
    assert_in_range(lines, 20, 35);
    static const char *const flags[] = {"--config", "--check-config", "--name",    "--sname", "--cookie-file",
                                        "--port",   "--log-level",    "--version", "--help"};
    for (size_t i = 0; i < ARRAY_LENGTH(flags); i++)
        assert_non_null(strstr(text, flags[i]));
    free(text);
}

/* It is about run alone, and all that run takes is there. */
static void test_usage_of_run(void **state)
{
    (void)state;
    size_t count, lines;
    char *text = usage_of(config_usage_of_run, &lines);
    const struct config_flag *flags = config_flags(&count);
    for (size_t i = 0; i < count; i++) {
        char line[32];
        snprintf(line, sizeof(line), "\n  --%s", flags[i].name);
        assert_int_equal(strstr(text, line) != NULL, flags[i].whom != FOR_DAEMON);
    }
    assert_in_range(lines, 10, 40);
    free(text);
}

#define TEST(function) cmocka_unit_test_setup(function, set_environment)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_defaults),
        TEST(test_every_key),
        TEST(test_flag_of_a_boolean),
        TEST(test_flags_override_file),
        TEST(test_actions),
        TEST(test_flag_problems),
        TEST(test_commands),
        TEST(test_cookies_are_no_flags),
        TEST(test_help_has_a_letter),
        TEST(test_bad_flags_win_over_help),
        TEST(test_nodes_to_connect_to),
        TEST(test_file_problems),
        TEST(test_list_problems),
        TEST(test_peer_problems),
        TEST(test_names),
        TEST(test_names_are_completed),
        TEST(test_names_of_one_shots),
        TEST(test_epmd_port),
        TEST(test_http_addresses),
        TEST(test_cookie_files),
        TEST(test_cookie_sources),
        TEST(test_credentials_are_exempt),
        TEST(test_example_has_every_key),
        TEST(test_example_has_nothing_else),
        TEST(test_usage_names_every_key),
        TEST(test_usage_fits_a_screen),
        TEST(test_usage_of_run),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
