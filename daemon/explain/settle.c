/* Operations that have ended, until their causes are known: for what was asked about them is to be answered
 * first. */
#include "explain_private.h"

/* They wait at least so long, as the last look and the end of a lapse of this daemon may yet be told, and at
 * most so long. */
#define SETTLE_LEAST_NS (5 * EXPLAIN_MS)
#define SETTLE_MOST_NS (2 * CLOCK_NS_PER_S)

/* It takes no longer at a time: the loop has more to do. */
#define SETTLE_PIECE_NS (CLOCK_NS_PER_MS * 3 / 20)

/* So many make room for more. */
#define SETTLE_ROOM 32

static uint64_t settle_service_us(const struct slow_operation *slow)
{
    return slow->ended_ns > slow->sent_ns ? (slow->ended_ns - slow->sent_ns) / CLOCK_NS_PER_US : 0;
}

/* --- What has ended --- */

/* Whether it is among the longest so far. */
static bool settle_is_long(struct explain *explain, uint64_t us)
{
    size_t at = EXPLAIN_SLOWEST - 1;
    if (us <= explain->longest[at])
        return false;
    for (; at && explain->longest[at - 1] < us; at--)
        explain->longest[at] = explain->longest[at - 1];
    explain->longest[at] = us;
    return true;
}

static void settle_some(struct explain *explain);

void settle_add(struct explain *explain, const struct slow_operation *slow, uint64_t now_ns)
{
    struct subject *subject = subjects_of(explain, slow, false);
    bool is_late = slow->ended_ns >= slow->sent_ns + watch_late_ns(explain, slow->operation, now_ns);
    bool is_long = settle_is_long(explain, settle_service_us(slow));
    if (subject && slow->is_answered)
        subjects_note_served(subject, (struct served){slow->ended_ns, slow->sent_ns});
    if (!is_late && !is_long)
        return;
    if (explain->pending_count == EXPLAIN_PENDING)
        settle_some(explain);
    struct pending *pending =
        &explain->pending[(explain->pending_first + explain->pending_count++) % EXPLAIN_PENDING];
    *pending = (struct pending){.slow = *slow, .is_late = is_late, .subject = subject};
    pending->callee = subject ? subject->callee : NULL;
    pending->node = subject ? subject->node : subjects_node_of(explain, slow);
    if (subject)
        subject->pending++;
    if (pending->callee)
        pending->callee->pending++;
}

/* --- What comes of it --- */

/* What nobody has looked at is unknown. */
static void settle_find(struct explain *explain, const struct pending *pending, struct causes *causes)
{
    static const struct view nothing;
    const struct lapse lapse = {pending->slow.sent_ns, pending->slow.ended_ns};
    const struct view *seen = view_of(explain, pending), *view = seen ? seen : &nothing;
    causes_of_spans(causes, lapse, &view->spans, &view->evidence, &view->of_callee);
    if (pending->slow.is_exact)
        causes_drop_daemon(causes);
}

static bool settle_is_fault(const struct explain *explain, const struct pending *pending,
                            struct cause_found *found)
{
    const struct subject *subject = pending->callee ? pending->callee : pending->subject;
    struct cause_effect effect = {.cause = found->share.cause,
                                  .node = pending->node ? pending->node->name : "",
                                  .pid = subject ? term_of(&subject->pid) : (struct term){0},
                                  .from_ns = found->lapse.from_ns,
                                  .to_ns = found->lapse.to_ns};
    if (subject) {
        const struct evidence evidence = {.served = subject->served.items,
                                          .served_count = subject->served.count};
        effect.node = subject->node->name;
        effect.served_ns = evidence_served_ns(&evidence, found->lapse.from_ns);
    }
    uint64_t number = explain->options.way->fault(explain->options.owner, &effect);
    if (number)
        found->share.detail = (struct cause_detail){.kind = CAUSE_FAULT, .number = number};
    return number > 0;
}

