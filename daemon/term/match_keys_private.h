/* Where the values of a map are whose keys are those of a pattern, found in one walk through the map,
 * whatever order its keys are in. */
#ifndef HARNESSD_TERM_MATCH_KEYS_PRIVATE_H
#define HARNESSD_TERM_MATCH_KEYS_PRIVATE_H

#include "term/term.h"

/* Pairs of a map: the first of `count`. */
struct match_pairs {
    const uint8_t *first;
    size_t count;
};

struct match_keys {
    struct match_keys *next; /* for whoever keeps many */
    size_t count;
    const uint8_t *values[]; /* in the order of the pattern */
};

/* NULL when a key of the pattern is not there. `*end` and `*passed` are where the walk has ended, and how
 * many pairs that is behind the first. To be freed with free(). */
struct match_keys *match_keys_find(struct match_pairs pattern, struct match_pairs map, const uint8_t **end,
                                   size_t *passed);

/* Whether two checked terms are equal (`=:=`), however they are written. */
bool match_equal(struct term a, struct term b);

#endif
