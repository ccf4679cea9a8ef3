#include "transport/transport.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "transport_tcp_private.h"
#include "transport_tls_private.h"

/* How a record of TLS begins: its type, and the greater half of a version that has always been 3 (RFC 8446,
 * 5.1). The length of a plain handshake's first message begins with 0, as such a message is short. */
#define RECORD_ALERT 0x15
#define RECORD_HANDSHAKE 0x16
#define RECORD_VERSION 0x03

struct transports {
    struct transports_options options;
};

struct transports *transports_new(const struct transports_options *options)
{
    struct transports *transports = memory_zalloc(1, sizeof(*transports));
    transports->options = *options;
    return transports;
}

void transports_free(struct transports *transports)
{
    free(transports);
}

/* --- Accepting: the first byte tells which it is --- */

static enum transport_progress transport_refuse(struct transport *transport, const char *refusal)
{
    transport->refusal = refusal;
    errno = EPROTO;
    return TRANSPORT_FAILED;
}

static enum transport_progress transport_unknown_begin(struct transport *transport)
{
    const struct transports_options *ways = &transport->ways->options;
    uint8_t first = 0;
    ssize_t got = recv(transport->descriptor, &first, sizeof(first), MSG_PEEK);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? TRANSPORT_WAITS : TRANSPORT_FAILED;
    if (got == 0)
        return transport_refuse(transport, "closed by the peer before it said anything");
    if (first == RECORD_HANDSHAKE && !ways->accepts_tls)
        return transport_refuse(transport, "the peer speaks TLS, which node.tls.accept does not have");
    if (first == RECORD_HANDSHAKE) {
        transport_tls_become(transport, ways->tls);
        return transport->operations->begin(transport);
    }
    if (!ways->accepts_plain)
        return transport_refuse(transport, "the peer speaks plain distribution, and this node takes TLS "
                                           "alone: start it with -proto_dist inet_tls, or put \"plain\" "
                                           "into node.tls.accept");
    transport_tcp_become(transport);
    return TRANSPORT_READY;
}

static const char *transport_unknown_problem(const struct transport *transport, enum transport_end end)
{
    return end == TRANSPORT_ERROR ? transport->refusal : NULL;
}

/* It has not begun: nothing is read or written. */
static const struct transport_operations unknown = {
    .name = "unknown",
    .begin = transport_unknown_begin,
    .problem = transport_unknown_problem,
    .close = transport_tcp_close,
};

void transport_accept(const struct transports *ways, struct transport *transport, int descriptor)
{
    transport_tcp_accept(transport, descriptor);
    if (!ways)
        return;
    transport->ways = ways;
    transport->operations = &unknown;
}

/* --- Dialling --- */

int transport_dial(const struct transports *ways, struct transport *transport, const struct sockaddr *address,
                   socklen_t size, const char *node)
{
    if (transport_tcp_dial(transport, address, size) < 0)
        return -1;
    if (ways && ways->options.tls && !ways->options.dials_plain(ways->options.owner, node))
        transport_tls_become_client(transport, ways->options.tls, node);
    return 0;
}

/* --- What there is to be told --- */

const char *transport_doubt(const struct transport *transport, const char *node)
{
    return transport->operations->doubt ? transport->operations->doubt(transport, node) : NULL;
}

const char *transport_problem(const struct transport *transport, enum transport_end end, int error)
{
    const char *problem =
        transport->operations->problem ? transport->operations->problem(transport, end) : NULL;
    return problem ? problem : error ? strerror(error) : NULL;
}

const char *transport_recognise(const uint8_t *bytes, size_t size)
{
    bool is_record =
        size >= 2 && (bytes[0] == RECORD_ALERT || bytes[0] == RECORD_HANDSHAKE) && bytes[1] == RECORD_VERSION;
    return is_record
               ? "the peer speaks TLS (-proto_dist inet_tls), and this connection is plain: see node.tls"
               : NULL;
}

int transport_connected(const struct transport *transport)
{
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(transport->descriptor, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        return errno;
    return error;
}

bool transport_look_at_wire(const struct transport *transport, struct wire *wire)
{
    return wire_look(transport->descriptor, wire);
}
