#include "report/outcome.h"

#include <assert.h>

#include "term/term_read.h"

static const struct outcome_row {
    const char *name;
    const char *text;
    int exit_status;
} outcome_rows[OUTCOME_COUNT] = {
    [OUTCOME_NONE] = {"nil", "under way", 1},
    [OUTCOME_COMPLETED] = {"completed", "completed", 0},
    [OUTCOME_MISSED] = {"missed", "an expectation was missed", 1},
    [OUTCOME_FAILED] = {"failed", "failed", 1},
    [OUTCOME_CANCELLED] = {"cancelled", "cancelled", 1},
    [OUTCOME_INTERRUPTED] = {"interrupted", "interrupted", 1},
    [OUTCOME_NOT_RUN] = {"not_run", "not run", 2},
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