/* What is suspended elsewhere than in its loop waits for a connection, unless a fault has suspended it. */
static void settle_look_for_faults(const struct explain *explain, const struct pending *pending,
                                   struct causes *causes)
{
    for (size_t i = 0; i < causes->count; i++) {
        struct cause_found *found = &causes->items[i], other = *found;
        if (found->share.cause == CAUSE_UNKNOWN || settle_is_fault(explain, pending, found))
            continue;
        other.share.cause = CAUSE_SUSPENDED;
        if (found->share.cause == CAUSE_REPLY_BLOCKED && settle_is_fault(explain, pending, &other))
            *found = other;
    }
}

static void settle_sum(struct explain *explain, const struct cause_share *share)
{
    struct explain_sum *sum = &explain->totals.causes[share->cause];
    sum->operations++;
    sum->us += share->us;
    if (share->us <= sum->worst_us)
        return;
    sum->worst_us = share->us;
    sum->detail = share->detail;
}

static void settle_rank(struct explain *explain, const struct explained *explained)
{
    uint64_t us = settle_service_us(&explained->slow);
    size_t at = explain->slowest_count;
    if (at == EXPLAIN_SLOWEST && us <= settle_service_us(&explain->slowest[at - 1].slow))
        return;
    at -= at == EXPLAIN_SLOWEST;
    for (; at && settle_service_us(&explain->slowest[at - 1].slow) < us; at--)
        explain->slowest[at] = explain->slowest[at - 1];
    explain->slowest[at] = *explained;
    explain->slowest_count += explain->slowest_count < EXPLAIN_SLOWEST;
}

static void settle_one(struct explain *explain, const struct pending *pending)
{
    struct causes causes;
    struct explained explained = {.slow = pending->slow};
    settle_find(explain, pending, &causes);
    settle_look_for_faults(explain, pending, &causes);
    explained.share_count = causes.count;
    for (size_t i = 0; i < causes.count; i++)
        explained.shares[i] = causes.items[i].share;
    settle_rank(explain, &explained);
    if (!pending->is_late)
        return;
    explain->totals.operations++;
    for (size_t i = 0; i < causes.count; i++)
        settle_sum(explain, &explained.shares[i]);
    explain->options.way->explained(explain->options.owner, &explained.slow, explained.shares,
                                    explained.share_count);
}

/* --- When --- */

static void settle_first(struct explain *explain)
{
    const struct pending pending = explain->pending[explain->pending_first];
    explain->pending_first = (explain->pending_first + 1) % EXPLAIN_PENDING;
    explain->pending_count--;
    if (pending.subject)
        pending.subject->pending--;
    if (pending.callee)
        pending.callee->pending--;
    settle_one(explain, &pending);
}

/* There is no room for more: with what is known by now. */
static void settle_some(struct explain *explain)
{
    explain->round++;
    for (size_t left = SETTLE_ROOM; left; left--)
        settle_first(explain);
}

/* What was asked before it has ended is answered, or will not be for long. */
static bool settle_is_ripe(const struct explain *explain, const struct pending *pending, uint64_t now_ns)
{
    uint64_t ended_ns = pending->slow.ended_ns;
    if (now_ns < ended_ns + SETTLE_LEAST_NS)
        return false;
    return now_ns > ended_ns + SETTLE_MOST_NS ||
           (!probes_are_awaited(explain, pending->node, pending->subject, ended_ns) &&
            !(pending->callee &&
              probes_are_awaited(explain, pending->callee->node, pending->callee, ended_ns)));
}

bool settle_work(struct explain *explain, uint64_t now_ns)
{
    explain->round++;
    while (explain->pending_count &&
           settle_is_ripe(explain, &explain->pending[explain->pending_first], now_ns)) {
        if (explain_now(explain) > now_ns + SETTLE_PIECE_NS)
            return true;
        settle_first(explain);
    }
    return false;
}

bool settle_all(struct explain *explain)
{
    const uint64_t now_ns = explain_now(explain);
    explain->round++;
    while (explain->pending_count && explain_now(explain) <= now_ns + SETTLE_PIECE_NS)
        settle_first(explain);
    return explain->pending_count > 0;
}
