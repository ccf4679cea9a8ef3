/* Probes: processes beside the targets that look at their mailboxes, and at their nodes for the timeline. */
#ifndef HARNESSD_RUN_PROBES_PRIVATE_H
#define HARNESSD_RUN_PROBES_PRIVATE_H

#include "dist/node_name.h"
#include "node/script.h"

struct run;

/* The length of the message queue of one target while the run went on; of one that gives several that of the
 * longest. */
struct mailbox {
    struct run *run;
    struct script probe;
    bool awaited;  /* that its target is resolved, that it has started, or its last value */
    bool observed; /* the numbers below are there */
    int64_t initial;
    int64_t final;
    int64_t most;
    double average;
};

/* Those of the members of a target that are on one node. */
struct members_probe {
    struct mailbox mailbox;
    size_t target;
    char node[NODE_NAME_BYTES + 1];
};

struct run_probes {
    struct mailbox *mailboxes; /* of the first `count` targets */
    struct members_probe **of_members;
    size_t of_members_count;
    bool is_over; /* they have been told to stop */
    size_t count;
    size_t awaited;
    int64_t most; /* messages; -1 when none was observed */
};

/* Starts to observe the mailboxes of the targets, or takes their last values; run_observed() follows when all
 * have answered. False when there are none. */
bool probes_start(struct run *run);
bool probes_stop(struct run *run);
bool probes_message(struct run *run, struct term message);

/* A target whose process a probe waits to know is ready, or has failed. */
void probes_target_ready(struct run *run, size_t index);
void probes_target_failed(struct run *run, size_t index);

/* Whom a target that gives several gives now, a list of pids: they are observed from now on. */
void probes_set_members(struct run *run, size_t target, struct term pids);

/* What has not answered until now leaves its mailbox unobserved. */
void probes_await_no_longer(struct run *run);

/* Ends their processes; what they have told stays until it is freed. */
void probes_end(struct run *run);
void probes_free(struct run *run);

#endif
