#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"
#include "run_private.h"
#include "term/term_read.h"

/* Events that one piece of the report has, and that are put into order in one. */
#define REPORT_PIECE 200
#define REPORT_ORDER_PIECE 2000

/* That are copied in one, or let go of. */
#define REPORT_COPY_PIECE 4000

/* What is copied in one piece, beside that of the event that is the last in it. */
#define REPORT_PIECE_BYTES (64 * 1024)

/* That of the result. */
static void report_build_term(const struct run *run, const struct event *event, struct term_builder *builder)
{
    const struct term_long term = terms_get(&run_record(run)->events.terms, event->term);
    term_build_long(builder, &term);
}

/* {error, {Reason, {'Elixir.GenServer', call, [Server, Message, Timeout]}}} behind its first element. */
static void report_build_exit(struct run *run, const struct event *event, struct term message,
                              struct term_builder *builder)
{
    const struct scenario *scenario = run->scenario;
    const struct operation *operation = &scenario->operations[event->operation];
    struct term_gaps *const gaps = builder->gaps;
    term_build_tuple(builder, 2);
    report_build_term(run, event, builder);
    term_build_tuple(builder, 3);
    term_build_atom(builder, "Elixir.GenServer");
    term_build_atom(builder, "call");
    term_build_list(builder, 3);
    term_build_term(builder, scenario->setup.data
                                 ? term_of(&run->subject)
                                 : scenario->targets[targets_source(run->targets, event->target)].server);
    builder->gaps = operation->template ? NULL : gaps;
    term_build_term(builder, operation->kind == OPERATION_CAST ? scenario->cast_sync_message : message);
    builder->gaps = gaps;
    term_build_unsigned(builder, scenario->call_timeout_ms);
    term_build_nil(builder);
}

static void report_build_result(struct run *run, const struct event *event, struct term message,
                                struct term_builder *builder)
{
    struct term own = result_reason((enum result_kind)event->kind);
    term_build_tuple(builder, 2);
    term_build_atom(builder, event->kind == RESULT_OK ? "ok" : "error");
    if (own.data)
        term_build_term(builder, own);
    else if (event->kind == RESULT_EXIT)
        report_build_exit(run, event, message, builder);
    else
        report_build_term(run, event, builder);
}

static void report_build_event(struct report *report, const struct event *event)
{
    struct run *run = report->run;
    struct term_builder *builder = report->output;
    buffer_truncate(&report->message, 0);
    const struct operation *operation = &run->scenario->operations[event->operation];
    struct term message =
        engine_message_at(run->engine, event->operation, event->thread, event->step, &report->message);
    term_build_map(builder, operation->name.data ? 9 : 8);
    builder->gaps = &report->gaps; /* names and results stay where they are as long as there is the run */
    if (operation->name.data) {
        term_build_key(builder, "name");
        term_build_term(builder, operation->name);
    }
    term_build_key_unsigned(builder, "thread", event->thread);
    term_build_key_unsigned(builder, "step", event->step);
    term_build_key(builder, "operation");
    builder->gaps = operation->template ? NULL : &report->gaps;
    operation_build(operation, message, builder);
    builder->gaps = &report->gaps;
    term_build_key(builder, "result");
    report_build_result(run, event, message, builder);
    builder->gaps = NULL;
    term_build_key_unsigned(builder, "duration_ms", event->duration_us / 1000);
    term_build_key_unsigned(builder, "duration_us", event->duration_us);
    term_build_key_unsigned(builder, "timestamp_ms", event->end_us / 1000);
    term_build_key_unsigned(builder, "timestamp_us", event->end_us);
}

/* Events of scripts are in the order of their threads; those of a load in that of their ends. */
static const struct event *report_ordered_event(const struct report *report, size_t position)
{
    return events_at(report->events, report->by_thread.order ? report->by_thread.order[position] : position);
}

/* --- Pieces --- */

static void report_copy(struct report *report)
{
    if (report->purpose != REPORT_PARTIAL || events_copy_go_on(&report->copied_events, REPORT_COPY_PIECE))
        report->part = REPORT_ORDER;
}

static void report_release(struct report *report)
{
    if (report->purpose != REPORT_PARTIAL || events_copy_release(&report->copied_events, REPORT_COPY_PIECE))
        report->part = REPORT_WRITTEN;
}

static void report_put_in_order(struct report *report)
{
    if (!report->by_thread.order || !events_order_go_on(&report->by_thread, REPORT_ORDER_PIECE))
        report->part = REPORT_EVENTS;
}

static bool report_is_full(const struct report *report)
{
    return report->output->bytes.size - report->gaps.bytes >= report->full;
}

/* At least one of the next events of the report's order up to `end`; true when it comes to that with what is
 * left of its piece. */
static bool report_write_next(struct report *report, size_t end, size_t *left)
{
    while (report->event < end) {
        report_build_event(report, report_ordered_event(report, report->event++));
        *left -= *left > 0;
        if (!*left || report_is_full(report))
            break;
    }
    return report->event == end;
}

/* Key `events`, all of them. */
static void report_write_events(struct report *report)
{
    size_t left = REPORT_PIECE, count = report->events->count;
    if (!report_write_next(report, count, &left))
        return;
    if (count)
        term_build_nil(report->output);
    term_build_key(report->output, "threads");
    term_build_list(report->output, report->thread_count);
    report->event = 0;
    report->part = REPORT_THREADS;
}

/* The one whose turn it is. */
static struct load_thread report_thread_of(const struct report *report)
{
    return report->copied_threads ? report->copied_threads[report->thread]
                                  : engine_thread(report->run->engine, report->thread);
}

