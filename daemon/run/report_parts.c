/* The parts of a report beside its events and threads. Each is written in one go. */
#include <assert.h>

#include "base/clock.h"
#include "run_private.h"
#include "term/term_read.h"

/* Of a load that goes on this is now. */
static uint64_t parts_load_end_ns(const struct run *run)
{
    return run_state_group(run->state) == RUN_LOADING ? clock_ns() : run_record(run)->ended_ns;
}

static void parts_write_metrics(struct run *run, struct term_builder *builder)
{
    static const char *const loads[] = {
        [LOAD_SCRIPTS] = "scripts", [LOAD_CLOSED] = "closed", [LOAD_OPEN] = "open"};
    term_build_map(builder, 11);
    term_build_key(builder, "load");
    term_build_atom(builder, loads[run->scenario->load.model]);
    term_build_key_unsigned(builder, "duration_ms",
                            (parts_load_end_ns(run) - run_record(run)->started_ns) / CLOCK_NS_PER_MS);
    term_build_key_unsigned(builder, "total_operations", run_record(run)->operations);
    term_build_key_unsigned(builder, "unfinished", load_unfinished(run_record(run)));
    term_build_key_unsigned(builder, "thread_count", run->scenario->thread_count);
    term_build_key_unsigned(builder, "operation_errors", run_record(run)->operation_errors);
    term_build_key(builder, "mailbox_observed?");
    term_build_boolean(builder, run->scenario->mailbox_interval_ms != 0);
    term_build_key_unsigned(builder, "overall_duration_ms", (clock_ns() - run->created_ns) / CLOCK_NS_PER_MS);
    term_build_key_unsigned(builder, "events_dropped", run_record(run)->events.dropped);
    term_build_key_unsigned(builder, "injections_dropped", faults_injections_dropped(run->faults));
    term_build_key_unsigned(builder, "dropped", run_record(run)->dropped);
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
    term_build_key_unsigned(builder, "scenario_id", run->id);
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

static void parts_write_mailbox(struct run *run, struct term_builder *builder)
{
    if (!run->scenario->mailbox_interval_ms || !run->probes.mailboxes) {
        term_build_atom(builder, "nil");
        return;
    }
    if (run->scenario->target_is_list)
        term_build_list(builder, run->scenario->target_count);
    for (size_t i = 0; i < run->scenario->target_count; i++)
        report_build_mailbox_of(&run->probes.mailboxes[i], builder);
    if (run->scenario->target_is_list)
        term_build_nil(builder);
}

static void parts_write_chaos(struct run *run, struct term_builder *builder)
{
    if (!run->chaos.result.size) {
        term_build_atom(builder, "nil");
        return;
    }
    term_build_map(builder, 2);
    term_build_key(builder, "result");
    term_build_term(builder, term_of(&run->chaos.result));
    term_build_key_unsigned(builder, "duration_ms", run->chaos.ms);
}

static void parts_write_performance(struct run *run, struct term_builder *builder)
{
    if (run->verdict.judged)
        judge_build_measurement(run, builder);
    else
        term_build_atom(builder, "nil");
}

static void parts_write_metadata(struct run *run, struct term_builder *builder)
{
    report_build_metadata(run, (struct term){0}, builder);
}

static void parts_write_context(struct run *run, struct term_builder *builder)
{
    term_build_term(builder, term_of(&run->context));
}

static void parts_write_errors(struct run *run, struct term_builder *builder)
{
    errors_build(&run_record(run)->errors, builder);
}

static void parts_write_sample(const struct scenario *scenario, const struct error_sample *sample,
                               struct term_builder *builder)
{
    const struct operation *operation = &scenario->operations[sample->operation];
    term_build_map(builder, 6);
    term_build_key(builder, "class");
    term_build_term(builder, term_of(&sample->class));
    term_build_key_unsigned(builder, "count", sample->count);
    term_build_key_unsigned(builder, "first_at_ms", sample->first_us / 1000);
    term_build_key_unsigned(builder, "last_at_ms", sample->last_us / 1000);
    term_build_key(builder, "operation");
    operation_build_name(operation, builder);
    term_build_key(builder, "sample");
    term_build_term(builder, term_of(&sample->reason));
}

/* Those of classes that came too late are one more, without a sample. */
static void parts_write_error_samples(struct run *run, struct term_builder *builder)
{
    const struct error_samples *samples = &run_record(run)->samples;
    size_t count = samples->count + (samples->others > 0);
    term_build_list(builder, count);
    for (size_t i = 0; i < samples->count; i++)
        parts_write_sample(run->scenario, &samples->items[i], builder);
    if (samples->others) {
        term_build_map(builder, 2);
        term_build_key(builder, "class");
        term_build_atom(builder, "other");
        term_build_key_unsigned(builder, "count", samples->others);
    }
    if (count)
        term_build_nil(builder);
}

static void parts_write_latency(struct run *run, struct term_builder *builder)
{
    latencies_build(&run_record(run)->latencies, builder);
}

static void parts_write_timeline(struct run *run, struct term_builder *builder)
{
    /* Faults may go on after the load. */
    bool goes_on = run->scenario->action_count && run->chaos.waited_ns;
    engine_build_timeline(run->engine, goes_on ? run->chaos.waited_ns : parts_load_end_ns(run), builder);
}

static void parts_write_expectations(struct run *run, struct term_builder *builder)
{
    judge_build_expectations(run, builder);
}

static void parts_write_warnings(struct run *run, struct term_builder *builder)
{
    run_warnings_build(run, builder);
}

static void parts_write_injections(struct run *run, struct term_builder *builder)
{
    faults_build_injections(run->faults, builder);
}

static void parts_write_healed(struct run *run, struct term_builder *builder)
{
    faults_build_healed(run->faults, builder);
}

static void parts_write_seed(struct run *run, struct term_builder *builder)
{
    term_build_unsigned(builder, run->seed);
}

static void parts_write_run_id(struct run *run, struct term_builder *builder)
{
    term_build_unsigned(builder, run->id);
}

/* The invariant is given some of them beside the context of the setup. */
static const struct part {
    const char *name;
    void (*write)(struct run *run, struct term_builder *builder);
    bool for_invariant;
} parts[] = {
    {"metrics", parts_write_metrics, true},
    {"mailbox", parts_write_mailbox, true},
    {"chaos", parts_write_chaos, true},
    {"performance", parts_write_performance, true},
    {"metadata", parts_write_metadata, true},
    {"context", parts_write_context, false},
    {"errors", parts_write_errors, false},
    {"error_samples", parts_write_error_samples, false},
    {"seed", parts_write_seed, false},
    {"run_id", parts_write_run_id, false},
    {"latency", parts_write_latency, false},
    {"timeline", parts_write_timeline, false},
    {"expectations", parts_write_expectations, false},
    {"warnings", parts_write_warnings, false},
    {"injections", parts_write_injections, false},
    {"healed", parts_write_healed, false},
};

size_t report_parts_count(bool for_invariant)
{
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++)
        count += !for_invariant || parts[i].for_invariant;
    return count;
}

void report_parts_build(struct run *run, bool for_invariant, struct term_builder *builder)
{
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        if (for_invariant && !parts[i].for_invariant)
            continue;
        term_build_key(builder, parts[i].name);
        parts[i].write(run, builder);
    }
}

bool report_parts_have(struct term key)
{
    bool found = false;
    for (size_t i = 0; !found && i < ARRAY_LENGTH(parts); i++)
        found = parts[i].for_invariant && term_is_atom(key, parts[i].name);
    return found;
}
