#include "measure/batches.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* --- Time --- */

void batches_clock_init(struct batches_clock *clock)
{
    *clock = (struct batches_clock){.end = 1};
}

void batches_clock_turn(struct batches_clock *clock)
{
    if (++clock->batch == QUANTILE_BATCHES) {
        clock->batch /= 2;
        clock->shift++;
    }
    clock->end = clock->shift > BATCHES_MOST_SHIFT ? UINT64_MAX : clock->end + (1ULL << clock->shift);
}

/* --- Counts --- */

void batches_free(struct batches *batches)
{
    free(batches->first);
    free(batches->counts);
    *batches = (struct batches){0};
}

/* Of whole octaves, as a histogram has it. */
static void batches_make_room(struct batches *batches, size_t buckets)
{
    const size_t octave = 1ULL << batches_grid.half_bits, before = batches->room;
    if (buckets <= before)
        return;
    batches->room = (buckets + octave - 1) / octave * octave;
    batches->counts = memory_resize(batches->counts, batches->room, sizeof(*batches->counts));
    memset(batches->counts + before, 0, (batches->room - before) * sizeof(*batches->counts));
}

/* When the clock's end has come they stay as they are. */
static unsigned batches_shift_now(const struct batches_clock *clock)
{
    return clock->shift < BATCHES_MOST_SHIFT ? clock->shift : BATCHES_MOST_SHIFT;
}

/* Batches of 2^shift values. */
static void batches_lengthen(struct batches *batches, unsigned shift)
{
    const size_t half = QUANTILE_BATCHES / 2;
    for (; batches->shift < shift; batches->shift++) {
        for (size_t bucket = 0; bucket < batches->room; bucket++) {
            uint32_t *counts = batches->counts[bucket];
            for (size_t i = 0; i < half; i++)
                counts[i] = counts[2 * i] + counts[2 * i + 1];
            memset(counts + half, 0, half * sizeof(*counts));
        }
    }
}

/* The clock has counted so many before. */
static void batches_count(struct batches *batches, uint64_t at, size_t bucket)
{
    batches_make_room(batches, bucket + 1);
    batches->counts[bucket][at >> batches->shift]++;
}

void batches_spread(struct batches *batches)
{
    uint64_t last = 0;
    for (size_t i = 0; i < batches->first_count; i++)
        last = batches->first[i] >> 16 > last ? batches->first[i] >> 16 : last;
    while (last >> batches->shift >= QUANTILE_BATCHES)
        batches->shift++;
    for (size_t i = 0; i < batches->first_count; i++)
        batches_count(batches, batches->first[i] >> 16, batches->first[i] & 0xffff);
    free(batches->first);
    batches->first = NULL;
    batches->first_count = 0;
}

static void batches_put(struct batches *batches, const struct batches_clock *clock, uint64_t at,
                        size_t bucket)
{
    if (!batches->room && batches->first_count < BATCHES_FIRST) {
        if (!batches->first)
            batches->first = memory_alloc(BATCHES_FIRST * sizeof(*batches->first));
        batches->first[batches->first_count++] = at << 16 | bucket;
        return;
    }
    if (!batches->room)
        batches_spread(batches);
    batches_lengthen(batches, batches_shift_now(clock));
    batches_count(batches, at, bucket);
}

void batches_record_first(struct batches *batches, const struct batches_clock *clock, size_t bucket)
{
    if (clock->shift <= BATCHES_MOST_SHIFT)
        batches_put(batches, clock, clock->count, bucket);
}

void batches_add(struct batches *into, const struct batches_clock *clock, const struct batches *from)
{
    for (size_t i = 0; i < from->first_count; i++)
        batches_put(into, clock, from->first[i] >> 16, from->first[i] & 0xffff);
    if (!from->room)
        return;
    batches_spread(into);
    batches_lengthen(into, batches_shift_now(clock));
    batches_make_room(into, from->room);
    for (size_t bucket = 0; bucket < from->room; bucket++)
        for (size_t i = 0; i < QUANTILE_BATCHES; i++)
            into->counts[bucket][i >> (into->shift - from->shift)] += from->counts[bucket][i];
}

/* --- What they tell --- */

static void batches_sum_up(uint64_t sums[QUANTILE_BATCHES], const uint32_t counts[QUANTILE_BATCHES])
{
    for (size_t i = 0; i < QUANTILE_BATCHES; i++)
        sums[i] += counts[i];
}

