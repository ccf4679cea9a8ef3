#include "claims_private.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* The claims of one source, the oldest first. */
struct claims_source {
    uint64_t source;
    struct list list;
};

static uint64_t claims_source_of(const char *address)
{
    char host[INET6_ADDRSTRLEN];
    const char *colon = strrchr(address, ':');
    bool is_bracketed = *address == '[' && colon && colon[-1] == ']';
    struct in6_addr address6;
    struct in_addr address4;
    uint64_t source = 0;
    if (!colon)
        return source;
    snprintf(host, sizeof(host), "%.*s", (int)(colon - address) - 2 * is_bracketed, address + is_bracketed);
    if (inet_pton(AF_INET, host, &address4) == 1) {
        memcpy(&source, &address4, sizeof(address4));
    } else if (inet_pton(AF_INET6, host, &address6) == 1) {
        /* One of IPv4 that has come to a socket of IPv6 is in the last four bytes. */
        if (IN6_IS_ADDR_V4MAPPED(&address6))
            memcpy(&source, address6.s6_addr + 12, 4);
        else
            memcpy(&source, address6.s6_addr, sizeof(source));
    }
    return source;
}

struct claim *claims_add(struct claims *claims, struct conn *conn, const char *address)
{
    struct claim *claim = memory_zalloc(1, sizeof(*claim));
    claim->conn = conn;
    claim->source = claims_source_of(address);
    claim->number = claims->next_number++;
    struct claims_source *source = map_get(&claims->by_source, &claim->source, sizeof(claim->source));
    if (!source) {
        source = memory_zalloc(1, sizeof(*source));
        source->source = claim->source;
        map_put(&claims->by_source, &source->source, sizeof(source->source), source);
    }
    list_append(&claims->list, &claim->link);
    list_append(&source->list, &claim->of_source);
    return claim;
}

void claims_remove(struct claims *claims, struct claim *claim)
{
    struct claims_source *source = map_get(&claims->by_source, &claim->source, sizeof(claim->source));
    list_remove(&claims->list, &claim->link);
    list_remove(&source->list, &claim->of_source);
    if (!source->list.count) {
        map_remove(&claims->by_source, &claim->source, sizeof(claim->source));
        free(source);
    }
    free(claim);
}

struct claim *claims_find_dispensable(const struct claims *claims)
{
    struct claim *found = NULL;
    size_t most = 0;
    struct map_cursor cursor = {0};
    for (const struct map_entry *entry; (entry = map_next(&claims->by_source, &cursor));) {
        const struct claims_source *source = entry->value;
        struct claim *oldest = LIST_FIRST(&source->list, struct claim, of_source);
        if (source->list.count > most || (source->list.count == most && oldest->number < found->number)) {
            found = oldest;
            most = source->list.count;
        }
    }
    return found;
}

void claims_free(struct claims *claims)
{
    map_free(&claims->by_source);
}
