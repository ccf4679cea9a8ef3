#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

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
    expect("error odd values space=\"a b\" quote=\"a\\\"b\\\\\" empty=\"\" none=\"\" line=\"a\\u000ab\" "
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
    usleep(1100000);
    log_info(event);
    fflush(file);
    assert_non_null(strstr(text, "suppressed="));
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),   cmocka_unit_test(test_quoting), cmocka_unit_test(test_json),
        cmocka_unit_test(test_levels), cmocka_unit_test(test_names),   cmocka_unit_test(test_long_values),
        cmocka_unit_test(test_bursts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
