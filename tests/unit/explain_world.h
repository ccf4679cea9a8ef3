/* A world for what explains slow operations: a clock that only the test moves, operations that are under way
 * from one time to another, a node that answers probes a moment after they were sent unless it stands still,
 * and a process that is at what the test says. */
#ifndef HARNESSD_TESTS_EXPLAIN_WORLD_H
#define HARNESSD_TESTS_EXPLAIN_WORLD_H

#include "explain_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "term/term_text.h"
#include "term_from_text.h"

#define MS CLOCK_NS_PER_MS
#define WORLD_ZERO_NS (1000 * CLOCK_NS_PER_S)
#define WORLD_AHEAD_NS (-500 * (int64_t)CLOCK_NS_PER_S) /* of the node's clock */
#define WORLD_OPERATIONS 40000
#define WORLD_PROBES 20000
#define WORLD_NODE "app@x"

/* What a process is at: {status, Status}, its stack, as text. */
#define IDLE "waiting", "[{gen_server,loop,7,[]}]", 0
#define SUSPENDED "suspended", "[{gen_server,loop,7,[]}]", 0
#define BURNING "running", "[{bank,audit,1,[]}]", 0
#define CALLING "waiting", "[{gen,do_call,4,[]},{bank,ask,1,[]}]", 0

/* From then on, in ms. */
struct world_phase {
    double at;
    const char *status;
    const char *stack;
    int queue;
};

struct world_operation {
    struct slow_operation slow;
    uint64_t ends_ns;
    bool is_told;
};

struct world_probe {
    uint64_t number;
    uint64_t sent_ns;
    uint64_t due_ns; /* UINT64_MAX: it has ended */
    char functions[200];
    char arguments[400];
    bool is_urgent;
    bool is_linked;
};

struct world {
    struct clock clock;
    struct explain *explain;
    uint64_t now_ns;
    uint64_t wake_ns;
    uint64_t slow_us; /* that is to be told */
    struct usual_time usual;
    struct world_operation *operations;
    size_t operation_count;
    struct world_probe *probes;
    size_t probe_count;
    size_t answered; /* all before it have ended */
    size_t dropped;
    const struct world_phase *phases; /* of the process, the last with a time beyond all */
    struct lapse stopped;             /* the node stands still */
    uint64_t reads_late_ns;           /* answers are read so long after they have come */
    bool is_down;                     /* the node is not connected */
    bool has_name;                    /* the target is known by one */
    bool is_silent;                   /* nothing is acknowledged by its system */
    bool is_remote;                   /* it is on another host */
    uint64_t reading_ns;              /* that each look at the clock takes */
    struct served served;             /* what the target has answered last */
    uint64_t fault_served_ns;         /* as of when a fault was asked for last */
    struct departures departures;
    struct departure *departure; /* of what is sent in this pass; NULL: none is known */
    size_t customs_asked;
    uint64_t fault; /* that is to blame for what is suspended */
    size_t explained;
    uint64_t explained_us[CAUSE_COUNT];
};

static inline uint64_t at(double ms)
{
    return WORLD_ZERO_NS + (uint64_t)(ms * MS);
}

static inline uint64_t world_clock(void *owner)
{
    struct world *world = owner;
    return world->now_ns += world->reading_ns;
}

/* --- What the load knows --- */

static inline size_t world_late(void *owner, uint64_t before_ns, struct slow_operation *late, size_t most)
{
    const struct world *world = owner;
    size_t count = 0;
    for (size_t i = 0; i < world->operation_count && count < most; i++) {
        const struct world_operation *operation = &world->operations[i];
        if (operation->slow.sent_ns < before_ns && operation->ends_ns > world->now_ns)
            late[count++] = operation->slow;
    }
    return count;
}

static inline void world_watch_slow(void *owner, uint64_t least_us)
{
    ((struct world *)owner)->slow_us = least_us;
}

