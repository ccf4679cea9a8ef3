#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/list.h"

struct thing {
    int number;
    struct list_link link;
    struct list_link other;
};

static void expect(const struct list *list, size_t count, const int *numbers)
{
    size_t seen = 0;
    assert_int_equal(list->count, count);
    LIST_EACH(struct thing, thing, list, link) {
        assert_true(seen < count);
        assert_true(list_has(list, &thing->link));
        assert_int_equal(thing->number, numbers[seen++]);
    }
    assert_int_equal(seen, count);
}

#define EXPECT(list, ...) expect(list, sizeof((int[]){__VA_ARGS__}) / sizeof(int), (const int[]){__VA_ARGS__})

static void test_order(void **state)
{
    (void)state;
    struct list list = {0};
    struct thing things[] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    expect(&list, 0, NULL);
    assert_null(LIST_FIRST(&list, struct thing, link));
    list_append(&list, &things[1].link);
    EXPECT(&list, 1);
    list_append(&list, &things[2].link);
    list_prepend(&list, &things[0].link);
    list_append(&list, &things[3].link);
    EXPECT(&list, 0, 1, 2, 3);
    list_remove(&list, &things[1].link);
    EXPECT(&list, 0, 2, 3);
    list_remove(&list, &things[3].link);
    list_remove(&list, &things[0].link);
    EXPECT(&list, 2);
    list_remove(&list, &things[2].link);
    expect(&list, 0, NULL);
    list_prepend(&list, &things[3].link);
    EXPECT(&list, 3);
}

static void test_out_of_it(void **state)
{
    (void)state;
    struct list list = {0};
    struct thing in = {.number = 1}, out = {.number = 2};
    list_append(&list, &in.link);
    assert_false(list_has(&list, &out.link));
    list_remove(&list, &out.link);
    EXPECT(&list, 1);
}

static void test_two_lists(void **state)
{
    (void)state;
    struct list list = {0}, others = {0};
    struct thing things[] = {{.number = 0}, {.number = 1}};
    list_append(&list, &things[0].link);
    list_append(&list, &things[1].link);
    list_append(&others, &things[1].other);
    list_append(&others, &things[0].other);
    list_remove(&list, &things[0].link);
    EXPECT(&list, 1);
    assert_ptr_equal(LIST_FIRST(&others, struct thing, other), &things[1]);
    assert_ptr_equal(LIST_NEXT(&things[1], struct thing, other), &things[0]);
}

static void test_freed_while_walked(void **state)
{
    (void)state;
    struct list list = {0};
    for (int i = 0; i < 10; i++) {
        struct thing *thing = calloc(1, sizeof(*thing));
        thing->number = i;
        list_append(&list, &thing->link);
    }
    LIST_EACH(struct thing, thing, &list, link) {
        if (thing->number % 3 == 0)
            continue;
        list_remove(&list, &thing->link);
        free(thing);
    }
    EXPECT(&list, 0, 3, 6, 9);
    LIST_EACH(struct thing, thing, &list, link) {
        list_remove(&list, &thing->link);
        free(thing);
    }
    expect(&list, 0, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_out_of_it),
        cmocka_unit_test(test_two_lists),
        cmocka_unit_test(test_freed_while_walked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
