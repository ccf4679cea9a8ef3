#include "causes_private.h"

#include "base/clock.h"
#include "base/compiler.h"

/* What has taken less than such a part of an operation is no cause of it. */
#define CAUSES_LEAST_PART 50

/* Stacks of one operation that are told apart. */
#define CAUSES_STACKS 16

/* How long each stack was seen. */
struct causes_stacks {
    size_t count;
    struct {
        uint32_t stack;
        uint64_t ns;
    } items[CAUSES_STACKS];
};

struct causes_sum {
    uint64_t ns;
    struct lapse lapse;
    struct cause_detail detail;
    uint64_t weight; /* of the detail: that with the greatest is told */
};

struct causes_sums {
    struct causes_sum of[CAUSE_COUNT];
    struct causes_stacks stacks[2]; /* of handlers, and of those that are blocked in sending */
};

static uint64_t causes_later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t causes_earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static struct causes_stacks *causes_stacks_of(struct causes_sums *sums, enum cause cause)
{
    return &sums->stacks[cause == CAUSE_REPLY_BLOCKED];
}

static void causes_add_stack(struct causes_stacks *stacks, uint32_t stack, uint64_t ns)
{
    size_t i = 0;
    while (i < stacks->count && stacks->items[i].stack != stack)
        i++;
    if (i == CAUSES_STACKS || stack == STACKS_NONE)
        return;
    stacks->count += i == stacks->count;
    stacks->items[i].stack = stack;
    stacks->items[i].ns += ns;
}

static struct cause_detail causes_most_seen(const struct causes_stacks *stacks)
{
    size_t most = 0;
    for (size_t i = 1; i < stacks->count; i++)
        if (stacks->items[i].ns > stacks->items[most].ns)
            most = i;
    return stacks->count ? (struct cause_detail){.kind = CAUSE_STACK, .stack = stacks->items[most].stack}
                         : (struct cause_detail){.kind = CAUSE_NO_DETAIL};
}

/* The detail that weighs more, or was there first. */
static void causes_weigh(struct causes_sum *sum, struct cause_detail detail, uint64_t weight)
{
    if (sum->detail.kind != CAUSE_NO_DETAIL && weight <= sum->weight)
        return;
    sum->detail = detail;
    sum->weight = weight;
}

static void causes_add_heartbeat(struct causes_sum *sum, const struct heartbeat *heartbeat, enum cause cause)
{
    if (cause == CAUSE_SCHEDULED_OUT)
        causes_weigh(sum, heartbeat->queues, heartbeat->ready);
    else if (cause == CAUSE_NETWORK)
        causes_weigh(
            sum,
            (struct cause_detail){.kind = CAUSE_WIRE, .wire = {heartbeat->unacked, heartbeat->retransmits}},
            (uint64_t)heartbeat->unacked + heartbeat->retransmits);
}

static void causes_add_look(struct causes_sum *sum, const struct look *look, enum cause cause)
{
    if (cause == CAUSE_GARBAGE_COLLECTION)
        causes_weigh(sum,
                     (struct cause_detail){.kind = CAUSE_HEAP, .words = {look->heap_words, look->all_words}},
                     look->all_words);
    else if (cause == CAUSE_QUEUE) /* the first says how many there were at the beginning */
        causes_weigh(sum, (struct cause_detail){.kind = CAUSE_LENGTH, .number = look->queue}, 0);
}

static void causes_add_detail(struct causes_sums *sums, const struct span *span,
                              const struct evidence *evidence, uint64_t ns)
{
    struct causes_sum *sum = &sums->of[span->cause];
    switch (span->cause) {
    case CAUSE_SCHEDULED_OUT:
    case CAUSE_NODE_PAUSED:
    case CAUSE_NETWORK:
        causes_add_heartbeat(sum, &evidence->heartbeats[span->item], span->cause);
        break;
    case CAUSE_HANDLER:
    case CAUSE_REPLY_BLOCKED:
        causes_add_stack(
            causes_stacks_of(sums, span->cause),
            span->is_block ? evidence->blocks[span->item].stack : evidence->looks[span->item].stack, ns);
        break;
    case CAUSE_GARBAGE_COLLECTION:
    case CAUSE_QUEUE:
        causes_add_look(sum, &evidence->looks[span->item], span->cause);
        break;
    case CAUSE_SUSPENDED:
    case CAUSE_DAEMON:
    case CAUSE_UNKNOWN:
    case CAUSE_COUNT:
        break;
    }
}

