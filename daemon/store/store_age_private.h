/* Whether the wall clock can be believed about the age of runs. A clock that is wrong at the start and set
 * right later, or that jumps, would make all runs old at once, and what is removed does not come back. So it
 * counts only once it has gone along with the monotonic clock for STORE_STEADY_SECONDS. */
#ifndef HARNESSD_STORE_STORE_AGE_PRIVATE_H
#define HARNESSD_STORE_STORE_AGE_PRIVATE_H

#include <stdint.h>

/* Zero: the clocks were not looked at yet. */
struct store_age {
    uint64_t since_ns; /* since then both have gone alike */
    uint64_t since_ms; /* what the wall clock said then */
};

/* Looks at both clocks, which is to be done every few minutes at least. The time of the wall clock before
 * which a run ended that did so more than `seconds` ago; 0, before which none did, while that is not known or
 * when `seconds` is 0. */
uint64_t store_age_limit(struct store_age *age, uint64_t seconds, uint64_t now_ns, uint64_t now_ms);

#endif
