#include "dist/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/listener.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

/* Connections that may wait to be accepted. */
#define BACKLOG 1024

/* When there are no descriptors left, accepting waits for so long instead of spinning. */
#define PAUSE_NS (100 * CLOCK_NS_PER_MS)

struct listener {
    struct evconnlistener *connections;
    listener_accepted *accepted;
    void *owner;
    uint16_t port;
    struct loop_timer pause;
};

static void listener_on_accept(struct evconnlistener *connections, evutil_socket_t descriptor,
                               struct sockaddr *address, int size, void *argument)
{
    (void)connections;
    struct listener *listener = argument;
    char host[NI_MAXHOST] = "?", service[NI_MAXSERV] = "?", text[NI_MAXHOST + NI_MAXSERV + 1];
    loop_enter(listener->pause.loop);
    (void)getnameinfo(address, (socklen_t)size, host, sizeof(host), service, sizeof(service),
                      NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(text, sizeof(text), "%s:%s", host, service);
    listener->accepted(listener->owner, descriptor, text);
}

static void listener_on_error(struct evconnlistener *connections, void *argument)
{
    struct listener *listener = argument;
    loop_enter(listener->pause.loop);
    log_error("cannot accept connections", log_string("reason", strerror(errno)));
    evconnlistener_disable(connections);
    loop_timer_set(&listener->pause, PAUSE_NS);
}

static void listener_on_pause_over(void *owner)
{
    struct listener *listener = owner;
    evconnlistener_enable(listener->connections);
}

static uint16_t listener_port_of(const struct sockaddr_storage *address)
{
    return ntohs(address->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)address)->sin6_port
                                                : ((const struct sockaddr_in *)address)->sin_port);
}

static bool listener_bind(struct listener *listener, struct loop *loop, const struct addrinfo *address)
{
    struct sockaddr_storage bound;
    socklen_t size = sizeof(bound);
    unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE;
    listener->connections = evconnlistener_new_bind(loop->base, listener_on_accept, listener, flags, BACKLOG,
                                                    address->ai_addr, (int)address->ai_addrlen);
    if (!listener->connections)
        return false;
    evconnlistener_set_error_cb(listener->connections, listener_on_error);
    if (getsockname(evconnlistener_get_fd(listener->connections), (struct sockaddr *)&bound, &size) == 0)
        listener->port = listener_port_of(&bound);
    return true;
}

struct listener *listener_new(struct loop *loop, const char *host, uint16_t port, listener_accepted *accepted,
                              void *owner, char *problem, size_t problem_size)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *addresses;
    char service[8];
    snprintf(service, sizeof(service), "%u", port);
    int error = getaddrinfo(host, service, &hints, &addresses);
    if (error) {
        snprintf(problem, problem_size, "%s: %s", host, gai_strerror(error));
        return NULL;
    }
    struct listener *listener = memory_zalloc(1, sizeof(*listener));
    listener->accepted = accepted;
    listener->owner = owner;
    loop_timer_init(&listener->pause, loop, listener_on_pause_over, listener);
    bool bound = listener_bind(listener, loop, addresses);
    int reason = errno;
    freeaddrinfo(addresses);
    if (bound)
        return listener;
    snprintf(problem, problem_size, "%s port %u: %s", host, port, strerror(reason));
    loop_timer_free(&listener->pause);
    free(listener);
    return NULL;
}

void listener_free(struct listener *listener)
{
    evconnlistener_free(listener->connections);
    loop_timer_free(&listener->pause);
    free(listener);
}

uint16_t listener_port(const struct listener *listener)
{
    return listener->port;
}
