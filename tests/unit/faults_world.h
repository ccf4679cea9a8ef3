/* A world for faults: a clock that only the test moves, agents that answer when the test has them, and what
 * the faults tell. */
#ifndef HARNESSD_TESTS_FAULTS_WORLD_H
#define HARNESSD_TESTS_FAULTS_WORLD_H

#include "scenario_text.h"

#include "faults/faults.h"

#define MS CLOCK_NS_PER_MS
#define WORLD_AGENTS 8
#define WORLD_ASKED 20000
#define WORLD_RUN_ID 42

struct world;

struct world_agent {
    struct world *world;
    char node[64];
    uint32_t serial;
    struct buffer key;
    void (*down)(void *owner, struct term reason);
    void *owner;
    bool is_stopped;
};

/* What an agent was asked for. */
struct world_asked {
    size_t agent;
    int64_t number;
    struct buffer request;
};

struct world {
    struct clock clock;
    uint64_t now_ns;
    uint64_t begun_ns;
    uint64_t wake_ns;
    struct scenario *scenario;
    struct target_spec subject;
    struct blast_radius radius;
    struct faults *faults;
    struct world_agent agents[WORLD_AGENTS];
    size_t agent_count;
    struct world_asked asked[WORLD_ASKED];
    size_t asked_count;
    size_t planned;
    size_t healed;
    size_t over;
    size_t injected;
    size_t marks;
    size_t undone;
    bool takes_no_agents;
    uint64_t under_way_ns; /* what agents tell, until it comes */
    struct buffer refusal;
    struct buffer result;
    struct buffer failure;
    struct buffer found; /* what a target was looked up as */
};

static inline uint64_t world_clock(void *owner)
{
    return ((struct world *)owner)->now_ns;
}

/* --- Agents --- */

static inline void *world_start(void *owner, const struct agent_start *start)
{
    struct world *world = owner;
    if (world->takes_no_agents)
        return NULL;
    assert_true(world->agent_count < WORLD_AGENTS);
    struct world_agent *agent = &world->agents[world->agent_count++];
    *agent = (struct world_agent){
        .world = world, .serial = start->serial, .down = start->down, .owner = start->owner};
    snprintf(agent->node, sizeof(agent->node), "%s", start->node);
    term_keep(&agent->key, start->key);
    return agent;
}

static inline void world_send(void *process, struct term message)
{
    const struct world_agent *agent = process;
    struct world *world = agent->world;
    struct term parts[3];
    assert_true(world->asked_count < WORLD_ASKED);
    struct world_asked *asked = &world->asked[world->asked_count++];
    assert_true(term_read_tuple_of(message, 3, parts));
    assert_true(term_same(parts[0], term_of(&agent->key)));
    assert_true(term_read_integer(parts[1], &asked->number));
    asked->agent = (size_t)(agent - world->agents);
    term_keep(&asked->request, parts[2]);
}

static inline void world_stop(void *process, struct term message)
{
    struct world_agent *agent = process;
    struct term parts[2];
    assert_true(term_read_tuple_of(message, 2, parts) && term_is_atom(parts[1], "stop"));
    agent->is_stopped = true;
}

static const struct agent_way world_way = {.start = world_start, .send = world_send, .stop = world_stop};

/* The clock of the agents' nodes, which is another one than ours. */
static inline int64_t world_agent_clock(const struct world *world)
{
    return (int64_t)world->now_ns - 7000 * (int64_t)CLOCK_NS_PER_S;
}

/* A message {Key, Of, Answer, {Node, Clock}} of an agent that was under way for so long. */
static inline void world_tell(struct world *world, size_t agent, const char *of, const char *answer)
{
    struct term_builder message = {0}, parts[2] = {0};
    term_build_tuple(&message, 4);
    term_build_term(&message, term_of(&world->agents[agent].key));
    term_build_term(&message, term_from_text(&parts[0], of));
    term_build_term(&message, term_from_text(&parts[1], answer));
    term_build_tuple(&message, 2);
    term_build_atom(&message, world->agents[agent].node);
    term_build_integer(&message, world_agent_clock(world) - (int64_t)world->under_way_ns);
    assert_true(faults_message(world->faults, term_built(&message)));
    term_build_free(&message);
    term_build_free(&parts[0]);
    term_build_free(&parts[1]);
}

