#include <time.h>

#include "base/clock.h"
#include "run_entry_private.h"

/* What is told beside the summary. */
struct run_view {
    struct run_summary summary;
    const char *state;
    const char *stored; /* where its result is, or NULL */
    const char *waits_for;
    size_t runs_before;
    bool cancelled;
    bool is_loading; /* or about to */
    uint64_t load_ns;
    uint64_t in_flight;
    size_t awaited_by;
};

static void status_build_atom(struct term_builder *builder, const char *key, const char *atom)
{
    term_build_key(builder, key);
    term_build_atom(builder, atom ? atom : "nil");
}

/* "2026-01-31T12:00:00Z", or nil when it is not yet. */
static void status_build_time(struct term_builder *builder, const char *key, uint64_t wall_ms)
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

#define OWN_PAIRS 11

static void status_build(const struct run_view *view, struct term_builder *builder)
{
    const struct run_summary *summary = &view->summary;
    uint64_t load_ms = view->load_ns / CLOCK_NS_PER_MS;
    term_build_map(builder, RUN_SUMMARY_PAIRS + OWN_PAIRS);
    run_summary_build(summary, builder);
    status_build_atom(builder, "state", view->state);
    status_build_atom(builder, "cancelled", view->cancelled ? "true" : "false");
    status_build_time(builder, "accepted_at", summary->accepted_at_ms);
    status_build_time(builder, "started_at", summary->started_at_ms);
    status_build_time(builder, "ended_at", summary->ended_at_ms);
    term_build_key_known(builder, "left_ms", view->is_loading && summary->planned_ms,
                         load_ms < summary->planned_ms ? summary->planned_ms - load_ms : 0);
    term_build_key_unsigned(builder, "in_flight", view->in_flight);
    status_build_atom(builder, "waits_for", view->waits_for);
    term_build_key_known(builder, "runs_before", view->waits_for != NULL, view->runs_before);
    term_build_key_unsigned(builder, "awaited_by", view->awaited_by);
    status_build_atom(builder, "stored", view->stored);
}

/* Since it has started, or for how long it has waited until then; of one that has ended how long it took. */
static uint64_t status_elapsed_ms(const struct run_entry *entry)
{
    uint64_t from = entry->started_ns ? entry->started_ns : entry->accepted_ns;
    return ((entry->ended_ns ? entry->ended_ns : clock_ns()) - from) / CLOCK_NS_PER_MS;
}

struct run_summary run_summary_now(const struct run_entry *entry)
{
    struct run_summary summary = entry->summary;
    struct run_figures figures;
    summary.elapsed_ms = status_elapsed_ms(entry);
    if (entry->run) {
        run_figures(entry->run, &figures);
        summary.operations = figures.operations;
        summary.operation_errors = figures.operation_errors;
        summary.dropped = figures.dropped;
    }
    return summary;
}

void run_status_build(const struct run_entry *entry, struct term_builder *builder)
{
    struct run_view view = {.summary = run_summary_now(entry),
                            .state = entry->phase == RUN_PHASE_QUEUED ? "queued" : "storing",
                            .cancelled = entry->cancelled,
                            .awaited_by = entry->waits.count};
    struct run_figures figures = {0};
    if (entry->phase == RUN_PHASE_STORING)
        view.cancelled = entry->summary.outcome == OUTCOME_CANCELLED;
    if (entry->phase == RUN_PHASE_QUEUED)
        view.waits_for = run_obstacle(entry, &view.runs_before);
    if (entry->run) {
        run_figures(entry->run, &figures);
        view.state = run_state_name(figures.state);
        view.cancelled = figures.cancelled;
        view.is_loading = run_state_group(figures.state) <= RUN_LOADING;
        view.load_ns = figures.load_ns;
        view.in_flight = figures.in_flight;
    }
    status_build(&view, builder);
}

enum outcome run_status_outcome(const struct store_entry *stored)
{
    struct run_summary summary = {0};
    enum outcome outcome = OUTCOME_INTERRUPTED;
    if (stored->state != STORE_INTERRUPTED)
        outcome = run_summary_read(stored->summary, &summary) ? summary.outcome : OUTCOME_NONE;
    run_summary_free(&summary);
    return outcome;
}

void run_status_build_stored(const struct store_entry *stored, struct term_builder *builder)
{
    bool interrupted = stored->state == STORE_INTERRUPTED;
    struct run_view view = {.state = interrupted ? "interrupted" : "finished",
                            .stored = stored->durable ? "disk" : "memory"};
    if (!run_summary_read(stored->summary, &view.summary)) /* not one of this version */
        view.summary.run_id = stored->id;
    view.summary.outcome = run_status_outcome(stored);
    if (interrupted)
        view.summary.ended_at_ms = stored->ended_at_ms;
    view.cancelled = view.summary.outcome == OUTCOME_CANCELLED;
    status_build(&view, builder);
    run_summary_free(&view.summary);
}
