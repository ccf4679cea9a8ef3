#include "serve/notify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

struct notify {
    bool ready;
    char status[256];
    uint64_t watchdog_ns; /* 0: nobody wants to know */
    struct loop_timer watchdog;
};

/* Nothing depends on whether somebody listens, but those who wait for it should know. */
static void notify_tell(const char *state)
{
    int error = sd_notify(0, state);
    if (error < 0)
        log_warning("cannot tell the service manager", log_string("reason", strerror(-error)));
}

static void notify_on_watchdog(void *owner)
{
    struct notify *notify = owner;
    notify_tell("WATCHDOG=1");
    loop_timer_set(&notify->watchdog, notify->watchdog_ns / 2);
}

struct notify *notify_new(struct loop *loop)
{
    struct notify *notify = memory_zalloc(1, sizeof(*notify));
    uint64_t within_us = 0;
    if (sd_watchdog_enabled(0, &within_us) > 0)
        notify->watchdog_ns = within_us * CLOCK_NS_PER_US;
    loop_timer_init(&notify->watchdog, loop, notify_on_watchdog, notify);
    if (notify->watchdog_ns)
        loop_timer_set(&notify->watchdog, 0);
    return notify;
}

void notify_free(struct notify *notify)
{
    loop_timer_free(&notify->watchdog);
    free(notify);
}

void notify_ready(struct notify *notify)
{
    notify->ready = true;
    notify_tell("READY=1");
}

void notify_reloading(struct notify *notify)
{
    if (!notify->ready)
        return;
    char *state =
        memory_format("RELOADING=1\nMONOTONIC_USEC=%" PRIu64, (uint64_t)(clock_ns() / CLOCK_NS_PER_US));
    notify_tell(state);
    free(state);
}

void notify_reloaded(struct notify *notify)
{
    if (notify->ready)
        notify_tell("READY=1");
}

void notify_stopping(struct notify *notify, uint64_t within_ms)
{
    notify->ready = false;
    char *state = memory_format("STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64, within_ms * 1000);
    notify_tell(state);
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
    memcpy(notify->status, status, sizeof(status));
    char *state = memory_format("STATUS=%s", status);
    notify_tell(state);
    free(state);
}
