#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "report/text_number.h"
#include "text_table_private.h"

static void expect_table(const struct text_table *table, size_t indent, const char *expected)
{
    struct buffer text = {0};
    text_table_write(table, indent, &text);
    buffer_append(&text, "", 1);
    assert_string_equal((const char *)buffer_bytes(&text), expected);
    buffer_free(&text);
}

static void test_alignment(void **state)
{
    (void)state;
    static const struct text_column columns[] = {
        {.title = "name"}, {.title = "n", .right = true}, {.title = "rest"}};
    struct text_table table;
    text_table_init(&table, columns, 3);
    expect_table(&table, 0, "name  n  rest\n");
    text_table_add(&table, "a");
    text_table_add(&table, "%d", 12345);
    text_table_add(&table, "x");
    text_table_add(&table, "l\xc3\xa4nger");
    text_table_add(&table, "7");
    text_table_add(&table, "%s", "");
    expect_table(&table, 2,
                 "  name        n  rest\n"
                 "  a       12345  x\n"
                 "  l\xc3\xa4nger      7\n");
    text_table_free(&table);
}

static void test_no_titles(void **state)
{
    (void)state;
    static const struct text_column columns[] = {{.title = NULL}, {.right = true}};
    struct text_table table;
    text_table_init(&table, columns, 2);
    expect_table(&table, 0, "");
    text_table_add(&table, "a\nb\t\x7f");
    text_table_add(&table, "1");
    expect_table(&table, 0, "a b    1\n");
    text_table_free(&table);
}

/* Only the flexible column gives way, and no character of several bytes is cut in two. */
static void test_width(void **state)
{
    (void)state;
    static const struct text_column columns[] = {{.title = "t", .flexible = true},
                                                 {.title = "n", .right = true}};
    struct text_table table;
    char longest[300] = "", cut[400] = "";
    for (size_t i = 0; i < 100; i++)
        strcat(longest, "\xc3\xa4");
    text_table_init(&table, columns, 2);
    text_table_add(&table, "%s", longest);
    text_table_add(&table, "12345");
    /* 2 of the indent, 91 with the dots, 2 of the gap, 5. */
    snprintf(cut, sizeof(cut), "  t%*s      n\n  %.*s...  12345\n", 90, "", 2 * 88, longest);
    expect_table(&table, 2, cut);
    text_table_free(&table);
    text_table_init(&table, columns, 2);
    text_table_add(&table, "%.*s", 2 * 91, longest);
    text_table_add(&table, "12345");
    snprintf(cut, sizeof(cut), "  t%*s      n\n  %.*s  12345\n", 90, "", 2 * 91, longest);
    expect_table(&table, 2, cut);
    text_table_free(&table);
}

static void test_counts(void **state)
{
    (void)state;
    struct text_number number;
    assert_string_equal(text_count(&number, 0), "0");
    assert_string_equal(text_count(&number, 999), "999");
    assert_string_equal(text_count(&number, 1000), "1,000");
    assert_string_equal(text_count(&number, 1234567), "1,234,567");
    assert_string_equal(text_count(&number, UINT64_MAX), "18,446,744,073,709,551,615");
    assert_string_equal(text_rate(&number, 0), "0.0");
    assert_string_equal(text_rate(&number, 12.34), "12.3");
    assert_string_equal(text_rate(&number, 1234.5), "1,235");
    assert_string_equal(text_rate(&number, 1e30), "1,000,000,000,000,000,000");
}

static void test_durations(void **state)
{
    (void)state;
    static const struct {
        uint64_t us;
        const char *text;
    } rows[] = {
        {0, "0 us"},
        {999, "999 us"},
        {1000, "1.00 ms"},
        {9994, "9.99 ms"},
        {9996, "10.0 ms"},
        {98765, "98.8 ms"},
        {99960, "100 ms"},
        {999499, "999 ms"},
        {999500, "1.00 s"},
        {999999, "1.00 s"},
        {1000000, "1.00 s"},
        {12345678, "12.3 s"},
        {119999999, "120 s"},
        {120000000, "2 min 0 s"},
        {7199999999, "119 min 59 s"},
        {7200000000, "2 h 0 min"},
        {UINT64_MAX, "5124095576 h 1 min"},
    };
    struct text_number number;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(text_duration(&number, rows[i].us), rows[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alignment), cmocka_unit_test(test_no_titles), cmocka_unit_test(test_width),
        cmocka_unit_test(test_counts),    cmocka_unit_test(test_durations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