static inline void world_agent_starts(struct world *world, size_t agent)
{
    char started[32];
    assert_true(agent < world->agent_count);
    snprintf(started, sizeof(started), "{started, %u}", world->agents[agent].serial);
    world_tell(world, agent, started, "ok");
}

/* Answers what was asked for at this position, of all that was ever asked for. */
static inline void world_answer(struct world *world, size_t asked, const char *answer)
{
    char number[32];
    assert_true(asked < world->asked_count);
    snprintf(number, sizeof(number), "%lld", (long long)world->asked[asked].number);
    world_tell(world, world->asked[asked].agent, number, answer);
}

/* The last thing that was asked for. */
static inline void world_answer_last(struct world *world, const char *answer)
{
    world_answer(world, world->asked_count - 1, answer);
}

static inline void world_agent_lost(struct world *world, size_t agent, const char *reason)
{
    struct term_builder builder = {0};
    world->agents[agent].down(world->agents[agent].owner, term_from_text(&builder, reason));
    term_build_free(&builder);
}

static inline void world_expect_asked(const struct world *world, size_t asked, const char *text)
{
    struct term_builder builder = {0};
    char found[2000];
    if (asked >= world->asked_count)
        fail_msg("nothing more was asked for than %zu", world->asked_count);
    struct term request = term_of(&world->asked[asked].request);
    if (!term_same(request, term_from_text(&builder, text)))
        fail_msg("%s was asked for, not %s", term_text(request, found, sizeof(found)), text);
    term_build_free(&builder);
}

/* --- What the faults tell --- */

static inline void world_wake(void *owner, uint64_t when_ns)
{
    ((struct world *)owner)->wake_ns = when_ns;
}

static inline void world_planned(void *owner)
{
    ((struct world *)owner)->planned++;
}

static inline void world_refused(void *owner, struct term what)
{
    term_keep(&((struct world *)owner)->refusal, what);
}

static inline void world_over(void *owner, struct term result, struct term failure)
{
    struct world *world = owner;
    world->over++;
    assert_true((result.data == NULL) != (failure.data == NULL));
    term_keep(&world->result, result);
    term_keep(&world->failure, failure);
}

static inline void world_healed(void *owner)
{
    ((struct world *)owner)->healed++;
}

static inline void world_mark(void *owner, uint64_t now_ns, struct term mark)
{
    struct world *world = owner;
    assert_int_equal(now_ns, world->now_ns);
    assert_int_equal(term_type(mark), TERM_MAP);
    world->marks++;
}

static inline void world_injected(void *owner, const struct fault_kind *kind)
{
    assert_non_null(kind);
    ((struct world *)owner)->injected++;
}

static inline struct term world_found(void *owner, size_t target)
{
    (void)target;
    return term_of(&((struct world *)owner)->found);
}

static const struct faults_events world_events = {.wake = world_wake,
                                                  .planned = world_planned,
                                                  .refused = world_refused,
                                                  .over = world_over,
                                                  .healed = world_healed,
                                                  .mark = world_mark,
                                                  .injected = world_injected,
                                                  .found = world_found};

/* --- What is allowed --- */

static inline const char *world_allows_kind(void *owner, const char *kind)
{
    (void)owner;
    return strcmp(kind, "halt_node") == 0 ? "access.chaos.allow" : NULL;
}

static inline const char *world_allows_node(void *owner, const char *node)
{
    (void)owner;
    return strcmp(node, "holy@place") == 0 ? "access.targets.deny" : NULL;
}

static inline const char *world_allows_process(void *owner, const char *name, const char *application)
{
    (void)owner;
    return strcmp(name, "holy") == 0 || strcmp(application, "kernel") == 0 ? "access.names.deny" : NULL;
}

/* --- Time, beginning and end --- */

/* Has all happen that is due until so many milliseconds after the start. */
static inline void world_run(struct world *world, uint64_t at_ms)
{
    uint64_t until_ns = world->begun_ns + at_ms * MS;
    while (world->wake_ns <= until_ns) {
        if (world->wake_ns > world->now_ns)
            world->now_ns = world->wake_ns;
        world->wake_ns = UINT64_MAX;
        faults_work(world->faults);
    }
    if (until_ns > world->now_ns)
        world->now_ns = until_ns;
}

