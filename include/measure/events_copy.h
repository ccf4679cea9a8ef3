/* A copy of the kept events of a run that goes on, as they were when it was begun: it is made in pieces, as
 * copying a million of them takes longer than others should wait. What would go before it was copied is
 * copied first. */
#ifndef HARNESSD_MEASURE_EVENTS_COPY_H
#define HARNESSD_MEASURE_EVENTS_COPY_H

#include "measure/events.h"

/* All zero is none, and stays where it is. Their terms are kept by what it is a copy of. */
struct events_copy {
    struct events events; /* for reading alone, once it is made; how many there are is known at once */
    struct events *of;
    struct list_link link;
    struct buffer bytes; /* of the items */
    uint64_t first;      /* its number among all that ever were at the front */
    size_t copied;       /* in order */
    bool *is_copied;     /* out of order: of a sample, in which any may be replaced */
    size_t released;
};

void events_copy_begin(struct events_copy *copy, struct events *events);

/* Copies so many more; true when all are. */
MUST_CHECK bool events_copy_go_on(struct events_copy *copy, size_t most);

/* Lets go of the terms of so many, when they have been read; true when there is none left. */
MUST_CHECK bool events_copy_release(struct events_copy *copy, size_t most);

/* At any time, before the events are freed. Large ones are freed by a thread of the loop. */
void events_copy_free(struct events_copy *copy, struct loop *loop);

/* The event at this place, or 0 for that at the front, is about to go or to be replaced. */
void events_copies_note(struct events *events, size_t index);

#endif
