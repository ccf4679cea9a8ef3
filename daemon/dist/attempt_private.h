/* Attempts of this node to connect to a peer: its port from epmd, its addresses, then one after the other.
 *
 * Two nodes that connect to each other at once have to end with one connection. As in OTP the attempt of the
 * node with the greater name goes on: its own side refuses the other with "nok". Until a peer has proved that
 * it knows the cookie it can be anybody, so an attempt of this node is never given up for what it says: once,
 * before it dials, it waits for up to ATTEMPT_YIELD_NS whether who has given that name proves it, which takes
 * an honest one three messages, and after a "nok" for ATTEMPT_REFUSED_NS; then it goes on, beside whatever
 * there is. The first connection that is proved ends the attempt.
 *
 * A peer may be connected with a node of this name already ("alive"): a connection of this node that it has
 * not seen end, or another node's. It is replaced by whose the name is, which is who is registered with epmd.
 * Who is not leaves it, after a second try, and fails. */
#ifndef HARNESSD_DIST_ATTEMPT_PRIVATE_H
#define HARNESSD_DIST_ATTEMPT_PRIVATE_H

#include "base/clock.h"
#include "peers_private.h"

#define ATTEMPT_YIELD_NS (250 * CLOCK_NS_PER_MS)
#define ATTEMPT_REFUSED_NS CLOCK_NS_PER_S

/* For an idle peer. */
void attempt_start(struct peer *peer);

/* Ends it without telling anybody: the peer is idle. */
void attempt_give_up(struct peer *peer);

/* Ends it: who waits is told why, and a peer that is kept is tried again later. */
void attempt_fail(struct peer *peer, const char *problem);

/* What the attempt waited for in PEER_AWAITED is over. */
void attempt_go_on(struct peer *peer);

/* The connection that it has dialled is closed. */
void attempt_dial_ended(struct peer *peer, const struct conn *conn, const char *reason);

/* Says so when the peer had a connection with a node of this name; at the end of an attempt. */
void attempt_tell_of_namesake(struct peer *peer, const struct conn *conn);

/* Somebody who has given the peer's name has gone without having proved it. */
void attempt_claim_ended(struct peer *peer);

#endif
