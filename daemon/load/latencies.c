#include "load/latencies.h"

#include <stdlib.h>

#include "base/memory.h"
#include "term/term_read.h"
#include "term/term_sort.h"

#define DIGITS 3

/* One of so many replies, and one more, may have no time of the kernel's. */
#define STAMPED 100

void latencies_init(struct latencies *latencies, const struct scenario *scenario)
{
    *latencies = (struct latencies){.scenario = scenario};
    batches_clock_init(&latencies->clock);
    latencies->numbers = memory_zalloc(scenario->operation_count, sizeof(*latencies->numbers));
    histogram_init(&latencies->start_delay, DIGITS);
    histogram_init(&latencies->waited_response, DIGITS);
    histogram_init(&latencies->waited_service, DIGITS);
}

void latencies_free(struct latencies *latencies)
{
    for (size_t i = 0; i < ARRAY_LENGTH(latencies->items); i++) {
        if (!latencies->items[i])
            continue;
        buffer_free(&latencies->items[i]->name);
        histogram_free(&latencies->items[i]->response);
        histogram_free(&latencies->items[i]->service);
        histogram_free(&latencies->items[i]->failed);
        batches_free(&latencies->items[i]->response_batches);
        batches_free(&latencies->items[i]->service_batches);
        batches_free(&latencies->items[i]->failed_batches);
        free(latencies->items[i]);
    }
    histogram_free(&latencies->start_delay);
    histogram_free(&latencies->waited_response);
    histogram_free(&latencies->waited_service);
    free(latencies->numbers);
}

static struct latency *new_latency(struct buffer name)
{
    struct latency *latency = memory_zalloc(1, sizeof(*latency));
    latency->name = name;
    histogram_init(&latency->response, DIGITS);
    histogram_init(&latency->service, DIGITS);
    histogram_init(&latency->failed, DIGITS);
    return latency;
}

/* As it stands in reports, sorted; empty when it is too long to have a row of its own, or that of the others.
 */
static struct buffer name_of(const struct operation *operation)
{
    struct term_builder builder = {0};
    struct buffer name = {0};
    size_t size = operation->name.data                  ? operation->name.size
                  : operation->kind == OPERATION_CUSTOM ? 0 /* all of them are one */
                                                        : operation->message.size;
    if (size <= LATENCIES_NAME_BYTES) {
        operation_build_name(operation, &builder);
        term_sort(term_built(&builder), &name);
        term_build_free(&builder);
    }
    if (term_is_atom(term_of(&name), "other"))
        buffer_free(&name);
    return name;
}

static size_t find(struct latencies *latencies, uint32_t operation)
{
    struct buffer name = name_of(&latencies->scenario->operations[operation]);
    size_t number = name.size ? 0 : LATENCIES_OPERATIONS;
    while (number < latencies->count && !term_same(term_of(&latencies->items[number]->name), term_of(&name)))
        number++;
    if (latencies->items[number]) {
        buffer_free(&name);
        return number;
    }
    latencies->items[number] = new_latency(name);
    latencies->count += number < LATENCIES_OPERATIONS;
    return number;
}

static ALWAYS_INLINE struct latency *latency_of(struct latencies *latencies, uint32_t operation)
{
    if (!latencies->numbers[operation])
        latencies->numbers[operation] = (uint8_t)(find(latencies, operation) + 1);
    return latencies->items[latencies->numbers[operation] - 1];
}

static void record_waited(struct latencies *latencies, struct latency_sample sample)
{
    latencies->waited += sample.has_waited;
    histogram_record(&latencies->waited_response, sample.response_us);
    if (!sample.is_excluded)
        histogram_record(&latencies->waited_service, sample.service_us);
}

static void record_service(struct latencies *latencies, struct latency *latency, uint64_t us)
{
    histogram_record(&latency->service, us);
    batches_record(&latency->service_batches, &latencies->clock, us);
}

