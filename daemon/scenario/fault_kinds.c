#include "scenario/fault_kinds.h"

#include "term/term_read.h"

#define MOST_MS 4294967295LL
#define NONE (-1)

static const char *const option_texts[CHAOS_OPTION_NAMES] = {
    [CHAOS_WHEN] = "spec",
    [CHAOS_REASON] = "reason",
    [CHAOS_KILL_RATE] = "kill_rate",
    [CHAOS_KILL_INTERVAL_MS] = "kill_interval_ms",
    [CHAOS_KILL_REASON] = "kill_reason",
    [CHAOS_DURATION_MS] = "duration_ms",
    [CHAOS_COUNT] = "count",
    [CHAOS_MESSAGE] = "message",
    [CHAOS_PERCENTAGE] = "percentage",
    [CHAOS_SPAWN_COUNT] = "spawn_count",
    [CHAOS_SIZE_MB] = "size_mb",
    [CHAOS_SCHEDULERS] = "schedulers",
    [CHAOS_NODES] = "nodes",
    [CHAOS_NODE] = "node",
    [CHAOS_MODULE] = "module",
    [CHAOS_FUNCTION] = "function",
    [CHAOS_ARGUMENTS] = "arguments",
};

const char *chaos_option_text(enum chaos_option_name name)
{
    return option_texts[name];
}

uint64_t chaos_held_ms(const struct chaos_action *action)
{
    const struct chaos_value *duration = &action->values[CHAOS_DURATION_MS];
    return duration->given ? (uint64_t)duration->integer : CHAOS_HELD_AT_MOST_MS;
}

/* --- What the agent is told --- */

static void build_pair(struct term_builder *builder, const char *name, struct term pids)
{
    term_build_tuple(builder, 2);
    term_build_atom(builder, name);
    term_build_term(builder, pids);
}

static void build_amount(struct term_builder *builder, const char *name, int64_t amount)
{
    term_build_tuple(builder, 2);
    term_build_atom(builder, name);
    term_build_integer(builder, amount);
}

static void build_crash(const struct chaos_action *action, struct term pids, struct term_builder *builder)
{
    term_build_tuple(builder, 3);
    term_build_atom(builder, "crash");
    term_build_term(builder, pids);
    term_build_term(builder, action->values[CHAOS_REASON].term);
}

static void build_kill(const struct chaos_action *action, struct term pids, struct term_builder *builder)
{
    term_build_tuple(builder, 3);
    term_build_atom(builder, "crash");
    term_build_term(builder, pids);
    term_build_term(builder, action->values[CHAOS_KILL_REASON].term);
}

static void build_suspend(const struct chaos_action *action, struct term pids, struct term_builder *builder)
{
    (void)action;
    build_pair(builder, "suspend", pids);
}

static void build_flood(const struct chaos_action *action, struct term pids, struct term_builder *builder)
{
    term_build_tuple(builder, 4);
    term_build_atom(builder, "flood");
    term_build_term(builder, pids);
    term_build_integer(builder, action->values[CHAOS_COUNT].integer);
    term_build_term(builder, action->values[CHAOS_MESSAGE].term);
}

static void build_garbage_collect(const struct chaos_action *action, struct term pids,
                                  struct term_builder *builder)
{
    (void)action;
    build_pair(builder, "garbage_collect", pids);
}

/* The library takes the percentage of 10,000 processes, whatever the node's limit is. */
static void build_processes(const struct chaos_action *action, struct term pids, struct term_builder *builder)
{
    (void)pids;
    const struct chaos_value *count = &action->values[CHAOS_SPAWN_COUNT];
    build_amount(builder, "processes",
                 count->given ? count->integer : (int64_t)(10000 * action->values[CHAOS_PERCENTAGE].number));
}

static void build_tables(const struct chaos_action *action, struct term pids, struct term_builder *builder)
{
    (void)pids;
    build_amount(builder, "tables", action->values[CHAOS_COUNT].integer);
}

