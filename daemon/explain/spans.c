#include "spans_private.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/memory.h"

/* A heartbeat that takes longer was kept waiting, and so was a look. */
#define SPANS_HEARTBEAT_NS (5 * CLOCK_NS_PER_MS)
#define SPANS_LOOK_NS (3 * CLOCK_NS_PER_MS)

/* An operation that is ahead of a heartbeat may take a node so long. */
#define SPANS_AHEAD_NS (20 * CLOCK_NS_PER_US)

/* Messages that are many; those of fewer are told by the handlers that they wait for. */
#define SPANS_QUEUE 50

/* What is asked first, layer by layer: what one says hides what those behind it say of the same time. */
enum spans_layer {
    SPANS_BLOCKS,     /* the process did not give its scheduler back */
    SPANS_HEARTBEATS, /* the node was late */
    SPANS_LATE,       /* the process was, or who looked at it */
    SPANS_SEEN,       /* it was seen */
    SPANS_STALLS,     /* this daemon was late */
    SPANS_BACK,       /* answers of the node were */
    SPANS_LAYERS
};

void spans_free(struct spans *spans)
{
    free(spans->items);
    *spans = (struct spans){.count = 0};
}

static struct span *spans_append(struct spans *spans, struct span span)
{
    if (spans->count == spans->capacity) {
        spans->capacity = spans->capacity ? 2 * spans->capacity : 16;
        spans->items = memory_resize(spans->items, spans->capacity, sizeof(*spans->items));
    }
    spans->items[spans->count] = span;
    return &spans->items[spans->count++];
}

/* In the order of their beginnings; what was said before stays. */
static void spans_add(struct spans *spans, uint64_t from_ns, uint64_t to_ns, enum cause cause, size_t item)
{
    if (spans->count && from_ns < spans->items[spans->count - 1].lapse.to_ns)
        from_ns = spans->items[spans->count - 1].lapse.to_ns;
    if (from_ns < to_ns)
        (void)spans_append(spans,
                           (struct span){.lapse = {from_ns, to_ns}, .cause = cause, .item = (uint32_t)item});
}

/* --- This daemon, the node --- */

static void spans_add_stalls(struct spans *spans, const struct evidence *evidence)
{
    for (size_t i = 0; i < evidence->stall_count; i++)
        spans_add(spans, evidence->stalls[i].from_ns, evidence->stalls[i].to_ns, CAUSE_DAEMON, i);
}

/* Something was not acknowledged for long, or was sent again. */
static bool spans_has_lost(const struct heartbeat *heartbeat, const struct evidence *evidence)
{
    return !evidence->is_local && (heartbeat->unacked || heartbeat->retransmits);
}

static uint64_t spans_back_ns(const struct heartbeat *heartbeat, const struct evidence *evidence)
{
    return heartbeat->done_ns + evidence->way_ns;
}

static bool spans_is_late_back(const struct heartbeat *heartbeat, const struct evidence *evidence)
{
    return heartbeat->done_ns &&
           heartbeat->answered_ns > spans_back_ns(heartbeat, evidence) + SPANS_HEARTBEAT_NS;
}

/* The node's system has had it, and the node has not come to it. Of another host that is known when it was
 * acknowledged, and not just along with the answer. */
static bool spans_was_taken(const struct heartbeat *heartbeat, const struct evidence *evidence)
{
    if (evidence->is_local)
        return true;
    return heartbeat->taken_ns &&
           (!heartbeat->answered_ns || heartbeat->answered_ns > heartbeat->taken_ns + SPANS_HEARTBEAT_NS);
}

/* What a heartbeat that came late is evidence of. A network that is slow without losing anything delays
 * answers as well, and acknowledgements: then it is nothing that was seen. */
static enum cause spans_cause_of_late(const struct heartbeat *heartbeat, const struct evidence *evidence)
{
    if (heartbeat->at_ns && heartbeat_has_long_queues(heartbeat))
        return CAUSE_SCHEDULED_OUT;
    if (spans_has_lost(heartbeat, evidence))
        return CAUSE_NETWORK;
    return heartbeat->was_full || spans_is_late_back(heartbeat, evidence) ||
                   !spans_was_taken(heartbeat, evidence)
               ? CAUSE_UNKNOWN
               : CAUSE_NODE_PAUSED;
}

