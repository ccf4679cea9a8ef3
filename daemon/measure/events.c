#include "measure/events.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

#define EVENTS_FIRST_CAPACITY 256

/* Terms are numbered in 29 bits. */
#define TERMS_LIMIT ((1u << 29) - 1)

void events_init(struct events *events, enum events_policy policy, size_t number, size_t limit,
                 struct random *random)
{
    if (limit > TERMS_LIMIT)
        limit = TERMS_LIMIT;
    bool has_number = policy == EVENTS_LAST || policy == EVENTS_SAMPLE;
    *events = (struct events){
        .policy = policy, .limit = has_number && number < limit ? number : limit, .random = random};
}

void events_free(struct events *events)
{
    terms_free(&events->terms);
    free(events->items);
    events->items = NULL;
}

static void grow(struct events *events)
{
    size_t capacity = events->capacity ? events->capacity * 2 : EVENTS_FIRST_CAPACITY;
    events->capacity = capacity < events->limit ? capacity : events->limit;
    events->items = memory_resize(events->items, events->capacity, sizeof(*events->items));
}

static void put(struct events *events, size_t index, struct event event, struct term term)
{
    event.term = term.data ? terms_keep(&events->terms, term) : TERMS_NONE;
    events->items[index] = event;
}

static void replace(struct events *events, size_t index, struct event event, struct term term)
{
    uint32_t old = events->items[index].term;
    put(events, index, event, term);
    terms_release(&events->terms, old);
}

void events_record(struct events *events, struct event event, struct term term)
{
    if (events->policy == EVENTS_NONE || events->limit == 0 ||
        (events->policy == EVENTS_ERRORS && event.kind == RESULT_OK))
        return;
    events->seen++;
    if (events->count < events->limit) {
        if (events->count == events->capacity)
            grow(events);
        put(events, events->count++, event, term);
        return;
    }
    if (events->policy == EVENTS_SAMPLE) {
        /* Vitter's algorithm R: each event seen is kept with the same probability. */
        uint64_t index = random_below(events->random, events->seen);
        if (index < events->limit)
            replace(events, index, event, term);
        return;
    }
    if (events->policy != EVENTS_LAST)
        events->dropped++;
    replace(events, events->first, event, term);
    events->first = (events->first + 1) % events->limit;
}

const struct event *events_at(const struct events *events, size_t index)
{
    return &events->items[index];
}

/* A thread takes one step after the other, so that its steps are in the order of their ends. */
static int compare_steps(const void *a, const void *b, void *items)
{
    const struct event *x = (struct event *)items + *(const size_t *)a;
    const struct event *y = (struct event *)items + *(const size_t *)b;
    if (x->thread != y->thread)
        return x->thread < y->thread ? -1 : 1;
    return (x->step > y->step) - (x->step < y->step);
}

void events_by_thread(const struct events *events, size_t thread_count, size_t **order, size_t **starts)
{
    size_t *start = memory_zalloc(thread_count + 2, sizeof(*start));
    size_t *sorted = memory_alloc((events->count + 1) * sizeof(*sorted));
    for (size_t i = 0; i < events->count; i++) {
        assert(events->items[i].thread < thread_count);
        start[events->items[i].thread + 2]++;
    }
    for (size_t i = 2; i < thread_count + 2; i++)
        start[i] += start[i - 1];
    for (size_t i = 0; i < events->count; i++) {
        size_t index = (events->first + i) % events->count;
        sorted[start[events->items[index].thread + 1]++] = index;
    }
    if (events->policy == EVENTS_SAMPLE && events->count)
        qsort_r(sorted, events->count, sizeof(*sorted), compare_steps, events->items);
    *order = sorted;
    *starts = start;
}
