#include "transport/departure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_holding(void **state)
{
    (void)state;
    struct departures all = {0};
    struct departure *first = departure_new(&all), *second = departure_new(&all);
    assert_ptr_not_equal(first, second);
    assert_ptr_equal(departure_hold(first), first);
    first->ns = 5;
    first->was_full = true;
    departure_release(first);
    assert_int_equal(first->ns, 5);
    departure_release(first);
    struct departure *again = departure_new(&all); /* in its place, and as new */
    assert_ptr_equal(again, first);
    assert_int_equal(again->ns, 0);
    assert_false(again->was_full);
    assert_null(departure_hold(NULL));
    departure_release(NULL);
    departure_release(again);
    departure_release(second);
    departures_free(&all);
    departures_free(&all);
}

/* A quarter of the shortest write of late behind its beginning, and never behind its end. */
static void test_between(void **state)
{
    (void)state;
    static const struct {
        uint64_t took_ns, lead_ns;
    } rows[] = {{8000, 2000}, {9000, 2000}, {100000, 2000}, {6000, 1500}, {8000, 1500}, {0, 0}};
    struct departure_writes writes = {0};
    uint64_t now_ns = 1000000;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++, now_ns += 1000000)
        assert_int_equal(departure_between(&writes, now_ns, now_ns + rows[i].took_ns),
                         now_ns + rows[i].lead_ns);
}

/* Writes that have become longer are believed after a while. */
static void test_longer_writes(void **state)
{
    (void)state;
    struct departure_writes writes = {0};
    for (int i = 0; i < DEPARTURE_WRITES; i++)
        assert_int_equal(departure_between(&writes, 0, 2000), 500);
    for (int i = 0; i < DEPARTURE_WRITES; i++)
        assert_int_equal(departure_between(&writes, 0, 10000), 500);
    for (int i = 0; i < DEPARTURE_WRITES; i++)
        assert_int_equal(departure_between(&writes, 0, 10000), 2500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_holding),
        cmocka_unit_test(test_between),
        cmocka_unit_test(test_longer_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
