#include "scenario/fault_kinds.h"

#include <ctype.h>
#include <string.h>

#include "measure/counters.h"
#include "term/term_constant.h"
#include "term/term_read.h"

static const struct {
    const char *text;
    const char *unit;
} names[FAULT_OPTION_NAMES] = {
    [FAULT_WHEN] = {"spec", NULL},
    [FAULT_REASON] = {"reason", NULL},
    [FAULT_KILL_RATE] = {"kill_rate", NULL},
    [FAULT_KILL_INTERVAL_MS] = {"kill_interval_ms", "ms"},
    [FAULT_KILL_REASON] = {"kill_reason", NULL},
    [FAULT_DURATION_MS] = {"duration_ms", "ms"},
    [FAULT_COUNT] = {"count", NULL},
    [FAULT_MESSAGE] = {"message", NULL},
    [FAULT_PERCENTAGE] = {"percentage", NULL},
    [FAULT_SPAWN_COUNT] = {"spawn_count", NULL},
    [FAULT_SIZE_MB] = {"size_mb", "MB"},
    [FAULT_SCHEDULERS] = {"schedulers", NULL},
    [FAULT_NODES] = {"nodes", NULL},
    [FAULT_NODE] = {"node", NULL},
    [FAULT_MODULE] = {"module", NULL},
    [FAULT_FUNCTION] = {"function", NULL},
    [FAULT_ARGUMENTS] = {"arguments", NULL},
};

const char *fault_option_text(enum fault_option_name name)
{
    return names[name].text;
}

struct help fault_option_help(const struct fault_option *option)
{
    static const char *const types[FAULT_TYPE_COUNT] = {
        [FAULT_INTEGER] = "pos_integer()",
        [FAULT_FRACTION] = "number()",
        [FAULT_ATOM] = "atom()",
        [FAULT_TERM] = "term()",
        [FAULT_LIST] = "[term()]",
        [FAULT_CRASH_SPEC] = "immediate | {after_ms, Milliseconds} | {random, Probability}",
        [FAULT_NODE_NAME] = "node()",
        [FAULT_NODE_GROUPS] = "[node() | [node()]]",
    };
    bool may_be_zero = option->type == FAULT_INTEGER && option->least == 0;
    return (struct help){.name = names[option->name].text,
                         .type = may_be_zero ? "non_neg_integer()" : types[option->type],
                         .unit = names[option->name].unit,
                         .fallback = option->fallback,
                         .fallback_text = option->fallback_text,
                         .is_required = option->is_required,
                         .text = option->help};
}

uint64_t fault_held_ms(const struct fault_action *action)
{
    const struct fault_value *duration = &action->values[FAULT_DURATION_MS];
    return duration->given ? (uint64_t)duration->integer : FAULT_HELD_AT_MOST_MS;
}

/* --- What the agent is told --- */

static void fault_build_pair(struct term_builder *builder, const char *name, struct term pids)
{
    term_build_tuple(builder, 2);
    term_build_atom(builder, name);
    term_build_term(builder, pids);
}

static void fault_build_amount(struct term_builder *builder, const char *name, int64_t amount)
{
    term_build_tuple(builder, 2);
    term_build_atom(builder, name);
    term_build_integer(builder, amount);
}

static void fault_build_crash(const struct fault_action *action, struct term pids,
                              struct term_builder *builder)
{
    term_build_tuple(builder, 3);
    term_build_atom(builder, "crash");
    term_build_term(builder, pids);
    term_build_term(builder, action->values[FAULT_REASON].term);
}

static void fault_build_kill(const struct fault_action *action, struct term pids,
                             struct term_builder *builder)
{
    term_build_tuple(builder, 3);
    term_build_atom(builder, "crash");
    term_build_term(builder, pids);
    term_build_term(builder, action->values[FAULT_KILL_REASON].term);
}

static void fault_build_suspend(const struct fault_action *action, struct term pids,
                                struct term_builder *builder)
{
    (void)action;
    fault_build_pair(builder, "suspend", pids);
}

static void fault_build_flood(const struct fault_action *action, struct term pids,
                              struct term_builder *builder)
{
    term_build_tuple(builder, 4);
    term_build_atom(builder, "flood");
    term_build_term(builder, pids);
    term_build_integer(builder, action->values[FAULT_COUNT].integer);
    term_build_term(builder, action->values[FAULT_MESSAGE].term);
}

static void fault_build_garbage_collect(const struct fault_action *action, struct term pids,
                                        struct term_builder *builder)
{
    (void)action;
    fault_build_pair(builder, "garbage_collect", pids);
}

