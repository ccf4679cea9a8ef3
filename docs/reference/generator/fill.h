/* Tables of the program in pages that are written by hand: each stands between two comments,
 *
 *     <!-- table NAME -->
 *     <!-- end -->
 *
 * of which the first has the name of its help_table, and between which nothing else may be. */
#ifndef HARNESSD_REFERENCE_FILL_H
#define HARNESSD_REFERENCE_FILL_H

#include <stdbool.h>

#include "base/buffer.h"

#define FILL_TABLES 14

/* How often each table stands in the pages so far; all zero at first. */
struct fill_uses {
    size_t count[FILL_TABLES];
};

struct fill_problem {
    size_t line; /* from 1 */
    const char *text;
};

/* Appends the page that was written, with its tables as they are now. False when there is something between
 * the comments that is no row of a table and would be lost, when a table has no end, or there is none of its
 * name: then the page is not whole, and the problem says why. */
MUST_CHECK bool fill(struct buffer *page, const char *written, struct fill_uses *uses,
                     struct fill_problem *problem);

/* The name of a table that does not stand in the pages exactly once; NULL when there is none. */
const char *fill_misused(const struct fill_uses *uses);

#endif
