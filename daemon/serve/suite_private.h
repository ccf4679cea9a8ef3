/* Suites of chaos scenarios, as the library's ChaosHelpers.run_chaos_suite/3 has them. */
#ifndef HARNESSD_SERVE_SUITE_PRIVATE_H
#define HARNESSD_SERVE_SUITE_PRIVATE_H

#include "node/request.h"
#include "registry/runs.h"

/* run_chaos_suite(target, scenarios[, opts]): works through the scenarios, each in a run of its own, and
 * answers the request with the report. */
void chaos_suite_run(struct runs *runs, struct node *node, struct request *request);

#endif
