/* How many lines each node gets for what it is refused: one that asks again and again would push everything
 * else out of the files that are kept. What is left out is counted by node. (A leaky bucket as a meter, by
 * the virtual scheduling of GCRA: ITU-T I.371.) */
#ifndef HARNESSD_AUDIT_AUDIT_REFUSALS_PRIVATE_H
#define HARNESSD_AUDIT_AUDIT_REFUSALS_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/compiler.h"

/* So many at once, and then one in so much time. */
#define AUDIT_REFUSALS_AT_ONCE 1000
#define AUDIT_REFUSAL_NS CLOCK_NS_PER_S

/* Nodes that are refused at a time; those beyond share a row without a name. */
#define AUDIT_REFUSED_NODES_MOST 64
#define AUDIT_NODE_BYTES 1024 /* an atom's at most, of UTF-8, with its end */

struct audit_refused_node {
    char name[AUDIT_NODE_BYTES];
    uint64_t due_ns; /* when the next line would come at a steady rate */
    uint64_t omitted;
};

/* All zero: nobody was refused. */
struct audit_refusals {
    struct audit_refused_node nodes[AUDIT_REFUSED_NODES_MOST + 1];
};

/* Whether the refusal gets a line; else it is counted. */
MUST_CHECK bool audit_refusals_admit(struct audit_refusals *refusals, const char *node, uint64_t now_ns);

/* A node of which lines were left out, "" for those beyond, and how many: no longer counted then. NULL: none.
 */
MUST_CHECK const char *audit_refusals_take(struct audit_refusals *refusals, uint64_t *omitted);

#endif
