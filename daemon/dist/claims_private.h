/* Connections that were accepted and have not proved that they know the cookie. What they say until then is a
 * claim: nothing is given up for one, and when there are more than the limit, the oldest goes of the source
 * that has the most, so that nobody keeps those out who come from elsewhere. A source is an IPv4 address, or
 * the first 64 bits of an IPv6 address. */
#ifndef HARNESSD_DIST_CLAIMS_PRIVATE_H
#define HARNESSD_DIST_CLAIMS_PRIVATE_H

#include <stdint.h>

#include "base/list.h"
#include "base/map.h"

struct conn;
struct peer;

/* Belongs to the table from claims_add() to claims_remove(). */
struct claim {
    struct conn *conn;
    struct peer *peer; /* whose name it has given; NULL: none yet, or it is refused */
    uint64_t source;
    uint64_t number; /* the older, the less */
    struct list_link link;
    struct list_link of_source;
};

/* All zero is an empty one; claims_free() once it is empty again. */
struct claims {
    struct list list; /* the oldest first */
    struct map by_source;
    uint64_t next_number;
};

/* `address` is that of the other side as in "192.0.2.1:4711" or "2001:db8::1:4711". */
struct claim *claims_add(struct claims *claims, struct conn *conn, const char *address);
void claims_remove(struct claims *claims, struct claim *claim);

/* Which of them goes first; NULL when there is none. */
struct claim *claims_find_dispensable(const struct claims *claims);

void claims_free(struct claims *claims);

#endif
