#include "open_calls_private.h"

#include <stdlib.h>

#include "base/memory.h"

/* A monitor is of one call, if its caller does as OTP does. */
struct open_monitor {
    struct open_calls *calls;
    struct list requests;
};

void open_calls_add(struct open_calls *calls, struct request *request)
{
    struct term reference = request_monitor(request);
    if (request->open_in || !reference.data)
        return;
    struct map_entry *entry = map_entry_of(&calls->monitors, reference.data, reference.size);
    if (!entry->value)
        entry->value = memory_zalloc(1, sizeof(struct open_monitor));
    struct open_monitor *monitor = entry->value;
    monitor->calls = calls;
    list_prepend(&monitor->requests, &request->open);
    request->open_in = monitor;
}

/* False when it was the last one with its monitor. */
static bool open_calls_take(struct request *request)
{
    struct open_monitor *monitor = request->open_in;
    struct term reference = request_monitor(request);
    request->open_in = NULL;
    list_remove(&monitor->requests, &request->open);
    if (monitor->requests.count)
        return true;
    (void)map_remove(&monitor->calls->monitors, reference.data, reference.size);
    free(monitor);
    return false;
}

void open_calls_remove(struct request *request)
{
    if (request->open_in)
        (void)open_calls_take(request);
}

void open_calls_abandon(const struct open_calls *calls, const struct process *process, struct term reference)
{
    const struct open_monitor *monitor = map_get(&calls->monitors, reference.data, reference.size);
    if (!monitor)
        return;
    LIST_EACH(struct request, request, &monitor->requests, open)
        if (request->process == process) {
            request_abandon(request);
            return;
        }
}

void open_calls_forget(struct open_calls *calls)
{
    size_t hint = 0;
    for (const struct map_entry *entry; (entry = map_any(&calls->monitors, &hint));) {
        const struct open_monitor *monitor = entry->value;
        while (open_calls_take(LIST_FIRST(&monitor->requests, struct request, open)))
            continue;
    }
    map_free(&calls->monitors);
}
