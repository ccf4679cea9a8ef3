/* What a connection speaks over: a table of operations. The connection knows nothing of sockets but the
 * descriptor that its events wait on; TCP and TLS are a table each. */
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

/* How far it is from carrying bytes. */
enum transport_progress {
    TRANSPORT_READY,
    TRANSPORT_WAITS,  /* for the other side: to be asked again when there is something to be read */
    TRANSPORT_FAILED, /* transport_problem() says why */
};

/* How something has ended, or does not go on. */
enum transport_end {
    TRANSPORT_ERROR,  /* an operation has failed */
    TRANSPORT_CLOSED, /* by the other side */
    TRANSPORT_SILENT, /* nothing has come for as long as there was time */
};

struct transport_operations {
    const char *name;
    size_t handshake_length_bytes; /* of the lengths in front of handshake messages */

    /* What both sides have to settle before anything can be read or written. It may end in a transport with
     * other operations. NULL: nothing. */
    enum transport_progress (*begin)(struct transport *transport);

    /* What there is to be told of an end beyond what the system says, or NULL. */
    const char *(*problem)(const struct transport *transport, enum transport_end end);

    /* What speaks against the other side, which has connected, being the node that it says it is; NULL:
     * nothing. */
    const char *(*doubt)(const struct transport *transport, const char *node);

    /* As read() and write() of a non-blocking socket: 0 is the end, -1 with EAGAIN is not now. Pieces are
     * read one behind the other into `data`, which has room for the plan. Of what
     * has to be encrypted some is taken as a whole or nothing, and to write nothing sends what is owed. */
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

struct transports;
struct tls_line;

struct transport {
    const struct transport_operations *operations;
    int descriptor;
    bool has_stamps;   /* of what is read, with what is there behind it */
    bool has_pieces;   /* finds them by itself: a plan is one piece, as large as there is room */
    bool holds;        /* has something to be read that the descriptor tells nothing of any more */
    bool writes_later; /* takes nothing until something was read */
    size_t owes;       /* bytes that it has taken and that the socket has not: for when that takes more */
    const struct transports *ways; /* that it was made by, while it has not begun */
    const char *refusal;           /* why it was not begun, or NULL */
    struct tls_line *tls;          /* NULL: plain */
};

/* What connections are made over, and which of them. It outlives them. */
struct transports_options {
    struct tls *tls; /* of tls.h */
    bool accepts_tls;
    bool accepts_plain; /* what a connection speaks is seen by its first byte */

    /* Whether the node of this name is dialled plainly. */
    bool (*dials_plain)(void *owner, const char *node);
    void *owner;
};
struct transports *transports_new(const struct transports_options *options);
void transports_free(struct transports *transports);

/* Starts connecting to a node; the descriptor becomes writable when that is decided, and
 * transport_connected() tells how. Then it begins, if it has to. -1 with errno when it cannot even start.
 * `ways` NULL is plain TCP. */
MUST_CHECK int transport_dial(const struct transports *ways, struct transport *transport,
                              const struct sockaddr *address, socklen_t size, const char *node);

/* Takes over an accepted, non-blocking socket, likewise. */
void transport_accept(const struct transports *ways, struct transport *transport, int descriptor);

/* See the operation. */
const char *transport_doubt(const struct transport *transport, const char *node);

/* A sentence for an end, `error` being the number that the system has for it, or 0; NULL when there is
 * nothing to tell. */
const char *transport_problem(const struct transport *transport, enum transport_end end, int error);

/* What speaks at the other side of a plain connection, which begins with these bytes and is no node; NULL:
 * nobody knows. */
const char *transport_recognise(const uint8_t *bytes, size_t size);

/* 0, or the error number that the attempt ended in. */
MUST_CHECK int transport_connected(const struct transport *transport);

/* False when the kernel does not say. */
MUST_CHECK bool transport_look_at_wire(const struct transport *transport, struct wire *wire);

#endif
