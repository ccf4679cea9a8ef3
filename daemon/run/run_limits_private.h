/* Connections that a limit of this daemon has ended while a run was in need of them, and messages to a run
 * that one has kept out. */
#ifndef HARNESSD_RUN_RUN_LIMITS_PRIVATE_H
#define HARNESSD_RUN_RUN_LIMITS_PRIVATE_H

#include "run_private.h"

/* A node whose connection was ended, or that has sent such messages. */
struct run_limit {
    struct list_link link;
    char node[NODE_NAME_BYTES + 1];
    enum conn_limit limit;
    uint64_t times;
    uint64_t operations; /* that have failed by it */
};

/* A limit has ended a connection, and nothing that was behind it knows yet. */
void run_limits_reached(struct run *run, const struct peer *peer);

/* A message to the run was too large; operations that fail by it are to be added. */
struct run_limit *run_limits_cut(struct run *run, const struct peer *peer);
void run_limits_free(struct run *run);

#endif
