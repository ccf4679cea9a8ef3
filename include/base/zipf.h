/* Zipf's distribution: of `count` items the k-th, counted from 1, is drawn with a probability in proportion
 * to k^-exponent. By rejection-inversion (Hoermann and Derflinger, "Rejection-inversion to generate variates
 * from monotone discrete distributions", ACM TOMACS 6(3), 1996): a draw takes the same time and the same
 * memory whatever the count.
 *
 * Items are found to about one part in 2^47, so that of more than that many not each can be drawn; the parts
 * of the range have the right probabilities all the same. */
#ifndef HARNESSD_BASE_ZIPF_H
#define HARNESSD_BASE_ZIPF_H

#include <stdint.h>

#include "base/random.h"

/* Every count up to here is a number of its own as a double. */
#define ZIPF_COUNT_MOST (1ULL << 53)

struct zipf {
    uint64_t count;
    double exponent;
    double area_first; /* where the area of the first item begins */
    double area_end;   /* where that of the last one ends */
    double squeeze;    /* an item that is no further above its point is accepted without a look at its area */
};

/* `count` is 1 to ZIPF_COUNT_MOST; `exponent` is above 0 and finite, 1 as good as any other. */
void zipf_init(struct zipf *zipf, uint64_t count, double exponent);

/* An item, 1 to `count`. */
uint64_t zipf_draw(const struct zipf *zipf, struct random *random);

#endif
