#include "transport/departure.h"

#include <stdlib.h>

#include "base/memory.h"

void departures_free(struct departures *all)
{
    for (struct departure *departure = all->free, *next; departure; departure = next) {
        next = departure->next;
        free(departure);
    }
    all->free = NULL;
}

struct departure *departure_new(struct departures *all)
{
    struct departure *departure = all->free;
    if (departure)
        all->free = departure->next;
    else
        departure = memory_alloc(sizeof(*departure));
    *departure = (struct departure){.holds = 1, .all = all};
    return departure;
}

uint64_t departure_between(struct departure_writes *writes, uint64_t before_ns, uint64_t after_ns)
{
    uint64_t took_ns = after_ns - before_ns, *shortest = writes->shortest_ns;
    if (writes->count == DEPARTURE_WRITES) {
        shortest[1] = shortest[0];
        writes->count = 0;
    }
    if (!writes->count++ || took_ns < shortest[0])
        shortest[0] = took_ns;
    return before_ns +
           (shortest[1] && shortest[1] < shortest[0] ? shortest[1] : shortest[0]) / DEPARTURE_PART;
}