/* The library takes the percentage of 10,000 processes, whatever the node's limit is. */
static void fault_build_processes(const struct fault_action *action, struct term pids,
                                  struct term_builder *builder)
{
    (void)pids;
    const struct fault_value *count = &action->values[FAULT_SPAWN_COUNT];
    fault_build_amount(builder, "processes",
                       count->given ? count->integer
                                    : (int64_t)(10000 * action->values[FAULT_PERCENTAGE].number));
}

static void fault_build_tables(const struct fault_action *action, struct term pids,
                               struct term_builder *builder)
{
    (void)pids;
    fault_build_amount(builder, "tables", action->values[FAULT_COUNT].integer);
}

static void fault_build_ports(const struct fault_action *action, struct term pids,
                              struct term_builder *builder)
{
    (void)pids;
    fault_build_amount(builder, "ports", action->values[FAULT_COUNT].integer);
}

static void fault_build_memory(const struct fault_action *action, struct term pids,
                               struct term_builder *builder)
{
    (void)pids;
    fault_build_amount(builder, "memory", action->values[FAULT_SIZE_MB].integer);
}

/* 0 is as many as are online. */
static void fault_build_burn(const struct fault_action *action, struct term pids,
                             struct term_builder *builder)
{
    (void)pids;
    const struct fault_value *count = &action->values[FAULT_SCHEDULERS];
    fault_build_amount(builder, "burn", count->given ? count->integer : 0);
}

static void fault_build_apply(const struct fault_action *action, struct term pids,
                              struct term_builder *builder)
{
    (void)pids;
    term_build_tuple(builder, 4);
    term_build_atom(builder, "apply");
    term_build_term(builder, action->values[FAULT_MODULE].term);
    term_build_term(builder, action->values[FAULT_FUNCTION].term);
    term_build_term(builder, action->values[FAULT_ARGUMENTS].term);
}

/* The nodes that each node is kept from are what `pids` is then. */
static void fault_build_split(const struct fault_action *action, struct term pids,
                              struct term_builder *builder)
{
    (void)action;
    fault_build_pair(builder, "split", pids);
}

static void fault_build_halt(const struct fault_action *action, struct term pids,
                             struct term_builder *builder)
{
    (void)action;
    (void)pids;
    term_build_tuple(builder, 1);
    term_build_atom(builder, "halt");
}

/* --- The table --- */

#define ARGUMENT(which, kind, words) {.name = (which), .type = (kind), .is_required = true, .help = (words)}

/* A time that is an argument, and one that a resource is held for. */
#define FOR_SO_LONG                                                                                          \
    {.name = FAULT_DURATION_MS,                                                                              \
     .type = FAULT_INTEGER,                                                                                  \
     .least = 1,                                                                                             \
     .most = FAULT_MS_MOST,                                                                                  \
     .is_required = true,                                                                                    \
     .help = "How long."}
#define HELD_FOR                                                                                             \
    {.name = FAULT_DURATION_MS,                                                                              \
     .type = FAULT_INTEGER,                                                                                  \
     .least = 1,                                                                                             \
     .most = FAULT_MS_MOST,                                                                                  \
     .fallback_text = "as long as the load goes on, a minute at most",                                       \
     .help = "How long it is held."}

