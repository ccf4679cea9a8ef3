#include "base/zipf.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"

#define DRAWS 300000

static const double exponents[] = {0.01, 0.5, 0.9, 0.99, 0.999999999, 1, 1.000000001, 1.01, 1.5, 2, 3, 8};

/* Items in ranges: from 1 on each its own, later ones wider and wider. */
#define BINS 120

struct bins {
    size_t count;
    uint64_t end[BINS]; /* the first item behind */
    double expected[BINS];
    double counted[BINS];
};

/* Sum of k^-exponent for k from `from` to `end` - 1: item by item as far as that is cheap, from there on by
 * the formula of Euler and Maclaurin, whose next term is below the precision of a double by then. */
static double weight(double exponent, uint64_t from, uint64_t end)
{
    double sum = 0;
    for (; from < end && from < 10000; from++)
        sum += pow((double)from, -exponent);
    if (from == end)
        return sum;
    double a = (double)from, b = (double)(end - 1);
    double logarithm = log(b / a);
    double power = (1 - exponent) * logarithm;
    double integral = pow(a, 1 - exponent) * (power == 0 ? logarithm : logarithm * expm1(power) / power);
    return sum + integral + (pow(a, -exponent) + pow(b, -exponent)) / 2 +
           exponent * (pow(a, -exponent - 1) - pow(b, -exponent - 1)) / 12;
}

/* Ranges of items, each of which is expected often enough to be tested by itself. */
static void bins_init(struct bins *bins, uint64_t count, double exponent)
{
    double whole = weight(exponent, 1, count + 1);
    bins->count = 0;
    for (uint64_t from = 1; from <= count;) {
        uint64_t width = from < 16 ? 1 : from / 2;
        uint64_t end = count - from < width ? count + 1 : from + width;
        double rest = DRAWS * weight(exponent, end, count + 1) / whole;
        if (rest < 20 || bins->count == BINS - 1)
            end = count + 1;
        bins->end[bins->count] = end;
        bins->expected[bins->count] = DRAWS * weight(exponent, from, end) / whole;
        bins->counted[bins->count++] = 0;
        from = end;
    }
}

/* Chi square of so many degrees of freedom is above this in one of a million cases (Wilson and Hilferty). */
static double chi_square_limit(size_t freedom)
{
    double part = 2.0 / (9 * (double)freedom);
    return (double)freedom * pow(1 - part + 4.7534 * sqrt(part), 3);
}

static void check_distribution(uint64_t count, double exponent)
{
    struct random random;
    struct zipf zipf;
    struct bins bins;
    double chi_square = 0;
    random_seed(&random, 20);
    zipf_init(&zipf, count, exponent);
    bins_init(&bins, count, exponent);
    for (int i = 0; i < DRAWS; i++) {
        uint64_t drawn = zipf_draw(&zipf, &random);
        size_t bin = 0;
        assert_in_range(drawn, 1, count);
        while (drawn >= bins.end[bin])
            bin++;
        bins.counted[bin]++;
    }
    for (size_t i = 0; i < bins.count; i++)
        chi_square += pow(bins.counted[i] - bins.expected[i], 2) / bins.expected[i];
    if (bins.count == 1)
        assert_int_equal(bins.counted[0], DRAWS);
    else if (chi_square > chi_square_limit(bins.count - 1))
        fail_msg("%llu items, exponent %.9f: chi square %.1f with %zu bins", (unsigned long long)count,
                 exponent, chi_square, bins.count);
}

static void test_distribution(void **state)
{
    (void)state;
    static const uint64_t counts[] = {1, 2, 10, 1000, 1000000, 1ULL << 40};
    for (size_t i = 0; i < ARRAY_LENGTH(counts); i++) {
        for (size_t j = 0; j < ARRAY_LENGTH(exponents); j++)
            check_distribution(counts[i], exponents[j]);
    }
}

static void test_most_items(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(exponents); i++)
        check_distribution(ZIPF_COUNT_MOST, exponents[i]);
}

/* Exponents at the ends of what a double holds. */
static void test_extreme_exponents(void **state)
{
    (void)state;
    static const uint64_t counts[] = {1, 2, 1000, ZIPF_COUNT_MOST};
    struct random random;
    struct zipf zipf;
    random_seed(&random, 3);
    for (size_t i = 0; i < ARRAY_LENGTH(counts); i++) {
        static const double steep[] = {100, 1e10, 1e300, 1.7976931348623157e308};
        for (size_t j = 0; j < ARRAY_LENGTH(steep); j++) {
            zipf_init(&zipf, counts[i], steep[j]);
            for (int k = 0; k < 10000; k++)
                assert_int_equal(zipf_draw(&zipf, &random), 1);
        }
        double sum = 0;
        zipf_init(&zipf, counts[i], 5e-324);
        for (int k = 0; k < 10000; k++)
            sum += (double)zipf_draw(&zipf, &random) / (double)counts[i];
        /* All items are as likely: the mean is (count + 1) / 2, give or take five deviations of it. */
        double mean = (1 + 1 / (double)counts[i]) / 2;
        assert_true(fabs(sum / 10000 - mean) < 5 * 0.2887 / 100);
    }
}

static void test_seed_repeats(void **state)
{
    (void)state;
    struct random a, b, c;
    struct zipf zipf;
    int different = 0;
    random_seed(&a, 1);
    random_seed(&b, 1);
    random_seed(&c, 2);
    zipf_init(&zipf, 1ULL << 50, 0.5);
    for (int i = 0; i < 1000; i++) {
        uint64_t drawn = zipf_draw(&zipf, &a);
        assert_int_equal(drawn, zipf_draw(&zipf, &b));
        different += drawn != zipf_draw(&zipf, &c);
    }
    assert_int_equal(different, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distribution),
        cmocka_unit_test(test_most_items),
        cmocka_unit_test(test_extreme_exponents),
        cmocka_unit_test(test_seed_repeats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
