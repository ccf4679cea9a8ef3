/* The clock of another node, as this daemon's: of the probes that were there and back the quickest says how
 * far apart they are, within half of the time that it took. What was found out is trusted less as time goes
 * by, since a clock that is being corrected runs up to a hundredth too fast or too slow. */
#ifndef HARNESSD_EXPLAIN_NODE_CLOCK_PRIVATE_H
#define HARNESSD_EXPLAIN_NODE_CLOCK_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

/* All zero knows nothing. */
struct node_clock {
    bool is_known;
    int64_t ahead_ns;  /* of the node's clock against ours */
    uint64_t error_ns; /* at most, when it was found out */
    uint64_t at_ns;    /* when that was */
};

/* A probe was sent, read the node's clock, and was answered. */
void node_clock_note(struct node_clock *clock, uint64_t sent_ns, int64_t node_ns, uint64_t answered_ns);

/* When that was by our clock, which is known to be between two times. */
uint64_t node_clock_place(const struct node_clock *clock, int64_t node_ns, uint64_t from_ns, uint64_t to_ns);

#endif
