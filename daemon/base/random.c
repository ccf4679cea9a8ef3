#include "base/random.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/log.h"

static uint64_t random_splitmix(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

void random_seed(struct random *random, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        random->state[i] = random_splitmix(&seed);
}

/* The parts go in one after the other, each into a hash of those before it: a sum or an exclusive or of all
 * would give different places the same generator. */
void random_seed_at(struct random *random, uint64_t seed, uint64_t thread, uint64_t step, uint32_t purpose)
{
    seed = random_splitmix(&seed) ^ thread;
    seed = random_splitmix(&seed) ^ step;
    seed = random_splitmix(&seed) ^ purpose;
    random_seed(random, random_splitmix(&seed));
}

static uint64_t random_rotate_left(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

uint64_t random_next(struct random *random)
{
    uint64_t *s = random->state;
    uint64_t result = random_rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = random_rotate_left(s[3], 45);
    return result;
}

uint64_t random_below(struct random *random, uint64_t bound)
{
    /* Lemire's multiplication; the few values that would make some results likelier are drawn again. */
    uint64_t threshold = -bound % bound;
    for (;;) {
        __uint128_t product = (__uint128_t)random_next(random) * bound;
        if ((uint64_t)product >= threshold)
            return (uint64_t)(product >> 64);
    }
}

double random_unit(struct random *random)
{
    return (double)(random_next(random) >> 11) * 0x1p-53;
}

double random_exponential(struct random *random)
{
    return -log1p(-random_unit(random)); /* the unit is never 1 */
}

void random_secret(void *data, size_t size)
{
    uint8_t *bytes = data;
    while (size) {
        ssize_t got = getrandom(bytes, size, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            log_error("no random bytes from the kernel", log_integer("errno", errno));
            abort();
        }
        bytes += got;
        size -= (size_t)got;
    }
}
