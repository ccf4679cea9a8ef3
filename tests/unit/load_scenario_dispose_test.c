#include "scenario_text.h"

#include "base/worker.h"
#include "load/scenario_dispose.h"

static void test_small_ones_at_once(void **state)
{
    (void)state;
    struct loop loop;
    loop_init(&loop);
    scenario_dispose(&loop, NULL);
    scenario_dispose(&loop, read_good("#{target => $p, threads => [[get]]}"));
    assert_null(loop.aside);
    loop_free(&loop);
}

/* The sanitizer sees what is freed too early or never. */
static void test_large_ones_aside(void **state)
{
    (void)state;
    for (int held = 0; held < 2; held++) {
        struct loop loop;
        loop_init(&loop);
        struct scenario *scenario = read_good("#{target => $p, threads => [[get]], metadata => #{a => $x}}");
        struct blob *content = held ? blob_hold(scenario->content) : NULL;
        scenario_dispose(&loop, scenario);
        assert_true(worker_busy(loop.aside));
        worker_free_aside(&loop);
        assert_true(!content || content->holders == 1); /* what is sent has it still */
        blob_release(content);
        loop_free(&loop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_small_ones_at_once),
                                       cmocka_unit_test(test_large_ones_aside)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