static uint64_t spans_came_ns(const struct heartbeat *heartbeat, const struct evidence *evidence)
{
    return heartbeat->at_ns         ? heartbeat->at_ns
           : heartbeat->answered_ns ? heartbeat->answered_ns
                                    : evidence->now_ns;
}

/* A node stands still while nothing comes from it for longer than what is ahead of the heartbeat explains:
 * where a server is swamped, heartbeats wait behind calls that are answered meanwhile. */
static void spans_add_pauses(struct spans *spans, const struct evidence *evidence, uint64_t from_ns,
                             uint64_t to_ns, size_t item)
{
    const uint64_t least_ns = SPANS_HEARTBEAT_NS + SPANS_AHEAD_NS * evidence->heartbeats[item].ahead;
    while (from_ns < to_ns) {
        const uint64_t end_ns = evidence_next_end(evidence, from_ns);
        const uint64_t heard_ns = end_ns < to_ns ? end_ns : to_ns;
        if (heard_ns > from_ns + least_ns)
            spans_add(spans, from_ns, heard_ns, CAUSE_NODE_PAUSED, item);
        from_ns = heard_ns;
    }
}

static void spans_add_heartbeats(struct spans *spans, const struct evidence *evidence)
{
    for (size_t i = 0; i < evidence->heartbeat_count; i++) {
        const struct heartbeat *heartbeat = &evidence->heartbeats[i];
        uint64_t due_ns = heartbeat->sent_ns + evidence->way_ns, came_ns = spans_came_ns(heartbeat, evidence);
        if (came_ns <= due_ns + SPANS_HEARTBEAT_NS)
            continue;
        const enum cause cause = spans_cause_of_late(heartbeat, evidence);
        if (cause == CAUSE_NODE_PAUSED)
            spans_add_pauses(spans, evidence, due_ns, came_ns, i);
        else if (cause != CAUSE_UNKNOWN)
            spans_add(spans, due_ns, came_ns, cause, i);
    }
}

/* One that the node was done with in time and whose answer is late was held up on its way back, where
 * something was lost meanwhile. */
static void spans_add_back(struct spans *spans, const struct evidence *evidence)
{
    for (size_t i = 0; i < evidence->heartbeat_count; i++) {
        const struct heartbeat *heartbeat = &evidence->heartbeats[i];
        if (spans_is_late_back(heartbeat, evidence) && spans_has_lost(heartbeat, evidence))
            spans_add(spans, spans_back_ns(heartbeat, evidence), heartbeat->answered_ns, CAUSE_NETWORK, i);
    }
}

/* --- Looks that are late --- */

/* Who looks waits for its turn as the process does. */
static void spans_add_turn(struct spans *spans, const struct evidence *evidence, uint64_t from_ns,
                           uint64_t to_ns)
{
    size_t queues = evidence_long_queues(evidence, from_ns, to_ns);
    if (to_ns > from_ns + SPANS_LOOK_NS && queues != SIZE_MAX)
        spans_add(spans, from_ns, to_ns, CAUSE_SCHEDULED_OUT, queues);
}

/* The process has not answered for so long, though it was its turn: its heap says whether that was it. */
static void spans_add_silence(struct spans *spans, const struct evidence *evidence, size_t index)
{
    const struct look *look = &evidence->looks[index];
    if (look->ended_ns <= look->began_ns + SPANS_LOOK_NS)
        return;
    if (evidence_long_queues(evidence, look->began_ns, look->ended_ns) != SIZE_MAX)
        spans_add_turn(spans, evidence, look->began_ns, look->ended_ns);
    else if (look->state != LOOK_NOTHING && evidence_may_have_collected(evidence, look))
        spans_add(spans, look->began_ns, look->ended_ns, CAUSE_GARBAGE_COLLECTION, index);
}

static void spans_add_late(struct spans *spans, const struct evidence *evidence)
{
    for (size_t i = 0; i < evidence->look_count; i++) {
        const struct look *look = &evidence->looks[i];
        uint64_t due_ns = look->sent_ns + evidence->way_ns;
        if (look->began_ns) {
            spans_add_turn(spans, evidence, due_ns, look->began_ns);
            spans_add_silence(spans, evidence, i);
        } else {
            spans_add_turn(spans, evidence, due_ns, look->answered_ns ? look->answered_ns : evidence->now_ns);
        }
    }
}

/* --- Calls of built-in functions that do not give their scheduler back --- */

