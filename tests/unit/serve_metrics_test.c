#include "metrics_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "scenario/fault_kinds.h"

static struct counters counters;
static struct buffer text;

static int begin(void **state)
{
    (void)state;
    counters_init(&counters);
    return 0;
}

static int end(void **state)
{
    (void)state;
    counters_free(&counters);
    buffer_free(&text);
    return 0;
}

static const char *write_all(const struct metrics_look *look)
{
    buffer_free(&text);
    metrics_write(look, &text);
    buffer_append(&text, "", 1);
    return (const char *)buffer_bytes(&text);
}

static void expect(const char *written, const char *line)
{
    char *whole = NULL;
    assert_true(asprintf(&whole, "\n%s\n", line) > 0);
    if (!strstr(written, whole))
        fail_msg("no line %s in\n%s", line, written);
    free(whole);
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct metrics_peer peers[] = {{"app@a.b", true}, {"odd\"\\@c", false}};
    counters.started = 5;
    counters.finished[OUTCOME_FAILED] = 2;
    counters.operations = 1ULL << 40;
    counters.errors[ERROR_MISSING_SYNC] = 3;
    counters.dropped = 4;
    *counters_row_of(&counters, TERM_ATOM("a\nb")) =
        (struct counters_row){.name = "a\nb", .operations = 20, .errors = 2};
    struct metrics_look look = {.counters = &counters,
                                .now = {.runs = {[RUN_LOAD] = 6}, .threads = 7, .in_flight = 8, .queued = 9},
                                .process = {.resident_bytes = 10, .cpu_s = 0.25, .started_s = 1700000000.25},
                                .requests = 11,
                                .is_registered = true,
                                .peers_up = 12,
                                .peers = peers,
                                .peer_count = 2,
                                .queued_bytes = 13,
                                .lag_ns = 1500000,
                                .has_store_problem = true,
                                .log_lost = 14,
                                .tls_ends_s = 1800000000,
                                .http_tls_ends_s = 1900000000};
    const char *written = write_all(&look);
    expect(written, "harnessd_build_info{version=\"" HARNESSD_VERSION "\"} 1");
    expect(written, "harnessd_runs_started_total 5");
    expect(written, "harnessd_tls_certificate_end_seconds 1800000000");
    expect(written, "harnessd_http_certificate_end_seconds 1900000000");
    expect(written, "harnessd_runs_finished_total{outcome=\"failed\"} 2");
    expect(written, "harnessd_runs_finished_total{outcome=\"completed\"} 0");
    expect(written, "harnessd_operations_total 1099511627776");
    expect(written, "harnessd_operation_errors_total{kind=\"missing_sync_handler\"} 3");
    expect(written, "harnessd_named_operations_total{name=\"a\\nb\"} 20");
    expect(written, "harnessd_named_operation_errors_total{name=\"a\\nb\"} 2");
    expect(written, "harnessd_arrivals_dropped_total 4");
    expect(written, "harnessd_runs{state=\"load\"} 6");
    expect(written, "harnessd_runs{state=\"setup\"} 0");
    expect(written, "harnessd_virtual_threads 7");
    expect(written, "harnessd_operations_in_flight 8");
    expect(written, "harnessd_arrivals_queued 9");
    expect(written, "process_resident_memory_bytes 10");
    expect(written, "process_cpu_seconds_total 0.25");
    expect(written, "process_start_time_seconds 1700000000.25");
    expect(written, "harnessd_requests_total 11");
    expect(written, "harnessd_epmd_registered 1");
    expect(written, "harnessd_peers_up 12");
    expect(written, "harnessd_peer_up{peer=\"app@a.b\"} 1");
    expect(written, "harnessd_peer_up{peer=\"odd\\\"\\\\@c\"} 0");
    expect(written, "harnessd_peers_queued_bytes 13");
    expect(written, "harnessd_loop_lag_seconds 0.0015");
    expect(written, "harnessd_store_problem 1");
    expect(written, "harnessd_log_lines_lost_total 14");
}

