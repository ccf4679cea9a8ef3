#include "base/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_seed_repeats(void **state)
{
    (void)state;
    struct random a;
    struct random b;
    struct random c;
    random_seed(&a, 1);
    random_seed(&b, 1);
    random_seed(&c, 2);
    int different = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t drawn = random_next(&a);
        assert_int_equal(drawn, random_next(&b));
        different += drawn != random_next(&c);
    }
    assert_int_equal(different, 1000);
}

/* The published stream of xoshiro256** for this state. */
static void test_first_numbers(void **state)
{
    (void)state;
    struct random random = {.state = {1, 2, 3, 4}};
    assert_int_equal(random_next(&random), 11520);
    assert_int_equal(random_next(&random), 0);
    assert_int_equal(random_next(&random), 1509978240);
    assert_int_equal(random_next(&random), 1215971899390074240);
}

static void test_below(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 7);
    int counts[10] = {0};
    for (int i = 0; i < 100000; i++) {
        uint64_t drawn = random_below(&random, 10);
        assert_true(drawn < 10);
        counts[drawn]++;
    }
    for (int i = 0; i < 10; i++)
        assert_in_range(counts[i], 9500, 10500);
    for (int i = 0; i < 100; i++)
        assert_int_equal(random_below(&random, 1), 0);
    uint64_t most = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t drawn = random_below(&random, UINT64_MAX);
        most = drawn > most ? drawn : most;
    }
    assert_true(most > UINT64_MAX / 2);
}

#define DRAWS 1000000

/* Mean and variance of what is near to the expected ones, by as much as a million draws should. */
static void expect_moments(const double *drawn, double mean, double variance)
{
    double sum = 0;
    double squares = 0;
    for (int i = 0; i < DRAWS; i++)
        sum += drawn[i];
    for (int i = 0; i < DRAWS; i++)
        squares += (drawn[i] - mean) * (drawn[i] - mean);
    assert_true(fabs(sum / DRAWS - mean) < 0.005 * mean);
    assert_true(fabs(squares / DRAWS - variance) < 0.01 * variance);
}

static void test_unit(void **state)
{
    (void)state;
    static double drawn[DRAWS];
    int tenths[10] = {0};
    struct random random;
    random_seed(&random, 11);
    for (int i = 0; i < DRAWS; i++) {
        drawn[i] = random_unit(&random);
        assert_true(drawn[i] >= 0 && drawn[i] < 1);
        tenths[(int)(drawn[i] * 10)]++;
    }
    expect_moments(drawn, 0.5, 1.0 / 12);
    for (int i = 0; i < 10; i++)
        assert_in_range(tenths[i], DRAWS / 10 - 2000, DRAWS / 10 + 2000);
}

/* The ends of what random_next() can give. */
static void test_unit_bounds(void **state)
{
    (void)state;
    assert_true(random_unit(&(struct random){.state = {1, 0, 3, 4}}) == 0);
    assert_true(random_exponential(&(struct random){.state = {1, 0, 3, 4}}) == 0);
    /* Undoes the scrambler, s * 5 rotated by 7 times 9, for all bits set: both factors have inverses. */
    uint64_t all = UINT64_MAX * 0x8e38e38e38e38e39ULL;
    all = ((all >> 7) | (all << 57)) * 0xcccccccccccccccdULL;
    assert_true(random_next(&(struct random){.state = {1, all, 3, 4}}) == UINT64_MAX);
    assert_true(random_unit(&(struct random){.state = {1, all, 3, 4}}) == 1 - 0x1p-53);
    double most = random_exponential(&(struct random){.state = {1, all, 3, 4}});
    assert_true(most > 36 && most < 37);
}

static void test_exponential(void **state)
{
    (void)state;
    static double drawn[DRAWS];
    int beyond[4] = {0}; /* more than 1, 2, 3, 4 */
    struct random random;
    random_seed(&random, 12);
    for (int i = 0; i < DRAWS; i++) {
        drawn[i] = random_exponential(&random);
        assert_true(drawn[i] >= 0 && isfinite(drawn[i]));
        for (int j = 0; j < 4; j++)
            beyond[j] += drawn[i] > j + 1;
    }
    expect_moments(drawn, 1, 1);
    for (int j = 0; j < 4; j++)
        assert_true(fabs(beyond[j] / (DRAWS * exp(-j - 1)) - 1) < 0.03);
}

