#include <time.h>

#include "base/clock.h"
#include "run_entry_private.h"

#define NOT_KNOWN UINT64_MAX

/* What is told beside the summary. */
struct run_view {
    struct run_summary summary;
    const char *state;
    const char *stored; /* where its result is, or NULL */
    const char *waits_for;
    bool cancelled;
    uint64_t left_ms;
    uint64_t in_flight;
    uint64_t runs_before;
    uint64_t awaited_by;
    const struct runs *runs; /* for the members */
    struct term pid;         /* without data: it has no process */
};

/* nil for NULL. */
static void status_build_atom(const void *value, struct term_builder *builder)
{
    const char *atom = *(const char *const *)value;
    term_build_atom(builder, atom ? atom : "nil");
}

static void status_build_boolean(const void *value, struct term_builder *builder)
{
    term_build_atom(builder, *(const bool *)value ? "true" : "false");
}

/* "2026-01-31T12:00:00Z", or nil when it is not yet. */
static void status_build_time(const void *value, struct term_builder *builder)
{
    char text[64];
    uint64_t wall_ms = *(const uint64_t *)value;
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm utc;
    if (wall_ms && gmtime_r(&seconds, &utc) && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc))
        term_build_text(builder, text);
    else
        term_build_atom(builder, "nil");
}

static void status_build_number(const void *value, struct term_builder *builder)
{
    uint64_t number = *(const uint64_t *)value;
    if (number == NOT_KNOWN)
        term_build_atom(builder, "nil");
    else
        term_build_unsigned(builder, number);
}

static void status_build_members(const void *value, struct term_builder *builder)
{
    const struct run_view *view = value;
    runs_suite_build_members(view->runs, view->summary.run_id, builder);
}

/* nil without one. */
static void status_build_pid(const void *value, struct term_builder *builder)
{
    const struct term *pid = value;
    if (pid->data)
        term_build_term(builder, *pid);
    else
        term_build_atom(builder, "nil");
}

static const struct status_row {
    struct help help;
    void (*build)(const void *value, struct term_builder *builder);
    size_t offset; /* in a struct run_view */
} status_rows[] = {
    {{.name = "state",
      .text = "What it is at: `queued`, one of the run's own such as `resolving`, `setup`, `load` and "
              "`cleanup`, `suite` of a suite, or `storing`, `finished`, `interrupted`."},
     status_build_atom,
     offsetof(struct run_view, state)},
    {{.name = "cancelled", .text = "Whether it was asked to end."},
     status_build_boolean,
     offsetof(struct run_view, cancelled)},
    {{.name = "accepted_at", .text = "`accepted_at_ms` as text, such as `2026-01-31T12:00:00Z`."},
     status_build_time,
     offsetof(struct run_view, summary.accepted_at_ms)},
    {{.name = "started_at", .text = "`started_at_ms` as text."},
     status_build_time,
     offsetof(struct run_view, summary.started_at_ms)},
    {{.name = "ended_at", .text = "`ended_at_ms` as text."},
     status_build_time,
     offsetof(struct run_view, summary.ended_at_ms)},
    {{.name = "left_ms", .text = "How much of its load is still to come, where that is known."},
     status_build_number,
     offsetof(struct run_view, left_ms)},
    {{.name = "in_flight", .text = "Operations under way."},
     status_build_number,
     offsetof(struct run_view, in_flight)},
    {{.name = "waits_for",
      .text = "In the queue: the limit that is in its way, or `audit` until it is on record."},
     status_build_atom,
     offsetof(struct run_view, waits_for)},
    {{.name = "runs_before", .text = "In the queue: how many runs wait before it."},
     status_build_number,
     offsetof(struct run_view, runs_before)},
    {{.name = "awaited_by", .text = "How many processes wait for its end."},
     status_build_number,
     offsetof(struct run_view, awaited_by)},
    {{.name = "members", .text = "Of a suite: its runs, the newest first, those whose reports are kept."},
     status_build_members,
     0},
    {{.name = "pid",
      .text = "The process of a run that has not ended, to monitor or to link to. An exit signal to it "
              "cancels the "
              "run, unless its reason is `normal`; it ends with `normal` when the run has ended, whatever "
              "came of it."},
     status_build_pid,
     offsetof(struct run_view, pid)},
    {{.name = "stored", .text = "Where its result is: on `disk`, or in `memory`."},
     status_build_atom,
     offsetof(struct run_view, stored)},
};