static uint64_t spans_overlap_ns(const struct lapse *a, const struct lapse *b)
{
    uint64_t from_ns = a->from_ns > b->from_ns ? a->from_ns : b->from_ns;
    uint64_t to_ns = a->to_ns < b->to_ns ? a->to_ns : b->to_ns;
    return from_ns < to_ns ? to_ns - from_ns : 0;
}

/* Collecting garbage is told of as well. */
static bool spans_have_collected(const struct spans *late, const struct lapse *lapse)
{
    uint64_t collected_ns = 0;
    for (size_t i = 0; i < late->count; i++)
        if (late->items[i].cause == CAUSE_GARBAGE_COLLECTION)
            collected_ns += spans_overlap_ns(&late->items[i].lapse, lapse);
    return 2 * collected_ns > lapse->to_ns - lapse->from_ns;
}

static void spans_add_blocks(struct spans *spans, const struct evidence *evidence, const struct spans *late)
{
    for (size_t i = 0; i < evidence->block_count; i++) {
        const struct lapse *lapse = &evidence->blocks[i].lapse;
        if (evidence->blocks[i].is_certain && !spans_have_collected(late, lapse))
            spans_add(spans, lapse->from_ns, lapse->to_ns, CAUSE_HANDLER, i);
    }
    for (size_t i = 0; i < spans->count; i++)
        spans->items[i].is_block = true;
}

/* --- What looks have seen --- */

/* Causes that one look is enough for. */
static bool spans_is_sure(const struct evidence *evidence, const struct look *look, enum cause *cause)
{
    static const struct {
        bool is_sure;
        enum cause cause;
    } states[] = {
        [LOOK_CALLING] = {true, CAUSE_HANDLER},
        [LOOK_RUNNABLE] = {true, CAUSE_SCHEDULED_OUT},
        [LOOK_COLLECTING] = {true, CAUSE_GARBAGE_COLLECTION},
        [LOOK_SUSPENDED] = {true, CAUSE_SUSPENDED},
        [LOOK_BLOCKED] = {true, CAUSE_REPLY_BLOCKED},
    };
    if (look->state >= ARRAY_LENGTH(states) || !states[look->state].is_sure)
        return false;
    *cause = states[look->state].cause;
    return look->state != LOOK_RUNNABLE ||
           evidence_long_queues(evidence, look->began_ns, look->ended_ns) != SIZE_MAX;
}

static bool spans_is_handling(const struct look *look)
{
    return look->state == LOOK_WAITING || look->state == LOOK_RUNNING || look->state == LOOK_RUNNABLE;
}

struct spans_walk {
    const struct evidence *evidence;
    struct spans *spans;
    bool is_handling; /* it was at the same message up to the look that is at hand */
    bool is_queueing; /* it was working through its mailbox */
};

static void spans_add_seen(const struct spans_walk *walk, const struct look *look, uint64_t from_ns,
                           uint64_t to_ns, enum cause cause)
{
    size_t item = (size_t)(look - walk->evidence->looks), before = walk->spans->count;
    if (cause == CAUSE_SCHEDULED_OUT)
        item = evidence_long_queues(walk->evidence, look->began_ns, look->ended_ns);
    spans_add(walk->spans, from_ns, to_ns, cause, item);
    if (walk->spans->count > before)
        walk->spans->items[before].is_calling = look->state == LOOK_CALLING;
}

/* Messages become fewer, or some of them are known to be done. */
static bool spans_is_queueing(const struct look *a, const struct look *b, uint64_t end_ns)
{
    return spans_is_handling(b) + spans_is_handling(a) + (a->state == LOOK_LOOPING) +
                   (b->state == LOOK_LOOPING) ==
               2 &&
           a->queue >= SPANS_QUEUE && (b->queue < a->queue || end_ns < b->ended_ns);
}

/* Between two looks that have seen other things the one is true for the first half, and the other for the
 * second. Where a look is missing each is true for as long as it was to be until the next one. */
