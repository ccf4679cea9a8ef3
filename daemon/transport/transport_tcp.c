/* Plain TCP. */
#include "transport_tcp_private.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"

/* --- Stamps: see the kernel's networking/timestamping.rst, and TCP_INQ in tcp(7) --- */

/* Room for what comes with a read: a stamp, which is three, and how much is left. */
union transport_told {
    char bytes[CMSG_SPACE(sizeof(struct scm_timestamping)) + CMSG_SPACE(sizeof(int))];
    struct cmsghdr aligned;
};

static uint64_t transport_stamp(const struct cmsghdr *told)
{
    struct scm_timestamping stamps;
    memcpy(&stamps, CMSG_DATA(told), sizeof(stamps));
    return (uint64_t)stamps.ts[0].tv_sec * CLOCK_NS_PER_S + (uint64_t)stamps.ts[0].tv_nsec;
}

static size_t transport_queued(const struct cmsghdr *told)
{
    int queued;
    memcpy(&queued, CMSG_DATA(told), sizeof(queued));
    return queued > 0 ? (size_t)queued : 0;
}

static void transport_note(struct msghdr *message, size_t size, struct transport_got *got)
{
    got->pieces[got->count].size = size;
    got->pieces[got->count].stamp_ns = 0;
    for (struct cmsghdr *each = CMSG_FIRSTHDR(message); each; each = CMSG_NXTHDR(message, each)) {
        if (each->cmsg_level == SOL_SOCKET && each->cmsg_type == SCM_TIMESTAMPING)
            got->pieces[got->count].stamp_ns = transport_stamp(each);
        else if (each->cmsg_level == IPPROTO_TCP && each->cmsg_type == TCP_CM_INQ)
            got->queued = transport_queued(each);
    }
    got->count++;
}

/* A piece that is short is the last one, unless more has come just then: that goes right behind it. */
static ssize_t transport_take_pieces(struct mmsghdr *messages, int count, uint8_t *data,
                                     struct transport_got *got)
{
    size_t size = 0;
    for (int i = 0; i < count && messages[i].msg_len; i++) {
        const uint8_t *piece = messages[i].msg_hdr.msg_iov->iov_base;
        if (piece != data + size)
            memmove(data + size, piece, messages[i].msg_len);
        transport_note(&messages[i].msg_hdr, messages[i].msg_len, got);
        size += messages[i].msg_len;
    }
    return (ssize_t)size;
}

static ssize_t transport_tcp_read_pieces(const struct transport *transport, uint8_t *data,
                                         const struct transport_plan *plan, struct transport_got *got)
{
    union transport_told told[TRANSPORT_PIECES];
    struct iovec rooms[TRANSPORT_PIECES];
    struct mmsghdr messages[TRANSPORT_PIECES];
    for (size_t i = 0; i < plan->count; i++) {
        rooms[i] = (struct iovec){.iov_base = i ? data + plan->first + (i - 1) * plan->piece : data,
                                  .iov_len = i ? plan->piece : plan->first};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &rooms[i],
                                              .msg_iovlen = 1,
                                              .msg_control = &told[i],
                                              .msg_controllen = sizeof(told[i])};
    }
    int count = recvmmsg(transport->descriptor, messages, (unsigned)plan->count, 0, NULL);
    return count < 0 ? count : transport_take_pieces(messages, count, data, got);
}

static ssize_t transport_tcp_read_piece(const struct transport *transport, uint8_t *data, size_t size,
                                        struct transport_got *got)
{
    union transport_told told;
    struct iovec room = {.iov_base = data, .iov_len = size};
    struct msghdr message = {
        .msg_iov = &room, .msg_iovlen = 1, .msg_control = &told, .msg_controllen = sizeof(told)};
    ssize_t size_got = recvmsg(transport->descriptor, &message, 0);
    if (size_got > 0)
        transport_note(&message, (size_t)size_got, got);
    return size_got;
}

static void transport_ask_for_stamps(struct transport *transport)
{
    int stamps = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE, on = 1;
    transport->has_stamps =
        setsockopt(transport->descriptor, SOL_SOCKET, SO_TIMESTAMPING, &stamps, sizeof(stamps)) == 0 &&
        setsockopt(transport->descriptor, IPPROTO_TCP, TCP_INQ, &on, sizeof(on)) == 0;
}

/* --- TCP --- */

ssize_t transport_tcp_read(struct transport *transport, uint8_t *data, const struct transport_plan *plan,
                           struct transport_got *got)
{
    got->count = got->queued = 0;
    if (transport->has_stamps && plan->count > 1)
        return transport_tcp_read_pieces(transport, data, plan, got);
    if (transport->has_stamps)
        return transport_tcp_read_piece(transport, data, plan->first, got);
    ssize_t size = recv(transport->descriptor, data, transport_plan_bytes(plan), 0);
    if (size > 0) {
        got->pieces[0].size = (size_t)size;
        got->pieces[0].stamp_ns = 0;
        got->count = 1;
    }
    return size;
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

bool transport_tcp_is_full(const struct transport *transport)
{
    int unsent = 0;
    return ioctl(transport->descriptor, SIOCOUTQNSD, &unsent) == 0 && unsent > 0;
}

void transport_tcp_close(struct transport *transport)
{
    close(transport->descriptor);
    transport->descriptor = -1;
}

static const struct transport_operations tcp = {
    .name = "tcp",
    .handshake_length_bytes = 2,
    .read = transport_tcp_read,
    .write = transport_tcp_write,
    .is_full = transport_tcp_is_full,
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

int transport_tcp_dial(struct transport *transport, const struct sockaddr *address, socklen_t size)
{
    int descriptor = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return -1;
    transport_send_at_once(descriptor);
    *transport = (struct transport){.operations = &tcp, .descriptor = descriptor};
    transport_ask_for_stamps(transport);
    if (connect(descriptor, address, size) == 0 || errno == EINPROGRESS)
        return 0;
    int error = errno;
    transport_tcp_close(transport);
    errno = error;
    return -1;
}

void transport_tcp_accept(struct transport *transport, int descriptor)
{
    transport_send_at_once(descriptor);
    *transport = (struct transport){.operations = &tcp, .descriptor = descriptor};
    transport_ask_for_stamps(transport);
}

void transport_tcp_become(struct transport *transport)
{
    transport->operations = &tcp;
}
