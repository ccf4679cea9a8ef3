#include "load/latencies.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "term/term_read.h"

#define MANY 200

/* A scenario of as many operations as are needed, and what a test looks at in the report. */
struct fixture {
    struct scenario scenario;
    struct operation operations[MANY];
    struct term_builder messages[MANY];
    struct latencies latencies;
    struct term_builder report;
};

static void add(struct fixture *fixture, enum operation_kind kind, int64_t message)
{
    size_t index = fixture->scenario.operation_count++;
    assert_true(index < MANY);
    term_build_integer(&fixture->messages[index], message);
    fixture->operations[index] =
        (struct operation){.kind = kind, .message = term_built(&fixture->messages[index])};
}

static void begin(struct fixture *fixture)
{
    fixture->scenario.operations = fixture->operations;
    latencies_init(&fixture->latencies, &fixture->scenario);
}

static void end(struct fixture *fixture)
{
    latencies_free(&fixture->latencies);
    term_build_free(&fixture->report);
    for (size_t i = 0; i < fixture->scenario.operation_count; i++)
        term_build_free(&fixture->messages[i]);
}

static void record_one(struct fixture *fixture, uint32_t operation, uint64_t response_us, uint64_t service_us)
{
    latencies_record(&fixture->latencies, operation,
                     (struct latency_sample){.response_us = response_us, .service_us = service_us});
}

static struct term get(struct term map, const char *key)
{
    struct term value = {0};
    if (!term_pairs_get(map, key, &value))
        fail_msg("no key %s", key);
    return value;
}

static double number(struct term map, const char *key)
{
    double value = -1;
    assert_true(term_read_number(get(map, key), &value));
    return value;
}

/* An end of -1 is nil. */
static void expect_interval(struct term stats, const char *key, double low, double high)
{
    const double ends[] = {low, high};
    struct term parts[2];
    double value;
    assert_true(term_read_tuple_of(get(stats, key), 2, parts));
    for (size_t i = 0; i < 2; i++) {
        if (ends[i] < 0)
            assert_true(term_is_atom(parts[i], "nil"));
        else
            assert_true(term_read_number(parts[i], &value) && value == ends[i]);
    }
}

/* The report, built anew. */
static struct term report(struct fixture *fixture)
{
    term_build_reset(&fixture->report);
    latencies_build(&fixture->latencies, &fixture->report);
    return term_built(&fixture->report);
}

/* The statistics of an operation in a map of them; without data when it is not there. */
static struct term of_operation(struct fixture *fixture, struct term operations, size_t operation)
{
    struct term_builder name = {0};
    struct term_pairs pairs;
    struct term key, value, found = {0};
    operation_build(&fixture->operations[operation], fixture->operations[operation].message, &name);
    assert_true(term_pairs_start(&pairs, operations));
    while (term_pairs_next(&pairs, &key, &value))
        if (term_same(key, term_built(&name)))
            found = value;
    term_build_free(&name);
    return found;
}

static size_t size_of(struct term map)
{
    struct term_pairs pairs;
    struct term key, value;
    size_t count = 0;
    assert_true(term_pairs_start(&pairs, map));
    while (term_pairs_next(&pairs, &key, &value))
        count++;
    return count;
}

/* --- */

static void test_nothing(void **state)
{
    (void)state;
    struct fixture fixture = {0};
    struct histogram all;
    add(&fixture, OPERATION_CALL, 1);
    begin(&fixture);
    struct term latency = report(&fixture), overall = get(latency, "overall");
    static const char *const keys[] = {"count",  "mean_us", "min_us",  "p50_us", "p90_us",
                                       "p95_us", "p99_us",  "p999_us", "max_us"};
    static const char *const intervals[] = {"p50_us_ci", "p90_us_ci", "p95_us_ci", "p99_us_ci", "p999_us_ci"};
    for (size_t i = 0; i < ARRAY_LENGTH(intervals); i++) {
        expect_interval(overall, intervals[i], -1, -1);
        expect_interval(get(get(latency, "service"), "overall"), intervals[i], -1, -1);
        expect_interval(get(get(latency, "failed"), "overall"), intervals[i], -1, -1);
    }
    for (size_t i = 1; i < ARRAY_LENGTH(keys); i++) {
        assert_true(term_is_atom(get(overall, keys[i]), "nil"));
        assert_true(term_is_atom(get(get(get(latency, "service"), "overall"), keys[i]), "nil"));
        assert_true(term_is_atom(get(get(latency, "start_delay"), keys[i]), "nil"));
    }
    assert_true(number(overall, "count") == 0);
    assert_int_equal(size_of(overall), ARRAY_LENGTH(keys) + ARRAY_LENGTH(intervals));
    assert_int_equal(size_of(latency), 5);
    assert_int_equal(size_of(get(latency, "operations")), 0);
    histogram_init(&all, 3);
    latencies_add_responses(&fixture.latencies, &all);
    assert_int_equal(all.count, 0);
    histogram_free(&all);
    end(&fixture);
}

