/* The known word that a misspelt one probably meant: for "unknown key" problems of configuration and
 * scenarios. */
#ifndef HARNESSD_BASE_NEAREST_H
#define HARNESSD_BASE_NEAREST_H

#include <stddef.h>

/* The candidate with the fewest edits from `word` (insert, delete, replace a byte, or swap two neighbours;
 * letters count the same in either case), or NULL when none is near: within two edits, and within one for
 * each three bytes of the longer word. Of equally near ones the first. `word` has `size` bytes and need not
 * end in NUL; words and candidates above 64 bytes are near nothing. */
const char *nearest_word(const char *word, size_t size, const char *const *candidates, size_t count);

#endif
