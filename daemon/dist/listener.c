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

/* A port that the first socket has been given may be another's at the next address: so many are tried. */
#define PORTS_TRIED 16

struct listener {
    struct listener_options options;
    struct evconnlistener **sockets; /* as many as hosts; NULL at the end of those that there are */
    uint16_t port;
    int accepts; /* since the last pause */
    struct loop_timer pause;
    struct log_repeat failures;
};

static void listener_enable(const struct listener *listener, bool enabled)
{
    for (size_t i = 0; i < listener->options.host_count; i++)
        if (enabled)
            evconnlistener_enable(listener->sockets[i]);
        else
            evconnlistener_disable(listener->sockets[i]);
}

static void listener_pause(struct listener *listener, int error)
{
    if (log_repeat_is_due(&listener->failures))
        log_error("cannot accept connections", log_string("reason", strerror(error)),
                  log_times(&listener->failures));
    listener_enable(listener, false);
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
    (void)connections;
    struct listener *listener = argument;
    char host[NI_MAXHOST] = "?", service[NI_MAXSERV] = "?", text[NI_MAXHOST + NI_MAXSERV + 4];
    loop_enter(listener->pause.loop);
    if (descriptors_are_short(descriptor)) {
        close(descriptor);
        listener_pause(listener, EMFILE);
        return;
    }
    listener_note_success(listener);
    (void)getnameinfo(address, (socklen_t)size, host, sizeof(host), service, sizeof(service),
                      NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(text, sizeof(text), strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, service);
    if (++listener->accepts == ACCEPTS_AT_ONCE) {
        listener_enable(listener, false);
        loop_timer_set(&listener->pause, 0);
    }
    listener->options.accepted(listener->options.owner, descriptor, text);
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
    listener_enable(listener, true);
}

static uint16_t listener_port_of(const struct sockaddr_storage *address)
{
    return ntohs(address->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)address)->sin6_port
                                                : ((const struct sockaddr_in *)address)->sin_port);
}

static struct evconnlistener *listener_bind(struct listener *listener, const struct addrinfo *address)
{
    struct sockaddr_storage bound;
    socklen_t size = sizeof(bound);
    unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE;
    if (address->ai_family == AF_INET6 && listener->options.host_count > 1)
        flags |= LEV_OPT_BIND_IPV6ONLY; /* alone :: is for IPv4 as well, beside others 0.0.0.0 may be one */
    struct evconnlistener *made =
        evconnlistener_new_bind(listener->options.loop->base, listener_on_accept, listener, flags, BACKLOG,
                                address->ai_addr, (int)address->ai_addrlen);
    if (!made)
        return NULL;
    evconnlistener_set_error_cb(made, listener_on_error);
    if (getsockname(evconnlistener_get_fd(made), (struct sockaddr *)&bound, &size) == 0)
        listener->port = listener_port_of(&bound);
    return made;
}

/* At the port that the listener has, if it has one. */
static bool listener_open(struct listener *listener, size_t index, char *problem, size_t problem_size)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *addresses;
    const char *host = listener->options.hosts[index];
    char service[8];
    snprintf(service, sizeof(service), "%u", listener->port);
    int error = getaddrinfo(host, service, &hints, &addresses);
    if (error) {
        snprintf(problem, problem_size, "%s: %s", host, gai_strerror(error));
        return false;
    }
    listener->sockets[index] = listener_bind(listener, addresses);
    if (!listener->sockets[index])
        snprintf(problem, problem_size, "%s port %u: %s", host, listener->port, strerror(errno));
    freeaddrinfo(addresses);
    return listener->sockets[index];
}

static void listener_close(struct listener *listener)
{
    for (size_t i = 0; i < listener->options.host_count; i++) {
        if (listener->sockets[i])
            evconnlistener_free(listener->sockets[i]);
        listener->sockets[i] = NULL;
    }
}

/* `*opened` of them. */
static bool listener_open_all(struct listener *listener, size_t *opened, char *problem, size_t problem_size)
{
    listener->port = listener->options.port;
    for (*opened = 0; *opened < listener->options.host_count; ++*opened) {
        if (listener_open(listener, *opened, problem, problem_size))
            continue;
        listener_close(listener);
        return false;
    }
    return true;
}

struct listener *listener_new(const struct listener_options *options, char *problem, size_t problem_size)
{
    struct listener *listener = memory_zalloc(1, sizeof(*listener));
    listener->options = *options;
    listener->sockets = memory_zalloc(options->host_count, sizeof(struct evconnlistener *));
    bool opened = false;
    size_t count = 1;
    for (size_t i = 0; i < PORTS_TRIED && !opened && count; i++) {
        opened = listener_open_all(listener, &count, problem, problem_size);
        if (options->port)
            break;
    }
    if (opened) {
        loop_timer_init(&listener->pause, options->loop, listener_on_pause_over, listener);
        return listener;
    }
    free((void *)listener->sockets);
    free(listener);
    return NULL;
}

void listener_free(struct listener *listener)
{
    listener_close(listener);
    loop_timer_free(&listener->pause);
    free((void *)listener->sockets);
    free(listener);
}

uint16_t listener_port(const struct listener *listener)
{
    return listener->port;
}
