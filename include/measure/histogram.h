/* A histogram of microseconds whose precision is relative: log-linear buckets as those of HdrHistogram
 * (Tene). Values below 2^(h + 1), h being `half_bits`, have a bucket each; from there on every power of two
 * is cut into 2^h buckets of the same width. A bucket is therefore at most 1/2^h of its values wide, and its
 * middle is at most 1/2^(h + 1) away from each of them:
 *
 *     digits   h    exact below   at most off by   size up to
 *     2        7            256            0.4%         27 KB
 *     3       10           2048           0.05%        186 KB
 *
 * Values go from 0, which is recorded as 0, to HISTOGRAM_HIGHEST, an hour; longer ones are counted in the
 * bucket of the highest. Number, smallest, largest and sum of the values are exact in any case, and counts
 * have 64 bits. There is room for the counts up to the longest value so far: an unused histogram costs only
 * its structure, which is embedded in its owner, and one of short times little more. */
#ifndef HARNESSD_MEASURE_HISTOGRAM_H
#define HARNESSD_MEASURE_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_HIGHEST 3600000000ULL

struct histogram {
    uint64_t *counts; /* `room` of them, or NULL before the first value */
    uint64_t count;   /* values recorded */
    uint64_t min;     /* UINT64_MAX without values */
    uint64_t max;     /* 0 without values */
    __uint128_t sum;
    size_t room; /* buckets; those beyond it have counted nothing */
    unsigned half_bits;
};

/* `digits` significant decimal digits, 2 or 3. */
void histogram_init(struct histogram *histogram, unsigned digits);
void histogram_free(struct histogram *histogram);

/* Forgets the values and keeps the memory. */
void histogram_reset(struct histogram *histogram);

/* Adds the values of `from`. Between histograms of the same digits the result is that of recording all of
 * them here; otherwise each value moves to where the representative of its bucket belongs. */
void histogram_add(struct histogram *into, const struct histogram *from);

/* Takes away values that are among those of `from`, which has the same digits. Its smallest and largest value
 * are then those of buckets. */
void histogram_subtract(struct histogram *from, const struct histogram *values);

/* The value below or at which there are `quantile` (0 to 1) of all values: that of rank
 * ceil(quantile * count), counted from 1 in the order of the values, as HdrHistogram defines it. The first
 * and the last are exact; others are the representative of their bucket. 0 without values. */
uint64_t histogram_quantile(const struct histogram *histogram, double quantile);

/* `below[i]` is how many values are below `bounds[i]`, of `count` bounds in ascending order. A bucket that a
 * bound is inside of counts as not below it. */
void histogram_count_below(const struct histogram *histogram, const uint64_t *bounds, size_t count,
                           uint64_t *below);

/* Between which the values of ranks are, from 1 to `count` in the order of the values: the bounds of their
 * buckets, as far as they are between the smallest and the largest value. A higher rank is that of the last;
 * of rank 0 nothing is set. One pass over the buckets, if the ranks ascend. */
void histogram_at_ranks(const struct histogram *histogram, const uint64_t *ranks, size_t count,
                        uint64_t *lowest, uint64_t *highest);

/* The exact mean, 0 without values. */
double histogram_mean(const struct histogram *histogram);

/* The most buckets that there can be. */
size_t histogram_buckets(const struct histogram *histogram);

/* The smallest value of a bucket; that of the bucket after the last is above HISTOGRAM_HIGHEST. */
uint64_t histogram_lowest(const struct histogram *histogram, size_t bucket);

/* The number of the bucket that counts a value. */
static inline size_t histogram_bucket(const struct histogram *histogram, uint64_t us)
{
    uint64_t value = us < HISTOGRAM_HIGHEST ? us : HISTOGRAM_HIGHEST;
    unsigned linear_bits = histogram->half_bits + 1;
    unsigned octave = 64 - linear_bits - (unsigned)__builtin_clzll(value | ((1ULL << linear_bits) - 1));
    return ((size_t)octave << histogram->half_bits) + (value >> octave);
}

/* What histogram_record() needs for a bucket beyond its room. */
void histogram_make_room(struct histogram *histogram, size_t bucket);

/* Counts a value, in constant time. */
static inline void histogram_record(struct histogram *histogram, uint64_t us)
{
    const size_t bucket = histogram_bucket(histogram, us);
    if (__builtin_expect(bucket >= histogram->room, 0))
        histogram_make_room(histogram, bucket);
    histogram->counts[bucket]++;
    histogram->count++;
    histogram->sum += us;
    histogram->min = us < histogram->min ? us : histogram->min;
    histogram->max = us > histogram->max ? us : histogram->max;
}

#endif
