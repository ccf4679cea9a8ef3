#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "run.h"
#include "term/term_read.h"

/* Events that one piece of the report has. */
#define REPORT_PIECE 4000

/* {error, {Reason, {'Elixir.GenServer', call, [Server, Message, Timeout]}}} behind its first element. */
static void build_exit(struct run *run, const struct event *event, struct term message,
                       struct term_builder *builder)
{
    const struct scenario *scenario = run->scenario;
    const struct operation *operation = &scenario->operations[event->operation];
    term_build_tuple(builder, 2);
    term_build_term(builder, terms_get(&run->events.terms, event->term));
    term_build_tuple(builder, 3);
    term_build_atom(builder, "Elixir.GenServer");
    term_build_atom(builder, "call");
    term_build_list(builder, 3);
    term_build_term(builder, scenario->setup.data ? buffer_term(&run->subject)
                                                  : scenario->targets[event->target].server);
    term_build_term(builder, operation->kind == OPERATION_CAST ? scenario->cast_sync_message : message);
    term_build_unsigned(builder, scenario->call_timeout_ms);
    term_build_nil(builder);
}

static void build_result(struct run *run, const struct event *event, struct term message,
                         struct term_builder *builder)
{
    term_build_tuple(builder, 2);
    term_build_atom(builder, event->kind == RESULT_OK ? "ok" : "error");
    switch ((enum result_kind)event->kind) {
    case RESULT_OK:
        term_build_term(builder, terms_get(&run->events.terms, event->term));
        break;
    case RESULT_TIMEOUT:
        term_build_atom(builder, "timeout");
        break;
    case RESULT_NOPROC:
        term_build_atom(builder, "noproc");
        break;
    case RESULT_MISSING_SYNC:
        term_build_atom(builder, "missing_sync_handler");
        break;
    case RESULT_EXIT:
        build_exit(run, event, message, builder);
        break;
    case RESULT_RAISED:
        term_build_term(builder, terms_get(&run->events.terms, event->term));
        break;
    }
}

static void build_number(struct term_builder *builder, const char *key, uint64_t value)
{
    term_build_key(builder, key);
    term_build_unsigned(builder, value);
}

static void build_event(struct run *run, const struct event *event, struct term_builder *builder)
{
    buffer_truncate(&run->message, 0);
    struct term message = load_message_at(run, event->operation, event->thread, event->step, &run->message);
    term_build_map(builder, 8);
    build_number(builder, "thread", event->thread);
    build_number(builder, "step", event->step);
    term_build_key(builder, "operation");
    operation_build(&run->scenario->operations[event->operation], message, builder);
    term_build_key(builder, "result");
    build_result(run, event, message, builder);
    build_number(builder, "duration_ms", event->duration_us / 1000);
    build_number(builder, "duration_us", event->duration_us);
    build_number(builder, "timestamp_ms", event->end_us / 1000);
    build_number(builder, "timestamp_us", event->end_us);
}

/* Events of scripts are in the order of their threads; those of a load in that of their ends. */
static const struct event *ordered_event(const struct run *run, size_t position)
{
    return events_at(&run->events, run->report.order ? run->report.order[position] : position);
}

/* --- Pieces --- */

/* Key `events`, all of them. */
static void write_events(struct run *run)
{
    struct report *report = &run->report;
    size_t end = report->event + REPORT_PIECE;
    if (end > run->events.count)
        end = run->events.count;
    for (; report->event < end; report->event++)
        build_event(run, ordered_event(run, report->event), run->report.output);
    if (end < run->events.count)
        return;
    if (run->events.count)
        term_build_nil(run->report.output);
    term_build_key(run->report.output, "threads");
    term_build_list(run->report.output, run->scenario->thread_count);
    report->event = 0;
    report->part = REPORT_THREADS;
}

static void open_thread(struct run *run, size_t thread, size_t events)
{
    term_build_map(run->report.output, 3);
    build_number(run->report.output, "thread", thread);
    build_number(run->report.output, "errors", run->threads[thread].errors);
    term_build_key(run->report.output, "events");
    term_build_list(run->report.output, events);
}

/* Each thread's number, errors, and count of operations. */
static void write_thread_counts(struct run *run)
{
    struct report *report = &run->report;
    for (size_t left = REPORT_PIECE; left && report->thread < run->scenario->thread_count; left--) {
        const struct thread *thread = &run->threads[report->thread];
        term_build_map(report->output, 3);
        build_number(report->output, "thread", report->thread++);
        build_number(report->output, "errors", thread->errors);
        build_number(report->output, "operations", thread->operations);
    }
}

/* Each thread's number, errors, and events. */
static void write_thread_events(struct run *run)
{
    struct report *report = &run->report;
    size_t left = REPORT_PIECE;
    for (; left && report->thread < run->scenario->thread_count; left--) {
        size_t start = report->starts[report->thread], end = report->starts[report->thread + 1];
        if (report->event == start)
            open_thread(run, report->thread, end - start);
        for (; left && report->event < end; report->event++, left--)
            build_event(run, ordered_event(run, report->event), run->report.output);
        if (report->event < end)
            return;
        if (end > start)
            term_build_nil(run->report.output);
        report->thread++;
    }
}

