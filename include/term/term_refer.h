/* Terms with references in the place of their atoms, as they go to a node that keeps a cache of them: the
 * other way than term_canonical_with_atoms(). */
#ifndef HARNESSD_TERM_TERM_REFER_H
#define HARNESSD_TERM_TERM_REFER_H

#include "term/term.h"

/* An atom has to be written out. */
#define TERM_REFER_NOT (-1)

/* Answers the number, 0 to 254, by which the atom of these bytes of UTF-8, at most 255, is referred to, or
 * TERM_REFER_NOT. */
typedef int term_refer_atom(void *owner, const uint8_t *text, size_t size);

/* Writes a canonical term to `output`, which has room for as many bytes as the term has, and answers how many
 * it took. Atoms longer than 255 bytes and those in funs stay as they are. */
MUST_CHECK size_t term_refer(struct term canonical, term_refer_atom *refer, void *owner, uint8_t *output);

#endif
