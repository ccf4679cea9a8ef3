/* The program as `harnessd run FILE`. */
#ifndef HARNESSD_RUN_ONCE_H
#define HARNESSD_RUN_ONCE_H

#include "config/config.h"

/* Runs the scenario, tells what came of it, and answers the exit code. The configuration stays
 * the caller's. */
int run_once(struct config *config);

#endif
