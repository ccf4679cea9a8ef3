#include "measure/histogram.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void histogram_init(struct histogram *histogram, unsigned digits)
{
    /* The first power of two of which a unit is at most the last digit, as in HdrHistogram: 100 and 1000. */
    static const unsigned half_bits[] = {[2] = 7, [3] = 10};
    assert(digits == 2 || digits == 3);
    *histogram = (struct histogram){.min = UINT64_MAX, .half_bits = half_bits[digits]};
}

void histogram_free(struct histogram *histogram)
{
    free(histogram->counts);
    *histogram = (struct histogram){.min = UINT64_MAX, .half_bits = histogram->half_bits};
}

/* All of its octave. Memory that was never used has its zeros for nothing. */
void histogram_make_room(struct histogram *histogram, size_t bucket)
{
    const size_t octave_end = ((bucket >> histogram->half_bits) + 1) << histogram->half_bits;
    const size_t most = histogram_buckets(histogram), room = octave_end < most ? octave_end : most;
    uint64_t *counts = memory_zalloc(room, sizeof(*counts));
    if (histogram->counts)
        memcpy(counts, histogram->counts, histogram->room * sizeof(*counts));
    free(histogram->counts);
    histogram->counts = counts;
    histogram->room = room;
}

size_t histogram_buckets(const struct histogram *histogram)
{
    return histogram_bucket(histogram, HISTOGRAM_HIGHEST) + 1;
}

/* Buckets of an octave are 2^octave wide; the first two octaves have a width of 1. */
static unsigned histogram_octave_of(const struct histogram *histogram, size_t bucket)
{
    size_t octave = bucket >> histogram->half_bits;
    return octave ? (unsigned)octave - 1 : 0;
}

uint64_t histogram_lowest(const struct histogram *histogram, size_t bucket)
{
    unsigned octave = histogram_octave_of(histogram, bucket);
    return (uint64_t)(bucket - ((size_t)octave << histogram->half_bits)) << octave;
}

/* The middle of a bucket, as far as it is between the smallest and the largest value. */
static uint64_t histogram_representative(const struct histogram *histogram, size_t bucket)
{
    uint64_t width = 1ULL << histogram_octave_of(histogram, bucket);
    uint64_t middle = histogram_lowest(histogram, bucket) + width / 2;
    if (middle < histogram->min)
        return histogram->min;
    return middle < histogram->max ? middle : histogram->max;
}

/* Only buckets between those of the smallest and the largest value have counts. */
struct histogram_range {
    size_t first;
    size_t end;
};

static struct histogram_range histogram_used_range(const struct histogram *histogram)
{
    if (!histogram->count)
        return (struct histogram_range){0, 0};
    return (struct histogram_range){histogram_bucket(histogram, histogram->min),
                                    histogram_bucket(histogram, histogram->max) + 1};
}

void histogram_reset(struct histogram *histogram)
{
    struct histogram_range range = histogram_used_range(histogram);
    if (histogram->count)
        memset(histogram->counts + range.first, 0, (range.end - range.first) * sizeof(*histogram->counts));
    *histogram = (struct histogram){.counts = histogram->counts,
                                    .min = UINT64_MAX,
                                    .room = histogram->room,
                                    .half_bits = histogram->half_bits};
}

void histogram_add(struct histogram *into, const struct histogram *from)
{
    struct histogram_range range = histogram_used_range(from);
    if (!from->count)
        return;
    const size_t last = histogram_bucket(into, from->max);
    if (last >= into->room)
        histogram_make_room(into, last);
    bool same_buckets = into->half_bits == from->half_bits;
    for (size_t i = range.first; i < range.end; i++)
        if (from->counts[i])
            into->counts[same_buckets ? i : histogram_bucket(into, histogram_representative(from, i))] +=
                from->counts[i];
    into->count += from->count;
    into->sum += from->sum;
    into->min = from->min < into->min ? from->min : into->min;
    into->max = from->max > into->max ? from->max : into->max;
}

