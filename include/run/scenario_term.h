/* Scenarios as terms: a map, a keyword list, or a struct with the keys of the contract. */
#ifndef HARNESSD_RUN_SCENARIO_TERM_H
#define HARNESSD_RUN_SCENARIO_TERM_H

#include "run/problems.h"
#include "run/scenario.h"

/* Reads a scenario for a caller on `caller_node`; `own_node` is refused as a target's. NULL when there are
 * problems. The term is copied. */
MUST_CHECK struct scenario *scenario_term_read(struct term term, const char *caller_node,
                                               const char *own_node, struct problems *problems);

/* Reads a keyword list or map of expectations, whose terms are borrowed. */
void scenario_term_read_expectations(struct term term, struct expectations *expectations,
                                     struct problems *problems);

/* Appends the scenario with all its defaults and operations written out: a map that scenario_term_read()
 * reads the same. */
void scenario_term_build(const struct scenario *scenario, struct term_builder *builder);

#endif
