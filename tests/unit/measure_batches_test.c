#include "measure/batches.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "quantile_runs.h"

/* --- The clock --- */

/* From 17 to 32 batches as soon as there are so many values, each of as many as the others. */
static void test_clock(void **state)
{
    (void)state;
    struct batches_clock clock;
    batches_clock_init(&clock);
    for (uint64_t count = 1; count <= 100000; count++) {
        batches_clock_tick(&clock);
        assert_int_equal(clock.count, count);
        uint64_t length = 1ULL << clock.shift, batch = clock.begin / length;
        assert_true(clock.begin % length == 0 && clock.end == clock.begin + length);
        assert_true(clock.begin <= count && count < clock.end);
        assert_true(batch < QUANTILE_BATCHES);
        assert_true(clock.shift == 0 || batch >= QUANTILE_BATCHES / 2);
    }
}

/* --- Counts --- */

static uint64_t lowest_of(size_t bucket)
{
    static const struct histogram grid = {.half_bits = 5};
    return histogram_lowest(&grid, bucket);
}

#define VALUES 5000

/* Each value with when it came, in batches of the end. */
struct kept {
    uint64_t us[VALUES];
    uint64_t at[VALUES];
    size_t count;
};

static void expect_counts(const struct batches *batches, const struct batches_clock *clock,
                          const struct kept *kept)
{
    double all = 0;
    for (size_t bucket = 0; bucket < batches->room; bucket++) {
        double wanted[QUANTILE_BATCHES] = {0};
        for (size_t i = 0; i < kept->count; i++)
            if (kept->us[i] >= lowest_of(bucket) && kept->us[i] < lowest_of(bucket + 1))
                wanted[kept->at[i] >> clock->shift]++;
        for (size_t i = 0; i < QUANTILE_BATCHES; i++) {
            assert_true((double)batches->counts[bucket][i] == wanted[i]);
            all += wanted[i];
        }
    }
    assert_true(all == (double)kept->count);
}

/* Several histograms of one clock, each looked at when it has something again: each value is in the batch in
 * which it came, by itself and in the sum, whenever one looks. */
static void test_counts(void **state)
{
    (void)state;
    enum { HISTOGRAMS = 3 };
    static struct kept kept[HISTOGRAMS], together;
    struct histogram histograms[HISTOGRAMS];
    struct batches batches[HISTOGRAMS] = {{.room = 0}};
    uint64_t begin[HISTOGRAMS] = {0};
    struct batches_clock clock;
    struct random random;
    random_seed(&random, 1);
    batches_clock_init(&clock);
    for (size_t i = 0; i < HISTOGRAMS; i++)
        histogram_init(&histograms[i], 3);
    for (size_t i = 0; i < VALUES; i++) {
        /* The last has nothing for long. */
        size_t which = random_below(&random, i > 500 && i < 4000 ? HISTOGRAMS - 1 : HISTOGRAMS);
        uint64_t us = (uint64_t)(200 * (double)(which + 1) * random_exponential(&random));
        us = i % 1000 == 999 ? us << 15 : us; /* now and then it takes long */
        if (begin[which] != clock.begin)
            batches_note(&batches[which], &clock, begin[which], &histograms[which]);
        begin[which] = clock.begin;
        histogram_record(&histograms[which], us);
        struct kept *both[] = {&kept[which], &together};
        for (size_t j = 0; j < ARRAY_LENGTH(both); j++) {
            both[j]->us[both[j]->count] = us;
            both[j]->at[both[j]->count++] = clock.count;
        }
        batches_clock_tick(&clock);
        if (i % 499 && i + 1 < VALUES)
            continue;
        struct batches sum = {.room = 0};
        for (size_t j = 0; j < HISTOGRAMS; j++) {
            struct batches one = {.room = 0};
            batches_add(&one, &clock, &batches[j], begin[j], &histograms[j]);
            expect_counts(&one, &clock, &kept[j]);
            batches_free(&one);
            batches_add(&sum, &clock, &batches[j], begin[j], &histograms[j]);
        }
        expect_counts(&sum, &clock, &together);
        batches_free(&sum);
    }
    for (size_t i = 0; i < HISTOGRAMS; i++) {
        batches_note(&batches[i], &clock, begin[i], &histograms[i]);
        batches_note(&batches[i], &clock, clock.begin, &histograms[i]); /* there is nothing new */
        expect_counts(&batches[i], &clock, &kept[i]);
        histogram_free(&histograms[i]);
        batches_free(&batches[i]);
    }
}

/* The longest that there can be has a bucket, too. */
static void test_longest(void **state)
{
    (void)state;
    struct histogram histogram;
    struct batches batches = {.room = 0};
    struct batches_clock clock;
    batches_clock_init(&clock);
    histogram_init(&histogram, 3);
    for (int i = 0; i < 3; i++) {
        histogram_record(&histogram, HISTOGRAM_HIGHEST * 2);
        histogram_record(&histogram, 0);
        batches_note(&batches, &clock, clock.begin, &histogram);
        batches_clock_tick(&clock);
    }
    double all = 0;
    for (size_t i = 0; i < batches.room; i++)
        for (size_t j = 0; j < QUANTILE_BATCHES; j++)
            all += (double)batches.counts[i][j];
    assert_true(all == 6);
    histogram_free(&histogram);
    batches_free(&batches);
}

