/* A world for the registry of runs: a runner and a node of the test, a folder, a loop, and what the registry
 * tells. Nothing here waits for a time: each pass of the loop is for something that is to happen. */
#ifndef HARNESSD_TESTS_REGISTRY_WORLD_H
#define HARNESSD_TESTS_REGISTRY_WORLD_H

#include "registry_fake_node.h"
#include "registry_fake_runner.h"
#include "remove_tree.h"

#include "base/clock.h"
#include "base/log.h"
#include "registry/runs.h"
#include "report/run_result.h"

#define WORLD_WAIT_NS (30 * CLOCK_NS_PER_S)
#define WORLD_BEGUN 64

struct world {
    struct loop loop;
    struct loop_timer watchdog;
    struct node node;
    struct runner runner;
    char folder[64];
    bool has_no_folder; /* runs are kept in memory only */
    struct runs_limits limits;
    struct audit *audit; /* of the test; NULL: none */
    struct runs *runs;
    uint64_t begun[WORLD_BEGUN]; /* what was told to be on disk */
    size_t begun_count;
    const char *busy; /* why the last one was refused */
    FILE *log;
    struct term_builder status; /* the last that was asked for */
};

/* A wait, and what it came to. */
struct world_wait {
    struct run_wait wait;
    struct buffer result;
    struct buffer raised;
    size_t times;
};

/* --- Beginning and end --- */

static inline void world_nothing_happens(void *owner)
{
    (void)owner;
    fail_msg("nothing happened");
}

