#include "load/latencies.h"

#include <stdlib.h>

#include "base/memory.h"
#include "term/term_read.h"
#include "term/term_sort.h"

#define DIGITS 3

/* One of so many replies, and one more, may have no time of the kernel's. */
#define OTHERS 100

void latencies_init(struct latencies *latencies, const struct scenario *scenario)
{
    *latencies = (struct latencies){.scenario = scenario};
    latencies->numbers = memory_zalloc(scenario->operation_count, sizeof(*latencies->numbers));
    histogram_init(&latencies->start_delay, DIGITS);
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
        free(latencies->items[i]);
    }
    histogram_free(&latencies->start_delay);
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

static struct latency *latency_of(struct latencies *latencies, uint32_t operation)
{
    if (!latencies->numbers[operation])
        latencies->numbers[operation] = (uint8_t)(find(latencies, operation) + 1);
    return latencies->items[latencies->numbers[operation] - 1];
}

void latencies_record(struct latencies *latencies, uint32_t operation, struct latency_sample sample)
{
    struct latency *latency = latency_of(latencies, operation);
    histogram_record(&latency->response, sample.response_us);
    histogram_record(&latencies->start_delay, sample.response_us - sample.service_us);
    latencies->excluded += sample.is_excluded;
    if (!sample.is_excluded)
        histogram_record(&latency->service, sample.service_us);
}

void latencies_record_failed(struct latencies *latencies, uint32_t operation, uint64_t response_us)
{
    histogram_record(&latency_of(latencies, operation)->failed, response_us);
}

static const struct histogram *response_of(const struct latency *latency)
{
    return &latency->response;
}

static const struct histogram *service_of(const struct latency *latency)
{
    return &latency->service;
}

static const struct histogram *failed_of(const struct latency *latency)
{
    return &latency->failed;
}

typedef const struct histogram *histogram_of(const struct latency *latency);

static void add_all(const struct latencies *latencies, histogram_of *of, struct histogram *histogram)
{
    for (size_t i = 0; i < ARRAY_LENGTH(latencies->items); i++)
        if (latencies->items[i])
            histogram_add(histogram, of(latencies->items[i]));
}

void latencies_add_responses(const struct latencies *latencies, struct histogram *histogram)
{
    add_all(latencies, response_of, histogram);
}

static const struct quantile {
    const char *key;
    double quantile;
} quantiles[] = {
    {"min_us", 0},    {"p50_us", 0.5},    {"p90_us", 0.9}, {"p95_us", 0.95},
    {"p99_us", 0.99}, {"p999_us", 0.999}, {"max_us", 1},
};

static void build_stats(const struct histogram *histogram, struct term_builder *builder)
{
    term_build_map(builder, ARRAY_LENGTH(quantiles) + 2);
    term_build_key_unsigned(builder, "count", histogram->count);
    term_build_key(builder, "mean_us");
    if (histogram->count)
        term_build_float(builder, histogram_mean(histogram));
    else
        term_build_atom(builder, "nil");
    for (size_t i = 0; i < ARRAY_LENGTH(quantiles); i++)
        term_build_key_known(builder, quantiles[i].key, histogram->count > 0,
                             histogram_quantile(histogram, quantiles[i].quantile));
}

static bool has_any(const struct latency *latency, histogram_of *of)
{
    return latency && of(latency)->count;
}

/* Keys `overall` and `operations`. */
static void build_view(const struct latencies *latencies, histogram_of *of, struct term_builder *builder)
{
    struct histogram overall;
    size_t count = 0;
    histogram_init(&overall, DIGITS);
    add_all(latencies, of, &overall);
    term_build_key(builder, "overall");
    build_stats(&overall, builder);
    histogram_free(&overall);
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
        build_stats(of(latency), builder);
    }
}

/* The first replies over a new connection have no stamps. */
static const char *clock_of(const struct latencies *latencies)
{
    uint64_t others = latencies->replies - latencies->by_kernel;
    if (!latencies->replies)
        return "nil";
    return latencies->by_kernel && others <= 1 + latencies->replies / OTHERS ? "kernel" : "loop";
}

void latencies_build(const struct latencies *latencies, struct term_builder *builder)
{
    term_build_map(builder, 5);
    build_view(latencies, response_of, builder);
    term_build_key(builder, "start_delay");
    build_stats(&latencies->start_delay, builder);
    term_build_key(builder, "service");
    term_build_map(builder, 4);
    build_view(latencies, service_of, builder);
    term_build_key(builder, "clock");
    term_build_atom(builder, clock_of(latencies));
    term_build_key_unsigned(builder, "excluded", latencies->excluded);
    term_build_key(builder, "failed");
    term_build_map(builder, 2);
    build_view(latencies, failed_of, builder);
}
