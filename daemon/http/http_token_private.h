/* Whether who asks over HTTP knows the token, by one of the headers that may have it. */
#ifndef HARNESSD_HTTP_HTTP_TOKEN_PRIVATE_H
#define HARNESSD_HTTP_HTTP_TOKEN_PRIVATE_H

#include "base/compiler.h"
#include <stdbool.h>

#define HTTP_TOKEN_COOKIE "harnessd_token"

/* The values of the headers, or NULL: "Bearer TOKEN" of Authorization (RFC 6750), and "harnessd_token=TOKEN"
 * among the cookies (RFC 6265). How long it takes says nothing of the token but its length. */
MUST_CHECK bool http_token_is_given(const char *token, const char *authorization, const char *cookies);

#endif
