#include "evidence_private.h"

#include "base/clock.h"

/* Run queues are long when so many wait for each scheduler: each has a millisecond or two. */
#define EVIDENCE_LONG_QUEUE 5

/* What a heartbeat has seen of the queues holds for so long before and after. */
#define EVIDENCE_QUEUE_NS (3 * CLOCK_NS_PER_MS)

/* A heap that takes milliseconds to be collected, in words. */
#define EVIDENCE_LARGE_HEAP (256 * 1024)

/* Collecting garbage counts as one reduction for some twenty words of it that are kept, but for what is
 * beside the heap. */
#define EVIDENCE_REDUCTION_WORDS 256

bool heartbeat_has_long_queues(const struct heartbeat *heartbeat)
{
    return heartbeat->schedulers && heartbeat->ready >= EVIDENCE_LONG_QUEUE * heartbeat->schedulers;
}

size_t evidence_long_queues(const struct evidence *evidence, uint64_t from_ns, uint64_t to_ns)
{
    size_t longest = SIZE_MAX;
    for (size_t i = 0; i < evidence->heartbeat_count; i++) {
        const struct heartbeat *heartbeat = &evidence->heartbeats[i];
        if (!heartbeat->at_ns || heartbeat->at_ns + EVIDENCE_QUEUE_NS < from_ns ||
            heartbeat->at_ns > to_ns + EVIDENCE_QUEUE_NS || !heartbeat_has_long_queues(heartbeat))
            continue;
        if (longest == SIZE_MAX || heartbeat->ready > evidence->heartbeats[longest].ready)
            longest = i;
    }
    return longest;
}

/* How many of them have ended by then. */
static size_t evidence_ended(const struct evidence *evidence, uint64_t by_ns)
{
    size_t low = 0, high = evidence->served_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (evidence->served[middle].ended_ns > by_ns)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

uint64_t evidence_next_end(const struct evidence *evidence, uint64_t after_ns)
{
    size_t next = evidence_ended(evidence, after_ns);
    return next < evidence->served_count ? evidence->served[next].ended_ns : UINT64_MAX;
}

uint64_t evidence_served_ns(const struct evidence *evidence, uint64_t by_ns)
{
    size_t count = evidence_ended(evidence, by_ns);
    return count ? evidence->served[count - 1].sent_ns : 0;
}

bool evidence_may_have_collected(const struct evidence *evidence, const struct look *look)
{
    const struct look *before = NULL;
    if (look->all_words < EVIDENCE_LARGE_HEAP)
        return false;
    for (size_t i = 0; i < evidence->look_count; i++) {
        const struct look *other = &evidence->looks[i];
        if (other->ended_ns && other->ended_ns <= look->began_ns &&
            (!before || other->ended_ns > before->ended_ns))
            before = other;
    }
    return !before || look->reductions >= before->reductions + look->all_words / EVIDENCE_REDUCTION_WORDS;
}
