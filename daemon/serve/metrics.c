#include "metrics_private.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "scenario/fault_kinds.h"

struct metric {
    struct metric_help help;

    /* One sample without labels, or what writes all of them. */
    double (*value)(const struct metrics_look *look);
    void (*write)(const struct metric *metric, const struct metrics_look *look, struct buffer *text);
};

/* Whole numbers are written as such, whatever their size. */
static void metrics_put_number(struct buffer *text, double value)
{
    if (value >= 0 && value < 0x1p53 && value == (double)(uint64_t)value)
        buffer_print(text, " %" PRIu64 "\n", (uint64_t)value);
    else
        buffer_print(text, " %.15g\n", value);
}

static void metrics_put_label(const struct metric *metric, const char *value, struct buffer *text)
{
    buffer_print(text, "%s{%s=\"", metric->help.name, metric->help.label);
    for (; *value; value++) {
        if (*value == '\n')
            buffer_print(text, "\\n");
        else
            buffer_print(text, *value == '"' || *value == '\\' ? "\\%c" : "%c", *value);
    }
    buffer_print(text, "\"}");
}

static void metrics_put_labelled(const struct metric *metric, const char *value, uint64_t number,
                                 struct buffer *text)
{
    metrics_put_label(metric, value, text);
    buffer_print(text, " %" PRIu64 "\n", number);
}

static void metrics_put_labelled_seconds(const struct metric *metric, const char *value, uint64_t us,
                                         struct buffer *text)
{
    metrics_put_label(metric, value, text);
    metrics_put_number(text, (double)us / 1e6);
}

/* --- The sources --- */

static double metrics_runs_started(const struct metrics_look *look)
{
    return (double)look->counters->started;
}

static double metrics_suites(const struct metrics_look *look)
{
    return (double)look->suites;
}

static double metrics_operations(const struct metrics_look *look)
{
    return (double)look->counters->operations;
}

static double metrics_dropped(const struct metrics_look *look)
{
    return (double)look->counters->dropped;
}

static double metrics_threads(const struct metrics_look *look)
{
    return (double)look->now.threads;
}

static double metrics_in_flight(const struct metrics_look *look)
{
    return (double)look->now.in_flight;
}

static double metrics_queued_arrivals(const struct metrics_look *look)
{
    return (double)look->now.queued;
}

static double metrics_requests(const struct metrics_look *look)
{
    return (double)look->requests;
}

static double metrics_is_registered(const struct metrics_look *look)
{
    return look->is_registered;
}

static double metrics_peers_up(const struct metrics_look *look)
{
    return (double)look->peers_up;
}

static double metrics_queued_bytes(const struct metrics_look *look)
{
    return (double)look->queued_bytes;
}

static double metrics_loop_lag(const struct metrics_look *look)
{
    return (double)look->lag_ns / (double)CLOCK_NS_PER_S;
}

static double metrics_loop_cpu(const struct metrics_look *look)
{
    return (double)look->lag_cpu_ns / (double)CLOCK_NS_PER_S;
}

static double metrics_store_problem(const struct metrics_look *look)
{
    return look->has_store_problem;
}

/* Without a certificate there is no sample. */
static void metrics_put_end(const struct metric *metric, int64_t ends_s, struct buffer *text)
{
    if (!ends_s)
        return;
    buffer_print(text, "%s", metric->help.name);
    metrics_put_number(text, (double)ends_s);
}

static void metrics_write_tls_end(const struct metric *metric, const struct metrics_look *look,
                                  struct buffer *text)
{
    metrics_put_end(metric, look->tls_ends_s, text);
}

static void metrics_write_http_tls_end(const struct metric *metric, const struct metrics_look *look,
                                       struct buffer *text)
{
    metrics_put_end(metric, look->http_tls_ends_s, text);
}

static double metrics_log_lost(const struct metrics_look *look)
{
    return (double)look->log_lost;
}

static double metrics_audit_lines(const struct metrics_look *look)
{
    return (double)look->audit_lines;
}