/* --- Intervals --- */

/* The ends are bounds of buckets, so that what is rounded is inside. */
static void test_interval(void **state)
{
    (void)state;
    struct histogram histogram;
    struct batches batches = {.room = 0}, nothing = {.room = 0};
    struct batches_clock clock;
    batches_clock_init(&clock);
    histogram_init(&histogram, 3);
    struct batches_interval interval = batches_interval(&nothing, &histogram, 0.99);
    assert_true(!interval.has_low && !interval.has_high && interval.worth == 0);
    for (uint64_t i = 0; i < 1000; i++) { /* in no order */
        batches_note(&batches, &clock, clock.begin, &histogram);
        histogram_record(&histogram, (i * 377 % 1000 + 1) * 10);
        batches_note(&batches, &clock, clock.begin, &histogram);
        batches_clock_tick(&clock);
    }
    interval = batches_interval(&batches, &histogram, 0.5);
    assert_true(interval.worth == 1000);
    assert_true(interval.low <= 4690 && interval.low > 4685); /* ranks 469 and 532 */
    assert_true(interval.high >= 5320 && interval.high < 5325);
    interval = batches_interval(&batches, &histogram, 0.99);
    assert_true(interval.low <= 9830 && interval.low > 9820); /* 983 and 997 */
    assert_true(interval.high >= 9970 && interval.high < 9980);
    interval = batches_interval(&batches, &histogram, 0.999);
    assert_true(interval.has_low && !interval.has_high);
    histogram_free(&histogram);
    batches_free(&batches);
}

/* All take the same: there is nothing to be uncertain of. */
static void test_all_alike(void **state)
{
    (void)state;
    struct histogram histogram;
    struct batches batches = {.room = 0};
    struct batches_clock clock;
    batches_clock_init(&clock);
    histogram_init(&histogram, 3);
    for (int i = 0; i < 1000; i++) {
        histogram_record(&histogram, 777);
        batches_note(&batches, &clock, clock.begin, &histogram);
        batches_clock_tick(&clock);
    }
    struct batches_interval interval = batches_interval(&batches, &histogram, 0.99);
    assert_true(interval.low == 777 && interval.high == 777 && interval.worth == 1000);
    histogram_free(&histogram);
    batches_free(&batches);
}

/* One in fifty was given up, all within a part of the run: they are one value to the histogram, and few. */
static void test_timeouts_of_once(void **state)
{
    (void)state;
    struct histogram histogram;
    struct batches batches = {.room = 0};
    struct batches_clock clock;
    struct random random;
    random_seed(&random, 2);
    batches_clock_init(&clock);
    histogram_init(&histogram, 3);
    for (int i = 0; i < 20000; i++) {
        bool is_timeout = i >= 10000 && i < 10400;
        histogram_record(&histogram, is_timeout ? 5000000 : (uint64_t)(1000 * random_exponential(&random)));
        batches_note(&batches, &clock, clock.begin, &histogram);
        batches_clock_tick(&clock);
    }
    struct batches_interval interval = batches_interval(&batches, &histogram, 0.99);
    assert_true(interval.has_low && interval.low < 10000 && !interval.has_high);
    assert_true(interval.worth < 400);
    interval = batches_interval(&batches, &histogram, 0.5);
    assert_true(interval.has_low && interval.low > 600 && interval.has_high && interval.high < 800);
    histogram_free(&histogram);
    batches_free(&batches);
}

/* --- How often the true one is inside --- */

/* Few enough to be quick; tests/bench/intervals.sh has more of both. Of 500 runs, 95 of 100 being right, what
 * comes is beyond these bounds one time in a million. */
static void test_coverage(void **state)
{
    (void)state;
    enum { RUNS = 500, MOST_VALUES = 1000 };
    for (size_t i = 0; i < ARRAY_LENGTH(quantile_runs_models); i++) {
        const struct quantile_model *model = &quantile_runs_models[i];
        struct quantile_coverage coverage[QUANTILE_RUNS_QUANTILES] = {{0}};
        if (model->values > MOST_VALUES)
            continue;
        quantile_runs_cover(model, RUNS, coverage);
        for (size_t j = 0; j < 4; j++) {
            double share = (double)coverage[j].covered / RUNS;
            if (share < 0.91 || share > 0.998)
                fail_msg("%s: p%g is inside of %.1f of 100", model->name, 100 * quantile_runs_quantiles[j],
                         100 * share);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock),     cmocka_unit_test(test_counts),
        cmocka_unit_test(test_longest),   cmocka_unit_test(test_interval),
        cmocka_unit_test(test_all_alike), cmocka_unit_test(test_timeouts_of_once),
        cmocka_unit_test(test_coverage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
