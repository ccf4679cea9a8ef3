/* The distribution handshake, version 6 (ERTS user's guide, "Distribution Handshake";
 * kernel/src/dist_util.erl), as a machine without a socket: messages in, messages out. What comes in is
 * without its length; what goes out has it in front, two bytes over TCP, four over TLS.
 *
 * Initiator:  N -> , <- s, [s true ->,] <- N challenge, r ->, <- a
 * Acceptor:   -> N, <- s, [<- s true,] N challenge ->, <- r, a -> */
#ifndef HARNESSD_DIST_HANDSHAKE_H
#define HARNESSD_DIST_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/random.h"
#include "dist/node_name.h"

#define HANDSHAKE_DIGEST_BYTES 16

/* The longest message that is taken: a name message, and some of the "extra data" that later versions may
 * add. */
#define HANDSHAKE_MESSAGE_BYTES 1024

/* What an acceptor thinks of a peer that gave its name. */
enum handshake_verdict {
    HANDSHAKE_ADMIT,               /* ok */
    HANDSHAKE_ADMIT_SIMULTANEOUS,  /* ok_simultaneous: our own attempt gives way */
    HANDSHAKE_REFUSE_SIMULTANEOUS, /* nok: our own attempt goes on */
    HANDSHAKE_REFUSE,              /* not_allowed */
    HANDSHAKE_ALIVE, /* alive: there is a connection; the peer says whether it still knows of it */
};

enum handshake_state {
    HANDSHAKE_EXPECT_NAME,         /* acceptor: nothing has come yet */
    HANDSHAKE_EXPECT_ALIVE_ANSWER, /* acceptor: it was told "alive" */
    HANDSHAKE_EXPECT_REPLY,        /* acceptor: it was sent a challenge */
    HANDSHAKE_EXPECT_STATUS,       /* initiator: the name was sent */
    HANDSHAKE_EXPECT_CHALLENGE,    /* initiator: it may go on */
    HANDSHAKE_EXPECT_ACK,          /* initiator: the challenge was answered */
    HANDSHAKE_DONE,                /* both sides know the cookie */
    HANDSHAKE_FAILED,              /* `problem` says why; what is in `output` may still be sent */
};

/* What this node says of itself; shared by all handshakes. */
struct handshake_identity {
    const char *node;
    const char *cookie;
    uint64_t flags;
    uint32_t creation;
};

struct handshake {
    const struct handshake_identity *identity;
    size_t length_bytes; /* of the length in front of each message: 2 or 4 */
    enum handshake_state state;
    char peer[NODE_NAME_BYTES + 1]; /* initiator: from the start; acceptor: after the name message */
    uint64_t peer_flags;            /* expanded */
    uint32_t peer_creation;
    uint32_t challenge;  /* ours, for the peer */
    bool replaces;       /* the peer knows nothing of the connection that it has: this one takes its place */
    bool wait_for_peer;  /* initiator, failed: the peer's own attempt goes on ("nok") */
    bool yields;         /* initiator, to be set from the start: the name may be another node's, too, whose
                            connection is left to it */
    bool found_namesake; /* initiator: the peer has a connection with a node of this name ("alive") */
    bool yielded;        /* initiator, failed: for that */
    char problem[512];

    /* Acceptor: asked once, when the peer's name is known and its flags are sufficient. */
    enum handshake_verdict (*judge)(void *owner, const char *peer);
    void *owner;
};

/* The initiator's first message goes out at once. `peer` is the node that is expected at the other end. */
void handshake_initiate(struct handshake *handshake, const struct handshake_identity *identity,
                        size_t length_bytes, const char *peer, struct buffer *output);
void handshake_accept(struct handshake *handshake, const struct handshake_identity *identity,
                      size_t length_bytes, enum handshake_verdict (*judge)(void *owner, const char *peer),
                      void *owner);

/* Takes one message, at most HANDSHAKE_MESSAGE_BYTES long, and appends what is to be sent to `output`. The
 * state afterwards tells how it goes. */
void handshake_input(struct handshake *handshake, const uint8_t *message, size_t size, struct buffer *output);

/* MD5 of the cookie and the challenge in decimal. */
void handshake_digest(const char *cookie, uint32_t challenge, uint8_t digest[HANDSHAKE_DIGEST_BYTES]);

#endif
