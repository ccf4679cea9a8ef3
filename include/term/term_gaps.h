/* Long terms that are part of one that is being built, and are copied into it later, in pieces: copying them
 * at once would take long. Until then there is only room for them. */
#ifndef HARNESSD_TERM_TERM_GAPS_H
#define HARNESSD_TERM_TERM_GAPS_H

#include "term/term_build.h"

/* Terms that are not longer are copied at once. */
#define TERM_GAP_BYTES (64 * 1024)

struct term_gap {
    size_t at; /* in what is built */
    struct term left;
};

/* All zero is none. A builder that has them as its `gaps` leaves out what is long; that has to stay where it
 * is until it was copied. */
struct term_gaps {
    struct term_gap *items;
    size_t count;
    size_t capacity;
    size_t filled; /* items */
    size_t bytes;  /* of all that was left out so far */
};

void term_gaps_add(struct term_gaps *gaps, size_t at, struct term term);

/* Copies at most `most` bytes of what was left out into the buffer; false when nothing is left. */
MUST_CHECK bool term_gaps_fill(struct term_gaps *gaps, struct buffer *bytes, size_t most);

void term_gaps_free(struct term_gaps *gaps);

#endif