static void build_ports(const struct chaos_action *action, struct term pids, struct term_builder *builder)
{
    (void)pids;
    build_amount(builder, "ports", action->values[CHAOS_COUNT].integer);
}

static void build_memory(const struct chaos_action *action, struct term pids, struct term_builder *builder)
{
    (void)pids;
    build_amount(builder, "memory", action->values[CHAOS_SIZE_MB].integer);
}

/* 0 is as many as are online. */
static void build_burn(const struct chaos_action *action, struct term pids, struct term_builder *builder)
{
    (void)pids;
    const struct chaos_value *count = &action->values[CHAOS_SCHEDULERS];
    build_amount(builder, "burn", count->given ? count->integer : 0);
}

static void build_apply(const struct chaos_action *action, struct term pids, struct term_builder *builder)
{
    (void)pids;
    term_build_tuple(builder, 4);
    term_build_atom(builder, "apply");
    term_build_term(builder, action->values[CHAOS_MODULE].term);
    term_build_term(builder, action->values[CHAOS_FUNCTION].term);
    term_build_term(builder, action->values[CHAOS_ARGUMENTS].term);
}

/* The nodes that each node is kept from are what `pids` is then. */
static void build_split(const struct chaos_action *action, struct term pids, struct term_builder *builder)
{
    (void)action;
    build_pair(builder, "split", pids);
}

static void build_halt(const struct chaos_action *action, struct term pids, struct term_builder *builder)
{
    (void)action;
    (void)pids;
    term_build_tuple(builder, 1);
    term_build_atom(builder, "halt");
}

/* --- The table --- */

#define MILLISECONDS(name, standard)                                                                         \
    {                                                                                                        \
        name, CHAOS_INTEGER, 1, MOST_MS, NULL, standard                                                      \
    }

