/* What operations tell of recovery. */
#include "recovery_private.h"

#include "faults_private.h"

/* An answer that is later than usual by more than that was waited for: less is not told from chance. */
#define RECOVERY_SLACK_NS (10 * CLOCK_NS_PER_MS)

/* Whoever fails again in so much time before the end of the load is not seen to have recovered. */
#define RECOVERY_END_NS CLOCK_NS_PER_S

/* As TCP judges how late an answer may be (RFC 6298): the mean, and four times the mean deviation. */
bool recovery_is_wait(const struct recovery *recovery, uint64_t waited_ns)
{
    return waited_ns > recovery->usual_ns + 4 * recovery->spread_ns + RECOVERY_SLACK_NS;
}

static void recovery_learn(struct recovery *recovery, uint64_t service_ns)
{
    int64_t difference = (int64_t)(service_ns - recovery->usual_ns);
    uint64_t distance = (uint64_t)(difference < 0 ? -difference : difference);
    recovery->usual_ns = (uint64_t)((int64_t)recovery->usual_ns + difference / 8);
    recovery->spread_ns =
        (uint64_t)((int64_t)recovery->spread_ns + ((int64_t)distance - (int64_t)recovery->spread_ns) / 4);
}

/* --- Recovering --- */

static void recovery_count(struct faults *faults, uint64_t recovery_ns)
{
    faults->has_recovered = true;
    if (recovery_ns > faults->longest_recovery_ns)
        faults->longest_recovery_ns = recovery_ns;
}

/* What neither failed nor waited was never away: that the next operation came only later says nothing. */
void recovery_settle(struct faults *faults, struct recovery_watch *watch, uint64_t sent_ns, uint64_t now_ns)
{
    struct recovery *recovery = recovery_of(faults, watch->target);
    watch->errors = recovery->errors - watch->errors_before;
    watch->waited |= recovery_is_wait(recovery, now_ns - sent_ns);
    watch->recovered_ns = watch->again_ns ? watch->again_ns : now_ns;
    watch->recovery_ns = 0;
    if (watch->target != TARGET_ANY && (watch->errors || watch->waited))
        watch->recovery_ns = watch->recovered_ns - watch->effect_ns;
    list_remove(&recovery->waiting, &watch->waiting);
    recovery_count(faults, watch->recovery_ns);
    if (!watch->injection)
        recovery_free_watch(faults, watch);
}

/* A message without an answer is taken for a success as long as nobody knows better. */
static bool recovery_is_success(const struct recovery *recovery, const struct recovery_watch *watch,
                                const struct observation *seen)
{
    return seen->sent_ns >= watch->from_ns && (seen->is_answered || seen->sent_ns >= watch->known_ns) &&
           recovery_is_complete(recovery);
}

static void recovery_take_success(struct faults *faults, struct recovery *recovery,
                                  const struct observation *seen)
{
    LIST_EACH(struct recovery_watch, watch, &recovery->waiting, waiting) {
        if (!watch->effect_ns && seen->is_answered) {
            watch->early_sent_ns = seen->sent_ns;
            watch->early_ended_ns = seen->now_ns;
        } else if (watch->effect_ns && recovery_is_success(recovery, watch, seen)) {
            recovery_settle(faults, watch, seen->sent_ns, seen->now_ns);
        } else if (watch->effect_ns && seen->now_ns > watch->effect_ns && watch->target != TARGET_ANY) {
            watch->waited |= recovery_is_wait(recovery, seen->now_ns - watch->effect_ns);
        }
    }
}

/* The first success since its last relapse. */
static void recovery_answered_again(struct recovery_watch *latest, const struct observation *seen)
{
    if (latest && latest->relapsed_ns && !latest->again_ns && seen->sent_ns >= latest->relapsed_ns)
        latest->again_ns = seen->now_ns;
}

static void recovery_succeeded(struct faults *faults, const struct observation *seen)
{
    struct recovery *recovery = recovery_of(faults, seen->target), *any = recovery_of(faults, TARGET_ANY);
    struct recovery *whole = recovery_of_whole(faults, seen->target);
    recovery_pay(faults, seen);
    if (whole && whole != recovery && whole->waiting.count) /* all were away, and are no more */
        recovery_take_success(faults, whole, seen);
    if (recovery->waiting.count)
        recovery_take_success(faults, recovery, seen);
    else if (seen->is_answered)
        recovery_learn(recovery, seen->now_ns - seen->sent_ns);
    if (any->waiting.count)
        recovery_take_success(faults, any, seen);
    if (recovery->answered_effects != faults->effects && seen->sent_ns >= faults->latest_effect_ns) {
        recovery->answered_effects = faults->effects;
        recovery->answered_ns = seen->now_ns;
    }
    if (seen->is_answered)
        recovery_answered_again(recovery->latest, seen);
}

/* --- Failing --- */

