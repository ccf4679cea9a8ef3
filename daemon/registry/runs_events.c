#include "base/clock.h"
#include "run_entry_private.h"

#define PROGRESS_NS CLOCK_NS_PER_S

/* %{scenario_id:, state:, outcome:, reason:, name:}, the first as in all telemetry. */
static void runs_events_build_metadata(const struct run_entry *entry, struct term_builder *builder)
{
    struct run_figures figures = {0};
    if (entry->run)
        run_figures(entry->run, &figures);
    run_summary_build_short(&entry->summary, builder);
    term_build_key(builder, "state");
    if (entry->summary.outcome == OUTCOME_INTERRUPTED)
        term_build_atom(builder, "interrupted");
    else if (entry->run)
        term_build_atom(builder, run_state_name(figures.state));
    else
        term_build_atom(builder, entry->phase == RUN_PHASE_QUEUED  ? "queued"
                                 : entry->phase == RUN_PHASE_SUITE ? "suite"
                                                                   : "finished");
}

/* Frees the measurements. */
static void runs_events_tell(struct run_entry *entry, const char *what, struct term_builder *measurements)
{
    const char *const name[] = {"harness", "run", what, NULL};
    struct term_builder metadata = {0};
    runs_events_build_metadata(entry, &metadata);
    struct subscription_event event = {.id = entry->summary.run_id,
                                       .name = name,
                                       .measurements = term_built(measurements),
                                       .metadata = term_built(&metadata)};
    if (entry->ended_ns)
        subscriptions_end(entry->runs->subscriptions, &event);
    else
        subscriptions_tell(entry->runs->subscriptions, &event);
    term_build_free(&metadata);
    term_build_free(measurements);
}

static bool runs_events_has_subscriber(const struct run_entry *entry)
{
    return subscriptions_have(entry->runs->subscriptions, entry->summary.run_id);
}

/* --- Progress --- */

static void runs_events_need_progress(struct runs *runs)
{
    if (!runs->progress_is_set)
        loop_timer_set(&runs->progress, PROGRESS_NS);
    runs->progress_is_set = true;
}

static void runs_events_observe(struct run_entry *entry)
{
    struct run_figures figures;
    run_figures(entry->run, &figures);
    run_observe(entry->run, true);
    entry->told_operations = figures.operations;
    entry->told_ns = clock_ns();
    runs_events_need_progress(entry->runs);
}

enum progress {
    PROGRESS_ELAPSED,
    PROGRESS_LOAD,
    PROGRESS_OPERATIONS,
    PROGRESS_ERRORS,
    PROGRESS_DROPPED,
    PROGRESS_IN_FLIGHT,
    PROGRESS_THREADS,
    PROGRESS_RATE,
    PROGRESS_P50,
    PROGRESS_P99,
    PROGRESS_MOST,
    PROGRESS_COUNT
};

static const struct progress_row {
    struct help help;
    bool is_time; /* a response time, of which there is none without an operation */
} progress_rows[PROGRESS_COUNT] = {
    [PROGRESS_ELAPSED] = {{.name = "elapsed_ms", .text = "Since the run has started."}, false},
    [PROGRESS_LOAD] = {{.name = "load_ms", .text = "Since its load has begun."}, false},
    [PROGRESS_OPERATIONS] = {{.name = "operations", .text = "Operations that have ended."}, false},
    [PROGRESS_ERRORS] = {{.name = "operation_errors", .text = "Those of them that have failed."}, false},
    [PROGRESS_DROPPED] = {{.name = "dropped", .text = "Arrivals that found no room."}, false},
    [PROGRESS_IN_FLIGHT] = {{.name = "in_flight", .text = "Operations under way."}, false},
    [PROGRESS_THREADS] = {{.name = "threads", .text = "Threads that go on."}, false},
    [PROGRESS_RATE] = {{.name = "operations_per_s",
                        .text = "Operations in a second, since this was told last."},
                       false},
    [PROGRESS_P50] = {{.name = "p50_us",
                       .text = "The response time that half of the operations since then have stayed within; "
                               "nil when there were none."},
                      true},
    [PROGRESS_P99] = {{.name = "p99_us", .text = "Likewise of 99 in a hundred."}, true},
    [PROGRESS_MOST] = {{.name = "max_us", .text = "The longest of them."}, true},
};

const struct help_table *runs_progress_table(void)
{
    static const struct help_table table = HELP_TABLE("progress", "Measurements of progress", progress_rows);
    return &table;
}

