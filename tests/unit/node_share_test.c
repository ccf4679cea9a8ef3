#include "node/share.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Nobody reads what names a process. */
static struct term process(const char *name)
{
    return (struct term){(const uint8_t *)name, strlen(name)};
}

static size_t take_all(struct share *share, const char *node, const char *name)
{
    size_t taken = 0;
    while (share_take(share, node, process(name), 1))
        taken++;
    return taken;
}

static void test_halves(void **state)
{
    (void)state;
    struct share share = {.most = 1000};
    assert_int_equal(take_all(&share, "a", "p"), 250); /* of the 500 of its node */
    assert_int_equal(take_all(&share, "a", "q"), 125);
    assert_int_equal(take_all(&share, "b", "p"), 156); /* of 625, and as much as it is left for others of b */
    share_give_back(&share, "a", process("p"), 200);
    assert_int_equal(take_all(&share, "a", "r"), 123);
    share_free(&share);
    assert_int_equal(share.taken, 0);
}

/* Processes that come one after the other have no more than their node may. */
static void test_many_processes(void **state)
{
    (void)state;
    struct share share = {.most = 1000};
    char name[2] = "a";
    size_t taken = 0;
    for (; *name <= 'z'; ++*name)
        taken += take_all(&share, "a", name);
    assert_int_equal(taken, 500);
    assert_false(share_take(&share, "a", process("another"), 1));
    assert_true(share_take(&share, "b", process("a"), 1));
    share_free(&share);
}

/* A request that is larger than what there is for its process can be made all the same, if it is the only one
 * of its node. */
static void test_one_for_every_node(void **state)
{
    (void)state;
    struct share share = {.most = 10};
    assert_true(share_take(&share, "a", process("p"), 50));
    assert_true(share_take(&share, "b", process("p"), 50));
    assert_false(share_take(&share, "a", process("p"), 1));
    assert_false(share_take(&share, "a", process("q"), 1));
    assert_false(share_take(&share, "b", process("p"), 1));
    share_give_back(&share, "a", process("p"), 50);
    assert_true(share_take(&share, "a", process("q"), 50));
    share_give_back(&share, "a", process("q"), 50);
    share_give_back(&share, "b", process("p"), 50);
    assert_int_equal(share.nodes.count, 0);
    assert_int_equal(share.taken, 0);
    share_free(&share);
}

/* The first thing of a process is as large as its node has room for: the second is not. */
static void test_first_of_a_process(void **state)
{
    (void)state;
    struct share share = {.most = 1000};
    assert_true(share_take(&share, "a", process("p"), 1));
    assert_true(share_take(&share, "a", process("q"), 400));
    assert_false(share_take(&share, "a", process("q"), 1));
    assert_true(share_take(&share, "a", process("r"), 90));
    assert_false(share_take(&share, "a", process("r"), 1));
    share_free(&share);
}

/* Of what has come without a sender. */
static void test_without_process(void **state)
{
    (void)state;
    struct share share = {.most = 100};
    assert_true(share_take(&share, "a", (struct term){0}, 10));
    assert_true(share_take(&share, "a", (struct term){0}, 10));
    share_give_back(&share, "a", (struct term){0}, 20);
    assert_int_equal(share.nodes.count, 0);
    share_free(&share);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_halves),
        cmocka_unit_test(test_many_processes),
        cmocka_unit_test(test_one_for_every_node),
        cmocka_unit_test(test_first_of_a_process),
        cmocka_unit_test(test_without_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
