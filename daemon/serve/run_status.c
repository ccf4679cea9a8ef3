#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "run_entry.h"

#define OWN_PAIRS 11

static void build_number(struct term_builder *builder, const char *key, uint64_t value)
{
    term_build_key(builder, key);
    term_build_unsigned(builder, value);
}

/* "2026-01-31T12:00:00Z", or nil when it is not yet. */
static void build_time(struct term_builder *builder, const char *key, uint64_t wall_ms)
{
    char text[64];
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm utc;
    term_build_key(builder, key);
    if (wall_ms && gmtime_r(&seconds, &utc) && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc))
        term_build_text(builder, text);
    else
        term_build_atom(builder, "nil");
}

static void build_state(const struct run_entry *entry, const struct run_figures *figures,
                        struct term_builder *builder)
{
    static const char *const phases[] = {[RUN_PHASE_QUEUED] = "queued", [RUN_PHASE_FINISHED] = "finished"};
    term_build_key(builder, "state");
    term_build_atom(builder, entry->phase == RUN_PHASE_RUNNING ? run_state_name(figures->state)
                                                               : phases[entry->phase]);
}

/* Since it has started, or how long it has waited until then; of one that has ended how long it took. */
static uint64_t elapsed_ms(const struct run_entry *entry)
{
    uint64_t from = entry->started_ns ? entry->started_ns : entry->accepted_ns;
    uint64_t to = entry->phase == RUN_PHASE_FINISHED ? entry->ended_ns : clock_ns();
    return (to - from) / CLOCK_NS_PER_MS;
}

/* Of a load whose length is known, how much is to come. */
static void build_left(const struct run_entry *entry, const struct run_figures *figures,
                       struct term_builder *builder)
{
    term_build_key(builder, "left_ms");
    bool is_known = entry->planned_ns && entry->phase == RUN_PHASE_RUNNING;
    if (is_known && figures->state <= RUN_LOAD)
        term_build_unsigned(builder, figures->load_ns < entry->planned_ns
                                         ? (entry->planned_ns - figures->load_ns) / CLOCK_NS_PER_MS
                                         : 0);
    else
        term_build_atom(builder, "nil");
}

static void build_waits(const struct run_entry *entry, struct term_builder *builder)
{
    size_t before = 0;
    const char *obstacle = entry->phase == RUN_PHASE_QUEUED ? runs_obstacle(entry, &before) : NULL;
    term_build_key(builder, "waits_for");
    term_build_atom(builder, obstacle ? obstacle : "nil");
    term_build_key(builder, "runs_before");
    if (obstacle)
        term_build_unsigned(builder, before);
    else
        term_build_atom(builder, "nil");
}

void run_status_build(const struct run_entry *entry, struct term_builder *builder)
{
    struct run_figures figures = {0};
    struct run_summary summary = entry->summary;
    if (entry->phase == RUN_PHASE_RUNNING) {
        run_figures(entry->run, &figures);
        summary.operations = figures.operations;
        summary.operation_errors = figures.operation_errors;
        summary.dropped = figures.dropped;
    }
    term_build_map(builder, RUN_SUMMARY_PAIRS + OWN_PAIRS);
    run_summary_build(&summary, builder);
    build_state(entry, &figures, builder);
    term_build_key(builder, "cancelled");
    term_build_boolean(builder, entry->cancelled);
    build_time(builder, "accepted_at", summary.accepted_at_ms);
    build_time(builder, "started_at", summary.started_at_ms);
    build_time(builder, "ended_at", summary.ended_at_ms);
    build_number(builder, "elapsed_ms", elapsed_ms(entry));
    build_left(entry, &figures, builder);
    build_number(builder, "in_flight", figures.in_flight);
    build_waits(entry, builder);
    build_number(builder, "awaited_by", entry->wait_count);
}
