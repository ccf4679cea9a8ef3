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
