#include "base/worker.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"

struct jobs {
    struct worker_job *first;
    struct worker_job **last;
};

#define WORKER_THREADS_MOST 2

struct worker_thread {
    struct worker *worker;
    pthread_t thread;
    bool may_take_long;
};

struct worker {
    struct loop *loop;
    struct worker_thread threads[WORKER_THREADS_MOST];
    size_t thread_count;
    int descriptor; /* an eventfd by which they wake the loop */
    struct event *event;
    size_t unfinished;       /* jobs whose `done` was not called; the loop's alone */
    struct loop_task finish; /* those that the threads have done */

    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t changed;
    struct fair_queue queued;
    struct jobs done;
    bool stopping;
};

static void worker_put_job(struct jobs *jobs, struct worker_job *job)
{
    job->next = NULL;
    *jobs->last = job;
    jobs->last = &job->next;
}

static struct worker_job *worker_take_job(struct jobs *jobs)
{
    struct worker_job *job = jobs->first;
    if (!job)
        return NULL;
    jobs->first = job->next;
    if (!jobs->first)
        jobs->last = &jobs->first;
    return job;
}

static void worker_lock(struct worker *worker)
{
    int failed = pthread_mutex_lock(&worker->mutex);
    assert(!failed);
}

static void worker_unlock(struct worker *worker)
{
    int failed = pthread_mutex_unlock(&worker->mutex);
    assert(!failed);
}

static void worker_wait_for_change(struct worker *worker)
{
    int failed = pthread_cond_wait(&worker->changed, &worker->mutex);
    assert(!failed);
}

/* --- The thread --- */

static void worker_wake_loop(const struct worker *worker)
{
    const uint64_t one = 1;
    /* Full it is readable as well. */
    while (write(worker->descriptor, &one, sizeof(one)) < 0 && errno == EINTR)
        continue;
}

/* The lock is held. */
static void worker_put_done(struct worker *worker, struct worker_job *job)
{
    worker_put_job(&worker->done, job);
    pthread_cond_broadcast(&worker->changed);
    worker_wake_loop(worker);
}

static void *worker_work(void *argument)
{
    const struct worker_thread *thread = argument;
    struct worker *worker = thread->worker;
    worker_lock(worker);
    for (;;) {
        struct fair_item *item = fair_queue_take(&worker->queued, thread->may_take_long);
        if (!item && worker->stopping)
            break;
        if (!item) {
            worker_wait_for_change(worker);
            continue;
        }
        struct worker_job *job = CONTAINER_OF(item, struct worker_job, turn);
        worker_unlock(worker);
        job->work(job);
        worker_lock(worker);
        fair_queue_over(&worker->queued, item);
        worker_put_done(worker, job);
    }
    worker_unlock(worker);
    return NULL;
}

/* --- The loop --- */

static bool worker_finish_one(struct worker *worker)
{
    worker_lock(worker);
    struct worker_job *job = worker_take_job(&worker->done);
    worker_unlock(worker);
    if (!job)
        return false;
    worker->unfinished--;
    job->done(job);
    return true;
}

/* As many as there is time for in this pass. */
static void worker_finish_some(void *owner)
{
    struct worker *worker = owner;
    while (worker_finish_one(worker)) {
        if (loop_has_time(worker->loop))
            continue;
        loop_defer_piece(worker->loop, &worker->finish);
        return;
    }
}

/* What is done while these are finished has woken the loop for another time. */
static void worker_on_woken(evutil_socket_t descriptor, short events, void *argument)
{
    (void)events;
    struct worker *worker = argument;
    uint64_t times;
    loop_enter(worker->loop);
    if (read(descriptor, &times, sizeof(times)) == sizeof(times))
        loop_defer_piece(worker->loop, &worker->finish);
}

static NO_RETURN void worker_cannot_start(const char *reason)
{
    log_error("cannot start a thread", log_string("reason", reason));
    abort();
}

/* Signals are the loop's. */
static void worker_start_thread(struct worker *worker)
{
    struct worker_thread *thread = &worker->threads[worker->thread_count];
    sigset_t all, before;
    *thread = (struct worker_thread){.worker = worker, .may_take_long = !worker->thread_count};
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread->thread, NULL, worker_work, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        worker_cannot_start(strerror(error));
    worker->thread_count++;
}

struct worker *worker_new(struct loop *loop)
{
    struct worker *worker = memory_zalloc(1, sizeof(*worker));
    worker->loop = loop;
    worker->finish = (struct loop_task){.run = worker_finish_some, .owner = worker};
    worker->done.last = &worker->done.first;
    if (pthread_mutex_init(&worker->mutex, NULL) || pthread_cond_init(&worker->changed, NULL))
        worker_cannot_start("no lock");
    worker->descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (worker->descriptor < 0)
        worker_cannot_start(strerror(errno));
    worker->event = event_new(loop->base, worker->descriptor, EV_READ | EV_PERSIST, worker_on_woken, worker);
    if (!worker->event || event_add(worker->event, NULL) != 0)
        worker_cannot_start("no event");
    worker_start_thread(worker);
    return worker;
}

void worker_queue(struct worker *worker, struct worker_job *job)
{
    assert(job->work && job->done);
    worker->unfinished++;
    worker_lock(worker);
    fair_queue_put(&worker->queued, &job->turn);
    pthread_cond_broadcast(&worker->changed);
    worker_unlock(worker);
}

void worker_drop(struct worker *worker, struct worker_job *job)
{
    worker_lock(worker);
    if (fair_queue_remove(&worker->queued, &job->turn)) {
        job->is_dropped = true;
        worker_put_done(worker, job);
    }
    worker_unlock(worker);
}

struct worker *worker_aside(struct loop *loop)
{
    if (!loop->aside) {
        loop->aside = worker_new(loop);
        worker_start_thread(loop->aside);
    }
    return loop->aside;
}

bool worker_busy(const struct worker *worker)
{
    return worker->unfinished;
}

static void worker_finish_all(struct worker *worker)
{
    while (worker->unfinished) {
        worker_lock(worker);
        while (!worker->done.first)
            worker_wait_for_change(worker);
        worker_unlock(worker);
        worker_finish_one(worker);
    }
}

void worker_finish_aside(struct loop *loop)
{
    if (loop->aside)
        worker_finish_all(loop->aside);
}

void worker_free_aside(struct loop *loop)
{
    struct worker *aside = loop->aside;
    if (!aside)
        return;
    worker_finish_all(aside); /* what it has done may ask for it again */
    loop->aside = NULL;
    worker_free(aside);
}

void worker_free(struct worker *worker)
{
    worker_finish_all(worker);
    loop_cancel(worker->loop, &worker->finish);
    worker_lock(worker);
    worker->stopping = true;
    pthread_cond_broadcast(&worker->changed);
    worker_unlock(worker);
    for (size_t i = 0; i < worker->thread_count; i++)
        pthread_join(worker->threads[i].thread, NULL);
    event_free(worker->event);
    close(worker->descriptor);
    pthread_cond_destroy(&worker->changed);
    pthread_mutex_destroy(&worker->mutex);
    free(worker);
}
