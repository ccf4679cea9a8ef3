#include "open_calls_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "term/term_build.h"

struct call {
    struct request request;
    int abandoned;
};

/* Nobody looks inside. */
static char names[2];
#define SERVER ((struct process *)(void *)&names[0])
#define REX ((struct process *)(void *)&names[1])

static struct term_builder references[2];

static void on_abandoned(void *owner)
{
    ++*(int *)owner;
}

static struct term reference(uint32_t number)
{
    struct term_builder *builder = &references[number];
    term_build_reset(builder);
    term_build_reference(builder, "app@there", 7, (const uint32_t[]){number, 1, 2}, 3);
    return term_built(builder);
}

static void add(struct open_calls *calls, struct call *call, struct process *process, struct term tag)
{
    *call = (struct call){.request = {.process = process, .tag = tag, .abandoned = on_abandoned}};
    call->request.owner = &call->abandoned;
    open_calls_add(calls, &call->request);
    open_calls_add(calls, &call->request); /* as one that was read meanwhile is */
}

static void test_monitors(void **state)
{
    (void)state;
    struct open_calls calls = {0};
    struct call first, other, no_monitor;
    add(&calls, &first, SERVER, reference(0));
    add(&calls, &other, SERVER, reference(1));
    add(&calls, &no_monitor, SERVER, TERM_ATOM("none"));
    open_calls_abandon(&calls, REX, reference(0));
    assert_int_equal(first.abandoned, 0);
    open_calls_abandon(&calls, SERVER, reference(0));
    assert_int_equal(first.abandoned, 1);
    open_calls_remove(&first.request);
    open_calls_remove(&first.request);
    open_calls_remove(&no_monitor.request);
    open_calls_abandon(&calls, SERVER, reference(0));
    assert_int_equal(first.abandoned, 1);
    assert_int_equal(other.abandoned, 0);
    open_calls_remove(&other.request);
    assert_int_equal(calls.monitors.count, 0);
    open_calls_forget(&calls);
}

/* What no OTP does. */
static void test_one_monitor_of_many(void **state)
{
    (void)state;
    struct open_calls calls = {0};
    struct call same[3];
    for (size_t i = 0; i < ARRAY_LENGTH(same); i++)
        add(&calls, &same[i], i == 1 ? REX : SERVER, reference(0));
    open_calls_abandon(&calls, REX, reference(0));
    assert_int_equal(same[0].abandoned + same[2].abandoned, 0);
    assert_int_equal(same[1].abandoned, 1);
    open_calls_remove(&same[2].request);
    open_calls_abandon(&calls, SERVER, reference(0));
    assert_int_equal(same[0].abandoned, 1);
    open_calls_forget(&calls); /* they are answered later */
    for (size_t i = 0; i < ARRAY_LENGTH(same); i++)
        open_calls_remove(&same[i].request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_monitors),
                                       cmocka_unit_test(test_one_monitor_of_many)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(references); i++)
        term_build_free(&references[i]);
    return failed;
}
