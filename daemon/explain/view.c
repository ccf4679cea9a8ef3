/* What was seen, as evidence of the time that operations are to be explained for, and what that says: of all
 * that is kept, only what touches that time is gone through. */
#include "explain_private.h"

/* It begins so long before an operation, and with so many looks more: what was seen before says what a
 * process was at. */
#define VIEW_BEFORE_NS (10 * EXPLAIN_MS)
#define VIEW_LOOKS_BEFORE 2

/* --- Of each kind the last ones, back to the first that is over before: by its index the one behind that ---
 */

static size_t view_first_heartbeat(const struct track *heartbeats, uint64_t from_ns)
{
    const struct heartbeat *items = heartbeats->items;
    size_t first = heartbeats->count;
    while (first && !(items[first - 1].answered_ns && items[first - 1].answered_ns < from_ns))
        first--;
    return first;
}

static size_t view_first_look(const struct track *looks, uint64_t from_ns)
{
    const struct look *items = looks->items;
    size_t first = looks->count;
    while (first && !(items[first - 1].answered_ns && items[first - 1].answered_ns < from_ns))
        first--;
    return first > VIEW_LOOKS_BEFORE ? first - VIEW_LOOKS_BEFORE : 0;
}

static size_t view_first_block(const struct track *blocks, uint64_t from_ns)
{
    const struct block *items = blocks->items;
    size_t first = blocks->count;
    while (first && items[first - 1].lapse.to_ns >= from_ns)
        first--;
    return first;
}

static size_t view_first_stall(const struct track *stalls, uint64_t from_ns)
{
    const struct lapse *items = stalls->items;
    size_t first = stalls->count;
    while (first && items[first - 1].to_ns >= from_ns)
        first--;
    return first;
}

/* --- As evidence --- */

/* A process that waits where it always does is in its loop. */
static void view_judge_looks(const struct subject *subject, size_t first)
{
    struct look *looks = subject->looks.items;
    const uint64_t *tops = subject->tops.items;
    for (size_t i = first; subject->idle && i < subject->looks.count; i++) {
        if (tops[i] != subject->idle)
            continue;
        if (looks[i].state == LOOK_WAITING)
            looks[i].state = LOOK_IDLE;
        else if (looks[i].state == LOOK_RUNNING)
            looks[i].state = LOOK_LOOPING;
        else if (looks[i].state == LOOK_BLOCKED)
            looks[i].state = LOOK_SUSPENDED;
    }
}

static void view_judge_blocks(const struct subject *subject, size_t first)
{
    struct block *blocks = subject->blocks.items;
    for (size_t i = first; i < subject->blocks.count; i++)
        blocks[i].is_certain = monitors_is_certain(subject->node, &blocks[i]);
}

static void view_add_subject(struct evidence *evidence, const struct subject *subject, uint64_t from_ns)
{
    const size_t look = view_first_look(&subject->looks, from_ns);
    const size_t block = view_first_block(&subject->blocks, from_ns);
    view_judge_looks(subject, look);
    view_judge_blocks(subject, block);
    if (subject->looks.count)
        evidence->looks = (const struct look *)subject->looks.items + look;
    evidence->look_count = subject->looks.count - look;
    if (subject->blocks.count)
        evidence->blocks = (const struct block *)subject->blocks.items + block;
    evidence->block_count = subject->blocks.count - block;
    evidence->served = subject->served.items;
    evidence->served_count = subject->served.count;
}

static struct evidence view_evidence(const struct explain *explain, const struct explain_node *node,
                                     const struct subject *subject, uint64_t from_ns)
{
    const size_t stall = view_first_stall(&explain->stalls, from_ns);
    struct evidence evidence = {.now_ns = explain_now(explain)};
    if (explain->stalls.count)
        evidence.stalls = (const struct lapse *)explain->stalls.items + stall;
    evidence.stall_count = explain->stalls.count - stall;
    if (node) {
        const size_t heartbeat = view_first_heartbeat(&node->heartbeats, from_ns);
        if (node->heartbeats.count)
            evidence.heartbeats = (const struct heartbeat *)node->heartbeats.items + heartbeat;
        evidence.heartbeat_count = node->heartbeats.count - heartbeat;
        evidence.way_ns = node->clock.is_known ? node->clock.error_ns : 0;
        evidence.is_local = node->is_local;
    }
    if (subject)
        view_add_subject(&evidence, subject, from_ns);
    return evidence;
}

/* --- Once in a round, and again for one that has begun earlier: many operations have the same --- */

static void view_make(struct explain *explain, struct view *view, const struct pending *pending)
{
    const uint64_t sent_ns = pending->slow.sent_ns;
    view->round = explain->round;
    view->from_ns = sent_ns > VIEW_BEFORE_NS ? sent_ns - VIEW_BEFORE_NS : 0;
    view->callee = pending->callee;
    view->evidence = view_evidence(explain, pending->node, pending->subject, view->from_ns);
    if (view->callee)
        view->of_callee = view_evidence(explain, view->callee->node, view->callee, view->from_ns);
    causes_find_spans(&view->spans, (struct lapse){view->from_ns, UINT64_MAX}, &view->evidence,
                      view->callee ? &view->of_callee : NULL);
}

const struct view *view_of(struct explain *explain, const struct pending *pending)
{
    struct view *view = pending->subject ? &pending->subject->view
                        : pending->node  ? &pending->node->view
                                         : NULL;
    if (view && (view->round != explain->round || view->callee != pending->callee ||
                 view->from_ns + VIEW_BEFORE_NS > pending->slow.sent_ns))
        view_make(explain, view, pending);
    return view;
}
