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

/* {cancelled, Report} and {cleanup_failed, Failure, Report}. */
static struct term result_report_in_reason(struct term reason)
{
    struct term parts[PARTS];
    size_t arity = 0;
    if (!term_read_tuple(reason, PARTS, parts, &arity) || arity < 2)
        return reason;
    return reason_is(REASON_CLEANUP_FAILED, parts[0]) ? result_report_in_reason(parts[arity - 1])
                                                      : parts[arity - 1];
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
