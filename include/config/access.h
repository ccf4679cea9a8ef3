/* Who may do what: allow and deny patterns of the configuration. What a deny pattern matches is refused,
 * whatever allows it. */
#ifndef HARNESSD_CONFIG_ACCESS_H
#define HARNESSD_CONFIG_ACCESS_H

#include "config/config.h"
#include "faults/blast_radius.h"

/* Whether a node of this name may connect. */
bool access_allows_caller(const struct config *config, const char *node);

/* The rule that forbids such a node to call a function, the path of a key of the configuration, or NULL. */
MUST_CHECK const char *access_forbids_function(const struct config *config, const char *node,
                                               const char *function);

/* What faults may be done to; it asks the configuration, which has to outlive it. */
struct blast_radius access_blast_radius(struct config *config);

#endif
