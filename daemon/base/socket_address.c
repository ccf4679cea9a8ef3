#include "base/socket_address.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* Digits only. */
static bool socket_address_read_port(const char *text, uint16_t *port)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long number = strtoul(text, NULL, 10);
    *port = (uint16_t)number;
    return digits > 0 && digits <= 5 && text[digits] == '\0' && number <= UINT16_MAX;
}

bool socket_address_read(const char *text, struct socket_address *address)
{
    char host[INET6_ADDRSTRLEN + 2] = "";
    const char *colon = strrchr(text, ':');
    size_t length = colon ? (size_t)(colon - text) : 0;
    uint16_t port;
    *address = (struct socket_address){0};
    if (!length || length >= sizeof(host) || !socket_address_read_port(colon + 1, &port))
        return false;
    memcpy(host, text, length);
    if (host[0] == '[' && host[length - 1] == ']') {
        host[length - 1] = '\0';
        address->size = sizeof(address->v6);
        address->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
        return inet_pton(AF_INET6, host + 1, &address->v6.sin6_addr) == 1;
    }
    address->size = sizeof(address->v4);
    address->v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    return inet_pton(AF_INET, host, &address->v4.sin_addr) == 1;
}

uint16_t socket_address_port(const struct socket_address *address)
{
    return ntohs(address->any.sa_family == AF_INET6 ? address->v6.sin6_port : address->v4.sin_port);
}
