/* Runs that are made up, whose true quantiles are known: how often are these in the intervals? Also for
 * tests/bench/intervals.c, which does it more often. */
#ifndef HARNESSD_TESTS_QUANTILE_RUNS_H
#define HARNESSD_TESTS_QUANTILE_RUNS_H

#include <assert.h>
#include <math.h>
#include <stdbool.h>

#include "base/compiler.h"
#include "base/random.h"
#include "measure/batches.h"

static const double quantile_runs_quantiles[] = {0.5, 0.9, 0.95, 0.99, 0.999};
#define QUANTILE_RUNS_QUANTILES ARRAY_LENGTH(quantile_runs_quantiles)

/* How latencies come, one after the other, and the part of all that is above one. In ms. */
struct quantile_source {
    struct random random;
    double last;       /* of what the next depends on */
    double correlated; /* values until that is forgotten, to 1/e */
    double share;      /* of the time or load that there is */
};

static double quantile_runs_normal(struct random *random)
{
    return sqrt(2 * random_exponential(random)) * cos(2 * M_PI * random_unit(random));
}

/* --- Independent --- */

static double quantile_runs_draw_exponential(struct quantile_source *source)
{
    return random_exponential(&source->random);
}

static double quantile_runs_above_exponential(const struct quantile_source *source, double ms)
{
    (void)source;
    return exp(-ms);
}

/* A twentieth waits for a disk: p95 is between the two. */
static double quantile_runs_draw_bimodal(struct quantile_source *source)
{
    bool waits = random_unit(&source->random) < 0.05;
    return (waits ? 20 : 1) + random_exponential(&source->random) * (waits ? 10 : 0.1);
}

static double quantile_runs_above_bimodal(const struct quantile_source *source, double ms)
{
    (void)source;
    return 0.95 * (ms < 1 ? 1 : exp(-(ms - 1) / 0.1)) + 0.05 * (ms < 20 ? 1 : exp(-(ms - 20) / 10));
}

/* --- Correlated --- */

/* Lognormal, the logarithm being autoregressive. */
static double quantile_runs_draw_autoregressive(struct quantile_source *source)
{
    double keep = exp(-1 / source->correlated);
    source->last = isnan(source->last)
                       ? quantile_runs_normal(&source->random)
                       : keep * source->last + sqrt(1 - keep * keep) * quantile_runs_normal(&source->random);
    return exp(source->last);
}

static double quantile_runs_above_autoregressive(const struct quantile_source *source, double ms)
{
    (void)source;
    return ms > 0 ? erfc(log(ms) / M_SQRT2) / 2 : 1;
}

/* For a share of the time all are five times as slow. */
static double quantile_runs_draw_modulated(struct quantile_source *source)
{
    double change = 1 - exp(-1 / source->correlated);
    bool was_slow = source->last > 0, is_begun = !isnan(source->last);
    double chance = was_slow ? change * (1 - source->share) : change * source->share;
    double drawn = random_unit(&source->random);
    bool is_slow = is_begun ? (drawn < chance) != was_slow : drawn < source->share;
    source->last = is_slow;
    return random_exponential(&source->random) * (is_slow ? 5 : 1);
}

static double quantile_runs_above_modulated(const struct quantile_source *source, double ms)
{
    return source->share * exp(-ms / 5) + (1 - source->share) * exp(-ms);
}

/* A server with a queue, and arrivals of a share of what it can do, both by chance: M/M/1. */
static double quantile_runs_draw_queue(struct quantile_source *source)
{
    double waits = source->last, serves = random_exponential(&source->random);
    if (isnan(waits))
        waits = random_unit(&source->random) < source->share
                    ? random_exponential(&source->random) / (1 - source->share)
                    : 0;
    source->last = fmax(waits + serves - random_exponential(&source->random) / source->share, 0);
    return waits + serves;
}

static double quantile_runs_above_queue(const struct quantile_source *source, double ms)
{
    return exp(-ms * (1 - source->share));
}

/* --- Runs --- */

struct quantile_model {
    const char *name;
    double (*draw)(struct quantile_source *source);
    double (*above)(const struct quantile_source *source, double ms);
    size_t values;     /* of a run */
    size_t one_of;     /* so many of the run's operations is one of these: the clock is that of all */
    double correlated; /* 0: they are independent */
    double share;
};

#define EXPONENTIAL .draw = quantile_runs_draw_exponential, .above = quantile_runs_above_exponential
#define BIMODAL .draw = quantile_runs_draw_bimodal, .above = quantile_runs_above_bimodal
#define AUTOREGRESSIVE .draw = quantile_runs_draw_autoregressive, .above = quantile_runs_above_autoregressive
#define MODULATED .draw = quantile_runs_draw_modulated, .above = quantile_runs_above_modulated
#define QUEUE .draw = quantile_runs_draw_queue, .above = quantile_runs_above_queue