static uint64_t first_at(uint64_t seed, uint64_t thread, uint64_t step, uint32_t purpose)
{
    struct random random;
    random_seed_at(&random, seed, thread, step, purpose);
    return random_next(&random);
}

static void test_places_repeat(void **state)
{
    (void)state;
    struct random a;
    struct random b;
    random_seed_at(&a, 1, 2, 3, 4);
    random_seed_at(&b, 9, 9, 9, 9); /* what it was before does not matter */
    (void)random_next(&b);
    random_seed_at(&b, 1, 2, 3, 4);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(random_next(&a), random_next(&b));
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* No two places have the same generator, those with the same numbers in another order included. */
static void test_places_differ(void **state)
{
    (void)state;
    enum { SIDE = 24 };
    static uint64_t drawn[SIDE * SIDE * SIDE * SIDE];
    size_t count = 0;
    for (uint64_t seed = 0; seed < SIDE; seed++)
        for (uint64_t thread = 0; thread < SIDE; thread++)
            for (uint64_t step = 0; step < SIDE; step++)
                for (uint32_t purpose = 0; purpose < SIDE; purpose++)
                    drawn[count++] = first_at(seed, thread, step, purpose);
    qsort(drawn, count, sizeof(*drawn), compare_numbers);
    for (size_t i = 1; i < count; i++)
        assert_true(drawn[i] != drawn[i - 1]);
}

/* One part of a place moves by one: half of the bits change, each of them half of the time, and where the one
 * number falls says nothing about the other (chi-squared with 225 degrees of freedom: mean 225, deviation
 * 21). */
static void test_neighbours_are_independent(void **state)
{
    (void)state;
    enum { PAIRS = 100000, CELLS = 16 };
    for (int part = 0; part < 4; part++) {
        static int cells[CELLS][CELLS];
        int flips[64] = {0};
        memset(cells, 0, sizeof(cells));
        for (uint64_t i = 0; i < PAIRS; i++) {
            uint64_t place[4] = {42, 7, 1000, 3};
            place[part] += i;
            uint64_t a = first_at(place[0], place[1], place[2], (uint32_t)place[3]);
            place[part]++;
            uint64_t b = first_at(place[0], place[1], place[2], (uint32_t)place[3]);
            for (int bit = 0; bit < 64; bit++)
                flips[bit] += (a ^ b) >> bit & 1;
            cells[a >> 60][b >> 60]++;
        }
        double chi_squared = 0;
        double expected = (double)PAIRS / (CELLS * CELLS);
        for (int i = 0; i < CELLS * CELLS; i++)
            chi_squared += (cells[i / CELLS][i % CELLS] - expected) *
                           (cells[i / CELLS][i % CELLS] - expected) / expected;
        assert_true(chi_squared > 140 && chi_squared < 340);
        for (int bit = 0; bit < 64; bit++)
            assert_in_range(flips[bit], PAIRS * 49 / 100, PAIRS * 51 / 100);
    }
}

static void test_secret(void **state)
{
    (void)state;
    uint8_t first[64] = {0};
    uint8_t second[64] = {0};
    random_secret(first, sizeof(first));
    random_secret(second, sizeof(second));
    assert_memory_not_equal(first, second, sizeof(first));
    random_secret(first, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seed_repeats),
        cmocka_unit_test(test_first_numbers),
        cmocka_unit_test(test_below),
        cmocka_unit_test(test_unit),
        cmocka_unit_test(test_unit_bounds),
        cmocka_unit_test(test_exponential),
        cmocka_unit_test(test_places_repeat),
        cmocka_unit_test(test_places_differ),
        cmocka_unit_test(test_neighbours_are_independent),
        cmocka_unit_test(test_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
