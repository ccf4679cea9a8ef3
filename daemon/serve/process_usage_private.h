/* What this process takes of its machine, as the kernel says (proc(5)). */
#ifndef HARNESSD_SERVE_PROCESS_USAGE_PRIVATE_H
#define HARNESSD_SERVE_PROCESS_USAGE_PRIVATE_H

#include <stdint.h>

struct process_usage {
    uint64_t resident_bytes;
    uint64_t virtual_bytes;
    double cpu_s;
    double started_s; /* since 1970 */
    uint64_t open_descriptors;
    uint64_t most_descriptors;
};

/* What cannot be known is 0. */
void process_usage_read(struct process_usage *usage);

#endif