static inline size_t world_kind(void *owner, uint32_t operation)
{
    return ((const struct world *)owner)->usual.count ? 1 + operation : 0;
}

static inline struct usual_time world_usual(void *owner, size_t kind)
{
    assert_in_range(kind, 1, SLOW_KINDS - 1);
    return ((const struct world *)owner)->usual;
}

static inline uint32_t world_in_flight(void *owner)
{
    const struct world *world = owner;
    uint32_t count = 0;
    for (size_t i = 0; i < world->operation_count; i++)
        count += world->operations[i].slow.sent_ns <= world->now_ns &&
                 world->operations[i].ends_ns > world->now_ns;
    return count;
}

static inline struct served world_served(void *owner, uint32_t target)
{
    (void)target;
    return ((const struct world *)owner)->served;
}

/* Each target has a pid of its own. */
static inline bool world_find(void *owner, uint32_t target, struct explain_process *process)
{
    static struct term_builder builder;
    const struct world *world = owner;
    struct term_pid pid = {.node = WORLD_NODE, .id = target + 1, .creation = 1};
    *process = (struct explain_process){.node = WORLD_NODE};
    if (world->has_name) {
        process->name = TERM_ATOM("bank");
        return true;
    }
    term_build_reset(&builder);
    term_build_pid(&builder, &pid);
    process->pid = term_built(&builder);
    return true;
}

static inline void world_find_custom(void *owner, uint32_t thread, uint64_t step)
{
    (void)thread;
    (void)step;
    ((struct world *)owner)->customs_asked++;
}

static inline const char *world_customs_node(void *owner)
{
    (void)owner;
    return WORLD_NODE;
}

static inline uint64_t world_fault(void *owner, const struct cause_effect *effect)
{
    ((struct world *)owner)->fault_served_ns = effect->served_ns;
    assert_string_equal(effect->node, WORLD_NODE);
    assert_true(effect->from_ns < effect->to_ns);
    return effect->cause == CAUSE_SUSPENDED ? ((const struct world *)owner)->fault : 0;
}

static inline void world_wake(void *owner, uint64_t when_ns)
{
    ((struct world *)owner)->wake_ns = when_ns;
}

static inline void world_explained(void *owner, const struct slow_operation *slow,
                                   const struct cause_share *shares, size_t count)
{
    struct world *world = owner;
    uint64_t sum_us = 0;
    for (size_t i = 0; i < count; i++) {
        sum_us += shares[i].us;
        world->explained_us[shares[i].cause] += shares[i].us;
    }
    assert_int_equal(sum_us, (slow->ended_ns - slow->sent_ns) / CLOCK_NS_PER_US);
    world->explained++;
}

static const struct explain_way world_way = {.late = world_late,
                                             .watch_slow = world_watch_slow,
                                             .kind = world_kind,
                                             .usual = world_usual,
                                             .in_flight = world_in_flight,
                                             .served = world_served,
                                             .find = world_find,
                                             .find_custom = world_find_custom,
                                             .customs_node = world_customs_node,
                                             .fault = world_fault,
                                             .wake = world_wake,
                                             .explained = world_explained};

/* --- The node --- */

#define WORLD_WAY_NS (MS / 10)

static inline uint64_t world_runs_ns(const struct world *world, uint64_t at_ns)
{
    return at_ns >= world->stopped.from_ns && at_ns < world->stopped.to_ns ? world->stopped.to_ns : at_ns;
}

static inline bool world_send(void *owner, const struct probe_request *request)
{
    struct world *world = owner;
    if (world->is_down)
        return false;
    assert_string_equal(request->node, WORLD_NODE);
    assert_true(world->probe_count < WORLD_PROBES);
    struct world_probe *probe = &world->probes[world->probe_count++];
    *probe = (struct world_probe){.number = request->number,
                                  .sent_ns = world->now_ns,
                                  .is_urgent = request->is_urgent,
                                  .is_linked = request->is_linked};
    (void)term_text(request->functions, probe->functions, sizeof(probe->functions));
    (void)term_text(request->arguments, probe->arguments, sizeof(probe->arguments));
    probe->due_ns = world_runs_ns(world, world->now_ns + WORLD_WAY_NS) + WORLD_WAY_NS + world->reads_late_ns;
    return true;
}

