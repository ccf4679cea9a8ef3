/* What the kernel here knows of a connection to another node. */
#ifndef HARNESSD_TRANSPORT_WIRE_H
#define HARNESSD_TRANSPORT_WIRE_H

#include <stdbool.h>
#include <stdint.h>

struct wire {
    uint32_t unacked;     /* segments that the system of the node has not acknowledged */
    uint32_t retransmits; /* so far */
    uint32_t silent_ms;   /* since it has acknowledged anything */
    bool is_local;        /* both ends have one address: there is no network between them */
};

#endif
