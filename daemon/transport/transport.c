#include "transport/transport.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

static ssize_t transport_tcp_read(struct transport *transport, void *data, size_t size)
{
    return recv(transport->descriptor, data, size, 0);
}

/* The kernel drops them, without a copy: see tcp(7), MSG_TRUNC. */
static ssize_t transport_tcp_skip(struct transport *transport, size_t size)
{
    return recv(transport->descriptor, NULL, size, MSG_TRUNC);
}

static ssize_t transport_tcp_write(struct transport *transport, const void *data, size_t size)
{
    return send(transport->descriptor, data, size, MSG_NOSIGNAL);
}

static void transport_tcp_close(struct transport *transport)
{
    close(transport->descriptor);
    transport->descriptor = -1;
}

static const struct transport_operations tcp = {
    .name = "tcp",
    .handshake_length_bytes = 2,
    .read = transport_tcp_read,
    .write = transport_tcp_write,
    .skip = transport_tcp_skip,
    .close = transport_tcp_close,
};

/* Signals are small and their order is the protocol's: nothing is gained by waiting for more of them, since a
 * pass of the loop writes all that it has at once. */
static void transport_send_at_once(int descriptor)
{
    int on = 1;
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

int transport_dial_tcp(struct transport *transport, const struct sockaddr *address, socklen_t size)
{
    int descriptor = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return -1;
    transport_send_at_once(descriptor);
    *transport = (struct transport){.operations = &tcp, .descriptor = descriptor};
    if (connect(descriptor, address, size) == 0 || errno == EINPROGRESS)
        return 0;
    int error = errno;
    transport_tcp_close(transport);
    errno = error;
    return -1;
}

int transport_connected(const struct transport *transport)
{
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(transport->descriptor, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        return errno;
    return error;
}

void transport_accept_tcp(struct transport *transport, int descriptor)
{
    transport_send_at_once(descriptor);
    *transport = (struct transport){.operations = &tcp, .descriptor = descriptor};
}
