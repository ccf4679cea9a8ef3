/* The secret that nodes of a cluster share. */
#ifndef HARNESSD_CONFIG_COOKIE_PRIVATE_H
#define HARNESSD_CONFIG_COOKIE_PRIVATE_H

#include "base/compiler.h"

#define COOKIE_BYTES 255
#define COOKIE_VARIABLE "HARNESSD_COOKIE"

/* The cookie, to be given to cookie_free(): from `file`, else (NULL) from HARNESSD_COOKIE in the environment,
 * else from $HOME/.erlang.cookie. Blanks and newlines at its end are cut. A file must be a regular one with
 * no bits of mode 077, unless it lies below $CREDENTIALS_DIRECTORY. NULL when there is none; `*problem` then
 * says why, names the source but nothing of what it holds, and is to be freed. */
MUST_CHECK char *cookie_load(const char *file, char **problem);

/* The same for another secret, of printable characters that may stand in a header of HTTP and in a cookie. */
MUST_CHECK char *cookie_load_token(const char *file, char **problem);

/* Overwrites it first; NULL is nothing. */
void cookie_free(char *cookie);

#endif
