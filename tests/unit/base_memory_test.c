#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

static char *format(const char *text, ...) PRINTF_LIKE(1, 2);

static char *format(const char *text, ...)
{
    va_list arguments, again;
    va_start(arguments, text);
    va_copy(again, arguments);
    char *first = memory_format_list(text, arguments);
    char *second = memory_format_list(text, again);
    assert_string_equal(first, second);
    free(first);
    va_end(again);
    va_end(arguments);
    return second;
}

static void expect(char *text, const char *expected)
{
    assert_string_equal(text, expected);
    free(text);
}

static void test_format(void **state)
{
    (void)state;
    expect(memory_format("%s-%d", "a", 7), "a-7");
    expect(format("%s-%d", "a", 7), "a-7");
    expect(format("%s", ""), "");
    char *long_text = format("%5000d", 1);
    assert_int_equal(strlen(long_text), 5000);
    free(long_text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_format)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