static double metrics_audit_lost(const struct metrics_look *look)
{
    return (double)look->audit_lost;
}

static double metrics_audit_problem(const struct metrics_look *look)
{
    return look->has_audit_problem;
}

static double metrics_resident_bytes(const struct metrics_look *look)
{
    return (double)look->process.resident_bytes;
}

static double metrics_heap_used_bytes(const struct metrics_look *look)
{
    return (double)look->process.heap_used_bytes;
}

static double metrics_heap_held_bytes(const struct metrics_look *look)
{
    return (double)look->process.heap_held_bytes;
}

static double metrics_virtual_bytes(const struct metrics_look *look)
{
    return (double)look->process.virtual_bytes;
}

static double metrics_cpu_s(const struct metrics_look *look)
{
    return look->process.cpu_s;
}

static double metrics_started_s(const struct metrics_look *look)
{
    return look->process.started_s;
}

static double metrics_open_descriptors(const struct metrics_look *look)
{
    return (double)look->process.open_descriptors;
}

static double metrics_most_descriptors(const struct metrics_look *look)
{
    return (double)look->process.most_descriptors;
}

static void metrics_write_build_info(const struct metric *metric, const struct metrics_look *look,
                                     struct buffer *text)
{
    (void)look;
    metrics_put_labelled(metric, HARNESSD_VERSION, 1, text);
}

static void metrics_write_states(const struct metric *metric, const struct metrics_look *look,
                                 struct buffer *text)
{
    metrics_put_labelled(metric, "queued", look->runs_queued, text);
    metrics_put_labelled(metric, "storing", look->runs_storing, text);
    for (size_t i = 0; i < RUN_STATE_COUNT; i++)
        metrics_put_labelled(metric, run_state_name((enum run_state)i), look->now.runs[i], text);
}

static void metrics_write_outcomes(const struct metric *metric, const struct metrics_look *look,
                                   struct buffer *text)
{
    for (enum outcome i = OUTCOME_COMPLETED; i < OUTCOME_COUNT; i++)
        metrics_put_labelled(metric, outcome_name(i), look->counters->finished[i], text);
}

static void metrics_write_errors(const struct metric *metric, const struct metrics_look *look,
                                 struct buffer *text)
{
    for (size_t i = 0; i < ERROR_KINDS; i++)
        metrics_put_labelled(metric, error_kind_names[i], look->counters->errors[i], text);
}

static void metrics_write_named(const struct metric *metric, const struct metrics_look *look,
                                struct buffer *text)
{
    for (size_t i = 0; i < ARRAY_LENGTH(look->counters->named); i++)
        if (look->counters->named[i])
            metrics_put_labelled(metric, look->counters->named[i]->name, look->counters->named[i]->operations,
                                 text);
}

static void metrics_write_named_errors(const struct metric *metric, const struct metrics_look *look,
                                       struct buffer *text)
{
    for (size_t i = 0; i < ARRAY_LENGTH(look->counters->named); i++)
        if (look->counters->named[i])
            metrics_put_labelled(metric, look->counters->named[i]->name, look->counters->named[i]->errors,
                                 text);
}

/* Rows of one name, such as those of `exhaust`, are one kind and follow one another. */
static void metrics_write_faults(const struct metric *metric, const struct metrics_look *look,
                                 struct buffer *text)
{
    size_t count;
    const struct fault_kind *kinds = fault_kinds(&count);
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += look->counters->faults[i];
        if (i + 1 < count && strcmp(kinds[i].name, kinds[i + 1].name) == 0)
            continue;
        metrics_put_labelled(metric, kinds[i].name, sum, text);
        sum = 0;
    }
}

static void metrics_write_causes(const struct metric *metric, const struct metrics_look *look,
                                 struct buffer *text)
{
    for (enum cause i = 0; i < CAUSE_COUNT; i++)
        metrics_put_labelled_seconds(metric, cause_name(i), look->counters->causes_us[i], text);
}

