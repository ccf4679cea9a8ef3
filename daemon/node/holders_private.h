/* The processes of one peer that monitor processes of this node or are linked to them, and how much each may
 * have this node remember. */
#ifndef HARNESSD_NODE_HOLDERS_PRIVATE_H
#define HARNESSD_NODE_HOLDERS_PRIVATE_H

#include "base/map.h"
#include "term/term.h"

/* Monitors and links that all processes of one peer may have. */
#define HOLDERS_LIMIT 100000

/* All zero is none. */
struct holders {
    struct map map; /* pid, as its bytes */
    size_t held;    /* by all together */
};

struct holder {
    struct term pid; /* its bytes are the key, and good as long as it holds something */
    size_t held;
};

/* How much one process may hold: half of what there is room for, so that however much one has, and the next
 * one, there is room for others. */
size_t holders_limit(const struct holders *holders);

/* How much a process holds. */
size_t holders_held(const struct holders *holders, struct term pid);

/* It holds one more, whatever the limit. */
struct holder *holders_hold(struct holders *holders, struct term pid);

/* It holds one less; who holds nothing is freed. */
void holders_let_go(struct holders *holders, struct holder *holder);

#endif
