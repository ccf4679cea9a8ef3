/* Stack traces that were seen, each kept once and known by a number. */
#ifndef HARNESSD_MEASURE_STACKS_H
#define HARNESSD_MEASURE_STACKS_H

#include "base/map.h"
#include "term/term.h"

/* So many are kept, and so many bytes of them; further ones are STACKS_NONE, as those that are longer. */
#define STACKS_MOST 1024
#define STACKS_BYTES (1024 * 1024)
#define STACKS_ONE_BYTES (16 * 1024)

/* The number of none. */
#define STACKS_NONE 0

/* All zero is empty. */
struct stacks {
    struct map by_term; /* which item it is */
    struct term *items; /* in order; their bytes are the map's */
    size_t count;
    size_t bytes;
};

void stacks_free(struct stacks *stacks);

/* The number of a stack, a term, which is kept if it was not seen before. */
uint32_t stacks_number(struct stacks *stacks, struct term stack);

/* The stack of a number; without data for that of none. */
struct term stacks_at(const struct stacks *stacks, uint32_t number);

#endif
