/* The other nodes: which of them this node is connected to, connects to, or was told to stay connected to. It
 * accepts connections, dials on demand, settles simultaneous attempts by comparing names as OTP does, without
 * ever giving up its own for what is not proved, and dials the configured peers again whenever they go (after
 * 100 ms, then twice as long each time up to 30 s, each time a quarter more or less). */
#ifndef HARNESSD_DIST_PEERS_H
#define HARNESSD_DIST_PEERS_H

#include "dist/conn.h"
#include "dist/epmd.h"
#include "term/term_long.h"

struct peers;
struct peer;

struct peers_events {
    /* Whether a node of this name may connect. */
    bool (*allowed)(void *owner, const char *node);

    void (*up)(void *owner, struct peer *peer);

    /* Borrowed for the call. */
    void (*message)(void *owner, struct peer *peer, const struct control *control, struct term payload);

    /* It is no longer congested. */
    void (*drained)(void *owner, struct peer *peer);

    /* The connection is gone; nothing more comes from it. */
    void (*down)(void *owner, struct peer *peer, const char *reason);
};

struct peers_options {
    struct loop *loop;
    struct resolver *resolver;
    struct epmd *epmd;
    const struct handshake_identity *identity; /* outlives the table, as all above */
    const struct transports *transports;       /* likewise; NULL: plain TCP */
    uint64_t ticktime_ns;
    size_t frame_bytes;
    size_t queued_bytes;
    size_t pending_handshakes; /* more than these, and one is dropped of the source that has the most, its
                                  oldest: a working peer is done in no time */
    const struct peers_events *events;
    void *owner;
};

struct peers *peers_new(const struct peers_options *options);

/* Closes all connections, `down` being called for each, and accepts and dials no more. */
void peers_close(struct peers *peers);

/* After peers_close() and the end of its pass. Peers that are still held are gone as well. */
void peers_free(struct peers *peers);

/* Takes over an accepted, non-blocking socket. `address` is for the log. */
void peers_accept(struct peers *peers, int descriptor, const char *address);

/* Stays connected to `node` from now on; `port` 0 asks epmd. */
void peers_keep(struct peers *peers, const char *node, uint16_t port);

/* No longer; the connection that there may be stays until something closes it. */
void peers_let_go(struct peers *peers, const char *node);

/* Where a node listens, for whenever somebody connects to it: epmd is not asked. For as long as the table. */
void peers_know_port(struct peers *peers, const char *node, uint16_t port);

/* Limits as in the options: those of messages for connections that are made from now on, the others at once.
 */
void peers_set_limits(struct peers *peers, size_t frame_bytes, size_t queued_bytes,
                      size_t pending_handshakes);

/* Asks anew whether the nodes that have connected may, and closes the connections of those that may not. */
void peers_judge_again(struct peers *peers);

size_t peers_up_count(const struct peers *peers);

/* Seconds after which a silent peer is gone. */
uint64_t peers_ticktime_s(const struct peers *peers);

/* Bytes that wait to be sent, to all of them. */
size_t peers_queued_bytes(const struct peers *peers);

/* Closes the connections to those that have taken nothing of what waits for them since this was asked before.
 */
void peers_drop_stalled(struct peers *peers);

/* The peer of this name, known or not, held until it is released. NULL when the name cannot be a node's. */
MUST_CHECK struct peer *peer_hold(struct peers *peers, const char *node);

/* The peer of this name if it is up, not held. */
MUST_CHECK struct peer *peers_find_up(const struct peers *peers, const char *node, size_t size);
void peer_release(struct peer *peer);

const char *peer_name(const struct peer *peer);
bool peer_is_up(const struct peer *peer);
uint64_t peer_flags(const struct peer *peer); /* negotiated; 0 when it is not up */

/* Beyond what its last connection that was up went, when it is down. */
enum conn_limit peer_limit(const struct peer *peer);

/* How large a message of it may be, see conn_frame_bytes(); 0 when it is not up. */
size_t peer_frame_bytes(const struct peer *peer);

/* A word of the layer above, NULL at first. */
void peer_set_data(struct peer *peer, void *data);
void *peer_data(const struct peer *peer);

/* A wait for a connection, embedded in its owner. */
struct peer_wait {
    /* `problem` is NULL when the peer is up. Never called from within peer_connect(). */
    void (*done)(void *owner, struct peer *peer, const char *problem);
    void *owner;
    struct peer *peer; /* while waiting */
    bool due;          /* is being answered */
    struct peer_wait *next;
};

/* Answers when the peer is up (it may be already) or an attempt has failed. */
void peer_connect(struct peer *peer, struct peer_wait *wait);
void peer_wait_cancel(struct peer_wait *wait);

/* Closes the connection, as erlang:disconnect_node/1 does. */
void peer_disconnect(struct peer *peer, const char *reason);

/* Sends a control message with its payload (without data when there is none). False when the peer is not up
 * or cannot take the message. */
bool peer_send(struct peer *peer, uint64_t sender, const struct control *control, struct term payload);

/* The same for a payload that may be long: a tail that is held is not copied. */
bool peer_send_long(struct peer *peer, uint64_t sender, const struct control *control,
                    const struct term_long *payload);

/* As peer_send() with a control tuple that was encoded before with the flags that the peer still has. */
bool peer_send_encoded(struct peer *peer, uint64_t sender, struct term control, struct term payload);

/* The same for a payload that is `head` and then `tail`, a part of `held`, which is held and not copied.
 * False as well when the tail is not longer than PEER_TAIL_BYTES or the peer takes no fragments. */
#define PEER_TAIL_BYTES (64 * 1024)
bool peer_send_held(struct peer *peer, uint64_t sender, struct term control, struct term head,
                    struct term tail, struct blob *held);

/* When what is sent to it from now on to the end of the pass leaves, as conn_departure(). NULL when it is not
 * up. Released before the table is freed. */
MUST_CHECK struct departure *peer_departure(struct peer *peer);

/* Whether so much waits to be sent to it that who has more should let it drain (CONN_CONGESTED_BYTES). */
bool peer_is_congested(const struct peer *peer);

/* What the kernel knows of its connection: a peer that does not answer and whose system acknowledges stands
 * still by itself. False when it is not up, or nobody knows. */
MUST_CHECK bool peer_look_at_wire(const struct peer *peer, struct wire *wire);

#endif
