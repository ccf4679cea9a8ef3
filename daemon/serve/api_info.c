#include <stddef.h>

#include "api_private.h"
#include "base/clock.h"
#include "base/log.h"

static const struct info_limit {
    struct help help;
    size_t offset; /* of a number of a struct config */
} info_limits[] = {
    {{.name = "runs", .text = "Runs at once."}, offsetof(struct config, limit_runs)},
    {{.name = "queued_runs", .text = "Runs that wait for room."}, offsetof(struct config, limit_queued_runs)},
    {{.name = "suites", .text = "Suites at once."}, offsetof(struct config, limit_suites)},
    {{.name = "threads", .text = "Threads of all runs, but those of open loads."},
     offsetof(struct config, limit_threads)},
    {{.name = "in_flight", .text = "Operations of all runs under way."},
     offsetof(struct config, limit_in_flight)},
    {{.name = "queued_arrivals", .text = "Arrivals of all open loads that wait."},
     offsetof(struct config, limit_queued_arrivals)},
    {{.name = "runs_per_node", .text = "Runs of one caller's node; 0 is no limit, as of the next two."},
     offsetof(struct config, limit_runs_per_node)},
    {{.name = "threads_per_node", .text = "Threads of these."},
     offsetof(struct config, limit_threads_per_node)},
    {{.name = "in_flight_per_node", .text = "Operations of these under way."},
     offsetof(struct config, limit_in_flight_per_node)},
    {{.name = "events", .text = "Events that are kept for one run."}, offsetof(struct config, limit_events)},
    {{.name = "custom", .text = "Custom operations of one run at once."},
     offsetof(struct config, limit_custom)},
    {{.name = "event_bytes", .text = "Bytes of the terms in the events of one run."},
     offsetof(struct config, limit_event_bytes)},
    {{.name = "frame_bytes", .text = "Bytes of one message of a peer."},
     offsetof(struct config, limit_frame_bytes)},
    {{.name = "queued_bytes", .text = "Bytes that wait to be sent to one peer."},
     offsetof(struct config, limit_queued_bytes)},
    {{.name = "pending_handshakes", .text = "Connections that have not finished their handshake."},
     offsetof(struct config, limit_pending_handshakes)},
};

const struct help_table *info_limits_table(void)
{
    static const struct help_table table = HELP_TABLE("info_limits", "Keys of limits", info_limits);
    return &table;
}

static void info_build_limits(const struct api *api, struct term_builder *answer)
{
    term_build_map(answer, ARRAY_LENGTH(info_limits));
    for (size_t i = 0; i < ARRAY_LENGTH(info_limits); i++)
        term_build_key_unsigned(answer, info_limits[i].help.name,
                                *(const uint64_t *)((const char *)api->config + info_limits[i].offset));
}

/* --- Counters --- */

static uint64_t info_requests(const struct api *api)
{
    return api->requests;
}

static uint64_t info_runs_started(const struct api *api)
{
    return runner_counters(api->runner)->started;
}

static uint64_t info_runs_finished(const struct api *api)
{
    return counters_all_finished(runner_counters(api->runner));
}

static uint64_t info_operations(const struct api *api)
{
    return runner_counters(api->runner)->operations;
}

static uint64_t info_operation_errors(const struct api *api)
{
    return counters_all_errors(runner_counters(api->runner));
}

static uint64_t info_log_lines_lost(const struct api *api)
{
    (void)api;
    return log_lost();
}

static const struct info_counter {
    struct help help;
    uint64_t (*count)(const struct api *api);
} info_counters[] = {
    {{.name = "requests", .text = "Calls of functions of the daemon."}, info_requests},
    {{.name = "runs_started", .text = "Runs that have begun."}, info_runs_started},
    {{.name = "runs_finished", .text = "Runs that have ended, however they did."}, info_runs_finished},
    {{.name = "operations", .text = "Operations of all runs that have ended."}, info_operations},
    {{.name = "operation_errors", .text = "Those of them that have failed."}, info_operation_errors},
    {{.name = "log_lines_lost",
      .text = "Lines of the log that nobody read in time, or that could not be written."},
     info_log_lines_lost},
};

