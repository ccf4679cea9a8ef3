#include "report/run_result.h"

#include "report/reason.h"
#include "term/term_read.h"

#define PARTS 3

bool run_result_is_answered(struct term stored)
{
    struct term parts[PARTS];
    return !term_read_tuple_of(stored, PARTS, parts);
}

void run_result_build(struct term stored, bool interrupted, struct term_builder *builder)
{
    struct term parts[PARTS];
    if (interrupted) {
        term_build_tuple(builder, 2);
        term_build_atom(builder, "error");
        reason_open(REASON_INTERRUPTED, 2, builder);
        term_build_term(builder, stored);
    } else if (term_read_tuple_of(stored, PARTS, parts)) {
        term_build_tuple(builder, 2);
        term_build_term(builder, parts[0]);
        term_build_term(builder, parts[1]);
    } else {
        term_build_term(builder, stored);
    }
}

/* Whether a reason of this tag has the report behind it. */
static bool result_wraps_report(struct term tag)
{
    return reason_is(REASON_CANCELLED, tag) || reason_is(REASON_INTERRUPTED, tag);
}

/* {cancelled, Report} and {cleanup_failed, Failure, Report or Reason}. */
static struct term result_report_in_reason(struct term reason)
{
    struct term parts[PARTS];
    size_t arity = 0;
    bool is_tuple = term_read_tuple(reason, PARTS, parts, &arity);
    if (is_tuple && arity == PARTS && reason_is(REASON_CLEANUP_FAILED, parts[0]))
        return result_report_in_reason(parts[2]);
    return is_tuple && arity == 2 && result_wraps_report(parts[0]) ? parts[1] : reason;
}

/* {cancelled, Report}, {interrupted, Report}, and {cleanup_failed, Failure, Report or Reason}. */
static void result_build_reason(struct term reason, struct term_builder *builder)
{
    struct term parts[PARTS];
    size_t arity = 0;
    bool is_tuple = term_read_tuple(reason, PARTS, parts, &arity);
    if (is_tuple && arity == 2 && result_wraps_report(parts[0])) {
        term_build_term(builder, parts[0]);
    } else if (is_tuple && arity == PARTS && reason_is(REASON_CLEANUP_FAILED, parts[0])) {
        bool is_report = term_type(parts[2]) == TERM_MAP;
        term_build_tuple(builder, is_report ? 2 : PARTS);
        term_build_term(builder, parts[0]);
        term_build_term(builder, parts[1]);
        if (!is_report)
            result_build_reason(parts[2], builder);
    } else {
        term_build_term(builder, reason);
    }
}

/* What a list of maps under a key of the report has under another one: the first that is no nil. */
static struct term result_first_of(struct term report, const char *list_key, const char *key)
{
    struct term maps, map, value;
    struct term_list list;
    if (!term_pairs_get(report, list_key, &maps) || !term_list_start(&list, maps))
        return (struct term){0};
    while (term_list_next(&list, &map))
        if (term_type(map) == TERM_MAP && term_pairs_get(map, key, &value) && !term_is_atom(value, "nil"))
            return value;
    return (struct term){0};
}

/* It is the first of the warnings, which stand before the events: there may be very many of these. A dry run
 * has neither. */
static struct term result_silent_reason(struct term report)
{
    struct term warnings, warning;
    if (!term_pairs_get(report, "warnings", &warnings))
        return result_first_of(report, "chaos", "problem");
    warning = result_first_of(report, "warnings", "warning");
    return warning.data && term_is_atom(warning, "nothing_succeeded") ? warning : (struct term){0};
}

bool run_result_reason(struct term stored, bool interrupted, struct term_builder *builder)
{
    struct term parts[PARTS], reason = {0};
    size_t arity = 0;
    if (interrupted) {
        reason_build(REASON_INTERRUPTED, builder);
        return true;
    }
    if (!term_read_tuple(stored, PARTS, parts, &arity) || arity < 2)
        return false;
    if (term_is_atom(parts[0], "error"))
        reason = parts[1];
    else if (term_type(parts[1]) == TERM_MAP)
        reason = result_silent_reason(parts[1]);
    if (reason.data)
        result_build_reason(reason, builder);
    return reason.data != NULL;
}

bool run_result_report(struct term stored, bool interrupted, struct term *report)
{
    struct term parts[PARTS];
    size_t arity = 0;
    if (interrupted)
        *report = stored;
    else if (!term_read_tuple(stored, PARTS, parts, &arity) || arity < 2)
        return false;
    else if (arity == PARTS || term_is_atom(parts[0], "ok"))
        *report = parts[arity - 1];
    else
        *report = result_report_in_reason(parts[1]);
    return term_type(*report) == TERM_MAP;
}
