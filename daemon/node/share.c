#include "node/share.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct share_holder {
    size_t amount;
    struct map processes; /* of a node: each with something of it is a holder as well */
};

static void share_free_holders(struct map *holders)
{
    struct map_cursor cursor = {0};
    for (const struct map_entry *entry; (entry = map_next(holders, &cursor));) {
        struct share_holder *holder = entry->value;
        share_free_holders(&holder->processes); /* which have none */
        free(holder);
    }
    map_free(holders);
}

void share_free(struct share *share)
{
    share_free_holders(&share->nodes);
    share->taken = 0;
}

/* How much more somebody may have who has `held`: after that as much is left as they have. */
static size_t share_more(size_t left, size_t held)
{
    return left > held ? (left - held) / 2 : 0;
}

static struct share_holder *share_add(struct map *holders, const void *name, size_t size, size_t amount)
{
    struct map_entry *entry = map_entry_of(holders, name, size);
    if (!entry->value)
        entry->value = memory_zalloc(1, sizeof(struct share_holder));
    struct share_holder *holder = entry->value;
    holder->amount += amount;
    return holder;
}

static void share_subtract(struct map *holders, const void *name, size_t size, size_t amount)
{
    struct share_holder *holder = map_get(holders, name, size);
    assert(holder && holder->amount >= amount);
    holder->amount -= amount;
    if (holder->amount)
        return;
    (void)map_remove(holders, name, size);
    map_free(&holder->processes);
    free(holder);
}

bool share_take(struct share *share, const char *node, struct term process, size_t amount)
{
    const size_t size = strlen(node), left = share->most > share->taken ? share->most - share->taken : 0;
    const struct share_holder *holder = map_get(&share->nodes, node, size);
    assert(amount);
    if (holder) {
        const struct share_holder *its = map_get(&holder->processes, process.data, process.size);
        const size_t more = share_more(left, holder->amount);
        if (amount > (its ? share_more(more, its->amount) : more))
            return false;
    }
    share->taken += amount;
    share_add(&share_add(&share->nodes, node, size, amount)->processes, process.data, process.size, amount);
    return true;
}

void share_give_back(struct share *share, const char *node, struct term process, size_t amount)
{
    const size_t size = strlen(node);
    struct share_holder *holder = map_get(&share->nodes, node, size);
    assert(holder);
    share_subtract(&holder->processes, process.data, process.size, amount);
    share_subtract(&share->nodes, node, size, amount);
    share->taken -= amount;
}
