#include "scenario/expectations.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "term/term_read.h"
#include "term/term_text.h"

/* What there is to judge by in most tests: response times of 1 to 1000 us, a tenth of the operations failed,
 * none dropped. */
static struct measured sample(struct histogram *response)
{
    histogram_init(response, 3);
    for (uint64_t i = 1; i <= 1000; i++)
        histogram_record(response, i);
    return (struct measured){.was_tried = true,
                             .has_asked_process = true,
                             .time_us = 1234567,
                             .memory_bytes = 5000,
                             .reductions = 600,
                             .response = response,
                             .operations = 1000,
                             .failed = 100,
                             .load_us = 500000,
                             .mailbox = 42,
                             .recovery_ms = 77};
}

static double figure_of(enum expectation_kind kind, const struct measured *measured)
{
    double figure = NAN;
    assert_true(expectation_measure(kind, measured, &figure));
    return figure;
}

static const double figures[EXPECTATION_KINDS] = {
    [EXPECT_TIME_MS] = 1234.567, [EXPECT_MEMORY_BYTES] = 5000, [EXPECT_REDUCTIONS] = 600,
    [EXPECT_P50_US] = 500,       [EXPECT_P90_US] = 900,        [EXPECT_P95_US] = 950,
    [EXPECT_P99_US] = 990,       [EXPECT_P999_US] = 999,       [EXPECT_ERROR_RATE] = 0.1,
    [EXPECT_OPS_PER_S] = 2000,   [EXPECT_MAILBOX] = 42,        [EXPECT_RECOVERY_MS] = 77,
};

static void test_figures(void **state)
{
    (void)state;
    struct histogram response;
    struct measured measured = sample(&response);
    for (size_t kind = 0; kind < EXPECTATION_KINDS; kind++)
        assert_true(fabs(figure_of((enum expectation_kind)kind, &measured) - figures[kind]) < 1e-9);
    histogram_free(&response);
}

/* At its limit an expectation is still met; beyond it, which is below for a minimum, it is not. */
static void test_limits(void **state)
{
    (void)state;
    struct histogram response;
    struct measured measured = sample(&response);
    for (size_t i = 0; i < EXPECTATION_KINDS; i++) {
        enum expectation_kind kind = (enum expectation_kind)i;
        double figure = figure_of(kind, &measured);
        bool minimum = kind == EXPECT_OPS_PER_S;
        struct expectation at = {.kind = kind, .limit = figure};
        struct expectation above = {.kind = kind, .limit = figure * 1.01};
        struct expectation below = {.kind = kind, .limit = figure * 0.99};
        assert_int_equal(expectation_judge(&at, &measured), EXPECTATION_MET);
        assert_int_equal(expectation_judge(&above, &measured),
                         minimum ? EXPECTATION_MISSED : EXPECTATION_MET);
        assert_int_equal(expectation_judge(&below, &measured),
                         minimum ? EXPECTATION_MET : EXPECTATION_MISSED);
    }
    histogram_free(&response);
}

/* Arrivals that were dropped are operations that failed, but none that were done. */
static void test_drops(void **state)
{
    (void)state;
    struct measured measured = {.was_tried = true,
                                .has_asked_process = true,
                                .operations = 50,
                                .failed = 10,
                                .dropped = 50,
                                .load_us = 1000000};
    assert_true(figure_of(EXPECT_ERROR_RATE, &measured) == 0.6);
    assert_true(figure_of(EXPECT_OPS_PER_S, &measured) == 50);
    measured = (struct measured){.was_tried = true, .has_asked_process = true, .dropped = 3};
    assert_true(figure_of(EXPECT_ERROR_RATE, &measured) == 1);
}

