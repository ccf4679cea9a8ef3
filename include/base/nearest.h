/* The known word that a misspelt one probably meant: for "unknown key" problems of configuration and
 * scenarios. */
#ifndef HARNESSD_BASE_NEAREST_H
#define HARNESSD_BASE_NEAREST_H

#include <stddef.h>

/* The candidate with the fewest edits from `word` (insert, delete, replace a byte, or swap two neighbours;
 * letters count the same in either case) when that is near: within two edits, and within one for each three
 * bytes of the longer word; of equally near ones the first. Else the one that the word, without a unit such
 * as _ms at its end, is short for: whole parts of it between underscores, hyphens or dots (crash, duration),
 * its beginning, or a contraction (ops); from three bytes on, and of several such none, unless one is a part
 * of the others. NULL when there is none. `word` has `size` bytes and need not end in NUL; words and
 * candidates above 64 bytes are near nothing by edits. */
const char *nearest_word(const char *word, size_t size, const char *const *candidates, size_t count);

#endif
