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

struct transport;

/* What the kernel tells of what was read; nothing where the transport has no stamps. */
struct transport_seen {
    uint64_t stamp_ns; /* when the last of it arrived, by the wall clock; 0: not told, as of the first bytes */
    size_t queued;     /* bytes that are there behind it */
};

struct transport_operations {
    const char *name;
    size_t handshake_length_bytes; /* of the lengths in front of handshake messages */

    /* As read() and write() of a non-blocking socket: 0 is the end, -1 with EAGAIN is not now. */
    ssize_t (*read)(struct transport *transport, void *data, size_t size, struct transport_seen *seen);
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

/* Takes over an accepted, non-blocking socket. */
void transport_accept_tcp(struct transport *transport, int descriptor);

#endif