/* The response time is what the user has waited, the service time what of it was the server's. */
static void test_one_operation(void **state)
{
    (void)state;
    struct fixture fixture = {0};
    add(&fixture, OPERATION_CALL, 1);
    begin(&fixture);
    for (uint64_t i = 1; i <= 1000; i++)
        record_one(&fixture, 0, 10 + i, i);
    struct term latency = report(&fixture), service = get(latency, "service");
    static const struct {
        const char *key;
        double response;
        double service;
    } rows[] = {{"count", 1000, 1000}, {"mean_us", 510.5, 500.5}, {"min_us", 11, 1},
                {"p50_us", 510, 500},  {"p90_us", 910, 900},      {"p95_us", 960, 950},
                {"p99_us", 1000, 990}, {"p999_us", 1009, 999},    {"max_us", 1010, 1000}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        assert_true(number(get(latency, "overall"), rows[i].key) == rows[i].response);
        assert_true(number(get(service, "overall"), rows[i].key) == rows[i].service);
        struct term response_of = of_operation(&fixture, get(latency, "operations"), 0);
        struct term service_of = of_operation(&fixture, get(service, "operations"), 0);
        assert_true(number(response_of, rows[i].key) == rows[i].response);
        assert_true(number(service_of, rows[i].key) == rows[i].service);
    }
    struct term delay = get(latency, "start_delay");
    assert_true(number(delay, "min_us") == 10 && number(delay, "max_us") == 10);
    assert_true(number(delay, "count") == 1000);
    end(&fixture);
}

/* One name has one histogram, however often the operation is in the scenario: kind and message are the name,
 * of custom operations the kind alone. */
static void test_names(void **state)
{
    (void)state;
    struct fixture fixture = {0};
    static const struct {
        enum operation_kind kind;
        int64_t message;
        uint64_t count; /* of its name */
    } rows[] = {{OPERATION_CALL, 1, 2}, {OPERATION_CALL, 2, 1},   {OPERATION_CAST, 1, 1},
                {OPERATION_CALL, 1, 2}, {OPERATION_CUSTOM, 7, 2}, {OPERATION_CUSTOM, 8, 2}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        add(&fixture, rows[i].kind, rows[i].message);
    begin(&fixture);
    for (uint32_t i = 0; i < ARRAY_LENGTH(rows); i++)
        record_one(&fixture, i, 100 * (i + 1), 50);
    struct term operations = get(report(&fixture), "operations");
    assert_int_equal(size_of(operations), 4);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        assert_true(number(of_operation(&fixture, operations, i), "count") == (double)rows[i].count);
    assert_true(number(of_operation(&fixture, operations, 0), "min_us") == 100);
    assert_true(number(of_operation(&fixture, operations, 3), "max_us") == 400);
    assert_true(number(of_operation(&fixture, operations, 2), "max_us") == 300);
    end(&fixture);
}

/* A name of its own is one whatever is behind it; none is there twice, and `other` is that of all others. */
static void test_own_names(void **state)
{
    (void)state;
    struct fixture fixture = {0};
    struct term_builder same = {0};
    static const enum operation_kind kinds[] = {OPERATION_CALL,   OPERATION_CUSTOM, OPERATION_CALL,
                                                OPERATION_CUSTOM, OPERATION_CALL,   OPERATION_CUSTOM};
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++)
        add(&fixture, kinds[i], (int64_t)i);
    operation_build(&fixture.operations[2], fixture.operations[2].message, &same);
    fixture.operations[0].name = fixture.operations[1].name = TERM_ATOM("publish");
    fixture.operations[3].name = term_built(&same);
    fixture.operations[4].name = TERM_ATOM("other");
    begin(&fixture);
    for (uint32_t i = 0; i < ARRAY_LENGTH(kinds); i++)
        record_one(&fixture, i, 10 * (i + 1), 5);
    struct term operations = get(report(&fixture), "operations");
    assert_int_equal(size_of(operations), 4);
    assert_true(number(get(operations, "publish"), "count") == 2);
    assert_true(number(of_operation(&fixture, operations, 2), "count") == 2);
    assert_true(number(get(operations, "other"), "count") == 1);
    assert_true(number(get(operations, "custom"), "count") == 1);
    term_build_free(&same);
    end(&fixture);
}

