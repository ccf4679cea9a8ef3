#include "log_writer_private.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"

#define LOOK_NS CLOCK_NS_PER_MS

struct log_writer {
    int descriptor;
    pthread_t thread;
    atomic_size_t waiting;   /* pieces that are not written yet */
    atomic_ullong unwritten; /* pieces that the descriptor did not take */
    atomic_bool failing;     /* the last one was such */

    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t changed;
    struct log_queue queue;
    bool stopping;

    /* Of who logs. */
    bool dropping;
    uint64_t dropped; /* found no room */
    uint64_t told;    /* of both kinds of loss */
};

static void log_writer_lock(struct log_writer *writer)
{
    int failed = pthread_mutex_lock(&writer->mutex);
    assert(!failed);
}

static void log_writer_unlock(struct log_writer *writer)
{
    int failed = pthread_mutex_unlock(&writer->mutex);
    assert(!failed);
}

static struct timespec log_writer_time(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / CLOCK_NS_PER_S), .tv_nsec = (long)(ns % CLOCK_NS_PER_S)};
}

/* --- The thread --- */

/* Whoever shares the descriptor may have made it one that does not block. */
static bool log_writer_wait_for_room(const struct log_writer *writer)
{
    struct pollfd room = {.fd = writer->descriptor, .events = POLLOUT};
    return poll(&room, 1, -1) >= 0 || errno == EINTR;
}

static bool log_writer_write(const struct log_writer *writer, const char *piece, size_t size)
{
    while (size) {
        ssize_t written = write(writer->descriptor, piece, size);
        if (written > 0) {
            piece += written;
            size -= (size_t)written;
        } else if (!written || (errno != EINTR && errno != EAGAIN) ||
                   (errno == EAGAIN && !log_writer_wait_for_room(writer))) {
            return false;
        }
    }
    return true;
}

static size_t log_writer_next(struct log_writer *writer, char piece[LOG_PIECE_BYTES])
{
    size_t size;
    log_writer_lock(writer);
    while (!(size = log_queue_take(&writer->queue, piece)) && !writer->stopping) {
        int failed = pthread_cond_wait(&writer->changed, &writer->mutex);
        assert(!failed);
    }
    log_writer_unlock(writer);
    return size;
}

static void log_writer_note_written(struct log_writer *writer, bool written)
{
    if (!written)
        atomic_fetch_add(&writer->unwritten, 1);
    atomic_store(&writer->failing, !written);
    if (atomic_fetch_sub(&writer->waiting, 1) != 1)
        return;
    log_writer_lock(writer); /* who waits is between its look and its wait, or is woken */
    pthread_cond_broadcast(&writer->changed);
    log_writer_unlock(writer);
}

static void *log_writer_work(void *argument)
{
    struct log_writer *writer = argument;
    char piece[LOG_PIECE_BYTES];
    for (size_t size; (size = log_writer_next(writer, piece));)
        log_writer_note_written(writer, log_writer_write(writer, piece, size));
    return NULL;
}

/* --- Who logs --- */

/* Signals are for others; a pipe that nobody has any more is an error and no signal. */
static bool log_writer_start_thread(struct log_writer *writer)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&writer->thread, NULL, log_writer_work, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return !error;
}

static bool log_writer_init_lock(struct log_writer *writer)
{
    pthread_condattr_t attributes;
    bool fine =
        !pthread_condattr_init(&attributes) && !pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) &&
        !pthread_cond_init(&writer->changed, &attributes) && !pthread_mutex_init(&writer->mutex, NULL);
    pthread_condattr_destroy(&attributes);
    return fine;
}

static void log_writer_free(struct log_writer *writer)
{
    log_queue_free(&writer->queue);
    free(writer);
}

struct log_writer *log_writer_start(int descriptor)
{
    struct log_writer *writer = memory_zalloc(1, sizeof(*writer));
    writer->descriptor = descriptor;
    log_queue_init(&writer->queue, LOG_WRITER_BYTES);
    if (log_writer_init_lock(writer) && log_writer_start_thread(writer))
        return writer;
    log_writer_free(writer);
    return NULL;
}

/* Called with the lock. */
static bool log_writer_has_room(const struct log_writer *writer, bool matters)
{
    size_t used = writer->queue.used;
    return matters || used <= (writer->dropping ? LOG_WRITER_BYTES / 2 : LOG_WRITER_BYTES / 4 * 3);
}

void log_writer_put(struct log_writer *writer, bool matters, const void *piece, size_t size)
{
    log_writer_lock(writer);
    bool fits = log_writer_has_room(writer, matters) && log_queue_put(&writer->queue, piece, size);
    if (fits) {
        atomic_fetch_add(&writer->waiting, 1);
        pthread_cond_broadcast(&writer->changed);
    }
    if (!fits || writer->queue.used <= LOG_WRITER_BYTES / 2)
        writer->dropping = !fits;
    log_writer_unlock(writer);
    writer->dropped += !fits;
}

uint64_t log_writer_lost(const struct log_writer *writer)
{
    return writer->dropped + atomic_load(&writer->unwritten);
}

uint64_t log_writer_take_lost(struct log_writer *writer, bool now)
{
    uint64_t lost = log_writer_lost(writer) - writer->told;
    if (!lost || atomic_load(&writer->failing))
        return 0;
    log_writer_lock(writer);
    bool goes_on = writer->queue.used <= LOG_WRITER_BYTES / 2;
    log_writer_unlock(writer);
    if (!goes_on && !now)
        return 0;
    writer->told += lost;
    return lost;
}

bool log_writer_wait(struct log_writer *writer, uint64_t within_ns)
{
    struct timespec until = log_writer_time(clock_ns() + within_ns);
    int failed = 0;
    log_writer_lock(writer);
    while (atomic_load(&writer->waiting) && !failed)
        failed = pthread_cond_timedwait(&writer->changed, &writer->mutex, &until);
    log_writer_unlock(writer);
    return !atomic_load(&writer->waiting);
}

void log_writer_wait_in_handler(const struct log_writer *writer, uint64_t within_ns)
{
    const struct timespec look = log_writer_time(LOOK_NS);
    for (uint64_t waited = 0; waited < within_ns && atomic_load(&writer->waiting); waited += LOOK_NS)
        (void)nanosleep(&look, NULL);
}

void log_writer_end(struct log_writer *writer)
{
    log_writer_lock(writer);
    writer->stopping = true;
    pthread_cond_broadcast(&writer->changed);
    log_writer_unlock(writer);
    pthread_join(writer->thread, NULL);
    pthread_cond_destroy(&writer->changed);
    pthread_mutex_destroy(&writer->mutex);
    log_writer_free(writer);
}
