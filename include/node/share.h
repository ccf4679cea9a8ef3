/* What is not enough for all, shared by name: nobody has more of it than is left for others, but for one
 * thing, of whatever size, which everybody may have. So the first who takes all that it can has half, the
 * next a quarter, and nobody ever gets nothing. */
#ifndef HARNESSD_NODE_SHARE_H
#define HARNESSD_NODE_SHARE_H

#include "base/map.h"

/* All zero but for `most` is one of which nobody has anything. */
struct share {
    size_t most;
    size_t taken; /* by all */
    struct map holders;
};

/* Frees what it knows of holders. */
void share_free(struct share *share);

/* Takes so much, at least 1; false when that is too much for who has this name. */
MUST_CHECK bool share_take(struct share *share, const char *name, size_t amount);

/* Gives back what was taken. */
void share_give_back(struct share *share, const char *name, size_t amount);

#endif
