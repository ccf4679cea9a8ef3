/* When messages have left. All that one write takes leaves together and has one departure; who wants to know
 * when a message has left holds that until it does not need it any more, whatever becomes of the connection.
 */
#ifndef HARNESSD_TRANSPORT_DEPARTURE_H
#define HARNESSD_TRANSPORT_DEPARTURE_H

#include <stdbool.h>
#include <stdint.h>

struct departures;

struct departure {
    uint64_t ns;   /* right before the write, by clock_ns(); 0: it was not written */
    bool was_full; /* it was, but has waited behind other bytes, here or in the socket, for the other side */
    uint32_t holds;
    struct departures *all;
    struct departure *next; /* of those that are free */
};

/* Their memory; all zero at first. It outlives all that are held. */
struct departures {
    struct departure *free;
};

void departures_free(struct departures *all);

/* Held once. */
struct departure *departure_new(struct departures *all);

/* Both also for NULL. */
static inline struct departure *departure_hold(struct departure *departure)
{
    if (departure)
        departure->holds++;
    return departure;
}

static inline void departure_release(struct departure *departure)
{
    if (!departure || --departure->holds)
        return;
    departure->next = departure->all->free;
    departure->all->free = departure;
}

#endif
