/* One encoding for equal terms: maps with their pairs in the order of their bytes, wherever they are. Nodes
 * write maps in orders of their own, and up to OTP 26 zeros of both signs are equal, so that terms from
 * several nodes can be equal and yet differ in their bytes; as keys of one map that would cost the connection
 * to whoever receives it. */
#ifndef HARNESSD_TERM_TERM_SORT_H
#define HARNESSD_TERM_TERM_SORT_H

#include "base/buffer.h"
#include "term/term.h"

/* Appends the sorted form of a checked term, however deep it is. Maps inside of 64 others stay as they are.
 */
void term_sort(struct term term, struct buffer *output);

#endif
