/* Looking at a scenario without running it. */
#ifndef HARNESSD_SERVE_VALIDATION_PRIVATE_H
#define HARNESSD_SERVE_VALIDATION_PRIVATE_H

#include "node/request.h"
#include "run/runner.h"

/* Answers {ok, Normalised}, or {error, Reason} when nodes cannot say what the texts of the scenario's file
 * mean. Takes the scenario over. */
void validation_start(struct runner *runner, struct request *request, struct scenario *scenario);

#endif