static void write_threads(struct run *run)
{
    struct report *report = &run->report;
    if (report->order)
        write_thread_events(run);
    else
        write_thread_counts(run);
    if (report->thread < run->scenario->thread_count)
        return;
    if (run->scenario->thread_count)
        term_build_nil(run->report.output);
    report->part = REPORT_REST;
}

static void write_metrics(struct run *run, struct term_builder *builder)
{
    term_build_map(builder, 8);
    build_number(builder, "duration_ms", (run->ended_ns - run->started_ns) / CLOCK_NS_PER_MS);
    build_number(builder, "total_operations", run->operations);
    build_number(builder, "thread_count", run->scenario->thread_count);
    build_number(builder, "operation_errors", run->operation_errors);
    term_build_key(builder, "mailbox_observed?");
    term_build_boolean(builder, run->scenario->mailbox_interval_ms != 0);
    build_number(builder, "overall_duration_ms", (clock_ns() - run->created_ns) / CLOCK_NS_PER_MS);
    build_number(builder, "events_dropped", run->events.dropped);
    build_number(builder, "dropped", run->arrivals_dropped);
}

/* The user's metadata with the run's id, which takes the place of a key scenario_id of theirs; likewise
 * `error`. */
void report_build_metadata(const struct run *run, struct term error, struct term_builder *builder)
{
    struct term_pairs pairs;
    struct term key, value;
    size_t count = 1 + (error.data != NULL);
    bool is_map = term_pairs_start(&pairs, run->scenario->metadata);
    assert(is_map);
    while (term_pairs_next(&pairs, &key, &value))
        count += !term_is_atom(key, "scenario_id") && !(error.data && term_is_atom(key, "error"));
    term_build_map(builder, count);
    is_map = term_pairs_start(&pairs, run->scenario->metadata);
    while (term_pairs_next(&pairs, &key, &value)) {
        if (term_is_atom(key, "scenario_id") || (error.data && term_is_atom(key, "error")))
            continue;
        term_build_term(builder, key);
        term_build_term(builder, value);
    }
    build_number(builder, "scenario_id", run->id);
    if (error.data) {
        term_build_key(builder, "error");
        term_build_term(builder, error);
    }
}

void report_build_mailbox_of(const struct mailbox *mailbox, struct term_builder *builder)
{
    if (!mailbox->observed) {
        term_build_atom(builder, "nil");
        return;
    }
    term_build_map(builder, 4);
    term_build_key(builder, "initial_size");
    term_build_integer(builder, mailbox->initial);
    term_build_key(builder, "final_size");
    term_build_integer(builder, mailbox->final);
    term_build_key(builder, "max_size");
    term_build_integer(builder, mailbox->most);
    term_build_key(builder, "avg_size");
    term_build_float(builder, mailbox->average);
}

static void write_mailbox(struct run *run, struct term_builder *builder)
{
    if (!run->scenario->mailbox_interval_ms || !run->mailboxes) {
        term_build_atom(builder, "nil");
        return;
    }
    if (run->scenario->target_is_list)
        term_build_list(builder, run->scenario->target_count);
    for (size_t i = 0; i < run->scenario->target_count; i++)
        report_build_mailbox_of(&run->mailboxes[i], builder);
    if (run->scenario->target_is_list)
        term_build_nil(builder);
}

static void write_chaos(struct run *run, struct term_builder *builder)
{
    if (!run->chaos_result.size) {
        term_build_atom(builder, "nil");
        return;
    }
    term_build_map(builder, 2);
    term_build_key(builder, "result");
    term_build_term(builder, buffer_term(&run->chaos_result));
    build_number(builder, "duration_ms", run->chaos_ms);
}

static void write_performance(struct run *run, struct term_builder *builder)
{
    if (run->judged)
        judge_build_measurement(run, builder);
    else
        term_build_atom(builder, "nil");
}

static void write_metadata(struct run *run, struct term_builder *builder)
{
    report_build_metadata(run, (struct term){0}, builder);
}

static void write_context(struct run *run, struct term_builder *builder)
{
    term_build_term(builder, buffer_term(&run->context));
}

static void write_errors(struct run *run, struct term_builder *builder)
{
    errors_build(&run->errors, builder);
}

static void write_latency(struct run *run, struct term_builder *builder)
{
    latencies_build(&run->latencies, builder);
}

static void write_timeline(struct run *run, struct term_builder *builder)
{
    /* Faults may go on after the load. */
    uint64_t end_ns = run->scenario->action_count && run->waited_ns ? run->waited_ns : run->ended_ns;
    if (run->timeline.start_ns)
        timeline_build(&run->timeline, &run->errors, end_ns, builder);
    else
        term_build_list(builder, 0); /* it was cancelled before its load began */
}

static void write_expectations(struct run *run, struct term_builder *builder)
{
    judge_build_expectations(run, builder);
}