/* What was not observed is neither met nor missed, while it may still be. */
static void test_nothing_measured(void **state)
{
    (void)state;
    struct histogram empty;
    struct measured measured = {
        .was_tried = true, .has_asked_process = true, .mailbox = -1, .recovery_ms = -1};
    static const enum expectation_kind unknown[] = {EXPECT_P50_US,    EXPECT_P90_US,  EXPECT_P95_US,
                                                    EXPECT_P99_US,    EXPECT_P999_US, EXPECT_ERROR_RATE,
                                                    EXPECT_OPS_PER_S, EXPECT_MAILBOX, EXPECT_RECOVERY_MS};
    double figure;
    histogram_init(&empty, 3);
    for (size_t i = 0; i < ARRAY_LENGTH(unknown); i++) {
        struct expectation expectation = {.kind = unknown[i], .limit = 0};
        measured.response = i % 2 ? &empty : NULL;
        assert_false(expectation_measure(unknown[i], &measured, &figure));
        assert_int_equal(expectation_judge(&expectation, &measured), EXPECTATION_NOT_MEASURED);
    }
    histogram_free(&empty);
}

/* Of a load that never began there is nothing, of faults that chance said no to no recovery. */
static void test_nothing_tried(void **state)
{
    (void)state;
    struct measured measured = {.time_us = 5};
    struct expectation time = {.kind = EXPECT_TIME_MS, .limit = 10};
    struct expectation recovery = {.kind = EXPECT_RECOVERY_MS, .limit = 10};
    assert_int_equal(expectation_judge(&time, &measured), EXPECTATION_NOT_MEASURED);
    measured =
        (struct measured){.was_tried = true, .has_asked_process = true, .time_us = 5, .recovery_ms = -1};
    assert_int_equal(expectation_judge(&time, &measured), EXPECTATION_MET);
    assert_int_equal(expectation_judge(&recovery, &measured), EXPECTATION_NOT_MEASURED);
    measured.has_nothing_to_fix = true;
    assert_int_equal(expectation_judge(&recovery, &measured), EXPECTATION_MET);
    measured.recovery_ms = 11;
    assert_int_equal(expectation_judge(&recovery, &measured), EXPECTATION_MISSED);
}

/* --- Several of them --- */

struct named_list {
    struct expectations expectations;
    struct term_builder values[EXPECTATIONS_LIMIT];
};

static void expect(struct named_list *list, enum expectation_kind kind, double limit)
{
    size_t index = list->expectations.count++;
    if (limit == floor(limit))
        term_build_integer(&list->values[index], (int64_t)limit);
    else
        term_build_float(&list->values[index], limit);
    list->expectations.items[index] =
        (struct expectation){.kind = kind, .limit = limit, .value = term_built(&list->values[index])};
}

static void free_list(struct named_list *list)
{
    for (size_t i = 0; i < list->expectations.count; i++)
        term_build_free(&list->values[i]);
}

static void test_first_missed(void **state)
{
    (void)state;
    struct histogram response;
    struct measured measured = sample(&response);
    struct named_list list = {0};
    const struct expectations *all = &list.expectations;
    assert_null(expectations_missed(all, EXPECTATIONS_ALL, &measured, false));
    expect(&list, EXPECT_TIME_MS, 2000);
    expect(&list, EXPECT_P99_US, 10);
    expect(&list, EXPECT_ERROR_RATE, 0.01);
    expect(&list, EXPECT_P99_US, 5);
    assert_ptr_equal(expectations_missed(all, EXPECTATIONS_ALL, &measured, false), &all->items[1]);
    assert_ptr_equal(expectations_missed(all, 1u << EXPECT_ERROR_RATE, &measured, false), &all->items[2]);
    assert_null(expectations_missed(all, 1u << EXPECT_TIME_MS | 1u << EXPECT_MAILBOX, &measured, false));
    assert_null(expectations_missed(all, 0, &measured, false));
    assert_true(expectations_have(all, EXPECT_ERROR_RATE));
    assert_false(expectations_have(all, EXPECT_MAILBOX));
    assert_false(expectations_allow_all_errors(all));
    list.expectations.items[2].limit = 1;
    assert_true(expectations_allow_all_errors(all));
    measured.response = NULL;
    assert_null(expectations_missed(all, 1u << EXPECT_P99_US, &measured, false));
    assert_non_null(expectations_missed(all, 1u << EXPECT_P99_US, &measured, true));
    assert_int_equal(expectations_of_process(), 1u << EXPECT_MEMORY_BYTES | 1u << EXPECT_REDUCTIONS);
    free_list(&list);
    histogram_free(&response);
}

