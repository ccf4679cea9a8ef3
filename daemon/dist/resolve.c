#include "dist/resolve.h"

#include <assert.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/dns.h>
#include <event2/util.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

#define RESOLVE_DEADLINE_NS (5 * CLOCK_NS_PER_S)
#define RESOLVE_DRAIN_PASSES 16

static const char *const system_files[] = {"/etc/hosts", "/etc/resolv.conf"};

struct resolver {
    struct loop *loop;
    struct evdns_base *dns;
    size_t queries;                                      /* that evdns has not called back for */
    struct timespec changed[ARRAY_LENGTH(system_files)]; /* when evdns read them */
};

/* evdns calls back for a cancelled question too, later; so what it is given lives on without its request. */
struct resolve_query {
    struct resolver *resolver;
    struct resolve_request *request; /* NULL once cancelled */
};

struct resolve_request {
    struct resolver *resolver;
    resolve_done *done;
    void *owner;
    uint16_t port;
    struct resolve_address addresses[RESOLVE_ADDRESSES];
    size_t count;
    const char *problem;
    struct resolve_query *query;               /* NULL when evdns has called back */
    struct evdns_getaddrinfo_request *pending; /* of that query */
    struct loop_task answer;
    struct loop_timer deadline;
};

static bool resolve_read_change_times(struct resolver *resolver)
{
    bool differs = false;
    for (size_t i = 0; i < ARRAY_LENGTH(system_files); i++) {
        struct stat status;
        if (stat(system_files[i], &status) != 0)
            memset(&status, 0, sizeof(status));
        struct timespec *old = &resolver->changed[i];
        differs |= old->tv_sec != status.st_mtim.tv_sec || old->tv_nsec != status.st_mtim.tv_nsec;
        *old = status.st_mtim;
    }
    return differs;
}

/* Files that are missing or empty leave a resolver that knows literal addresses and this host. */
static void resolve_read_system_files(struct resolver *resolver)
{
    if (resolver->dns)
        evdns_base_free(resolver->dns, 1);
    resolver->dns = evdns_base_new(resolver->loop->base, EVDNS_BASE_NAMESERVERS_NO_DEFAULT);
    if (!resolver->dns) {
        log_error("cannot make a resolver");
        abort();
    }
    evdns_base_load_hosts(resolver->dns, system_files[0]);
    evdns_base_resolv_conf_parse(resolver->dns,
                                 DNS_OPTION_SEARCH | DNS_OPTION_NAMESERVERS | DNS_OPTION_MISC |
                                     DNS_OPTION_NAMESERVERS_NO_DEFAULT,
                                 system_files[1]);
}

struct resolver *resolver_new(struct loop *loop)
{
    struct resolver *resolver = memory_zalloc(1, sizeof(*resolver));
    resolver->loop = loop;
    resolve_read_change_times(resolver);
    resolve_read_system_files(resolver);
    return resolver;
}

void resolver_free(struct resolver *resolver)
{
    if (!resolver)
        return;
    for (int i = 0; i < RESOLVE_DRAIN_PASSES && resolver->queries; i++)
        event_base_loop(resolver->loop->base, EVLOOP_NONBLOCK);
    evdns_base_free(resolver->dns, 1);
    free(resolver);
}

static void resolve_add_address(struct resolve_request *request, const struct sockaddr *address)
{
    socklen_t size = address->sa_family == AF_INET    ? sizeof(struct sockaddr_in)
                     : address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                      : 0;
    if (!size || request->count == RESOLVE_ADDRESSES)
        return;
    struct resolve_address *added = &request->addresses[request->count++];
    added->size = size;
    memcpy(&added->address, address, size);
    if (address->sa_family == AF_INET)
        ((struct sockaddr_in *)&added->address)->sin_port = htons(request->port);
    else
        ((struct sockaddr_in6 *)&added->address)->sin6_port = htons(request->port);
}

/* Connecting a datagram socket sends nothing: it asks the kernel for a route. */
static bool resolve_has_route(const struct resolve_address *address)
{
    int probe = socket(address->address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (probe < 0)
        return false;
    bool routed = connect(probe, (const struct sockaddr *)&address->address, address->size) == 0;
    close(probe);
    return routed;
}

static int resolve_rank(const struct resolve_address *address)
{
    return (resolve_has_route(address) ? 0 : 2) + (address->address.ss_family == AF_INET6);
}

static void resolve_sort_addresses(struct resolve_request *request)
{
    struct resolve_address sorted[RESOLVE_ADDRESSES];
    int ranks[RESOLVE_ADDRESSES];
    size_t count = 0;
    for (size_t i = 0; i < request->count; i++)
        ranks[i] = resolve_rank(&request->addresses[i]);
    for (int wanted = 0; wanted < 4; wanted++)
        for (size_t i = 0; i < request->count; i++)
            if (ranks[i] == wanted)
                sorted[count++] = request->addresses[i];
    memcpy(request->addresses, sorted, count * sizeof(sorted[0]));
}

static void resolve_add_loopback(struct resolve_request *request)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    resolve_add_address(request, (struct sockaddr *)&v4);
    resolve_add_address(request, (struct sockaddr *)&v6);
}