const struct help_table *runs_status_table(void)
{
    static const struct help_table table = HELP_TABLE("run_status", "How a run stands", status_rows);
    return &table;
}

static void status_build(const struct run_view *view, struct term_builder *builder)
{
    term_build_map(builder, RUN_SUMMARY_PAIRS + ARRAY_LENGTH(status_rows));
    run_summary_build(&view->summary, builder);
    for (size_t i = 0; i < ARRAY_LENGTH(status_rows); i++) {
        term_build_key(builder, status_rows[i].help.name);
        status_rows[i].build((const char *)view + status_rows[i].offset, builder);
    }
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

/* Of a load that goes on, or is about to. */
static uint64_t status_left_ms(const struct run_summary *summary, const struct run_figures *figures)
{
    uint64_t load_ms = figures->load_ns / CLOCK_NS_PER_MS;
    if (!summary->planned_ms || run_state_group(figures->state) > RUN_LOADING)
        return NOT_KNOWN;
    return load_ms < summary->planned_ms ? summary->planned_ms - load_ms : 0;
}

static const char *status_state(enum run_phase phase)
{
    return phase == RUN_PHASE_QUEUED ? "queued" : phase == RUN_PHASE_SUITE ? "suite" : "storing";
}

void run_status_build(const struct run_entry *entry, struct term_builder *builder)
{
    struct run_view view = {.summary = run_summary_now(entry),
                            .runs = entry->runs,
                            .state = status_state(entry->phase),
                            .cancelled = entry->cancelled,
                            .left_ms = NOT_KNOWN,
                            .runs_before = NOT_KNOWN,
                            .awaited_by = entry->waits.count};
    struct run_figures figures = {0};
    size_t before;
    if (entry->phase == RUN_PHASE_STORING)
        view.cancelled = entry->summary.outcome == OUTCOME_CANCELLED;
    if (entry->phase == RUN_PHASE_QUEUED)
        view.waits_for = run_obstacle(entry, &before);
    if (view.waits_for)
        view.runs_before = before;
    if (entry->process)
        view.pid = process_pid(entry->process);
    if (entry->run) {
        run_figures(entry->run, &figures);
        view.state = run_state_name(figures.state);
        view.cancelled = figures.cancelled;
        view.left_ms = status_left_ms(&view.summary, &figures);
        view.in_flight = figures.in_flight;
    }
    status_build(&view, builder);
}

/* Of one that this version cannot read nothing is known. */
static enum outcome status_read_summary(const struct store_entry *stored, struct run_summary *summary)
{
    bool is_read = run_summary_read(stored->summary, summary);
    if (stored->state == STORE_INTERRUPTED)
        return OUTCOME_INTERRUPTED;
    return is_read ? summary->outcome : OUTCOME_NONE;
}

enum outcome run_status_outcome(const struct store_entry *stored)
{
    struct run_summary summary = {0};
    enum outcome outcome = status_read_summary(stored, &summary);
    run_summary_free(&summary);
    return outcome;
}

void run_status_build_stored(const struct runs *runs, const struct store_entry *stored,
                             struct term_builder *builder)
{
    bool interrupted = stored->state == STORE_INTERRUPTED;
    struct run_view view = {.runs = runs,
                            .state = interrupted ? "interrupted" : "finished",
                            .stored = stored->durable ? "disk" : "memory",
                            .left_ms = NOT_KNOWN,
                            .runs_before = NOT_KNOWN};
    view.summary.outcome = status_read_summary(stored, &view.summary);
    if (!view.summary.run_id) /* not one of this version */
        view.summary.run_id = stored->id;
    if (interrupted)
        run_summary_interrupt(&view.summary, stored->ended_at_ms);
    view.cancelled = view.summary.outcome == OUTCOME_CANCELLED;
    status_build(&view, builder);
    run_summary_free(&view.summary);
}
