/* What weakens the verdict on a run, as far as the run itself can tell. */
#include "report/warnings.h"

#include "base/log.h"
#include "run_private.h"
#include "run_warnings_private.h"
#include "term/term_read.h"
#include "term/term_text.h"

#define NAME_BYTES 200
#define TARGETS_NAMED 10

/* --- What there is to warn of --- */

static void warnings_find_nothing_succeeded(const struct run *run, struct warnings *warnings)
{
    if (judge_nothing_succeeded(run))
        term_build_key_unsigned(warnings_add(warnings, WARNING_NOTHING_SUCCEEDED, 1,
                                             "no operation has succeeded, and no max_error_rate of 1.0 "
                                             "allows that"),
                                "operations", run_record(run)->operations);
}

/* Of targets: whether there is something to tell of one, and what. */
struct targets_warning {
    enum warning_kind kind;
    bool (*is_so)(const struct run *run, size_t target);
    const char *what;
};

static void warnings_build_targets(const struct run *run, const struct targets_warning *row, size_t count,
                                   struct term_builder *builder)
{
    size_t named = count < TARGETS_NAMED ? count : TARGETS_NAMED;
    term_build_key_unsigned(builder, "count", count);
    term_build_key(builder, "targets");
    term_build_list(builder, named);
    for (size_t i = 0; named; i++) {
        if (!row->is_so(run, i))
            continue;
        term_build_term(builder, targets_spec(run->targets, i)->server);
        named--;
    }
    term_build_nil(builder);
}

static void warnings_find_of_targets(const struct run *run, const struct targets_warning *row,
                                     struct warnings *warnings)
{
    char name[NAME_BYTES];
    size_t count = 0, first = 0;
    for (size_t i = run->scenario->target_count; run->engine && i; i--) {
        if (!row->is_so(run, i - 1))
            continue;
        count++;
        first = i - 1;
    }
    if (!count)
        return;
    term_text(targets_spec(run->targets, first)->server, name, sizeof(name));
    warnings_build_targets(run, row, count,
                           count == 1 ? warnings_add(warnings, row->kind, 2, "%s was %s", name, row->what)
                                      : warnings_add(warnings, row->kind, 2, "%s and %zu more were %s", name,
                                                     count - 1, row->what));
}

