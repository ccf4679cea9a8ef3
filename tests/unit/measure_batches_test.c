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
    for (uint64_t count = 0; count < 100000; count++) {
        uint64_t length = 1ULL << clock.shift;
        assert_int_equal(clock.count, count);
        assert_int_equal(clock.batch, count / length);
        assert_int_equal(clock.end, (count / length + 1) * length);
        assert_true(clock.batch < QUANTILE_BATCHES);
        assert_true(clock.shift == 0 || clock.batch >= QUANTILE_BATCHES / 2);
        batches_clock_tick(&clock);
    }
}

/* --- Counts --- */

#define VALUES 5000

/* Each value with when it came. */
struct kept {
    uint64_t us[VALUES];
    uint64_t at[VALUES];
    size_t count;
};

static void expect_counts(const struct batches *kept_by_batches, const struct batches_clock *clock,
                          const struct kept *kept)
{
    struct batches copy = {.room = 0}, *batches = &copy;
    double all = 0;
    batches_add(batches, clock, kept_by_batches);
    batches_spread(batches);
    for (size_t bucket = 0; bucket < batches->room; bucket++) {
        double wanted[QUANTILE_BATCHES] = {0};
        for (size_t i = 0; i < kept->count; i++)
            if (kept->us[i] >= histogram_lowest(&batches_grid, bucket) &&
                kept->us[i] < histogram_lowest(&batches_grid, bucket + 1))
                wanted[kept->at[i] >> batches->shift]++;
        for (size_t i = 0; i < QUANTILE_BATCHES; i++) {
            assert_true((double)batches->counts[bucket][i] == wanted[i]);
            all += wanted[i];
        }
    }
    assert_true(all == (double)kept->count);
    batches_free(batches);
}

/* Several of one clock, some of which have nothing for long: each value is in the batch in which it came, by
 * itself and in the sum, whenever one looks. */
static void test_counts(void **state)
{
    (void)state;
    enum { SEVERAL = 3 };
    static struct kept kept[SEVERAL], together;
    struct batches batches[SEVERAL] = {{.room = 0}};
    struct batches_clock clock;
    struct random random;
    random_seed(&random, 1);
    batches_clock_init(&clock);
    for (size_t i = 0; i < VALUES; i++) {
        size_t which = random_below(&random, i > 500 && i < 4000 ? SEVERAL - 1 : SEVERAL);
        uint64_t us = (uint64_t)(200 * (double)(which + 1) * random_exponential(&random));
        us = i % 1000 == 999 ? us << 15 : us; /* now and then it takes long */
        batches_record(&batches[which], &clock, us);
        struct kept *both[] = {&kept[which], &together};
        for (size_t j = 0; j < ARRAY_LENGTH(both); j++) {
            both[j]->us[both[j]->count] = us;
            both[j]->at[both[j]->count++] = clock.count;
        }
        batches_clock_tick(&clock);
        if (i % 499 && i + 1 < VALUES)
            continue;
        struct batches sum = {.room = 0};
        for (size_t j = 0; j < SEVERAL; j++) {
            expect_counts(&batches[j], &clock, &kept[j]);
            batches_add(&sum, &clock, &batches[j]);
        }
        assert_true(!sum.room || sum.shift == clock.shift);
        expect_counts(&sum, &clock, &together);
        batches_free(&sum);
    }
    for (size_t i = 0; i < SEVERAL; i++)
        batches_free(&batches[i]);
}

/* The longest that there can be has a bucket, too. */
static void test_longest(void **state)
{
    (void)state;
    struct batches batches = {.room = 0};
    struct batches_clock clock;
    uint64_t all = 0;
    batches_clock_init(&clock);
    for (int i = 0; i < 3; i++) {
        batches_record(&batches, &clock, HISTOGRAM_HIGHEST * 2);
        batches_record(&batches, &clock, 0);
        batches_clock_tick(&clock);
    }
    assert_int_equal(batches.first_count, 6);
    batches_spread(&batches);
    for (size_t i = 0; i < batches.room; i++)
        for (size_t j = 0; j < QUANTILE_BATCHES; j++)
            all += batches.counts[i][j];
    assert_int_equal(all, 6);
    batches_free(&batches);
}

