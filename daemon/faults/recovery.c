#include <stdlib.h>

#include "base/memory.h"
#include "faults_private.h"

/* Each operation on a target is seen by those who wait for that one, and by those who wait for any. */
struct recovery {
    struct injection_list waiting;
    uint64_t errors; /* of operations so far */

    /* The oldest fault of those that were still awaited and are no longer recorded; 0: none. */
    uint64_t dropped_at_ns;
    uint64_t dropped_errors_before;
};

void chaos_recovery_init(struct run_chaos *chaos)
{
    chaos->recovery_count = chaos->run->scenario->target_count + 1;
    chaos->recoveries = memory_zalloc(chaos->recovery_count, sizeof(*chaos->recoveries));
    for (size_t i = 0; i < chaos->recovery_count; i++)
        chaos->recoveries[i].waiting.kind = INJECTIONS_WATCHED;
}

void chaos_recovery_free(struct run_chaos *chaos)
{
    free(chaos->recoveries);
}

/* The last is for any target. */
static struct recovery *recovery_of(struct run_chaos *chaos, size_t target)
{
    return &chaos->recoveries[target < chaos->recovery_count ? target : chaos->recovery_count - 1];
}

void chaos_watch(struct run_chaos *chaos, struct injection *injection)
{
    struct recovery *recovery = recovery_of(chaos, injection->target);
    if (injection->observed)
        return;
    injection->observed = true;
    injection->errors_seen = &recovery->errors;
    injection->errors_before = recovery->errors;
    injection_list_add(&recovery->waiting, injection);
}

void chaos_unwatch(struct run_chaos *chaos, struct injection *injection)
{
    if (!injection->observed)
        return;
    injection->errors = injection_errors(injection);
    injection->observed = false;
    injection_list_remove(&recovery_of(chaos, injection->target)->waiting, injection);
}

void chaos_watch_dropped(struct run_chaos *chaos, struct injection *injection)
{
    struct recovery *recovery = recovery_of(chaos, injection->target);
    if (injection->observed && (!recovery->dropped_at_ns || injection->at_ns < recovery->dropped_at_ns)) {
        recovery->dropped_at_ns = injection->at_ns;
        recovery->dropped_errors_before = injection->errors_before;
    }
    chaos_unwatch(chaos, injection);
}

static void count_recovery(struct run_chaos *chaos, uint64_t recovery_ns)
{
    chaos->has_recovered = true;
    if (recovery_ns > chaos->longest_recovery_ns)
        chaos->longest_recovery_ns = recovery_ns;
}

/* A success counts once the fault is known to have had its effect: what was answered before it comes before
 * the word of it, as both are sent by the same node. */
static void succeeded(struct run_chaos *chaos, struct recovery *recovery, uint64_t now_ns)
{
    struct injection *injection = recovery->waiting.first, *next;
    for (; injection; injection = next) {
        next = injection->links[INJECTIONS_WATCHED].next;
        if (!injection->effect_ns)
            continue;
        injection->recovered_ns = now_ns;
        count_recovery(chaos, now_ns - injection->at_ns);
        chaos_unwatch(chaos, injection);
    }
    if (recovery->dropped_at_ns)
        count_recovery(chaos, now_ns - recovery->dropped_at_ns);
    recovery->dropped_at_ns = 0;
}

void chaos_observed(struct run *run, size_t target, bool ok, uint64_t now_ns)
{
    struct run_chaos *chaos = run->faults;
    if (!chaos)
        return;
    struct recovery *both[] = {recovery_of(chaos, target), recovery_of(chaos, TARGET_ANY)};
    for (size_t i = both[0] == both[1]; i < ARRAY_LENGTH(both); i++) {
        if (ok)
            succeeded(chaos, both[i], now_ns);
        else
            both[i]->errors++;
    }
}

/* Of those that have not recovered the oldest has waited longest, and seen every error that the others have.
 */
int64_t chaos_longest_recovery_ms(const struct run *run)
{
    const struct run_chaos *chaos = run->faults;
    uint64_t end_ns =
        run_record(run)->ended_ns > run_record(run)->started_ns ? run_record(run)->ended_ns : clock_ns();
    uint64_t longest = chaos ? chaos->longest_recovery_ns : 0;
    bool found = chaos && chaos->has_recovered;
    for (size_t i = 0; chaos && i < chaos->recovery_count; i++) {
        const struct recovery *recovery = &chaos->recoveries[i];
        const struct injection *oldest = recovery->waiting.first;
        uint64_t at_ns = UINT64_MAX;
        if (oldest && injection_errors(oldest))
            at_ns = oldest->at_ns;
        if (recovery->dropped_at_ns && recovery->errors > recovery->dropped_errors_before &&
            recovery->dropped_at_ns < at_ns)
            at_ns = recovery->dropped_at_ns;
        if (at_ns == UINT64_MAX)
            continue;
        found = true;
        if (end_ns > at_ns && end_ns - at_ns > longest)
            longest = end_ns - at_ns;
    }
    return found ? (int64_t)(longest / CLOCK_NS_PER_MS) : -1;
}