static inline void world_drop(void *owner, uint64_t number)
{
    struct world *world = owner;
    for (size_t i = world->answered; i < world->probe_count; i++) {
        if (world->probes[i].number != number)
            continue;
        assert_true(world->probes[i].due_ns != UINT64_MAX);
        world->probes[i].due_ns = UINT64_MAX;
        world->dropped++;
    }
}

static inline bool world_monitor(void *owner, const char *node, struct term forms, struct term bindings)
{
    (void)owner;
    (void)node;
    assert_true(term_type(forms) == TERM_LIST && term_type(bindings) == TERM_LIST);
    return true;
}

static inline bool world_wire(void *owner, const char *node, struct wire *wire)
{
    (void)node;
    const struct world *world = owner;
    *wire = (struct wire){.unacked = world->is_silent ? 3 : 0,
                          .silent_ms = world->is_silent ? 1000 : 0,
                          .sent_bytes = 100,
                          .acked_bytes = world->is_silent ? 0 : 100,
                          .is_local = !world->is_remote};
    return true;
}

static inline struct departure *world_departure(void *owner, const char *node)
{
    (void)node;
    return departure_hold(((struct world *)owner)->departure);
}

static const struct probe_way world_probes = {.send = world_send,
                                              .departure = world_departure,
                                              .drop = world_drop,
                                              .monitor = world_monitor,
                                              .wire = world_wire};

static inline bool world_is_look(const struct world_probe *probe)
{
    return strstr(probe->functions, "process_info") != NULL;
}

static inline bool world_is_heartbeat(const struct world_probe *probe)
{
    return strstr(probe->functions, "statistics") != NULL;
}

static inline const struct world_phase *world_phase_at(const struct world *world, uint64_t at_ns)
{
    const struct world_phase *phase = world->phases;
    while (phase[1].status && at(phase[1].at) <= at_ns)
        phase++;
    return phase;
}

static inline void world_answer(struct world *world, struct world_probe *probe)
{
    struct term_builder builder = {0};
    char text[1000];
    uint64_t came_ns = probe->due_ns - world->reads_late_ns, ran_ns = came_ns - WORLD_WAY_NS;
    long long node_ns = (long long)((int64_t)ran_ns + WORLD_AHEAD_NS);
    const struct world_phase *phase = world_phase_at(world, ran_ns);
    probe->due_ns = UINT64_MAX;
    if (world_is_look(probe))
        snprintf(text, sizeof(text),
                 "[%lld, [{status, %s}, {message_queue_len, %d}, {current_stacktrace, %s}, "
                 "{current_function, {m, f, 1}}, {heap_size, 100}, {total_heap_size, 200}, {reductions, 5}, "
                 "{monitors, [{process, {bank, '" WORLD_NODE "'}}]}], %lld, true]",
                 node_ns, phase->status, phase->queue, phase->stack, node_ns + 5000);
    else if (world_is_heartbeat(probe))
        snprintf(text, sizeof(text), "[%lld, [1, 0, 0]%s, %lld]", node_ns,
                 strstr(probe->functions, "whereis") ? ", undefined" : "", node_ns + 1000);
    else /* its system does not say */
        snprintf(text, sizeof(text), "[[$1, $3], {error, enoent}]");
    explain_answered(world->explain, probe->number, term_from_text(&builder, text), came_ns);
    term_build_free(&builder);
}

/* --- Time --- */

