/* The 95 % interval of a quantile: where the quantile of all values that might have been measured is, by
 * those that were. Nothing is assumed of how they are distributed: both ends are values of the sample, of the
 * ranks between which the true one falls (David and Nagaraja, "Order Statistics", 7.1), as the number of
 * values up to the true quantile is binomial.
 *
 * That holds for values that have nothing to do with one another. Latencies do: what is slow now makes the
 * next slow as well, so that a thousand of them may say as little as twenty others. How much they are worth
 * is told by batches of them in the order of time: their numbers of values up to the quantile, of which the
 * batches of independent values have a variance that is known, and others a larger one (batch means of the
 * indicator of a quantile: Heidelberger and Lewis, "Quantile estimation in dependent sequences", 1984;
 * Alexopoulos, Goldsman, Mokashi, Tien and Wilson, "Sequest", 2019). The binomial interval is then taken of
 * as many values as they are worth, less what the few batches leave open, by Student's t (Korn and Graubard,
 * "Confidence intervals for proportions with small expected number of positive counts estimated from survey
 * data", 1998). Batches that are hardly longer than what makes neighbours alike say too little; so they are
 * looked at by pairs and by fours as well, and the widest counts. Where no such look is beyond what one in
 * twenty of independent values would show, they are taken as independent.
 *
 * tests/bench/intervals.sh shows how often the true quantile is inside. Where values are worth hardly enough
 * for an end, those few intervals that have it have it by chance, and are too narrow: 8 of 10 hold. */
#ifndef HARNESSD_MEASURE_QUANTILE_INTERVAL_H
#define HARNESSD_MEASURE_QUANTILE_INTERVAL_H

#include <stddef.h>
#include <stdint.h>

#define QUANTILE_BATCHES 32

/* Batches in the order of time. */
struct quantile_batches {
    size_t count;
    double values[QUANTILE_BATCHES]; /* how many there are in each */
    double within[QUANTILE_BATCHES]; /* those up to the quantile; shares of those that are too near to tell */
    double spread;                   /* the variance that the sum of `within` has lost by these shares */
};

/* Ranks of values, the least being 1. Beyond what the sample can tell there is none: 0. */
struct quantile_ranks {
    uint64_t low;
    uint64_t high;
    double worth; /* so many independent values tell as much */
};

/* Of so many values, all or most of which are in the batches. `quantile` is above 0 and below 1; the numbers
 * in `within` are about that share of those in `values`. */
struct quantile_ranks quantile_ranks_of(const struct quantile_batches *batches, double values,
                                        double quantile);

/* The fewest independent values that have an interval with two ends. */
uint64_t quantile_needs(double quantile);

#endif
