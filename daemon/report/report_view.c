#include "report/report_view.h"

#include "report/reason.h"
#include "report/warnings.h"
#include "term/term_read.h"
#include "term/term_text.h"

static const char *const key_names[REPORT_KEYS] = {
    [REPORT_METRICS] = "metrics",
    [REPORT_LATENCY] = "latency",
    [REPORT_TIMELINE] = "timeline",
    [REPORT_ERRORS] = "errors",
    [REPORT_EXPECTATIONS] = "expectations",
    [REPORT_INJECTIONS] = "injections",
    [REPORT_HEALED] = "healed",
    [REPORT_MAILBOX] = "mailbox",
    [REPORT_PERFORMANCE] = "performance",
    [REPORT_METADATA] = "metadata",
    [REPORT_SEED] = "seed",
    [REPORT_RUN_ID] = "run_id",
    [REPORT_DRY_RUN] = "dry_run",
    [REPORT_CHAOS] = "chaos",
    [REPORT_TARGET] = "target",
    [REPORT_WARNINGS] = "warnings",
    [REPORT_ERROR_SAMPLES] = "error_samples",
    [REPORT_EXPLAIN] = "explain",
};

struct term report_view_get(struct term map, const char *key)
{
    struct term value = {0};
    if (!map.data || !term_pairs_get(map, key, &value) || term_is_atom(value, "nil"))
        return (struct term){0};
    return value;
}

uint64_t report_view_count(struct term map, const char *key, uint64_t fallback)
{
    struct term value = report_view_get(map, key);
    int64_t number;
    return value.data && term_read_integer(value, &number) && number >= 0 ? (uint64_t)number : fallback;
}

/* One walk, as a report may have very many events in it. */
static void view_read_report(struct term report, struct report_view *view)
{
    struct term_pairs pairs;
    struct term key, value;
    if (term_type(report) != TERM_MAP || !term_pairs_start(&pairs, report))
        return;
    view->report = report;
    while (term_pairs_next(&pairs, &key, &value))
        for (size_t i = 0; i < REPORT_KEYS; i++)
            if (term_is_atom(key, key_names[i]) && !term_is_atom(value, "nil"))
                view->keys[i] = value;
}

/* Reasons that are pairs: what they make of the outcome, and what the second element is. */
static const struct wrapper {
    enum reason reason;
    enum outcome outcome;
    enum { WRAPS_NOTHING, WRAPS_REPORT, WRAPS_JUDGEMENT, WRAPS_PROBLEMS, WRAPS_REFUSAL, WRAPS_TEXT } wraps;
} wrappers[] = {
    {REASON_PERFORMANCE_FAILED, OUTCOME_MISSED, WRAPS_JUDGEMENT},
    {REASON_CANCELLED, OUTCOME_CANCELLED, WRAPS_REPORT},
    {REASON_INTERRUPTED, OUTCOME_INTERRUPTED, WRAPS_REPORT},
    {REASON_INVALID_SCENARIO, OUTCOME_NOT_RUN, WRAPS_PROBLEMS},
    {REASON_NOT_ALLOWED, OUTCOME_NOT_RUN, WRAPS_REFUSAL},
    {REASON_INVALID_CONFIGURATION, OUTCOME_NOT_RUN, WRAPS_TEXT},
    {REASON_BUSY, OUTCOME_NOT_RUN, WRAPS_NOTHING},
    {REASON_AUDIT_FAILED, OUTCOME_NOT_RUN, WRAPS_TEXT},
};

static void view_read_pair(const struct wrapper *wrapper, struct term inner, struct report_view *view)
{
    view->outcome = wrapper->outcome;
    if (wrapper->wraps == WRAPS_REPORT) {
        view->reason = (struct term){0};
        view_read_report(inner, view);
    } else if (wrapper->wraps == WRAPS_JUDGEMENT) {
        view->keys[REPORT_EXPECTATIONS] = report_view_get(inner, "expectations");
        view->keys[REPORT_PERFORMANCE] = report_view_get(inner, "measurement");
        view->keys[REPORT_RUN_ID] = report_view_get(inner, "run_id");
    } else if (wrapper->wraps == WRAPS_PROBLEMS) {
        view->problems = inner;
    } else if (wrapper->wraps == WRAPS_REFUSAL) {
        view->refusal = report_view_get(inner, "message");
    } else if (wrapper->wraps == WRAPS_TEXT) {
        view->refusal = inner;
    }
}

/* One that no cleanup has wrapped. */
static void view_read_plain_reason(struct term reason, struct report_view *view)
{
    struct term parts[2];
    view->reason = reason;
    if (!term_read_tuple_of(reason, 2, parts))
        return;
    for (size_t i = 0; i < ARRAY_LENGTH(wrappers); i++)
        if (reason_is(wrappers[i].reason, parts[0]))
            view_read_pair(&wrappers[i], parts[1], view);
}

