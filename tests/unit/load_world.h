/* A world for the load engine: a clock that only the test moves, targets that answer when the test has them,
 * and what the engine tells. Nothing here waits: time goes from one thing that is due to the next. */
#ifndef HARNESSD_TESTS_LOAD_WORLD_H
#define HARNESSD_TESTS_LOAD_WORLD_H

#include "scenario_text.h"

#include "load/engine.h"

#define MS CLOCK_NS_PER_MS
#define WORLD_TARGETS 4
#define WORLD_SENT 100000
#define WORLD_APPLIED 1000

struct world_target {
    bool is_away;             /* reaching it fails */
    enum target_failure away; /* so */
    bool is_congested;
    bool is_silent;       /* never answers */
    bool is_lost_at_send; /* a message to it ends the way to it */
    bool is_open;         /* it was reached */
    uint64_t latency_ns;  /* of its answers */
    uint64_t free_ns;     /* it does one after the other when it is busy: when it is done with all so far */
    bool is_busy;
    size_t reached; /* how often it was set out for */
    size_t looked;  /* and looked at again */
};

/* A message that was sent to a target. */
struct world_sent {
    uint64_t at_ns;
    uint64_t pass;   /* of the loop */
    uint64_t due_ns; /* of its answer; UINT64_MAX: there is none */
    uint32_t target;
    int64_t tag; /* -1: it is no call */
    struct buffer message;
};

struct world_applied {
    uint32_t thread;
    uint64_t step;
    bool is_strict;
};

struct world {
    struct loop loop;
    struct clock clock;
    struct counters counters;
    struct scenario *scenario;
    struct engine *engine;
    uint64_t now_ns;
    uint64_t begun_ns;
    uint64_t wake_ns;
    struct world_target targets[WORLD_TARGETS];
    struct world_sent *sent;
    size_t held; /* of them, those that were not copied */
    size_t sent_count;
    size_t answered; /* all before it have their answer, or never do */
    struct world_applied applied[WORLD_APPLIED];
    size_t applied_count;
    size_t started;
    size_t over;
    size_t seconds;
    size_t succeeded; /* of operations that are answered */
    size_t failed;
    struct observation seen; /* the last one */
    bool stops_at_second;
    struct departures departures;
    struct departure *departure; /* that there was last */
    uint64_t departure_pass;
    bool keeps_departures;      /* nothing leaves unless the test says so */
    struct slow_operation slow; /* the last that was told of, and how many were */
    size_t slow_count;
};

static inline uint64_t world_clock(void *owner)
{
    return ((struct world *)owner)->now_ns;
}

/* --- The way to the targets --- */

static inline void world_reach(void *owner, size_t target)
{
    struct world *world = owner;
    struct world_target *reached = &world->targets[target];
    if (reached->is_open)
        return;
    reached->reached++;
    if (reached->is_away) {
        engine_target_failed(world->engine, target, reached->away, TERM_LONG(TERM_ATOM("away")));
        return;
    }
    reached->is_open = true;
    engine_target_open(world->engine, target);
}

static inline bool world_is_open(void *owner, size_t target)
{
    const struct world *world = owner;
    return world->targets[target].is_open && !world->targets[target].is_congested;
}

/* The message without what is around it, and its tag. */
static inline struct term world_take_apart(struct term message, int64_t *tag)
{
    struct term parts[3], from[2], cast[2];
    *tag = -1;
    if (term_read_tuple_of(message, 3, parts) && term_is_atom(parts[0], "$gen_call")) {
        assert_true(term_read_tuple_of(parts[1], 2, from));
        assert_true(term_read_integer(from[1], tag));
        return parts[2];
    }
    return term_read_tuple_of(message, 2, cast) && term_is_atom(cast[0], "$gen_cast") ? cast[1] : message;
}

static inline bool world_send(void *owner, size_t target, struct term message)
{
    struct world *world = owner;
    struct world_target *to = &world->targets[target];
    assert_true(to->is_open);
    assert_true(world->sent_count < WORLD_SENT);
    struct world_sent *sent = &world->sent[world->sent_count++];
    *sent = (struct world_sent){
        .at_ns = world->now_ns, .pass = world->loop.pass, .due_ns = UINT64_MAX, .target = (uint32_t)target};
    term_keep(&sent->message, world_take_apart(message, &sent->tag));
    if (sent->tag >= 0 && !to->is_silent) {
        uint64_t from_ns = to->is_busy && to->free_ns > world->now_ns ? to->free_ns : world->now_ns;
        sent->due_ns = to->free_ns = from_ns + to->latency_ns;
    }
    to->is_open = !to->is_lost_at_send;
    return to->is_open;
}