static const struct chaos_kind kinds[] = {
    {.name = "inject_crash",
     .victim = CHAOS_PROCESSES,
     .doing = CHAOS_CRASH,
     .arguments = {{CHAOS_WHEN, CHAOS_CRASH_SPEC, 0, 0, NULL, NONE}},
     .argument_count = 1,
     .has_options = true,
     .options = {{CHAOS_REASON, CHAOS_TERM, 0, 0,
                  "w\x0f"
                  "chaos_injection",
                  NONE}},
     .option_count = 1,
     .build = build_crash},
    {.name = "kill_children",
     .victim = CHAOS_SUPERVISOR,
     .doing = CHAOS_KILL_ROUNDS,
     .has_options = true,
     .options = {{CHAOS_KILL_RATE, CHAOS_FRACTION, 0, 1, NULL, 0.3},
                 {CHAOS_DURATION_MS, CHAOS_INTEGER, 0, MOST_MS, NULL, 5000},
                 MILLISECONDS(CHAOS_KILL_INTERVAL_MS, 100),
                 {CHAOS_KILL_REASON, CHAOS_TERM, 0, 0, "w\x04kill", NONE}},
     .option_count = 4,
     .build = build_kill},
    {.name = "suspend",
     .victim = CHAOS_PROCESSES,
     .doing = CHAOS_HOLD,
     .lasts = true,
     .arguments = {MILLISECONDS(CHAOS_DURATION_MS, NONE)},
     .argument_count = 1,
     .build = build_suspend},
    {.name = "flood",
     .victim = CHAOS_PROCESSES,
     .doing = CHAOS_ACT,
     .has_options = true,
     .options = {{CHAOS_COUNT, CHAOS_INTEGER, 1, 10000000, NULL, 1000},
                 {CHAOS_MESSAGE, CHAOS_TERM, 0, 0, "w\x0eharnessd_flood", NONE}},
     .option_count = 2,
     .build = build_flood},
    {.name = "garbage_collect",
     .victim = CHAOS_PROCESSES,
     .doing = CHAOS_ACT,
     .has_options = true,
     .build = build_garbage_collect},
    {.name = "exhaust",
     .resource = "process_limit",
     .victim = CHAOS_TARGET_NODE,
     .doing = CHAOS_HOLD,
     .lasts = true,
     .has_options = true,
     .options = {{CHAOS_PERCENTAGE, CHAOS_FRACTION, 0, 1, NULL, 0.05},
                 {CHAOS_SPAWN_COUNT, CHAOS_INTEGER, 1, 134217727, NULL, NONE},
                 MILLISECONDS(CHAOS_DURATION_MS, NONE)},
     .option_count = 3,
     .build = build_processes},
    {.name = "exhaust",
     .resource = "ets_tables",
     .victim = CHAOS_TARGET_NODE,
     .doing = CHAOS_HOLD,
     .lasts = true,
     .has_options = true,
     .options = {{CHAOS_COUNT, CHAOS_INTEGER, 1, 10000000, NULL, 50}, MILLISECONDS(CHAOS_DURATION_MS, NONE)},
     .option_count = 2,
     .build = build_tables},
    {.name = "exhaust",
     .resource = "memory",
     .victim = CHAOS_TARGET_NODE,
     .doing = CHAOS_HOLD,
     .lasts = true,
     .has_options = true,
     .options = {{CHAOS_SIZE_MB, CHAOS_INTEGER, 1, 1048576, NULL, 10}, MILLISECONDS(CHAOS_DURATION_MS, NONE)},
     .option_count = 2,
     .build = build_memory},
    {.name = "exhaust",
     .resource = "ports",
     .victim = CHAOS_TARGET_NODE,
     .doing = CHAOS_HOLD,
     .lasts = true,
     .has_options = true,
     .options = {{CHAOS_COUNT, CHAOS_INTEGER, 1, 134217727, NULL, 50}, MILLISECONDS(CHAOS_DURATION_MS, NONE)},
     .option_count = 2,
     .build = build_ports},
    {.name = "burn_cpu",
     .victim = CHAOS_TARGET_NODE,
     .doing = CHAOS_HOLD,
     .lasts = true,
     .has_options = true,
     .options = {{CHAOS_SCHEDULERS, CHAOS_INTEGER, 1, 1024, NULL, NONE},
                 MILLISECONDS(CHAOS_DURATION_MS, 1000)},
     .option_count = 2,
     .build = build_burn},
    {.name = "disconnect",
     .victim = CHAOS_TARGET_NODE,
     .doing = CHAOS_SPLIT,
     .lasts = true,
     .arguments = {{CHAOS_NODES, CHAOS_NODE_GROUPS, 0, 0, NULL, NONE}, MILLISECONDS(CHAOS_DURATION_MS, NONE)},
     .argument_count = 2,
     .build = build_split},
    {.name = "halt_node",
     .victim = CHAOS_TARGET_NODE,
     .doing = CHAOS_HALT,
     .arguments = {{CHAOS_NODE, CHAOS_NODE_NAME, 0, 0, NULL, NONE}},
     .argument_count = 1,
     .build = build_halt},
    {.name = "apply",
     .victim = CHAOS_TARGET_NODE,
     .doing = CHAOS_ACT,
     .arguments = {{CHAOS_MODULE, CHAOS_ATOM, 0, 0, NULL, NONE},
                   {CHAOS_FUNCTION, CHAOS_ATOM, 0, 0, NULL, NONE},
                   {CHAOS_ARGUMENTS, CHAOS_LIST, 0, 0, NULL, NONE}},
     .argument_count = 3,
     .build = build_apply},
};

const struct chaos_kind *chaos_kinds(size_t *count)
{
    *count = ARRAY_LENGTH(kinds);
    return kinds;
}

size_t chaos_kind_number(const struct chaos_kind *kind)
{
    return (size_t)(kind - kinds);
}
