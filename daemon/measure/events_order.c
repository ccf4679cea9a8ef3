#include "measure/events_order.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

/* Sums that are as much work as an event. */
#define SUMS_AN_EVENT 16

void events_order_begin(struct events_order *order, const struct events *events, size_t thread_count)
{
    *order = (struct events_order){.events = events,
                                   .thread_count = thread_count,
                                   .starts = memory_zalloc(thread_count + 2, sizeof(*order->starts)),
                                   .order = memory_alloc((events->count + 1) * sizeof(*order->order)),
                                   .stage = events->count ? EVENTS_COUNTING : EVENTS_ORDERED};
}

void events_order_free(struct events_order *order)
{
    free(order->order);
    free(order->starts);
    free(order->merged);
    *order = (struct events_order){.order = NULL};
}

static size_t events_order_least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void events_order_enter(struct events_order *order, size_t at)
{
    order->stage++;
    order->at = at;
}

/* The number of events of thread t comes to starts[t + 2]. */
static void events_order_count(struct events_order *order, size_t most)
{
    const size_t end = events_order_least(order->events->count, order->at + most);
    for (; order->at < end; order->at++) {
        uint32_t thread = events_at(order->events, order->at)->thread;
        assert(thread < order->thread_count);
        order->starts[thread + 2]++;
    }
    if (order->at == order->events->count)
        events_order_enter(order, 2);
}

/* Where those of thread t begin comes to starts[t + 1], which placing them leads to where they end. */
static void events_order_add(struct events_order *order, size_t most)
{
    const size_t end = events_order_least(order->thread_count + 2, order->at + most * SUMS_AN_EVENT);
    for (; order->at < end; order->at++)
        order->starts[order->at] += order->starts[order->at - 1];
    if (order->at == order->thread_count + 2)
        events_order_enter(order, 0);
}

/* Those of a sample are in the places of others: in no order of time. */
static void events_order_place(struct events_order *order, size_t most)
{
    const size_t count = order->events->count, end = events_order_least(count, order->at + most);
    for (; order->at < end; order->at++)
        order->order[order->starts[events_at(order->events, order->at)->thread + 1]++] = order->at;
    if (order->at < count)
        return;
    if (order->events->policy == EVENTS_SAMPLE)
        order->merged = memory_alloc(count * sizeof(*order->merged));
    order->width = 1;
    order->right = 1;
    events_order_enter(order, 0);
}

/* A thread takes one step after the other, so that its steps are in the order of their ends. */
static bool events_order_comes_first(const struct events *events, size_t a, size_t b)
{
    const struct event *x = events_at(events, a), *y = events_at(events, b);
    return x->thread != y->thread ? x->thread < y->thread : x->step <= y->step;
}

/* Behind the last pair of runs; true when the next runs are longer than all there is. */
static bool events_order_next_width(struct events_order *order)
{
    size_t *merged = order->merged;
    order->merged = order->order;
    order->order = merged;
    order->width *= 2;
    order->at = order->low = order->left = 0;
    order->right = order->width;
    return order->width >= order->events->count;
}

/* One of the event numbers of a pair of runs. */
static void events_order_merge_one(struct events_order *order)
{
    const size_t count = order->events->count;
    const size_t middle = events_order_least(order->low + order->width, count);
    const size_t end = events_order_least(order->low + 2 * order->width, count);
    const bool from_left =
        order->left < middle &&
        (order->right >= end ||
         events_order_comes_first(order->events, order->order[order->left], order->order[order->right]));
    order->merged[order->at++] = order->order[from_left ? order->left++ : order->right++];
    if (order->at == end) {
        order->low = order->left = end;
        order->right = end + order->width;
    }
}

static void events_order_merge(struct events_order *order, size_t most)
{
    const size_t count = order->events->count;
    bool done = !order->merged || count < 2;
    for (; most && !done; most--) {
        events_order_merge_one(order);
        if (order->at == count)
            done = events_order_next_width(order);
    }
    if (done)
        order->stage = EVENTS_ORDERED;
}

bool events_order_go_on(struct events_order *order, size_t most)
{
    static void (*const stages[])(struct events_order *order,
                                  size_t most) = {[EVENTS_COUNTING] = events_order_count,
                                                  [EVENTS_ADDING] = events_order_add,
                                                  [EVENTS_PLACING] = events_order_place,
                                                  [EVENTS_MERGING] = events_order_merge};
    if (order->stage != EVENTS_ORDERED)
        stages[order->stage](order, most);
    return order->stage != EVENTS_ORDERED;
}
