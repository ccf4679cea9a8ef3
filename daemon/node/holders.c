#include "holders_private.h"

#include <stdlib.h>

#include "base/memory.h"

size_t holders_limit(const struct holders *holders)
{
    return holders->held < HOLDERS_LIMIT ? (HOLDERS_LIMIT - holders->held) / 2 : 0;
}

size_t holders_held(const struct holders *holders, struct term pid)
{
    const struct holder *holder = map_get(&holders->map, pid.data, pid.size);
    return holder ? holder->held : 0;
}

struct holder *holders_hold(struct holders *holders, struct term pid)
{
    struct map_entry *entry = map_entry_of(&holders->map, pid.data, pid.size);
    if (!entry->value) {
        struct holder *holder = memory_zalloc(1, sizeof(*holder));
        holder->pid = (struct term){entry->key, entry->key_size};
        entry->value = holder;
    }
    struct holder *holder = entry->value;
    holder->held++;
    holders->held++;
    return holder;
}

void holders_let_go(struct holders *holders, struct holder *holder)
{
    holders->held--;
    if (--holder->held)
        return;
    map_remove(&holders->map, holder->pid.data, holder->pid.size);
    free(holder);
}
