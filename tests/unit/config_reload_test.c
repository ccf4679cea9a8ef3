#include "config/config_reload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "config/config_key.h"
#include "cookie_private.h"

#define HEAD "{\"node\": {\"name\": \"a@b\"}"

static char file[] = "/tmp/serve_config_reload_test.XXXXXX";
static char *arguments[] = {(char *)"harnessd", (char *)"--config", file, (char *)"--port", (char *)"5000"};
static struct config config;
static char *log_text;
static size_t log_size;
static FILE *log_file;

static void write_config(const char *text)
{
    FILE *output = fopen(file, "w");
    assert_non_null(output);
    fputs(text, output);
    assert_int_equal(fclose(output), 0);
}

static void start(const char *text)
{
    write_config(text);
    assert_int_equal(config_load(ARRAY_LENGTH(arguments), arguments, &config, stderr), CONFIG_RUN);
}

/* Whether it was reloaded; the log's lines, without their times, are in `log_text`. */
static bool reload(const char *text)
{
    struct config old;
    write_config(text);
    log_file = open_memstream(&log_text, &log_size);
    log_configure(LOG_LEVEL_INFO, LOG_TEXT, log_file);
    bool reloaded = config_reload(ARRAY_LENGTH(arguments), arguments, &config, &old);
    if (reloaded)
        config_free(&old);
    log_configure(LOG_LEVEL_INFO, LOG_TEXT, NULL);
    fclose(log_file);
    char *to = log_text;
    for (char *line = log_text, *end; (end = strchr(line, '\n')); line = end + 1) {
        char *from = strchr(line, ' ') + 1;
        memmove(to, from, (size_t)(end - from) + 1);
        to += end - from + 1;
    }
    *to = '\0';
    return reloaded;
}

static void forget(void)
{
    config_free(&config);
    free(log_text);
    log_text = NULL;
}

static int set_up(void **state)
{
    (void)state;
    setenv(COOKIE_VARIABLE, "secret", 1);
    unsetenv("ERL_EPMD_PORT");
    return 0;
}

static int make_file(void **state)
{
    (void)state;
    int descriptor = mkstemp(file);
    return descriptor < 0 ? -1 : close(descriptor);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(file);
}

static void test_nothing_changed(void **state)
{
    (void)state;
    start(HEAD "}");
    assert_true(reload(HEAD ", \"limits\": {\"runs\": 64}}"));
    assert_string_equal(log_text, "info configuration reloaded changed=0 need_restart=0\n");
    assert_int_equal(config.port, 5000); /* flags still override the file */
    forget();
}

static void test_changes(void **state)
{
    (void)state;
    start(HEAD ", \"limits\": {\"runs\": 3}, \"peers\": [\"p@q\"]}");
    assert_true(reload(
        HEAD ", \"log\": {\"level\": \"error\"}, \"access\": {\"callers\": {\"allow\": [\"x\", \"y\"]}},"
             " \"peers\": [{\"node\": \"r@s\", \"port\": 9}, \"t@u\"], \"shutdown_ms\": 5}"));
    assert_string_equal(
        log_text, "info configuration changed key=peers from=\"[\\\"p@q\\\"]\""
                  " to=\"[{\\\"node\\\": \\\"r@s\\\", \\\"port\\\": 9}, \\\"t@u\\\"]\"\n"
                  "info configuration changed key=limits.runs from=3 to=64\n"
                  "info configuration changed key=access.callers.allow from=\"[\\\"*\\\"]\""
                  " to=\"[\\\"x\\\", \\\"y\\\"]\"\n"
                  "info configuration changed key=log.level from=\"\\\"info\\\"\" to=\"\\\"error\\\"\"\n"
                  "info configuration changed key=shutdown_ms from=20000 to=5\n"
                  "info configuration reloaded changed=5 need_restart=0\n");
    assert_int_equal(config.limit_runs, 64);
    assert_int_equal(config.peer_count, 2);
    assert_string_equal(config.peers[1].node, "t@u");
    assert_int_equal(config.allowed_callers.count, 2);
    assert_int_equal(config.log_level, LOG_LEVEL_ERROR);
    assert_int_equal(config.shutdown_ms, 5);
    forget();
}

