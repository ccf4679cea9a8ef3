#include "explain_private.h"

#include <stdlib.h>

#include "base/memory.h"

/* This daemon was late when it was woken so much too late. */
#define EXPLAIN_STALL_NS (5 * EXPLAIN_MS)

/* The first targets, which are looked at before they are late. */
#define EXPLAIN_FIRST_TARGETS 16
#define EXPLAIN_FIRST_HEARTBEATS 10

struct explain *explain_new(const struct explain_options *options)
{
    struct explain *explain = memory_zalloc(1, sizeof(*explain));
    explain->options = *options;
    explain->subjects = memory_zalloc(EXPLAIN_SUBJECTS, sizeof(*explain->subjects));
    explain->probes = memory_zalloc(EXPLAIN_PROBES, sizeof(*explain->probes));
    explain->pending = memory_zalloc(EXPLAIN_PENDING, sizeof(*explain->pending));
    return explain;
}

void explain_free(struct explain *explain)
{
    explain_stop(explain);
    probes_drop_all(explain);
    subjects_free(explain);
    probe_terms_free(&explain->terms);
    track_free(&explain->stalls);
    stacks_free(&explain->stacks);
    free(explain->probes);
    free(explain->pending);
    free(explain);
}

static void explain_wake(struct explain *explain, uint64_t when_ns)
{
    explain->due_ns = when_ns;
    explain->options.way->wake(explain->options.owner, when_ns);
}

void explain_begin(struct explain *explain, uint32_t targets)
{
    explain->is_begun = true;
    explain->looks_given_ns = explain_now(explain);
    explain->looks_left = EXPLAIN_LOOKS;
    for (uint32_t i = 0; i < targets && i < EXPLAIN_FIRST_TARGETS; i++) {
        struct subject *subject = subjects_target(explain, i);
        if (!subject)
            continue;
        subject->is_first = true;
        subject->node->first_left = EXPLAIN_FIRST_HEARTBEATS;
    }
    watch_tell(explain);
    explain_wake(explain, explain_now(explain));
}

/* Between when it was to be woken and now this daemon has done something else, or has not run. */
static void explain_note_stall(struct explain *explain, uint64_t now_ns)
{
    if (!explain->due_ns || now_ns <= explain->due_ns + EXPLAIN_STALL_NS)
        return;
    struct lapse *stall = track_add(&explain->stalls, sizeof(*stall), EXPLAIN_STALLS);
    *stall = (struct lapse){explain->due_ns, now_ns};
}

/* What it takes is told of. */
static void explain_took(struct explain *explain, uint64_t began_ns)
{
    explain->took_ns += explain_now(explain) - began_ns;
    explain->totals.daemon_us = explain->took_ns / CLOCK_NS_PER_US;
}

/* Operations are settled before probes are sent, which would wait for that. */
void explain_work(struct explain *explain)
{
    const uint64_t began_ns = explain_now(explain);
    explain_note_stall(explain, began_ns);
    explain->due_ns = 0;
    probes_look_after(explain, began_ns);
    const bool has_more = settle_work(explain, began_ns);
    const uint64_t now_ns = explain_now(explain);
    if (explain->is_stopped) {
        explain->watch_due_ns = UINT64_MAX;
    } else if (now_ns >= explain->watch_due_ns) {
        explain->watch_due_ns = watch_work(explain, now_ns);
        watch_tell(explain);
    }
    uint64_t next_ns = explain->watch_due_ns;
    if (explain->pending_count && next_ns > now_ns + EXPLAIN_STALL_NS)
        next_ns = now_ns + EXPLAIN_STALL_NS;
    explain_took(explain, began_ns);
    if (has_more || next_ns != UINT64_MAX)
        explain_wake(explain, has_more ? now_ns : next_ns);
}

void explain_stop(struct explain *explain)
{
    if (explain->is_begun && !explain->is_stopped)
        explain->options.way->watch_slow(explain->options.owner, UINT64_MAX);
    explain->is_stopped = true;
}

bool explain_settle(struct explain *explain)
{
    const uint64_t began_ns = explain_now(explain);
    const bool has_more = settle_all(explain);
    explain_took(explain, began_ns);
    return has_more;
}

void explain_ended(struct explain *explain, const struct slow_operation *slow)
{
    const uint64_t began_ns = explain_now(explain);
    settle_add(explain, slow, began_ns);
    explain_took(explain, began_ns);
}

void explain_answered(struct explain *explain, uint64_t number, struct term results, uint64_t came_ns)
{
    const uint64_t began_ns = explain_now(explain);
    probes_answered(explain, number, results, came_ns);
    explain_took(explain, began_ns);
}

void explain_found_custom(struct explain *explain, uint32_t thread, uint64_t step, struct term pid)
{
    struct slow_operation slow = {.thread = thread, .step = step, .is_custom = true};
    struct subject *subject = subjects_of(explain, &slow, false);
    if (subject)
        term_keep(&subject->pid, pid);
}

const struct explained *explain_slowest(const struct explain *explain, size_t rank)
{
    return rank < explain->slowest_count ? &explain->slowest[rank] : NULL;
}

const struct explain_totals *explain_totals(const struct explain *explain)
{
    return &explain->totals;
}

const struct stacks *explain_stacks(const struct explain *explain)
{
    return &explain->stacks;
}
