#include "measure/histogram.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "base/random.h"

#define SAMPLES 10000000

static const double quantiles[] = {0, 0.001, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 0.9999, 1};

/* --- Sources of samples, microseconds --- */

static double draw_uniform(struct random *random)
{
    return 1 + 60e6 * random_unit(random);
}

static double draw_exponential(struct random *random)
{
    return 20000 * random_exponential(random);
}

/* Small integers, each a bucket of its own. */
static double draw_fast(struct random *random)
{
    return 3 * random_exponential(random);
}

/* Nine of ten are served from memory, the tenth waits for something else: p90 is at the gap between the two.
 */
static double draw_bimodal(struct random *random)
{
    bool slow = random_unit(random) < 0.1;
    return slow ? 1200000 + 300000 * random_exponential(random) : 200 + 300 * random_exponential(random);
}

struct source {
    const char *name;
    double (*draw)(struct random *random);
};

static const struct source sources[] = {
    {"uniform", draw_uniform},
    {"exponential", draw_exponential},
    {"fast", draw_fast},
    {"bimodal", draw_bimodal},
};

/* Sorts by two digits of 16 bits, the lower first. */
static void sort(uint32_t *samples, size_t count)
{
    uint32_t *other = memory_alloc(count * sizeof(*other));
    size_t *starts = memory_alloc(65537 * sizeof(*starts));
    for (unsigned shift = 0; shift < 32; shift += 16) {
        const uint32_t *from = shift ? other : samples;
        uint32_t *to = shift ? samples : other;
        memset(starts, 0, 65537 * sizeof(*starts));
        for (size_t i = 0; i < count; i++)
            starts[(from[i] >> shift & 65535) + 1]++;
        for (size_t i = 1; i < 65537; i++)
            starts[i] += starts[i - 1];
        for (size_t i = 0; i < count; i++)
            to[starts[from[i] >> shift & 65535]++] = from[i];
    }
    free(starts);
    free(other);
}

static uint64_t exact_quantile(const uint32_t *sorted, size_t count, double quantile)
{
    size_t rank = (size_t)ceil(nextafter(quantile, 0) * (double)count);
    return sorted[rank ? rank - 1 : 0];
}

static void expect_near(const struct histogram *histogram, const uint32_t *sorted, double tolerance)
{
    for (size_t i = 0; i < ARRAY_LENGTH(quantiles); i++) {
        double exact = (double)exact_quantile(sorted, histogram->count, quantiles[i]);
        double found = (double)histogram_quantile(histogram, quantiles[i]);
        if (fabs(found - exact) > tolerance * exact)
            fail_msg("quantile %f is %f, not %f", quantiles[i], found, exact);
        if (exact < 256)
            assert_true(found == exact);
    }
}

static void expect_same(const struct histogram *a, const struct histogram *b)
{
    assert_int_equal(a->room, b->room);
    assert_memory_equal(a->counts, b->counts, a->room * sizeof(*a->counts));
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->min, b->min);
    assert_int_equal(a->max, b->max);
    assert_true(a->sum == b->sum);
}

/* All samples in one histogram, and each of them in one of three that are then added up. */
static void test_source(void **state)
{
    const struct source *source = *state;
    struct histogram precise, coarse, merged, coarser, parts[3];
    struct random random;
    uint32_t *samples = memory_alloc(SAMPLES * sizeof(*samples));
    uint64_t sum = 0;
    random_seed(&random, 5);
    histogram_init(&precise, 3);
    histogram_init(&merged, 3);
    histogram_init(&coarse, 2);
    histogram_init(&coarser, 2);
    for (size_t i = 0; i < 3; i++)
        histogram_init(&parts[i], 3);
    for (size_t i = 0; i < SAMPLES; i++) {
        samples[i] = (uint32_t)source->draw(&random);
        sum += samples[i];
        histogram_record(&precise, samples[i]);
        histogram_record(&coarse, samples[i]);
        histogram_record(&parts[i % 7 % 3], samples[i]);
    }
    for (size_t i = 0; i < 3; i++) {
        histogram_add(&merged, &parts[i]);
        histogram_free(&parts[i]);
    }
    expect_same(&merged, &precise);
    histogram_add(&coarser, &merged);
    sort(samples, SAMPLES);
    assert_int_equal(precise.count, SAMPLES);
    assert_int_equal(precise.min, samples[0]);
    assert_int_equal(precise.max, samples[SAMPLES - 1]);
    assert_true(histogram_mean(&precise) == (double)sum / SAMPLES);
    expect_near(&precise, samples, 0.001);
    expect_near(&coarse, samples, 0.01);
    expect_near(&coarser, samples, 0.01);
    histogram_free(&precise);
    histogram_free(&coarse);
    histogram_free(&merged);
    histogram_free(&coarser);
    free(samples);
}

