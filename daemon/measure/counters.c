#include "measure/counters.h"

#include <assert.h>

#include "term/term_read.h"

#define DIGITS 3

const char *const error_kind_names[ERROR_KINDS] = {
    [ERROR_TIMEOUT] = "timeout",       [ERROR_NOPROC] = "noproc",
    [ERROR_NODEDOWN] = "nodedown",     [ERROR_EXIT] = "exit",
    [ERROR_RAISED] = "raised",         [ERROR_MISSING_SYNC] = "missing_sync_handler",
    [ERROR_UNEXPECTED] = "unexpected",
};

void counters_init(struct counters *counters)
{
    *counters = (struct counters){0};
    histogram_init(&counters->response, DIGITS);
    histogram_init(&counters->service, DIGITS);
}

void counters_free(struct counters *counters)
{
    histogram_free(&counters->response);
    histogram_free(&counters->service);
}

static uint64_t counters_sum(const uint64_t *counts, size_t count)
{
    uint64_t all = 0;
    for (size_t i = 0; i < count; i++)
        all += counts[i];
    return all;
}

uint64_t counters_all_finished(const struct counters *counters)
{
    return counters_sum(counters->finished, OUTCOME_COUNT);
}

uint64_t counters_all_errors(const struct counters *counters)
{
    return counters_sum(counters->errors, ERROR_KINDS);
}

static bool counters_is_nodedown(struct term reason)
{
    struct term parts[2];
    return term_read_tuple_of(reason, 2, parts) && term_is_atom(parts[0], "nodedown");
}

void counters_add_operation(struct counters *counters, enum result_kind kind, struct term reason)
{
    static const enum error_kind kinds[] = {[RESULT_TIMEOUT] = ERROR_TIMEOUT,
                                            [RESULT_NOPROC] = ERROR_NOPROC,
                                            [RESULT_EXIT] = ERROR_EXIT,
                                            [RESULT_MISSING_SYNC] = ERROR_MISSING_SYNC,
                                            [RESULT_RAISED] = ERROR_RAISED,
                                            [RESULT_CAUGHT] = ERROR_RAISED,
                                            [RESULT_UNEXPECTED] = ERROR_UNEXPECTED};
    counters->operations++;
    if (kind == RESULT_EXIT && counters_is_nodedown(reason))
        counters->errors[ERROR_NODEDOWN]++;
    else if (kind != RESULT_OK)
        counters->errors[kinds[kind]]++;
}

void counters_add_fault(struct counters *counters, size_t kind)
{
    assert(kind < COUNTERS_FAULTS);
    counters->faults[kind]++;
}
