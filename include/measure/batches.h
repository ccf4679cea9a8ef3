/* The values of a histogram by when they came, coarsely: what quantile_interval.h wants to know of a run of
 * any length, in bounded memory. The time of a run, counted in values, is cut into QUANTILE_BATCHES batches
 * at most: when there are more, neighbours are merged in pairs, and batches are twice as long from then on,
 * so that there are always more than half of them. Of each batch it is known how many values are in which of
 * the buckets of a histogram of a 32nd, 3 % of the value; those that differ by less are not told apart.
 *
 * Nothing is done for a value: what a histogram has more than when it was last looked at is what the batch in
 * between has had. That look takes some microseconds, of which there are 16 each time that a run has become
 * twice as long. One clock may be that of many histograms, and each is looked at when it has its next value
 * after the end of a batch. */
#ifndef HARNESSD_MEASURE_BATCHES_H
#define HARNESSD_MEASURE_BATCHES_H

#include <stdbool.h>

#include "measure/histogram.h"
#include "measure/quantile_interval.h"

/* Counts the values of all its histograms. */
struct batches_clock {
    uint64_t count;
    uint64_t begin; /* of the batch that goes on */
    uint64_t end;
    unsigned shift; /* a batch has 2^shift values */
};

struct batches {
    float (*counts)[QUANTILE_BATCHES]; /* by bucket; floats have room for counts of any size, which need not
                                        * be exact. 30 KB where all take less than 2 ms, 120 KB at most */
    uint64_t *noted;                   /* by bucket: of the histogram when it was last looked at */
    size_t room;                       /* buckets */
    unsigned shift;                    /* that of the clock when it was last looked at */
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

/* What the histogram has had since it was last looked at was in the batch that began at `begin` of the clock.
 */
void batches_note(struct batches *batches, const struct batches_clock *clock, uint64_t begin,
                  const struct histogram *histogram);

/* Adds the values of `from`, with those that it has not noted yet. `into` is one of sums alone, and its
 * histogram that of all together. */
void batches_add(struct batches *into, const struct batches_clock *clock, const struct batches *from,
                 uint64_t begin, const struct histogram *histogram);

/* The 95 % interval of a quantile, above 0 and below 1, of a histogram whose batches are all noted or added.
 */
struct batches_interval batches_interval(const struct batches *batches, const struct histogram *histogram,
                                         double quantile);

#endif
