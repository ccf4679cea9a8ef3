/* Monitors and links between processes of this node and of others, in both directions.
 *
 * A monitor of ours tells once how its target ended: with the target's reason, which may be long, `noproc`
 * when there was none, or `noconnection` when the node went away. Spawning a process on another node is a
 * monitor as well: it tells first whether the process was started.
 *
 * When a node goes away all that is monitored there ends at once, and is told in an order that does not
 * depend on chance: processes that were spawned there, then others, then those of monitor_tell_last(), each
 * in the order in which the monitors were started. */
#ifndef HARNESSD_NODE_MONITOR_H
#define HARNESSD_NODE_MONITOR_H

#include "base/list.h"
#include "node/process.h"
#include "term/term_long.h"

/* What a process of another node is answered at once when its monitor, link or spawn is one too many: as OTP
 * says so. */
#define MONITOR_REFUSED "system_limit"

enum monitor_turn { MONITOR_FIRST, MONITOR_IN_TURN, MONITOR_LAST, MONITOR_TURNS };

/* A monitor of ours, embedded in its owner; all zero is one that was not started. */
struct monitor {
    struct process *process;
    struct remote *remote; /* NULL when it is not active */
    struct list_link link; /* of the remote's */
    enum monitor_turn turn;
    struct buffer target; /* pid or name, as it was given */
    struct buffer reference;
    uint64_t ended_ns; /* when its end, or the refusal of a spawn, has come, as `down` is called */
    void (*down)(void *owner, const struct term_long *reason);
    void (*spawned)(void *owner, struct term pid); /* NULL but for a spawn */
    void *owner;
};

/* Monitors `target`, a pid or a registered name of `peer`. False when the peer is not up or cannot. */
MUST_CHECK bool monitor_start(struct monitor *monitor, struct process *process, struct peer *peer,
                              struct term target, void (*down)(void *owner, const struct term_long *reason),
                              void *owner);

/* Spawns a process on `peer`, monitored always, linked when `linked`. When that is refused, `down` is called
 * with the atom that says why. */
struct spawn {
    const char *module;
    const char *function;
    int arity;
    struct term arguments; /* a list */
    struct term group_leader;
    bool linked;
    const char *priority; /* as spawn_opt/4 has it; NULL: the usual */
};
MUST_CHECK bool monitor_spawn(struct monitor *monitor, struct process *process, struct peer *peer,
                              const struct spawn *spawn, void (*spawned)(void *owner, struct term pid),
                              void (*down)(void *owner, const struct term_long *reason), void *owner);

/* Of all that end with their node this is told after the others. */
void monitor_tell_last(struct monitor *monitor);

/* Takes it off; nothing is told any more. Harmless when it is not active. */
void monitor_stop(struct monitor *monitor);

/* Sends an exit signal, as exit/2 does. */
bool monitor_send_exit(struct process *from, struct peer *peer, struct term to, struct term reason);

/* What node.c hands on. */
void monitor_peer_up(struct node *node, struct peer *peer);
void monitor_peer_down(struct node *node, struct peer *peer);
void monitor_control(struct node *node, struct peer *peer, const struct control *control);

/* Told by a process that ends. */
void monitor_process_exits(struct process *process, struct term reason, struct blob *held);

/* Whether the process that sends `control`, a SPAWN_REQUEST, may be made such an observer. */
bool monitor_spawn_has_room(struct peer *peer, const struct control *control);

/* Makes `control`, a SPAWN_REQUEST with the option monitor or link, an observer of the process that serves
 * it. The flags of the SPAWN_REPLY are returned. */
int monitor_spawn_observer(struct process *process, struct peer *peer, const struct control *control);

#endif
