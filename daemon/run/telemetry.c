#include <assert.h>

#include "base/clock.h"
#include "run_private.h"
#include "term/term_read.h"
#include "term/term_text.h"

/* Events tell as much of what a user or a peer has made: each is sent to everybody who listens. What is
 * longer is in the report. */
#define TELEMETRY_TERM_BYTES (64 * 1024)
#define TELEMETRY_TEXT_BYTES 1024

static bool telemetry_is_heard(const struct run *run)
{
    const struct run_request *request = &run->request;
    return request->event && (!request->is_heard || request->is_heard(request->owner));
}

/* A text of what is too long; without data where there is none. */
static struct term telemetry_short(const struct term_long *error, struct term_builder *builder)
{
    char text[TELEMETRY_TEXT_BYTES];
    if (!term_long_size(error))
        return (struct term){0};
    if (term_long_size(error) > TELEMETRY_TERM_BYTES)
        term_build_text(builder, term_long_text(error, text, sizeof(text)));
    else
        term_build_long(builder, error);
    return term_built(builder);
}

/* In the place of metadata that is too long its size. */
static void telemetry_build_metadata(const struct run *run, struct term error, struct term_builder *builder)
{
    if (run->scenario->metadata.size <= TELEMETRY_TERM_BYTES) {
        report_build_metadata(run, error, builder);
        return;
    }
    term_build_map(builder, error.data ? 3 : 2);
    term_build_key_unsigned(builder, "metadata_bytes", run->scenario->metadata.size);
    term_build_key_unsigned(builder, "scenario_id", run->id);
    if (error.data) {
        term_build_key(builder, "error");
        term_build_term(builder, error);
    }
}

/* Executes the event with one measurement, or those of `measurements`. The metadata is made for who listens.
 */
static void telemetry_execute(struct run *run, const char *const event[4], struct term measurements,
                              const struct term_long *error)
{
    struct term_builder metadata = {0}, told = {0};
    const bool is_heard = telemetry_is_heard(run);
    if (!is_heard && !run->has_telemetry)
        return;
    telemetry_build_metadata(run, telemetry_short(error, &told), &metadata);
    session_telemetry(run, event, measurements, term_built(&metadata));
    if (is_heard)
        run->request.event(run->request.owner, event, measurements, term_built(&metadata));
    term_build_free(&metadata);
    term_build_free(&told);
}

static void telemetry_execute_number(struct run *run, const char *const event[4], const char *name,
                                     uint64_t number, const struct term_long *error)
{
    struct term_builder measurements = {0};
    term_build_map(&measurements, name ? 1 : 0);
    if (name) {
        term_build_key(&measurements, name);
        term_build_unsigned(&measurements, number);
    }
    telemetry_execute(run, event, term_built(&measurements), error);
    term_build_free(&measurements);
}

void telemetry_run_started(struct run *run)
{
    static const char *const event[4] = {"supertester", "concurrent", "scenario", "start"};
    run->told_start = true;
    telemetry_execute_number(run, event, "system_time_us", clock_wall_us(), RUN_NO_DETAIL);
}

/* The reason that the run answers with: {error, Reason} or {error, Reason, Report}. Of one that was cancelled
 * it is that alone: its report is for who asks for it. */
static struct term telemetry_error_of(const struct run *run)
{
    struct term parts[3] = {{0}};
    size_t arity;
    const struct buffer *bytes = &run->report.output->bytes;
    struct term result = {buffer_bytes(bytes) + run->report.start, bytes->size - run->report.start};
    bool failed = term_read_tuple(result, ARRAY_LENGTH(parts), parts, &arity);
    assert(failed);
    if (run->cancelled && term_read_element(parts[1], 0, &parts[0]) && reason_is(REASON_CANCELLED, parts[0]))
        return parts[0];
    return parts[1];
}

void telemetry_run_stopped(struct run *run)
{
    static const char *const event[4] = {"supertester", "concurrent", "scenario", "stop"};
    bool failed = run->verdict.failure.size || run->verdict.cleanup_failure.size || run->cancelled;
    if (!run->told_start)
        return;
    struct term_builder measurements = {0};
    term_build_map(&measurements, 2);
    term_build_key(&measurements, "duration_ms");
    term_build_unsigned(&measurements, (clock_ns() - run->created_ns) / CLOCK_NS_PER_MS);
    term_build_key(&measurements, "status");
    term_build_atom(&measurements, failed ? "error" : "ok");
    telemetry_execute(run, event, term_built(&measurements),
                      TERM_LONG(failed ? telemetry_error_of(run) : (struct term){0}));
    term_build_free(&measurements);
}

void telemetry_chaos(struct run *run, const char *what, const struct term_kept *failure)
{
    const struct term_long error = term_kept_long(failure);
    const char *const event[4] = {"supertester", "chaos", what, NULL};
    bool stop = what[2] == 'o';
    telemetry_execute_number(run, event, stop ? "duration_ms" : NULL, run->chaos.ms, &error);
}

void telemetry_mailbox(struct run *run)
{
    static const char *const event[4] = {"supertester", "concurrent", "mailbox", "sample"};
    for (size_t i = 0; run->probes.mailboxes && i < run->scenario->target_count; i++) {
        if (!run->probes.mailboxes[i].observed)
            continue;
        struct term_builder measurements = {0};
        report_build_mailbox_of(&run->probes.mailboxes[i], &measurements);
        telemetry_execute(run, event, term_built(&measurements), RUN_NO_DETAIL);
        term_build_free(&measurements);
    }
}

/* What slow operations were slow of, in seconds by cause. */
void telemetry_explained(struct run *run)
{
    static const char *const event[4] = {"harness", "run", "explained"};
    struct term_builder measurements = {0};
    if (run->told_start && run_explain_build_seconds(run, &measurements))
        telemetry_execute(run, event, term_built(&measurements), RUN_NO_DETAIL);
    term_build_free(&measurements);
}

void telemetry_performance(struct run *run)
{
    static const char *const event[4] = {"supertester", "performance", "scenario", "measured"};
    struct term_builder measurements = {0};
    judge_build_measurement(run, &measurements);
    telemetry_execute(run, event, term_built(&measurements), RUN_NO_DETAIL);
    term_build_free(&measurements);
}