static void write_injections(struct run *run, struct term_builder *builder)
{
    chaos_build_injections(run, builder);
}

static void write_healed(struct run *run, struct term_builder *builder)
{
    chaos_build_healed(run, builder);
}

static void write_seed(struct run *run, struct term_builder *builder)
{
    term_build_unsigned(builder, run->seed);
}

static void write_run_id(struct run *run, struct term_builder *builder)
{
    term_build_unsigned(builder, run->id);
}

/* The keys behind `events` and `threads`; the invariant is given some of them beside the context of the
 * setup. */
static const struct key {
    const char *name;
    void (*write)(struct run *run, struct term_builder *builder);
    bool for_invariant;
} rest[] = {
    {"metrics", write_metrics, true},
    {"mailbox", write_mailbox, true},
    {"chaos", write_chaos, true},
    {"performance", write_performance, true},
    {"metadata", write_metadata, true},
    {"context", write_context, false},
    {"errors", write_errors, false},
    {"seed", write_seed, false},
    {"run_id", write_run_id, false},
    {"latency", write_latency, false},
    {"timeline", write_timeline, false},
    {"expectations", write_expectations, false},
    {"injections", write_injections, false},
    {"healed", write_healed, false},
};

static void write_rest(struct run *run)
{
    const struct report *report = &run->report;
    for (size_t i = 0; i < ARRAY_LENGTH(rest); i++) {
        if (report->for_invariant && !rest[i].for_invariant)
            continue;
        term_build_key(report->output, rest[i].name);
        rest[i].write(run, report->output);
    }
    run->report.part = REPORT_WRITTEN;
}

static size_t count_rest(bool for_invariant)
{
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(rest); i++)
        count += !for_invariant || rest[i].for_invariant;
    return count;
}

/* Whether a key of the setup's context gives way to one that the invariant is given. */
static bool is_overridden(struct term key)
{
    bool found = term_is_atom(key, "events") || term_is_atom(key, "threads");
    for (size_t i = 0; !found && i < ARRAY_LENGTH(rest); i++)
        found = rest[i].for_invariant && term_is_atom(key, rest[i].name);
    return found;
}

/* Opens the map of the invariant with what the setup gave. */
static void open_context(struct run *run)
{
    struct term_builder *builder = run->report.output;
    struct term_pairs pairs;
    struct term key, value;
    size_t count = 2 + count_rest(true);
    bool is_map = term_pairs_start(&pairs, buffer_term(&run->context));
    assert(is_map);
    while (term_pairs_next(&pairs, &key, &value))
        count += !is_overridden(key);
    term_build_map(builder, count);
    is_map = term_pairs_start(&pairs, buffer_term(&run->context));
    while (term_pairs_next(&pairs, &key, &value)) {
        if (is_overridden(key))
            continue;
        term_build_term(builder, key);
        term_build_term(builder, value);
    }
}

static void open_tuple(struct term_builder *builder, size_t arity, const char *name)
{
    term_build_tuple(builder, arity);
    term_build_atom(builder, name);
}

/* Writes what comes before the report, or the whole result when it has none. True when a report follows. */
static bool open_result(struct run *run)
{
    struct term_builder *builder = run->report.output;
    bool clean = !run->cleanup_failure.size;
    open_tuple(builder, 2, clean && !run->failure.size && !run->cancelled ? "ok" : "error");
    if (!clean) {
        open_tuple(builder, 3, "cleanup_failed");
        term_build_term(builder, buffer_term(&run->cleanup_failure));
    }
    if (run->cancelled)
        open_tuple(builder, 2, "cancelled");
    else if (run->failure.size)
        term_build_term(builder, buffer_term(&run->failure));
    return run->cancelled || !run->failure.size;
}

void report_start(struct run *run, bool for_invariant)
{
    struct report *report = &run->report;
    report_free(report);
    *report = (struct report){.part = REPORT_WRITTEN,
                              .output = for_invariant ? &run->written : run->request.result,
                              .for_invariant = for_invariant};
    term_build_reset(&run->written);
    report->start = report->output->bytes.size;
    if (!for_invariant && !open_result(run))
        return;
    if (run->scenario->dry_run) {
        chaos_build_dry_run(run, report->output);
        return;
    }
    report->part = REPORT_EVENTS;
    if (run->scenario->threads)
        events_by_thread(&run->events, run->scenario->thread_count, &report->order, &report->starts);
    if (for_invariant)
        open_context(run);
    else
        term_build_map(report->output, 2 + count_rest(false));
    term_build_key(report->output, "events");
    term_build_list(report->output, run->events.count);
}

bool report_continue(struct run *run)
{
    static void (*const writers[])(struct run * run) = {
        [REPORT_EVENTS] = write_events, [REPORT_THREADS] = write_threads, [REPORT_REST] = write_rest};
    if (run->report.part != REPORT_WRITTEN)
        writers[run->report.part](run);
    return run->report.part != REPORT_WRITTEN;
}

void report_free(struct report *report)
{
    free(report->order);
    free(report->starts);
    report->order = report->starts = NULL;
}
