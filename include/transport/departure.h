/* When messages have left. All that one write takes leaves together and has one departure; who wants to know
 * when a message has left holds that until it does not need it any more, whatever becomes of the connection.
 */
#ifndef HARNESSD_TRANSPORT_DEPARTURE_H
#define HARNESSD_TRANSPORT_DEPARTURE_H

#include <stdbool.h>
#include <stdint.h>

struct departures;

struct departure {
    uint64_t ns;   /* by clock_ns(), see departure_between(); 0: it was not written */
    bool was_full; /* it was, but has waited behind other bytes, here or in the socket, for the other side */
    uint32_t holds;
    struct departures *all;
    struct departure *next; /* of those that are free */
};

/* How long the writes of a connection take, of which the shortest of late is what the way to the packet
 * takes: others were held up behind it, by whom they have woken. All zero at first. */
#define DEPARTURE_WRITES 16
struct departure_writes {
    uint64_t
        shortest_ns[2]; /* of the last ones, up to so many, and of as many before them; 0: there were none */
    unsigned count;
};

/* When what was written between these two looks at the clock left: behind this part of the shortest write. On
 * loopback it is a third where the receiver has to be woken, and a half where not: what was sent is never
 * taken to have left later than it did. */
#define DEPARTURE_PART 4
uint64_t departure_between(struct departure_writes *writes, uint64_t before_ns, uint64_t after_ns);

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
