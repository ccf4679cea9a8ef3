#include "serve/store.h"

#include "store_fixture.h"

static void test_finish_and_read(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    assert_null(store_problem(fixture->store));
    assert_int_equal(store_last_id(fixture->store), 0);
    begin(fixture, 7);
    assert_int_equal(fixture->told_count, 0); /* never from within */
    expect_told(fixture, 7, STORE_RUNNING, true);
    expect_files(fixture, "7.running last_id");
    finish(fixture, 7, 10);
    expect_told(fixture, 7, STORE_FINISHED, true);
    expect_files(fixture, "7.json 7.term last_id");
    expect_run(fixture, 7, STORE_FINISHED, true);
    expect_result(fixture, 7, 10);
    expect_json(fixture, 7, "{\"id\":7,\"state\":\"finished\",\"summary\":{\"name\":\"run 7\"},\"ok\":10}\n");
    reopen_store(fixture);
    assert_int_equal(store_last_id(fixture->store), 7);
    expect_run(fixture, 7, STORE_FINISHED, true);
    expect_result(fixture, 7, 10);
}

static void test_interrupted(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    begin(fixture, 7);
    begin(fixture, 8);
    journal(fixture, 8, 1);
    journal(fixture, 8, 2);
    journal(fixture, 8, 3);
    reopen_store(fixture);
    expect_files(fixture, "7.running 8.running last_id");
    expect_run(fixture, 7, STORE_INTERRUPTED, true);
    expect_run(fixture, 8, STORE_INTERRUPTED, true);
    expect_nothing(fixture, 7);
    expect_result(fixture, 8, 3);
    expect_json(
        fixture, 8,
        "{\"id\":8,\"state\":\"interrupted\",\"summary\":{\"name\":\"run 8\"},\"partial\":[\"ok\",3]}\n");
    assert_true(store_delete(fixture->store, 7));
    reopen_store(fixture);
    expect_files(fixture, "8.running last_id");
    assert_int_equal(store_last_id(fixture->store), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_finish_and_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_interrupted, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
