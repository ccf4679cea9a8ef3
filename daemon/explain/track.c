#include "track_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define TRACK_FIRST 8

static void track_forget(struct track *track, size_t size, size_t count)
{
    memmove(track->items, (char *)track->items + count * size, (track->count - count) * size);
    track->count -= count;
    track->first += count;
}

void *track_add(struct track *track, size_t size, size_t most)
{
    if (track->count == 2 * most)
        track_forget(track, size, most);
    if (track->count == track->capacity) {
        track->capacity = track->capacity ? 2 * track->capacity : TRACK_FIRST;
        track->items = memory_resize(track->items, track->capacity, size);
    }
    return memset((char *)track->items + track->count++ * size, 0, size);
}

void track_free(struct track *track)
{
    free(track->items);
    *track = (struct track){.count = 0};
}
