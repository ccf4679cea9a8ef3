/* A run alone in the world: its machine is real, and whoever works for it is played by the test, who only
 * notes what he was asked for. */
#ifndef HARNESSD_TESTS_RUN_WORLD_H
#define HARNESSD_TESTS_RUN_WORLD_H

#include "scenario_text.h"

#include "machine_private.h"
#include "run/resolution.h"
#include "term/term_text.h"

static struct world {
    struct run run;
    struct scenario *scenario;
    struct term_builder result;
    struct load_record record;
    struct buffer asked; /* the names of what was called, each behind a space */
    uint64_t armed_ns;
    struct loop_task *piece; /* that waits for its turn */
    bool session_is_there;
    bool script_is_active;
    bool measures;     /* the session answers measurements, later */
    bool probes_start; /* there are some, and they take their time; likewise all below */
    bool probes_stop;
    bool plans;
    bool recovers; /* a target that has not answered since a fault */
    bool tail_ends;
    bool heals;
    bool refuses;
    bool resolves;
    bool session_down_ends_load;
    size_t report_pieces; /* that are still to be written */
    size_t settle_pieces; /* that slow operations are still to be explained in */
    bool reports;         /* the purpose of the last one: its result */
    size_t done;
    bool raised;
} world;

static inline void world_note(const char *call)
{
    buffer_print(&world.asked, " %s", call);
}

static inline bool world_was_asked(const char *call)
{
    char name[64];
    snprintf(name, sizeof(name), " %s ", call);
    buffer_append(&world.asked, " ", 2);
    bool found = strstr((const char *)buffer_bytes(&world.asked), name) != NULL;
    buffer_truncate(&world.asked, world.asked.size - 2);
    return found;
}

static inline void world_done(void *owner, const struct run *run, struct term raised)
{
    assert_null(owner);
    assert_ptr_equal(run, &world.run);
    world.done++;
    world.raised = raised.data != NULL;
}

/* Everything takes its time in it, so that a run rests in each state that it enters. */
static inline void world_make(const char *scenario)
{
    world = (struct world){.measures = true,
                           .probes_start = true,
                           .probes_stop = true,
                           .plans = true,
                           .heals = true,
                           .resolves = true,
                           .session_is_there = true,
                           .script_is_active = true,
                           .report_pieces = 1};
    world.scenario = read_good(scenario);
    struct run *run = &world.run;
    run->targets = (struct targets *)&world; /* whose functions are the test's */
    run->scenario = run->request.scenario = world.scenario;
    run->request.result = &world.result;
    run->request.done = world_done;
    run->faults = (struct faults *)&world; /* nobody looks at it */
    run->engine = (struct engine *)&world;
    term_kept_set(&run->context, TERM_LONG(TERM_EMPTY_MAP));
    term_build_atom(&run->group_leader, "nil");
    strcpy(run->subject_spec.node, world.scenario->hooks_node);
}

static inline void world_free(void)
{
    struct run *run = &world.run;
    struct buffer *const kept[] = {&run->subject, &run->verdict.raised, &world.asked};
    struct term_kept *const terms[] = {&run->context,
                                       &run->chaos.result,
                                       &run->chaos.failure,
                                       &run->verdict.failure,
                                       &run->verdict.cleanup_failure,
                                       &world.record.thread_failure};
    for (size_t i = 0; i < ARRAY_LENGTH(kept); i++)
        buffer_free(kept[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(terms); i++)
        term_kept_free(terms[i]);
    term_build_free(&run->written);
    term_build_free(&run->group_leader);
    term_build_free(&world.result);
    scenario_free(world.scenario);
}

/* What is kept, as text; "" when there is none. */
static inline const char *world_text(const struct term_kept *kept, char *text, size_t size)
{
    const struct term_long term = term_kept_long(kept);
    return term_long_text(&term, text, size);
}

/* The first failure of the run, as text; "" when there is none. */
static inline const char *world_failure(void)
{
    static char text[500];
    return world_text(&world.run.verdict.failure, text, sizeof(text));
}

/* --- Runs of it --- */

/* With all hooks, expectations and faults: a run rests in each state. */
#define HOOKS                                                                                                \
    "setup => {m, f, []}, cleanup => {m, f, []}, invariant => {m, f, []}, steady_state => {m, f, []}"
#define ALL                                                                                                  \
    "#{" HOOKS ", chaos => {suspend, 50}, performance_expectations => [{max_time_ms, 1}], recovery_wait_ms " \
    "=> 9, threads => [[a]]}"
/* Nothing of it needs a session. */
#define PLAIN "#{target => c, threads => [[a]], recovery_wait_ms => 9}"

static const struct expectations whole_run = {0};

static inline void make(const char *scenario)
{
    world_make(scenario);
    if (strcmp(scenario, PLAIN) != 0)
        world.run.request.expectations = &whole_run;
    world.recovers = world.tail_ends = true;
}

/* Puts the run into a state as if it had come there. */
static inline void put(enum run_state state)
{
    struct run *run = &world.run;
    run->set_up = state > RUN_SETUP;
    run->chaos.running = state >= RUN_STARTING && state <= RUN_CHAOS_WAIT;
    run_enter(run, state);
    assert_int_equal(run->state, state);
    buffer_truncate(&world.asked, 0);
}

static inline void tell(enum run_event event, const char *detail)
{
    struct term_builder builder = {0};
    struct run *run = &world.run;
    if (event == RUN_EVENT_OBSERVED) {
        run->measurements.awaited = false;
        run->probes.awaited = 0;
    }
    run_event(run, event, TERM_LONG(detail ? term_from_text(&builder, detail) : (struct term){0}));
    term_build_free(&builder);
}

/* It has come, for which the run has asked. */
static inline void turn(void)
{
    assert_ptr_equal(world.piece, &world.run.turn);
    world.piece = NULL;
    tell(RUN_EVENT_TURN, NULL);
}

static inline void expect_state(enum run_state state)
{
    assert_string_equal(run_state_name(world.run.state), run_state_name(state));
}

/* Whether what was asked for since the last look is this, in this order, among other things. */
static inline void expect_asked(const char *const *calls, size_t count)
{
    buffer_append(&world.asked, " ", 2);
    const char *at = (const char *)buffer_bytes(&world.asked);
    for (size_t i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof(name), " %s ", calls[i]);
        const char *found = strstr(at, name);
        if (!found)
            fail_msg("no %s in%s", calls[i], at);
        at = found + strlen(name) - 1;
    }
    buffer_truncate(&world.asked, 0);
}

#define EXPECT_ASKED(...)                                                                                    \
    expect_asked((const char *const[]){__VA_ARGS__}, ARRAY_LENGTH(((const char *const[]){__VA_ARGS__})))

#endif
