#include "match_keys_private.h"

#include <stdlib.h>

#include "base/memory.h"
#include "term/term_check.h"
#include "term/term_read.h"
#include "term/term_sort.h"
#include "term_hash_private.h"

/* Equal terms may differ in their bytes: numbers, maps, lists of bytes, and what has such inside. */
static bool match_varies(enum term_type type)
{
    return type == TERM_FLOAT || type == TERM_LIST || type == TERM_TUPLE || type == TERM_MAP;
}

static bool match_sorted(struct term a, struct term b)
{
    struct buffer sorted[2] = {0};
    term_sort(a, &sorted[0]);
    term_sort(b, &sorted[1]);
    bool same = term_same(term_of(&sorted[0]), term_of(&sorted[1]));
    buffer_free(&sorted[0]);
    buffer_free(&sorted[1]);
    return same;
}

bool match_equal(struct term a, struct term b)
{
    const enum term_type type = term_type(a);
    int64_t integers[2];
    if (term_same(a, b))
        return true;
    if (term_type(b) != type)
        return false;
    if (type != TERM_INTEGER)
        return match_varies(type) && term_hash(a) == term_hash(b) && match_sorted(a, b);
    if (term_read_integer(a, &integers[0]) != term_read_integer(b, &integers[1]))
        return false;
    return term_read_integer(a, &integers[0]) ? integers[0] == integers[1] : match_sorted(a, b);
}

/* --- Keys --- */

/* A key of the pattern; those whose hashes end alike are chained. */
struct wanted {
    struct term key;
    uint64_t hash;
    size_t next; /* index + 1, 0 is none */
};

struct index {
    struct wanted *wanted;
    size_t *heads; /* index + 1 by the end of the hash */
    uint64_t mask;
    size_t missing;
};

static struct term keys_take(const uint8_t **next)
{
    struct term term = {*next, term_length(*next)};
    *next += term.size;
    return term;
}

static void index_fill(struct index *index, struct match_pairs pattern)
{
    size_t room = 1;
    while (room < 2 * pattern.count)
        room *= 2;
    index->wanted = memory_zalloc(pattern.count, sizeof(*index->wanted));
    index->heads = memory_zalloc(room, sizeof(*index->heads));
    index->mask = room - 1;
    index->missing = pattern.count;
    const uint8_t *next = pattern.first;
    for (size_t i = 0; i < pattern.count; i++) {
        struct wanted *wanted = &index->wanted[i];
        wanted->key = keys_take(&next);
        wanted->hash = term_hash(wanted->key);
        size_t *head = &index->heads[wanted->hash & index->mask];
        wanted->next = *head;
        *head = i + 1;
        next += term_length(next);
    }
}

/* One key may be there twice in what is no node's. */
static void index_found(struct index *index, struct term key, const uint8_t *value, const uint8_t **values)
{
    const uint64_t hash = term_hash(key);
    for (size_t i = index->heads[hash & index->mask]; i; i = index->wanted[i - 1].next) {
        const struct wanted *wanted = &index->wanted[i - 1];
        if (wanted->hash != hash || values[i - 1] || !match_equal(wanted->key, key))
            continue;
        values[i - 1] = value;
        index->missing--;
    }
}

struct match_keys *match_keys_find(struct match_pairs pattern, struct match_pairs map, const uint8_t **end,
                                   size_t *passed)
{
    struct index index = {0};
    struct match_keys *keys = memory_alloc(sizeof(*keys) + pattern.count * sizeof(keys->values[0]));
    *keys = (struct match_keys){.count = pattern.count};
    for (size_t i = 0; i < pattern.count; i++)
        keys->values[i] = NULL;
    index_fill(&index, pattern);
    *end = map.first;
    for (*passed = 0; index.missing && *passed < map.count; (*passed)++) {
        struct term key = keys_take(end);
        index_found(&index, key, *end, keys->values);
        *end += term_length(*end);
    }
    free(index.wanted);
    free(index.heads);
    if (!index.missing)
        return keys;
    free(keys);
    return NULL;
}
