#include "node/share.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static size_t take_all(struct share *share, const char *name)
{
    size_t taken = 0;
    while (share_take(share, name, 1))
        taken++;
    return taken;
}

static void test_halves(void **state)
{
    (void)state;
    struct share share = {.most = 1000};
    assert_int_equal(take_all(&share, "a"), 500);
    assert_int_equal(take_all(&share, "b"), 250);
    assert_int_equal(take_all(&share, "c"), 125);
    share_give_back(&share, "a", 400);
    assert_int_equal(take_all(&share, "c"), 200); /* 100, 250 and 325, and as much is left */
    share_free(&share);
    assert_int_equal(share.taken, 0);
}

static void test_one_for_everybody(void **state)
{
    (void)state;
    struct share share = {.most = 10};
    assert_true(share_take(&share, "a", 50));
    assert_true(share_take(&share, "b", 50));
    assert_false(share_take(&share, "a", 1));
    assert_false(share_take(&share, "b", 1));
    share_give_back(&share, "a", 50);
    assert_true(share_take(&share, "a", 50));
    share_give_back(&share, "a", 50);
    share_give_back(&share, "b", 50);
    assert_int_equal(share.holders.count, 0);
    assert_int_equal(share.taken, 0);
    share_free(&share);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_halves),
        cmocka_unit_test(test_one_for_everybody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
