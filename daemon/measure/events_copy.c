#include "measure/events_copy.h"

#include <assert.h>
#include <stdlib.h>

#include "base/blob.h"
#include "base/memory.h"

void events_copy_begin(struct events_copy *copy, struct events *events)
{
    *copy = (struct events_copy){.of = events, .first = events->gone};
    copy->events =
        (struct events){.policy = events->policy, .count = events->count, .capacity = events->count};
    if (!events->count)
        return;
    const size_t size = events->count * sizeof(struct event);
    copy->events.items = (struct event *)(void *)buffer_reserve(&copy->bytes, size);
    buffer_grow(&copy->bytes, size);
    if (events->policy == EVENTS_SAMPLE)
        copy->is_copied = memory_zalloc(events->count, sizeof(*copy->is_copied));
    list_append(&events->copies, &copy->link);
}

static void events_copy_take(struct events_copy *copy, size_t at)
{
    const size_t index = (size_t)(copy->first + at - copy->of->gone);
    copy->events.items[at] = *events_at(copy->of, index);
    terms_hold(&copy->of->terms, copy->events.items[at].term);
}

bool events_copy_go_on(struct events_copy *copy, size_t most)
{
    for (; most && copy->copied < copy->events.count; most--) {
        const size_t at = copy->copied++;
        if (!copy->is_copied || !copy->is_copied[at])
            events_copy_take(copy, at);
    }
    if (copy->copied < copy->events.count)
        return false;
    if (copy->of)
        list_remove(&copy->of->copies, &copy->link);
    return true;
}

static bool events_copy_has(const struct events_copy *copy, size_t at)
{
    return at < copy->copied || (copy->is_copied && copy->is_copied[at]);
}

bool events_copy_release(struct events_copy *copy, size_t most)
{
    for (; most && copy->released < copy->events.count; most--) {
        const size_t at = copy->released++;
        if (events_copy_has(copy, at))
            terms_release(&copy->of->terms, copy->events.items[at].term);
    }
    return copy->released == copy->events.count;
}

void events_copy_free(struct events_copy *copy, struct loop *loop)
{
    if (copy->of)
        list_remove(&copy->of->copies, &copy->link);
    bool is_released = events_copy_release(copy, SIZE_MAX);
    assert(is_released);
    free(copy->is_copied);
    blob_release(blob_take(&copy->bytes, loop));
    *copy = (struct events_copy){.of = NULL};
}

void events_copies_note(struct events *events, size_t index)
{
    LIST_EACH(struct events_copy, copy, &events->copies, link) {
        const uint64_t at = events->gone + index - copy->first;
        if (at >= copy->events.count || events_copy_has(copy, (size_t)at))
            continue;
        events_copy_take(copy, (size_t)at);
        if (copy->is_copied)
            copy->is_copied[at] = true;
        else
            copy->copied++; /* without a sample they go in order */
    }
}
