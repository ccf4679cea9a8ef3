#include "report/run_result.h"

#include "report/reason.h"
#include "term/term_read.h"
#include "term/term_text.h"

#define PARTS 3

struct term run_result_open(struct term stored, bool interrupted, struct term_builder *builder)
{
    struct term parts[PARTS];
    if (interrupted) {
        term_build_tuple(builder, 2);
        term_build_atom(builder, "error");
        reason_open(REASON_INTERRUPTED, 2, builder);
        return stored;
    }
    if (!term_read_tuple_of(stored, PARTS, parts))
        return stored;
    term_build_tuple(builder, 2); /* the first two, which are one behind the other */
    return (struct term){parts[0].data, parts[0].size + parts[1].size};
}

void run_result_build(struct term stored, bool interrupted, struct term_builder *builder)
{
    term_build_term(builder, run_result_open(stored, interrupted, builder));
}

/* Whether a reason of this tag has the report behind it. */
static bool result_wraps_report(struct term tag)
{
    return reason_is(REASON_CANCELLED, tag) || reason_is(REASON_INTERRUPTED, tag);
}

/* Finds the two parts of {cancelled, Report} and its like. */
static bool result_read_wrapped(struct term reason, struct term parts[2])
{
    return term_read_tuple_of(reason, 2, parts) && result_wraps_report(parts[0]);
}

/* {cancelled, Report} and {cleanup_failed, Failure, Report or Reason}: the daemon wraps a reason once, and
 * what is further inside is the user's, of any depth. */
static struct term result_report_in_reason(struct term reason)
{
    struct term parts[PARTS];
    if (term_read_tuple_of(reason, PARTS, parts) && reason_is(REASON_CLEANUP_FAILED, parts[0]))
        reason = parts[2];
    return result_read_wrapped(reason, parts) ? parts[1] : reason;
}

/* {cancelled, Report}, {interrupted, Report}, and {cleanup_failed, Failure, Report or Reason}. */
static struct term result_without_report(struct term reason, struct term_builder *builder)
{
    struct term parts[PARTS], inner[2];
    if (result_read_wrapped(reason, parts))
        return parts[0];
    if (!term_read_tuple_of(reason, PARTS, parts) || !reason_is(REASON_CLEANUP_FAILED, parts[0]))
        return reason;
    bool is_report = term_type(parts[2]) == TERM_MAP;
    term_build_tuple(builder, is_report ? 2 : PARTS);
    term_build_term(builder, parts[0]);
    term_build_term(builder, parts[1]);
    if (!is_report)
        term_build_term(builder, result_read_wrapped(parts[2], inner) ? inner[0] : parts[2]);
    return term_built(builder);
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

/* {ok, Report}, {error, Reason} or {error, Reason, Report}, whose reason may be long: it is walked once. */
static bool result_read(struct term stored, struct term parts[PARTS])
{
    size_t arity = 0;
    return term_read_tuple(stored, PARTS, parts, &arity) && arity >= 2;
}

static bool result_read_reason(const struct term parts[2], struct term_builder *builder, struct term *reason)
{
    *reason = (struct term){0};
    if (term_is_atom(parts[0], "error"))
        *reason = result_without_report(parts[1], builder);
    else if (term_type(parts[1]) == TERM_MAP)
        *reason = result_silent_reason(parts[1]);
    return reason->data != NULL;
}

bool run_result_reason(struct term stored, bool interrupted, struct term_builder *builder,
                       struct term *reason)
{
    struct term parts[PARTS];
    if (interrupted) {
        reason_build(REASON_INTERRUPTED, builder);
        *reason = term_built(builder);
        return true;
    }
    return result_read(stored, parts) && result_read_reason(parts, builder, reason);
}

/* Whether it is {error, {cleanup_failed, Why, _}}, of which what is behind is for texts too far behind. */
static bool result_is_long_cleanup(const struct term parts[2], struct term *why)
{
    struct term reason[PARTS];
    if (!term_is_atom(parts[0], "error") || !term_read_tuple_of(parts[1], PARTS, reason) ||
        !reason_is(REASON_CLEANUP_FAILED, reason[0]))
        return false;
    *why = reason[1];
    return why->size > TERM_LONG_BYTES;
}

bool run_result_reason_text(struct term stored, bool interrupted, char *text, size_t size)
{
    struct term_builder built = {0};
    struct term_long told = {.held = NULL};
    struct term parts[PARTS];
    bool found = true;
    if (interrupted) {
        reason_build(REASON_INTERRUPTED, &built);
        told.tail = term_built(&built);
    } else if (!result_read(stored, parts)) {
        found = false;
    } else if (result_is_long_cleanup(parts, &told.tail)) {
        reason_open(REASON_CLEANUP_FAILED, 2, &built);
        told.head = term_built(&built);
    } else {
        found = result_read_reason(parts, &built, &told.tail);
    }
    if (found)
        term_long_text(&told, text, size);
    term_build_free(&built);
    return found;
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
