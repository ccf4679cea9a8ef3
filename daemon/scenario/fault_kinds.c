#include "scenario/fault_kinds.h"

#include "term/term_read.h"

#define NONE (-1)

static const char *const option_texts[FAULT_OPTION_NAMES] = {
    [FAULT_WHEN] = "spec",
    [FAULT_REASON] = "reason",
    [FAULT_KILL_RATE] = "kill_rate",
    [FAULT_KILL_INTERVAL_MS] = "kill_interval_ms",
    [FAULT_KILL_REASON] = "kill_reason",
    [FAULT_DURATION_MS] = "duration_ms",
    [FAULT_COUNT] = "count",
    [FAULT_MESSAGE] = "message",
    [FAULT_PERCENTAGE] = "percentage",
    [FAULT_SPAWN_COUNT] = "spawn_count",
    [FAULT_SIZE_MB] = "size_mb",
    [FAULT_SCHEDULERS] = "schedulers",
    [FAULT_NODES] = "nodes",
    [FAULT_NODE] = "node",
    [FAULT_MODULE] = "module",
    [FAULT_FUNCTION] = "function",
    [FAULT_ARGUMENTS] = "arguments",
};

const char *fault_option_text(enum fault_option_name name)
{
    return option_texts[name];
}

uint64_t fault_held_ms(const struct fault_action *action)
{
    const struct fault_value *duration = &action->values[FAULT_DURATION_MS];
    return duration->given ? (uint64_t)duration->integer : FAULT_HELD_AT_MOST_MS;
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

static void build_crash(const struct fault_action *action, struct term pids, struct term_builder *builder)
{
    term_build_tuple(builder, 3);
    term_build_atom(builder, "crash");
    term_build_term(builder, pids);
    term_build_term(builder, action->values[FAULT_REASON].term);
}

static void build_kill(const struct fault_action *action, struct term pids, struct term_builder *builder)
{
    term_build_tuple(builder, 3);
    term_build_atom(builder, "crash");
    term_build_term(builder, pids);
    term_build_term(builder, action->values[FAULT_KILL_REASON].term);
}

static void build_suspend(const struct fault_action *action, struct term pids, struct term_builder *builder)
{
    (void)action;
    build_pair(builder, "suspend", pids);
}

static void build_flood(const struct fault_action *action, struct term pids, struct term_builder *builder)
{
    term_build_tuple(builder, 4);
    term_build_atom(builder, "flood");
    term_build_term(builder, pids);
    term_build_integer(builder, action->values[FAULT_COUNT].integer);
    term_build_term(builder, action->values[FAULT_MESSAGE].term);
}

static void build_garbage_collect(const struct fault_action *action, struct term pids,
                                  struct term_builder *builder)
{
    (void)action;
    build_pair(builder, "garbage_collect", pids);
}

/* The library takes the percentage of 10,000 processes, whatever the node's limit is. */
static void build_processes(const struct fault_action *action, struct term pids, struct term_builder *builder)
{
    (void)pids;
    const struct fault_value *count = &action->values[FAULT_SPAWN_COUNT];
    build_amount(builder, "processes",
                 count->given ? count->integer : (int64_t)(10000 * action->values[FAULT_PERCENTAGE].number));
}

static void build_tables(const struct fault_action *action, struct term pids, struct term_builder *builder)
{
    (void)pids;
    build_amount(builder, "tables", action->values[FAULT_COUNT].integer);
}

static void build_ports(const struct fault_action *action, struct term pids, struct term_builder *builder)
{
    (void)pids;
    build_amount(builder, "ports", action->values[FAULT_COUNT].integer);
}

static void build_memory(const struct fault_action *action, struct term pids, struct term_builder *builder)
{
    (void)pids;
    build_amount(builder, "memory", action->values[FAULT_SIZE_MB].integer);
}

/* 0 is as many as are online. */
static void build_burn(const struct fault_action *action, struct term pids, struct term_builder *builder)
{
    (void)pids;
    const struct fault_value *count = &action->values[FAULT_SCHEDULERS];
    build_amount(builder, "burn", count->given ? count->integer : 0);
}

static void build_apply(const struct fault_action *action, struct term pids, struct term_builder *builder)
{
    (void)pids;
    term_build_tuple(builder, 4);
    term_build_atom(builder, "apply");
    term_build_term(builder, action->values[FAULT_MODULE].term);
    term_build_term(builder, action->values[FAULT_FUNCTION].term);
    term_build_term(builder, action->values[FAULT_ARGUMENTS].term);
}

/* The nodes that each node is kept from are what `pids` is then. */
static void build_split(const struct fault_action *action, struct term pids, struct term_builder *builder)
{
    (void)action;
    build_pair(builder, "split", pids);
}

static void build_halt(const struct fault_action *action, struct term pids, struct term_builder *builder)
{
    (void)action;
    (void)pids;
    term_build_tuple(builder, 1);
    term_build_atom(builder, "halt");
}

/* --- The table --- */

#define MILLISECONDS(name, standard)                                                                         \
    {                                                                                                        \
        name, FAULT_INTEGER, 1, FAULT_MS_MOST, NULL, standard                                                \
    }

static const struct fault_kind kinds[] = {
    {.name = "inject_crash",
     .victim = FAULT_PROCESSES,
     .doing = FAULT_CRASH,
     .arguments = {{FAULT_WHEN, FAULT_CRASH_SPEC, 0, 0, NULL, NONE}},
     .argument_count = 1,
     .has_options = true,
     .options = {{FAULT_REASON, FAULT_TERM, 0, 0,
                  "w\x0f"
                  "chaos_injection",
                  NONE}},
     .option_count = 1,
     .build = build_crash},
    {.name = "kill_children",
     .victim = FAULT_SUPERVISOR,
     .doing = FAULT_KILL_ROUNDS,
     .has_options = true,
     .options = {{FAULT_KILL_RATE, FAULT_FRACTION, 0, 1, NULL, 0.3},
                 {FAULT_DURATION_MS, FAULT_INTEGER, 0, FAULT_MS_MOST, NULL, 5000},
                 MILLISECONDS(FAULT_KILL_INTERVAL_MS, 100),
                 {FAULT_KILL_REASON, FAULT_TERM, 0, 0, "w\x04kill", NONE}},
     .option_count = 4,
     .build = build_kill},
    {.name = "suspend",
     .victim = FAULT_PROCESSES,
     .doing = FAULT_HOLD,
     .lasts = true,
     .arguments = {MILLISECONDS(FAULT_DURATION_MS, NONE)},
     .argument_count = 1,
     .build = build_suspend},
    {.name = "flood",
     .victim = FAULT_PROCESSES,
     .doing = FAULT_ACT,
     .has_options = true,
     .options = {{FAULT_COUNT, FAULT_INTEGER, 1, 10000000, NULL, 1000},
                 {FAULT_MESSAGE, FAULT_TERM, 0, 0, "w\x0eharnessd_flood", NONE}},
     .option_count = 2,
     .build = build_flood},
    {.name = "garbage_collect",
     .victim = FAULT_PROCESSES,
     .doing = FAULT_ACT,
     .has_options = true,
     .build = build_garbage_collect},
    {.name = "exhaust",
     .resource = "process_limit",
     .victim = FAULT_TARGET_NODE,
     .doing = FAULT_HOLD,
     .lasts = true,
     .has_options = true,
     .options = {{FAULT_PERCENTAGE, FAULT_FRACTION, 0, 1, NULL, 0.05},
                 {FAULT_SPAWN_COUNT, FAULT_INTEGER, 1, 134217727, NULL, NONE},
                 MILLISECONDS(FAULT_DURATION_MS, NONE)},
     .option_count = 3,
     .build = build_processes},
    {.name = "exhaust",
     .resource = "ets_tables",
     .victim = FAULT_TARGET_NODE,
     .doing = FAULT_HOLD,
     .lasts = true,
     .has_options = true,
     .options = {{FAULT_COUNT, FAULT_INTEGER, 1, 10000000, NULL, 50}, MILLISECONDS(FAULT_DURATION_MS, NONE)},
     .option_count = 2,
     .build = build_tables},
    {.name = "exhaust",
     .resource = "memory",
     .victim = FAULT_TARGET_NODE,
     .doing = FAULT_HOLD,
     .lasts = true,
     .has_options = true,
     .options = {{FAULT_SIZE_MB, FAULT_INTEGER, 1, 1048576, NULL, 10}, MILLISECONDS(FAULT_DURATION_MS, NONE)},
     .option_count = 2,
     .build = build_memory},
    {.name = "exhaust",
     .resource = "ports",
     .victim = FAULT_TARGET_NODE,
     .doing = FAULT_HOLD,
     .lasts = true,
     .has_options = true,
     .options = {{FAULT_COUNT, FAULT_INTEGER, 1, 134217727, NULL, 50}, MILLISECONDS(FAULT_DURATION_MS, NONE)},
     .option_count = 2,
     .build = build_ports},
    {.name = "burn_cpu",
     .victim = FAULT_TARGET_NODE,
     .doing = FAULT_HOLD,
     .lasts = true,
     .has_options = true,
     .options = {{FAULT_SCHEDULERS, FAULT_INTEGER, 1, 1024, NULL, NONE},
                 MILLISECONDS(FAULT_DURATION_MS, 1000)},
     .option_count = 2,
     .build = build_burn},
    {.name = "disconnect",
     .victim = FAULT_TARGET_NODE,
     .doing = FAULT_SPLIT,
     .lasts = true,
     .arguments = {{FAULT_NODES, FAULT_NODE_GROUPS, 0, 0, NULL, NONE}, MILLISECONDS(FAULT_DURATION_MS, NONE)},
     .argument_count = 2,
     .build = build_split},
    {.name = "halt_node",
     .victim = FAULT_TARGET_NODE,
     .doing = FAULT_HALT,
     .arguments = {{FAULT_NODE, FAULT_NODE_NAME, 0, 0, NULL, NONE}},
     .argument_count = 1,
     .build = build_halt},
    {.name = "apply",
     .victim = FAULT_TARGET_NODE,
     .doing = FAULT_ACT,
     .arguments = {{FAULT_MODULE, FAULT_ATOM, 0, 0, NULL, NONE},
                   {FAULT_FUNCTION, FAULT_ATOM, 0, 0, NULL, NONE},
                   {FAULT_ARGUMENTS, FAULT_LIST, 0, 0, NULL, NONE}},
     .argument_count = 3,
     .build = build_apply},
};

const struct fault_kind *fault_kinds(size_t *count)
{
    *count = ARRAY_LENGTH(kinds);
    return kinds;
}

size_t fault_kind_number(const struct fault_kind *kind)
{
    return (size_t)(kind - kinds);
}