/* The first 64 names that are recorded have their own histograms, whatever their order in the scenario. */
static void test_others(void **state)
{
    (void)state;
    struct fixture fixture = {0};
    for (int64_t i = 0; i < MANY; i++)
        add(&fixture, OPERATION_CALL, i);
    begin(&fixture);
    for (int round = 0; round < 3; round++)
        for (uint32_t i = MANY; i-- > 0;)
            record_one(&fixture, i, i + 1, i);
    struct term latency = report(&fixture), operations = get(latency, "operations");
    assert_int_equal(fixture.latencies.count, LATENCIES_OPERATIONS);
    assert_int_equal(size_of(operations), LATENCIES_OPERATIONS + 1);
    for (size_t i = 0; i < MANY; i++) {
        struct term own = of_operation(&fixture, operations, i);
        assert_int_equal(own.data != NULL, i >= MANY - LATENCIES_OPERATIONS);
        if (own.data) {
            assert_true(number(own, "count") == 3);
            assert_true(number(own, "max_us") == (double)(i + 1));
        }
    }
    struct term other = get(operations, "other");
    assert_true(number(other, "count") == 3 * (MANY - LATENCIES_OPERATIONS));
    assert_true(number(other, "max_us") == MANY - LATENCIES_OPERATIONS);
    assert_true(number(get(get(get(latency, "service"), "operations"), "other"), "min_us") == 0);
    assert_true(number(get(latency, "overall"), "count") == 3 * MANY);
    end(&fixture);
}

/* All operations together are what their histograms add up to, those of others included. */
static void test_all_together(void **state)
{
    (void)state;
    struct fixture fixture = {0};
    struct histogram expected, all;
    struct random random;
    for (int64_t i = 0; i < 100; i++)
        add(&fixture, OPERATION_CALL, i);
    begin(&fixture);
    histogram_init(&expected, 3);
    histogram_init(&all, 3);
    random_seed(&random, 1);
    for (int i = 0; i < 50000; i++) {
        uint64_t response = (uint64_t)(20000 * random_exponential(&random));
        record_one(&fixture, (uint32_t)random_below(&random, 100), response, response / 2);
        histogram_record(&expected, response);
    }
    latencies_add_responses(&fixture.latencies, &all);
    assert_int_equal(all.count, 50000);
    assert_int_equal(all.room, expected.room);
    assert_memory_equal(all.counts, expected.counts, all.room * sizeof(*all.counts));
    struct term overall = get(report(&fixture), "overall");
    assert_true(number(overall, "p99_us") == (double)histogram_quantile(&expected, 0.99));
    assert_true(number(overall, "mean_us") == histogram_mean(&expected));
    histogram_free(&expected);
    histogram_free(&all);
    end(&fixture);
}

/* What has failed fast is by itself. */
static void test_failed(void **state)
{
    (void)state;
    struct fixture fixture = {0};
    struct histogram all;
    add(&fixture, OPERATION_CALL, 1);
    add(&fixture, OPERATION_CALL, 2);
    begin(&fixture);
    record_one(&fixture, 0, 5000, 4000);
    latencies_record_failed(&fixture.latencies, 0, 10);
    latencies_record_failed(&fixture.latencies, 1, 20);
    struct term latency = report(&fixture), failed = get(latency, "failed");
    assert_true(number(get(latency, "overall"), "count") == 1);
    assert_true(number(get(latency, "overall"), "min_us") == 5000);
    assert_int_equal(size_of(get(latency, "operations")), 1);
    assert_true(number(get(get(latency, "service"), "overall"), "count") == 1);
    assert_true(number(get(latency, "start_delay"), "count") == 1);
    assert_true(number(get(failed, "overall"), "count") == 2);
    assert_true(number(get(failed, "overall"), "max_us") == 20);
    assert_int_equal(size_of(get(failed, "operations")), 2);
    assert_true(number(of_operation(&fixture, get(failed, "operations"), 1), "min_us") == 20);
    histogram_init(&all, 3);
    latencies_add_responses(&fixture.latencies, &all);
    assert_int_equal(all.count, 1);
    histogram_free(&all);
    end(&fixture);
}