/* --- What is said --- */

static void expect_text(struct term term, const char *expected)
{
    const uint8_t *data;
    size_t size;
    assert_true(term_read_binary(term, &data, &size));
    if (size != strlen(expected) || memcmp(data, expected, size) != 0)
        fail_msg("'%.*s' is not '%s'", (int)size, (const char *)data, expected);
}

static void test_messages(void **state)
{
    (void)state;
    static const struct {
        enum expectation_kind kind;
        double limit;
        const char *message;
    } rows[] = {
        {EXPECT_TIME_MS, 1000, "Execution time 1234.57ms exceeded maximum of 1000ms"},
        {EXPECT_TIME_MS, 0.5, "Execution time 1234.57ms exceeded maximum of 0.5ms"},
        {EXPECT_MEMORY_BYTES, 4096, "Memory usage 5000 bytes exceeded maximum of 4096 bytes"},
        {EXPECT_REDUCTIONS, 0, "Reductions 600 exceeded maximum of 0"},
        {EXPECT_P50_US, 1, "Latency p50 500us exceeded maximum of 1us"},
        {EXPECT_P90_US, 1, "Latency p90 900us exceeded maximum of 1us"},
        {EXPECT_P95_US, 1, "Latency p95 950us exceeded maximum of 1us"},
        {EXPECT_P99_US, 1.25, "Latency p99 990us exceeded maximum of 1.25us"},
        {EXPECT_P999_US, 1, "Latency p99.9 999us exceeded maximum of 1us"},
        {EXPECT_ERROR_RATE, 0.01, "Error rate 0.1 exceeded maximum of 0.01"},
        {EXPECT_OPS_PER_S, 5000, "Rate of operations 2000.0/s below minimum of 5000/s"},
        {EXPECT_MAILBOX, 41, "Mailbox length 42 exceeded maximum of 41"},
        {EXPECT_RECOVERY_MS, 5, "Recovery time 77ms exceeded maximum of 5ms"},
    };
    struct histogram response;
    struct measured measured = sample(&response);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct named_list list = {0};
        struct term_builder error = {0};
        struct term value;
        expect(&list, rows[i].kind, rows[i].limit);
        expectation_build_error(&list.expectations.items[0], &measured, false, &error);
        expect_text(term_built(&error), rows[i].message);
        term_build_reset(&error);
        expectation_build_error(&list.expectations.items[0], &measured, true, &error);
        assert_true(term_pairs_get(term_built(&error), "__struct__", &value));
        assert_true(term_is_atom(value, "Elixir.RuntimeError"));
        assert_true(term_pairs_get(term_built(&error), "__exception__", &value));
        assert_true(term_is_atom(value, "true"));
        assert_true(term_pairs_get(term_built(&error), "message", &value));
        expect_text(value, rows[i].message);
        term_build_free(&error);
        free_list(&list);
    }
    histogram_free(&response);
}

