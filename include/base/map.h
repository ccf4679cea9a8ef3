/* A hash table from bytes to pointers. Keys are copied; values stay the caller's. The hash is keyed with a
 * secret of the process, so that a peer cannot choose keys that collide. */
#ifndef HARNESSD_BASE_MAP_H
#define HARNESSD_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct map_entry {
    struct map_entry *next;
    uint64_t hash;
    void *value;
    size_t key_size;
    uint8_t key[];
};

struct map {
    struct map_entry **buckets;
    size_t bucket_count;
    size_t room; /* for so many, a power of two, or 0: the first half of it is in use, and some of the rest */
    size_t count;
};

/* A number for some bytes, by that secret: others may have it, though hardly those that a peer can choose. */
uint64_t map_hash(const void *key, size_t size);

/* All zero is an empty map; this frees the keys and leaves the values. */
void map_free(struct map *map);

/* The value of `key`, or NULL. */
void *map_get(const struct map *map, const void *key, size_t key_size);

/* Sets the value (not NULL) of `key`; the one that it had before, or NULL, is returned. */
void *map_put(struct map *map, const void *key, size_t key_size, void *value);

/* The entry of `key`; where there was none it is new, and its value is NULL, to be set before anything else
 * is done with the map. It, and the key in it, stay where they are until it is taken out. */
struct map_entry *map_entry_of(struct map *map, const void *key, size_t key_size);

/* Takes `key` out; its value, or NULL, is returned. */
void *map_remove(struct map *map, const void *key, size_t key_size);

/* A walk through all entries in no order; between two calls only the entry that was just returned may be
 * removed. Start with all zero; NULL ends it. */
struct map_cursor {
    size_t bucket;
    struct map_entry *next;
    bool started;
};
const struct map_entry *map_next(const struct map *map, struct map_cursor *cursor);

/* Some entry, or NULL when there is none: for emptying a map while anything may happen to it. `*hint` starts
 * at 0 and keeps the search short. */
const struct map_entry *map_any(const struct map *map, size_t *hint);

#endif