static void test_empty(void **state)
{
    (void)state;
    struct histogram histogram, other;
    histogram_init(&histogram, 3);
    histogram_init(&other, 3);
    histogram_add(&histogram, &other);
    assert_null(histogram.counts);
    assert_int_equal(histogram_quantile(&histogram, 0.5), 0);
    assert_int_equal(histogram.max, 0);
    assert_true(histogram_mean(&histogram) == 0);
    histogram_reset(&histogram);
    assert_null(histogram.counts);
    histogram_free(&histogram);
    histogram_free(&other);
}

/* Three digits from a microsecond to an hour, in the room that was promised. */
static void test_size(void **state)
{
    (void)state;
    struct histogram histogram;
    histogram_init(&histogram, 3);
    assert_true(histogram_buckets(&histogram) * sizeof(*histogram.counts) + sizeof(histogram) <= 190000);
    histogram_init(&histogram, 2);
    assert_true(histogram_buckets(&histogram) * sizeof(*histogram.counts) + sizeof(histogram) <= 27000);
    assert_true(sizeof(histogram) <= 64);
}

/* As much as the longest value needs, which moves no count. */
static void test_room(void **state)
{
    (void)state;
    struct histogram histogram;
    histogram_init(&histogram, 3);
    histogram_record(&histogram, 1000);
    assert_true(histogram.room * sizeof(*histogram.counts) <= 8192);
    for (uint64_t us = 1; us < 1 << 20; us *= 2)
        histogram_record(&histogram, us);
    assert_true(histogram.room < histogram_buckets(&histogram));
    histogram_record(&histogram, UINT64_MAX);
    assert_int_equal(histogram.room, histogram_buckets(&histogram));
    assert_int_equal(histogram.counts[1000], 1);
    for (uint64_t us = 1; us < 1 << 20; us *= 2)
        assert_int_equal(histogram.counts[histogram_bucket(&histogram, us)], 1);
    uint64_t total = 0;
    for (size_t i = 0; i < histogram.room; i++)
        total += histogram.counts[i];
    assert_int_equal(total, histogram.count);
    histogram_free(&histogram);
}

/* Buckets follow each other without gaps, each the home of its first and its last value, none too wide. */
static void test_bounds_of_buckets(void **state)
{
    (void)state;
    for (unsigned digits = 2; digits <= 3; digits++) {
        struct histogram histogram;
        histogram_init(&histogram, digits);
        size_t buckets = histogram_buckets(&histogram);
        assert_int_equal(histogram_lowest(&histogram, 0), 0);
        for (size_t i = 0; i < buckets; i++) {
            uint64_t first = histogram_lowest(&histogram, i);
            uint64_t next = histogram_lowest(&histogram, i + 1);
            assert_true(next > first);
            assert_int_equal(histogram_bucket(&histogram, first), i);
            if (next <= HISTOGRAM_HIGHEST)
                assert_int_equal(histogram_bucket(&histogram, next - 1), i);
            uint64_t width = next - first;
            assert_true(width == 1 || width * (digits == 3 ? 1000 : 100) <= first);
            if (first < (digits == 3 ? 2048 : 256))
                assert_int_equal(width, 1);
        }
        assert_true(histogram_lowest(&histogram, buckets) > HISTOGRAM_HIGHEST);
    }
}

/* Nought, the ends of the range, and values beyond it. */
static void test_extremes(void **state)
{
    (void)state;
    struct histogram histogram;
    histogram_init(&histogram, 3);
    histogram_record(&histogram, 0);
    assert_int_equal(histogram_quantile(&histogram, 0.5), 0);
    assert_int_equal(histogram.counts[0], 1);
    histogram_record(&histogram, HISTOGRAM_HIGHEST);
    histogram_record(&histogram, HISTOGRAM_HIGHEST + 1);
    histogram_record(&histogram, UINT64_MAX);
    histogram_record(&histogram, UINT64_MAX);
    assert_int_equal(histogram.counts[histogram_buckets(&histogram) - 1], 4);
    assert_int_equal(histogram_quantile(&histogram, 0), 0);
    assert_in_range(histogram_quantile(&histogram, 0.5), HISTOGRAM_HIGHEST * 999 / 1000,
                    HISTOGRAM_HIGHEST / 999 * 1000);
    assert_true(histogram_quantile(&histogram, 1) == UINT64_MAX);
    assert_true(histogram_mean(&histogram) > 0.39 * 0x1p64 && histogram_mean(&histogram) < 0.41 * 0x1p64);
    histogram_reset(&histogram);
    for (int i = 0; i < 3; i++)
        histogram_record(&histogram, 2 * HISTOGRAM_HIGHEST);
    assert_true(histogram_quantile(&histogram, 0.5) == 2 * HISTOGRAM_HIGHEST);
    histogram_free(&histogram);
}