/* That this daemon was late amid an operation has made it no longer: it has sent it before, and read its
 * answer afterwards. */
static bool causes_is_amid(const struct span *span, struct lapse lapse, const struct evidence *evidence)
{
    const struct lapse *stall = span->cause == CAUSE_DAEMON ? &evidence->stalls[span->item] : NULL;
    return stall && stall->from_ns > lapse.from_ns && stall->to_ns < lapse.to_ns;
}

static void causes_add_span(struct causes_sums *sums, const struct span *span, struct lapse lapse,
                            const struct evidence *evidence)
{
    uint64_t from_ns = causes_later(span->lapse.from_ns, lapse.from_ns);
    uint64_t to_ns = causes_earlier(span->lapse.to_ns, lapse.to_ns);
    struct causes_sum *sum = &sums->of[span->cause];
    if (from_ns >= to_ns || causes_is_amid(span, lapse, evidence))
        return;
    if (!sum->ns)
        sum->lapse.from_ns = from_ns;
    sum->lapse.to_ns = to_ns;
    sum->ns += to_ns - from_ns;
    causes_add_detail(sums, span, evidence, to_ns - from_ns);
}

/* --- In their order --- */

static void causes_put(struct causes *causes, struct cause_found found)
{
    size_t at = causes->count++;
    for (; at && causes->items[at - 1].share.us < found.share.us; at--)
        causes->items[at] = causes->items[at - 1];
    causes->items[at] = found;
}

/* Whole microseconds of each, and the rest. */
static void causes_order(struct causes *causes, struct causes_sums *sums, struct lapse lapse)
{
    uint64_t all_ns = lapse.to_ns - lapse.from_ns, rest_us = all_ns / CLOCK_NS_PER_US;
    *causes = (struct causes){.count = 0};
    for (enum cause i = 0; i < CAUSE_UNKNOWN; i++) {
        struct causes_sum *sum = &sums->of[i];
        uint64_t us = sum->ns / CLOCK_NS_PER_US;
        if (!us || sum->ns < all_ns / CAUSES_LEAST_PART)
            continue;
        if (i == CAUSE_HANDLER || i == CAUSE_REPLY_BLOCKED)
            sum->detail = causes_most_seen(causes_stacks_of(sums, i));
        rest_us -= us;
        causes_put(causes, (struct cause_found){{i, us, sum->detail}, sum->lapse});
    }
    if (rest_us)
        causes_put(causes, (struct cause_found){{.cause = CAUSE_UNKNOWN, .us = rest_us}, lapse});
}

void causes_of_spans(struct causes *causes, struct lapse lapse, const struct spans *spans,
                     const struct evidence *evidence, const struct evidence *callee)
{
    struct causes_sums sums = {0};
    for (size_t i = spans_first(spans, lapse.from_ns);
         i < spans->count && spans->items[i].lapse.from_ns < lapse.to_ns; i++)
        causes_add_span(&sums, &spans->items[i], lapse, spans->items[i].is_callee ? callee : evidence);
    causes_order(causes, &sums, lapse);
}

void causes_drop_daemon(struct causes *causes)
{
    const struct causes all = *causes;
    struct cause_found unknown = {.share = {.cause = CAUSE_UNKNOWN}};
    *causes = (struct causes){.count = 0};
    for (size_t i = 0; i < all.count; i++) {
        const struct cause_found *found = &all.items[i];
        if (found->share.cause != CAUSE_DAEMON && found->share.cause != CAUSE_UNKNOWN) {
            causes_put(causes, *found);
            continue;
        }
        unknown.share.us += found->share.us;
        if (!unknown.lapse.to_ns || found->share.cause == CAUSE_UNKNOWN)
            unknown.lapse = found->lapse;
    }
    if (unknown.share.us)
        causes_put(causes, unknown);
}

void causes_find_spans(struct spans *spans, struct lapse lapse, const struct evidence *evidence,
                       const struct evidence *callee)
{
    struct spans of_callee = {0};
    spans_find(spans, evidence, lapse);
    if (!callee)
        return;
    spans_find(&of_callee, callee, lapse);
    spans_put_callee(spans, &of_callee);
    spans_free(&of_callee);
}

void causes_find(struct causes *causes, struct lapse lapse, const struct evidence *evidence,
                 const struct evidence *callee)
{
    struct spans spans = {0};
    causes_find_spans(&spans, lapse, evidence, callee);
    causes_of_spans(causes, lapse, &spans, evidence, callee);
    spans_free(&spans);
}
