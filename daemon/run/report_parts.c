/* The parts of a report beside its events and threads. Each is written in one go. */
#include <assert.h>

#include "base/clock.h"
#include "run/report_table.h"
#include "run_private.h"
#include "run_warnings_private.h"
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

/* Whether a key of the user's metadata gives its place to one of the run's. */
static bool parts_is_replaced(struct term key, struct term error)
{
    return term_is_atom(key, "scenario_id") || (error.data && term_is_atom(key, "error"));
}

/* Those of the metadata that are not replaced, which are `kept`. Hundreds of thousands are copied as one. */
static void parts_write_pairs(struct term metadata, size_t kept, struct term error,
                              struct term_builder *builder)
{
    struct term_pairs pairs;
    struct term key, value;
    bool is_map = term_pairs_start(&pairs, metadata);
    assert(is_map);
    if (kept == pairs.count && !pairs.keyword) {
        const struct term all = {pairs.next, (size_t)(metadata.data + metadata.size - pairs.next)};
        term_build_term(builder, all);
        return;
    }
    while (term_pairs_next(&pairs, &key, &value)) {
        if (parts_is_replaced(key, error))
            continue;
        term_build_term(builder, key);
        term_build_term(builder, value);
    }
}

/* The user's metadata with the run's id, which takes the place of a key scenario_id of theirs; likewise
 * `error`. */
void report_build_metadata(const struct run *run, struct term error, struct term_builder *builder)
{
    struct term_pairs pairs;
    struct term key, value;
    size_t kept = 0;
    bool is_map = term_pairs_start(&pairs, run->scenario->metadata);
    assert(is_map);
    while (term_pairs_next(&pairs, &key, &value))
        kept += !parts_is_replaced(key, error);
    term_build_map(builder, kept + 1 + (error.data != NULL));
    parts_write_pairs(run->scenario->metadata, kept, error, builder);
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
    const struct term_long result = term_kept_long(&run->chaos.result);
    term_build_long(builder, &result);
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
    term_build_term(builder, term_kept_long(&run->context).tail);
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

/* The invariant is given some of them beside the context of the setup. Events and threads are very many, and
 * written piece by piece (report_build.c). */
static const struct part {
    struct help help;
    void (*write)(struct run *run, struct term_builder *builder); /* NULL: those two */
    bool for_invariant;
    bool lasts; /* the terms that it is made of stay where they are as long as there is the run */
} parts[] = {
    {{.name = "metrics", .text = "Counts and times of the whole."}, parts_write_metrics, true, false},
    {{.name = "mailbox",
      .text = "How long the mailbox of the target was, where it was observed; a list of targets has one "
              "each."},
     parts_write_mailbox,
     true,
     false},
    {{.name = "chaos", .text = "What came of the chaos as a whole, and its time."},
     parts_write_chaos,
     true,
     true},
    {{.name = "performance", .text = "What was measured, where something is expected of the run."},
     parts_write_performance,
     true,
     false},
    {{.name = "metadata", .text = "That of the scenario, with `scenario_id`."},
     parts_write_metadata,
     true,
     true},
    {{.name = "context", .text = "What `setup` gave."}, parts_write_context, false, true},
    {{.name = "errors",
      .text =
          "Reason to count: of the first 64 distinct reasons each its own, the rest under `other`; in the "
          "place of one of more than 4 KB its class."},
     parts_write_errors,
     false,
     false},
    {{.name = "error_samples", .text = "One error of each class, whole."},
     parts_write_error_samples,
     false,
     true},
    {{.name = "seed", .text = "With which all random choices are the same again."},
     parts_write_seed,
     false,
     false},
    {{.name = "run_id", .text = "By which `await`, `show` and others know the run."},
     parts_write_run_id,
     false,
     false},
    {{.name = "latency", .text = "Response times, service times, and how late operations were sent."},
     parts_write_latency,
     false,
     false},
    {{.name = "timeline", .text = "What went on in each interval."}, parts_write_timeline, false, false},
    {{.name = "slowest", .text = "The slowest operations, and why they were slow; with `explain`."},
     run_explain_build_slowest,
     false,
     true},
    {{.name = "explain",
      .text = "Why operations were slow, all together, and what it took to find out; with `explain`."},
     run_explain_build,
     false,
     false},
    {{.name = "expectations", .text = "One map for each expectation."},
     parts_write_expectations,
     false,
     false},
    {{.name = "warnings", .text = "What weakens the verdict."}, parts_write_warnings, false, false},
    {{.name = "injections", .text = "One map for each fault."}, parts_write_injections, false, false},
    {{.name = "healed",
      .text =
          "`true`, or a list of what is not undone, or could not be looked at: `kind`, `action`, `target`, "
          "`reason`."},
     parts_write_healed,
     false,
     false},
    {{.name = "events", .text = "One map for each operation that is kept."}, NULL, true, false},
    {{.name = "threads", .text = "One map for each thread."}, NULL, true, false},
};

const struct help_table *report_table(void)
{
    static const struct help_table table = HELP_TABLE("report", "Keys of a report", parts);
    return &table;
}

size_t report_parts_count(bool for_invariant)
{
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++)
        count += !for_invariant || parts[i].for_invariant;
    return count;
}

void report_parts_build(struct run *run, bool for_invariant, struct term_gaps *gaps,
                        struct term_builder *builder)
{
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        if (!parts[i].write || (for_invariant && !parts[i].for_invariant))
            continue;
        term_build_key(builder, parts[i].help.name);
        builder->gaps = parts[i].lasts ? gaps : NULL;
        parts[i].write(run, builder);
        builder->gaps = NULL;
    }
}