/* After more values than batches have room for they stay as they are. */
static void test_end(void **state)
{
    (void)state;
    struct batches batches = {.room = 0}, sum = {.room = 0};
    struct batches_clock clock;
    batches_clock_init(&clock);
    for (int i = 0; i < BATCHES_FIRST; i++)
        batches_record(&batches, &clock, 50);
    assert_int_equal(batches.room, 0);
    while (clock.end != UINT64_MAX) {
        clock.count = clock.end - 1;
        batches_record(&batches, &clock, 100);
        batches_clock_tick(&clock);
    }
    assert_int_equal(clock.count, 1ULL << (BATCHES_MOST_SHIFT + 5));
    assert_int_equal(batches.shift, BATCHES_MOST_SHIFT);
    uint64_t before = 0, after = 0;
    for (size_t i = 0; i < QUANTILE_BATCHES; i++)
        before += batches.counts[histogram_bucket(&batches_grid, 100)][i];
    for (int i = 0; i < 10; i++) {
        batches_record(&batches, &clock, 100);
        batches_clock_tick(&clock);
    }
    batches_add(&sum, &clock, &batches);
    for (size_t i = 0; i < QUANTILE_BATCHES; i++)
        after += sum.counts[histogram_bucket(&batches_grid, 100)][i];
    assert_int_equal(before, 32 + 16 * BATCHES_MOST_SHIFT);
    assert_int_equal(after, before);
    batches_free(&batches);
    batches_free(&sum);
}

/* --- Intervals --- */

struct sample {
    struct histogram histogram;
    struct batches batches;
    struct batches_clock clock;
};

static void begin(struct sample *sample)
{
    *sample = (struct sample){.batches = {.room = 0}};
    histogram_init(&sample->histogram, 3);
    batches_clock_init(&sample->clock);
}

static void add(struct sample *sample, uint64_t us)
{
    histogram_record(&sample->histogram, us);
    batches_record(&sample->batches, &sample->clock, us);
    batches_clock_tick(&sample->clock);
}

static struct batches_interval interval_of(const struct sample *sample, double quantile)
{
    return batches_interval(&sample->batches, &sample->histogram, quantile);
}

static void end(struct sample *sample)
{
    histogram_free(&sample->histogram);
    batches_free(&sample->batches);
}

/* The ends are bounds of buckets, so that what is rounded is inside. */
static void test_interval(void **state)
{
    (void)state;
    struct sample sample;
    begin(&sample);
    struct batches_interval interval = interval_of(&sample, 0.99);
    assert_true(!interval.has_low && !interval.has_high && interval.worth == 0);
    for (uint64_t i = 0; i < 1000; i++) /* in no order */
        add(&sample, (i * 377 % 1000 + 1) * 10);
    interval = interval_of(&sample, 0.5);
    assert_true(interval.worth == 1000);
    assert_true(interval.low <= 4690 && interval.low > 4685); /* ranks 469 and 532 */
    assert_true(interval.high >= 5320 && interval.high < 5325);
    interval = interval_of(&sample, 0.99);
    assert_true(interval.low <= 9830 && interval.low > 9820); /* 983 and 997 */
    assert_true(interval.high >= 9970 && interval.high < 9980);
    interval = interval_of(&sample, 0.999);
    assert_true(interval.has_low && !interval.has_high);
    end(&sample);
}

/* All take the same: there is nothing to be uncertain of. */
static void test_all_alike(void **state)
{
    (void)state;
    struct sample sample;
    begin(&sample);
    for (int i = 0; i < 1000; i++)
        add(&sample, 777);
    struct batches_interval interval = interval_of(&sample, 0.99);
    assert_true(interval.low == 777 && interval.high == 777 && interval.worth == 1000);
    end(&sample);
}

/* One in fifty was given up, all within a part of the run: they are one value to the histogram, and few. */
static void test_timeouts_of_once(void **state)
{
    (void)state;
    struct sample sample;
    struct random random;
    random_seed(&random, 2);
    begin(&sample);
    for (int i = 0; i < 20000; i++)
        add(&sample, i >= 10000 && i < 10400 ? 5000000 : (uint64_t)(1000 * random_exponential(&random)));
    struct batches_interval interval = interval_of(&sample, 0.99);
    assert_true(interval.has_low && interval.low < 10000 && !interval.has_high);
    assert_true(interval.worth < 400);
    interval = interval_of(&sample, 0.5);
    assert_true(interval.has_low && interval.low > 600 && interval.has_high && interval.high < 800);
    end(&sample);
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
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_interval),
        cmocka_unit_test(test_all_alike),
        cmocka_unit_test(test_timeouts_of_once),
        cmocka_unit_test(test_coverage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
