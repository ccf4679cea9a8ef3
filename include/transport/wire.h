/* What the kernel here knows of a connection to another node. */
#ifndef HARNESSD_TRANSPORT_WIRE_H
#define HARNESSD_TRANSPORT_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

struct wire {
    uint32_t unacked;     /* segments that the system of the node has not acknowledged */
    uint32_t retransmits; /* so far */
    uint32_t silent_ms;   /* since it has acknowledged anything */
    uint64_t sent_bytes;  /* so far, by whom the socket was given them; 0: the kernel does not say */
    uint64_t acked_bytes; /* of these, that its system has acknowledged */
    bool is_local;        /* both ends have one address: there is no network between them */
};

/* Of a connected socket. False when nothing is known. */
MUST_CHECK bool wire_look(int descriptor, struct wire *wire);

#endif