static inline void world_make_for(struct world *world, const char *target, const char *chaos,
                                  const char *more)
{
    char text[2000];
    *world = (struct world){.now_ns = 1000 * CLOCK_NS_PER_S, .wake_ns = UINT64_MAX};
    world->clock = (struct clock){.ns = world_clock, .owner = world};
    world->radius = (struct blast_radius){.forbids_kind = world_allows_kind,
                                          .forbids_node = world_allows_node,
                                          .forbids_process = world_allows_process};
    snprintf(text, sizeof(text), "#{target => %s, threads => [[a]], chaos => %s%s}", target, chaos, more);
    world->scenario = read_good(text);
    struct faults_options options = {.scenario = world->scenario,
                                     .subject = &world->subject,
                                     .run_id = WORLD_RUN_ID,
                                     .seed = 7,
                                     .requester = "shell@host",
                                     .radius = &world->radius,
                                     .clock = &world->clock,
                                     .way = &world_way,
                                     .way_owner = world,
                                     .events = &world_events,
                                     .owner = world};
    world->faults = faults_new(&options);
}

static inline void world_make(struct world *world, const char *chaos, const char *more)
{
    world_make_for(world, "c", chaos, more);
}

/* An operation on a target was sent, and has ended. */
static inline void world_observe(struct world *world, size_t target, uint64_t sent_ns, uint64_t ended_ns,
                                 bool is_ok)
{
    struct observation seen = {
        .target = target, .sent_ns = sent_ns, .now_ns = ended_ns, .is_ok = is_ok, .is_answered = true};
    if (ended_ns > world->now_ns)
        world->now_ns = ended_ns;
    faults_observed(world->faults, &seen);
}

static inline void world_begin(struct world *world)
{
    world->begun_ns = world->now_ns;
    faults_start(world->faults, world->now_ns);
    world_run(world, 0);
}

static inline void world_free(struct world *world)
{
    faults_leave(world->faults);
    faults_free(world->faults);
    for (size_t i = 0; i < world->agent_count; i++)
        buffer_free(&world->agents[i].key);
    for (size_t i = 0; i < world->asked_count; i++)
        buffer_free(&world->asked[i].request);
    buffer_free(&world->refusal);
    buffer_free(&world->result);
    buffer_free(&world->failure);
    buffer_free(&world->found);
    scenario_free(world->scenario);
}

static inline void world_expect_term(const struct buffer *buffer, const char *text)
{
    expect_term(term_of(buffer), text);
}

/* A value of the injection at this position in the record. */
static inline void world_expect_injection(const struct world *world, size_t index, const char *key,
                                          const char *value)
{
    struct term_builder built = {0};
    struct term_list list;
    struct term injection, found;
    faults_build_injections(world->faults, &built);
    assert_true(term_list_start(&list, term_built(&built)));
    for (size_t i = 0; i <= index; i++)
        assert_true(term_list_next(&list, &injection));
    assert_true(term_pairs_get(injection, key, &found));
    expect_term(found, value);
    term_build_free(&built);
}

/* What was not injected, or "none". */
static inline void world_expect_missed(const struct world *world, const char *text)
{
    struct term_builder built = {0};
    bool missed = faults_missed(world->faults, &built);
    assert_int_equal(missed, strcmp(text, "none") != 0);
    if (missed)
        expect_term(term_built(&built), text);
    term_build_free(&built);
}

static inline void world_expect_healed(const struct world *world, bool is_healed)
{
    struct term_builder built = {0};
    faults_build_healed(world->faults, &built);
    assert_int_equal(term_is_atom(term_built(&built), "true"), is_healed);
    term_build_free(&built);
}

/* The one that is not undone, and why. */
static inline void world_expect_left(const struct world *world, const char *reason)
{
    struct term_builder built = {0};
    struct term_list list;
    struct term left, why;
    faults_build_healed(world->faults, &built);
    assert_true(term_list_start(&list, term_built(&built)) && list.count == 1 &&
                term_list_next(&list, &left));
    assert_true(term_pairs_get(left, "reason", &why));
    expect_term(why, reason);
    term_build_free(&built);
}

#endif
