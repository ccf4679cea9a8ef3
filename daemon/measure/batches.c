#include "measure/batches.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* The buckets are those of a histogram that is never filled. */
static const struct histogram grid = {.half_bits = 5};

/* --- Time --- */

void batches_clock_init(struct batches_clock *clock)
{
    *clock = (struct batches_clock){.end = 1};
}

void batches_clock_turn(struct batches_clock *clock)
{
    clock->begin = clock->end;
    clock->shift += clock->begin >> clock->shift == QUANTILE_BATCHES;
    clock->end = clock->begin + (1ULL << clock->shift);
}

/* --- Room --- */

void batches_free(struct batches *batches)
{
    free(batches->counts);
    free(batches->noted);
    *batches = (struct batches){0};
}

/* Of an octave more, as a histogram has it. */
static void batches_make_room(struct batches *batches, size_t buckets)
{
    const size_t octave = 1ULL << grid.half_bits, before = batches->room;
    if (buckets <= before)
        return;
    batches->room = (buckets + octave - 1) / octave * octave;
    batches->counts = memory_resize(batches->counts, batches->room, sizeof(*batches->counts));
    batches->noted = memory_resize(batches->noted, batches->room, sizeof(*batches->noted));
    memset(batches->counts + before, 0, (batches->room - before) * sizeof(*batches->counts));
    memset(batches->noted + before, 0, (batches->room - before) * sizeof(*batches->noted));
}

static void batches_pair(struct batches *batches)
{
    const size_t half = QUANTILE_BATCHES / 2;
    for (size_t bucket = 0; bucket < batches->room; bucket++) {
        float *counts = batches->counts[bucket];
        for (size_t i = 0; i < half; i++)
            counts[i] = counts[2 * i] + counts[2 * i + 1];
        memset(counts + half, 0, half * sizeof(*counts));
    }
    batches->shift++;
}

/* For what has come until the histogram was looked at now. */
static void batches_prepare(struct batches *batches, const struct batches_clock *clock,
                            const struct histogram *histogram)
{
    while (batches->shift < clock->shift)
        batches_pair(batches);
    batches_make_room(batches, histogram_bucket(&grid, histogram->max) + 1);
}

/* --- What comes --- */

static uint64_t batches_count_in(const struct histogram *histogram, size_t bucket)
{
    return histogram_count_in(histogram, histogram_lowest(&grid, bucket),
                              histogram_lowest(&grid, bucket + 1));
}

void batches_note(struct batches *batches, const struct batches_clock *clock, uint64_t begin,
                  const struct histogram *histogram)
{
    if (!histogram->count)
        return;
    batches_prepare(batches, clock, histogram);
    const size_t last = histogram_bucket(&grid, histogram->max), batch = begin >> clock->shift;
    for (size_t i = histogram_bucket(&grid, histogram->min); i <= last; i++) {
        uint64_t count = batches_count_in(histogram, i);
        if (count == batches->noted[i])
            continue;
        batches->counts[i][batch] += (float)(count - batches->noted[i]);
        batches->noted[i] = count;
    }
}

void batches_add(struct batches *into, const struct batches_clock *clock, const struct batches *from,
                 uint64_t begin, const struct histogram *histogram)
{
    if (!histogram->count)
        return;
    batches_prepare(into, clock, histogram);
    const size_t last = histogram_bucket(&grid, histogram->max), batch = begin >> clock->shift;
    const unsigned behind = clock->shift - from->shift;
    for (size_t i = histogram_bucket(&grid, histogram->min); i <= last; i++) {
        for (size_t j = 0; i < from->room && j < QUANTILE_BATCHES; j++)
            into->counts[i][j >> behind] += from->counts[i][j];
        into->counts[i][batch] +=
            (float)(batches_count_in(histogram, i) - (i < from->room ? from->noted[i] : 0));
    }
}

/* --- What they tell --- */

static double batches_sum(const float counts[QUANTILE_BATCHES])
{
    double sum = 0;
    for (size_t i = 0; i < QUANTILE_BATCHES; i++)
        sum += (double)counts[i];
    return sum;
}

static void batches_add_share(double sums[QUANTILE_BATCHES], const float counts[QUANTILE_BATCHES],
                              double share)
{
    for (size_t i = 0; i < QUANTILE_BATCHES; i++)
        sums[i] += share * (double)counts[i];
}

/* Values that are in one bucket with the quantile are told apart by chance, as many as there have to be. */
static struct quantile_batches batches_cut(const struct batches *batches, double quantile)
{
    struct quantile_batches cut = {.count = QUANTILE_BATCHES};
    double all = 0, below = 0;
    for (size_t i = 0; i < batches->room; i++) {
        batches_add_share(cut.values, batches->counts[i], 1);
        all += batches_sum(batches->counts[i]);
    }
    for (size_t i = 0; i < batches->room && below < all * quantile; i++) {
        double inside = batches_sum(batches->counts[i]), wanted = all * quantile - below;
        double share = inside > wanted ? wanted / inside : 1;
        batches_add_share(cut.within, batches->counts[i], share);
        cut.spread += share * (1 - share) * inside;
        below += inside;
    }
    return cut;
}

struct batches_interval batches_interval(const struct batches *batches, const struct histogram *histogram,
                                         double quantile)
{
    struct quantile_batches cut = batches_cut(batches, quantile);
    struct quantile_ranks ranks = quantile_ranks_of(&cut, quantile);
    struct batches_interval interval = {
        .has_low = ranks.low > 0, .has_high = ranks.high > 0, .worth = ranks.worth};
    if (interval.has_low)
        interval.low = histogram_lowest_at(histogram, ranks.low);
    if (interval.has_high)
        interval.high = histogram_highest_at(histogram, ranks.high);
    return interval;
}