/* Everything but the registry itself, for tests that change the limits or the folder first. */
static inline void world_prepare(struct world *world)
{
    *world = (struct world){.limits = {.room = {{2, 100, 100, 100}}, .queued_runs = 3, .suites = 2}};
    world->limits.journal_ns = 1000 * CLOCK_NS_PER_S;
    strcpy(world->folder, "/tmp/registry_test_XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    world->log = fopen("/dev/null", "w");
    log_configure(LOG_LEVEL_INFO, LOG_TEXT, world->log);
    loop_init(&world->loop);
    loop_timer_init(&world->watchdog, &world->loop, world_nothing_happens, world);
    node_make(&world->node, &world->loop);
}

static inline void world_open(struct world *world)
{
    const struct runs_options options = {.node = &world->node,
                                         .runner = &world->runner,
                                         .folder = world->has_no_folder ? NULL : world->folder,
                                         .audit = world->audit,
                                         .limits = world->limits};
    world->runner.is_closed = false;
    world->runner.loop = &world->loop;
    world->runs = runs_new(&options);
}

static inline void world_make(struct world *world)
{
    world_prepare(world);
    world_open(world);
}

static inline void world_close(struct world *world)
{
    runs_close(world->runs);
    assert_true(world->runner.is_closed && world->node.process.is_over);
    assert_int_equal(world->node.monitor_count, 0);
    loop_finish(&world->loop);
    runs_free(world->runs);
    world->runs = NULL;
}

/* The daemon ends and starts again. */
static inline void world_restart(struct world *world)
{
    world_close(world);
    world_open(world);
}

static inline void world_free(struct world *world)
{
    if (world->runs)
        world_close(world);
    node_forget_sent(&world->node);
    term_build_free(&world->status);
    loop_timer_free(&world->watchdog);
    loop_free(&world->loop);
    log_configure(LOG_LEVEL_INFO, LOG_TEXT, NULL);
    fclose(world->log);
    remove_tree(world->folder);
}

static inline void world_pass(struct world *world)
{
    loop_timer_set(&world->watchdog, WORLD_WAIT_NS);
    loop_run_pass(&world->loop);
    loop_finish(&world->loop);
}

#define WORLD_UNTIL(world, condition)                                                                        \
    while (!(condition))                                                                                     \
    world_pass(world)

/* Until the disk has all that it was given. */
static inline void world_settle(struct world *world)
{
    loop_finish(&world->loop);
    WORLD_UNTIL(world, !store_busy(runs_store(world->runs)))
        ;
}

/* --- Starting --- */

static inline void world_begun(void *owner, uint64_t id)
{
    struct world *world = owner;
    assert_true(world->begun_count < WORLD_BEGUN);
    world->begun[world->begun_count++] = id;
}

/* What a run of so many threads is asked for with. */
static inline struct runs_request world_request(struct world *world, size_t threads)
{
    struct scenario *scenario = memory_zalloc(1, sizeof(*scenario));
    scenario->thread_count = threads;
    scenario->metadata = TERM_EMPTY_MAP;
    scenario->target = TERM_ATOM("a_target");
    return (struct runs_request){.scenario = scenario, .by = "start", .begun = world_begun, .owner = world};
}

/* 0 when it is refused, which `busy` says why. */
static inline uint64_t world_ask(struct world *world, const struct runs_request *request)
{
    uint64_t id = 0;
    bool accepted = runs_start(world->runs, request, &id, &world->busy);
    assert_int_equal(accepted, world->busy == NULL);
    if (!accepted)
        scenario_free(request->scenario);
    return id;
}

static inline uint64_t world_start(struct world *world, size_t threads)
{
    struct runs_request request = world_request(world, threads);
    return world_ask(world, &request);
}

static inline struct run *world_run(const struct world *world, uint64_t id)
{
    struct run *run = runner_find(&world->runner, id);
    assert_non_null(run);
    return run;
}

#define WORLD_REPORT "{ok, #{a => report}}"

/* A run that is under way has completed, and what was deferred for that is done. */
static inline void world_end(struct world *world, uint64_t id)
{
    runner_end(world_run(world, id), "completed", WORLD_REPORT, NULL);
    loop_finish(&world->loop);
}

/* The same of one that is started for that; its result is stored. */
static inline uint64_t world_finish_one(struct world *world)
{
    uint64_t id = world_start(world, 1);
    assert_true(id);
    world_end(world, id);
    world_settle(world);
    return id;
}

/* --- Looking --- */

#define world_expect_phase(world, id, phase) assert_int_equal(runs_phase((world)->runs, id), phase)

static inline struct term world_status(struct world *world, uint64_t id, const char *key)
{
    struct term value;
    term_build_reset(&world->status);
    assert_true(runs_build_status(world->runs, id, &world->status));
    assert_true(term_pairs_get(term_built(&world->status), key, &value));
    return value;
}

#define world_expect_status(world, id, key, text) expect_term(world_status(world, id, key), text)

/* --- Waiting --- */

static inline void world_wait_done(void *owner, const struct run_answer *answer)
{
    struct world_wait *wait = owner;
    assert_null(wait->wait.entry);
    wait->times++;
    if (answer->result.data)
        assert_true(answer->result.data >= answer->in->data &&
                    answer->result.data + answer->result.size <= answer->in->data + answer->in->size);
    struct term_builder answered = {0};
    if (wait->wait.kind == RUN_WAIT_RESULT)
        run_result_build(answer->result, false, &answered);
    term_keep(&wait->result, answered.bytes.size ? term_built(&answered) : answer->result);
    term_build_free(&answered);
    term_keep(&wait->raised, answer->raised);
}

static inline bool world_wait(struct world *world, uint64_t id, struct world_wait *wait,
                              enum run_wait_kind kind)
{
    *wait = (struct world_wait){.wait = {.kind = kind, .done = world_wait_done, .owner = wait}};
    return runs_wait(world->runs, id, &wait->wait);
}

/* It has come to this; NULL is nothing. */
static inline void world_expect_answer(struct world_wait *wait, const char *result)
{
    assert_int_equal(wait->times, 1);
    assert_int_equal(wait->result.size != 0, result != NULL);
    if (result)
        expect_term(term_of(&wait->result), result);
    buffer_free(&wait->result);
    buffer_free(&wait->raised);
}

#endif
