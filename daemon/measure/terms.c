#include "measure/terms.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

struct terms_slot {
    struct term term;       /* the key in the map, unless it is long */
    struct term_kept *kept; /* which is found by where it is */
    uint32_t uses;
    uint32_t next_free;
};

static void terms_free_kept(struct terms_slot *slot)
{
    term_kept_free(slot->kept);
    free(slot->kept);
}

void terms_free(struct terms *terms)
{
    for (uint32_t i = 0; i < terms->slot_count; i++)
        if (terms->slots[i].kept)
            terms_free_kept(&terms->slots[i]);
    free(terms->slots);
    map_free(&terms->by_bytes);
    map_free(&terms->by_place);
    buffer_free(&terms->place);
    *terms = (struct terms){0};
}

void terms_let_go(struct terms *terms)
{
    struct map_cursor cursor = {0};
    for (const struct map_entry *entry; (entry = map_next(&terms->by_place, &cursor));) {
        struct terms_slot *slot = &terms->slots[(uint32_t)(uintptr_t)entry->value];
        terms_free_kept(slot);
        slot->kept = NULL;
    }
    map_free(&terms->by_place);
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

/* One that is held is the same as another when both are in one place behind the same head. Nobody compares
 * what is there: that would take as long as copying it. */
static struct term terms_place(struct terms *terms, const struct term_long *term)
{
    struct buffer *place = &terms->place;
    buffer_truncate(place, 0);
    buffer_append(place, &term->tail.data, sizeof(term->tail.data));
    buffer_append(place, &term->tail.size, sizeof(term->tail.size));
    buffer_append(place, term->head.data, term->head.size);
    return term_of(place);
}

static uint32_t terms_keep_held(struct terms *terms, const struct term_long *term)
{
    const struct term place = terms_place(terms, term);
    struct map_entry *entry = map_entry_of(&terms->by_place, place.data, place.size);
    uint32_t number = (uint32_t)(uintptr_t)entry->value;
    if (number) {
        terms->slots[number].uses++;
        return number;
    }
    number = terms_new_slot(terms);
    struct terms_slot slot = {.kept = memory_zalloc(1, sizeof(*slot.kept)), .uses = 1};
    term_kept_set(slot.kept, term);
    terms->slots[number] = slot;
    terms->bytes += slot.kept->size;
    entry->value = (void *)(uintptr_t)number;
    return number;
}

static void terms_forget_held(struct terms *terms, struct terms_slot *slot)
{
    const struct term_long term = term_kept_long(slot->kept);
    const struct term place = terms_place(terms, &term);
    (void)map_remove(&terms->by_place, place.data, place.size);
    terms_free_kept(slot);
}

static uint32_t terms_keep_shared(struct terms *terms, struct term term)
{
    /* The map holds the number as its value; numbers start at 1, so that none is NULL. */
    struct map_entry *entry = map_entry_of(&terms->by_bytes, term.data, term.size);
    uint32_t number = (uint32_t)(uintptr_t)entry->value;
    if (number) {
        terms->slots[number].uses++;
        return number;
    }
    number = terms_new_slot(terms);
    terms->slots[number] = (struct terms_slot){.term = {entry->key, term.size}, .uses = 1};
    terms->bytes += term.size;
    entry->value = (void *)(uintptr_t)number;
    return number;
}

uint32_t terms_keep(struct terms *terms, const struct term_long *term)
{
    struct buffer joined = {0};
    if (term_long_is_held(term))
        return terms_keep_held(terms, term);
    uint32_t number = terms_keep_shared(terms, term_long_join(term, &joined));
    buffer_free(&joined);
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
    terms->bytes -= slot->kept ? slot->kept->size : slot->term.size;
    if (slot->kept)
        terms_forget_held(terms, slot);
    else
        (void)map_remove(&terms->by_bytes, slot->term.data, slot->term.size);
    *slot = (struct terms_slot){.next_free = terms->free_slot};
    terms->free_slot = number;
}

struct term_long terms_get(const struct terms *terms, uint32_t number)
{
    const struct terms_slot *slot = &terms->slots[number];
    return slot->kept ? term_kept_long(slot->kept) : (struct term_long){.tail = slot->term};
}
