/* Random numbers that a seed repeats (xoshiro256**, Blackman and Vigna, seeded through splitmix64, Steele,
 * Lea and Flood), and such that nobody can guess (the kernel's). */
#ifndef HARNESSD_BASE_RANDOM_H
#define HARNESSD_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state[4];
};

void random_seed(struct random *random, uint64_t seed);

/* A generator for one place of a run alone: the choices of `purpose` at `step` of `thread`. It depends on
 * nothing else, so that a seed repeats the choices of each place in whatever order the places are reached,
 * and generators of neighbouring places are independent. Takes about 20 ns: made where it is needed, not
 * kept. */
void random_seed_at(struct random *random, uint64_t seed, uint64_t thread, uint64_t step, uint32_t purpose);

/* 64 fresh bits. */
uint64_t random_next(struct random *random);

/* A number in [0, bound), each equally likely; `bound` is at least 1. */
uint64_t random_below(struct random *random, uint64_t bound);

/* A number in [0, 1), one of the 2^53 multiples of 2^-53. */
double random_unit(struct random *random);

/* An exponentially distributed number of mean 1: the times between the events of a Poisson process. It is in
 * [0, 37). */
double random_exponential(struct random *random);

/* Bytes from the kernel, for challenges, creations and seeds. */
void random_secret(void *data, size_t size);

#endif