static void warnings_find_targets(const struct run *run, struct warnings *warnings)
{
    static const struct targets_warning rows[] = {
        {WARNING_TARGET_NEVER_REACHED, run_has_missed, "never reached"},
        {WARNING_TARGET_LOST, run_has_lost, "not there any more at the end of the load"}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        warnings_find_of_targets(run, &rows[i], warnings);
}

static void warnings_find_not_measured(const struct run *run, struct warnings *warnings)
{
    if (run_record(run)->timeline.start_ns && run_state_group(run->state) > RUN_LOADING)
        judge_warn(run, warnings);
}

static void warnings_find_dropped(const struct run *run, struct warnings *warnings)
{
    uint64_t events = run_record(run)->events.dropped;
    uint64_t faults = run->faults ? faults_injections_dropped(run->faults) : 0;
    if (events)
        term_build_key_unsigned(warnings_add(warnings, WARNING_EVENTS_DROPPED, 1,
                                             "%llu events had no room and are not in the report",
                                             (unsigned long long)events),
                                "count", events);
    if (faults)
        term_build_key_unsigned(warnings_add(warnings, WARNING_FAULTS_DROPPED, 1,
                                             "%llu injections had no room and are not in the report",
                                             (unsigned long long)faults),
                                "count", faults);
}

static void warnings_add_unknown_recovery(const struct run *run, struct warnings *warnings,
                                          size_t (*build)(const struct faults *, struct term_builder *),
                                          const char *beginning, const char *end)
{
    struct term_builder targets = {0};
    char text[NAME_BYTES];
    size_t count = build(run->faults, &targets);
    if (count) {
        struct term_builder *warning =
            warnings_add(warnings, WARNING_RECOVERY_UNKNOWN, 2, "%s %zu %s: %s", beginning, count, end,
                         term_text(term_built(&targets), text, sizeof(text)));
        term_build_key_unsigned(warning, "count", count);
        term_build_key(warning, "targets");
        term_build_term(warning, term_built(&targets));
    }
    term_build_free(&targets);
}

static void warnings_find_unknown_recovery(const struct run *run, struct warnings *warnings)
{
    if (!run->faults || run_state_group(run->state) <= RUN_LOADING)
        return;
    warnings_add_unknown_recovery(run, warnings, faults_build_untested, "nothing was sent since a fault to",
                                  "of the targets that it has touched, so that it is not known whether they "
                                  "have recovered");
    warnings_add_unknown_recovery(run, warnings, faults_build_unsettled,
                                  "the load has ended too early to know whether",
                                  "of the targets that a fault has touched have recovered, as they have "
                                  "answered since it, failed again in the last second, and answered again: "
                                  "have a longer load, or recovery_wait_ms");
}

static void warnings_find_not_injected(const struct run *run, struct warnings *warnings)
{
    char text[NAME_BYTES];
    const char *kind;
    struct term outcome = run->faults ? faults_unheeded(run->faults, &kind) : (struct term){0};
    if (!outcome.data)
        return;
    struct term_builder *warning =
        warnings_add(warnings, WARNING_NOT_INJECTED, 2, "a fault was not injected: %s is %s", kind,
                     term_text(outcome, text, sizeof(text)));
    term_build_key(warning, "kind");
    term_build_atom(warning, kind);
    term_build_key(warning, "outcome");
    term_build_term(warning, outcome);
}

static void warnings_find_also_cut(const struct run *run, struct warnings *warnings)
{
    char text[NAME_BYTES];
    struct term nodes = run->faults ? faults_also_cut(run->faults) : (struct term){0};
    if (!nodes.data)
        return;
    struct term_builder *warning =
        warnings_add(warnings, WARNING_ALSO_CUT, 1, "OTP has kept apart other nodes than a fault was to: %s",
                     term_text(nodes, text, sizeof(text)));
    term_build_key(warning, "nodes");
    term_build_term(warning, nodes);
}

void run_warnings_find(const struct run *run, struct warnings *warnings)
{
    static void (*const finders[])(const struct run *run, struct warnings *warnings) = {
        warnings_find_nothing_succeeded, warnings_find_targets,          warnings_find_not_measured,
        warnings_find_dropped,           warnings_find_unknown_recovery, warnings_find_not_injected,
        warnings_find_also_cut,          run_warnings_find_own};
    for (size_t i = 0; i < ARRAY_LENGTH(finders); i++)
        finders[i](run, warnings);
}

/* --- Telling of it --- */

void run_warnings_build(const struct run *run, struct term_builder *builder)
{
    struct warnings warnings = {.count = 0};
    run_warnings_find(run, &warnings);
    warnings_build(&warnings, builder);
    warnings_free(&warnings);
}

static void warnings_log(const struct run *run, struct term warning)
{
    struct term kind, message;
    const uint8_t *text;
    size_t size;
    char name[TERM_ATOM_BYTES + 1];
    if (term_pairs_get(warning, "warning", &kind) && term_read_atom(kind, name) &&
        term_pairs_get(warning, "message", &message) && term_read_binary(message, &text, &size))
        log_warning("run has a warning", log_integer("run", (int64_t)run->id), log_string("warning", name),
                    log_bytes("message", text, size));
}

void run_warnings_log(const struct run *run)
{
    struct term_builder built = {0};
    struct term_list list;
    struct term warning;
    run_warnings_build(run, &built);
    if (term_list_start(&list, term_built(&built)))
        while (term_list_next(&list, &warning))
            warnings_log(run, warning);
    term_build_free(&built);
}
