/* Random numbers that a seed repeats (xoshiro256**, Blackman and Vigna, seeded through splitmix64), and such
 * that nobody can guess (the kernel's). */
#ifndef HARNESSD_BASE_RANDOM_H
#define HARNESSD_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state[4];
};

void random_seed(struct random *random, uint64_t seed);

/* 64 fresh bits. */
uint64_t random_next(struct random *random);

/* A number in [0, bound), each equally likely; `bound` is at least 1. */
uint64_t random_below(struct random *random, uint64_t bound);

/* Bytes from the kernel, for challenges, creations and seeds. */
void random_secret(void *data, size_t size);

#endif
