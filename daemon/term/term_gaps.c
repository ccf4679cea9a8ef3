#include "term/term_gaps.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define GAPS_FIRST_CAPACITY 16

void term_gaps_add(struct term_gaps *gaps, size_t at, struct term term)
{
    if (gaps->count == gaps->capacity) {
        gaps->capacity = gaps->capacity ? 2 * gaps->capacity : GAPS_FIRST_CAPACITY;
        gaps->items = memory_resize(gaps->items, gaps->capacity, sizeof(*gaps->items));
    }
    gaps->items[gaps->count++] = (struct term_gap){.at = at, .left = term};
    gaps->bytes += term.size;
}

bool term_gaps_fill(struct term_gaps *gaps, struct buffer *bytes, size_t most)
{
    while (most && gaps->filled < gaps->count) {
        struct term_gap *gap = &gaps->items[gaps->filled];
        const size_t size = gap->left.size < most ? gap->left.size : most;
        memcpy(buffer_bytes(bytes) + gap->at, gap->left.data, size);
        *gap =
            (struct term_gap){.at = gap->at + size, .left = {gap->left.data + size, gap->left.size - size}};
        gaps->filled += !gap->left.size;
        most -= size;
    }
    return gaps->filled < gaps->count;
}

void term_gaps_free(struct term_gaps *gaps)
{
    free(gaps->items);
    *gaps = (struct term_gaps){.items = NULL};
}
