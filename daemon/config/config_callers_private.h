/* The keys `access.callers.allow` and `deny`: lists of shell patterns of node names, or of {"pattern":
 * "app@*", "functions": ["info", "status"]}. */
#ifndef HARNESSD_CONFIG_CONFIG_CALLERS_PRIVATE_H
#define HARNESSD_CONFIG_CONFIG_CALLERS_PRIVATE_H

#include "config/config_key.h"

/* As the readers of other types do. */
void config_callers_read(struct config_reading *reading, const struct config_key *key, const json_t *value,
                         const char *where);

/* What is read back the same, to be given back. */
json_t *config_callers_value(const struct config_callers *callers);

void config_callers_clear(struct config_callers *callers);

/* A pattern that matches none of config.functions allows or forbids nothing, which its author did not mean.
 */
void config_callers_check(struct config_reading *reading, const char *key,
                          const struct config_callers *callers);

#endif
