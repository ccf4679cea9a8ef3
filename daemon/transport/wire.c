#include "transport/wire.h"

#include <linux/sockios.h>
#include <linux/tcp.h> /* newer than netinet/tcp.h, which does not know what was acknowledged */
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* Of a connected socket. */
static bool wire_is_local(int descriptor)
{
    struct sockaddr_storage ends[2] = {0};
    socklen_t sizes[2] = {sizeof(ends[0]), sizeof(ends[1])};
    if (getsockname(descriptor, (struct sockaddr *)&ends[0], &sizes[0]) != 0 ||
        getpeername(descriptor, (struct sockaddr *)&ends[1], &sizes[1]) != 0 ||
        ends[0].ss_family != ends[1].ss_family)
        return false;
    if (ends[0].ss_family == AF_INET)
        return ((struct sockaddr_in *)&ends[0])->sin_addr.s_addr ==
               ((struct sockaddr_in *)&ends[1])->sin_addr.s_addr;
    return ends[0].ss_family == AF_INET6 &&
           memcmp(&((struct sockaddr_in6 *)&ends[0])->sin6_addr,
                  &((struct sockaddr_in6 *)&ends[1])->sin6_addr, sizeof(struct in6_addr)) == 0;
}

/* The count of bytes is in kernels from 4.1 on. */
bool wire_look(int descriptor, struct wire *wire)
{
    struct tcp_info info;
    socklen_t size = sizeof(info);
    int queued = 0;
    if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
        size < offsetof(struct tcp_info, tcpi_total_retrans) + sizeof(info.tcpi_total_retrans))
        return false;
    *wire = (struct wire){.unacked = info.tcpi_unacked,
                          .retransmits = info.tcpi_total_retrans,
                          .silent_ms = info.tcpi_last_ack_recv,
                          .is_local = wire_is_local(descriptor)};
    if (size >= offsetof(struct tcp_info, tcpi_bytes_acked) + sizeof(info.tcpi_bytes_acked) &&
        ioctl(descriptor, SIOCOUTQ, &queued) == 0) {
        wire->acked_bytes = info.tcpi_bytes_acked;
        wire->sent_bytes = info.tcpi_bytes_acked + (uint64_t)queued;
    }
    return true;
}
