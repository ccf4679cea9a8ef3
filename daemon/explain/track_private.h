/* The last things of a kind, one behind the other in memory: at least the last `most`, at most twice as many.
 * Each has a number that it keeps. */
#ifndef HARNESSD_EXPLAIN_TRACK_PRIVATE_H
#define HARNESSD_EXPLAIN_TRACK_PRIVATE_H

#include <stddef.h>
#include <stdint.h>

struct track {
    void *items;
    size_t count;
    size_t capacity;
    uint64_t first; /* the number of the first that is there */
};

/* A new one at the end, all zero; its number is track_next() before. All pointers to others are void. */
void *track_add(struct track *track, size_t size, size_t most);

/* The number of the next one. */
static inline uint64_t track_next(const struct track *track)
{
    return track->first + track->count;
}

/* NULL: it is there no more. */
static inline void *track_at(const struct track *track, size_t size, uint64_t number)
{
    return number >= track->first && number < track_next(track)
               ? (char *)track->items + (number - track->first) * size
               : NULL;
}

void track_free(struct track *track);

#endif
