#include "epmd_exchange_private.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "dist/epmd_message.h"

#define EXCHANGE_TEXT_BYTES 320 /* with the name of a host */
#define EXCHANGE_DEADLINE_NS (5 * CLOCK_NS_PER_S)

struct epmd_exchange {
    struct loop *loop;
    const struct epmd_exchange_handler *handler;
    void *owner;
    struct resolve_request *resolving; /* NULL once answered */
    struct resolve_address addresses[RESOLVE_ADDRESSES];
    size_t count;
    size_t tried;
    int socket; /* -1: none */
    struct event *event;
    uint8_t request[EPMD_MESSAGE_BYTES];
    size_t request_size;
    uint8_t answer[EPMD_MESSAGE_BYTES];
    size_t answer_size;
    bool unread; /* some of the answer was not handed on */
    bool kept;
    bool nobody_listens;
    const char *problem; /* it is over */
    char *epmd;          /* "HOST:PORT", for people */
    char text[EXCHANGE_TEXT_BYTES];
    struct loop_timer deadline;
    struct loop_task deliver;
};

static void exchange_close_socket(struct epmd_exchange *exchange)
{
    if (exchange->event)
        event_free(exchange->event);
    exchange->event = NULL;
    if (exchange->socket >= 0)
        close(exchange->socket);
    exchange->socket = -1;
}

static void exchange_end(struct epmd_exchange *exchange, const char *problem)
{
    exchange_close_socket(exchange);
    loop_timer_stop(&exchange->deadline);
    exchange->problem = problem;
    loop_defer(exchange->loop, &exchange->deliver);
}

/* The same of the epmd by its name: who only looks for a node has never heard of its epmd. */
static void exchange_end_naming(struct epmd_exchange *exchange, const char *problem)
{
    snprintf(exchange->text, sizeof(exchange->text), "%s %s", problem, exchange->epmd);
    exchange_end(exchange, exchange->text);
}

static void exchange_deliver(void *owner)
{
    struct epmd_exchange *exchange = owner;
    if (exchange->unread) {
        exchange->unread = false;
        if (!exchange->handler->received(exchange->owner, exchange->answer, exchange->answer_size))
            return;
    }
    if (exchange->problem)
        exchange->handler->ended(exchange->owner, exchange->problem);
}

static void exchange_wait_for(struct epmd_exchange *exchange, short what, event_callback_fn callback)
{
    if (exchange->event)
        event_free(exchange->event);
    exchange->event = event_new(exchange->loop->base, exchange->socket, what, callback, exchange);
    if (!exchange->event || event_add(exchange->event, NULL) != 0) {
        log_error("cannot watch a socket");
        abort();
    }
}

static void exchange_readable(evutil_socket_t unused, short what, void *argument)
{
    (void)unused;
    (void)what;
    struct epmd_exchange *exchange = argument;
    loop_enter(exchange->loop);
    if (exchange->kept)
        exchange->answer_size = 0;
    size_t room = sizeof(exchange->answer) - exchange->answer_size;
    ssize_t got = room ? recv(exchange->socket, exchange->answer + exchange->answer_size, room, 0) : 0;
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got < 0)
        exchange_end(exchange, strerrordesc_np(errno));
    else if (got == 0)
        exchange_end(exchange, room ? "epmd closed the connection" : "epmd answered too much");
    if (got <= 0 || exchange->kept)
        return;
    exchange->answer_size += (size_t)got;
    exchange->unread = true;
    loop_defer(exchange->loop, &exchange->deliver);
}

