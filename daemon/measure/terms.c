#include "measure/terms.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

struct terms_slot {
    uint8_t *data;
    size_t size;
    uint32_t uses;
    uint32_t next_free;
};

void terms_free(struct terms *terms)
{
    for (uint32_t i = 0; i < terms->slot_count; i++)
        free(terms->slots[i].data);
    free(terms->slots);
    map_free(&terms->by_bytes);
    *terms = (struct terms){0};
}

static uint32_t terms_new_slot(struct terms *terms)
{
    uint32_t number = terms->free_slot;
    if (number) {
        terms->free_slot = terms->slots[number].next_free;
        return number;
    }
    if (!terms->slot_count)
        terms->slot_count = 1; /* the first is TERMS_NONE */
    if (terms->slot_count >= terms->capacity) {
        terms->capacity = terms->capacity ? terms->capacity * 2 : 64;
        terms->slots = memory_resize(terms->slots, terms->capacity, sizeof(*terms->slots));
        terms->slots[TERMS_NONE] = (struct terms_slot){0};
    }
    return terms->slot_count++;
}

uint32_t terms_keep(struct terms *terms, struct term term)
{
    /* The map holds the number as its value; numbers start at 1, so that none is NULL. */
    uint32_t number = (uint32_t)(uintptr_t)map_get(&terms->by_bytes, term.data, term.size);
    if (number) {
        terms->slots[number].uses++;
        return number;
    }
    number = terms_new_slot(terms);
    terms->slots[number] =
        (struct terms_slot){.data = memory_copy(term.data, term.size), .size = term.size, .uses = 1};
    terms->bytes += term.size;
    (void)map_put(&terms->by_bytes, term.data, term.size, (void *)(uintptr_t)number);
    return number;
}

void terms_hold(struct terms *terms, uint32_t number)
{
    if (number == TERMS_NONE)
        return;
    assert(terms->slots[number].uses > 0);
    terms->slots[number].uses++;
}

void terms_release(struct terms *terms, uint32_t number)
{
    if (number == TERMS_NONE)
        return;
    struct terms_slot *slot = &terms->slots[number];
    assert(slot->uses > 0);
    if (--slot->uses)
        return;
    (void)map_remove(&terms->by_bytes, slot->data, slot->size);
    terms->bytes -= slot->size;
    free(slot->data);
    *slot = (struct terms_slot){.next_free = terms->free_slot};
    terms->free_slot = number;
}

struct term terms_get(const struct terms *terms, uint32_t number)
{
    return (struct term){terms->slots[number].data, terms->slots[number].size};
}
