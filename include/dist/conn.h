/* One connection to one node: its handshake, its frames in both directions, its ticks. It belongs to the peer
 * table (peers.h), which learns of everything through callbacks.
 *
 * A connection is closed once, by conn_close(), which logs why, tells the owner, and frees it at the end of
 * the pass; until then calls on it do nothing. Callbacks may close it. */
#ifndef HARNESSD_DIST_CONN_H
#define HARNESSD_DIST_CONN_H

#include "base/loop.h"
#include "dist/control.h"
#include "dist/handshake.h"
#include "dist/resolve.h"
#include "transport/departure.h"
#include "transport/kernel_clock.h"
#include "transport/transport.h"
#include "transport/wire.h"

/* A dialled connection that does not move for so long is given up, as in OTP (net_setuptime). Who has
 * connected has no longer than that for the whole handshake. */
#define CONN_SETUP_NS (7 * CLOCK_NS_PER_S)

/* A peer for which more than this waits, or a quarter of the limit, is congested: who has much to send lets
 * it drain to a quarter of that first. */
#define CONN_CONGESTED_BYTES (1024 * 1024)

enum conn_state {
    CONN_DIALLING,    /* waits for the socket to connect */
    CONN_PREPARING,   /* waits until what it speaks over carries bytes: over TLS that has its own handshake */
    CONN_HANDSHAKING, /* waits for the next message of the handshake */
    CONN_UP,          /* carries messages */
    CONN_CLOSING,     /* closed; the memory goes at the end of the pass */
};

/* The limits of conn_settings that a peer can be beyond. */
enum conn_limit {
    CONN_LIMIT_NONE,
    CONN_LIMIT_FRAME,  /* a message was too large and is not kept; its connection stays */
    CONN_LIMIT_QUEUED, /* too much waited to be sent: the connection was closed */
};

/* The key of the configuration that conn_settings.frame_bytes comes from, for whoever is told of it. */
#define CONN_FRAME_BYTES_KEY "limits.frame_bytes"

struct conn;

struct conn_events {
    /* An acceptor's question about a peer that gave its name. */
    enum handshake_verdict (*judge)(void *owner, struct conn *conn, const char *peer);

    /* The handshake is done. */
    void (*up)(void *owner, struct conn *conn);

    /* A control message, checked and canonical; borrowed for the call. `payload` has no data when there is
     * none. Of one that is too large only the beginning is there, see control.too_large. */
    void (*message)(void *owner, struct conn *conn, const struct control *control, struct term payload);

    /* It was congested and has drained. */
    void (*drained)(void *owner, struct conn *conn);

    /* It was closed, whatever the state it was in. */
    void (*down)(void *owner, struct conn *conn, enum conn_state was, const char *reason);
};

/* What all connections share; outlives them. */
struct conn_settings {
    struct loop *loop;
    const struct handshake_identity *identity;
    const struct conn_events *events;
    void *owner;
    uint64_t ticktime_ns;
    size_t frame_bytes;  /* of one message from a peer, for as long as its connection lasts: what is larger is
                            read and not kept, but for its beginning */
    size_t queued_bytes; /* limit of what waits to be sent to a peer */
    struct kernel_clock *kernel_clock;   /* places the kernel's times, of all connections */
    struct departures *departures;       /* likewise */
    const struct transports *transports; /* what they are made over; NULL: plain TCP */
    struct spare *spare;                 /* memory for messages that are large, shared by all; or NULL */
    bool yields; /* who dials leaves the connection of a node of its name to that; as of the handshake */
};

MUST_CHECK struct conn *conn_accept(const struct conn_settings *settings, int descriptor,
                                    const char *address);

/* NULL with errno when the socket could not even be made. */
MUST_CHECK struct conn *conn_dial(const struct conn_settings *settings, const struct resolve_address *address,
                                  const char *peer);

enum conn_state conn_state(const struct conn *conn);

/* The peer's name, "" as long as it is not known; its negotiated flags once it is up. */
const char *conn_peer(const struct conn *conn);
uint64_t conn_flags(const struct conn *conn);

/* Whether the other side has connected. */
bool conn_was_accepted(const struct conn *conn);

/* Whether the handshake failed because the peer's own attempt goes on. */
bool conn_waits_for_peer(const struct conn *conn);

/* Whether the peer, which was dialled, had a connection with a node of this node's name; and whether that was
 * left to it, so that the handshake has failed. */
bool conn_found_namesake(const struct conn *conn);
bool conn_has_yielded(const struct conn *conn);

enum conn_limit conn_limit(const struct conn *conn);

/* How large a message of the peer may be: conn_settings.frame_bytes when it was connected. When it sends
 * several large ones at once they share four times that, and the limit of each may be smaller. */
size_t conn_frame_bytes(const struct conn *conn);

/* See peer_look_at_wire(). */
MUST_CHECK bool conn_look_at_wire(const struct conn *conn, struct wire *wire);

/* A word of the owner's; the peer table keeps its own state there. */
void conn_set_data(struct conn *conn, void *data);
void *conn_data(const struct conn *conn);

void conn_close(struct conn *conn, const char *format, ...) PRINTF_LIKE(2, 3);

/* Queues a message; it is written at the end of the pass. What one sender (a number that its process has for
 * itself) sends arrives in order; a long message of one sender lets those of others pass. When
 * more than the limit waits already, the connection is closed at the end of the pass: the peer does not read.
 * A single message may be longer. A long payload that is in `held` (or NULL) is held and not copied. False
 * when the connection is not up. */
bool conn_send(struct conn *conn, uint64_t sender, struct term control, struct term payload,
               struct blob *held);

/* When what is sent from now on to the end of the pass leaves, to be released; of a long message its first
 * bytes. NULL when the connection is not up. */
MUST_CHECK struct departure *conn_departure(struct conn *conn);

/* Bytes that wait to be written. */
size_t conn_queued_bytes(const struct conn *conn);

/* Whether any were written since this was asked before. */
bool conn_has_written(struct conn *conn);
bool conn_is_congested(const struct conn *conn);

#endif
