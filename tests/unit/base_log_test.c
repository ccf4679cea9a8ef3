#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/random.h"

#define TIME_BYTES (sizeof("2026-01-31T12:00:00.123Z ") - 1)

static char *text;
static size_t size;
static FILE *file;

static void begin(enum log_level level, enum log_format format)
{
    file = open_memstream(&text, &size);
    assert_non_null(file);
    log_configure(level, format, file);
}

/* The text without the time, which is of fixed width in the format for people. */
static void expect(const char *expected)
{
    fflush(file);
    assert_true(size > TIME_BYTES);
    assert_int_equal(text[TIME_BYTES - 2], 'Z');
    assert_string_equal(text + TIME_BYTES, expected);
}

static void end(void)
{
    log_configure(LOG_LEVEL_INFO, LOG_TEXT, NULL);
    fclose(file);
    free(text);
}

static void test_text(void **state)
{
    (void)state;
    begin(LOG_LEVEL_INFO, LOG_TEXT);
    log_info("ready", log_string("node", "app@host"), log_integer("port", -4711), log_bytes("raw", "abc", 2));
    expect("info ready node=app@host port=-4711 raw=ab\n");
    end();
}

static void test_quoting(void **state)
{
    (void)state;
    begin(LOG_LEVEL_INFO, LOG_TEXT);
    log_error("odd values", log_string("space", "a b"), log_string("quote", "a\"b\\"),
              log_string("empty", ""), log_string("none", NULL), log_string("line", "a\nb"),
              log_bytes("zero", "a\0b", 3));
    expect("error odd values space=\"a b\" quote=\"a\\\"b\\\\\" empty=\"\" line=\"a\\u000ab\" "
           "zero=\"a\\u0000b\"\n");
    end();
}

static void test_json(void **state)
{
    (void)state;
    begin(LOG_LEVEL_DEBUG, LOG_JSON);
    log_debug("seen", log_string("a", "b=\"c\""), log_integer("n", 5));
    log_warning("bare");
    fflush(file);
    assert_non_null(
        strstr(text, "Z\",\"level\":\"debug\",\"event\":\"seen\",\"a\":\"b=\\\"c\\\"\",\"n\":5}\n"));
    assert_non_null(strstr(text, "\"level\":\"warning\",\"event\":\"bare\"}\n"));
    assert_int_equal(text[0], '{');
    end();
}

static void test_levels(void **state)
{
    (void)state;
    begin(LOG_LEVEL_WARNING, LOG_TEXT);
    log_info("not this");
    log_debug("nor this");
    log_warning("but this");
    expect("warning but this\n");
    assert_true(log_enabled(LOG_LEVEL_ERROR));
    assert_false(log_enabled(LOG_LEVEL_INFO));
    end();
}

static void test_names(void **state)
{
    (void)state;
    enum log_level level = LOG_LEVEL_COUNT;
    enum log_format format = LOG_TEXT;
    assert_true(log_level_parse("error", &level));
    assert_int_equal(level, LOG_LEVEL_ERROR);
    assert_false(log_level_parse("loud", &level));
    assert_true(log_format_parse("json", &format));
    assert_int_equal(format, LOG_JSON);
    assert_false(log_format_parse("", &format));
}

static void test_long_values(void **state)
{
    (void)state;
    begin(LOG_LEVEL_INFO, LOG_TEXT);
    char value[8000];
    memset(value, 'x', sizeof(value));
    log_info("long", log_bytes("a", value, sizeof(value)), log_bytes("b", value, sizeof(value)),
             log_bytes("c", value, sizeof(value)), log_bytes("d", value, sizeof(value)),
             log_bytes("e", value, sizeof(value)));
    fflush(file);
    assert_true(size <= 4096);
    assert_int_equal(text[size - 1], '\n');
    end();
}

static size_t count_lines(const char *lines)
{
    size_t count = 0;
    for (; *lines; lines++)
        count += *lines == '\n';
    return count;
}

static void test_bursts(void **state)
{
    (void)state;
    begin(LOG_LEVEL_INFO, LOG_TEXT);
    const char *event = "again and again";
    for (int i = 0; i < 1000; i++)
        log_info(event);
    fflush(file);
    assert_in_range(count_lines(text), LOG_BURST, 2 * LOG_BURST); /* two when a second began meanwhile */
    assert_null(strstr(text, "another"));
    log_info("another");
    fflush(file);
    assert_non_null(strstr(text, "another"));
    log_settle(true);
    fflush(file);
    assert_non_null(strstr(text, " info suppressed what=\"again and again\" lines="));
    size_t before = size;
    log_settle(true);
    fflush(file);
    assert_int_equal(size, before); /* told once */
    end();
}

