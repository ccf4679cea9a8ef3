/* Tables of the program in pages that are written by hand: each stands between two comments,
 *
 *     <!-- table NAME -->
 *     <!-- end -->
 *
 * of which the first has the name of its help_table. */
#ifndef HARNESSD_REFERENCE_FILL_H
#define HARNESSD_REFERENCE_FILL_H

#include <stdbool.h>

#include "base/buffer.h"

/* Appends the page that was written, with its tables as they are now. False when it has one that there is
 * not, or none, or one without an end. */
MUST_CHECK bool fill(struct buffer *page, const char *written);

#endif
