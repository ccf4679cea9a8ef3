/* What a connection speaks over: a table of operations. The connection knows nothing of sockets but the
 * descriptor that its events wait on; another transport (TLS) is another table. */
#ifndef HARNESSD_TRANSPORT_TRANSPORT_H
#define HARNESSD_TRANSPORT_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/compiler.h"
#include "transport/wire.h"

struct transport;

/* What is read at once is read in pieces, each of which has its own stamp: that of the last of its bytes. */
#define TRANSPORT_PIECES 8

/* How: first so many bytes, then pieces of so many. Where the transport has no stamps it is one piece. */
struct transport_plan {
    size_t first;
    size_t piece;
    size_t count; /* with the first one, TRANSPORT_PIECES at most */
};

/* What came, and what the kernel tells of it; nothing where the transport has no stamps. */
struct transport_got {
    struct {
        size_t size;
        uint64_t stamp_ns; /* of its arrival, by the wall clock; 0: not told, as of the first bytes */
    } pieces[TRANSPORT_PIECES];
    size_t count;
    size_t queued; /* bytes that are there behind them */
};

static inline size_t transport_plan_bytes(const struct transport_plan *plan)
{
    return plan->first + (plan->count - 1) * plan->piece;
}

struct transport_operations {
    const char *name;
    size_t handshake_length_bytes; /* of the lengths in front of handshake messages */

    /* As read() and write() of a non-blocking socket: 0 is the end, -1 with EAGAIN is not now. Pieces are
     * read one behind the other into `data`, which has room for the plan. */
    ssize_t (*read)(struct transport *transport, uint8_t *data, const struct transport_plan *plan,
                    struct transport_got *got);
    ssize_t (*write)(struct transport *transport, const void *data, size_t size);

    /* Whether some of what was written has not been sent yet: the other side takes no more. */
    bool (*is_full)(const struct transport *transport);

    /* As read(), of bytes that nobody needs. */
    ssize_t (*skip)(struct transport *transport, size_t size);

    /* Ends it and gives everything back, the descriptor included. */
    void (*close)(struct transport *transport);
};

struct transport {
    const struct transport_operations *operations;
    int descriptor;
    bool has_stamps; /* of what is read, with what is there behind it */
};

/* Starts connecting; the descriptor becomes writable when that is decided, and transport_connected() tells
 * how. -1 with errno when it cannot even start. */
MUST_CHECK int transport_dial_tcp(struct transport *transport, const struct sockaddr *address,
                                  socklen_t size);

/* 0, or the error number that the attempt ended in. */
MUST_CHECK int transport_connected(const struct transport *transport);

/* False when the kernel does not say. */
MUST_CHECK bool transport_look_at_wire(const struct transport *transport, struct wire *wire);

/* Takes over an accepted, non-blocking socket. */
void transport_accept_tcp(struct transport *transport, int descriptor);

#endif
