#include "sleepers_private.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

#define FIRST_CAPACITY 64

void sleepers_free(struct sleepers *sleepers)
{
    free(sleepers->items);
    *sleepers = (struct sleepers){0};
}

void sleepers_add(struct sleepers *sleepers, struct sleeper sleeper)
{
    if (sleepers->count == sleepers->capacity) {
        sleepers->capacity = sleepers->capacity ? sleepers->capacity * 2 : FIRST_CAPACITY;
        sleepers->items = memory_resize(sleepers->items, sleepers->capacity, sizeof(*sleepers->items));
    }
    struct sleeper *items = sleepers->items;
    size_t index = sleepers->count++;
    for (; index && items[(index - 1) / 2].wake_ns > sleeper.wake_ns; index = (index - 1) / 2)
        items[index] = items[(index - 1) / 2];
    items[index] = sleeper;
}

const struct sleeper *sleepers_first(const struct sleepers *sleepers)
{
    return sleepers->count ? &sleepers->items[0] : NULL;
}

struct sleeper sleepers_take(struct sleepers *sleepers)
{
    assert(sleepers->count > 0);
    struct sleeper *items = sleepers->items;
    struct sleeper first = items[0];
    struct sleeper moved = items[--sleepers->count];
    size_t index = 0;
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= sleepers->count)
            break;
        if (child + 1 < sleepers->count && items[child + 1].wake_ns < items[child].wake_ns)
            child++;
        if (items[child].wake_ns >= moved.wake_ns)
            break;
        items[index] = items[child];
        index = child;
    }
    if (sleepers->count)
        items[index] = moved;
    return first;
}
