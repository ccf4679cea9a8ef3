#include "node_clock_private.h"

/* The share of the time by which two clocks may come apart. */
#define NODE_CLOCK_DRIFT 100

static uint64_t node_clock_error(const struct node_clock *clock, uint64_t now_ns)
{
    uint64_t age_ns = now_ns > clock->at_ns ? now_ns - clock->at_ns : 0;
    return clock->error_ns + age_ns / NODE_CLOCK_DRIFT;
}

void node_clock_note(struct node_clock *clock, uint64_t sent_ns, int64_t node_ns, uint64_t answered_ns)
{
    uint64_t error_ns = (answered_ns - sent_ns) / 2, middle_ns = sent_ns + error_ns;
    if (clock->is_known && error_ns > node_clock_error(clock, answered_ns))
        return;
    *clock = (struct node_clock){.is_known = true,
                                 .ahead_ns = (int64_t)((uint64_t)node_ns - middle_ns),
                                 .error_ns = error_ns,
                                 .at_ns = answered_ns};
}

uint64_t node_clock_place(const struct node_clock *clock, int64_t node_ns, uint64_t from_ns, uint64_t to_ns)
{
    int64_t placed_ns = (int64_t)((uint64_t)node_ns - (uint64_t)clock->ahead_ns);
    if (!clock->is_known || placed_ns < 0 || (uint64_t)placed_ns < from_ns)
        return from_ns;
    return (uint64_t)placed_ns > to_ns ? to_ns : (uint64_t)placed_ns;
}