/* The rank of a quantile among few values, products that are not quite whole numbers included. */
static void test_ranks(void **state)
{
    (void)state;
    struct histogram histogram;
    histogram_init(&histogram, 2);
    for (uint64_t i = 1; i <= 100; i++)
        histogram_record(&histogram, i);
    for (uint64_t i = 1; i <= 100; i++) {
        assert_int_equal(histogram_quantile(&histogram, (double)i / 100), i);
        assert_int_equal(histogram_quantile(&histogram, ((double)i - 0.5) / 100), i);
    }
    histogram_reset(&histogram);
    histogram_record(&histogram, 10);
    histogram_record(&histogram, 20);
    histogram_record(&histogram, 30);
    assert_int_equal(histogram_quantile(&histogram, 0.33), 10);
    assert_int_equal(histogram_quantile(&histogram, 0.34), 20);
    assert_int_equal(histogram_quantile(&histogram, 0.5), 20);
    assert_int_equal(histogram_quantile(&histogram, 0.67), 30);
    histogram_free(&histogram);
}

static void test_reset(void **state)
{
    (void)state;
    struct histogram histogram;
    histogram_init(&histogram, 3);
    for (uint64_t us = 1; us < 2 * HISTOGRAM_HIGHEST; us *= 3)
        histogram_record(&histogram, us);
    uint64_t *counts = histogram.counts;
    histogram_reset(&histogram);
    assert_ptr_equal(histogram.counts, counts);
    assert_int_equal(histogram.count, 0);
    for (size_t i = 0; i < histogram.room; i++)
        assert_int_equal(counts[i], 0);
    histogram_record(&histogram, 7);
    assert_int_equal(histogram.min, 7);
    assert_int_equal(histogram.max, 7);
    assert_true(histogram_mean(&histogram) == 7);
    histogram_free(&histogram);
    assert_null(histogram.counts);
    histogram_record(&histogram, 8); /* it may be used again */
    assert_int_equal(histogram.min, 8);
    histogram_free(&histogram);
}

/* Between precisions no value is lost, and none moves out of the bounds of what was recorded. */
static void test_add_other_digits(void **state)
{
    (void)state;
    for (unsigned digits = 2; digits <= 3; digits++) {
        struct histogram from, into, direct;
        histogram_init(&from, digits);
        histogram_init(&into, 5 - digits);
        histogram_init(&direct, 5 - digits);
        for (uint64_t us = 4242; us < 2 * HISTOGRAM_HIGHEST; us += us / 3) {
            histogram_record(&from, us);
            histogram_record(&direct, us);
        }
        histogram_add(&into, &from);
        uint64_t total = 0;
        for (size_t i = 0; i < into.room; i++)
            total += into.counts[i];
        assert_int_equal(total, direct.count);
        assert_int_equal(into.count, direct.count);
        assert_int_equal(into.min, 4242);
        assert_int_equal(into.max, direct.max);
        assert_true(into.sum == direct.sum);
        for (int i = 0; i <= 100; i++) {
            double exact = (double)histogram_quantile(&direct, i / 100.0);
            assert_true(fabs((double)histogram_quantile(&into, i / 100.0) - exact) <= 0.01 * exact);
        }
        histogram_free(&from);
        histogram_free(&into);
        histogram_free(&direct);
    }
}

static void test_counts_below(void **state)
{
    (void)state;
    static const uint64_t values[] = {
        0, 1, 99, 100, 101, 5000, 5000, HISTOGRAM_HIGHEST, 2 * HISTOGRAM_HIGHEST};
    static const uint64_t bounds[] = {0, 1, 100, 101, 4000, 5000, 6000, HISTOGRAM_HIGHEST, UINT64_MAX};
    static const uint64_t expected[] = {0, 1, 3, 4, 5, 5, 7, 7, 9};
    uint64_t below[ARRAY_LENGTH(bounds)];
    for (unsigned digits = 2; digits <= 3; digits++) {
        struct histogram histogram;
        histogram_init(&histogram, digits);
        histogram_count_below(&histogram, bounds, ARRAY_LENGTH(bounds), below);
        for (size_t i = 0; i < ARRAY_LENGTH(bounds); i++)
            assert_int_equal(below[i], 0);
        for (size_t i = 0; i < ARRAY_LENGTH(values); i++)
            histogram_record(&histogram, values[i]);
        histogram_count_below(&histogram, bounds, ARRAY_LENGTH(bounds), below);
        for (size_t i = 0; i < ARRAY_LENGTH(bounds); i++)
            if (bounds[i] != 5000 && bounds[i] != HISTOGRAM_HIGHEST) /* inside of buckets */
                assert_int_equal(below[i], expected[i]);
        histogram_free(&histogram);
    }
}