/* Whoever fails from a fault on is touched by it as well, whomever it was done to. */
static void recovery_touch(struct faults *faults, struct recovery *recovery, size_t failed)
{
    struct injection *injection = faults->latest;
    size_t target = recovery_number(faults, failed);
    recovery->looked_effects = faults->effects;
    if (!injection || recovery_find(injection, target))
        return;
    struct recovery_watch *watch = recovery_add(faults, injection, target, injection->part_count);
    if (!watch)
        return;
    watch->errors_before = recovery->errors - 1; /* this one is its first */
    watch->effect_ns = watch->known_ns = watch->from_ns = faults->latest_effect_ns;
    recovery->latest = watch;
    recovery_owe(faults, failed, watch->from_ns);
    if (recovery->answered_effects == faults->effects && recovery_is_complete(recovery))
        recovery_settle(faults, watch, recovery->answered_ns, recovery->answered_ns);
}

/* A fault is being done to it, and when that takes effect is not known yet. */
static bool recovery_is_hit(const struct recovery *recovery)
{
    LIST_EACH(const struct recovery_watch, watch, &recovery->waiting, waiting)
        if (!watch->effect_ns)
            return true;
    return false;
}

/* What was sent before it had recovered may fail long after, and is no relapse. */
static void recovery_failed_again(struct recovery_watch *latest, const struct observation *seen)
{
    latest->last_error_ns = seen->now_ns;
    if (latest->relapsed_ns || (latest->recovered_ns && seen->sent_ns >= latest->recovered_ns)) {
        latest->relapsed_ns = seen->now_ns;
        latest->again_ns = 0;
    }
}

/* The failure may be seen before the word of the fault that it comes of: it is no earlier one's. */
static void recovery_failed(struct faults *faults, const struct observation *seen)
{
    struct recovery *recovery = recovery_of(faults, seen->target);
    recovery->errors++;
    recovery->last_error_ns = seen->now_ns;
    if (recovery->waiting.count)
        recovery_owe(faults, seen->target, faults->latest_effect_ns);
    if (recovery_is_hit(recovery))
        return;
    if (faults->effects && recovery->looked_effects != faults->effects)
        recovery_touch(faults, recovery, seen->target);
    if (recovery->latest)
        recovery_failed_again(recovery->latest, seen);
}

void faults_observed(struct faults *faults, const struct observation *seen)
{
    if (seen->is_ok)
        recovery_succeeded(faults, seen);
    else
        recovery_failed(faults, seen);
}

/* --- The end of the load --- */

/* One success between failures is no recovery. One that it has not failed after is, however short the load.
 */
static bool recovery_fails_at_end(const struct recovery *recovery, uint64_t end_ns)
{
    const struct recovery_watch *latest = recovery->latest;
    return latest && latest->recovered_ns && latest->relapsed_ns &&
           latest->relapsed_ns + RECOVERY_END_NS >= end_ns;
}

void faults_load_over(struct faults *faults, uint64_t end_ns)
{
    if (faults->is_load_over)
        return;
    faults->is_load_over = true;
    faults->load_over_ns = end_ns;
    for (size_t i = 0; i < recovery_total(faults); i++) {
        struct recovery *recovery = recovery_of(faults, i);
        if (recovery_number(faults, i) != i || !recovery_fails_at_end(recovery, end_ns))
            continue;
        recovery->latest->recovered_ns = 0;
        recovery->latest->known_ns = end_ns;
        list_append(&recovery->waiting, &recovery->latest->waiting);
    }
}

/* --- What it comes to --- */

bool recovery_is_owed(const struct faults *faults, const struct recovery_watch *watch)
{
    return watch->effect_ns && !watch->recovered_ns &&
           (watch->waited || recovery_errors(faults, watch) || recovery_is_away(faults, watch->target));
}

struct faults_recovery faults_recovery(const struct faults *faults, uint64_t now_ns)
{
    struct faults_recovery answer = {.is_known = faults->has_recovered};
    uint64_t longest_ns = faults->longest_recovery_ns;
    for (size_t i = 0; i < recovery_total(faults); i++) {
        LIST_EACH(const struct recovery_watch, watch, &recovery_of(faults, i)->waiting, waiting) {
            if (watch->target != i || !recovery_is_owed(faults, watch))
                continue;
            answer.is_known = true;
            answer.is_missing |= faults->is_load_over;
            if (now_ns > watch->effect_ns && now_ns - watch->effect_ns > longest_ns)
                longest_ns = now_ns - watch->effect_ns;
        }
    }
    answer.longest_ms = (int64_t)(longest_ns / CLOCK_NS_PER_MS);
    return answer;
}

/* One that was due before the end of the load, and is still being set up. */
static bool recovery_is_coming(const struct faults *faults)
{
    for (const struct injection *injection = faults->active.first; injection;
         injection = injection->links[INJECTIONS_ACTIVE].next)
        if (!injection->effect_ns && injection->due_ns <= faults->load_over_ns)
            return true;
    return false;
}

bool faults_are_recovering(const struct faults *faults)
{
    if (recovery_is_coming(faults))
        return true;
    for (size_t i = 0; i < recovery_total(faults); i++)
        LIST_EACH(const struct recovery_watch, watch, &recovery_of(faults, i)->waiting, waiting)
            if (watch->effect_ns)
                return true;
    return false;
}
