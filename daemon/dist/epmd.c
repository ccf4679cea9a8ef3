#include "dist/epmd.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_repeat.h"
#include "base/memory.h"
#include "epmd_exchange_private.h"
#include "epmd_process_private.h"

#define RETRY_FIRST_MS 100
#define RETRY_MOST_MS 5000

enum epmd_state {
    EPMD_UNASKED,    /* nobody has called epmd_register() */
    EPMD_ASKING,     /* `exchange` asks for the name */
    EPMD_REGISTERED, /* `exchange` holds it */
    EPMD_WAITING,    /* `timer` will ask again */
};

struct epmd {
    struct loop *loop;
    struct resolver *resolver;
    char *host;
    uint16_t epmd_port;
    bool start;

    enum epmd_state state;
    char *name;
    uint16_t port;
    epmd_registered *registered;
    void *owner;
    struct epmd_exchange *exchange;
    uint64_t retry_ms;
    unsigned refusals; /* of the name, one after the other */
    struct log_repeat refused, unreachable;
    struct loop_timer timer; /* EPMD_WAITING: the next attempt; EPMD_REGISTERED: reaping what is left */
    struct epmd_process process;

    size_t lookups;
};

struct epmd_lookup {
    struct epmd *epmd;
    struct epmd_exchange *exchange;
    epmd_found *found;
    void *owner;
};

static bool epmd_registration_received(void *owner, const uint8_t *data, size_t size);
static void epmd_registration_ended(void *owner, const char *problem);

static const struct epmd_exchange_handler registration_handler = {
    .received = epmd_registration_received,
    .ended = epmd_registration_ended,
};

static void epmd_ask_for_name(struct epmd *epmd)
{
    uint8_t message[EPMD_MESSAGE_BYTES];
    size_t size = epmd_encode_alive(message, epmd->name, epmd->port);
    assert(size);
    struct epmd_exchange_request request = {
        .host = epmd->host, .port = epmd->epmd_port, .data = message, .size = size};
    epmd->state = EPMD_ASKING;
    epmd->exchange = epmd_exchange_new(epmd->loop, epmd->resolver, &request, &registration_handler, epmd);
}

/* The name is not ours, or no longer: starts epmd where that can help, and asks again later. */
static void epmd_retry(struct epmd *epmd, const char *event, const char *reason, struct log_repeat *repeat)
{
    bool starting = epmd->start && epmd_exchange_nobody_listens(epmd->exchange) &&
                    epmd_process_start(&epmd->process, epmd->epmd_port);
    epmd->state = EPMD_WAITING;
    if (starting)
        log_info("starting epmd", log_integer("port", epmd->epmd_port), log_string("reason", reason),
                 log_integer("retry_ms", (int64_t)epmd->retry_ms));
    else if (log_repeat_is_due(repeat))
        log_warning(event, log_string("reason", reason), log_integer("retry_ms", (int64_t)epmd->retry_ms),
                    log_string("name", epmd->name), log_times(repeat));
    epmd_exchange_free(epmd->exchange); /* the reason may be its */
    epmd->exchange = NULL;
    loop_timer_set(&epmd->timer, epmd->retry_ms * CLOCK_NS_PER_MS);
    epmd->retry_ms = epmd->retry_ms * 2 < RETRY_MOST_MS ? epmd->retry_ms * 2 : RETRY_MOST_MS;
}

static void epmd_name_granted(struct epmd *epmd, uint32_t creation)
{
    epmd_exchange_keep(epmd->exchange);
    epmd->state = EPMD_REGISTERED;
    epmd->retry_ms = RETRY_FIRST_MS;
    epmd->refusals = 0;
    if (!epmd_process_reap(&epmd->process))
        loop_timer_set(&epmd->timer, RETRY_FIRST_MS * CLOCK_NS_PER_MS);
    log_info("registered with epmd", log_string("name", epmd->name), log_integer("port", epmd->port),
             log_integer("creation", creation));
    epmd->registered(epmd->owner, creation);
}

static bool epmd_registration_received(void *owner, const uint8_t *data, size_t size)
{
    struct epmd *epmd = owner;
    uint32_t creation = 0;
    switch (epmd_decode_alive(data, size, &creation)) {
    case EPMD_INCOMPLETE:
        return true;
    case EPMD_REFUSED:
        epmd->refusals++;
        epmd_retry(epmd, "epmd refused the name", "the name is taken: another node is registered with it",
                   &epmd->refused);
        return false;
    case EPMD_MALFORMED:
        epmd_retry(epmd, "epmd unreachable", "what answers is not an epmd", &epmd->unreachable);
        return false;
    case EPMD_ACCEPTED:
        break;
    }
    epmd_name_granted(epmd, creation);
    return true;
}

