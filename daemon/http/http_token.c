#include "http_token_private.h"

#include <string.h>
#include <strings.h>

#define BEARER "Bearer "
#define BLANKS " \t"

/* Each byte that is given is looked at, whatever the ones before it are. */
static bool http_token_equals(const char *token, const char *given, size_t size)
{
    size_t length = strlen(token);
    volatile unsigned char differs = length != size;
    for (size_t i = 0; length && i < size; i++)
        differs |= (unsigned char)(given[i] ^ token[i % length]);
    return !differs;
}

static bool http_token_is_bearer(const char *token, const char *authorization)
{
    if (strncasecmp(authorization, BEARER, strlen(BEARER)) != 0)
        return false;
    const char *given = authorization + strlen(BEARER);
    given += strspn(given, BLANKS);
    const size_t size = strcspn(given, BLANKS);
    return !given[size + strspn(given + size, BLANKS)] && http_token_equals(token, given, size);
}

/* NAME=VALUE; NAME=VALUE */
static bool http_token_is_cookie(const char *token, const char *cookies)
{
    const size_t name_size = strlen(HTTP_TOKEN_COOKIE);
    bool is_given = false;
    while (*cookies) {
        cookies += strspn(cookies, BLANKS ";");
        size_t size = strcspn(cookies, ";");
        const char *value = cookies + name_size + 1;
        if (size > name_size && strncmp(cookies, HTTP_TOKEN_COOKIE "=", name_size + 1) == 0)
            is_given |= http_token_equals(token, value, size - name_size - 1);
        cookies += size;
    }
    return is_given;
}

bool http_token_is_given(const char *token, const char *authorization, const char *cookies)
{
    return (authorization && http_token_is_bearer(token, authorization)) ||
           (cookies && http_token_is_cookie(token, cookies));
}
