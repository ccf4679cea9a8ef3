#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"

#define MAP_FIRST_BUCKETS 16

/* Eight bytes at a time through a multiply and fold, as wyhash does; the secret makes it unpredictable. */
static uint64_t map_mix(uint64_t a, uint64_t b)
{
    __uint128_t product = (__uint128_t)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t secret[2];

/* Before any thread has a map. */
static void __attribute__((constructor)) map_draw_secret(void)
{
    random_secret(secret, sizeof(secret));
    secret[0] |= 1;
}

uint64_t map_hash(const void *key, size_t size)
{
    const uint8_t *bytes = key;
    uint64_t hash = secret[1] ^ size;
    for (; size >= 8; size -= 8, bytes += 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        hash = map_mix(hash ^ word, secret[0] ^ 0x9e3779b97f4a7c15ULL);
    }
    uint64_t rest = 0;
    if (size) /* an empty key may be nowhere */
        memcpy(&rest, bytes, size);
    return map_mix(hash ^ rest, secret[0] ^ 0xe7037ed1a0b428dbULL);
}

void map_free(struct map *map)
{
    struct map_cursor cursor = {0};
    for (const struct map_entry *entry; (entry = map_next(map, &cursor));)
        free((void *)entry);
    free(map->buckets);
    *map = (struct map){0};
}

/* Where the pointer to the entry of `key` is, or where it would be added. */
static struct map_entry **map_find(const struct map *map, uint64_t hash, const void *key, size_t key_size)
{
    size_t bucket = hash & (map->room - 1);
    if (bucket >= map->bucket_count)
        bucket -= map->room / 2;
    struct map_entry **link = &map->buckets[bucket];
    while (*link && ((*link)->hash != hash || (*link)->key_size != key_size ||
                     (key_size && memcmp((*link)->key, key, key_size) != 0)))
        link = &(*link)->next;
    return link;
}

void *map_get(const struct map *map, const void *key, size_t key_size)
{
    if (!map->count)
        return NULL;
    struct map_entry *entry = *map_find(map, map_hash(key, key_size), key, key_size);
    return entry ? entry->value : NULL;
}

/* One bucket more, which takes its entries from one of those that are there (linear hashing): nobody waits
 * until all of a large map have found other places. */
static void map_add_bucket(struct map *map)
{
    if (map->bucket_count == map->room) {
        map->room = map->room ? map->room * 2 : MAP_FIRST_BUCKETS;
        map->buckets = memory_resize(map->buckets, map->room, sizeof(*map->buckets));
    }
    const size_t added = map->bucket_count++;
    map->buckets[added] = NULL;
    if (added < MAP_FIRST_BUCKETS)
        return;
    struct map_entry **link = &map->buckets[added - map->room / 2];
    while (*link) {
        struct map_entry *entry = *link;
        if ((entry->hash & (map->room - 1)) != added) {
            link = &entry->next;
            continue;
        }
        *link = entry->next;
        entry->next = map->buckets[added];
        map->buckets[added] = entry;
    }
}

struct map_entry *map_entry_of(struct map *map, const void *key, size_t key_size)
{
    while (map->count >= map->bucket_count || map->bucket_count < MAP_FIRST_BUCKETS)
        map_add_bucket(map);
    uint64_t hash = map_hash(key, key_size);
    struct map_entry **link = map_find(map, hash, key, key_size);
    if (*link)
        return *link;
    struct map_entry *entry = memory_alloc(sizeof(*entry) + key_size);
    *entry = (struct map_entry){.hash = hash, .key_size = key_size};
    if (key_size)
        memcpy(entry->key, key, key_size);
    *link = entry;
    map->count++;
    return entry;
}

void *map_put(struct map *map, const void *key, size_t key_size, void *value)
{
    struct map_entry *entry = map_entry_of(map, key, key_size);
    void *old = entry->value;
    entry->value = value;
    return old;
}

void *map_remove(struct map *map, const void *key, size_t key_size)
{
    if (!map->count)
        return NULL;
    struct map_entry **link = map_find(map, map_hash(key, key_size), key, key_size);
    struct map_entry *entry = *link;
    if (!entry)
        return NULL;
    void *value = entry->value;
    *link = entry->next;
    free(entry);
    map->count--;
    return value;
}

const struct map_entry *map_next(const struct map *map, struct map_cursor *cursor)
{
    if (!cursor->started) {
        cursor->started = true;
        cursor->next = map->bucket_count ? map->buckets[0] : NULL;
    }
    while (!cursor->next && cursor->bucket + 1 < map->bucket_count)
        cursor->next = map->buckets[++cursor->bucket];
    struct map_entry *entry = cursor->next;
    if (entry)
        cursor->next = entry->next;
    return entry;
}

const struct map_entry *map_any(const struct map *map, size_t *hint)
{
    if (!map->count)
        return NULL;
    for (;; ++*hint) {
        if (*hint >= map->bucket_count)
            *hint = 0;
        if (map->buckets[*hint])
            return map->buckets[*hint];
    }
}
