#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "run.h"
#include "term/term_read.h"

/* Events that one piece of the report has. */
#define REPORT_PIECE 4000

/* {error, {Reason, {'Elixir.GenServer', call, [Server, Message, Timeout]}}} behind its first element. */
static void build_exit(const struct run *run, const struct event *event, struct term_builder *builder)
{
    const struct scenario *scenario = run->scenario;
    const struct operation *operation = &scenario->operations[event->operation];
    term_build_tuple(builder, 2);
    term_build_term(builder, terms_get(&run->events.terms, event->term));
    term_build_tuple(builder, 3);
    term_build_atom(builder, "Elixir.GenServer");
    term_build_atom(builder, "call");
    term_build_list(builder, 3);
    term_build_term(builder, scenario->targets[event->target].server);
    term_build_term(builder,
                    operation->kind == OPERATION_CAST ? scenario->cast_sync_message : operation->message);
    term_build_unsigned(builder, scenario->call_timeout_ms);
    term_build_nil(builder);
}

static void build_result(const struct run *run, const struct event *event, struct term_builder *builder)
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
        build_exit(run, event, builder);
        break;
    }
}

static void build_number(struct term_builder *builder, const char *key, uint64_t value)
{
    term_build_key(builder, key);
    term_build_unsigned(builder, value);
}

static void build_event(const struct run *run, const struct event *event, struct term_builder *builder)
{
    term_build_map(builder, 8);
    build_number(builder, "thread", event->thread);
    build_number(builder, "step", event->step);
    term_build_key(builder, "operation");
    operation_build(&run->scenario->operations[event->operation], builder);
    term_build_key(builder, "result");
    build_result(run, event, builder);
    build_number(builder, "duration_ms", event->duration_us / 1000);
    build_number(builder, "duration_us", event->duration_us);
    build_number(builder, "timestamp_ms", event->end_us / 1000);
    build_number(builder, "timestamp_us", event->end_us);
}

static const struct event *ordered_event(const struct run *run, size_t position)
{
    return events_at(&run->events, run->report.order[position]);
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
        build_event(run, ordered_event(run, report->event), &run->result);
    if (end < run->events.count)
        return;
    if (run->events.count)
        term_build_nil(&run->result);
    term_build_key(&run->result, "threads");
    term_build_list(&run->result, run->scenario->thread_count);
    report->event = 0;
    report->part = REPORT_THREADS;
}

static void open_thread(struct run *run, size_t thread, size_t events)
{
    term_build_map(&run->result, 3);
    build_number(&run->result, "thread", thread);
    build_number(&run->result, "errors", run->threads[thread].errors);
    term_build_key(&run->result, "events");
    term_build_list(&run->result, events);
}

/* Key `threads`: each thread's number, errors, and events. */
static void write_threads(struct run *run)
{
    struct report *report = &run->report;
    size_t left = REPORT_PIECE;
    for (; left && report->thread < run->scenario->thread_count; left--) {
        size_t start = report->starts[report->thread], end = report->starts[report->thread + 1];
        if (report->event == start)
            open_thread(run, report->thread, end - start);
        for (; left && report->event < end; report->event++, left--)
            build_event(run, ordered_event(run, report->event), &run->result);
        if (report->event < end)
            return;
        if (end > start)
            term_build_nil(&run->result);
        report->thread++;
    }
    if (report->thread < run->scenario->thread_count)
        return;
    term_build_nil(&run->result);
    report->part = REPORT_REST;
}

static void write_metrics(const struct run *run, struct term_builder *builder)
{
    term_build_map(builder, 7);
    build_number(builder, "duration_ms", (run->ended_ns - run->started_ns) / CLOCK_NS_PER_MS);
    build_number(builder, "total_operations", run->operations);
    build_number(builder, "thread_count", run->scenario->thread_count);
    build_number(builder, "operation_errors", run->operation_errors);
    term_build_key(builder, "mailbox_observed?");
    term_build_boolean(builder, false);
    build_number(builder, "overall_duration_ms", (clock_ns() - run->created_ns) / CLOCK_NS_PER_MS);
    build_number(builder, "events_dropped", run->events.dropped);
}

/* The user's metadata with the run's id, which takes the place of a key scenario_id of theirs. */
static void write_metadata(const struct run *run, struct term_builder *builder)
{
    struct term_pairs pairs;
    struct term key, value;
    size_t count = 1;
    bool is_map = term_pairs_start(&pairs, run->scenario->metadata);
    assert(is_map);
    while (term_pairs_next(&pairs, &key, &value))
        count += !term_is_atom(key, "scenario_id");
    term_build_map(builder, count);
    is_map = term_pairs_start(&pairs, run->scenario->metadata);
    while (term_pairs_next(&pairs, &key, &value)) {
        if (term_is_atom(key, "scenario_id"))
            continue;
        term_build_term(builder, key);
        term_build_term(builder, value);
    }
    build_number(builder, "scenario_id", run->id);
}

static void write_rest(struct run *run)
{
    static const char *const not_observed[] = {"mailbox", "chaos", "performance"};
    struct term_builder *builder = &run->result;
    term_build_key(builder, "metrics");
    write_metrics(run, builder);
    for (size_t i = 0; i < ARRAY_LENGTH(not_observed); i++) {
        term_build_key(builder, not_observed[i]);
        term_build_atom(builder, "nil");
    }
    term_build_key(builder, "metadata");
    write_metadata(run, builder);
    term_build_key(builder, "context");
    term_build_map(builder, 0);
    term_build_key(builder, "errors");
    errors_build(&run->errors, builder);
    build_number(builder, "seed", run->seed);
    build_number(builder, "run_id", run->id);
    run->report.part = REPORT_WRITTEN;
}

/* The keys of a report, in the order in which the parts write them. */
#define REPORT_KEYS 11

void report_start(struct run *run)
{
    struct term_builder *builder = &run->result;
    run->report = (struct report){.part = REPORT_WRITTEN};
    term_build_tuple(builder, 2);
    term_build_atom(builder, run->outcome == RUN_COMPLETED ? "ok" : "error");
    if (run->outcome == RUN_THREADS_TIMEOUT) {
        term_build_tuple(builder, 2);
        term_build_atom(builder, "thread_failure");
        term_build_tuple(builder, 2);
        term_build_atom(builder, "error");
        term_build_atom(builder, "timeout");
        return;
    }
    if (run->outcome == RUN_CANCELLED) {
        term_build_tuple(builder, 2);
        term_build_atom(builder, "cancelled");
    }
    run->report.part = REPORT_EVENTS;
    events_by_thread(&run->events, run->scenario->thread_count, &run->report.order, &run->report.starts);
    term_build_map(builder, REPORT_KEYS);
    term_build_key(builder, "events");
    term_build_list(builder, run->events.count);
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
}