static const struct fault_kind kinds[] = {
    {.name = "inject_crash",
     .help = "Crashes processes by an exit signal. One that traps exits survives any reason but `kill`.",
     .victim = FAULT_PROCESSES,
     .doing = FAULT_CRASH,
     .arguments = {ARGUMENT(FAULT_WHEN, FAULT_CRASH_SPEC,
                            "When it is due, or with what probability. One that is delayed crashes whoever "
                            "has the target's name by then.")},
     .argument_count = 1,
     .has_options = true,
     .options = {{.name = FAULT_REASON,
                  .type = FAULT_TERM,
                  .fallback = TERM_CONSTANT_ATOM("chaos_injection"),
                  .help = "The reason of the exit."}},
     .option_count = 1,
     .build = fault_build_crash},
    {.name = "kill_children",
     .help = "Kills children of a supervisor again and again, drawn each time.",
     .victim = FAULT_SUPERVISOR,
     .doing = FAULT_KILL_ROUNDS,
     .has_options = true,
     .options = {{.name = FAULT_KILL_RATE,
                  .type = FAULT_FRACTION,
                  .most = 1,
                  .fallback = TERM_CONSTANT_FLOAT(0.3),
                  .help = "The part of its children that is killed each time, from 0 to 1."},
                 {.name = FAULT_DURATION_MS,
                  .type = FAULT_INTEGER,
                  .most = FAULT_MS_MOST,
                  .fallback = TERM_CONSTANT_INTEGER(5000),
                  .help = "How long it goes on."},
                 {.name = FAULT_KILL_INTERVAL_MS,
                  .type = FAULT_INTEGER,
                  .least = 1,
                  .most = FAULT_MS_MOST,
                  .fallback = TERM_CONSTANT_INTEGER(100),
                  .help = "Time from one killing to the next."},
                 {.name = FAULT_KILL_REASON,
                  .type = FAULT_TERM,
                  .fallback = TERM_CONSTANT_ATOM("kill"),
                  .help = "The reason of the exits."}},
     .option_count = 4,
     .build = fault_build_kill},
    {.name = "suspend",
     .help = "Suspends processes, as `erlang:suspend_process/1` does.",
     .undone = "They are resumed.",
     .causes = CAUSE_BIT(CAUSE_SUSPENDED),
     .victim = FAULT_PROCESSES,
     .doing = FAULT_HOLD,
     .lasts = true,
     .arguments = {FOR_SO_LONG},
     .argument_count = 1,
     .build = fault_build_suspend},
    {.name = "flood",
     .help = "Sends processes many messages at once.",
     .causes = CAUSE_BIT(CAUSE_QUEUE) | CAUSE_BIT(CAUSE_HANDLER),
     .victim = FAULT_PROCESSES,
     .doing = FAULT_ACT,
     .has_options = true,
     .options = {{.name = FAULT_COUNT,
                  .type = FAULT_INTEGER,
                  .least = 1,
                  .most = 10000000,
                  .fallback = TERM_CONSTANT_INTEGER(1000),
                  .help = "Messages to each."},
                 {.name = FAULT_MESSAGE,
                  .type = FAULT_TERM,
                  .fallback = TERM_CONSTANT_ATOM("harnessd_flood"),
                  .help = "The message."}},
     .option_count = 2,
     .build = fault_build_flood},
    {.name = "garbage_collect",
     .help = "Has processes collect their garbage.",
     .causes = CAUSE_BIT(CAUSE_GARBAGE_COLLECTION),
     .victim = FAULT_PROCESSES,
     .doing = FAULT_ACT,
     .has_options = true,
     .build = fault_build_garbage_collect},
    {.name = "exhaust",
     .resource = "process_limit",
     .help = "Starts processes that do nothing.",
     .undone = "The processes end.",
     .victim = FAULT_TARGET_NODE,
     .doing = FAULT_HOLD,
     .lasts = true,
     .has_options = true,
     .options = {{.name = FAULT_PERCENTAGE,
                  .type = FAULT_FRACTION,
                  .most = 1,
                  .fallback = TERM_CONSTANT_FLOAT(0.05),
                  .help = "How many, as a part of 10,000, from 0 to 1."},
                 {.name = FAULT_SPAWN_COUNT,
                  .type = FAULT_INTEGER,
                  .least = 1,
                  .most = 134217727,
                  .fallback_text = "what `percentage` says",
                  .help = "How many."},
                 HELD_FOR},
     .option_count = 3,
     .build = fault_build_processes},
    {.name = "exhaust",
     .resource = "ets_tables",
     .help = "Makes tables of `ets`.",
     .undone = "The tables are deleted.",
     .victim = FAULT_TARGET_NODE,
     .doing = FAULT_HOLD,
     .lasts = true,
     .has_options = true,
     .options = {{.name = FAULT_COUNT,
                  .type = FAULT_INTEGER,
                  .least = 1,
                  .most = 10000000,
                  .fallback = TERM_CONSTANT_INTEGER(50),
                  .help = "How many."},
                 HELD_FOR},
     .option_count = 2,
     .build = fault_build_tables},
    {.name = "exhaust",
     .resource = "memory",
     .help = "Takes memory: at most four fifths of what the system and the node's control group say is "
             "available, or 1,024 MB where they say nothing.",
     .undone = "It is freed.",
     .victim = FAULT_TARGET_NODE,
     .doing = FAULT_HOLD,
     .lasts = true,
     .has_options = true,
     .options = {{.name = FAULT_SIZE_MB,
                  .type = FAULT_INTEGER,
                  .least = 1,
                  .most = 1048576,
                  .fallback = TERM_CONSTANT_INTEGER(10),
                  .help = "How much."},
                 HELD_FOR},
     .option_count = 2,
     .build = fault_build_memory},
    {.name = "exhaust",
     .resource = "ports",
     .help = "Opens ports.",
     .undone = "The ports are closed.",
     .victim = FAULT_TARGET_NODE,
     .doing = FAULT_HOLD,
     .lasts = true,
     .has_options = true,
     .options = {{.name = FAULT_COUNT,
                  .type = FAULT_INTEGER,
                  .least = 1,
                  .most = 134217727,
                  .fallback = TERM_CONSTANT_INTEGER(50),
                  .help = "How many."},
                 HELD_FOR},
     .option_count = 2,
     .build = fault_build_ports},
    {.name = "burn_cpu",
     .help = "Keeps schedulers busy.",
     .undone = "The processes that do so end.",
     .causes = CAUSE_BIT(CAUSE_SCHEDULED_OUT),
     .victim = FAULT_TARGET_NODE,
     .doing = FAULT_HOLD,
     .lasts = true,
     .has_options = true,
     .options = {{.name = FAULT_SCHEDULERS,
                  .type = FAULT_INTEGER,
                  .least = 1,
                  .most = 1024,
                  .fallback_text = "as many as are online",
                  .help = "How many."},
                 {.name = FAULT_DURATION_MS,
                  .type = FAULT_INTEGER,
                  .least = 1,
                  .most = FAULT_MS_MOST,
                  .fallback = TERM_CONSTANT_INTEGER(1000),
                  .help = "How long."}},
     .option_count = 2,
     .build = fault_build_burn},
    {.name = "disconnect",
     .help = "Keeps nodes apart. It names its nodes and takes no target.",
     .undone = "They are connected again.",
     .causes = CAUSE_BIT(CAUSE_NETWORK) | CAUSE_BIT(CAUSE_REPLY_BLOCKED),
     .victim = FAULT_TARGET_NODE,
     .doing = FAULT_SPLIT,
     .lasts = true,
     .arguments = {ARGUMENT(FAULT_NODES, FAULT_NODE_GROUPS,
                            "At least two nodes, or lists of nodes that stay together: each is kept from "
                            "those of the other lists."),
                   FOR_SO_LONG},
     .argument_count = 2,
     .build = fault_build_split},
    {.name = "halt_node",
     .help = "Halts a node at once. It names its node and takes no target.",
     .causes = CAUSE_BIT(CAUSE_NODE_PAUSED) | CAUSE_BIT(CAUSE_NETWORK),
     .victim = FAULT_TARGET_NODE,
     .doing = FAULT_HALT,
     .arguments = {ARGUMENT(FAULT_NODE, FAULT_NODE_NAME, "Another node than the daemon's.")},
     .argument_count = 1,
     .build = fault_build_halt},
    {.name = "apply",
     .help = "Applies a function; what it does is not undone.",
     .victim = FAULT_TARGET_NODE,
     .doing = FAULT_ACT,
     .arguments = {ARGUMENT(FAULT_MODULE, FAULT_ATOM, "Its module."),
                   ARGUMENT(FAULT_FUNCTION, FAULT_ATOM, "Its name."),
                   ARGUMENT(FAULT_ARGUMENTS, FAULT_LIST, "Its arguments.")},
     .argument_count = 3,
     .build = fault_build_apply},
};

