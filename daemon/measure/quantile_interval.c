#include "measure/quantile_interval.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>

#include "base/compiler.h"

/* On each side of the interval. */
#define TAIL 0.025
#define NORMAL 1.959963985 /* of the normal distribution, what is beyond */

/* --- Binomial --- */

/* Numbers of successes between which 95 % are; -1: there is none so low or high. */
struct quantile_span {
    double few;  /* the most with P(successes <= few) <= TAIL */
    double many; /* the fewest with P(successes >= many) <= TAIL */
};

/* Far from both ends it is nearly normal, but for its skew (Cornish and Fisher). */
static struct quantile_span quantile_span_of_many(double trials, double chance)
{
    double mean = trials * chance, deviation = sqrt(mean * (1 - chance));
    double middle = mean + (1 - 2 * chance) * (NORMAL * NORMAL - 1) / 6;
    return (struct quantile_span){floor(middle - NORMAL * deviation - 0.5),
                                  ceil(middle + NORMAL * deviation + 0.5)};
}

/* `trials` is whole, `chance` at most a half. */
static struct quantile_span quantile_span_of(double trials, double chance)
{
    const double enough = 100;
    struct quantile_span span = {-1, -1};
    if (trials * chance * (1 - chance) > enough)
        return quantile_span_of_many(trials, chance);
    double term = exp(trials * log1p(-chance)), below = 0;
    for (double successes = 0; successes <= trials && span.many < 0; successes++) {
        if (1 - below <= TAIL)
            span.many = successes;
        below += term;
        if (below <= TAIL)
            span.few = successes;
        term *= (trials - successes) / (successes + 1) * chance / (1 - chance);
    }
    return span;
}

uint64_t quantile_needs(double quantile)
{
    double largest = quantile > 0.5 ? quantile : 1 - quantile;
    return (uint64_t)ceil(log(TAIL) / log(largest));
}

/* --- How much values are worth --- */

/* What Student's t is beyond with TAIL. */
static double quantile_student(size_t freedom)
{
    static const double values[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306,
                                    2.262,  2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
                                    2.110,  2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064,
                                    2.060,  2.056, 2.052, 2.048, 2.045, 2.042, 2.040};
    _Static_assert(ARRAY_LENGTH(values) == QUANTILE_BATCHES - 1, "one for each freedom");
    assert(freedom >= 1 && freedom <= ARRAY_LENGTH(values));
    return values[freedom - 1];
}

/* What a variance of independent values with a mean of 1 exceeds once in twenty times: chi-square (Wilson and
 * Hilferty). */
static double quantile_chance_variance(size_t freedom)
{
    const double normal = 1.644853627, part = 2.0 / (9.0 * (double)freedom);
    return pow(1 - part + normal * sqrt(part), 3);
}

static void quantile_pair(struct quantile_batches *batches)
{
    for (size_t i = 0; i < batches->count; i++) {
        double values = batches->values[i], within = batches->within[i];
        batches->values[i] = batches->within[i] = 0;
        batches->values[i / 2] += values;
        batches->within[i / 2] += within;
    }
    batches->count = (batches->count + 1) / 2;
}

struct quantile_look {
    double variance; /* by that of independent values */
    size_t freedom;  /* 0: there are too few batches */
};

static struct quantile_look quantile_look_at(const struct quantile_batches *batches, double quantile)
{
    const size_t fewest = 4;
    double values = 0, within = 0, squares = 0;
    size_t filled = 0;
    for (size_t i = 0; i < batches->count; i++) {
        values += batches->values[i];
        within += batches->within[i];
        filled += batches->values[i] > 0;
    }
    if (filled < fewest)
        return (struct quantile_look){.freedom = 0};
    for (size_t i = 0; i < batches->count; i++) {
        double above_mean = batches->within[i] - batches->values[i] * within / values;
        squares += above_mean * above_mean;
    }
    double variance = squares * (double)filled / (double)(filled - 1) + batches->spread;
    return (struct quantile_look){variance / (values * quantile * (1 - quantile)), filled - 1};
}

/* How many of the values count: 1, or less of those that are alike. */
static double quantile_worth(const struct quantile_batches *batches, double quantile)
{
    struct quantile_batches together = *batches;
    double widest = NORMAL * NORMAL;
    bool is_beyond_chance = false;
    for (int pairings = 0; pairings < 3; pairings++) {
        struct quantile_look look = quantile_look_at(&together, quantile);
        if (!look.freedom)
            break;
        double student = quantile_student(look.freedom);
        widest = fmax(widest, look.variance * student * student);
        is_beyond_chance |= look.variance > quantile_chance_variance(look.freedom);
        quantile_pair(&together);
    }
    return is_beyond_chance ? NORMAL * NORMAL / widest : 1;
}

/* --- Ranks --- */

/* Those values count that are beyond the quantile on its rarer side: the ends are told by their number. */
struct quantile_ranks quantile_ranks_of(const struct quantile_batches *batches, double values,
                                        double quantile)
{
    struct quantile_ranks ranks = {0};
    bool is_upper = quantile > 0.5;
    assert(quantile > 0 && quantile < 1 && batches->count <= QUANTILE_BATCHES);
    ranks.worth = values * quantile_worth(batches, quantile);
    double whole = floor(ranks.worth);
    if (whole < 1)
        return ranks;
    struct quantile_span span = quantile_span_of(whole, is_upper ? 1 - quantile : quantile);
    double each = values / whole; /* stand for one that is independent */
    double near = span.few < 0 ? 0 : floor(span.few * each) + 1, far = ceil(span.many * each);
    if (span.many < 0 || far > values)
        far = 0;
    if (is_upper) { /* they were counted from the top */
        ranks.high = near > 0 ? (uint64_t)(values - near + 1) : 0;
        ranks.low = far > 0 ? (uint64_t)(values - far + 1) : 0;
    } else {
        ranks.low = (uint64_t)near;
        ranks.high = (uint64_t)far;
    }
    return ranks;
}