/* An operation that was sent while the other side took no more has waited, but nobody knows where. */
static void test_excluded(void **state)
{
    (void)state;
    struct fixture fixture = {0};
    add(&fixture, OPERATION_CALL, 1);
    begin(&fixture);
    record_one(&fixture, 0, 5000, 4000);
    const struct latency_sample excluded = {.response_us = 900, .service_us = 300, .is_excluded = true};
    latencies_record(&fixture.latencies, 0, excluded);
    assert_int_equal(latencies_sent_late_us(&fixture.latencies, 0.5), 0);
    assert_int_equal(latencies_sent_late_us(&fixture.latencies, 0.99), 1000);
    struct term latency = report(&fixture), service = get(latency, "service");
    assert_true(number(service, "excluded") == 1);
    assert_true(number(get(service, "overall"), "count") == 1);
    assert_true(number(get(service, "overall"), "min_us") == 4000);
    assert_true(number(get(latency, "overall"), "count") == 2);
    assert_true(number(get(latency, "overall"), "min_us") == 900);
    assert_true(number(get(latency, "start_delay"), "count") == 2);
    assert_true(number(get(latency, "start_delay"), "min_us") == 600);
    end(&fixture);
}

/* It is the kernel's clock unless more replies than a few have not come by it. */
static void test_clock(void **state)
{
    (void)state;
    static const struct {
        int by_kernel, by_loop;
        const char *clock;
    } rows[] = {{0, 0, "nil"},  {0, 1, "loop"},   {1, 0, "kernel"},     {1, 1, "kernel"},
                {1, 2, "loop"}, {0, 500, "loop"}, {1000, 11, "kernel"}, {1000, 13, "loop"}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct fixture fixture = {0};
        begin(&fixture);
        for (int k = 0; k < rows[i].by_kernel; k++)
            latencies_count_reply(&fixture.latencies, true);
        for (int k = 0; k < rows[i].by_loop; k++)
            latencies_count_reply(&fixture.latencies, false);
        struct term clock = get(get(report(&fixture), "service"), "clock");
        if (!term_is_atom(clock, rows[i].clock))
            fail_msg("of %d and %d not %s", rows[i].by_kernel, rows[i].by_loop, rows[i].clock);
        end(&fixture);
    }
}

/* --- Intervals --- */

/* Of some times. */
struct watched {
    struct histogram histogram;
    struct batches batches;
};

static void watch(struct watched *watched, const struct batches_clock *clock, uint64_t us)
{
    histogram_record(&watched->histogram, us);
    batches_record(&watched->batches, clock, us);
}

static void expect_intervals(struct term stats, const struct watched *watched)
{
    static const struct {
        const char *key;
        const char *interval_key;
        double quantile;
    } rows[] = {{"p50_us", "p50_us_ci", 0.5},
                {"p90_us", "p90_us_ci", 0.9},
                {"p95_us", "p95_us_ci", 0.95},
                {"p99_us", "p99_us_ci", 0.99},
                {"p999_us", "p999_us_ci", 0.999}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct batches_interval interval =
            batches_interval(&watched->batches, &watched->histogram, rows[i].quantile);
        double low = interval.has_low ? (double)interval.low : -1;
        double high = interval.has_high ? (double)interval.high : -1;
        expect_interval(stats, rows[i].interval_key, low, high);
        assert_true(low <= number(stats, rows[i].key));
        assert_true(!interval.has_high || number(stats, rows[i].key) <= high);
    }
}

