#include "dist/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/listener.h>

#include "base/clock.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "base/log_repeat.h"
#include "base/memory.h"

/* Connections that may wait to be accepted. */
#define BACKLOG 1024

/* When there are no descriptors to spare, accepting waits for so long instead of spinning. */
#define PAUSE_NS (100 * CLOCK_NS_PER_MS)

/* Accepted before those that were accepted are listened to: a flood must not drive out those who have
 * something to say before it was read. */
#define ACCEPTS_AT_ONCE 32

struct listener {
    struct evconnlistener *connections;
    listener_accepted *accepted;
    void *owner;
    uint16_t port;
    int accepts; /* since the last pause */
    struct loop_timer pause;
    struct log_repeat failures;
};

static void listener_pause(struct listener *listener, int error)
{
    if (log_repeat_is_due(&listener->failures))
        log_error("cannot accept connections", log_string("reason", strerror(error)),
                  log_times(&listener->failures));
    evconnlistener_disable(listener->connections);
    loop_timer_set(&listener->pause, PAUSE_NS);
}

static void listener_note_success(struct listener *listener)
{
    uint64_t failures = log_repeat_is_over(&listener->failures);
    if (failures)
        log_info("accepting connections again", log_integer("failures", (int64_t)failures));
}

static void listener_on_accept(struct evconnlistener *connections, evutil_socket_t descriptor,
                               struct sockaddr *address, int size, void *argument)
{
    struct listener *listener = argument;
    char host[NI_MAXHOST] = "?", service[NI_MAXSERV] = "?", text[NI_MAXHOST + NI_MAXSERV + 1];
    loop_enter(listener->pause.loop);
    if (descriptors_are_short(descriptor)) {
        close(descriptor);
        listener_pause(listener, EMFILE);
        return;
    }
    listener_note_success(listener);
    (void)getnameinfo(address, (socklen_t)size, host, sizeof(host), service, sizeof(service),
                      NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(text, sizeof(text), "%s:%s", host, service);
    if (++listener->accepts == ACCEPTS_AT_ONCE) {
        evconnlistener_disable(connections);
        loop_timer_set(&listener->pause, 0);
    }
    listener->accepted(listener->owner, descriptor, text);
}

static void listener_on_error(struct evconnlistener *connections, void *argument)
{
    (void)connections;
    struct listener *listener = argument;
    int error = errno;
    loop_enter(listener->pause.loop);
    listener_pause(listener, error);
}

static void listener_on_pause_over(void *owner)
{
    struct listener *listener = owner;
    listener->accepts = 0;
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