static void view_read_reason(struct term reason, struct report_view *view)
{
    struct term parts[3], why[2];
    view->outcome = OUTCOME_FAILED;
    if (!term_read_tuple_of(reason, 3, parts) || !reason_is(REASON_CLEANUP_FAILED, parts[0])) {
        view_read_plain_reason(reason, view);
        return;
    }
    view->cleanup = term_read_tuple_of(parts[1], 2, why) ? why[1] : parts[1];
    view->reason = (struct term){0};
    if (term_type(parts[2]) == TERM_MAP)
        view_read_report(parts[2], view);
    else
        view_read_plain_reason(parts[2], view);
}

/* What was recorded of a run whose reason has no report; how it was judged is the reason's to say. */
static void view_read_recorded(struct term recorded, struct report_view *view)
{
    struct term judged = view->keys[REPORT_EXPECTATIONS], measured = view->keys[REPORT_PERFORMANCE];
    if (view->report.data || !recorded.data)
        return;
    view_read_report(recorded, view);
    if (judged.data)
        view->keys[REPORT_EXPECTATIONS] = judged;
    if (measured.data)
        view->keys[REPORT_PERFORMANCE] = measured;
}

/* Whether one of a list of maps has a value for a key, or the atom `value` when that is given. */
static bool view_any_has(struct term maps, const char *key, const char *value)
{
    struct term_list list;
    struct term map;
    if (!maps.data || !term_list_start(&list, maps))
        return false;
    while (term_list_next(&list, &map)) {
        struct term found = report_view_get(map, key);
        if (found.data && (!value || term_is_atom(found, value)))
            return true;
    }
    return false;
}

bool report_view_expects(const struct report_view *view, const char *expectation)
{
    return view_any_has(view->keys[REPORT_EXPECTATIONS], "expectation", expectation);
}

static bool view_are_not_drawn(struct term injections)
{
    struct term_list list;
    struct term injection;
    if (!injections.data || !term_list_start(&list, injections) || !list.count)
        return false;
    while (term_list_next(&list, &injection)) {
        struct term outcome = report_view_get(injection, "outcome");
        if (!outcome.data || !term_is_atom(outcome, "not_drawn"))
            return false;
    }
    return true;
}

/* Where chance has said no to every fault there is no recovery to hold against the run. What is no report
 * does not tell of faults: one is missed for another reason there. */
static bool view_is_spared(const struct report_view *view, struct term expectation)
{
    struct term name = report_view_get(expectation, "expectation");
    if (!name.data || !term_is_atom(name, "max_recovery_ms"))
        return false;
    return view->report.data ? view_are_not_drawn(view->keys[REPORT_INJECTIONS])
                             : view_any_has(view->keys[REPORT_EXPECTATIONS], "met", "false");
}

enum report_verdict report_view_judge(const struct report_view *view, struct term expectation)
{
    struct term met = report_view_get(expectation, "met");
    if (met.data)
        return term_is_atom(met, "true") ? REPORT_MET : REPORT_MISSED;
    if (view->outcome != OUTCOME_MISSED || report_view_get(expectation, "measured").data)
        return REPORT_NOT_JUDGED;
    return view_is_spared(view, expectation) ? REPORT_NOT_JUDGED : REPORT_MISSED;
}

/* Though the caller is answered {ok, Report}. */
static bool view_has_failed_silently(const struct report_view *view)
{
    return view_any_has(view->keys[REPORT_WARNINGS], "warning",
                        warning_help(WARNING_NOTHING_SUCCEEDED)->name);
}

/* One that was not worked through is not told from its numbers alone. */
static void view_judge_suite(struct report_view *view)
{
    uint64_t total = report_view_count(view->report, "total_scenarios", UINT64_MAX);
    uint64_t failed = report_view_count(view->report, "failed", 0);
    if (failed + report_view_count(view->report, "passed", 0) != total)
        return;
    view->outcome = failed ? OUTCOME_FAILED : OUTCOME_COMPLETED;
    view->is_alone = false;
}

static void view_judge_report(struct report_view *view)
{
    if (view->keys[REPORT_DRY_RUN].data && view_any_has(view->keys[REPORT_CHAOS], "problem", NULL))
        view->outcome = OUTCOME_NOT_RUN;
    else
        view->outcome = view_has_failed_silently(view) ? OUTCOME_FAILED : OUTCOME_COMPLETED;
}

