#include "measure/events.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/worker.h"
#include "measure/events_copy.h"

#define EVENTS_FIRST_CAPACITY 256

/* A million that all have results of their own take a third of a second. */
#define EVENTS_FREED_AT_ONCE 4096

/* Terms are numbered in 29 bits. */
#define TERMS_LIMIT ((1u << 29) - 1)

void events_init(struct events *events, enum events_policy policy, size_t number, size_t limit,
                 size_t byte_limit, struct random *random)
{
    if (limit > TERMS_LIMIT)
        limit = TERMS_LIMIT;
    bool has_number = policy == EVENTS_LAST || policy == EVENTS_SAMPLE;
    *events = (struct events){.policy = policy,
                              .limit = has_number && number < limit ? number : limit,
                              .byte_limit = byte_limit,
                              .wanted = has_number ? number : SIZE_MAX,
                              .random = random};
}

void events_free(struct events *events)
{
    terms_free(&events->terms);
    free(events->items);
    events->items = NULL;
}

struct disposal {
    struct worker_job job;
    struct events events;
};

static void events_dispose_work(struct worker_job *job)
{
    events_free(&CONTAINER_OF(job, struct disposal, job)->events);
}

static void events_dispose_done(struct worker_job *job)
{
    free(CONTAINER_OF(job, struct disposal, job));
}

void events_dispose(struct events *events, struct loop *loop)
{
    if (events->capacity <= EVENTS_FREED_AT_ONCE) {
        events_free(events);
        return;
    }
    terms_let_go(&events->terms);
    struct disposal *disposal = memory_zalloc(1, sizeof(*disposal));
    *disposal = (struct disposal){
        .job = {.work = events_dispose_work, .done = events_dispose_done, .turn = {.takes_long = true}},
        .events = *events};
    *events = (struct events){.items = NULL};
    worker_queue(worker_aside(loop), &disposal->job);
}

static struct event *events_slot(const struct events *events, size_t index)
{
    return &events->items[(events->first + index) % events->capacity];
}

static void events_grow(struct events *events)
{
    size_t capacity = events->capacity ? events->capacity * 2 : EVENTS_FIRST_CAPACITY;
    if (capacity > events->limit)
        capacity = events->limit;
    if (events->first == 0) { /* what is large need not be copied by that */
        events->items = memory_resize(events->items, capacity, sizeof(*events->items));
    } else {
        struct event *items = memory_alloc(capacity * sizeof(*items));
        for (size_t i = 0; i < events->count; i++)
            items[i] = *events_slot(events, i);
        free(events->items);
        events->items = items;
        events->first = 0;
    }
    events->capacity = capacity;
}

static void events_release(struct events *events, const struct event *event)
{
    events->bytes -= event->bytes;
    terms_release(&events->terms, event->term);
}

static void events_drop_oldest(struct events *events)
{
    events_copies_note(events, 0);
    events_release(events, events_slot(events, 0));
    events->gone++;
    events->first = (events->first + 1) % events->capacity;
    events->count--;
}

/* What is held for a term may be more than the term. */
static size_t events_term_bytes(const struct term_long *term)
{
    return term_long_is_held(term) ? term->held->size : term_long_size(term);
}

/* Puts an event at the end, or in the place of another one, whose term goes after the new one has come: it
 * may be the same. */
static void events_put(struct events *events, size_t index, struct event event, const struct term_long *term)
{
    const size_t bytes = events_term_bytes(term);
    event.term = bytes ? terms_keep(&events->terms, term) : TERMS_NONE;
    event.bytes = bytes < UINT32_MAX - event.bytes ? event.bytes + (uint32_t)bytes : UINT32_MAX;
    events->bytes += event.bytes;
    if (index < events->count) {
        events_copies_note(events, index);
        events_release(events, events_slot(events, index));
    } else {
        if (events->count == events->capacity)
            events_grow(events);
        events->count++;
    }
    *events_slot(events, index) = event;
}

void events_record(struct events *events, struct event event, const struct term_long *term)
{
    if (events->policy == EVENTS_NONE || events->limit == 0 ||
        (events->policy == EVENTS_ERRORS && event.kind == RESULT_OK))
        return;
    events->seen++;
    if (events->count < events->limit) {
        events_put(events, events->count, event, term);
    } else if (events->policy == EVENTS_SAMPLE) {
        /* Vitter's algorithm R: each event seen is kept with the same probability. */
        uint64_t index = random_below(events->random, events->seen);
        if (index < events->limit)
            events_put(events, index, event, term);
    } else {
        events->dropped += events->seen <= events->wanted;
        events_drop_oldest(events);
        events_put(events, events->count, event, term);
    }
    for (; events->bytes > events->byte_limit && events->count; events->dropped++)
        events_drop_oldest(events);
}

const struct event *events_at(const struct events *events, size_t index)
{
    return events_slot(events, index);
}
