/* When the occurrences of a scheduled action are due, and what chance decides about them. Pure: every draw is
 * made from the run's seed and the places of action and occurrence alone, so that the same seed repeats the
 * same faults whatever the timing of a run. */
#ifndef HARNESSD_SCENARIO_OCCURRENCES_H
#define HARNESSD_SCENARIO_OCCURRENCES_H

#include <stdbool.h>

#include "base/compiler.h"
#include "base/random.h"

#define OCCURRENCES_ENDLESS UINT64_MAX

/* All times are in milliseconds from the start of the load. */
struct schedule {
    uint64_t after_ms;
    uint64_t every_ms;  /* 0: once */
    uint64_t times;     /* OCCURRENCES_ENDLESS: as long as the load goes on */
    uint64_t jitter_ms; /* each occurrence is later by up to that much, all delays equally likely */
    double probability; /* that an occurrence happens, each on its own */
};

/* What a random choice of an occurrence is for; each has a stream of its own. */
enum occurrence_purpose { OCCURRENCE_JITTER, OCCURRENCE_PROBABILITY, OCCURRENCE_TARGET };

/* When an occurrence, counted from 0, is due, in nanoseconds from the start. Later ones may be due earlier,
 * by their jitter. */
uint64_t occurrence_due_ns(const struct schedule *schedule, uint64_t seed, uint32_t action,
                           uint64_t occurrence);

/* Whether it happens. */
MUST_CHECK bool occurrence_happens(const struct schedule *schedule, uint64_t seed, uint32_t action,
                                   uint64_t occurrence);

/* The stream of an occurrence's choices. */
void occurrence_random(struct random *random, uint64_t seed, uint32_t action, uint64_t occurrence,
                       enum occurrence_purpose purpose);

/* Draws `wanted` of `count` numbers from 0 on without repetition, in random order, into the front of `order`,
 * which has room for `count` (Fisher and Yates, as Knuth gives it). */
void occurrence_draw(struct random *random, size_t *order, size_t count, size_t wanted);

#endif
