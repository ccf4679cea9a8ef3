/* A number that equal terms (`=:=`) have in common, whatever their bytes. */
#ifndef HARNESSD_TERM_TERM_HASH_PRIVATE_H
#define HARNESSD_TERM_TERM_HASH_PRIVATE_H

#include "term/term.h"

/* Of a checked term, however deep. It is no longer good in another process, and terms that are not equal may
 * have one: maps are told apart by their size alone. */
uint64_t term_hash(struct term term);

#endif