static inline struct world_operation *world_add(struct world *world, double from, double to)
{
    assert_true(world->operation_count < WORLD_OPERATIONS);
    struct world_operation *operation = &world->operations[world->operation_count++];
    operation->slow =
        (struct slow_operation){.is_sent = true, .sent_ns = at(from), .step = world->operation_count};
    operation->ends_ns = at(to);
    return operation;
}

static inline struct world_operation *world_next_end(struct world *world)
{
    struct world_operation *next = NULL;
    for (size_t i = 0; i < world->operation_count; i++)
        if (!world->operations[i].is_told && (!next || world->operations[i].ends_ns < next->ends_ns))
            next = &world->operations[i];
    return next;
}

static inline struct world_probe *world_next_answer(struct world *world)
{
    struct world_probe *next = NULL;
    while (world->answered < world->probe_count && world->probes[world->answered].due_ns == UINT64_MAX)
        world->answered++;
    for (size_t i = world->answered; i < world->probe_count; i++)
        if (world->probes[i].due_ns != UINT64_MAX && (!next || world->probes[i].due_ns < next->due_ns))
            next = &world->probes[i];
    return next;
}

static inline void world_end(struct world *world, struct world_operation *operation)
{
    operation->is_told = true;
    operation->slow.ended_ns = operation->ends_ns;
    operation->slow.is_answered = true;
    if ((operation->ends_ns - operation->slow.sent_ns) / CLOCK_NS_PER_US >= world->slow_us)
        explain_ended(world->explain, &operation->slow);
}

/* Has all happen that is due until then. */
static inline void world_run(struct world *world, double until)
{
    for (;;) {
        struct world_operation *operation = world_next_end(world);
        struct world_probe *probe = world_next_answer(world);
        uint64_t end_ns = operation ? operation->ends_ns : UINT64_MAX;
        uint64_t answer_ns = probe ? probe->due_ns : UINT64_MAX, next_ns = world->wake_ns;
        next_ns = end_ns < next_ns ? end_ns : next_ns;
        next_ns = answer_ns < next_ns ? answer_ns : next_ns;
        if (next_ns > at(until))
            break;
        world->now_ns = next_ns > world->now_ns ? next_ns : world->now_ns;
        if (next_ns == answer_ns) {
            world_answer(world, probe);
        } else if (next_ns == end_ns) {
            world_end(world, operation);
        } else {
            world->wake_ns = UINT64_MAX;
            explain_work(world->explain);
        }
    }
    world->now_ns = at(until) > world->now_ns ? at(until) : world->now_ns;
}

static inline size_t world_count(const struct world *world, bool (*is)(const struct world_probe *probe),
                                 double from, double to)
{
    size_t count = 0;
    for (size_t i = 0; i < world->probe_count; i++)
        count += is(&world->probes[i]) && world->probes[i].sent_ns >= at(from) &&
                 world->probes[i].sent_ns < at(to);
    return count;
}

/* --- Beginning and end --- */

static const struct world_phase world_idle[] = {{0, IDLE}, {0, NULL, NULL, 0}};

static inline void world_make(struct world *world)
{
    *world = (struct world){.now_ns = at(0), .wake_ns = UINT64_MAX, .phases = world_idle};
    world->clock = (struct clock){.ns = world_clock, .owner = world};
    world->operations = memory_zalloc(WORLD_OPERATIONS, sizeof(*world->operations));
    world->probes = memory_zalloc(WORLD_PROBES, sizeof(*world->probes));
    struct explain_options options = {.pid = TERM_ATOM("pid"),
                                      .clock = &world->clock,
                                      .way = &world_way,
                                      .owner = world,
                                      .probes = &world_probes,
                                      .probes_owner = world};
    world->explain = explain_new(&options);
}

static inline void world_begin(struct world *world)
{
    explain_begin(world->explain, 1);
}

static inline void world_free(struct world *world)
{
    explain_free(world->explain);
    departure_release(world->departure);
    departures_free(&world->departures);
    free(world->operations);
    free(world->probes);
}

#endif