static bool view_read_result(const struct report_source *source, struct report_view *view)
{
    struct term pair[2];
    if (!term_read_tuple_of(source->result, 2, pair)) {
        view->is_alone = true;
        view_read_report(source->result, view);
        view_judge_suite(view);
    } else if (term_is_atom(pair[0], "partial")) {
        view_read_report(pair[1], view);
    } else if (term_is_atom(pair[0], "ok")) {
        view_read_report(pair[1], view);
        view_judge_report(view);
    } else if (term_is_atom(pair[0], "error")) {
        view_read_reason(pair[1], view);
        view_read_recorded(source->partial, view);
        return true;
    }
    return view->report.data != NULL;
}

bool report_view_read(const struct report_source *source, struct report_view *view)
{
    *view = (struct report_view){.outcome = OUTCOME_NONE, .run_id = source->run_id};
    if (!view_read_result(source, view))
        return false;
    bool is_known = source->outcome != OUTCOME_NONE || source->is_under_way;
    if (is_known) {
        view->outcome = source->outcome;
        view->is_alone = false;
    }
    return true;
}

const char *report_view_outcome(const struct report_view *view)
{
    bool is_dry_run = view->keys[REPORT_DRY_RUN].data;
    if (view->is_alone && view->outcome == OUTCOME_NONE)
        return is_dry_run ? "a dry run" : "outcome not known here";
    if (is_dry_run && view->outcome == OUTCOME_COMPLETED)
        return "a dry run";
    if (is_dry_run && view->outcome == OUTCOME_NOT_RUN)
        return "a dry run with a problem";
    if (view->outcome == OUTCOME_FAILED && !view->reason.data && !view->cleanup.data &&
        view_has_failed_silently(view))
        return "failed: no operation has succeeded, and no max_error_rate of 1.0 allows that";
    return outcome_text(view->outcome);
}

uint64_t report_view_run_id(const struct report_view *view)
{
    int64_t id;
    struct term told = view->keys[REPORT_RUN_ID];
    return told.data && term_read_integer(told, &id) && id > 0 ? (uint64_t)id : view->run_id;
}

/* --- Expectations that were missed --- */

bool report_view_has_missed(const struct report_view *view)
{
    return view->outcome == OUTCOME_MISSED &&
           view_any_has(view->keys[REPORT_EXPECTATIONS], "expectation", NULL);
}

void report_view_write_missed(const struct report_view *view, struct buffer *text)
{
    struct term_list list;
    struct term one;
    char words[100];
    const char *before = "";
    if (!view->keys[REPORT_EXPECTATIONS].data || !term_list_start(&list, view->keys[REPORT_EXPECTATIONS]))
        return;
    while (term_list_next(&list, &one)) {
        if (report_view_judge(view, one) != REPORT_MISSED)
            continue;
        static const struct {
            const char *before;
            const char *key;
        } parts[] = {{"", "expectation"}, {" ", "measured"}, {", limit ", "limit"}};
        buffer_print(text, "%s", before);
        for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
            struct term part = report_view_get(one, parts[i].key);
            buffer_print(text, "%s%s", parts[i].before,
                         part.data ? term_text(part, words, sizeof(words)) : "nothing");
        }
        before = "; ";
    }
}

/* --- Problems --- */

static void view_write_path(struct term path, struct buffer *text)
{
    struct term_list list;
    struct term part;
    char name[TERM_ATOM_BYTES + 1];
    int64_t index;
    bool first = true;
    if (!term_list_start(&list, path))
        return;
    for (; term_list_next(&list, &part); first = false) {
        if (term_read_atom(part, name))
            buffer_print(text, "%s%s", first ? "" : ".", name);
        else if (term_read_integer(part, &index))
            buffer_print(text, "[%lld]", (long long)index);
    }
    if (!first)
        buffer_print(text, ": ");
}

/* On one line. */
static void view_write_message(struct term message, struct buffer *text)
{
    const uint8_t *bytes;
    size_t size;
    if (!term_read_binary(message, &bytes, &size))
        return;
    for (size_t i = 0; i < size; i++) {
        char character = bytes[i] < ' ' || bytes[i] == 0x7f ? ' ' : (char)bytes[i];
        buffer_append(text, &character, 1);
    }
}

void report_view_write_problems(struct term problems, const char *prefix, struct buffer *text)
{
    struct term_list list;
    struct term problem;
    if (!term_list_start(&list, problems))
        return;
    while (term_list_next(&list, &problem)) {
        struct term path = report_view_get(problem, "path"), message = report_view_get(problem, "message");
        buffer_print(text, "%s", prefix);
        if (path.data)
            view_write_path(path, text);
        if (message.data)
            view_write_message(message, text);
        buffer_print(text, "\n");
    }
}
