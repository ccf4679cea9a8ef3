/* What the files that read faults know of one another. */
#ifndef HARNESSD_SCENARIO_SCENARIO_CHAOS_PRIVATE_H
#define HARNESSD_SCENARIO_SCENARIO_CHAOS_PRIVATE_H

#include "scenario/fault_kinds.h"
#include "scenario_private.h"

/* --- scenario_chaos_options.c --- */

void chaos_read_integer(struct reader *reader, int64_t least, int64_t most, struct term value,
                        int64_t *result);
void chaos_read_fraction(struct reader *reader, struct term value, double *result);

/* False and a problem unless it is the name of another node than the daemon's. */
bool chaos_check_node(struct reader *reader, struct term value);

/* Sets what an argument or option is given as. */
void chaos_read_option(struct reader *reader, struct fault_action *action, const struct fault_option *option,
                       struct term value);

/* Sets what the options of the action's kind are unless they are given. */
void chaos_set_defaults(struct reader *reader, struct fault_action *action);

/* --- scenario_chaos_terms.c --- */

/* The kind of the tuple with these elements, NULL when there is none; `is_named` says whether one has such a
 * name. */
const struct fault_kind *chaos_find_kind(const struct term *parts, size_t arity, bool *is_named);

/* Reads {Name[, Resource], Argument...[, Options]}. False when it is none, which is a problem. */
bool chaos_read_term(struct reader *reader, struct fault_action *action, struct term value);

#endif