static void spans_add_halves(struct spans_walk *walk, const struct look *a, const struct look *b,
                             bool is_near)
{
    enum cause cause;
    uint64_t from_ns = a->ended_ns, to_ns = b->ended_ns, middle_ns = from_ns + (to_ns - from_ns) / 2;
    uint64_t first_ns = is_near || from_ns + a->reach_ns > middle_ns ? middle_ns : from_ns + a->reach_ns;
    uint64_t second_ns = is_near || middle_ns + b->reach_ns > to_ns ? middle_ns : to_ns - b->reach_ns;
    uint64_t end_ns = evidence_next_end(walk->evidence, from_ns);
    if (spans_is_sure(walk->evidence, a, &cause))
        spans_add_seen(walk, a, from_ns, first_ns, cause);
    else if (walk->is_handling && spans_is_handling(a))
        spans_add_seen(walk, a, from_ns, end_ns < first_ns ? end_ns : first_ns, CAUSE_HANDLER);
    if (spans_is_sure(walk->evidence, b, &cause))
        spans_add_seen(walk, b, second_ns, to_ns, cause);
}

/* Two looks that have seen it at work say that it was at the same message when no operation has ended in
 * between: those that came before are answered before. Two that have waited for it are told at the same
 * moment, and say no more than one. */
static void spans_add_handling(struct spans_walk *walk, const struct look *a, const struct look *b,
                               uint64_t end_ns)
{
    bool is_apart = b->ended_ns - a->ended_ns >= b->reach_ns / 2;
    uint64_t to_ns = end_ns < b->ended_ns ? end_ns : b->ended_ns;
    uint64_t middle_ns = a->ended_ns + (to_ns - a->ended_ns) / 2;
    if (is_apart || walk->is_handling) {
        spans_add_seen(walk, a, a->ended_ns, middle_ns, CAUSE_HANDLER);
        spans_add_seen(walk, b, middle_ns, to_ns, CAUSE_HANDLER);
    }
    walk->is_handling = end_ns >= b->ended_ns && (is_apart || walk->is_handling);
}

/* For how long nobody has asked: while this daemon is late it does not look, and what is the same before and
 * after was so meanwhile; and what was asked and is answered late is about the time in between as well. */
static uint64_t spans_between_ns(const struct evidence *evidence, const struct look *a, const struct look *b)
{
    const struct lapse lapse = {a->ended_ns, b->sent_ns};
    uint64_t between_ns = b->sent_ns > a->ended_ns ? b->sent_ns - a->ended_ns : 0;
    for (size_t i = 0; i < evidence->stall_count; i++)
        between_ns -= spans_overlap_ns(&evidence->stalls[i], &lapse);
    return between_ns;
}

static void spans_add_gap(struct spans_walk *walk, const struct look *a, const struct look *b)
{
    enum cause cause_a = CAUSE_UNKNOWN, cause_b = CAUSE_UNKNOWN;
    uint64_t reach_ns = a->reach_ns > b->reach_ns ? a->reach_ns : b->reach_ns;
    uint64_t end_ns = evidence_next_end(walk->evidence, a->ended_ns);
    bool is_near = spans_between_ns(walk->evidence, a, b) <= 5 * reach_ns / 2;
    bool is_sure = spans_is_sure(walk->evidence, a, &cause_a), is_queueing;
    is_sure = spans_is_sure(walk->evidence, b, &cause_b) && is_sure;
    is_queueing = is_near && spans_is_queueing(a, b, end_ns);
    if (is_near && spans_is_handling(a) && spans_is_handling(b) && !is_sure && !is_queueing) {
        spans_add_handling(walk, a, b, end_ns);
    } else {
        if (is_queueing)
            spans_add_seen(walk, a, a->ended_ns, b->ended_ns, CAUSE_QUEUE);
        else if (is_near && is_sure && a->state == b->state)
            spans_add_seen(walk, a, a->ended_ns, b->ended_ns, cause_a);
        else
            spans_add_halves(walk, a, b, is_near);
        walk->is_handling = false;
    }
    walk->is_queueing = is_queueing;
}

static void spans_add_last(const struct spans_walk *walk, const struct look *look)
{
    enum cause cause;
    uint64_t to_ns = look->ended_ns + look->reach_ns;
    uint64_t end_ns = evidence_next_end(walk->evidence, look->ended_ns);
    if (spans_is_sure(walk->evidence, look, &cause))
        spans_add_seen(walk, look, look->ended_ns, to_ns, cause);
    else if (walk->is_queueing)
        spans_add_seen(walk, look, look->ended_ns, to_ns, CAUSE_QUEUE);
    else if (walk->is_handling)
        spans_add_seen(walk, look, look->ended_ns, end_ns < to_ns ? end_ns : to_ns, CAUSE_HANDLER);
}

