#include "serve/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_repeat.h"
#include "base/memory.h"
#include "notify_socket_private.h"

/* When a manager that does not read is told again, and how much it is told then at most. */
#define RETRY_NS (100 * CLOCK_NS_PER_MS)
#define WAITING_MOST 16

struct notify {
    bool ready;
    char status[256];
    uint64_t watchdog_ns; /* 0: nobody wants to know */
    struct loop_timer watchdog;
    char *waiting[WAITING_MOST]; /* what could not be told yet, in order */
    size_t waiting_count;
    struct loop_timer retry;
    struct log_repeat failures;
};

/* Nothing depends on whether somebody listens, but those who wait for it should know. False when the manager
 * does not read just now. */
static bool notify_send(struct notify *notify, const char *state)
{
    int error = notify_socket_send(state);
    if (error && error != EAGAIN && log_repeat_is_due(&notify->failures))
        log_warning("cannot tell the service manager", log_string("reason", strerror(error)),
                    log_times(&notify->failures));
    return error != EAGAIN;
}

static void notify_take_out_first(struct notify *notify)
{
    free(notify->waiting[0]);
    memmove(notify->waiting, notify->waiting + 1, --notify->waiting_count * sizeof(*notify->waiting));
}

static bool notify_send_waiting(struct notify *notify)
{
    while (notify->waiting_count && notify_send(notify, notify->waiting[0]))
        notify_take_out_first(notify);
    if (notify->waiting_count)
        loop_timer_set(&notify->retry, RETRY_NS);
    return !notify->waiting_count;
}

static void notify_on_retry(void *owner)
{
    (void)notify_send_waiting(owner);
}

/* Told after all that waits, and as soon as somebody reads it. */
static void notify_tell(struct notify *notify, const char *state)
{
    if (notify_send_waiting(notify) && notify_send(notify, state))
        return;
    if (notify->waiting_count == WAITING_MOST)
        notify_take_out_first(notify);
    notify->waiting[notify->waiting_count++] = memory_string(state);
    loop_timer_set(&notify->retry, RETRY_NS);
}

/* What is old when it has waited. */
static bool notify_tell_now(struct notify *notify, const char *state)
{
    return notify_send_waiting(notify) && notify_send(notify, state);
}

static void notify_on_watchdog(void *owner)
{
    struct notify *notify = owner;
    (void)notify_tell_now(notify, "WATCHDOG=1");
    loop_timer_set(&notify->watchdog, notify->watchdog_ns / 2);
}

struct notify *notify_new(struct loop *loop)
{
    struct notify *notify = memory_zalloc(1, sizeof(*notify));
    uint64_t within_us = 0;
    if (sd_watchdog_enabled(0, &within_us) > 0)
        notify->watchdog_ns = within_us * CLOCK_NS_PER_US;
    loop_timer_init(&notify->retry, loop, notify_on_retry, notify);
    loop_timer_init(&notify->watchdog, loop, notify_on_watchdog, notify);
    if (notify->watchdog_ns)
        loop_timer_set(&notify->watchdog, 0);
    return notify;
}

void notify_free(struct notify *notify)
{
    while (notify->waiting_count)
        notify_take_out_first(notify);
    loop_timer_free(&notify->retry);
    loop_timer_free(&notify->watchdog);
    free(notify);
}

void notify_ready(struct notify *notify)
{
    notify->ready = true;
    notify_tell(notify, "READY=1");
}

void notify_reloading(struct notify *notify)
{
    if (!notify->ready)
        return;
    char *state =
        memory_format("RELOADING=1\nMONOTONIC_USEC=%" PRIu64, (uint64_t)(clock_ns() / CLOCK_NS_PER_US));
    notify_tell(notify, state);
    free(state);
}

void notify_reloaded(struct notify *notify)
{
    if (notify->ready)
        notify_tell(notify, "READY=1");
}

void notify_stopping(struct notify *notify, uint64_t within_ms)
{
    notify->ready = false;
    char *state = memory_format("STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64, within_ms * 1000);
    notify_tell(notify, state);
    free(state);
}

void notify_status(struct notify *notify, const char *format, ...)
{
    char status[sizeof(notify->status)];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(status, sizeof(status), format, arguments);
    va_end(arguments);
    if (strcmp(status, notify->status) == 0)
        return;
    char *state = memory_format("STATUS=%s", status);
    if (notify_tell_now(notify, state))
        memcpy(notify->status, status, sizeof(status));
    free(state);
}