void histogram_subtract(struct histogram *from, const struct histogram *values)
{
    struct histogram_range range = histogram_used_range(from), gone = histogram_used_range(values);
    assert(from->half_bits == values->half_bits && from->count >= values->count);
    for (size_t i = gone.first; i < gone.end; i++) {
        assert(from->counts[i] >= values->counts[i]);
        from->counts[i] -= values->counts[i];
    }
    from->count -= values->count;
    from->sum -= values->sum;
    while (range.first < range.end && !from->counts[range.first])
        range.first++;
    while (range.first < range.end && !from->counts[range.end - 1])
        range.end--;
    if (range.first == range.end) {
        from->min = UINT64_MAX;
        from->max = 0;
        return;
    }
    if (from->min < histogram_lowest(from, range.first))
        from->min = histogram_lowest(from, range.first);
    if (from->max >= histogram_lowest(from, range.end))
        from->max = histogram_lowest(from, range.end) - 1;
}

/* A bucket, and how many values there are up to it, with its own. */
struct histogram_place {
    size_t bucket;
    uint64_t seen;
};

static struct histogram_place histogram_first_place(const struct histogram *histogram)
{
    const size_t bucket = histogram_bucket(histogram, histogram->min);
    return (struct histogram_place){bucket, histogram->counts[bucket]};
}

/* The rank is that of a value which is not before the place. */
static void histogram_go_to(const struct histogram *histogram, struct histogram_place *place, uint64_t rank)
{
    while (place->seen < rank)
        place->seen += histogram->counts[++place->bucket];
}

uint64_t histogram_quantile(const struct histogram *histogram, double quantile)
{
    if (!histogram->count)
        return 0;
    /* A product such as 0.07 * 100 may be a little above the whole number that is meant. */
    double rank = ceil(nextafter(quantile, 0) * (double)histogram->count);
    if (!(rank > 1))
        return histogram->min;
    if (rank >= (double)histogram->count)
        return histogram->max;
    struct histogram_place place = histogram_first_place(histogram);
    histogram_go_to(histogram, &place, (uint64_t)rank);
    uint64_t value = histogram_representative(histogram, place.bucket);
    if (value > histogram->max)
        return histogram->max;
    return value < histogram->min ? histogram->min : value;
}

void histogram_at_ranks(const struct histogram *histogram, const uint64_t *ranks, size_t count,
                        uint64_t *lowest, uint64_t *highest)
{
    struct histogram_place place = {0};
    uint64_t before = UINT64_MAX; /* the rank of the place */
    for (size_t i = 0; i < count; i++) {
        if (!ranks[i] || !histogram->count)
            continue;
        if (ranks[i] >= histogram->count) {
            lowest[i] = highest[i] = histogram->max;
            continue;
        }
        if (ranks[i] < before)
            place = histogram_first_place(histogram);
        histogram_go_to(histogram, &place, ranks[i]);
        before = ranks[i];
        uint64_t low = histogram_lowest(histogram, place.bucket);
        uint64_t high = histogram_lowest(histogram, place.bucket + 1) - 1;
        lowest[i] = low > histogram->min ? low : histogram->min;
        highest[i] = high < histogram->max ? high : histogram->max;
    }
}

void histogram_count_below(const struct histogram *histogram, const uint64_t *bounds, size_t count,
                           uint64_t *below)
{
    struct histogram_range range = histogram_used_range(histogram);
    size_t bucket = range.first;
    uint64_t seen = 0;
    for (size_t i = 0; i < count; i++) {
        while (bucket < range.end && histogram_lowest(histogram, bucket + 1) <= bounds[i])
            seen += histogram->counts[bucket++];
        below[i] = seen;
    }
}

double histogram_mean(const struct histogram *histogram)
{
    return histogram->count ? (double)histogram->sum / (double)histogram->count : 0;
}