void latencies_record(struct latencies *latencies, uint32_t operation, struct latency_sample sample)
{
    struct latency *latency = latency_of(latencies, operation);
    histogram_record(&latency->response, sample.response_us);
    batches_record(&latency->response_batches, &latencies->clock, sample.response_us);
    histogram_record(&latencies->start_delay, sample.response_us - sample.service_us);
    latencies->excluded += sample.is_excluded;
    if (!sample.is_excluded)
        record_service(latencies, latency, sample.service_us);
    if (sample.has_waited || sample.is_excluded)
        record_waited(latencies, sample);
    batches_clock_tick(&latencies->clock);
}

/* The first replies over a new connection have no stamps. */
bool latencies_are_of_kernel(const struct latencies *latencies)
{
    const uint64_t others = latencies->replies - latencies->by_kernel;
    return latencies->by_kernel && others <= 1 + latencies->replies / STAMPED;
}

void latencies_record_failed(struct latencies *latencies, uint32_t operation, uint64_t response_us)
{
    struct latency *latency = latency_of(latencies, operation);
    histogram_record(&latency->failed, response_us);
    batches_record(&latency->failed_batches, &latencies->clock, response_us);
    batches_clock_tick(&latencies->clock);
}

size_t latencies_kind(const struct latencies *latencies, uint32_t operation)
{
    return latencies->numbers[operation];
}

const struct histogram *latencies_service(const struct latencies *latencies, size_t kind)
{
    return kind && latencies->items[kind - 1] ? &latencies->items[kind - 1]->service : NULL;
}

/* --- Views --- */

/* Times of one kind. */
struct view {
    const struct histogram *histogram;
    const struct batches *batches; /* NULL: when they came does not matter */
};

typedef struct view view_of(const struct latency *latency);

static struct view response_of(const struct latency *latency)
{
    return (struct view){&latency->response, &latency->response_batches};
}

static struct view service_of(const struct latency *latency)
{
    return (struct view){&latency->service, &latency->service_batches};
}

static struct view failed_of(const struct latency *latency)
{
    return (struct view){&latency->failed, &latency->failed_batches};
}

static void add_all(const struct latencies *latencies, view_of *of, struct histogram *histogram)
{
    for (size_t i = 0; i < ARRAY_LENGTH(latencies->items); i++)
        if (latencies->items[i])
            histogram_add(histogram, of(latencies->items[i]).histogram);
}

static void add_all_batches(const struct latencies *latencies, view_of *of, struct batches *batches)
{
    for (size_t i = 0; i < ARRAY_LENGTH(latencies->items); i++)
        if (latencies->items[i])
            batches_add(batches, &latencies->clock, of(latencies->items[i]).batches);
}

uint64_t latencies_above_median(const struct latencies *latencies, uint64_t *median_us)
{
    struct histogram all;
    uint64_t above_us = 0;
    histogram_init(&all, DIGITS);
    add_all(latencies, service_of, &all);
    *median_us = histogram_quantile(&all, 0.5);
    for (size_t i = histogram_bucket(&all, *median_us) + 1; i < all.room; i++)
        above_us += all.counts[i] * (histogram_lowest(&all, i) - *median_us);
    histogram_free(&all);
    return above_us;
}

void latencies_add_responses(const struct latencies *latencies, struct histogram *histogram)
{
    add_all(latencies, response_of, histogram);
}

void latencies_add_response_batches(const struct latencies *latencies, struct batches *batches)
{
    add_all_batches(latencies, response_of, batches);
}

/* Those that could be sent in time would have their service times, and the others what they have. */
uint64_t latencies_sent_late_us(const struct latencies *latencies, double quantile)
{
    struct histogram response, in_time;
    histogram_init(&response, DIGITS);
    histogram_init(&in_time, DIGITS);
    add_all(latencies, response_of, &response);
    add_all(latencies, service_of, &in_time);
    histogram_subtract(&in_time, &latencies->waited_service);
    histogram_add(&in_time, &latencies->waited_response);
    uint64_t us = histogram_quantile(&response, quantile),
             in_time_us = histogram_quantile(&in_time, quantile);
    histogram_free(&response);
    histogram_free(&in_time);
    return us > in_time_us ? us - in_time_us : 0;
}

/* --- The report --- */

