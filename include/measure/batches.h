/* The values of a histogram by when they came, coarsely: what quantile_interval.h wants to know of a run of
 * any length, in bounded memory. The time of a run, counted in values, is cut into QUANTILE_BATCHES batches
 * at most: when there are more, neighbours are merged in pairs, and batches are twice as long from then on,
 * so that there are always more than half of them. Of each batch it is known how many values are in which of
 * the buckets of a histogram of a 32nd, 3 % of the value; those that differ by less are not told apart.
 *
 * One clock may be that of many: which batch a value is in follows from how many there were of all of them.
 */
#ifndef HARNESSD_MEASURE_BATCHES_H
#define HARNESSD_MEASURE_BATCHES_H

#include <stdbool.h>

#include "measure/histogram.h"
#include "measure/quantile_interval.h"

/* The most values of a batch, so that none of its counts has too many; of 8 days at 100,000 a second. What
 * comes later is in none. */
#define BATCHES_MOST_SHIFT 31

struct batches_clock {
    uint64_t count; /* values of all */
    uint64_t end;   /* of the batch that goes on: the number of its last value */
    unsigned batch; /* its place */
    unsigned shift; /* it has 2^shift values */
};

/* Many runs are short, and many operations rare: the first values are kept one by one, in 2 KB. */
#define BATCHES_FIRST 256

struct batches {
    uint64_t *first; /* those: in the low 16 bits the bucket, above them what the clock had counted */
    size_t first_count;
    uint32_t (*counts)[QUANTILE_BATCHES]; /* by bucket, of all, when there are more: 30 KB where all take less
                                           * than 2 ms, 120 KB at most */
    size_t room;                          /* buckets */
    unsigned shift;                       /* that of the clock when it last had a value */
};

/* An interval of values, of a quantile. */
struct batches_interval {
    bool has_low;
    bool has_high;
    uint64_t low;
    uint64_t high;
    double worth; /* so many independent values tell as much */
};

void batches_clock_init(struct batches_clock *clock);
void batches_clock_turn(struct batches_clock *clock);

/* There is one value more. */
static inline void batches_clock_tick(struct batches_clock *clock)
{
    if (++clock->count == clock->end)
        batches_clock_turn(clock);
}

/* All zero before the first use. */
void batches_free(struct batches *batches);

/* What batches_record() does with the first values, for a bucket beyond its room, and when batches have
 * become longer. */
void batches_record_first(struct batches *batches, const struct batches_clock *clock, size_t bucket);

/* The buckets are those of a histogram that is never filled. */
static const struct histogram batches_grid = {.half_bits = 5};

/* Counts a value of the batch that goes on. */
static inline void batches_record(struct batches *batches, const struct batches_clock *clock, uint64_t us)
{
    const size_t bucket = histogram_bucket(&batches_grid, us);
    if (__builtin_expect(bucket >= batches->room || batches->shift != clock->shift, 0))
        batches_record_first(batches, clock, bucket);
    else
        batches->counts[bucket][clock->batch]++;
}

/* Adds the values of others of the same clock. */
void batches_add(struct batches *into, const struct batches_clock *clock, const struct batches *from);

/* Counts the first values by buckets, though there are no more. */
void batches_spread(struct batches *batches);

/* The 95 % interval of a quantile, above 0 and below 1, of a histogram of the same values; those of several,
 * BATCHES_QUANTILES at most and in ascending order, take hardly longer. */
#define BATCHES_QUANTILES 5
struct batches_interval batches_interval(const struct batches *batches, const struct histogram *histogram,
                                         double quantile);
void batches_intervals(const struct batches *batches, const struct histogram *histogram,
                       const double *quantiles, size_t count, struct batches_interval *intervals);

#endif
