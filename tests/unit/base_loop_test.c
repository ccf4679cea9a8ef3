#include "base/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

struct fixture {
    struct loop loop;
    struct loop_task a;
    struct loop_task b;
    struct loop_task c;
    struct loop_timer timer;
    char order[32];
    int fired;
};

static void note(struct fixture *fixture, char what)
{
    size_t used = strlen(fixture->order);
    assert_true(used < sizeof(fixture->order) - 1);
    fixture->order[used] = what;
}

static void run_a(void *owner)
{
    note(owner, 'a');
}

static void run_b_defers_c(void *owner)
{
    struct fixture *fixture = owner;
    note(fixture, 'b');
    loop_defer(&fixture->loop, &fixture->c);
}

static void run_c_stops(void *owner)
{
    struct fixture *fixture = owner;
    note(fixture, 'c');
    loop_stop(&fixture->loop);
}

static void start(struct fixture *fixture)
{
    *fixture = (struct fixture){0};
    loop_init(&fixture->loop);
    fixture->a = (struct loop_task){.run = run_a, .owner = fixture};
    fixture->b = (struct loop_task){.run = run_b_defers_c, .owner = fixture};
    fixture->c = (struct loop_task){.run = run_c_stops, .owner = fixture};
}

static void test_tasks_run_in_order_and_once(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    loop_defer(&fixture.loop, &fixture.a);
    loop_defer(&fixture.loop, &fixture.b);
    loop_defer(&fixture.loop, &fixture.a);
    loop_run(&fixture.loop);
    assert_string_equal(fixture.order, "abc");
    loop_free(&fixture.loop);
}

static void test_cancel(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    loop_cancel(&fixture.loop, &fixture.a);
    loop_defer(&fixture.loop, &fixture.b);
    loop_defer(&fixture.loop, &fixture.a);
    loop_cancel(&fixture.loop, &fixture.a); /* the last */
    loop_defer(&fixture.loop, &fixture.c);
    loop_cancel(&fixture.loop, &fixture.b); /* the first */
    loop_defer(&fixture.loop, &fixture.a);
    loop_run(&fixture.loop);
    assert_string_equal(fixture.order, "ca");
    loop_free(&fixture.loop);
}

static void fire_twice(void *owner)
{
    struct fixture *fixture = owner;
    note(fixture, 't');
    loop_defer(&fixture->loop, &fixture->a);
    if (++fixture->fired == 2)
        loop_stop(&fixture->loop);
    else
        loop_timer_set(&fixture->timer, CLOCK_NS_PER_MS);
}

/* What a callback defers runs in the pass that ends with it, before the next callback of a later pass. */
static void test_timer_and_tasks(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    loop_timer_init(&fixture.timer, &fixture.loop, fire_twice, &fixture);
    uint64_t started = clock_ns();
    loop_timer_set(&fixture.timer, 20 * CLOCK_NS_PER_MS);
    loop_run(&fixture.loop);
    assert_true(clock_ns() - started >= 20 * CLOCK_NS_PER_MS);
    assert_string_equal(fixture.order, "tata");
    loop_timer_free(&fixture.timer);
    loop_timer_free(&fixture.timer);
    loop_free(&fixture.loop);
}

static void stop(void *owner)
{
    loop_stop(owner);
}

static void test_timer_set_again_and_stopped(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    struct loop_timer end;
    loop_timer_init(&fixture.timer, &fixture.loop, run_a, &fixture);
    loop_timer_init(&end, &fixture.loop, stop, &fixture.loop);
    loop_timer_set(&fixture.timer, 3600 * CLOCK_NS_PER_S);
    loop_timer_set(&fixture.timer, CLOCK_NS_PER_MS);
    loop_timer_set(&end, 20 * CLOCK_NS_PER_MS);
    loop_run(&fixture.loop);
    assert_string_equal(fixture.order, "a");
    fixture.loop.stopping = false;
    loop_timer_set(&fixture.timer, CLOCK_NS_PER_MS);
    loop_timer_stop(&fixture.timer);
    loop_timer_set(&end, 20 * CLOCK_NS_PER_MS);
    loop_run(&fixture.loop);
    assert_string_equal(fixture.order, "a");
    loop_timer_free(&fixture.timer);
    loop_timer_free(&end);
    loop_free(&fixture.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tasks_run_in_order_and_once),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_timer_and_tasks),
        cmocka_unit_test(test_timer_set_again_and_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
