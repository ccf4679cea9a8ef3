/* Running `epmd -daemon`, without waiting for it. The process that is started puts epmd into the background
 * and ends at once; it is only this one that is watched. */
#ifndef HARNESSD_DIST_EPMD_PROCESS_PRIVATE_H
#define HARNESSD_DIST_EPMD_PROCESS_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct epmd_process {
    pid_t pid; /* 0: none */
};

/* Starts it, for this port, unless one is still being started. False when that cannot be done; the reason is
 * in the log. */
bool epmd_process_start(struct epmd_process *process, uint16_t port);

/* Some child has ended: as process 1 this one is given those whose parents have ended, and nobody else looks
 * at them. That of `process` is left to epmd_process_reap(). */
void epmd_process_reap_others(const struct epmd_process *process);

/* Looks whether it has ended, and logs when it failed. True when there is nothing left to wait for. */
bool epmd_process_reap(struct epmd_process *process);

#endif
