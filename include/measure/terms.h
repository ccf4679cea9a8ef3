/* A store that keeps each distinct term once, with a count of who uses it; one that is long and held once for
 * each place that it is in. */
#ifndef HARNESSD_MEASURE_TERMS_H
#define HARNESSD_MEASURE_TERMS_H

#include "base/map.h"
#include "term/term_long.h"

struct terms {
    struct map by_bytes;
    struct map by_place; /* those that are held */
    struct buffer place; /* scratch */
    struct terms_slot *slots;
    uint32_t slot_count;
    uint32_t capacity;
    uint32_t free_slot; /* first of the free ones, 0 for none */
    size_t bytes;       /* of all terms kept */
};

/* No term: what terms_keep() never returns. */
#define TERMS_NONE 0

/* All zero is an empty store. */
void terms_free(struct terms *terms);

/* Lets go of what is held, before the rest is freed: no term is asked for any more, and another thread may
 * free it. */
void terms_let_go(struct terms *terms);

/* The number of the term, which is used once more. */
MUST_CHECK uint32_t terms_keep(struct terms *terms, const struct term_long *term);

/* It is used once more. TERMS_NONE is allowed. */
void terms_hold(struct terms *terms, uint32_t number);

/* It is used once less, and forgotten when nobody uses it. TERMS_NONE is allowed. */
void terms_release(struct terms *terms, uint32_t number);

/* Good until the term is forgotten. */
struct term_long terms_get(const struct terms *terms, uint32_t number);

#endif
