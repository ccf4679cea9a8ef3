/* A connection over TLS. */
#ifndef HARNESSD_TRANSPORT_TRANSPORT_TLS_PRIVATE_H
#define HARNESSD_TRANSPORT_TRANSPORT_TLS_PRIVATE_H

#include "transport/tls.h"
#include "transport/transport.h"

/* What is TCP so far is to speak TLS: as who was dialled, or as who dials this node. It has not begun. */
void transport_tls_become(struct transport *transport, struct tls *tls);
void transport_tls_become_client(struct transport *transport, struct tls *tls, const char *node);

#endif
