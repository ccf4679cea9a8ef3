/* Freeing what may be large. */
#ifndef HARNESSD_LOAD_SCENARIO_DISPOSE_H
#define HARNESSD_LOAD_SCENARIO_DISPOSE_H

#include "base/loop.h"
#include "scenario/scenario.h"

/* Frees a scenario, a large one by the thread. */
void scenario_dispose(struct loop *loop, struct scenario *scenario);

#endif