/* What is left is as if the others had never been, but for the ends. */
static void test_subtract(void **state)
{
    (void)state;
    struct histogram all, some, rest, nothing;
    struct random random;
    random_seed(&random, 4);
    histogram_init(&all, 3);
    histogram_init(&some, 3);
    histogram_init(&rest, 3);
    histogram_init(&nothing, 3);
    for (int i = 0; i < 20000; i++) {
        bool is_some = i % 3 == 0;
        uint64_t us = (uint64_t)((is_some ? 90000 : 3000) * random_exponential(&random)) + (is_some ? 0 : 50);
        histogram_record(&all, us);
        histogram_record(is_some ? &some : &rest, us);
    }
    histogram_subtract(&all, &nothing);
    assert_int_equal(all.count, 20000);
    histogram_subtract(&all, &some);
    assert_int_equal(all.count, rest.count);
    assert_true(all.sum == rest.sum);
    assert_memory_equal(all.counts, rest.counts, rest.room * sizeof(*rest.counts));
    for (int i = 0; i <= 100; i++) {
        double exact = (double)histogram_quantile(&rest, i / 100.0);
        assert_true(fabs((double)histogram_quantile(&all, i / 100.0) - exact) <= 0.001 * exact);
    }
    histogram_subtract(&all, &rest);
    assert_true(all.count == 0 && all.max == 0 && all.min == UINT64_MAX);
    histogram_record(&all, 7);
    assert_int_equal(histogram_quantile(&all, 0.5), 7);
    histogram_free(&all);
    histogram_free(&some);
    histogram_free(&rest);
}

/* Each value is between the bounds of its rank, which are as near as buckets are, in whatever order. */
static void test_bounds_of_ranks(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    struct histogram histogram;
    uint64_t ranks[COUNT + 2], lowest[COUNT + 2], highest[COUNT + 2];
    histogram_init(&histogram, 3);
    lowest[0] = highest[0] = 5;
    ranks[0] = 1;
    histogram_at_ranks(&histogram, ranks, 1, lowest, highest);
    assert_true(lowest[0] == 5 && highest[0] == 5); /* there are no values */
    for (uint64_t i = 1; i <= COUNT; i++)
        histogram_record(&histogram, 17 + 1000 * i);
    for (int order = 0; order < 3; order++) {
        for (uint64_t i = 0; i < COUNT; i++)
            ranks[i] = order == 0 ? i + 1 : order == 1 ? COUNT - i : i * 377 % COUNT + 1;
        ranks[COUNT] = COUNT + 1;
        ranks[COUNT + 1] = 0;
        lowest[COUNT + 1] = highest[COUNT + 1] = 5;
        histogram_at_ranks(&histogram, ranks, COUNT + 2, lowest, highest);
        for (uint64_t i = 0; i < COUNT; i++) {
            uint64_t us = 17 + 1000 * ranks[i];
            assert_true(lowest[i] <= us && us <= highest[i]);
            assert_true((double)(highest[i] - lowest[i]) <= (double)us / 1000);
            assert_true(ranks[i] > 1 || lowest[i] == 1017);
            assert_true(ranks[i] < COUNT || (lowest[i] == 1000017 && highest[i] == 1000017));
        }
        assert_true(lowest[COUNT] == 1000017 && highest[COUNT] == 1000017);
        assert_true(lowest[COUNT + 1] == 5 && highest[COUNT + 1] == 5);
    }
    histogram_free(&histogram);
}

/* A bucket has a value that stands for it, which none of those in it may have had. */
static void test_quantiles_within_extremes(void **state)
{
    (void)state;
    struct histogram histogram;
    histogram_init(&histogram, 3);
    for (size_t i = 0; i < 3; i++)
        histogram_record(&histogram, 1160000 + i);
    assert_in_range(histogram_quantile(&histogram, 0.5), 1160000, 1160002);
    histogram_free(&histogram);
}

int main(void)
{
    struct CMUnitTest of_sources[ARRAY_LENGTH(sources)];
    for (size_t i = 0; i < ARRAY_LENGTH(sources); i++)
        of_sources[i] = (struct CMUnitTest){
            .name = sources[i].name, .test_func = test_source, .initial_state = (void *)&sources[i]};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_bounds_of_buckets),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_ranks),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_add_other_digits),
        cmocka_unit_test(test_counts_below),
        cmocka_unit_test(test_subtract),
        cmocka_unit_test(test_bounds_of_ranks),
        cmocka_unit_test(test_quantiles_within_extremes),
    };
    int failed = cmocka_run_group_tests_name("values", tests, NULL, NULL);
    return failed + cmocka_run_group_tests_name("sources", of_sources, NULL, NULL);
}
