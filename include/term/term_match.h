/* Whether a term is what a pattern asks for. A pattern is a term: `'_'` matches anything, and as the tail
 * of a list all that is left of one; a map any map that has its keys with values that match, and everything
 * else what is equal to it (`=:=`), containers element by element. */
#ifndef HARNESSD_TERM_TERM_MATCH_H
#define HARNESSD_TERM_TERM_MATCH_H

#include "base/compiler.h"
#include "term/term.h"

/* Both are checked terms, however deep. */
MUST_CHECK bool term_matches(struct term pattern, struct term term);

#endif