/* As Float.round(number, 2) of Elixir has them. */
static void test_rounding(void **state)
{
    (void)state;
    static const struct {
        uint64_t time_us;
        const char *text;
    } rows[] = {{1624, "1.62"}, {1625, "1.63"}, {1626, "1.63"}, {1875, "1.88"},
                {2125, "2.13"}, {1005, "1.0"},  {1015, "1.01"}, {8375, "8.38"}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct measured measured = {.was_tried = true, .has_asked_process = true, .time_us = rows[i].time_us};
        struct named_list list = {0};
        struct term_builder error = {0};
        char message[100];
        expect(&list, EXPECT_TIME_MS, 0);
        expectation_build_error(&list.expectations.items[0], &measured, false, &error);
        snprintf(message, sizeof(message), "Execution time %sms exceeded maximum of 0ms", rows[i].text);
        expect_text(term_built(&error), message);
        free_list(&list);
        term_build_free(&error);
    }
}

/* Numbers as large as they come leave room for the rest of the message. */
static void test_huge_figures(void **state)
{
    (void)state;
    struct measured measured = {
        .was_tried = true, .has_asked_process = true, .time_us = UINT64_MAX, .memory_bytes = INT64_MAX};
    struct named_list list = {0};
    struct term_builder error = {0};
    expect(&list, EXPECT_TIME_MS, 1);
    expectation_build_error(&list.expectations.items[0], &measured, false, &error);
    expect_text(term_built(&error), "Execution time 18446744073709552.0ms exceeded maximum of 1ms");
    free_list(&list);
    term_build_free(&error);
}

static void expect_built(const struct expectations *expectations, const struct measured *measured,
                         bool is_judged, const char *expected)
{
    struct term_builder builder = {0};
    char text[1000];
    expectations_build(expectations, measured, is_judged, &builder);
    assert_string_equal(term_text(term_built(&builder), text, sizeof(text)), expected);
    term_build_free(&builder);
}

static void test_report(void **state)
{
    (void)state;
    struct histogram response;
    struct measured measured = sample(&response);
    struct named_list list = {0};
    expect_built(&list.expectations, &measured, true, "[]");
    expect(&list, EXPECT_P99_US, 100);
    expect(&list, EXPECT_TIME_MS, 2000);
    expect(&list, EXPECT_OPS_PER_S, 1);
    expect_built(
        &list.expectations, &measured, true,
        "[#{expectation => max_p99_us,limit => 100,measured => 990,met => false,certain => nil},"
        "#{expectation => max_time_ms,limit => 2000,measured => 1234.567,met => true,certain => nil},"
        "#{expectation => min_ops_per_s,limit => 1,measured => 2000.0,met => true,certain => nil}]");
    measured.response = NULL;
    list.expectations.count = 1;
    expect_built(&list.expectations, &measured, true,
                 "[#{expectation => max_p99_us,limit => 100,measured => nil,met => nil,certain => nil}]");
    list.expectations.items[0].kind = EXPECT_TIME_MS;
    expect_built(
        &list.expectations, &measured, false,
        "[#{expectation => max_time_ms,limit => 100,measured => 1234.567,met => nil,certain => nil}]");
    list.expectations.count = 3;
    free_list(&list);
    struct term_builder builder = {0};
    char text[200];
    measured_build(&measured, &builder);
    assert_string_equal(term_text(term_built(&builder), text, sizeof(text)),
                        "#{time_us => 1234567,memory_bytes => 5000,reductions => 600}");
    term_build_free(&builder);
    histogram_free(&response);
}

/* Whether the limit is beyond the interval on the side of the verdict; an end that is not known tells
 * nothing.
 */