static void test_what_needs_a_restart_stays(void **state)
{
    (void)state;
    start(HEAD ", \"epmd\": {\"port\": 4370}}");
    setenv(COOKIE_VARIABLE, "another_secret", 1);
    assert_true(reload("{\"node\": {\"name\": \"c@d\", \"port\": 7, \"net_ticktime\": 30},"
                       " \"epmd\": {\"host\": \"h\"}, \"limits\": {\"runs\": 2}}"));
    assert_null(strstr(log_text, "secret"));
    assert_string_equal(
        log_text,
        "warning configuration change needs a restart key=node.cookie_file"
        " reason=\"the cookie is another one\"\n"
        "warning configuration change needs a restart key=node.name from=\"\\\"a@b\\\"\" to=\"\\\"c@d\\\"\"\n"
        "warning configuration change needs a restart key=node.net_ticktime from=60 to=30\n"
        "warning configuration change needs a restart key=epmd.host from=null to=\"\\\"h\\\"\"\n"
        "warning configuration change needs a restart key=epmd.port from=4370 to=4369\n"
        "info configuration changed key=limits.runs from=64 to=2\n"
        "info configuration reloaded changed=1 need_restart=5\n");
    assert_string_equal(config.node_name, "a@b");
    assert_string_equal(config.cookie, "secret");
    assert_int_equal(config.net_ticktime_s, 60);
    assert_null(config.epmd_host);
    assert_int_equal(config.epmd_port, 4370);
    assert_int_equal(config.limit_runs, 2);
    forget();
}

/* A limit of what the log writes within a second is no limit of what somebody has asked for. */
static void test_a_bad_file_changes_nothing(void **state)
{
    (void)state;
    start(HEAD "}");
    char text[2000] = HEAD ", \"limits\": {\"runs\": 2, \"threads\": 0}, \"shutdown_ms\": 9, \"peers\": [";
    for (int i = 0; i < 3 * LOG_BURST; i++)
        strcat(text, i ? ", 1" : "1");
    strcat(text, "], \"lgo\": {}}");
    assert_false(reload(text));
    assert_non_null(strstr(log_text, "error problem with the configuration"
                                     " problem=\"limits.threads: 0 is not in 1 to 2000000\"\n"));
    assert_non_null(strstr(log_text, "problem=\"lgo: unknown key (nearest: log)\"\n"));
    for (int i = 0; i < 3 * LOG_BURST; i++) {
        char line[32];
        snprintf(line, sizeof(line), "\"peers[%d]: ", i);
        assert_non_null(strstr(log_text, line));
    }
    assert_non_null(
        strstr(log_text, "error configuration is not reloaded, the one before stays problems=62\n"));
    assert_int_equal(config.limit_runs, 64);
    assert_int_equal(config.shutdown_ms, 20000);
    assert_int_equal(config.peer_count, 0);
    free(log_text);
    assert_false(reload("{"));
    assert_non_null(strstr(log_text, file));
    forget();
}

static void test_values_are_as_in_the_file(void **state)
{
    (void)state;
    static const char text[] =
        "{\"peers\": [\"p@q\", {\"node\": \"r@s\", \"port\": 9}], \"node\": {\"name\": \"a@b\", \"listen\":"
        " \"::1\", \"names\": \"short\"}, \"epmd\": {\"register\": false}, \"limits\": {\"queued_bytes\":"
        " 1099511627776, \"events\": 5}, \"access\": {\"chaos\": {\"deny\": [\"flood\", \"burn*\"]}}, "
        "\"log\":"
        " {\"format\": \"json\"}}";
    static const struct {
        const char *path;
        const char *value;
    } rows[] = {
        {"node.listen", "\"::1\""},
        {"node.names", "\"short\""},
        {"node.cookie_file", "null"},
        {"epmd.register", "false"},
        {"epmd.start", "true"},
        {"limits.queued_bytes", "1099511627776"},
        {"limits.events", "5"},
        {"access.chaos.deny", "[\"flood\", \"burn*\"]"},
        {"access.callers.allow", "[\"*\"]"},
        {"log.format", "\"json\""},
        {"log.level", "\"info\""},
        {"peers", "[\"p@q\", {\"node\": \"r@s\", \"port\": 9}]"},
    };
    start(text);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        json_t *value = config_key_value(&config, config_key_find(rows[i].path));
        char *printed = json_dumps(value, JSON_ENCODE_ANY);
        assert_string_equal(printed, rows[i].value);
        free(printed);
        json_decref(value);
    }
    forget();
}

#define TEST(function) cmocka_unit_test_setup(function, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nothing_changed),
        TEST(test_changes),
        TEST(test_what_needs_a_restart_stays),
        TEST(test_a_bad_file_changes_nothing),
        TEST(test_values_are_as_in_the_file),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
