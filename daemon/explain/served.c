/* When operations were answered. */
#include "explain_private.h"

/* Ends of operations are kept when they are so far apart. */
#define SERVED_APART_NS (CLOCK_NS_PER_MS / 5)

void served_note(struct track *served, struct served one)
{
    const struct served *items = served->items;
    const struct served *last = served->count ? &items[served->count - 1] : NULL;
    if (last && last->ended_ns + SERVED_APART_NS > one.ended_ns)
        return;
    if (last && last->sent_ns > one.sent_ns)
        one.sent_ns = last->sent_ns;
    *(struct served *)track_add(served, sizeof(one), EXPLAIN_SERVED) = one;
}

struct served_times served_all(const struct track *served)
{
    return (struct served_times){.items = served->items, .count = served->count, .is_cut = served->first > 0};
}