/* Rates and response times are those since the last one. */
static void runs_events_tell_progress(struct run_entry *entry)
{
    struct term_builder measurements = {0};
    struct run_figures figures;
    struct load_recent recent;
    uint64_t now = clock_ns(), passed_us = (now - entry->told_ns) / CLOCK_NS_PER_US + 1;
    run_figures(entry->run, &figures);
    run_take_recent(entry->run, &recent);
    const uint64_t values[PROGRESS_COUNT] = {
        [PROGRESS_ELAPSED] = (now - entry->started_ns) / CLOCK_NS_PER_MS,
        [PROGRESS_LOAD] = figures.load_ns / CLOCK_NS_PER_MS,
        [PROGRESS_OPERATIONS] = figures.operations,
        [PROGRESS_ERRORS] = figures.operation_errors,
        [PROGRESS_DROPPED] = figures.dropped,
        [PROGRESS_IN_FLIGHT] = figures.in_flight,
        [PROGRESS_THREADS] = figures.threads_active,
        [PROGRESS_RATE] = (figures.operations - entry->told_operations) * 1000000 / passed_us,
        [PROGRESS_P50] = recent.p50_us,
        [PROGRESS_P99] = recent.p99_us,
        [PROGRESS_MOST] = recent.max_us,
    };
    term_build_map(&measurements, PROGRESS_COUNT);
    for (size_t i = 0; i < PROGRESS_COUNT; i++)
        term_build_key_known(&measurements, progress_rows[i].help.name,
                             !progress_rows[i].is_time || recent.count, values[i]);
    entry->told_operations = figures.operations;
    entry->told_ns = now;
    runs_events_tell(entry, "progress", &measurements);
}

static void runs_events_on_progress(void *owner)
{
    struct runs *runs = owner;
    runs->progress_is_set = false;
    LIST_EACH(struct run_entry, entry, &runs->entries, link) {
        if (!entry->run)
            continue;
        if (runs_events_has_subscriber(entry)) {
            runs_events_tell_progress(entry);
            runs_events_need_progress(runs);
        } else {
            run_observe(entry->run, false);
        }
    }
}

/* --- Events --- */

bool run_is_heard(void *owner)
{
    return runs_events_has_subscriber(owner);
}

void run_tell_telemetry(void *owner, const char *const name[4], struct term measurements,
                        struct term metadata)
{
    struct run_entry *entry = owner;
    struct subscription_event event = {
        .id = entry->summary.run_id, .name = name, .measurements = measurements, .metadata = metadata};
    if (runs_events_has_subscriber(entry))
        subscriptions_tell(entry->runs->subscriptions, &event);
}

static void runs_events_tell_time(struct run_entry *entry, const char *what)
{
    struct term_builder measurements = {0};
    term_build_map(&measurements, 1);
    term_build_key_unsigned(&measurements, "system_time_us", clock_wall_us());
    runs_events_tell(entry, what, &measurements);
}

void run_tell_queued(struct run_entry *entry)
{
    if (runs_events_has_subscriber(entry))
        runs_events_tell_time(entry, "queued");
}

void run_tell_started(struct run_entry *entry)
{
    if (!runs_events_has_subscriber(entry))
        return;
    if (entry->run) /* a suite has no progress but its members' */
        runs_events_observe(entry);
    runs_events_tell_time(entry, "start");
}

void run_tell_ended(struct run_entry *entry)
{
    struct term_builder measurements = {0};
    struct run_summary summary = run_summary_now(entry);
    if (!runs_events_has_subscriber(entry))
        return;
    term_build_map(&measurements, 4);
    term_build_key_unsigned(&measurements, "duration_ms", summary.elapsed_ms);
    term_build_key_unsigned(&measurements, "operations", summary.operations);
    term_build_key_unsigned(&measurements, "operation_errors", summary.operation_errors);
    term_build_key_unsigned(&measurements, "dropped", summary.dropped);
    runs_events_tell(entry, "stop", &measurements);
}

/* --- Subscribing --- */

enum subscription_outcome runs_subscribe(struct runs *runs, uint64_t id, struct term pid, const char *node)
{
    enum subscription_outcome outcome = subscriptions_add(runs->subscriptions, id, pid, node);
    if (outcome != SUBSCRIBED)
        return outcome;
    LIST_EACH(struct run_entry, entry, &runs->entries, link)
        if (entry->run && runs_events_has_subscriber(entry))
            runs_events_observe(entry);
    return outcome;
}

void runs_unsubscribe(struct runs *runs, uint64_t id, struct term pid)
{
    subscriptions_remove(runs->subscriptions, id, pid);
}

void runs_open_events(struct runs *runs)
{
    runs->subscriptions = subscriptions_new(runs->process);
    loop_timer_init(&runs->progress, node_loop(runs->options.node), runs_events_on_progress, runs);
}

void runs_close_events(struct runs *runs)
{
    loop_timer_free(&runs->progress);
    subscriptions_free(runs->subscriptions);
}
