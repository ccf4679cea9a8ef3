/* The nodes that this one is, was or is to be connected to, and what it is at with each. */
#ifndef HARNESSD_DIST_PEERS_PRIVATE_H
#define HARNESSD_DIST_PEERS_PRIVATE_H

#include "base/list.h"
#include "base/log_repeat.h"
#include "base/map.h"
#include "claims_private.h"
#include "dial_queue_private.h"
#include "dist/peers.h"
#include "spare_private.h"

enum peer_state {
    PEER_IDLE,       /* not connected; a kept peer's timer runs until the next attempt */
    PEER_LOOKING_UP, /* `lookup` asks epmd for the port */
    PEER_RESOLVING,  /* `resolve` asks for the addresses */
    PEER_DIALLING,   /* `conn` is connecting or in its handshake */
    PEER_AWAITED,    /* its own attempt may come to something first; `timer` ends the wait */
    PEER_UP,         /* `conn` is up */
};

/* Whether this node is at it to connect. */
static inline bool peer_is_attempt(enum peer_state state)
{
    return state == PEER_LOOKING_UP || state == PEER_RESOLVING || state == PEER_DIALLING;
}

struct peer {
    struct peers *peers;
    char name[NODE_NAME_BYTES + 1];
    enum peer_state state;
    struct list_link up;     /* in the list of those that are */
    struct list_link queued; /* in the queue of those that wait to be dialled */
    size_t holds;
    bool kept;
    uint16_t fixed_port;
    uint16_t port;
    struct conn *conn;
    size_t claims; /* connections that have given its name and not proved it */
    struct epmd_lookup *lookup;
    struct resolve_request *resolve;
    struct resolve_address addresses[RESOLVE_ADDRESSES];
    size_t address_count;
    size_t next_address;
    bool has_yielded; /* the attempt to claims */
    int refusals;     /* of the attempt, as the peer's own goes on */
    struct loop_timer timer;
    uint64_t retry_ns;
    struct log_repeat retries;
    struct peer_wait *waits;
    struct loop_task answer;     /* to the waits, outside of peer_connect() */
    struct log_repeat namesakes; /* that the peer had a connection with */
    char problem[600];
    enum conn_limit limit; /* beyond which its last connection went */
    void *data;
};

struct peers {
    struct peers_options options;
    struct conn_settings settings;
    struct map by_name;
    struct claims claims;
    struct list up;
    struct dial_queue queue;
    struct random random;
    struct term_builder control;
    struct kernel_clock kernel_clock;
    struct departures departures;
    struct spare spare;
    bool closing;
};

/* The one function that changes a peer's state. */
void peers_set_state(struct peer *peer, enum peer_state state);

/* Has a peer that is kept, and that is not connected for this reason, be dialled again after a while. */
void peers_schedule_retry(struct peer *peer, const char *reason);

/* Those of all for which `wants` is true, held, so that anything may happen to the table meanwhile. NULL when
 * there is none. */
struct peer **peers_pick(const struct peers *peers, bool (*wants)(struct peer *peer), size_t *count);
void peers_release_picked(struct peer **picked, size_t count);

#endif
