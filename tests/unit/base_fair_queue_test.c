#include "base/fair_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"

#define NODE_A 1
#define NODE_B 2

static void put(struct fair_queue *queue, struct fair_item *item, uint64_t node, uint64_t caller,
                uint64_t order)
{
    *item = (struct fair_item){.node = node, .caller = caller, .order = order};
    fair_queue_put(queue, item);
}

static void put_long(struct fair_queue *queue, struct fair_item *item, uint64_t node, uint64_t caller)
{
    *item = (struct fair_item){.node = node, .caller = caller, .takes_long = true};
    fair_queue_put(queue, item);
}

/* Takes all, one after the other; the last leaves nothing behind. */
static void assert_order(struct fair_queue *queue, struct fair_item *const *expected, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct fair_item *item = fair_queue_take(queue, true);
        assert_ptr_equal(item, expected[i]);
        fair_queue_over(queue, item);
    }
    assert_null(fair_queue_take(queue, true));
    assert_null(queue->known.buckets);
    assert_null(queue->nodes.buckets);
}

static void test_nodes_take_turns(void **state)
{
    (void)state;
    struct fair_queue queue = {.in_turn = {.count = 0}};
    struct fair_item a[3], b[1];
    for (size_t i = 0; i < ARRAY_LENGTH(a); i++)
        put(&queue, &a[i], NODE_A, i, 0); /* of three callers */
    put(&queue, &b[0], NODE_B, 0, 0);
    assert_order(&queue, (struct fair_item *[]){&a[0], &b[0], &a[1], &a[2]}, 4);
}

static void test_callers_take_turns(void **state)
{
    (void)state;
    struct fair_queue queue = {.in_turn = {.count = 0}};
    struct fair_item one[3], other;
    for (size_t i = 0; i < ARRAY_LENGTH(one); i++)
        put(&queue, &one[i], NODE_A, 1, 0);
    put(&queue, &other, NODE_A, 2, 0);
    assert_order(&queue, (struct fair_item *[]){&one[0], &other, &one[1], &one[2]}, 4);
}

/* What follows of something that was begun comes before what came later. */
static void test_order_of_a_caller(void **state)
{
    (void)state;
    struct fair_queue queue = {.in_turn = {.count = 0}};
    struct fair_item item[6];
    put(&queue, &item[0], NODE_A, 1, 2);
    put(&queue, &item[1], NODE_A, 1, 3);
    put(&queue, &item[2], NODE_A, 1, 1);
    put(&queue, &item[3], NODE_A, 1, 2);
    put(&queue, &item[4], NODE_A, 1, 0);
    put(&queue, &item[5], NODE_A, 1, 4);
    assert_order(&queue, (struct fair_item *[]){&item[2], &item[0], &item[3], &item[1], &item[5], &item[4]},
                 6);
}

static void test_one_of_a_caller_at_a_time(void **state)
{
    (void)state;
    struct fair_queue queue = {.in_turn = {.count = 0}};
    struct fair_item first, second;
    put(&queue, &first, NODE_A, 1, 0);
    put(&queue, &second, NODE_A, 1, 0);
    assert_ptr_equal(fair_queue_take(&queue, true), &first);
    assert_null(fair_queue_take(&queue, true));
    fair_queue_over(&queue, &first);
    assert_order(&queue, (struct fair_item *[]){&second}, 1);
}

/* What is short waits only for what its own caller has asked for before. */
static void test_short_ones_pass(void **state)
{
    (void)state;
    struct fair_queue queue = {.in_turn = {.count = 0}};
    struct fair_item first, behind, beside, other;
    put_long(&queue, &first, NODE_A, 1);
    put(&queue, &behind, NODE_A, 1, 0);
    put(&queue, &beside, NODE_A, 2, 0);
    put(&queue, &other, NODE_B, 1, 0);
    assert_ptr_equal(fair_queue_take(&queue, false), &beside);
    fair_queue_over(&queue, &beside);
    assert_ptr_equal(fair_queue_take(&queue, false), &other);
    fair_queue_over(&queue, &other);
    assert_null(fair_queue_take(&queue, false));
    assert_order(&queue, (struct fair_item *[]){&first, &behind}, 2);
}

static void test_remove(void **state)
{
    (void)state;
    struct fair_queue queue = {.in_turn = {.count = 0}};
    struct fair_item item[3];
    for (size_t i = 0; i < ARRAY_LENGTH(item); i++)
        put(&queue, &item[i], NODE_A, 1, 0);
    assert_ptr_equal(fair_queue_take(&queue, true), &item[0]);
    assert_false(fair_queue_remove(&queue, &item[0])); /* it was begun */
    assert_true(fair_queue_remove(&queue, &item[1]));
    assert_false(fair_queue_remove(&queue, &item[1]));
    fair_queue_over(&queue, &item[0]);
    assert_false(fair_queue_remove(&queue, &item[0]));
    assert_order(&queue, (struct fair_item *[]){&item[2]}, 1);
    put(&queue, &item[0], NODE_B, 1, 0); /* its caller goes with it */
    assert_true(fair_queue_remove(&queue, &item[0]));
    assert_false(fair_queue_remove(&queue, &item[0]));
    assert_order(&queue, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nodes_take_turns),  cmocka_unit_test(test_callers_take_turns),
        cmocka_unit_test(test_order_of_a_caller), cmocka_unit_test(test_one_of_a_caller_at_a_time),
        cmocka_unit_test(test_short_ones_pass),   cmocka_unit_test(test_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