static void epmd_registration_ended(void *owner, const char *problem)
{
    struct epmd *epmd = owner;
    bool was_registered = epmd->state == EPMD_REGISTERED;
    epmd->refusals = 0;
    if (was_registered) {
        (void)log_repeat_is_over(&epmd->refused);
        (void)log_repeat_is_over(&epmd->unreachable);
    }
    epmd_retry(epmd, was_registered ? "epmd connection lost" : "epmd unreachable", problem,
               &epmd->unreachable);
}

static void epmd_timer_fired(void *owner)
{
    struct epmd *epmd = owner;
    bool reaped = epmd_process_reap(&epmd->process);
    if (epmd->state == EPMD_WAITING)
        epmd_ask_for_name(epmd);
    else if (!reaped)
        loop_timer_set(&epmd->timer, RETRY_MOST_MS * CLOCK_NS_PER_MS);
}

struct epmd *epmd_new(struct loop *loop, struct resolver *resolver, const struct epmd_options *options)
{
    struct epmd *epmd = memory_zalloc(1, sizeof(*epmd));
    epmd->loop = loop;
    epmd->resolver = resolver;
    epmd->host = memory_string(options->host);
    epmd->epmd_port = options->port;
    epmd->start = options->start;
    epmd->state = EPMD_UNASKED;
    epmd->retry_ms = RETRY_FIRST_MS;
    loop_timer_init(&epmd->timer, loop, epmd_timer_fired, epmd);
    return epmd;
}

void epmd_free(struct epmd *epmd)
{
    if (!epmd)
        return;
    assert(!epmd->lookups);
    epmd_exchange_free(epmd->exchange);
    loop_timer_free(&epmd->timer);
    epmd_process_reap(&epmd->process);
    free(epmd->name);
    free(epmd->host);
    free(epmd);
}

void epmd_register(struct epmd *epmd, const char *name, uint16_t port, epmd_registered *registered,
                   void *owner)
{
    assert(epmd->state == EPMD_UNASKED);
    epmd->name = memory_string(name);
    epmd->port = port;
    epmd->registered = registered;
    epmd->owner = owner;
    epmd_ask_for_name(epmd);
}

void epmd_reap_children(struct epmd *epmd)
{
    (void)epmd_process_reap(&epmd->process);
    epmd_process_reap_others(&epmd->process);
}

bool epmd_name_is_taken(const struct epmd *epmd, unsigned *refusals)
{
    if (refusals)
        *refusals = epmd->refusals;
    return epmd->refusals > 0;
}

bool epmd_is_registered(const struct epmd *epmd)
{
    return epmd->state == EPMD_REGISTERED;
}

static void epmd_free_lookup(struct epmd_lookup *lookup)
{
    lookup->epmd->lookups--;
    epmd_exchange_free(lookup->exchange);
    free(lookup);
}

static void epmd_answer_lookup(struct epmd_lookup *lookup, uint16_t port, const char *problem)
{
    epmd_found *found = lookup->found;
    void *owner = lookup->owner;
    struct epmd_exchange *exchange = lookup->exchange; /* the problem may be its */
    lookup->exchange = NULL;
    epmd_free_lookup(lookup);
    found(owner, port, problem);
    epmd_exchange_free(exchange);
}

static bool epmd_lookup_received(void *owner, const uint8_t *data, size_t size)
{
    struct epmd_lookup *lookup = owner;
    uint16_t port = 0;
    const char *problem = NULL;
    switch (epmd_decode_port(data, size, &port)) {
    case EPMD_INCOMPLETE:
        return true;
    case EPMD_REFUSED:
        problem = data[1] ? "not registered with its epmd (is it up? epmd -names)"
                          : "the node does not speak distribution version 6";
        break;
    case EPMD_MALFORMED:
        problem = "what answers is not an epmd";
        break;
    case EPMD_ACCEPTED:
        break;
    }
    epmd_answer_lookup(lookup, port, problem);
    return false;
}

static void epmd_lookup_ended(void *owner, const char *problem)
{
    epmd_answer_lookup(owner, 0, problem);
}

static const struct epmd_exchange_handler lookup_handler = {
    .received = epmd_lookup_received,
    .ended = epmd_lookup_ended,
};

struct epmd_lookup *epmd_lookup_start(struct epmd *epmd, const char *host, const char *name,
                                      epmd_found *found, void *owner)
{
    uint8_t message[EPMD_MESSAGE_BYTES];
    struct epmd_exchange_request request = {
        .host = host,
        .port = epmd->epmd_port,
        .data = message,
        .size = epmd_encode_port_please(message, name),
    };
    struct epmd_lookup *lookup = memory_zalloc(1, sizeof(*lookup));
    *lookup = (struct epmd_lookup){.epmd = epmd, .found = found, .owner = owner};
    lookup->exchange = epmd_exchange_new(epmd->loop, epmd->resolver, &request, &lookup_handler, lookup);
    epmd->lookups++;
    return lookup;
}

void epmd_lookup_cancel(struct epmd_lookup *lookup)
{
    epmd_free_lookup(lookup);
}