static const struct quantile_model quantile_runs_models[] = {
    {"independent, exponential", EXPONENTIAL, .values = 500},
    {"independent, exponential", EXPONENTIAL, .values = 1000},
    {"independent, exponential", EXPONENTIAL, .values = 10000},
    {"independent, exponential", EXPONENTIAL, .values = 100000},
    {"independent, one of ten operations", EXPONENTIAL, .values = 1000, .one_of = 10},
    {"independent, a twentieth slow", BIMODAL, .values = 10000},
    {"autoregressive over 10 values", AUTOREGRESSIVE, .values = 1000, .correlated = 10},
    {"autoregressive over 100 values", AUTOREGRESSIVE, .values = 10000, .correlated = 100},
    {"autoregressive over 10 values", AUTOREGRESSIVE, .values = 10000, .correlated = 10},
    {"autoregressive over 3 values", AUTOREGRESSIVE, .values = 10000, .correlated = 3},
    {"autoregressive over 100 values", AUTOREGRESSIVE, .values = 100000, .correlated = 100},
    {"slow half of the time, over 10", MODULATED, .values = 1000, .correlated = 10, .share = 0.5},
    {"slow half of the time, over 100", MODULATED, .values = 10000, .correlated = 100, .share = 0.5},
    {"slow a fifth of the time, over 100", MODULATED, .values = 10000, .correlated = 100, .share = 0.2},
    {"slow a tenth of the time, over 100", MODULATED, .values = 10000, .correlated = 100, .share = 0.1},
    {"slow a fifth of the time, over 10", MODULATED, .values = 10000, .correlated = 10, .share = 0.2},
    {"a queue, half busy", QUEUE, .values = 10000, .correlated = 6, .share = 0.5},
    {"a queue, 0.8 busy", QUEUE, .values = 20000, .correlated = 70, .share = 0.8},
};

#undef EXPONENTIAL
#undef BIMODAL
#undef AUTOREGRESSIVE
#undef MODULATED
#undef QUEUE

struct quantile_coverage {
    uint64_t runs;
    uint64_t covered; /* an end that is not known is beyond anything */
    uint64_t closed;  /* both ends are known */
    uint64_t covered_closed;
};

static double quantile_runs_true_us(const struct quantile_model *model, double quantile)
{
    struct quantile_source source = {.share = model->share};
    double low = 0, high = 1e6;
    for (int i = 0; i < 200; i++) {
        double middle = (low + high) / 2;
        if (model->above(&source, middle) > 1 - quantile)
            low = middle;
        else
            high = middle;
    }
    return low * 1000;
}

static void quantile_runs_fill(const struct quantile_model *model, uint64_t seed, struct histogram *histogram,
                               struct batches *batches)
{
    struct quantile_source source = {.last = NAN, .correlated = model->correlated, .share = model->share};
    struct batches_clock clock;
    batches_clock_init(&clock);
    random_seed(&source.random, seed);
    for (size_t i = 0; i < model->values; batches_clock_tick(&clock)) {
        if (model->one_of > 1 && random_below(&source.random, model->one_of) != 0)
            continue;
        uint64_t us = (uint64_t)(1000 * model->draw(&source));
        histogram_record(histogram, us);
        batches_record(batches, &clock, us);
        i++;
    }
}

static void quantile_runs_try(const struct quantile_model *model, uint64_t seed,
                              const double true_us[QUANTILE_RUNS_QUANTILES],
                              struct quantile_coverage coverage[QUANTILE_RUNS_QUANTILES])
{
    struct histogram histogram;
    struct batches batches = {.room = 0};
    histogram_init(&histogram, 3);
    quantile_runs_fill(model, seed, &histogram, &batches);
    for (size_t i = 0; i < QUANTILE_RUNS_QUANTILES; i++) {
        struct batches_interval interval = batches_interval(&batches, &histogram, quantile_runs_quantiles[i]);
        uint64_t us = (uint64_t)true_us[i]; /* as all are recorded */
        bool is_closed = interval.has_low && interval.has_high;
        bool is_covered =
            (!interval.has_low || interval.low <= us) && (!interval.has_high || us <= interval.high);
        coverage[i].runs++;
        coverage[i].covered += is_covered;
        coverage[i].closed += is_closed;
        coverage[i].covered_closed += is_covered && is_closed;
    }
    histogram_free(&histogram);
    batches_free(&batches);
}

static void quantile_runs_cover(const struct quantile_model *model, uint64_t runs,
                                struct quantile_coverage coverage[QUANTILE_RUNS_QUANTILES])
{
    double true_us[QUANTILE_RUNS_QUANTILES];
    for (size_t i = 0; i < QUANTILE_RUNS_QUANTILES; i++)
        true_us[i] = quantile_runs_true_us(model, quantile_runs_quantiles[i]);
    for (uint64_t run = 0; run < runs; run++)
        quantile_runs_try(model, run, true_us, coverage);
}

#endif