static inline bool world_send_held(void *owner, size_t target, struct term head, struct term tail,
                                   struct blob *held)
{
    struct world *world = owner;
    struct term_builder whole = {0};
    assert_true(blob_has(held, tail.data) && blob_has(held, tail.data + tail.size - 1));
    if (head.size)
        term_build_term(&whole, head);
    term_build_term(&whole, tail);
    bool is_open = world_send(owner, target, term_built(&whole));
    term_build_free(&whole);
    world->held++;
    return is_open;
}

/* A pass has one, whatever target it is for; a test may say when it leaves, and how. */
static inline struct departure *world_departure(void *owner, size_t target)
{
    struct world *world = owner;
    (void)target;
    if (world->departure && world->departure_pass == world->loop.pass)
        return departure_hold(world->departure);
    departure_release(world->departure);
    world->departure = departure_new(&world->departures);
    world->departure_pass = world->loop.pass;
    if (!world->keeps_departures)
        world->departure->ns = world->now_ns;
    return departure_hold(world->departure);
}

static inline void world_look_again(void *owner, size_t target)
{
    struct world *world = owner;
    assert_true(world->targets[target].is_open);
    world->targets[target].looked++;
}

static inline struct term world_server(void *owner, size_t target)
{
    (void)owner;
    (void)target;
    return TERM_ATOM("server");
}

static const struct target_way world_way = {.reach = world_reach,
                                            .is_open = world_is_open,
                                            .look_again = world_look_again,
                                            .send = world_send,
                                            .send_held = world_send_held,
                                            .departure = world_departure,
                                            .server = world_server};

/* --- What the engine tells --- */

static inline void world_wake(void *owner, uint64_t when_ns)
{
    ((struct world *)owner)->wake_ns = when_ns;
}

static inline void world_started(void *owner)
{
    ((struct world *)owner)->started++;
}

static inline void world_over(void *owner)
{
    struct world *world = owner;
    assert_false(engine_is_on(world->engine));
    world->over++;
}

static inline void world_observed(void *owner, const struct observation *seen)
{
    struct world *world = owner;
    assert_true(seen->target < world->scenario->target_count);
    assert_true(seen->now_ns <= world->now_ns);
    assert_true(seen->sent_ns <= seen->now_ns);
    world->seen = *seen;
    world->succeeded += seen->is_ok;
    world->failed += !seen->is_ok;
}

static inline void world_apply(void *owner, uint32_t thread, uint64_t step, struct term hook,
                               struct term arguments)
{
    struct world *world = owner;
    assert_int_equal(term_type(arguments), TERM_LIST);
    assert_true(world->applied_count < WORLD_APPLIED);
    world->applied[world->applied_count++] =
        (struct world_applied){.thread = thread, .step = step, .is_strict = term_is_atom(hook, "strict")};
}

static inline void world_second(void *owner)
{
    struct world *world = owner;
    world->seconds++;
    if (world->stops_at_second)
        engine_stop(world->engine);
}

static inline void world_slow(void *owner, const struct slow_operation *slow)
{
    struct world *world = owner;
    world->slow = *slow;
    world->slow_count++;
}

static const struct engine_events world_events = {.wake = world_wake,
                                                  .started = world_started,
                                                  .over = world_over,
                                                  .observed = world_observed,
                                                  .apply = world_apply,
                                                  .second = world_second,
                                                  .slow = world_slow};

/* --- Time --- */

/* The answer that is due first; NULL: none is awaited. */
static inline struct world_sent *world_next_answer(struct world *world)
{
    struct world_sent *first = NULL;
    while (world->answered < world->sent_count && world->sent[world->answered].due_ns == UINT64_MAX)
        world->answered++;
    for (size_t i = world->answered; i < world->sent_count; i++)
        if (world->sent[i].due_ns != UINT64_MAX && (!first || world->sent[i].due_ns < first->due_ns))
            first = &world->sent[i];
    return first;
}