/* What was suppressed is told of when its second is over, by whatever is logged next, and is never lost. */
static void test_suppressed_lines_are_told(void **state)
{
    (void)state;
    begin(LOG_LEVEL_INFO, LOG_JSON);
    const size_t lines = 500;
    for (size_t i = 0; i < lines; i++) {
        log_warning("often");
        log_warning("as often");
    }
    usleep(1100000);
    log_info("another");
    fflush(file);
    size_t written = 0;
    size_t told = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        char *suppressed = strstr(line, "\"level\":\"warning\",\"event\":\"suppressed\",\"what\":\"often\"");
        written += strstr(line, "\"event\":\"often\"") != NULL;
        told += suppressed ? strtoul(strstr(suppressed, "\"lines\":") + strlen("\"lines\":"), NULL, 10) : 0;
    }
    assert_int_equal(written + told, lines);
    assert_true(told > 0);
    end();
}

static void test_each_line_of_an_answer(void **state)
{
    (void)state;
    begin(LOG_LEVEL_INFO, LOG_TEXT);
    for (int i = 0; i < 5 * LOG_BURST; i++)
        log_each(LOG_LEVEL_INFO, "one of many", log_integer("i", i));
    log_each(LOG_LEVEL_DEBUG, "not at this level");
    log_settle(true);
    fflush(file);
    assert_int_equal(count_lines(text), 5 * LOG_BURST);
    end();
}

/* Whatever the values are, a line is a JSON object with the keys in front. */
static void test_lines_are_json(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 7);
    for (int i = 0; i < 20000; i++) {
        char bytes[3][1500];
        size_t sizes[3];
        for (size_t j = 0; j < 3; j++) {
            /* Mostly what escaping and UTF-8 are about; long ones fill the line. */
            static const char often[] = "\"\\\x80\xbf\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\n\x7f\xed\xa0\xff";
            sizes[j] = random_below(&random, random_below(&random, 4) ? 40 : sizeof(bytes[j]));
            for (size_t k = 0; k < sizes[j]; k++)
                bytes[j][k] = random_below(&random, 2) ? often[random_below(&random, sizeof(often))]
                                                       : (char)random_below(&random, 256);
        }
        begin(LOG_LEVEL_INFO, LOG_JSON);
        log_each(LOG_LEVEL_INFO, "odd", log_bytes("a", bytes[0], sizes[0]),
                 log_bytes("b", bytes[1], sizes[1]), log_integer("n", i), log_bytes("c", bytes[2], sizes[2]));
        fflush(file);
        assert_int_equal(strcspn(text, "\n"), size - 1);
        json_error_t error;
        json_t *line = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
        if (!line)
            fail_msg("%s: %s", error.text, text);
        assert_string_equal(json_string_value(json_object_get(line, "event")), "odd");
        assert_string_equal(json_string_value(json_object_get(line, "level")), "info");
        json_decref(line);
        end();
    }
}

/* Each field in turn ends where the line does. */
static void test_full_lines_are_json(void **state)
{
    (void)state;
    char value[1024];
    memset(value, '\\', sizeof(value));
    for (size_t last = 0; last < sizeof(value); last++) {
        begin(LOG_LEVEL_INFO, LOG_JSON);
        log_each(LOG_LEVEL_INFO, "full", log_bytes("a", value, sizeof(value)), log_bytes("b", value, last),
                 log_integer("c", INT64_MIN), log_bytes("d", value, 900), log_string("e", ""),
                 log_integer("f", 1));
        fflush(file);
        assert_true(size <= 4096);
        json_t *line = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(line);
        json_decref(line);
        end();
    }
}

static void test_journal(void **state)
{
    (void)state;
    char path[] = "/tmp/base_log_test.XXXXXX";
    char stream[64];
    struct stat status;
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    unlink(path);
    FILE *journal = fdopen(descriptor, "w+");
    assert_int_equal(fstat(descriptor, &status), 0);
    snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_configure(LOG_LEVEL_DEBUG, LOG_TEXT, journal);
    log_debug("a");
    log_info("b");
    log_configure(LOG_LEVEL_DEBUG, LOG_JSON, journal);
    log_warning("c");
    log_error("d");
    setenv("JOURNAL_STREAM", "1:1", 1); /* some other stream of this process */
    log_configure(LOG_LEVEL_DEBUG, LOG_TEXT, journal);
    log_error("e");
    unsetenv("JOURNAL_STREAM");
    rewind(journal);
    static const char *const beginnings[] = {"<7>2", "<6>2", "<4>{\"time\":", "<3>{\"time\":", "2"};
    for (size_t i = 0; i < ARRAY_LENGTH(beginnings); i++) {
        char line[256];
        assert_non_null(fgets(line, sizeof(line), journal));
        assert_memory_equal(line, beginnings[i], strlen(beginnings[i]));
    }
    log_configure(LOG_LEVEL_INFO, LOG_TEXT, NULL);
    fclose(journal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_quoting),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_long_values),
        cmocka_unit_test(test_bursts),
        cmocka_unit_test(test_suppressed_lines_are_told),
        cmocka_unit_test(test_each_line_of_an_answer),
        cmocka_unit_test(test_lines_are_json),
        cmocka_unit_test(test_full_lines_are_json),
        cmocka_unit_test(test_journal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