_Static_assert(ARRAY_LENGTH(kinds) <= COUNTERS_FAULTS, "each kind is counted");

const struct fault_kind *fault_kinds(size_t *count)
{
    *count = ARRAY_LENGTH(kinds);
    return kinds;
}

size_t fault_kind_number(const struct fault_kind *kind)
{
    return (size_t)(kind - kinds);
}

/* --- In words --- */

const char *fault_victim_text(enum fault_victim victim)
{
    static const char *const texts[] = {[FAULT_PROCESSES] = "processes",
                                        [FAULT_SUPERVISOR] = "children of a supervisor",
                                        [FAULT_TARGET_NODE] = "nodes"};
    return texts[victim];
}

/* kill_rate becomes KillRate. */
static void fault_append_variable(struct buffer *output, const char *name)
{
    bool is_first = true;
    for (; *name; name++) {
        char c = is_first ? (char)toupper((unsigned char)*name) : *name;
        is_first = *name == '_';
        if (!is_first)
            buffer_append(output, &c, 1);
    }
}

void fault_kind_shape(const struct fault_kind *kind, struct buffer *output)
{
    buffer_append(output, "{", 1);
    buffer_append(output, kind->name, strlen(kind->name));
    if (kind->resource) {
        buffer_append(output, ", ", 2);
        buffer_append(output, kind->resource, strlen(kind->resource));
    }
    for (size_t i = 0; i < kind->argument_count; i++) {
        buffer_append(output, ", ", 2);
        fault_append_variable(output, fault_option_text(kind->arguments[i].name));
    }
    if (kind->has_options)
        buffer_append(output, ", Options", 9);
    buffer_append(output, "}", 1);
}
