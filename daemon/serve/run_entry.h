/* One run of the registry from inside. runs.c leads it from the queue to its end, run_status.c describes it.
 */
#ifndef HARNESSD_SERVE_RUN_ENTRY_H
#define HARNESSD_SERVE_RUN_ENTRY_H

#include "node/monitor.h"
#include "run/expectations.h"
#include "serve/run_summary.h"
#include "serve/runs.h"

struct run_entry {
    struct runs *runs;
    struct run_entry *newer;
    struct run_entry *older;
    struct run_entry *next; /* in the queue, or of those that have finished */
    enum run_phase phase;   /* one function of runs.c changes it */
    bool cancelled;         /* it was asked to end */
    struct run_summary summary;
    uint64_t accepted_ns;
    uint64_t started_ns;
    uint64_t ended_ns;
    uint64_t planned_ns;
    struct room room; /* what it takes from when it starts until it has finished */

    /* What it was asked for with. */
    struct scenario *scenario; /* until it starts: then it is the run's */
    bool is_callers;
    struct monitor caller;
    struct buffer group_leader;
    struct buffer expectations_term; /* which `expectations` point into */
    struct expectations expectations;

    struct run *run; /* while it is running */
    struct run_wait *waits;
    size_t wait_count;
    struct term_builder result;
};

/* What stands in its way while it waits, and how many runs wait before it. */
const char *runs_obstacle(const struct run_entry *entry, size_t *before);

void run_status_build(const struct run_entry *entry, struct term_builder *builder);

#endif
