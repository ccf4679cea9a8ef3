/* Whether others can change what is in a folder, and what in it is ours to remove. */
#ifndef HARNESSD_STORE_STORE_TRUST_PRIVATE_H
#define HARNESSD_STORE_STORE_TRUST_PRIVATE_H

#include <stdbool.h>

#include "base/compiler.h"

/* Why an open folder cannot be trusted, a literal; NULL when it can. Its group may write to it, as those of
 * volumes of containers do; root may own it, and root takes that of any user. */
MUST_CHECK const char *store_trust_problem(int descriptor);

/* Whether its group may. */
bool store_trust_is_shared(int descriptor);

/* Why what has this name in a folder cannot be a file of ours, whatever the name is, a literal; NULL when it
 * can: a regular file of this user's, of root's, or of any user's for root. */
MUST_CHECK const char *store_trust_problem_of_file(int folder, const char *name);

#endif