/* Each metric is told of once, with its help and type before its samples. */
static void test_every_metric_is_explained(void **state)
{
    (void)state;
    struct metrics_look look = {.counters = &counters};
    const char *written = write_all(&look);
    char name[128] = "";
    size_t metrics = 0;
    for (const char *line = written; *line; line = strchr(line, '\n') + 1) {
        char found[128] = "", type[32] = "";
        if (sscanf(line, "# HELP %127s", found) == 1) {
            assert_string_not_equal(found, name);
            strcpy(name, found);
            metrics++;
        } else if (sscanf(line, "# TYPE %127s %31s", found, type) == 2) {
            assert_string_equal(found, name);
            bool is_total = strlen(name) > 6 && strcmp(name + strlen(name) - 6, "_total") == 0;
            assert_true((strcmp(type, "counter") == 0) == is_total);
        } else {
            assert_memory_equal(line, name, strlen(name));
        }
    }
    assert_true(metrics > 20);
}

static uint64_t number_of(const char *written, const char *sample)
{
    const char *found = strstr(written, sample);
    if (!found)
        fail_msg("no sample %s", sample);
    return strtoull(found + strlen(sample), NULL, 10);
}

static void test_histograms(void **state)
{
    (void)state;
    struct metrics_look look = {.counters = &counters};
    static const struct {
        uint64_t response_us, service_us;
    } operations[] = {{50, 50}, {99, 60}, {100, 100}, {700000, 2000}, {61000000, 999}, {900000000000, 1}};
    for (size_t i = 0; i < ARRAY_LENGTH(operations); i++)
        counters_add_latency(&counters, operations[i].response_us, operations[i].service_us, false);
    const char *written = write_all(&look);
#define RESPONSE "harnessd_operation_response_seconds"
#define SERVICE "harnessd_operation_service_seconds"
    assert_int_equal(number_of(written, RESPONSE "_bucket{le=\"0.0001\"} "), 2);
    assert_int_equal(number_of(written, RESPONSE "_bucket{le=\"0.00025\"} "), 3);
    assert_int_equal(number_of(written, RESPONSE "_bucket{le=\"0.5\"} "), 3);
    assert_int_equal(number_of(written, RESPONSE "_bucket{le=\"1\"} "), 4);
    assert_int_equal(number_of(written, RESPONSE "_bucket{le=\"60\"} "), 4);
    assert_int_equal(number_of(written, RESPONSE "_bucket{le=\"+Inf\"} "), 6);
    assert_int_equal(number_of(written, RESPONSE "_count "), 6);
    assert_int_equal(number_of(written, RESPONSE "_sum "), 900061);
    assert_int_equal(number_of(written, SERVICE "_bucket{le=\"0.001\"} "), 5);
    assert_int_equal(number_of(written, SERVICE "_bucket{le=\"0.0025\"} "), 6);
    assert_non_null(strstr(written, SERVICE "_sum 0.0032100"));
}

/* `exhaust` has a row for each of its resources. */
static void test_faults_of_one_name_are_one(void **state)
{
    (void)state;
    size_t count;
    uint64_t exhausted = 0;
    const struct fault_kind *kinds = fault_kinds(&count);
    for (size_t i = 0; i < count; i++) {
        counters.faults[i] = i + 1;
        exhausted += strcmp(kinds[i].name, "exhaust") == 0 ? i + 1 : 0;
    }
    struct metrics_look look = {.counters = &counters};
    const char *written = write_all(&look);
    assert_int_equal(number_of(written, "harnessd_faults_injected_total{kind=\"exhaust\"} "), exhausted);
    assert_int_equal(number_of(written, "harnessd_faults_injected_total{kind=\"inject_crash\"} "), 1);
    const char *first = strstr(written, "{kind=\"exhaust\"}");
    assert_null(strstr(first + 1, "{kind=\"exhaust\"}"));
}

static void test_usage_of_this_process(void **state)
{
    (void)state;
    struct process_usage before, usage;
    process_usage_read(&before);
    int descriptor = dup(0);
    assert_true(descriptor >= 0);
    process_usage_read(&usage);
    close(descriptor);
    assert_int_equal(usage.open_descriptors, before.open_descriptors + 1);
    assert_true(usage.open_descriptors >= 3 && usage.open_descriptors < usage.most_descriptors);
    assert_in_range(usage.resident_bytes, 1 << 16, usage.virtual_bytes);
    assert_in_range(usage.heap_used_bytes, 1, usage.heap_held_bytes);
    assert_true(usage.cpu_s >= before.cpu_s && usage.cpu_s < 600);
    assert_true(usage.started_s <= (double)time(NULL) + 1 && usage.started_s > (double)time(NULL) - 600);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_numbers),
        TEST(test_every_metric_is_explained),
        TEST(test_histograms),
        TEST(test_faults_of_one_name_are_one),
        TEST(test_usage_of_this_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
