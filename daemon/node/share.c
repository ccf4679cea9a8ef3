#include "node/share.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct share_holder {
    size_t amount;
};

void share_free(struct share *share)
{
    struct map_cursor cursor = {0};
    for (const struct map_entry *entry; (entry = map_next(&share->holders, &cursor));)
        free(entry->value);
    map_free(&share->holders);
    share->taken = 0;
}

static bool share_has_room(const struct share *share, const struct share_holder *holder, size_t amount)
{
    size_t held = holder ? holder->amount : 0;
    size_t left = share->most > share->taken ? share->most - share->taken : 0;
    return !held || (amount <= left && held + amount <= left - amount);
}

bool share_take(struct share *share, const char *name, size_t amount)
{
    struct share_holder *holder = map_get(&share->holders, name, strlen(name));
    assert(amount);
    if (!share_has_room(share, holder, amount))
        return false;
    if (!holder) {
        holder = memory_zalloc(1, sizeof(*holder));
        (void)map_put(&share->holders, name, strlen(name), holder);
    }
    holder->amount += amount;
    share->taken += amount;
    return true;
}

void share_give_back(struct share *share, const char *name, size_t amount)
{
    struct share_holder *holder = map_get(&share->holders, name, strlen(name));
    assert(holder && holder->amount >= amount);
    holder->amount -= amount;
    share->taken -= amount;
    if (holder->amount)
        return;
    (void)map_remove(&share->holders, name, strlen(name));
    free(holder);
}
