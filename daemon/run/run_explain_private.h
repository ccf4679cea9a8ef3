/* Why operations are slow, as a part of a run. Without `explain` nothing of it is there, and all of this does
 * nothing. */
#ifndef HARNESSD_RUN_RUN_EXPLAIN_PRIVATE_H
#define HARNESSD_RUN_RUN_EXPLAIN_PRIVATE_H

#include "base/loop.h"
#include "explain/explain.h"
#include "explain/probe_spawns.h"

struct run;

struct run_explain {
    struct explain *explain; /* NULL: nobody has asked for it */
    struct probe_spawns *spawns;
    struct process *process; /* that probes are told by */
    struct loop_timer timer;
};

/* With the engine. */
void run_explain_init(struct run *run);
void run_explain_free(struct run *run);

/* The load has begun, and is over: no more probes are sent. */
void run_explain_begin(struct run *run);
void run_explain_stop(struct run *run);

/* What was recorded is written down now: what is not known by now will not be. True while there is more to do
 * for that. */
MUST_CHECK bool run_explain_settle(struct run *run);

/* Who applies a thread's custom operation: a pid. */
void run_explain_worker(struct run *run, int64_t thread, int64_t step, struct term pid);

/* Parts of the report: the slowest operations, and the causes of all that were slow. nil without. */
void run_explain_build_slowest(struct run *run, struct term_builder *builder);
void run_explain_build(struct run *run, struct term_builder *builder);

/* Seconds by cause. False when there is nothing to tell. */
MUST_CHECK bool run_explain_build_seconds(const struct run *run, struct term_builder *builder);

#endif
