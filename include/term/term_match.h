/* Whether a term is what a pattern asks for. A pattern is a term: `'_'` matches anything, and as the tail
 * of a list all that is left of one; a map any map that has its keys with values that match, and everything
 * else what is equal to it (`=:=`), containers element by element. */
#ifndef HARNESSD_TERM_TERM_MATCH_H
#define HARNESSD_TERM_TERM_MATCH_H

#include "base/compiler.h"
#include "term/term.h"

/* So much may be in a pattern, of which a map has no more keys: to look at a reply keeps others waiting. */
#define PATTERN_VALUES_MOST 1000000
#define PATTERN_KEYS_MOST 1000

/* Whether a checked term has no more than that. */
MUST_CHECK bool term_is_pattern(struct term pattern);

/* Both are checked terms, however deep. What `'_'` stands for in front of others is walked, all else of the
 * term that the pattern does not name is not. */
MUST_CHECK bool term_matches(struct term pattern, struct term term);

#endif
