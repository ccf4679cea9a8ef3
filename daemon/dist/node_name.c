#include "dist/node_name.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/socket_address.h"

#define LETTERS_AND_DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

const char *node_name_problem(const char *name)
{
    size_t head = strspn(name, LETTERS_AND_DIGITS "_-");
    if (strlen(name) > NODE_NAME_BYTES)
        return "is longer than 255 characters";
    if (head == 0)
        return "does not begin with a name of letters, digits, _ and -";
    if (name[head] == '\0')
        return "has no @HOST";
    if (name[head] != '@')
        return "has characters other than letters, digits, _ and - before its host";
    const char *host = name + head + 1;
    if (strchr(host, '@'))
        return "has a second @";
    if (*host == '\0' || host[strspn(host, LETTERS_AND_DIGITS "._:-")] != '\0')
        return "has no valid host";
    return NULL;
}

bool node_name_is_valid(const char *name, size_t size)
{
    char text[NODE_NAME_BYTES + 1];
    if (size > NODE_NAME_BYTES || memchr(name, '\0', size))
        return false;
    memcpy(text, name, size);
    text[size] = '\0';
    return node_name_problem(text) == NULL;
}

bool node_name_looks_long(const char *name)
{
    const char *host = strchr(name, '@');
    return host && strpbrk(host, ".:");
}

const char *node_name_kind_problem(const char *name, bool long_names)
{
    if (strcmp(strchr(name, '@'), "@localhost") == 0 || node_name_looks_long(name) == long_names)
        return NULL;
    return long_names ? "is not a long name: its host has no dot and is no address"
                      : "is not a short name: its host has a dot or is an address";
}

/* This host's name in full, or NULL. */
static char *node_name_canonical_host(const char *host)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_CANONNAME};
    struct addrinfo *found = NULL;
    char *name = NULL;
    if (getaddrinfo(host, NULL, &hints, &found) != 0)
        return NULL;
    if (found->ai_canonname && strchr(found->ai_canonname, '.'))
        name = memory_string(found->ai_canonname);
    freeaddrinfo(found);
    return name;
}

char *node_name_complete(const char *name, bool long_names)
{
    if (strchr(name, '@'))
        return memory_string(name);
    char host[256] = "";
    if (gethostname(host, sizeof(host) - 1) != 0 || !host[0])
        return NULL;
    if (!long_names) {
        host[strcspn(host, ".")] = '\0';
        return memory_format("%s@%s", name, host);
    }
    char *full = strchr(host, '.') ? memory_string(host) : node_name_canonical_host(host);
    char *complete = full ? memory_format("%s@%s", name, full) : NULL;
    free(full);
    return complete;
}

static bool node_name_is_address(const char *host)
{
    struct in6_addr bytes;
    return inet_pton(AF_INET, host, &bytes) == 1 || inet_pton(AF_INET6, host, &bytes) == 1;
}

/* The address that this host would send from to another one. Connecting a datagram socket sends nothing: it
 * asks the kernel for a route. False without one, and when the other is no address. */
static bool node_name_read_local_address(const char *remote, char address[INET6_ADDRSTRLEN])
{
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    struct socket_address local = {.size = sizeof(local.v6)};
    if (getaddrinfo(remote, "4369", &hints, &found) != 0)
        return false;
    int probe = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool routed = probe >= 0 && connect(probe, found->ai_addr, found->ai_addrlen) == 0 &&
                  getsockname(probe, &local.any, &local.size) == 0;
    if (probe >= 0)
        close(probe);
    freeaddrinfo(found);
    if (!routed)
        return false;
    const void *bytes =
        local.any.sa_family == AF_INET6 ? (void *)&local.v6.sin6_addr : (void *)&local.v4.sin_addr;
    return inet_ntop(local.any.sa_family, bytes, address, INET6_ADDRSTRLEN) != NULL;
}

/* A host that is only known by its name is not looked up, which may take long and is done again to connect:
 * the address towards anywhere (those of documentation, which are nobody's) names this host as well. */
static char *node_name_by_address(const char *name, const char *host)
{
    const char *remotes[] = {host, "192.0.2.1", "2001:db8::1"};
    char address[INET6_ADDRSTRLEN] = "127.0.0.1";
    for (size_t i = 0; i < ARRAY_LENGTH(remotes); i++)
        if (node_name_read_local_address(remotes[i], address))
            break;
    return memory_format("%s@%s", name, address);
}

char *node_name_towards(const char *name, const char *peer)
{
    const char *host = strchr(peer, '@') + 1;
    bool is_long = node_name_looks_long(peer);
    bool has_own = strcmp(host, "localhost") != 0 && !node_name_is_address(host);
    char *complete = has_own ? node_name_complete(name, is_long) : NULL;
    if (complete && !node_name_problem(complete) && !node_name_kind_problem(complete, is_long))
        return complete;
    free(complete); /* hosts may be called what no node can be */
    return is_long ? node_name_by_address(name, host) : memory_format("%s@localhost", name);
}
