/* Refusals that have a line, and those that are counted. */
#include "audit_refusals_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct audit_refusals refusals;

static int set_up(void **state)
{
    (void)state;
    memset(&refusals, 0, sizeof(refusals));
    return 0;
}

/* How many of so many have a line. */
static size_t refuse(const char *node, size_t count, uint64_t now_ns)
{
    size_t admitted = 0;
    for (size_t i = 0; i < count; i++)
        admitted += audit_refusals_admit(&refusals, node, now_ns);
    return admitted;
}

static void expect_omitted(const char *node, uint64_t expected)
{
    uint64_t omitted = 0;
    const char *name = audit_refusals_take(&refusals, &omitted);
    assert_non_null(name);
    assert_string_equal(name, node);
    assert_int_equal(omitted, expected);
}

static void expect_nothing_omitted(void)
{
    uint64_t omitted;
    assert_null(audit_refusals_take(&refusals, &omitted));
}

static void test_a_thousand_at_once_then_one_a_second(void **state)
{
    (void)state;
    const uint64_t now_ns = 5 * CLOCK_NS_PER_S;
    assert_int_equal(refuse("a@x", 1500, now_ns), 1000);
    assert_int_equal(refuse("a@x", 10, now_ns + CLOCK_NS_PER_S - 1), 0);
    assert_int_equal(refuse("a@x", 10, now_ns + CLOCK_NS_PER_S), 1);
    assert_int_equal(refuse("a@x", 10, now_ns + 4 * CLOCK_NS_PER_S), 3);
    expect_omitted("a@x", 500 + 10 + 9 + 7);
    expect_nothing_omitted();
    assert_int_equal(refuse("a@x", 1500, now_ns + 2000 * CLOCK_NS_PER_S), 1000);
}

static void test_one_node_is_not_in_the_way_of_another(void **state)
{
    (void)state;
    assert_int_equal(refuse("a@x", 5000, 1), 1000);
    assert_int_equal(refuse("b@x", 100, 1), 100);
    expect_omitted("a@x", 4000);
    expect_nothing_omitted();
}

static void test_those_beyond_the_number_share_a_row(void **state)
{
    (void)state;
    char name[32];
    for (size_t i = 0; i < AUDIT_REFUSED_NODES_MOST; i++) {
        snprintf(name, sizeof(name), "n%zu@x", i);
        assert_int_equal(refuse(name, 2, 1), 2);
    }
    assert_int_equal(refuse("late@x", 600, 1), 600);
    assert_int_equal(refuse("later@x", 600, 1), 400);
    expect_omitted("", 200);
    expect_nothing_omitted();
    assert_int_equal(refuse("late@x", 1000, 1 + 3 * CLOCK_NS_PER_S), 1000); /* others need theirs no more */
}

static void test_a_row_is_kept_until_it_is_told(void **state)
{
    (void)state;
    char name[32];
    assert_int_equal(refuse("a@x", 1001, 1), 1000);
    for (size_t i = 0; i < AUDIT_REFUSED_NODES_MOST; i++) {
        snprintf(name, sizeof(name), "n%zu@x", i);
        assert_int_equal(refuse(name, 1, 1 + 5000 * CLOCK_NS_PER_S), 1);
    }
    expect_omitted("a@x", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_thousand_at_once_then_one_a_second, set_up),
        cmocka_unit_test_setup(test_one_node_is_not_in_the_way_of_another, set_up),
        cmocka_unit_test_setup(test_those_beyond_the_number_share_a_row, set_up),
        cmocka_unit_test_setup(test_a_row_is_kept_until_it_is_told, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
