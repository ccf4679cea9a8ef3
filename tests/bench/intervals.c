/* How often the true quantile is inside of the interval that a report has of it: of runs that are made up, so
 * that it is known.
 *
 *     intervals [RUNS]
 *
 * A row for each kind of run: of 100 runs, in how many is the true one inside, an end that is not known being
 * beyond anything; and in brackets, in how many are both ends known, and of 100 of these, in how many is it
 * inside. The exit code is 1 when p99 is inside of fewer than
 * 94 of 100 where values are independent, of fewer than 92 where they are not, or of more than 99. */
#include "../unit/quantile_runs.h"

#include <stdio.h>
#include <stdlib.h>

#define RUNS 10000

static bool judge(const struct quantile_model *model, const struct quantile_coverage *coverage)
{
    double share = (double)coverage->covered / (double)coverage->runs;
    return share >= (model->correlated > 0 ? 0.92 : 0.94) && share <= 0.99;
}

static void print_coverage(const struct quantile_coverage *coverage)
{
    double runs = (double)coverage->runs, closed = (double)coverage->closed;
    printf(" %.1f", 100 * (double)coverage->covered / runs);
    if (closed > 0)
        printf(" (%.0f, %.1f)", 100 * closed / runs, 100 * (double)coverage->covered_closed / closed);
    printf(" |");
}

int main(int argc, char **argv)
{
    uint64_t runs = argc > 1 ? strtoull(argv[1], NULL, 10) : RUNS;
    bool is_missed = false;
    if (!runs) {
        fputs("usage: intervals [RUNS]\n", stderr);
        return 2;
    }
    printf("| of %llu runs | values | p50 | p90 | p95 | p99 | p99.9 | |\n", (unsigned long long)runs);
    printf("| --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for (size_t i = 0; i < ARRAY_LENGTH(quantile_runs_models); i++) {
        struct quantile_coverage coverage[QUANTILE_RUNS_QUANTILES] = {{0}};
        quantile_runs_cover(&quantile_runs_models[i], runs, coverage);
        bool is_met = judge(&quantile_runs_models[i], &coverage[3]);
        printf("| %s | %zu |", quantile_runs_models[i].name, quantile_runs_models[i].values);
        for (size_t j = 0; j < QUANTILE_RUNS_QUANTILES; j++)
            print_coverage(&coverage[j]);
        printf(" %s |\n", is_met ? "met" : "missed");
        fflush(stdout);
        is_missed |= !is_met;
    }
    return is_missed;
}