const struct help_table *info_counters_table(void)
{
    static const struct help_table table =
        HELP_TABLE("info_counters", "Keys of counters, since the daemon has started", info_counters);
    return &table;
}

static void info_build_counters(const struct api *api, struct term_builder *answer)
{
    term_build_map(answer, ARRAY_LENGTH(info_counters));
    for (size_t i = 0; i < ARRAY_LENGTH(info_counters); i++)
        term_build_key_unsigned(answer, info_counters[i].help.name, info_counters[i].count(api));
}

/* --- The whole --- */

static void info_build_version(const struct api *api, struct term_builder *answer)
{
    (void)api;
    term_build_text(answer, HARNESSD_VERSION);
}

static void info_build_node(const struct api *api, struct term_builder *answer)
{
    term_build_atom(answer, node_name(api->node));
}

static void info_build_uptime(const struct api *api, struct term_builder *answer)
{
    term_build_unsigned(answer, (clock_ns() - api->started_ns) / CLOCK_NS_PER_MS);
}

static void info_build_runs(const struct api *api, struct term_builder *answer)
{
    term_build_unsigned(answer, runs_count(api->runs, RUN_PHASE_RUNNING));
}

static void info_build_suites(const struct api *api, struct term_builder *answer)
{
    term_build_unsigned(answer, runs_count(api->runs, RUN_PHASE_SUITE));
}

static void info_build_queued_runs(const struct api *api, struct term_builder *answer)
{
    term_build_unsigned(answer, runs_count(api->runs, RUN_PHASE_QUEUED));
}

static void info_build_peers(const struct api *api, struct term_builder *answer)
{
    term_build_unsigned(answer, peers_up_count(node_peers(api->node)));
}

static void info_build_processes(const struct api *api, struct term_builder *answer)
{
    term_build_unsigned(answer, node_process_count(api->node));
}

static void info_build_longest_pass(const struct api *api, struct term_builder *answer)
{
    term_build_unsigned(answer, loop_minute_clock_ns(api->minute) / CLOCK_NS_PER_US);
}

static void info_build_longest_pass_cpu(const struct api *api, struct term_builder *answer)
{
    term_build_unsigned(answer, loop_minute_cpu_ns(api->minute) / CLOCK_NS_PER_US);
}

static const struct info_row {
    struct help help;
    void (*build)(const struct api *api, struct term_builder *answer);
} info_rows[] = {
    {{.name = "version", .text = "That of the daemon, as text."}, info_build_version},
    {{.name = "node", .text = "Its name."}, info_build_node},
    {{.name = "uptime_ms", .text = "How long it has been running."}, info_build_uptime},
    {{.name = "runs", .text = "Runs under way."}, info_build_runs},
    {{.name = "suites", .text = "Suites under way, of each of which one run at most is under way or queued."},
     info_build_suites},
    {{.name = "queued_runs", .text = "Runs that wait for room."}, info_build_queued_runs},
    {{.name = "peers", .text = "Nodes that are connected."}, info_build_peers},
    {{.name = "processes", .text = "Processes that it has on its own node, for hooks and requests."},
     info_build_processes},
    {{.name = "longest_pass_us",
      .text = "The longest pass of its event loop within the last minute, in microseconds: so long everybody "
              "has waited."},
     info_build_longest_pass},
    {{.name = "longest_pass_cpu_us",
      .text = "The most time of a processor that such a pass has used: less where the machine was busy."},
     info_build_longest_pass_cpu},
    {{.name = "limits", .text = "Limits of the configuration that are in force, see below."},
     info_build_limits},
    {{.name = "counters", .text = "What it has done since it has started, see below."}, info_build_counters},
};

const struct help_table *info_table(void)
{
    static const struct help_table table = HELP_TABLE("info", "Keys of info", info_rows);
    return &table;
}

void serve_info(struct api *api, struct request *request)
{
    struct term_builder *answer = request_answer(request);
    term_build_map(answer, ARRAY_LENGTH(info_rows));
    for (size_t i = 0; i < ARRAY_LENGTH(info_rows); i++) {
        term_build_key(answer, info_rows[i].help.name);
        info_rows[i].build(api, answer);
    }
    request_return(request);
}
