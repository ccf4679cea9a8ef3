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

void recovery_init(struct faults *faults)
{
    faults->recovery_count = faults->options.scenario->target_count + 1;
    faults->recoveries = memory_zalloc(faults->recovery_count, sizeof(*faults->recoveries));
    for (size_t i = 0; i < faults->recovery_count; i++)
        faults->recoveries[i].waiting.kind = INJECTIONS_WATCHED;
}

void recovery_free(struct faults *faults)
{
    free(faults->recoveries);
}

/* The last is for any target. */
static struct recovery *recovery_of(struct faults *faults, size_t target)
{
    return &faults->recoveries[target < faults->recovery_count ? target : faults->recovery_count - 1];
}

void recovery_watch(struct faults *faults, struct injection *injection)
{
    struct recovery *recovery = recovery_of(faults, injection->target);
    if (injection->observed)
        return;
    injection->observed = true;
    injection->errors_seen = &recovery->errors;
    injection->errors_before = recovery->errors;
    injection_list_add(&recovery->waiting, injection);
}

void recovery_unwatch(struct faults *faults, struct injection *injection)
{
    if (!injection->observed)
        return;
    injection->errors = injection_errors(injection);
    injection->observed = false;
    injection_list_remove(&recovery_of(faults, injection->target)->waiting, injection);
}

void recovery_drop(struct faults *faults, struct injection *injection)
{
    struct recovery *recovery = recovery_of(faults, injection->target);
    if (injection->observed && (!recovery->dropped_at_ns || injection->at_ns < recovery->dropped_at_ns)) {
        recovery->dropped_at_ns = injection->at_ns;
        recovery->dropped_errors_before = injection->errors_before;
    }
    recovery_unwatch(faults, injection);
}

static void recovery_count_recovery(struct faults *faults, uint64_t recovery_ns)
{
    faults->has_recovered = true;
    if (recovery_ns > faults->longest_recovery_ns)
        faults->longest_recovery_ns = recovery_ns;
}

/* A success counts once the fault is known to have had its effect: what was answered before it comes before
 * the word of it, as both are sent by the same node. */
static void recovery_succeeded(struct faults *faults, struct recovery *recovery, uint64_t now_ns)
{
    struct injection *injection = recovery->waiting.first, *next;
    for (; injection; injection = next) {
        next = injection->links[INJECTIONS_WATCHED].next;
        if (!injection->effect_ns)
            continue;
        injection->recovered_ns = now_ns;
        recovery_count_recovery(faults, now_ns - injection->at_ns);
        recovery_unwatch(faults, injection);
    }
    if (recovery->dropped_at_ns)
        recovery_count_recovery(faults, now_ns - recovery->dropped_at_ns);
    recovery->dropped_at_ns = 0;
}

void faults_observed(struct faults *faults, size_t target, bool ok, uint64_t now_ns)
{
    if (!faults->options.scenario->action_count) /* in the path of every call */
        return;
    struct recovery *both[] = {recovery_of(faults, target), recovery_of(faults, TARGET_ANY)};
    for (size_t i = both[0] == both[1]; i < ARRAY_LENGTH(both); i++) {
        if (ok)
            recovery_succeeded(faults, both[i], now_ns);
        else
            both[i]->errors++;
    }
}

/* Of those that have not recovered the oldest has waited longest, and seen every error that the others have.
 */
int64_t faults_longest_recovery_ms(const struct faults *faults, uint64_t end_ns)
{
    uint64_t longest = faults->longest_recovery_ns;
    bool found = faults->has_recovered;
    for (size_t i = 0; i < faults->recovery_count; i++) {
        const struct recovery *recovery = &faults->recoveries[i];
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
