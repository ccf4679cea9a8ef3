/* The kept events of one thread after the other, each thread's in the order of their ends. A million of them
 * take long, so that they are put into order in pieces. */
#ifndef HARNESSD_MEASURE_EVENTS_ORDER_H
#define HARNESSD_MEASURE_EVENTS_ORDER_H

#include "measure/events.h"

struct events_order {
    size_t *order;  /* once it is done, `order[i]` is an index for events_at(), and those of */
    size_t *starts; /* thread t are order[starts[t]] to order[starts[t + 1] - 1] */

    const struct events *events;
    size_t thread_count;
    enum { EVENTS_COUNTING, EVENTS_ADDING, EVENTS_PLACING, EVENTS_MERGING, EVENTS_ORDERED } stage;
    size_t at; /* in what this stage goes through */

    /* Merging runs of `width` in pairs, from `order` to `merged`: one that begins at `low`, of which `left`
     * and `right` come next. */
    size_t *merged;
    size_t width;
    size_t low;
    size_t left;
    size_t right;
};

/* Begins with `order`, which is all zero or was freed. The events stay as they are until it is done. */
void events_order_begin(struct events_order *order, const struct events *events, size_t thread_count);

/* Goes on with `most` events, or some more of what is less work; false when it is done. */
MUST_CHECK bool events_order_go_on(struct events_order *order, size_t most);

void events_order_free(struct events_order *order);

#endif