static void metrics_write_peers(const struct metric *metric, const struct metrics_look *look,
                                struct buffer *text)
{
    for (size_t i = 0; i < look->peer_count; i++)
        metrics_put_labelled(metric, look->peers[i].name, look->peers[i].is_up, text);
}

/* In us. */
static const uint64_t latency_bounds[] = {
    100,    250,    500,    1000,    2500,    5000,    10000,    25000,    50000,
    100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000, 60000000,
};

static void metrics_write_latency(const struct metric *metric, const struct histogram *histogram,
                                  struct buffer *text)
{
    uint64_t below[ARRAY_LENGTH(latency_bounds)];
    histogram_count_below(histogram, latency_bounds, ARRAY_LENGTH(latency_bounds), below);
    for (size_t i = 0; i < ARRAY_LENGTH(latency_bounds); i++)
        buffer_print(text, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", metric->help.name,
                     (double)latency_bounds[i] / 1e6, below[i]);
    buffer_print(text, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", metric->help.name, histogram->count);
    buffer_print(text, "%s_sum %.17g\n", metric->help.name, (double)histogram->sum / 1e6);
    buffer_print(text, "%s_count %" PRIu64 "\n", metric->help.name, histogram->count);
}

static void metrics_write_response(const struct metric *metric, const struct metrics_look *look,
                                   struct buffer *text)
{
    metrics_write_latency(metric, &look->counters->response, text);
}

static void metrics_write_service(const struct metric *metric, const struct metrics_look *look,
                                  struct buffer *text)
{
    metrics_write_latency(metric, &look->counters->service, text);
}

/* --- The table --- */

static const struct metric metrics[] = {
    {{"harnessd_build_info", "gauge", "version", "The version that runs."},
     .write = metrics_write_build_info},
    {{"harnessd_runs", "gauge", "state", "Runs that go on, by what they are at."},
     .write = metrics_write_states},
    {{"harnessd_suites", "gauge", NULL, "Suites that go on; their members are runs."},
     .value = metrics_suites},
    {{"harnessd_runs_started_total", "counter", NULL, "Runs that have started."},
     .value = metrics_runs_started},
    {{"harnessd_runs_finished_total", "counter", "outcome",
      "Runs that have ended, by their outcome, also those that never started."},
     .write = metrics_write_outcomes},
    {{"harnessd_operations_total", "counter", NULL, "Operations of all runs that have ended."},
     .value = metrics_operations},
    {{"harnessd_operation_errors_total", "counter", "kind",
      "Operations that have ended in an error, by its kind."},
     .write = metrics_write_errors},
    {{"harnessd_named_operations_total", "counter", "name",
      "Operations that have a name of their own, by the first 64 names; the rest under other."},
     .write = metrics_write_named},
    {{"harnessd_named_operation_errors_total", "counter", "name",
      "Of these the ones that have ended in an error."},
     .write = metrics_write_named_errors},
    {{"harnessd_arrivals_dropped_total", "counter", NULL, "Arrivals of open loads that found no room."},
     .value = metrics_dropped},
    {{"harnessd_operation_response_seconds", "histogram", NULL,
      "From the intended start of an operation to its answer."},
     .write = metrics_write_response},
    {{"harnessd_operation_service_seconds", "histogram", NULL,
      "From the actual start of an operation to its answer."},
     .write = metrics_write_service},
    {{"harnessd_slow_operation_seconds_total", "counter", "cause",
      "What slow operations of runs with `explain` were slow of, by cause: the time of all of them "
      "together."},
     .write = metrics_write_causes},
    {{"harnessd_operations_in_flight", "gauge", NULL, "Operations that are under way."},
     .value = metrics_in_flight},
    {{"harnessd_arrivals_queued", "gauge", NULL, "Arrivals of open loads that wait for room."},
     .value = metrics_queued_arrivals},
    {{"harnessd_virtual_threads", "gauge", NULL, "Virtual threads of the runs that go on."},
     .value = metrics_threads},
    {{"harnessd_faults_injected_total", "counter", "kind", "Faults that were injected, by their kind."},
     .write = metrics_write_faults},
    {{"harnessd_requests_total", "counter", NULL, "Calls of functions by other nodes."},
     .value = metrics_requests},
    {{"harnessd_epmd_registered", "gauge", NULL, "Whether this node is registered with epmd."},
     .value = metrics_is_registered},
    {{"harnessd_peers_up", "gauge", NULL, "Nodes that are connected."}, .value = metrics_peers_up},
    {{"harnessd_peer_up", "gauge", "peer", "Whether a node that is to be kept is connected."},
     .write = metrics_write_peers},
    {{"harnessd_peers_queued_bytes", "gauge", NULL, "What waits to be sent to other nodes."},
     .value = metrics_queued_bytes},
    {{"harnessd_loop_lag_seconds", "gauge", NULL,
      "The longest pass of the event loop within the last minute."},
     .value = metrics_loop_lag},
    {{"harnessd_loop_pass_cpu_seconds", "gauge", NULL,
      "The most time of a processor that a pass of the event loop has used within the last minute."},
     .value = metrics_loop_cpu},
    {{"harnessd_heap_used_bytes", "gauge", NULL, "Memory that is allocated and not freed."},
     .value = metrics_heap_used_bytes},
    {{"harnessd_heap_held_bytes", "gauge", NULL,
      "The same, and what was freed and is kept to be allocated again."},
     .value = metrics_heap_held_bytes},
    {{"harnessd_store_problem", "gauge", NULL, "Whether reports cannot be stored."},
     .value = metrics_store_problem},
    {{"harnessd_log_lines_lost_total", "counter", NULL,
      "Lines of the log that were lost, as nobody read them in time or they could not be written."},
     .value = metrics_log_lost},
    {{"harnessd_audit_lines_total", "counter", NULL, "Lines of the audit."}, .value = metrics_audit_lines},
    {{"harnessd_audit_lines_lost_total", "counter", NULL,
      "Lines of the audit that found no room while its file could not be written."},
     .value = metrics_audit_lost},
    {{"harnessd_audit_problem", "gauge", NULL, "Whether the audit cannot be written now."},
     .value = metrics_audit_problem},
    {{"harnessd_tls_certificate_end_seconds", "gauge", NULL,
      "When the first of the certificates of this node ends that it shows over TLS, since 1970; without TLS "
      "there is no sample."},
     .write = metrics_write_tls_end},
    {{"harnessd_http_certificate_end_seconds", "gauge", NULL,
      "When the certificate of HTTP ends, since 1970; without `http.tls` there is no sample."},
     .write = metrics_write_http_tls_end},
    {{"process_cpu_seconds_total", "counter", NULL, "Time of processors that the process has used."},
     .value = metrics_cpu_s},
    {{"process_resident_memory_bytes", "gauge", NULL, "Memory of the process that is in use."},
     .value = metrics_resident_bytes},
    {{"process_virtual_memory_bytes", "gauge", NULL, "Memory of the process that it may use."},
     .value = metrics_virtual_bytes},
    {{"process_open_fds", "gauge", NULL, "Descriptors that are open."}, .value = metrics_open_descriptors},
    {{"process_max_fds", "gauge", NULL, "Descriptors that may be open."}, .value = metrics_most_descriptors},
    {{"process_start_time_seconds", "gauge", NULL, "When the process has started, since 1970."},
     .value = metrics_started_s},
};

size_t metrics_count(void)
{
    return ARRAY_LENGTH(metrics);
}

const struct metric_help *metrics_help(size_t index)
{
    return &metrics[index].help;
}

void metrics_write(const struct metrics_look *look, struct buffer *text)
{
    for (size_t i = 0; i < ARRAY_LENGTH(metrics); i++) {
        const struct metric *metric = &metrics[i];
        const struct metric_help *help = &metric->help;
        buffer_print(text, "# HELP %s %s\n# TYPE %s %s\n", help->name, help->text, help->name, help->type);
        if (metric->write) {
            metric->write(metric, look, text);
            continue;
        }
        buffer_print(text, "%s", metric->help.name);
        metrics_put_number(text, metric->value(look));
    }
}