/* Of all and of each, of what they have taken in whatever way: as if each had been looked at all the time. */
static void test_intervals(void **state)
{
    (void)state;
    enum { OPERATIONS = 3, VIEWS = 3, ALL = OPERATIONS };
    struct fixture fixture = {0};
    struct watched watched[VIEWS][OPERATIONS + 1] = {{{.batches = {.room = 0}}}};
    struct random random;
    random_seed(&random, 3);
    for (int64_t i = 0; i < OPERATIONS; i++)
        add(&fixture, OPERATION_CALL, i);
    begin(&fixture);
    for (size_t i = 0; i < VIEWS; i++)
        for (size_t j = 0; j <= OPERATIONS; j++)
            histogram_init(&watched[i][j].histogram, 3);
    for (int i = 0; i < 6000; i++) {
        const struct batches_clock clock = fixture.latencies.clock;
        /* What is slow is so for a while; one operation is rare. */
        uint64_t us = (uint64_t)((i % 600 < 60 ? 5000 : 1000) * random_exponential(&random));
        uint32_t operation = random_below(&random, 50) ? (uint32_t)random_below(&random, 2) : 2;
        if (random_below(&random, 4)) {
            record_one(&fixture, operation, us + us / 4, us);
            watch(&watched[0][operation], &clock, us + us / 4);
            watch(&watched[0][ALL], &clock, us + us / 4);
            watch(&watched[1][operation], &clock, us);
            watch(&watched[1][ALL], &clock, us);
        } else {
            latencies_record_failed(&fixture.latencies, operation, us / 10);
            watch(&watched[2][operation], &clock, us / 10);
            watch(&watched[2][ALL], &clock, us / 10);
        }
        if (i % 711 && i < 5999)
            continue;
        struct term latency = report(&fixture);
        const struct term views[VIEWS] = {latency, get(latency, "service"), get(latency, "failed")};
        for (size_t j = 0; j < VIEWS && i > 711; j++) {
            expect_intervals(get(views[j], "overall"), &watched[j][ALL]);
            for (size_t k = 0; k < OPERATIONS; k++)
                expect_intervals(of_operation(&fixture, get(views[j], "operations"), k), &watched[j][k]);
        }
    }
    struct batches all = {.room = 0};
    latencies_add_response_batches(&fixture.latencies, &all);
    assert_true(batches_interval(&all, &watched[0][ALL].histogram, 0.9).worth ==
                batches_interval(&watched[0][ALL].batches, &watched[0][ALL].histogram, 0.9).worth);
    batches_free(&all);
    for (size_t i = 0; i < VIEWS; i++) {
        for (size_t j = 0; j <= OPERATIONS; j++) {
            histogram_free(&watched[i][j].histogram);
            batches_free(&watched[i][j].batches);
        }
    }
    end(&fixture);
}

/* Of as many as it takes there are two ends, and of one less there are not. */
static void test_open_intervals(void **state)
{
    (void)state;
    struct fixture fixture = {0};
    add(&fixture, OPERATION_CALL, 1);
    begin(&fixture);
    for (uint64_t i = 0; i < 367; i++)
        record_one(&fixture, 0, 1 + i * 100 % 367, 1 + i * 100 % 367);
    expect_interval(get(report(&fixture), "overall"), "p99_us_ci", 359, -1);
    expect_interval(get(report(&fixture), "overall"), "p999_us_ci", 365, -1);
    record_one(&fixture, 0, 368, 368);
    expect_interval(get(report(&fixture), "overall"), "p99_us_ci", 360, 368);
    assert_int_equal(size_of(get(report(&fixture), "start_delay")), 9); /* has none */
    end(&fixture);
}

/* Kinds by their names, with their service times, and what all of them are above the median of all. */
static void test_kinds(void **state)
{
    (void)state;
    struct fixture fixture = {0};
    uint64_t median_us;
    add(&fixture, OPERATION_CALL, 1);
    add(&fixture, OPERATION_CALL, 2);
    add(&fixture, OPERATION_CALL, 1); /* as the first */
    begin(&fixture);
    assert_int_equal(latencies_kind(&fixture.latencies, 0), 0);
    assert_null(latencies_service(&fixture.latencies, 0));
    assert_int_equal(latencies_above_median(&fixture.latencies, &median_us), 0);
    assert_int_equal(median_us, 0);
    for (int i = 0; i < 6; i++)
        record_one(&fixture, i % 2 ? 2 : 0, 500, 100);
    record_one(&fixture, 1, 900, 300);
    record_one(&fixture, 1, 900, 600);
    size_t first = latencies_kind(&fixture.latencies, 0), second = latencies_kind(&fixture.latencies, 1);
    assert_true(first && second && first != second);
    assert_int_equal(latencies_kind(&fixture.latencies, 2), first);
    assert_int_equal(latencies_service(&fixture.latencies, first)->count, 6);
    assert_int_equal(latencies_service(&fixture.latencies, second)->count, 2);
    assert_int_equal(latencies_above_median(&fixture.latencies, &median_us), 200 + 500);
    assert_int_equal(median_us, 100);
    end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),        cmocka_unit_test(test_one_operation),
        cmocka_unit_test(test_names),          cmocka_unit_test(test_own_names),
        cmocka_unit_test(test_others),         cmocka_unit_test(test_failed),
        cmocka_unit_test(test_excluded),       cmocka_unit_test(test_clock),
        cmocka_unit_test(test_all_together),   cmocka_unit_test(test_intervals),
        cmocka_unit_test(test_open_intervals), cmocka_unit_test(test_kinds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
