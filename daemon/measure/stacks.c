#include "measure/stacks.h"

#include <stdlib.h>

#include "base/memory.h"

void stacks_free(struct stacks *stacks)
{
    free(stacks->items);
    map_free(&stacks->by_term);
    *stacks = (struct stacks){.count = 0};
}

static uint32_t stacks_add(struct stacks *stacks, struct term stack)
{
    if (stacks->count == STACKS_MOST || stack.size > STACKS_ONE_BYTES ||
        stack.size > STACKS_BYTES - stacks->bytes)
        return STACKS_NONE;
    if (!stacks->items)
        stacks->items = memory_zalloc(STACKS_MOST, sizeof(*stacks->items));
    struct term *kept = &stacks->items[stacks->count++];
    struct map_entry *entry = map_entry_of(&stacks->by_term, stack.data, stack.size);
    entry->value = kept;
    *kept = (struct term){entry->key, stack.size};
    stacks->bytes += stack.size;
    return (uint32_t)stacks->count;
}

uint32_t stacks_number(struct stacks *stacks, struct term stack)
{
    const struct term *kept = map_get(&stacks->by_term, stack.data, stack.size);
    return kept ? (uint32_t)(kept - stacks->items) + 1 : stacks_add(stacks, stack);
}

struct term stacks_at(const struct stacks *stacks, uint32_t number)
{
    return number && number <= stacks->count ? stacks->items[number - 1] : (struct term){0};
}
