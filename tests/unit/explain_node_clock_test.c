#include "node_clock_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MS 1000000ULL
#define NODE (-576460751000000000LL) /* as the clocks of nodes are */

/* The quickest probe counts: it was there in the middle of its way, or half of that off. */
static void test_best(void **state)
{
    (void)state;
    struct node_clock clock = {0};
    uint64_t sent_ns = 5000 * MS;
    node_clock_note(&clock, sent_ns, NODE + 9 * (int64_t)MS, sent_ns + 10 * MS); /* slow there */
    assert_int_equal(node_clock_place(&clock, NODE, 0, UINT64_MAX), sent_ns - 4 * MS);
    node_clock_note(&clock, sent_ns + 20 * MS, NODE + 20 * (int64_t)MS + 50000, sent_ns + 20 * MS + 100000);
    assert_int_equal(node_clock_place(&clock, NODE, 0, UINT64_MAX), sent_ns);
    node_clock_note(&clock, sent_ns + 30 * MS, NODE + 35 * (int64_t)MS, sent_ns + 36 * MS);
    assert_int_equal(node_clock_place(&clock, NODE + 7, 0, UINT64_MAX), sent_ns + 7);
}

/* A clock that drifts is followed: what is old is worth less than a slower probe of now. */
static void test_drift(void **state)
{
    (void)state;
    struct node_clock clock = {0};
    node_clock_note(&clock, 1000 * MS, NODE, 1000 * MS + 1000);
    node_clock_note(&clock, 1100 * MS, NODE + 101 * (int64_t)MS, 1102 * MS); /* 1 ms off at most */
    assert_int_equal(node_clock_place(&clock, NODE + 101 * (int64_t)MS, 0, UINT64_MAX), 1101 * MS);
    node_clock_note(&clock, 1110 * MS, NODE, 1114 * MS); /* one that would be worse */
    assert_int_equal(node_clock_place(&clock, NODE + 101 * (int64_t)MS, 0, UINT64_MAX), 1101 * MS);
}

/* Nothing is placed before it was sent, nor after it was answered. */
static void test_limits(void **state)
{
    (void)state;
    struct node_clock clock = {0};
    assert_int_equal(node_clock_place(&clock, NODE, 5, 9), 5); /* it is not known at all */
    node_clock_note(&clock, 1000 * MS, NODE, 1000 * MS + 1000);
    assert_int_equal(node_clock_place(&clock, NODE - 5000 * (int64_t)MS, 5, 9), 5);
    assert_int_equal(node_clock_place(&clock, NODE, 5, 9), 9);
    assert_int_equal(node_clock_place(&clock, NODE - 1001 * (int64_t)MS, 5, 9), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_best), cmocka_unit_test(test_drift),
                                       cmocka_unit_test(test_limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
