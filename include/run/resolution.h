/* Finds out what the texts of a scenario file mean: nodes are asked, that of the hooks for hooks and that of
 * the first target for all others. */
#ifndef HARNESSD_RUN_RESOLUTION_H
#define HARNESSD_RUN_RESOLUTION_H

#include "run/runner.h"

struct resolution;

/* The scenario, to be freed by who gets it, or NULL and the reason that a run ends in: {invalid_scenario,
 * Problems}, {nodedown, Node}, {session_failed, Reason}, or `aborted` when the runner is closed. The
 * resolution is gone when this is called, which is never from within resolution_start(). */
typedef void resolution_done(void *owner, struct scenario *scenario, struct term reason);

/* `scenario` has texts, and lives as long as the resolution. What the nodes print in the meantime goes to the
 * group leader; without data to this node's. It takes some seconds at most. */
struct resolution *resolution_start(struct runner *runner, const struct scenario *scenario,
                                    struct term group_leader, resolution_done *done, void *owner);
void resolution_cancel(struct resolution *resolution);

/* Ends all that go on; for runner_close(). */
void resolutions_abort(struct runner *runner);

#endif
