/* Addresses to listen at, as a configuration has them: "127.0.0.1:9464" or "[::1]:9464"; port 0 is any. */
#ifndef HARNESSD_BASE_SOCKET_ADDRESS_H
#define HARNESSD_BASE_SOCKET_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

struct socket_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
    socklen_t size;
};

/* What is said of a text that is none. */
#define SOCKET_ADDRESS_PROBLEM "is not ADDRESS:PORT, with an IPv6 address in brackets"

/* False when the text is none. */
MUST_CHECK bool socket_address_read(const char *text, struct socket_address *address);

uint16_t socket_address_port(const struct socket_address *address);

#endif
