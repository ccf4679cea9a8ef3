/* Faults of one process that an agent of its node does, as far as tests want them to have come. */
#ifndef HARNESSD_TESTS_FAULTS_ACTING_H
#define HARNESSD_TESTS_FAULTS_ACTING_H

#include "faults_world.h"

#define FOUND "{found, none, [{undefined, $p, c, app, c}]}"

/* A fault of one process that is on app@target: its agent has been told what to do. */
static inline void world_make_acting(struct world *world, const char *chaos)
{
    world_make(world, chaos, "");
    world_begin(world);
    assert_int_equal(world->agent_count, 1);
    assert_string_equal(world->agents[0].node, CALLER);
    assert_int_equal(world->asked_count, 0); /* it has not started yet */
    world_agent_starts(world, 0);
    world_expect_asked(world, 0, "{find, {process, c}}");
    world_answer(world, 0, FOUND);
    assert_int_equal(world->agent_count, 2);
    assert_string_equal(world->agents[1].node, "app@target");
    world_agent_starts(world, 1);
    assert_int_equal(world->asked_count, 2);
}

/* One that lasts is in effect. */
static inline void world_make_held(struct world *world)
{
    world_make_acting(world, "{suspend, 50}");
    world_expect_asked(world, 1, "{hold, {suspend, [$p]}, 50}");
    world_answer(world, 1, "{holding, 1, now}");
}

#endif
