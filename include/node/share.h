/* What is not enough for all, shared by nodes, and what a node has by its processes: nobody has more of it
 * than is left for others. So the first node that takes all that it can has half, the next a quarter; the
 * first process of a node has half of what its node may have. One thing, of whatever size, every node may
 * have; so nobody ever gets nothing, but for a process whose node has all that it may have. */
#ifndef HARNESSD_NODE_SHARE_H
#define HARNESSD_NODE_SHARE_H

#include "base/map.h"
#include "term/term.h"

/* All zero but for `most` is one of which nobody has anything. */
struct share {
    size_t most;
    size_t taken; /* by all */
    struct map nodes;
};

/* Frees what it knows of holders. */
void share_free(struct share *share);

/* Takes so much, at least 1, for a process that a node tells of, whatever its pid says; false when that is
 * too much for one of them. */
MUST_CHECK bool share_take(struct share *share, const char *node, struct term process, size_t amount);

/* Gives back what was taken. */
void share_give_back(struct share *share, const char *node, struct term process, size_t amount);

#endif
