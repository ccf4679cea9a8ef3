/* The nodes that this one is, was or is to be connected to, and what it is at with each. */
#ifndef HARNESSD_DIST_PEERS_PRIVATE_H
#define HARNESSD_DIST_PEERS_PRIVATE_H

#include "base/map.h"
#include "dist/peers.h"

enum peer_state {
    PEER_IDLE,       /* not connected; a kept peer's timer runs until the next attempt */
    PEER_LOOKING_UP, /* `lookup` asks epmd for the port */
    PEER_RESOLVING,  /* `resolve` asks for the addresses */
    PEER_DIALLING,   /* `conn` is connecting or in its handshake */
    PEER_AWAITED,    /* its own attempt goes on, in `incoming` or soon; `timer` ends the wait */
    PEER_UP,         /* `conn` is up */
};

struct peer {
    struct peers *peers;
    char name[NODE_NAME_BYTES + 1];
    enum peer_state state;
    size_t holds;
    bool kept;
    uint16_t fixed_port;
    uint16_t port;
    struct conn *conn;
    struct conn *incoming; /* the connection of its own attempt, while awaited */
    struct epmd_lookup *lookup;
    struct resolve_request *resolve;
    struct resolve_address addresses[RESOLVE_ADDRESSES];
    size_t address_count;
    size_t next_address;
    struct loop_timer timer;
    uint64_t retry_ns;
    struct peer_wait *waits;
    struct loop_task answer; /* to the waits, outside of peer_connect() */
    char problem[600];
    enum conn_limit limit; /* beyond which its last connection went */
    void *data;
};

/* An accepted connection whose handshake is not done; the oldest is first. */
struct pending {
    struct pending *next;
    struct conn *conn;
};

struct peers {
    struct peers_options options;
    struct conn_settings settings;
    struct map by_name;
    struct pending *pending;
    size_t pending_count;
    size_t up_count;
    struct random random;
    struct term_builder control;
    bool closing;
};

#endif