/* Only an address of this host can be bound to. */
static bool exchange_is_of_this_host(const struct resolve_address *address)
{
    struct resolve_address any_port = *address;
    if (any_port.address.ss_family == AF_INET)
        ((struct sockaddr_in *)&any_port.address)->sin_port = 0;
    else
        ((struct sockaddr_in6 *)&any_port.address)->sin6_port = 0;
    int probe = socket(any_port.address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (probe < 0)
        return false;
    bool bound = bind(probe, (const struct sockaddr *)&any_port.address, any_port.size) == 0;
    close(probe);
    return bound;
}

static void exchange_try_next(struct epmd_exchange *exchange, int error);

static void exchange_connected(evutil_socket_t unused, short what, void *argument)
{
    (void)unused;
    (void)what;
    struct epmd_exchange *exchange = argument;
    int error = 0;
    loop_enter(exchange->loop);
    socklen_t size = sizeof(error);
    if (getsockopt(exchange->socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (error) {
        exchange_try_next(exchange, error);
        return;
    }
    exchange->nobody_listens = false;
    /* A fresh connection takes a request of this size whole. */
    ssize_t sent = send(exchange->socket, exchange->request, exchange->request_size, MSG_NOSIGNAL);
    if (sent != (ssize_t)exchange->request_size)
        exchange_end(exchange, sent < 0 ? strerrordesc_np(errno) : "epmd takes no request");
    else
        exchange_wait_for(exchange, EV_READ | EV_PERSIST, exchange_readable);
}

/* `error` is what became of the address that was tried last. */
static void exchange_try_next(struct epmd_exchange *exchange, int error)
{
    for (;;) {
        exchange_close_socket(exchange);
        if (error == ECONNREFUSED && exchange_is_of_this_host(&exchange->addresses[exchange->tried - 1]))
            exchange->nobody_listens = true;
        if (exchange->tried == exchange->count) {
            if (error == ECONNREFUSED)
                exchange_end_naming(exchange, "no epmd at");
            else
                exchange_end(exchange, strerrordesc_np(error));
            return;
        }
        const struct resolve_address *address = &exchange->addresses[exchange->tried++];
        exchange->socket = socket(address->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (exchange->socket >= 0 &&
            (connect(exchange->socket, (const struct sockaddr *)&address->address, address->size) == 0 ||
             errno == EINPROGRESS)) {
            exchange_wait_for(exchange, EV_WRITE, exchange_connected);
            return;
        }
        error = errno;
    }
}

static void exchange_resolved(void *owner, const struct resolve_address *addresses, size_t count,
                              const char *problem)
{
    struct epmd_exchange *exchange = owner;
    exchange->resolving = NULL;
    if (problem) {
        exchange_end(exchange, problem);
        return;
    }
    memcpy(exchange->addresses, addresses, count * sizeof(addresses[0]));
    exchange->count = count;
    exchange_try_next(exchange, 0);
}

static void exchange_deadline_passed(void *owner)
{
    exchange_end_naming(owner, "no answer in time from the epmd at");
}

struct epmd_exchange *epmd_exchange_new(struct loop *loop, struct resolver *resolver,
                                        const struct epmd_exchange_request *request,
                                        const struct epmd_exchange_handler *handler, void *owner)
{
    assert(request->size <= EPMD_MESSAGE_BYTES);
    struct epmd_exchange *exchange = memory_zalloc(1, sizeof(*exchange));
    exchange->loop = loop;
    exchange->handler = handler;
    exchange->owner = owner;
    exchange->socket = -1;
    memcpy(exchange->request, request->data, request->size);
    exchange->request_size = request->size;
    exchange->epmd =
        memory_format(strchr(request->host, ':') ? "[%s]:%u" : "%s:%u", request->host, request->port);
    exchange->deliver = (struct loop_task){.run = exchange_deliver, .owner = exchange};
    loop_timer_init(&exchange->deadline, loop, exchange_deadline_passed, exchange);
    loop_timer_set(&exchange->deadline, EXCHANGE_DEADLINE_NS);
    if (!request->size) {
        exchange_end(exchange, "no such name");
        return exchange;
    }
    exchange->resolving = resolve_start(resolver, request->host, request->port, exchange_resolved, exchange);
    return exchange;
}

void epmd_exchange_keep(struct epmd_exchange *exchange)
{
    exchange->kept = true;
    loop_timer_stop(&exchange->deadline);
}

bool epmd_exchange_nobody_listens(const struct epmd_exchange *exchange)
{
    return exchange->nobody_listens;
}

void epmd_exchange_free(struct epmd_exchange *exchange)
{
    if (!exchange)
        return;
    exchange_close_socket(exchange);
    if (exchange->resolving)
        resolve_cancel(exchange->resolving);
    loop_cancel(exchange->loop, &exchange->deliver);
    loop_timer_free(&exchange->deadline);
    free(exchange->epmd);
    free(exchange);
}
