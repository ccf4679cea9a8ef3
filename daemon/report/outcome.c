#include "report/outcome.h"

#include <assert.h>

#include "term/term_read.h"

static const struct outcome_row {
    const char *name;
    const char *text;
    int exit_status;
    const char *help;
} outcome_rows[OUTCOME_COUNT] = {
    [OUTCOME_NONE] = {"nil", "under way", 1, "It is not over yet, or how it has ended is not known."},
    [OUTCOME_COMPLETED] = {"completed", "completed", 0, "All that was asked of it was met."},
    [OUTCOME_MISSED] = {"missed", "an expectation was missed", 1,
                        "An expectation was not met, whatever else has failed."},
    [OUTCOME_FAILED] = {"failed", "failed", 1,
                        "Something else went wrong, in the run or in its cleanup; or no operation has "
                        "succeeded, and no `max_error_rate` of 1.0 allows that, though the caller of "
                        "`threads` is answered `{ok, Report}` then."},
    [OUTCOME_CANCELLED] = {"cancelled", "cancelled", 1, "It was asked to end."},
    [OUTCOME_INTERRUPTED] = {"interrupted", "interrupted", 1, "The daemon ended in the midst of it."},
    [OUTCOME_NOT_RUN] = {"not_run", "not run", 2,
                         "It was invalid, busy or not allowed, had texts that could not be resolved, or was "
                         "a dry run with a problem."},
};

const char *outcome_name(enum outcome outcome)
{
    assert(outcome < OUTCOME_COUNT);
    return outcome_rows[outcome].name;
}

const char *outcome_text(enum outcome outcome)
{
    assert(outcome < OUTCOME_COUNT);
    return outcome_rows[outcome].text;
}

const char *outcome_help(enum outcome outcome)
{
    assert(outcome < OUTCOME_COUNT);
    return outcome_rows[outcome].help;
}

int outcome_exit_status(enum outcome outcome)
{
    assert(outcome < OUTCOME_COUNT);
    return outcome_rows[outcome].exit_status;
}

enum outcome outcome_read(struct term name)
{
    for (size_t i = 0; i < OUTCOME_COUNT; i++)
        if (term_is_atom(name, outcome_rows[i].name))
            return (enum outcome)i;
    return OUTCOME_NONE;
}