static int spans_by_end(const void *a, const void *b)
{
    const struct look *left = *(const struct look *const *)a, *right = *(const struct look *const *)b;
    if (left->ended_ns != right->ended_ns)
        return left->ended_ns < right->ended_ns ? -1 : 1;
    return left < right ? -1 : left > right;
}

static void spans_add_looks(struct spans *spans, const struct evidence *evidence)
{
    struct spans_walk walk = {.evidence = evidence, .spans = spans};
    const struct look **looks = memory_zalloc(evidence->look_count, sizeof(struct look *));
    size_t count = 0;
    for (size_t i = 0; i < evidence->look_count; i++)
        if (evidence->looks[i].ended_ns)
            looks[count++] = &evidence->looks[i];
    if (count)
        qsort(looks, count, sizeof(struct look *), spans_by_end);
    for (size_t i = 0; i + 1 < count; i++)
        spans_add_gap(&walk, looks[i], looks[i + 1]);
    if (count)
        spans_add_last(&walk, looks[count - 1]);
    free(looks);
}

/* --- All together --- */

/* What the first layer that has something says at a time, and until when. */
static const struct span *spans_at(const struct spans layers[SPANS_LAYERS], size_t next[SPANS_LAYERS],
                                   uint64_t at_ns, uint64_t *until_ns)
{
    for (size_t i = 0; i < SPANS_LAYERS; i++) {
        while (next[i] < layers[i].count && layers[i].items[next[i]].lapse.to_ns <= at_ns)
            next[i]++;
        if (next[i] == layers[i].count)
            continue;
        const struct span *span = &layers[i].items[next[i]];
        uint64_t change_ns = span->lapse.from_ns <= at_ns ? span->lapse.to_ns : span->lapse.from_ns;
        if (change_ns < *until_ns)
            *until_ns = change_ns;
        if (span->lapse.from_ns <= at_ns)
            return span;
    }
    return NULL;
}

static void spans_merge(struct spans *spans, const struct spans layers[SPANS_LAYERS], struct lapse lapse)
{
    size_t next[SPANS_LAYERS] = {0};
    spans->count = 0;
    for (uint64_t at_ns = lapse.from_ns; at_ns < lapse.to_ns;) {
        uint64_t until_ns = lapse.to_ns;
        const struct span *said = spans_at(layers, next, at_ns, &until_ns);
        if (said)
            spans_append(spans, *said)->lapse = (struct lapse){at_ns, until_ns};
        assert(until_ns > at_ns);
        at_ns = until_ns;
    }
}

void spans_find(struct spans *spans, const struct evidence *evidence, struct lapse lapse)
{
    struct spans layers[SPANS_LAYERS] = {{0}};
    spans_add_stalls(&layers[SPANS_STALLS], evidence);
    spans_add_heartbeats(&layers[SPANS_HEARTBEATS], evidence);
    spans_add_late(&layers[SPANS_LATE], evidence);
    spans_add_blocks(&layers[SPANS_BLOCKS], evidence, &layers[SPANS_LATE]);
    spans_add_looks(&layers[SPANS_SEEN], evidence);
    spans_add_back(&layers[SPANS_BACK], evidence);
    spans_merge(spans, layers, lapse);
    for (size_t i = 0; i < SPANS_LAYERS; i++)
        spans_free(&layers[i]);
}

size_t spans_first(const struct spans *spans, uint64_t at_ns)
{
    size_t low = 0, high = spans->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (spans->items[middle].lapse.to_ns > at_ns)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* --- Calls --- */

static void spans_put_part(struct spans *output, const struct span *call, const struct spans *callee)
{
    for (size_t i = 0; i < callee->count; i++) {
        struct span part = callee->items[i];
        if (!spans_overlap_ns(&part.lapse, &call->lapse))
            continue;
        if (part.lapse.from_ns < call->lapse.from_ns)
            part.lapse.from_ns = call->lapse.from_ns;
        if (part.lapse.to_ns > call->lapse.to_ns)
            part.lapse.to_ns = call->lapse.to_ns;
        part.is_callee = true;
        (void)spans_append(output, part);
    }
}

void spans_put_callee(struct spans *spans, const struct spans *callee)
{
    struct spans output = {0};
    for (size_t i = 0; i < spans->count; i++) {
        if (spans->items[i].is_calling)
            spans_put_part(&output, &spans->items[i], callee);
        else
            (void)spans_append(&output, spans->items[i]);
    }
    spans_free(spans);
    *spans = output;
}
