#include "base/worker.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/compiler.h"

#define JOBS 8

struct fixture;

struct numbered_job {
    struct worker_job job;
    struct fixture *fixture;
    int number;
    pthread_t thread;
    bool worked;
};

struct fixture {
    struct loop loop;
    struct worker *worker;
    struct numbered_job jobs[JOBS];
    int done[JOBS];
    int done_count;
    int stop_after;
    int pipe[2];
    struct loop_timer timer;
};

static struct numbered_job *numbered(struct worker_job *job)
{
    return CONTAINER_OF(job, struct numbered_job, job);
}

static void work(struct worker_job *job)
{
    numbered(job)->thread = pthread_self();
    numbered(job)->worked = true;
}

static void note_done(struct worker_job *job)
{
    struct fixture *fixture = numbered(job)->fixture;
    assert_true(numbered(job)->worked);
    fixture->done[fixture->done_count++] = numbered(job)->number;
    if (fixture->done_count == fixture->stop_after)
        loop_stop(&fixture->loop);
}

static void note_dropped(struct worker_job *job)
{
    assert_true(job->is_dropped);
    numbered(job)->worked = true;
    note_done(job);
    numbered(job)->worked = false;
}

static void queue(struct fixture *fixture, int number, void (*what)(struct worker_job *),
                  void (*done)(struct worker_job *))
{
    struct numbered_job *job = &fixture->jobs[number];
    *job = (struct numbered_job){.job = {.work = what, .done = done}, .fixture = fixture, .number = number};
    worker_queue(fixture->worker, &job->job);
}

static int set_up(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){0};
    loop_init(&fixture.loop);
    fixture.worker = worker_new(&fixture.loop);
    *state = &fixture;
    return pipe(fixture.pipe);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    if (fixture->worker)
        worker_free(fixture->worker);
    loop_free(&fixture->loop);
    close(fixture->pipe[0]);
    close(fixture->pipe[1]);
    return 0;
}

static void test_in_order(void **state)
{
    struct fixture *fixture = *state;
    assert_false(worker_busy(fixture->worker));
    for (int i = 0; i < JOBS; i++)
        queue(fixture, i, work, note_done);
    assert_true(worker_busy(fixture->worker));
    assert_int_equal(fixture->done_count, 0); /* never from within */
    fixture->stop_after = JOBS;
    loop_run(&fixture->loop);
    assert_int_equal(fixture->done_count, JOBS);
    for (int i = 0; i < JOBS; i++) {
        assert_int_equal(fixture->done[i], i);
        assert_false(pthread_equal(fixture->jobs[i].thread, pthread_self()));
    }
    assert_false(worker_busy(fixture->worker));
}

static void work_until_told(struct worker_job *job)
{
    char byte;
    numbered(job)->worked = read(numbered(job)->fixture->pipe[0], &byte, 1) == 1;
}

static void on_timer(void *owner)
{
    struct fixture *fixture = owner;
    assert_int_equal(fixture->done_count, 0);
    assert_int_equal(write(fixture->pipe[1], "x", 1), 1);
}

/* The loop goes on while a job takes its time: it is the loop that ends it here. */
static void test_loop_goes_on(void **state)
{
    struct fixture *fixture = *state;
    loop_timer_init(&fixture->timer, &fixture->loop, on_timer, fixture);
    loop_timer_set(&fixture->timer, 5 * CLOCK_NS_PER_MS);
    fixture->stop_after = 1;
    queue(fixture, 0, work_until_told, note_done);
    loop_run(&fixture->loop);
    assert_int_equal(fixture->done_count, 1);
    loop_timer_free(&fixture->timer);
}

static void queue_another(struct worker_job *job)
{
    note_done(job);
    if (numbered(job)->number + 1 < JOBS)
        queue(numbered(job)->fixture, numbered(job)->number + 1, work, queue_another);
}

static void test_done_queues(void **state)
{
    struct fixture *fixture = *state;
    fixture->stop_after = JOBS;
    queue(fixture, 0, work, queue_another);
    loop_run(&fixture->loop);
    assert_int_equal(fixture->done_count, JOBS);
}

static void note_done_slowly(struct worker_job *job)
{
    const uint64_t until_ns = clock_ns() + LOOP_SHARE_NS;
    note_done(job);
    while (clock_ns() < until_ns)
        continue;
}

/* However many are done at once, a pass has time for a few. */
static void test_done_takes_turns(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < JOBS; i++)
        queue(fixture, i, work, note_done_slowly);
    while (fixture->done_count < JOBS) {
        int before = fixture->done_count;
        loop_run_pass(&fixture->loop);
        assert_in_range(fixture->done_count, before, before + 1);
    }
}

/* What the thread has done and the loop has not is finished as well. */
static void test_free_between_turns(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < JOBS; i++)
        queue(fixture, i, work, note_done_slowly);
    while (!fixture->done_count)
        loop_run_pass(&fixture->loop);
    worker_free(fixture->worker);
    fixture->worker = NULL;
    loop_finish(&fixture->loop);
    assert_int_equal(fixture->done_count, JOBS);
}

/* All is done before the worker is gone, without the loop, and what that queues as well. */
static void test_free_finishes(void **state)
{
    struct fixture *fixture = *state;
    queue(fixture, 0, work, queue_another);
    worker_free(fixture->worker);
    fixture->worker = NULL;
    assert_int_equal(fixture->done_count, JOBS);
}

static void work_signals(struct worker_job *job)
{
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    numbered(job)->worked = sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGHUP);
}

static void test_no_signals(void **state)
{
    struct fixture *fixture = *state;
    sigset_t blocked;
    fixture->stop_after = 1;
    queue(fixture, 0, work_signals, note_done);
    loop_run(&fixture->loop);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    assert_false(sigismember(&blocked, SIGTERM));
}

/* One thread is for what is short; what is dropped before it is begun never is. */
static void test_aside(void **state)
{
    struct fixture *fixture = *state;
    static const struct fair_item turns[] = {
        {.node = 1, .caller = 1, .takes_long = true},
        {.node = 1, .caller = 2},
        {.node = 1, .caller = 1}, /* behind the first */
    };
    struct worker *aside = worker_aside(&fixture->loop);
    for (int i = 0; i < (int)ARRAY_LENGTH(turns); i++) {
        struct numbered_job *job = &fixture->jobs[i];
        *job = (struct numbered_job){.job = {.work = i ? work : work_until_told,
                                             .done = i == 2 ? note_dropped : note_done,
                                             .turn = turns[i]},
                                     .fixture = fixture,
                                     .number = i};
        worker_queue(aside, &job->job);
    }
    fixture->stop_after = 2;
    worker_drop(aside, &fixture->jobs[2].job);
    worker_drop(aside, &fixture->jobs[2].job);
    loop_run(&fixture->loop);
    assert_int_equal(fixture->done[0] + fixture->done[1], 1 + 2);
    assert_int_equal(write(fixture->pipe[1], "x", 1), 1);
    worker_finish_aside(&fixture->loop);
    assert_int_equal(fixture->done_count, 3);
    assert_int_equal(fixture->done[2], 0);
    assert_ptr_equal(fixture->loop.aside, aside); /* there are threads still */
    worker_free_aside(&fixture->loop);
    assert_null(fixture->loop.aside);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_loop_goes_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_done_queues, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_done_takes_turns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_free_between_turns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_free_finishes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_signals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_aside, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