static const struct quantile {
    const char *key;
    const char *interval_key;
} quantiles[] = {
    {"p50_us", "p50_us_ci"}, {"p90_us", "p90_us_ci"},   {"p95_us", "p95_us_ci"},
    {"p99_us", "p99_us_ci"}, {"p999_us", "p999_us_ci"},
};

static const double shares[] = {0.5, 0.9, 0.95, 0.99, 0.999};
_Static_assert(ARRAY_LENGTH(shares) == ARRAY_LENGTH(quantiles), "each has its keys");

static void build_intervals(const struct view *view, struct term_builder *builder)
{
    struct batches_interval intervals[ARRAY_LENGTH(quantiles)];
    batches_intervals(view->batches, view->histogram, shares, ARRAY_LENGTH(quantiles), intervals);
    for (size_t i = 0; i < ARRAY_LENGTH(quantiles); i++) {
        term_build_key(builder, quantiles[i].interval_key);
        term_build_tuple(builder, 2);
        term_build_known(builder, intervals[i].has_low, intervals[i].low);
        term_build_known(builder, intervals[i].has_high, intervals[i].high);
    }
}

static void build_stats(const struct view *view, struct term_builder *builder)
{
    enum { OTHERS = 4 }; /* than quantiles */
    const struct histogram *histogram = view->histogram;
    bool is_filled = histogram->count > 0;
    term_build_map(builder, OTHERS + ARRAY_LENGTH(quantiles) * (view->batches ? 2 : 1));
    term_build_key_unsigned(builder, "count", histogram->count);
    term_build_key(builder, "mean_us");
    if (is_filled)
        term_build_float(builder, histogram_mean(histogram));
    else
        term_build_atom(builder, "nil");
    term_build_key_known(builder, "min_us", is_filled, histogram->min);
    for (size_t i = 0; i < ARRAY_LENGTH(quantiles); i++)
        term_build_key_known(builder, quantiles[i].key, is_filled, histogram_quantile(histogram, shares[i]));
    term_build_key_known(builder, "max_us", is_filled, histogram->max);
    if (view->batches)
        build_intervals(view, builder);
}

static bool has_any(const struct latency *latency, view_of *of)
{
    return latency && of(latency).histogram->count;
}

static void build_overall(const struct latencies *latencies, view_of *of, struct term_builder *builder)
{
    struct histogram histogram;
    struct batches batches = {.room = 0};
    histogram_init(&histogram, DIGITS);
    add_all(latencies, of, &histogram);
    add_all_batches(latencies, of, &batches);
    build_stats(&(struct view){&histogram, &batches}, builder);
    histogram_free(&histogram);
    batches_free(&batches);
}

/* Keys `overall` and `operations`. */
static void build_view(const struct latencies *latencies, view_of *of, struct term_builder *builder)
{
    size_t count = 0;
    term_build_key(builder, "overall");
    build_overall(latencies, of, builder);
    for (size_t i = 0; i < ARRAY_LENGTH(latencies->items); i++)
        count += has_any(latencies->items[i], of);
    term_build_key(builder, "operations");
    term_build_map(builder, count);
    for (size_t i = 0; i < ARRAY_LENGTH(latencies->items); i++) {
        const struct latency *latency = latencies->items[i];
        if (!has_any(latency, of))
            continue;
        if (i < LATENCIES_OPERATIONS)
            term_build_term(builder, term_of(&latency->name));
        else
            term_build_atom(builder, "other");
        const struct view view = of(latency);
        build_stats(&view, builder);
    }
}

void latencies_build(const struct latencies *latencies, struct term_builder *builder)
{
    term_build_map(builder, 5);
    build_view(latencies, response_of, builder);
    term_build_key(builder, "start_delay");
    build_stats(&(struct view){.histogram = &latencies->start_delay}, builder);
    term_build_key(builder, "service");
    term_build_map(builder, 4);
    build_view(latencies, service_of, builder);
    term_build_key(builder, "clock");
    term_build_atom(builder, !latencies->replies                  ? "nil"
                             : latencies_are_of_kernel(latencies) ? "kernel"
                                                                  : "loop");
    term_build_key_unsigned(builder, "excluded", latencies->excluded);
    term_build_key(builder, "failed");
    term_build_map(builder, 2);
    build_view(latencies, failed_of, builder);
}
