/* What this process takes of its machine, as the kernel says (proc(5)), and what its allocator has of that.
 */
#ifndef HARNESSD_SERVE_PROCESS_USAGE_PRIVATE_H
#define HARNESSD_SERVE_PROCESS_USAGE_PRIVATE_H

#include <stdint.h>

struct process_usage {
    uint64_t resident_bytes;
    uint64_t virtual_bytes;
    uint64_t heap_used_bytes; /* allocated and not freed */
    uint64_t heap_held_bytes; /* that, and what the allocator keeps for later */
    double cpu_s;
    double started_s; /* since 1970 */
    uint64_t open_descriptors;
    uint64_t most_descriptors;
};

/* What cannot be known is 0. */
void process_usage_read(struct process_usage *usage);

#endif