static inline struct arrived world_arrived(const struct world *world)
{
    return (struct arrived){.ns = world->now_ns, .by_kernel = true};
}

static inline void world_answer(struct world *world, struct world_sent *sent, struct term reply)
{
    sent->due_ns = UINT64_MAX;
    engine_reply(world->engine, sent->tag, TERM_LONG(reply), world_arrived(world));
    loop_finish(&world->loop);
}

/* Has all happen that is due until then. */
static inline void world_run(struct world *world, uint64_t until_ns)
{
    loop_finish(&world->loop);
    for (;;) {
        struct world_sent *answer = world_next_answer(world);
        uint64_t answer_ns = answer ? answer->due_ns : UINT64_MAX;
        uint64_t wake_ns = engine_is_on(world->engine) ? world->wake_ns : UINT64_MAX;
        uint64_t next_ns = answer_ns < wake_ns ? answer_ns : wake_ns;
        if (next_ns > until_ns || next_ns == UINT64_MAX)
            break;
        if (next_ns > world->now_ns)
            world->now_ns = next_ns;
        if (answer_ns < wake_ns) {
            world_answer(world, answer, TERM_ATOM("ok"));
        } else {
            world->wake_ns = UINT64_MAX;
            engine_work(world->engine);
            loop_finish(&world->loop);
        }
    }
    if (until_ns != UINT64_MAX && until_ns > world->now_ns)
        world->now_ns = until_ns;
}

/* --- Beginning and end --- */

static inline void world_make_with(struct world *world, const char *text, size_t customs_most)
{
    *world = (struct world){.now_ns = 1000 * CLOCK_NS_PER_S, .wake_ns = UINT64_MAX};
    loop_init(&world->loop);
    world->clock = (struct clock){.ns = world_clock, .owner = world};
    world->sent = memory_zalloc(WORLD_SENT, sizeof(*world->sent));
    world->scenario = read_good(text);
    assert_true(world->scenario->target_count <= WORLD_TARGETS);
    counters_init(&world->counters);
    struct engine_options options = {.scenario = world->scenario,
                                     .seed = 7,
                                     .pid = TERM_ATOM("pid"),
                                     .customs_most = customs_most,
                                     .events_most = 100000,
                                     .event_bytes_most = 100000000,
                                     .loop = &world->loop,
                                     .clock = &world->clock,
                                     .way = &world_way,
                                     .way_owner = world,
                                     .counters = &world->counters,
                                     .has_observer = true,
                                     .events = &world_events,
                                     .owner = world};
    world->engine = engine_new(&options);
    for (size_t i = 0; i < WORLD_TARGETS; i++)
        world->targets[i].latency_ns = MS;
}

static inline void world_begin(struct world *world)
{
    assert_false(engine_is_on(world->engine));
    engine_begin(world->engine);
    assert_true(engine_is_on(world->engine));
    world->begun_ns = world->now_ns;
}

static inline void world_make(struct world *world, const char *text)
{
    world_make_with(world, text, 10);
    world_begin(world);
}

static inline void world_free(struct world *world)
{
    engine_free(world->engine);
    departure_release(world->departure);
    departures_free(&world->departures);
    for (size_t i = 0; i < world->sent_count; i++)
        buffer_free(&world->sent[i].message);
    free(world->sent);
    scenario_free(world->scenario);
    counters_free(&world->counters);
    loop_free(&world->loop);
}

static inline const struct load_record *world_record(const struct world *world)
{
    return engine_record(world->engine);
}

/* How many errors have this reason. */
static inline uint64_t world_errors(const struct world *world, const char *reason)
{
    struct term_builder built = {0}, wanted = {0};
    struct term count;
    int64_t number = 0;
    struct term_pairs pairs;
    struct term key;
    errors_build(&world_record(world)->errors, &built);
    (void)term_from_text(&wanted, reason);
    assert_true(term_pairs_start(&pairs, term_built(&built)));
    while (term_pairs_next(&pairs, &key, &count))
        if (term_same(key, term_built(&wanted)))
            assert_true(term_read_integer(count, &number));
    term_build_free(&built);
    term_build_free(&wanted);
    return (uint64_t)number;
}

#endif