static void resolve_add_interfaces(struct resolve_request *request)
{
    struct ifaddrs *interfaces = NULL;
    if (getifaddrs(&interfaces) != 0)
        return;
    for (struct ifaddrs *i = interfaces; i; i = i->ifa_next) {
        if (!i->ifa_addr || !(i->ifa_flags & IFF_UP) || (i->ifa_flags & IFF_LOOPBACK))
            continue;
        if (i->ifa_addr->sa_family == AF_INET6 &&
            IN6_IS_ADDR_LINKLOCAL(&((struct sockaddr_in6 *)i->ifa_addr)->sin6_addr))
            continue;
        resolve_add_address(request, i->ifa_addr);
    }
    freeifaddrs(interfaces);
}

/* What no file needs to say. */
static void resolve_add_own_addresses(struct resolve_request *request, const char *host)
{
    char name[256] = "";
    if (gethostname(name, sizeof(name) - 1) != 0)
        name[0] = '\0';
    char *dot = strchr(name, '.');
    bool own = name[0] && (strcasecmp(host, name) == 0 || (dot && strlen(host) == (size_t)(dot - name) &&
                                                           strncasecmp(host, name, strlen(host)) == 0));
    if (own)
        resolve_add_interfaces(request);
    if (strcasecmp(host, "localhost") == 0 || (own && !request->count))
        resolve_add_loopback(request);
}

static void resolve_free_request(struct resolve_request *request)
{
    loop_cancel(request->resolver->loop, &request->answer);
    loop_timer_free(&request->deadline);
    if (request->query)
        request->query->request = NULL;
    if (request->pending)
        evdns_getaddrinfo_cancel(request->pending);
    free(request);
}

static void resolve_deliver(void *owner)
{
    struct resolve_request *request = owner;
    resolve_sort_addresses(request);
    const char *problem = request->count      ? NULL
                          : !request->problem ? "the name has no address"
                                              : request->problem;
    request->done(request->owner, request->addresses, request->count, problem);
    resolve_free_request(request);
}

static void resolve_finish(struct resolve_request *request, const char *problem)
{
    request->problem = problem;
    loop_timer_stop(&request->deadline);
    loop_defer(request->resolver->loop, &request->answer);
}

static void resolve_deadline_passed(void *owner)
{
    resolve_finish(owner, "no answer from the name servers in time");
}

static void resolve_answered(int result, struct evutil_addrinfo *found, void *argument)
{
    struct resolve_query *query = argument;
    struct resolve_request *request = query->request;
    loop_enter(query->resolver->loop);
    query->resolver->queries--;
    free(query);
    if (request) {
        request->query = NULL;
        request->pending = NULL;
        for (struct evutil_addrinfo *i = found; i; i = i->ai_next)
            resolve_add_address(request, i->ai_addr);
        resolve_finish(request, result ? evutil_gai_strerror(result) : NULL);
    }
    if (found)
        evutil_freeaddrinfo(found);
}

struct resolve_request *resolve_start(struct resolver *resolver, const char *host, uint16_t port,
                                      resolve_done *done, void *owner)
{
    if (!resolver->queries && resolve_read_change_times(resolver))
        resolve_read_system_files(resolver);
    struct resolve_request *request = memory_zalloc(1, sizeof(*request));
    *request = (struct resolve_request){.resolver = resolver, .done = done, .owner = owner, .port = port};
    request->answer = (struct loop_task){.run = resolve_deliver, .owner = request};
    loop_timer_init(&request->deadline, resolver->loop, resolve_deadline_passed, request);
    request->query = memory_zalloc(1, sizeof(*request->query));
    *request->query = (struct resolve_query){.resolver = resolver, .request = request};
    resolver->queries++;

    struct evutil_addrinfo hints = {.ai_family = PF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct evdns_getaddrinfo_request *pending =
        evdns_getaddrinfo(resolver->dns, host, NULL, &hints, resolve_answered, request->query);
    if (!request->query)
        return request;
    request->pending = pending;
    loop_timer_set(&request->deadline, RESOLVE_DEADLINE_NS);
    resolve_add_own_addresses(request, host);
    if (request->count || evdns_base_count_nameservers(resolver->dns) == 0)
        resolve_finish(request, "unknown host, and no name server is configured");
    return request;
}

void resolve_cancel(struct resolve_request *request)
{
    resolve_free_request(request);
}
