/* One connection to an epmd: the host is resolved, its addresses are tried in turn, the request is sent, and
 * what comes back is handed on. Both callbacks come from the end of a pass, where the exchange may be freed.
 */
#ifndef HARNESSD_DIST_EPMD_EXCHANGE_PRIVATE_H
#define HARNESSD_DIST_EPMD_EXCHANGE_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "dist/resolve.h"

struct epmd_exchange;

struct epmd_exchange_handler {
    /* All bytes of the answer so far, each time that some came. False: the exchange is over and was freed. */
    bool (*received)(void *owner, const uint8_t *data, size_t size);
    /* It failed, or epmd closed it; the exchange is still to be freed. `problem` lives as long as it. */
    void (*ended)(void *owner, const char *problem);
};

struct epmd_exchange_request {
    const char *host; /* copied, as the rest is */
    uint16_t port;
    const uint8_t *data; /* at most EPMD_MESSAGE_BYTES; a name that could not be encoded has none and fails */
    size_t size;
};

/* It ends by itself after 5 s. */
struct epmd_exchange *epmd_exchange_new(struct loop *loop, struct resolver *resolver,
                                        const struct epmd_exchange_request *request,
                                        const struct epmd_exchange_handler *handler, void *owner);

/* The answer was good: from now on there is no deadline, what comes is dropped, and only the end is told. */
void epmd_exchange_keep(struct epmd_exchange *exchange);

/* Whether it ended because an address of this host refused the connection: there is no epmd. */
bool epmd_exchange_nobody_listens(const struct epmd_exchange *exchange);

/* At any time; NULL is nothing. */
void epmd_exchange_free(struct epmd_exchange *exchange);

#endif
