#include "registry/room.h"

#include <assert.h>

const char *room_name(enum room_kind kind)
{
    static const char *const names[ROOM_KINDS] = {[ROOM_RUNS] = "runs",
                                                  [ROOM_THREADS] = "threads",
                                                  [ROOM_IN_FLIGHT] = "in_flight",
                                                  [ROOM_QUEUED_ARRIVALS] = "queued_arrivals"};
    return names[kind];
}

struct room room_of_scenario(const struct scenario *scenario)
{
    bool is_open = scenario->load.model == LOAD_OPEN;
    return (struct room){.amounts = {[ROOM_RUNS] = 1,
                                     [ROOM_THREADS] = is_open ? 0 : scenario->thread_count,
                                     [ROOM_IN_FLIGHT] = scenario->thread_count,
                                     [ROOM_QUEUED_ARRIVALS] = is_open ? scenario->load.max_queued : 0}};
}

bool room_lacks(const struct room *limits, const struct room *taken, const struct room *wanted,
                enum room_kind *kind)
{
    for (*kind = 0; *kind < ROOM_KINDS; (*kind)++) {
        uint64_t limit = limits->amounts[*kind], used = taken->amounts[*kind];
        if (used > limit || wanted->amounts[*kind] > limit - used)
            return true;
    }
    return false;
}

const char *room_name_per_node(enum room_kind kind)
{
    static const char *const names[ROOM_KINDS] = {[ROOM_RUNS] = "runs_per_node",
                                                  [ROOM_THREADS] = "threads_per_node",
                                                  [ROOM_IN_FLIGHT] = "in_flight_per_node"};
    return names[kind];
}

bool room_lacks_per_node(const struct room *limits, const struct room *taken, const struct room *wanted,
                         enum room_kind *kind)
{
    struct room limited = *limits;
    for (size_t i = 0; i < ROOM_KINDS; i++)
        if (!limited.amounts[i])
            limited.amounts[i] = UINT64_MAX;
    return room_lacks(&limited, taken, wanted, kind);
}

void room_take(struct room *taken, const struct room *wanted)
{
    for (size_t kind = 0; kind < ROOM_KINDS; kind++)
        taken->amounts[kind] += wanted->amounts[kind];
}

void room_give(struct room *taken, const struct room *wanted)
{
    for (size_t kind = 0; kind < ROOM_KINDS; kind++) {
        assert(taken->amounts[kind] >= wanted->amounts[kind]);
        taken->amounts[kind] -= wanted->amounts[kind];
    }
}
