#include "measure/quantile_interval.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/random.h"

/* Batches of so many values, each with just as many within the quantile as it should have. */
static struct quantile_batches even(size_t count, double values, double quantile)
{
    struct quantile_batches batches = {.count = count};
    for (size_t i = 0; i < count; i++) {
        batches.values[i] = values;
        batches.within[i] = values * quantile;
    }
    return batches;
}

static struct quantile_ranks ranks_of(const struct quantile_batches *batches, double quantile)
{
    double values = 0;
    for (size_t i = 0; i < batches->count; i++)
        values += batches->values[i];
    return quantile_ranks_of(batches, values, quantile);
}

static struct quantile_ranks ranks_of_independent(double values, double quantile)
{
    struct quantile_batches batches = even(QUANTILE_BATCHES, values / QUANTILE_BATCHES, quantile);
    return ranks_of(&batches, quantile);
}

/* --- Independent values --- */

/* P(successes <= most), summed up by what it is. */
static double chance_of_at_most(double trials, double chance, double most)
{
    double sum = 0;
    for (double i = 0; i <= most; i++)
        sum += exp(lgamma(trials + 1) - lgamma(i + 1) - lgamma(trials - i + 1) + i * log(chance) +
                   (trials - i) * log1p(-chance));
    return sum;
}

/* The ends are the nearest ranks between which the true quantile is at least 95 times of 100: one nearer, and
 * there is more than a fortieth beyond. */
static void test_ends_are_the_nearest(void **state)
{
    (void)state;
    static const double quantiles[] = {0.5, 0.9, 0.95, 0.99, 0.999, 0.1};
    static const double counts[] = {10, 57, 100, 368, 400, 1000, 5000, 20000, 100000};
    for (size_t i = 0; i < ARRAY_LENGTH(quantiles); i++) {
        for (size_t j = 0; j < ARRAY_LENGTH(counts); j++) {
            double count = counts[j], quantile = quantiles[i];
            struct quantile_ranks ranks = ranks_of_independent(count, quantile);
            double low = (double)ranks.low, high = (double)ranks.high;
            /* Far from both ends it is by an approximation, which is a rank off at most. */
            double off = count * quantile * (1 - quantile) > 100 ? 1 : 0;
            assert_true(ranks.worth == count);
            if (ranks.low) {
                assert_true(chance_of_at_most(count, quantile, low - 1 - off) <= 0.025);
                assert_true(chance_of_at_most(count, quantile, low + off) > 0.025);
            } else {
                assert_true(chance_of_at_most(count, quantile, 0) > 0.025);
            }
            if (ranks.high) {
                assert_true(1 - chance_of_at_most(count, quantile, high - 1 + off) <= 0.025 + 1e-9);
                assert_true(1 - chance_of_at_most(count, quantile, high - 2 - off) > 0.025);
            } else {
                assert_true(1 - chance_of_at_most(count, quantile, count - 1) > 0.025);
            }
        }
    }
}

/* Those that tables have (Conover, "Practical Nonparametric Statistics"). */
static void test_known(void **state)
{
    (void)state;
    static const struct {
        double count;
        double quantile;
        uint64_t low;
        uint64_t high;
    } rows[] = {
        {5, 0.5, 0, 0},        {6, 0.5, 1, 6},         {10, 0.5, 2, 9},
        {20, 0.5, 6, 15},      {100, 0.5, 40, 61},     {367, 0.99, 359, 0},
        {368, 0.99, 360, 368}, {3687, 0.999, 3679, 0}, {3688, 0.999, 3680, 3688},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct quantile_ranks ranks = ranks_of_independent(rows[i].count, rows[i].quantile);
        assert_int_equal(ranks.low, rows[i].low);
        assert_int_equal(ranks.high, rows[i].high);
    }
}

static void test_needs(void **state)
{
    (void)state;
    static const double quantiles[] = {0.1, 0.5, 0.9, 0.95, 0.99, 0.999};
    assert_int_equal(quantile_needs(0.5), 6);
    assert_int_equal(quantile_needs(0.99), 368);
    assert_int_equal(quantile_needs(0.999), 3688);
    for (size_t i = 0; i < ARRAY_LENGTH(quantiles); i++) {
        double needs = (double)quantile_needs(quantiles[i]);
        struct quantile_ranks enough = ranks_of_independent(needs, quantiles[i]);
        struct quantile_ranks few = ranks_of_independent(needs - 1, quantiles[i]);
        assert_true(enough.low && enough.high);
        assert_true(!few.low || !few.high);
    }
}

static void test_none(void **state)
{
    (void)state;
    struct quantile_batches batches = {.count = 0};
    struct quantile_ranks ranks = ranks_of(&batches, 0.99);
    assert_true(!ranks.low && !ranks.high && ranks.worth == 0);
    batches.count = QUANTILE_BATCHES; /* empty ones */
    ranks = ranks_of(&batches, 0.5);
    assert_true(!ranks.low && !ranks.high && ranks.worth == 0);
}

