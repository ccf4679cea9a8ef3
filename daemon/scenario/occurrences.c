#include "scenario/occurrences.h"

#include <assert.h>

#include "base/clock.h"

/* Those below are of the load's choices, at the same places. */
#define FIRST_PURPOSE 0x100

void occurrence_random(struct random *random, uint64_t seed, uint32_t action, uint64_t occurrence,
                       enum occurrence_purpose purpose)
{
    random_seed_at(random, seed, action, occurrence, (uint32_t)(FIRST_PURPOSE + purpose));
}

uint64_t occurrence_due_ns(const struct schedule *schedule, uint64_t seed, uint32_t action,
                           uint64_t occurrence)
{
    struct random random;
    uint64_t due_ns = (schedule->after_ms + occurrence * schedule->every_ms) * CLOCK_NS_PER_MS;
    if (!schedule->jitter_ms)
        return due_ns;
    occurrence_random(&random, seed, action, occurrence, OCCURRENCE_JITTER);
    return due_ns + random_below(&random, schedule->jitter_ms * CLOCK_NS_PER_MS + 1);
}

bool occurrence_happens(const struct schedule *schedule, uint64_t seed, uint32_t action, uint64_t occurrence)
{
    struct random random;
    occurrence_random(&random, seed, action, occurrence, OCCURRENCE_PROBABILITY);
    return random_unit(&random) < schedule->probability;
}

void occurrence_draw(struct random *random, size_t *order, size_t count, size_t wanted)
{
    assert(wanted <= count);
    for (size_t i = 0; i < count; i++)
        order[i] = i;
    for (size_t i = 0; i < wanted; i++) {
        size_t other = i + (size_t)random_below(random, count - i);
        size_t taken = order[other];
        order[other] = order[i];
        order[i] = taken;
    }
}
