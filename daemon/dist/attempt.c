#include "attempt_private.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

/* A peer that says so many times that its own attempt goes on, which does not come, has none. */
#define ATTEMPT_REFUSALS_MOST 7

/* A connection that this node has just closed is gone at the peer by then. */
#define ATTEMPT_YIELDS_MOST 2

static const char *attempt_host_of(const char *node)
{
    return strchr(node, '@') + 1;
}

void attempt_fail(struct peer *peer, const char *problem)
{
    snprintf(peer->problem, sizeof(peer->problem), "%s", problem);
    peers_set_state(peer, PEER_IDLE);
    peers_schedule_retry(peer, peer->problem);
}

static void attempt_await(struct peer *peer, uint64_t patience_ns)
{
    peers_set_state(peer, PEER_AWAITED);
    loop_timer_set(&peer->timer, patience_ns);
}

static void attempt_dial_next(struct peer *peer, const char *problem)
{
    while (peer->next_address < peer->address_count) {
        if (peer->claims && !peer->has_yielded) {
            peer->has_yielded = true;
            attempt_await(peer, ATTEMPT_YIELD_NS);
            return;
        }
        const struct resolve_address *address = &peer->addresses[peer->next_address++];
        peer->peers->settings.yields = !epmd_is_registered(peer->peers->options.epmd);
        peer->conn = conn_dial(&peer->peers->settings, address, peer->name);
        if (peer->conn) {
            conn_set_data(peer->conn, peer);
            peers_set_state(peer, PEER_DIALLING);
            return;
        }
        problem = strerror(errno);
    }
    attempt_fail(peer, problem);
}

static void attempt_on_resolved(void *owner, const struct resolve_address *addresses, size_t count,
                                const char *problem)
{
    struct peer *peer = owner;
    peer->holds++;
    peer->resolve = NULL;
    peer->address_count = count < RESOLVE_ADDRESSES ? count : RESOLVE_ADDRESSES;
    if (count)
        memcpy(peer->addresses, addresses, peer->address_count * sizeof(*addresses));
    attempt_dial_next(peer, problem ? problem : "no address");
    peer_release(peer);
}

static void attempt_resolve_host(struct peer *peer)
{
    peers_set_state(peer, PEER_RESOLVING);
    peer->resolve = resolve_start(peer->peers->options.resolver, attempt_host_of(peer->name), peer->port,
                                  attempt_on_resolved, peer);
}

static void attempt_on_found(void *owner, uint16_t port, const char *problem)
{
    struct peer *peer = owner;
    peer->holds++;
    peer->lookup = NULL;
    peer->port = port;
    if (problem)
        attempt_fail(peer, problem);
    else
        attempt_resolve_host(peer);
    peer_release(peer);
}

void attempt_start(struct peer *peer)
{
    peer->has_yielded = false;
    peer->refusals = 0;
    peer->next_address = 0;
    peer->port = peer->fixed_port;
    if (peer->port) {
        attempt_resolve_host(peer);
        return;
    }
    const char *host = attempt_host_of(peer->name);
    char alive[NODE_NAME_BYTES + 1];
    snprintf(alive, sizeof(alive), "%.*s", (int)(host - 1 - peer->name), peer->name);
    peers_set_state(peer, PEER_LOOKING_UP);
    peer->lookup = epmd_lookup_start(peer->peers->options.epmd, host, alive, attempt_on_found, peer);
}

void attempt_give_up(struct peer *peer)
{
    struct conn *conn = peer->state == PEER_DIALLING ? peer->conn : NULL;
    if (peer->lookup)
        epmd_lookup_cancel(peer->lookup);
    if (peer->resolve)
        resolve_cancel(peer->resolve);
    peer->lookup = NULL;
    peer->resolve = NULL;
    peers_set_state(peer, PEER_IDLE);
    if (conn)
        conn_close(conn, "no longer needed");
}

void attempt_go_on(struct peer *peer)
{
    static const char problem[] = "the peer's own attempt did not come";
    if (peer->waits || peer->kept)
        attempt_dial_next(peer, problem);
    else
        attempt_fail(peer, problem);
}

void attempt_tell_of_namesake(struct peer *peer, const struct conn *conn)
{
    if (conn_found_namesake(conn) && log_repeat_is_due(&peer->namesakes))
        log_warning("peer is connected with a node of this name already, which may be another one",
                    log_string("peer", peer->name), log_string("name", peer->peers->options.identity->node),
                    log_string("its_connection", conn_has_yielded(conn) ? "kept" : "replaced"),
                    log_times(&peer->namesakes));
}

void attempt_dial_ended(struct peer *peer, const struct conn *conn, const char *reason)
{
    int refusals_most = conn_has_yielded(conn) ? ATTEMPT_YIELDS_MOST : ATTEMPT_REFUSALS_MOST;
    if (!conn_waits_for_peer(conn) && !conn_has_yielded(conn)) {
        attempt_dial_next(peer, reason);
    } else if (++peer->refusals < refusals_most) {
        peer->has_yielded = true;
        peer->next_address--; /* the same again, if need be */
        attempt_await(peer, ATTEMPT_REFUSED_NS);
    } else {
        attempt_tell_of_namesake(peer, conn);
        attempt_fail(peer, reason);
    }
}

void attempt_claim_ended(struct peer *peer)
{
    /* After a "nok" the attempt that was spoken of may be still to come. */
    if (peer->state == PEER_AWAITED && !peer->claims && !peer->refusals)
        attempt_go_on(peer);
}
