/* What is read beside what is written: the store has a thread for each. */
#include "store_fixture.h"

#include <assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>

#include "base/atomic_file.h"
#include "base/compiler.h"

/* Files of runs are opened for reading only when they may be. */
static struct {
    sem_t begun;
    sem_t may_read;
    int opened;
} gate;

static int gate_open(int folder, const char *name, int flags, mode_t mode)
{
    if (!(flags & O_WRONLY)) {
        gate.opened++;
        sem_post(&gate.begun);
        sem_wait(&gate.may_read);
    }
    return file_calls_system.open(folder, name, flags, mode);
}

static struct file_calls gate_calls;

/* A store with the runs 1 and 2, which are on disk alone. */
static int set_up_gate(void **state)
{
    set_up(state);
    struct fixture *fixture = *state;
    open_store(fixture);
    finish(fixture, 1, 1);
    finish(fixture, 2, 2);
    settle(fixture);
    fixture->told_seen = fixture->told_count;
    close_store(fixture);
    gate_calls = file_calls_system;
    sem_init(&gate.begun, 0, 0);
    sem_init(&gate.may_read, 0, 1000); /* what the start looks at */
    gate_calls.open = gate_open;
    fixture->options.calls = &gate_calls;
    open_store(fixture);
    settle(fixture);
    while (sem_trywait(&gate.begun) == 0)
        ;
    while (sem_trywait(&gate.may_read) == 0)
        ;
    gate.opened = 0;
    return 0;
}

static int tear_down_gate(void **state)
{
    tear_down(state);
    sem_destroy(&gate.begun);
    sem_destroy(&gate.may_read);
    return 0;
}

/* A result is on disk while a file cannot be read, and its user is told. */
static void test_writing_does_not_wait_for_reading(void **state)
{
    struct fixture *fixture = *state;
    assert_non_null(store_read(fixture->store, 1, STORE_JSON, on_read, fixture));
    sem_wait(&gate.begun);
    finish(fixture, 3, 3);
    expect_told(fixture, 3, STORE_FINISHED, true);
    assert_true(has_file(fixture, "3.term"));
    assert_false(fixture->answered);
    sem_post(&gate.may_read);
    settle(fixture);
    assert_true(fixture->answered);
    assert_string_equal(fixture->problem, "");
}

/* Those that read a run do so before it is removed, in whatever order they come. */
static void test_removing_waits_for_reading(void **state)
{
    struct fixture *fixture = *state;
    struct fixture second = {0};
    assert_non_null(store_read(fixture->store, 1, STORE_JSON, on_read, fixture));
    assert_non_null(store_read(fixture->store, 1, STORE_TERM, on_read, &second));
    sem_wait(&gate.begun);
    assert_true(store_delete(fixture->store, 1));
    finish(fixture, 3, 3);
    expect_told(fixture, 3, STORE_FINISHED, true); /* what is removed at once is gone by now */
    assert_true(has_file(fixture, "1.term"));
    sem_post(&gate.may_read);
    sem_post(&gate.may_read);
    settle(fixture);
    assert_true(fixture->answered && second.answered);
    assert_string_equal(fixture->problem, "");
    assert_string_equal(second.problem, "");
    assert_false(has_file(fixture, "1.term"));
    blob_release(second.bytes);
}

/* What nobody wants any more is not read, and keeps nobody waiting. */
static void test_cancelled_is_not_begun(void **state)
{
    struct fixture *fixture = *state;
    struct store_read *others[8];
    assert_non_null(store_read(fixture->store, 1, STORE_JSON, on_read, fixture));
    sem_wait(&gate.begun);
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
        others[i] = store_read(fixture->store, 2, STORE_JSON, on_read, fixture);
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
        store_read_cancel(others[i]);
    assert_true(store_delete(fixture->store, 2));
    sem_post(&gate.may_read);
    settle(fixture);
    assert_true(fixture->answered);
    assert_int_equal(gate.opened, 1);
    assert_false(has_file(fixture, "2.term"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_writing_does_not_wait_for_reading, set_up_gate, tear_down_gate),
        cmocka_unit_test_setup_teardown(test_removing_waits_for_reading, set_up_gate, tear_down_gate),
        cmocka_unit_test_setup_teardown(test_cancelled_is_not_begun, set_up_gate, tear_down_gate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