static void report_open_thread(struct report *report, size_t events)
{
    term_build_map(report->output, 3);
    term_build_key_unsigned(report->output, "thread", report->thread);
    term_build_key_unsigned(report->output, "errors", report_thread_of(report).errors);
    term_build_key(report->output, "events");
    term_build_list(report->output, events);
}

/* Each thread's number, errors, and count of operations. */
static void report_write_thread_counts(struct report *report)
{
    for (size_t left = REPORT_PIECE; left && report->thread < report->thread_count; left--) {
        struct load_thread thread = report_thread_of(report);
        term_build_map(report->output, 3);
        term_build_key_unsigned(report->output, "thread", report->thread++);
        term_build_key_unsigned(report->output, "errors", thread.errors);
        term_build_key_unsigned(report->output, "operations", thread.operations);
    }
}

/* Each thread's number, errors, and events. */
static void report_write_thread_events(struct report *report)
{
    size_t left = REPORT_PIECE;
    while (left && !report_is_full(report) && report->thread < report->thread_count) {
        left--; /* a thread without events is work as well */
        const size_t *starts = &report->by_thread.starts[report->thread];
        size_t start = starts[0], end = starts[1];
        if (report->event == start)
            report_open_thread(report, end - start);
        if (!report_write_next(report, end, &left))
            return;
        if (end > start)
            term_build_nil(report->output);
        report->thread++;
    }
}

static void report_write_threads(struct report *report)
{
    if (report->by_thread.order)
        report_write_thread_events(report);
    else
        report_write_thread_counts(report);
    if (report->thread < report->thread_count)
        return;
    if (report->thread_count)
        term_build_nil(report->output);
    report->part = REPORT_GAPS;
}

static void report_fill_gaps(struct report *report)
{
    if (!term_gaps_fill(&report->gaps, &report->output->bytes, REPORT_PIECE_BYTES))
        report->part = REPORT_RELEASE;
}

bool report_continue(struct report *report)
{
    static void (*const writers[])(struct report *report) = {
        [REPORT_COPY] = report_copy,           [REPORT_ORDER] = report_put_in_order,
        [REPORT_EVENTS] = report_write_events, [REPORT_THREADS] = report_write_threads,
        [REPORT_GAPS] = report_fill_gaps,      [REPORT_RELEASE] = report_release};
    report->full = report->output->bytes.size - report->gaps.bytes + REPORT_PIECE_BYTES;
    if (report->part != REPORT_WRITTEN)
        writers[report->part](report);
    return report->part != REPORT_WRITTEN;
}

/* --- The beginning --- */

/* Writes what comes before the report: in {error, Reason} it is in the reason of a run that was cancelled or
 * could not clean up, and otherwise stands behind it. True when a report follows. */
static bool report_open_result(const struct run *run, struct term_builder *builder)
{
    const struct term_long failure = term_kept_long(&run->verdict.failure),
                           cleanup_failure = term_kept_long(&run->verdict.cleanup_failure);
    bool failed = run->verdict.failure.size && !run->cancelled, clean = !run->verdict.cleanup_failure.size;
    bool is_behind = failed && !run->scenario->dry_run;
    term_build_tuple(builder, is_behind ? 3 : 2);
    term_build_atom(builder, clean && !failed && !run->cancelled ? "ok" : "error");
    if (!clean) {
        reason_open(REASON_CLEANUP_FAILED, 3, builder);
        term_build_long(builder, &cleanup_failure);
    }
    if (run->cancelled)
        reason_open(REASON_CANCELLED, 2, builder);
    else if (failed)
        term_build_long(builder, &failure);
    return !failed || is_behind;
}

/* The parts first: they are as of now, whatever goes on while the lists are written. */
static void report_open_body(struct report *report)
{
    bool for_invariant = report->purpose == REPORT_CONTEXT;
    term_build_map(report->output, report_parts_count(for_invariant));
    report_parts_build(report->run, for_invariant, &report->gaps, report->output);
    term_build_key(report->output, "events");
    term_build_list(report->output, report->events->count);
    report->part = REPORT_COPY;
}

void report_start(struct report *report, struct run *run, enum report_purpose purpose,
                  struct term_builder *output)
{
    const struct scenario *scenario = run->scenario;
    report_free(report);
    *report = (struct report){.run = run,
                              .output = output,
                              .start = output->bytes.size,
                              .purpose = purpose,
                              .events = &run_record(run)->events,
                              .thread_count = scenario->thread_count,
                              .part = REPORT_GAPS};
    output->gaps = &report->gaps; /* what a run keeps stays where it is */
    bool has_body = purpose != REPORT_RESULT || report_open_result(run, output);
    output->gaps = NULL;
    if (!has_body)
        return;
    if (scenario->dry_run) {
        faults_build_dry_run(run->faults, output);
        return;
    }
    if (purpose == REPORT_PARTIAL) {
        events_copy_begin(&report->copied_events, engine_events(run->engine));
        report->copied_threads = memory_zalloc(scenario->thread_count, sizeof(*report->copied_threads));
        for (size_t i = 0; i < scenario->thread_count; i++)
            report->copied_threads[i] = engine_thread(run->engine, i);
        report->events = &report->copied_events.events;
    }
    if (purpose == REPORT_JOURNAL) {
        report->events = &report->copied_events.events;
        report->thread_count = 0;
    } else if (scenario->threads) {
        events_order_begin(&report->by_thread, report->events, scenario->thread_count);
    }
    report_open_body(report);
}

void report_free(struct report *report)
{
    events_order_free(&report->by_thread);
    free(report->copied_threads);
    buffer_free(&report->message);
    term_gaps_free(&report->gaps);
    if (report->purpose == REPORT_PARTIAL)
        events_copy_free(&report->copied_events, run_loop(report->run));
    *report = (struct report){.output = NULL};
}