/* Values that are in one bucket with the quantile are told apart by chance, as many as there have to be for
 * `wanted` in all. */
static void batches_cut(struct quantile_batches *cut, const uint64_t below[QUANTILE_BATCHES],
                        const uint32_t inside[QUANTILE_BATCHES], double wanted)
{
    double sum_below = 0, sum_inside = 0;
    for (size_t i = 0; i < QUANTILE_BATCHES; i++) {
        sum_below += (double)below[i];
        sum_inside += inside[i];
    }
    double share = sum_inside > 0 ? fmin(fmax((wanted - sum_below) / sum_inside, 0), 1) : 0;
    cut->spread = share * (1 - share) * sum_inside;
    for (size_t i = 0; i < QUANTILE_BATCHES; i++)
        cut->within[i] = (double)below[i] + share * inside[i];
}

/* What the batches have had up to each of the quantiles. */
static void batches_cut_at(const struct batches *batches, const struct histogram *histogram,
                           const double *quantiles, size_t count, struct quantile_batches *cuts)
{
    uint64_t values[QUANTILE_BATCHES] = {0}, ranks[BATCHES_QUANTILES] = {0}, unused[BATCHES_QUANTILES];
    uint64_t us[BATCHES_QUANTILES] = {0};
    size_t cut = 0;
    for (size_t i = 0; i < count; i++) {
        ranks[i] = (uint64_t)ceil((double)histogram->count * quantiles[i]);
        cuts[i] = (struct quantile_batches){.count = QUANTILE_BATCHES};
    }
    histogram_at_ranks(histogram, ranks, count, us, unused);
    for (size_t bucket = 0; bucket < batches->room; bucket++) {
        for (; cut < count && bucket == histogram_bucket(&batches_grid, us[cut]); cut++)
            batches_cut(&cuts[cut], values, batches->counts[bucket],
                        (double)histogram->count * quantiles[cut]);
        batches_sum_up(values, batches->counts[bucket]);
    }
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < QUANTILE_BATCHES; j++)
            cuts[i].values[j] = (double)values[j];
}

/* Likewise, where the batches have only their first values. */
static void batches_cut_all(const struct batches *batches, const struct histogram *histogram,
                            const double *quantiles, size_t count, struct quantile_batches *cuts)
{
    struct batches spread = {.first_count = batches->first_count};
    if (!batches->first_count) {
        batches_cut_at(batches, histogram, quantiles, count, cuts);
        return;
    }
    spread.first = memory_copy(batches->first, batches->first_count * sizeof(*batches->first));
    batches_spread(&spread);
    batches_cut_at(&spread, histogram, quantiles, count, cuts);
    batches_free(&spread);
}

void batches_intervals(const struct batches *batches, const struct histogram *histogram,
                       const double *quantiles, size_t count, struct batches_interval *intervals)
{
    struct quantile_batches cuts[BATCHES_QUANTILES];
    uint64_t lows[BATCHES_QUANTILES] = {0}, highs[BATCHES_QUANTILES] = {0};
    uint64_t lowest[BATCHES_QUANTILES] = {0}, highest[BATCHES_QUANTILES] = {0}, unused[BATCHES_QUANTILES];
    assert(count <= BATCHES_QUANTILES);
    batches_cut_all(batches, histogram, quantiles, count, cuts);
    for (size_t i = 0; i < count; i++) {
        struct quantile_ranks ranks = quantile_ranks_of(&cuts[i], (double)histogram->count, quantiles[i]);
        lows[i] = ranks.low;
        highs[i] = ranks.high;
        intervals[i] = (struct batches_interval){
            .has_low = ranks.low > 0, .has_high = ranks.high > 0, .worth = ranks.worth};
    }
    histogram_at_ranks(histogram, lows, count, lowest, unused);
    histogram_at_ranks(histogram, highs, count, unused, highest);
    for (size_t i = 0; i < count; i++) {
        intervals[i].low = lowest[i];
        intervals[i].high = highest[i];
    }
}

struct batches_interval batches_interval(const struct batches *batches, const struct histogram *histogram,
                                         double quantile)
{
    struct batches_interval interval;
    batches_intervals(batches, histogram, &quantile, 1, &interval);
    return interval;
}
