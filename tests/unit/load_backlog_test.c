#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backlog_private.h"

/* In the order in which they came, however often the ring goes round and grows. */
static void test_order(void **state)
{
    (void)state;
    struct backlog backlog = {0};
    uint64_t put = 0, taken = 0;
    for (size_t round = 1; round <= 200; round++) {
        for (size_t i = 0; i < round % 17 + round / 4; i++)
            backlog_put(&backlog, put++);
        for (size_t i = 0; i < round % 13 && backlog.count; i++)
            assert_true(backlog_take(&backlog) == taken++);
        assert_true(backlog.count == put - taken);
    }
    while (backlog.count)
        assert_true(backlog_take(&backlog) == taken++);
    assert_true(taken == put);
    backlog_free(&backlog);
    assert_int_equal(backlog.count, 0);
}

/* It grows with what waits, not with what passes through. */
static void test_memory(void **state)
{
    (void)state;
    struct backlog backlog = {0};
    for (uint64_t i = 0; i < 100000; i++) {
        backlog_put(&backlog, i);
        if (i >= 10)
            assert_true(backlog_take(&backlog) == i - 10);
    }
    assert_true(backlog.capacity <= 64);
    backlog_free(&backlog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order), cmocka_unit_test(test_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
