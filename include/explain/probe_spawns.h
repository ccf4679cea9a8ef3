/* Probes on real nodes: processes that erpc:execute_call/4 applies lists:zipwith/3 in, whose exit reasons are
 * what they tell. */
#ifndef HARNESSD_EXPLAIN_PROBE_SPAWNS_H
#define HARNESSD_EXPLAIN_PROBE_SPAWNS_H

#include "explain/probe_way.h"
#include "node/process.h"

struct probe_spawns;

/* `process` is the one of ours that they are spawned and monitored by. Both outlive them. */
struct probe_spawns *probe_spawns_new(struct process *process, struct term group_leader);

/* Whom answers are for, from when it is known. */
struct explain;
void probe_spawns_set_explain(struct probe_spawns *spawns, struct explain *explain);

/* A message to the process. */
void probe_spawns_message(struct probe_spawns *spawns, const struct incoming *incoming);
void probe_spawns_free(struct probe_spawns *spawns);

/* The owner is the spawns. */
extern const struct probe_way probe_spawns_way;

#endif