static void test_certainty(void **state)
{
    (void)state;
    static const struct batches_interval closed = {.has_low = true, .has_high = true, .low = 90, .high = 110},
                                         from = {.has_low = true, .low = 90},
                                         to = {.has_high = true, .high = 110}, open = {.has_low = false};
    static const struct {
        const struct batches_interval *interval;
        enum expectation_verdict verdict;
        double limit;
        enum expectation_certainty certainty;
    } rows[] = {
        {&closed, EXPECTATION_MISSED, 89, EXPECTATION_CERTAIN},
        {&closed, EXPECTATION_MISSED, 90, EXPECTATION_UNCERTAIN},
        {&closed, EXPECTATION_MET, 109, EXPECTATION_UNCERTAIN},
        {&closed, EXPECTATION_MET, 110, EXPECTATION_CERTAIN},
        {&from, EXPECTATION_MISSED, 89, EXPECTATION_CERTAIN},
        {&from, EXPECTATION_MISSED, 90, EXPECTATION_UNCERTAIN},
        {&from, EXPECTATION_MET, 1e9, EXPECTATION_UNKNOWN},
        {&to, EXPECTATION_MISSED, 0, EXPECTATION_UNKNOWN},
        {&to, EXPECTATION_MET, 109, EXPECTATION_UNCERTAIN},
        {&to, EXPECTATION_MET, 110, EXPECTATION_CERTAIN},
        {&open, EXPECTATION_MET, 100, EXPECTATION_UNKNOWN},
        {&open, EXPECTATION_MISSED, 100, EXPECTATION_UNKNOWN},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct expectation expectation = {.kind = EXPECT_P99_US, .limit = rows[i].limit};
        assert_int_equal(expectation_certainty(&expectation, rows[i].verdict, rows[i].interval),
                         rows[i].certainty);
    }
}

/* Of what is a quantile, when something was measured, and judged. */
static void test_intervals(void **state)
{
    (void)state;
    struct histogram response, nothing;
    struct measured measured = sample(&response);
    struct batches batches = {.room = 0};
    struct batches_clock clock;
    struct batches_interval interval;
    struct named_list list = {0};
    batches_clock_init(&clock);
    for (uint64_t i = 1; i <= 1000; i++) /* all at once: nothing is known of what is alike */
        batches_record(&batches, &clock, i);
    assert_false(expectation_interval(EXPECT_P50_US, &measured, &interval));
    measured.batches = &batches;
    for (size_t kind = 0; kind < EXPECTATION_KINDS; kind++) {
        bool is_quantile = kind >= EXPECT_P50_US && kind <= EXPECT_P999_US;
        assert_int_equal(expectation_interval((enum expectation_kind)kind, &measured, &interval),
                         is_quantile);
        assert_int_equal(expectation_quantile((enum expectation_kind)kind) > 0, is_quantile);
    }
    assert_true(expectation_interval(EXPECT_P50_US, &measured, &interval));
    assert_true(interval.low == 469 && interval.high == 532);
    expect(&list, EXPECT_P50_US, 532);
    expect(&list, EXPECT_P50_US, 531);
    expect(&list, EXPECT_P50_US, 468);
    expect(&list, EXPECT_TIME_MS, 2000);
    expect_built(
        &list.expectations, &measured, true,
        "[#{expectation => max_p50_us,limit => 532,measured => 500,met => true,certain => true},"
        "#{expectation => max_p50_us,limit => 531,measured => 500,met => true,certain => false},"
        "#{expectation => max_p50_us,limit => 468,measured => 500,met => false,certain => true},"
        "#{expectation => max_time_ms,limit => 2000,measured => 1234.567,met => true,certain => nil}]");
    list.expectations.count = 1;
    expect_built(&list.expectations, &measured, false,
                 "[#{expectation => max_p50_us,limit => 532,measured => 500,met => nil,certain => nil}]");
    histogram_init(&nothing, 3);
    measured.response = &nothing;
    assert_false(expectation_interval(EXPECT_P50_US, &measured, &interval));
    list.expectations.count = 4;
    free_list(&list);
    batches_free(&batches);
    histogram_free(&response);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures),       cmocka_unit_test(test_limits),
        cmocka_unit_test(test_drops),         cmocka_unit_test(test_nothing_measured),
        cmocka_unit_test(test_nothing_tried), cmocka_unit_test(test_first_missed),
        cmocka_unit_test(test_messages),      cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_huge_figures),  cmocka_unit_test(test_report),
        cmocka_unit_test(test_certainty),     cmocka_unit_test(test_intervals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
