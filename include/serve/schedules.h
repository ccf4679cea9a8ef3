/* Runs that start by themselves, at the times that the configuration has. A file is read anew each time. */
#ifndef HARNESSD_SERVE_SCHEDULES_H
#define HARNESSD_SERVE_SCHEDULES_H

#include "config/config.h"
#include "registry/runs.h"

struct schedules;

/* Takes the schedules of the configuration, which outlives them; a line is logged for each whose file is not
 * a scenario as it is now. */
struct schedules *schedules_new(struct node *node, struct runs *runs, const struct config *config);
void schedules_free(struct schedules *schedules);

/* Takes those of a configuration that has changed; ones that are the same go on as they were. */
void schedules_reload(struct schedules *schedules);

/* Appends a list of maps: file, node, every_s, at, overlap, next_at, next_in_s, last_run_id, and how many
 * times it has started a run (started), could not (failed), did not because the last run went on (skipped),
 * or was missed (missed). */
void schedules_build(const struct schedules *schedules, struct term_builder *builder);

#endif
