/* A connection over plain TCP, which others are made of. */
#ifndef HARNESSD_TRANSPORT_TRANSPORT_TCP_PRIVATE_H
#define HARNESSD_TRANSPORT_TRANSPORT_TCP_PRIVATE_H

#include "transport/transport.h"

/* As transport_dial() and transport_accept() without any other way. */
MUST_CHECK int transport_tcp_dial(struct transport *transport, const struct sockaddr *address,
                                  socklen_t size);
void transport_tcp_accept(struct transport *transport, int descriptor);

/* Its operation `read`, and of the socket below whatever speaks over it. */
ssize_t transport_tcp_read(struct transport *transport, uint8_t *data, const struct transport_plan *plan,
                           struct transport_got *got);
bool transport_tcp_is_full(const struct transport *transport);
void transport_tcp_close(struct transport *transport);

/* It turned out to speak plainly. */
void transport_tcp_become(struct transport *transport);

#endif
