/* What limits of this daemon have done to a run: operations that the end of a connection has made fail end as
 * if their node had gone, and only here it is known why. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "run_limits_private.h"

static struct run_limit *limits_find_or_add(struct run *run, const char *node, enum conn_limit limit)
{
    LIST_EACH(struct run_limit, known, &run->limits, link)
        if (known->limit == limit && strcmp(known->node, node) == 0)
            return known;
    struct run_limit *added = memory_zalloc(1, sizeof(*added));
    added->limit = limit;
    memcpy(added->node, node, strlen(node) + 1);
    list_append(&run->limits, &added->link);
    return added;
}

/* Operations that have lost their way, or their answer; false when the run has lost nothing. */
static bool limits_has_lost(const struct run *run, const struct peer *peer, uint64_t *operations)
{
    bool has_lost = run->session.peer == peer || run->teller.peer == peer;
    *operations = 0;
    if (!run->engine || !engine_is_on(run->engine))
        return has_lost;
    if (run->session.peer == peer)
        *operations = engine_in_flight_customs(run->engine);
    for (size_t i = 0; i < targets_count(run->targets); i++) {
        if (!targets_are_on(run->targets, i, peer))
            continue;
        has_lost = true;
        *operations += engine_in_flight_to(run->engine, i);
    }
    return has_lost;
}

void run_limits_reached(struct run *run, const struct peer *peer)
{
    uint64_t operations;
    if (!limits_has_lost(run, peer, &operations))
        return;
    struct run_limit *limit = limits_find_or_add(run, peer_name(peer), peer_limit(peer));
    limit->times++;
    limit->operations += operations;
}

struct run_limit *run_limits_cut(struct run *run, const struct peer *peer)
{
    struct run_limit *limit = limits_find_or_add(run, peer_name(peer), CONN_LIMIT_FRAME);
    limit->times++;
    return limit;
}

void run_limits_free(struct run *run)
{
    for (struct run_limit *limit; (limit = LIST_FIRST(&run->limits, struct run_limit, link));) {
        list_remove(&run->limits, &limit->link);
        free(limit);
    }
}