/* A million of millions: no loop is as long, and the ends are at the normal distribution's. */
static void test_very_many(void **state)
{
    (void)state;
    struct quantile_ranks ranks = ranks_of_independent(1e12, 0.99);
    assert_true(fabs((double)ranks.low - (0.99e12 - 1.95996 * sqrt(0.0099e12))) < 10);
    assert_true(fabs((double)ranks.high - (0.99e12 + 1.95996 * sqrt(0.0099e12))) < 10);
}

/* --- Values that are alike --- */

/* Batches with more than their part by turns have what so many fewer independent ones would have. */
static struct quantile_batches uneven(double values, double quantile, double variance)
{
    struct quantile_batches batches = even(QUANTILE_BATCHES, values, quantile);
    double off =
        sqrt(variance * values * quantile * (1 - quantile) * (QUANTILE_BATCHES - 1) / QUANTILE_BATCHES);
    for (size_t i = 0; i < QUANTILE_BATCHES; i++)
        batches.within[i] += i % 2 ? off : -off;
    return batches;
}

static void test_worth(void **state)
{
    (void)state;
    const double student = 2.040, normal = 1.959964;
    struct quantile_batches batches = uneven(1000, 0.9, 10);
    struct quantile_ranks ranks = ranks_of(&batches, 0.9);
    assert_true(fabs(ranks.worth - 3200 * normal * normal / student / student) < 0.1);
    /* The interval is that of so many, by ten ranks each. */
    struct quantile_ranks of_fewer = ranks_of_independent(floor(ranks.worth), 0.9);
    double each = 32000 / floor(ranks.worth);
    assert_true(fabs((double)ranks.low - (double)of_fewer.low * each) <= each + 1);
    assert_true(fabs((double)ranks.high - (double)of_fewer.high * each) <= each + 1);
}

/* What one in twenty of independent ones would show is none. */
static void test_chance(void **state)
{
    (void)state;
    struct quantile_batches batches = uneven(1000, 0.9, 1.4);
    assert_true(ranks_of(&batches, 0.9).worth == 32000);
    batches = uneven(1000, 0.9, 1.5);
    assert_true(ranks_of(&batches, 0.9).worth < 32000 / 1.5);
}

/* The variance that was lost as values could not be told apart is given back. */
static void test_spread(void **state)
{
    (void)state;
    struct quantile_batches batches = uneven(1000, 0.9, 3);
    double before = ranks_of(&batches, 0.9).worth;
    batches.spread = 32000 * 0.9 * 0.1;
    double after = ranks_of(&batches, 0.9).worth;
    assert_true(fabs(after / before - 3.0 / 4.0) < 1e-3);
}

/* What changes slowly shows in long batches: two halves differ, neighbours do not. */
static void test_slow(void **state)
{
    (void)state;
    struct quantile_batches batches = even(QUANTILE_BATCHES, 1000, 0.9);
    for (size_t i = 0; i < QUANTILE_BATCHES; i++)
        batches.within[i] += i / 8 % 2 ? 20 : -20;
    /* Of each of the eight longest by 80, where independent ones have 19. */
    double variance = 6400 * 8 * 8.0 / 7 / (32000 * 0.09), student = 2.365, normal = 1.959964;
    double worth = ranks_of(&batches, 0.9).worth;
    assert_true(fabs(worth - 32000 * normal * normal / (student * student * variance)) < 0.1);
}

/* An operation of which there were some now and then: batches without any say nothing. */
static void test_empty_batches(void **state)
{
    (void)state;
    struct quantile_batches batches = {.count = QUANTILE_BATCHES};
    for (size_t i = 0; i < QUANTILE_BATCHES; i += 8) {
        batches.values[i] = 100;
        batches.within[i] = i % 16 ? 100 : 80;
    }
    /* Four of them, with twice the ten that are on either side of their mean. */
    double variance = 400 * 4.0 / 3 / (400 * 0.09), student = 3.182, normal = 1.959964;
    double worth = ranks_of(&batches, 0.9).worth;
    assert_true(fabs(worth - 400 * normal * normal / (student * student * variance)) < 0.1);
    /* Of three nothing is known, and they are taken as independent. */
    batches.values[24] = batches.within[24] = 0;
    assert_true(ranks_of(&batches, 0.9).worth == 300);
}

/* All that was slow was in one of them: it is one thing that has happened, and might have twice or not at
 * all.
 */
static void test_once(void **state)
{
    (void)state;
    struct quantile_batches batches = even(QUANTILE_BATCHES, 1000, 1);
    batches.within[7] = 680;
    struct quantile_ranks ranks = ranks_of(&batches, 0.99);
    assert_true(ranks.worth < 200);
    assert_true(ranks.low && !ranks.high);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends_are_the_nearest),
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_needs),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_very_many),
        cmocka_unit_test(test_worth),
        cmocka_unit_test(test_chance),
        cmocka_unit_test(test_spread),
        cmocka_unit_test(test_slow),
        cmocka_unit_test(test_empty_batches),
        cmocka_unit_test(test_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
