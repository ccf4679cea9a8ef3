/* What came of a fault. */
#ifndef HARNESSD_FAULTS_FAULT_OUTCOME_H
#define HARNESSD_FAULTS_FAULT_OUTCOME_H

#include "term/help.h"
#include "term/term_build.h"

enum fault_outcome {
    FAULT_OK,
    FAULT_GAVE,
    FAULT_NOPROC,
    FAULT_SURVIVED,
    FAULT_NOT_DRAWN,
    FAULT_CANCELLED,
    FAULT_NOT_KEPT_APART,
    FAULT_HEALED_EARLY,
    FAULT_ALSO_CUT,
    FAULT_ERROR,
    FAULT_NOT_ALLOWED,
    FAULT_UNDER_WAY,
    FAULT_OUTCOMES
};

/* The table of them, for help: each with its shape. */
const struct help_table *fault_outcomes_table(void);

/* Appends the atom, which is the first element of those that are pairs. */
void fault_outcome_build(enum fault_outcome outcome, struct term_builder *builder);

#endif
