/* Host names to addresses, without blocking the loop: literal addresses, /etc/hosts, `localhost` and this
 * host's own name (which need no entry there), then DNS (evdns). A file of the system that has changed is
 * read again. */
#ifndef HARNESSD_DIST_RESOLVE_H
#define HARNESSD_DIST_RESOLVE_H

#include <sys/socket.h>

#include "base/loop.h"

struct resolver;
struct resolve_request;

#define RESOLVE_ADDRESSES 8

struct resolve_address {
    struct sockaddr_storage address; /* its port is the one that was asked for */
    socklen_t size;
};

/* `problem` is NULL when there is at least one address. Never called from within resolve_start(). */
typedef void resolve_done(void *owner, const struct resolve_address *addresses, size_t count,
                          const char *problem);

struct resolver *resolver_new(struct loop *loop);

/* Every request was answered or cancelled before. While evdns still has to notice a cancel, this runs what is
 * ready in the loop. */
void resolver_free(struct resolver *resolver);

/* Looks `host` up, with a deadline of 5 s. Addresses that this host has no route to come last; otherwise IPv4
 * comes before IPv6, as BEAM nodes speak it unless told otherwise. The request is gone once it was answered
 * or cancelled. */
struct resolve_request *resolve_start(struct resolver *resolver, const char *host, uint16_t port,
                                      resolve_done *done, void *owner);
void resolve_cancel(struct resolve_request *request);

#endif
