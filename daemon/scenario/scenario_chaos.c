#include "scenario_private.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/nearest.h"
#include "scenario/fault_kinds.h"
#include "term/term_read.h"

#define MAX_ACTIONS 1000
#define MOST_MS 4294967295LL
#define NAMES_MOST 64

/* --- Values --- */

static void read_integer_value(struct reader *reader, const struct fault_option *option, struct term value,
                               struct fault_value *result)
{
    struct excerpt text;
    if (!term_read_integer(value, &result->integer))
        problems_add(reader->problems, "wrong_type", "must be an integer, got %s", excerpt(&text, value));
    else if (result->integer < option->least || result->integer > option->most)
        problems_add(reader->problems, "out_of_range", "must be in %lld to %lld, got %lld",
                     (long long)option->least, (long long)option->most, (long long)result->integer);
}

static void read_fraction(struct reader *reader, struct term value, double *result)
{
    struct excerpt text;
    if (!term_read_number(value, result) || *result < 0 || *result > 1)
        problems_add(reader->problems, "out_of_range", "must be a number from 0 to 1, got %s",
                     excerpt(&text, value));
}

static void read_fraction_value(struct reader *reader, const struct fault_option *option, struct term value,
                                struct fault_value *result)
{
    (void)option;
    read_fraction(reader, value, &result->number);
}

static void read_atom_value(struct reader *reader, const struct fault_option *option, struct term value,
                            struct fault_value *result)
{
    (void)option;
    (void)result;
    struct excerpt text;
    if (term_type(value) != TERM_ATOM)
        problems_add(reader->problems, "wrong_type", "must be an atom, got %s", excerpt(&text, value));
}

static void read_any_value(struct reader *reader, const struct fault_option *option, struct term value,
                           struct fault_value *result)
{
    (void)reader;
    (void)option;
    (void)value;
    (void)result;
}

static bool is_proper_list(struct term value)
{
    struct term_list list;
    struct term element;
    if (!term_list_start(&list, value))
        return false;
    while (term_list_next(&list, &element)) {
    }
    return term_list_proper(&list);
}

static void read_list_value(struct reader *reader, const struct fault_option *option, struct term value,
                            struct fault_value *result)
{
    (void)option;
    (void)result;
    struct excerpt text;
    if (!is_proper_list(value))
        problems_add(reader->problems, "wrong_type", "must be a list, got %s", excerpt(&text, value));
}

/* `integer` is the delay, `number` the probability. */
static void read_crash_spec(struct reader *reader, const struct fault_option *option, struct term value,
                            struct fault_value *result)
{
    (void)option;
    struct term pair[2];
    struct excerpt text;
    result->integer = 0;
    result->number = 1;
    if (term_is_atom(value, "immediate"))
        return;
    bool tagged = term_read_tuple_of(value, 2, pair);
    if (tagged && term_is_atom(pair[0], "after_ms")) {
        const struct fault_option delay = {.least = 0, .most = MOST_MS};
        read_integer_value(reader, &delay, pair[1], result);
    } else if (tagged && term_is_atom(pair[0], "random")) {
        read_fraction(reader, pair[1], &result->number);
    } else {
        problems_add(reader->problems, "invalid_action",
                     "must be :immediate, {:after_ms, ms} or {:random, probability}, got %s",
                     excerpt(&text, value));
    }
}

static bool check_node(struct reader *reader, struct term value)
{
    char name[TERM_ATOM_BYTES + 1];
    struct excerpt text;
    if (term_read_atom(value, name) && node_name_is_valid(name, strlen(name)) &&
        strcmp(name, reader->origin->own_node) != 0)
        return true;
    problems_add(reader->problems, "wrong_type", "must be the name of another node than the daemon's, got %s",
                 excerpt(&text, value));
    return false;
}

static void read_node_value(struct reader *reader, const struct fault_option *option, struct term value,
                            struct fault_value *result)
{
    (void)option;
    (void)result;
    (void)check_node(reader, value);
}

/* Whether a node comes again in the groups behind the walks. */
static bool comes_again(struct term_list groups, struct term_list group, struct term node)
{
    struct term other;
    while (term_list_next(&group, &other))
        if (term_same(other, node))
            return true;
    while (term_list_next(&groups, &other)) {
        if (term_list_start(&group, other)) {
            struct term member;
            while (term_list_next(&group, &member))
                if (term_same(member, node))
                    return true;
        } else if (term_same(other, node)) {
            return true;
        }
    }
    return false;
}

static void read_group(struct reader *reader, struct term_list groups, struct term_list group, size_t *nodes)
{
    struct term node;
    while (term_list_next(&group, &node)) {
        if (*nodes == NAMES_MOST)
            problems_add(reader->problems, "out_of_range", "must be at most %d nodes", NAMES_MOST);
        if ((*nodes)++ >= NAMES_MOST)
            return;
        if (check_node(reader, node) && comes_again(groups, group, node))
            problems_add(reader->problems, "conflict", "have a node more than once");
    }
    if (!term_list_proper(&group))
        problems_add(reader->problems, "wrong_type", "must be a proper list");
}

/* A node that stands alone is a group of its own. */
static void read_groups_value(struct reader *reader, const struct fault_option *option, struct term value,
                              struct fault_value *result)
{
    (void)option;
    (void)result;
    struct term_list groups, group;
    struct term element;
    size_t nodes = 0;
    struct excerpt text;
    if (!is_proper_list(value) || !term_list_start(&groups, value) || groups.count < 2 || groups.string) {
        problems_add(reader->problems, "wrong_type",
                     "must be a list of at least two nodes or groups of nodes, got %s",
                     excerpt(&text, value));
        return;
    }
    while (term_list_next(&groups, &element)) {
        if (term_list_start(&group, element) && !group.string && group.count) {
            read_group(reader, groups, group, &nodes);
        } else if (++nodes > NAMES_MOST) {
            problems_add(reader->problems, "out_of_range", "must be at most %d nodes", NAMES_MOST);
            return;
        } else if (check_node(reader, element) && comes_again(groups, (struct term_list){0}, element)) {
            problems_add(reader->problems, "conflict", "have a node more than once");
        }
    }
}

static void read_option(struct reader *reader, struct fault_action *action, const struct fault_option *option,
                        struct term value)
{
    static void (*const readers[FAULT_TYPE_COUNT])(struct reader * reader, const struct fault_option *option,
                                                   struct term value, struct fault_value *result) = {
        [FAULT_INTEGER] = read_integer_value, [FAULT_FRACTION] = read_fraction_value,
        [FAULT_ATOM] = read_atom_value,       [FAULT_TERM] = read_any_value,
        [FAULT_LIST] = read_list_value,       [FAULT_CRASH_SPEC] = read_crash_spec,
        [FAULT_NODE_NAME] = read_node_value,  [FAULT_NODE_GROUPS] = read_groups_value,
    };
    struct fault_value *result = &action->values[option->name];
    problems_enter_key(reader->problems, fault_option_text(option->name));
    result->given = true;
    result->term = value;
    readers[option->type](reader, option, value, result);
    problems_leave(reader->problems);
}

static void set_defaults(struct fault_action *action)
{
    for (size_t i = 0; i < action->kind->option_count; i++) {
        const struct fault_option *option = &action->kind->options[i];
        struct fault_value *value = &action->values[option->name];
        if (option->fallback) {
            value->given = true;
            value->term.data = (const uint8_t *)option->fallback;
            value->term.size = 2U + value->term.data[1];
        } else if (option->number >= 0) {
            value->given = true;
            value->integer = (int64_t)option->number;
            value->number = option->number;
        }
    }
}

/* --- Chaos terms --- */

static void read_options(struct reader *reader, struct fault_action *action, struct term value)
{
    struct term_pairs pairs;
    struct term key, given;
    struct excerpt text;
    const struct fault_kind *kind = action->kind;
    const char *names[FAULT_OPTIONS];
    bool seen[FAULT_OPTION_NAMES] = {false};
    for (size_t i = 0; i < kind->option_count; i++)
        names[i] = fault_option_text(kind->options[i].name);
    if (!term_pairs_start(&pairs, value)) {
        problems_add(reader->problems, "wrong_type", "the options of %s must be a keyword list, got %s",
                     kind->name, excerpt(&text, value));
        return;
    }
    while (term_pairs_next(&pairs, &key, &given)) {
        size_t i = 0;
        while (i < kind->option_count && !term_is_atom(key, names[i]))
            i++;
        if (i == kind->option_count)
            report_unknown(reader, key, names, kind->option_count, kind->name);
        else if (!seen[kind->options[i].name]) /* of one that comes twice the first counts */
            read_option(reader, action, &kind->options[i], given);
        if (i < kind->option_count)
            seen[kind->options[i].name] = true;
    }
}

static const struct fault_kind *find_kind(const struct term *parts, size_t arity, bool *is_named)
{
    size_t count;
    const struct fault_kind *kinds = fault_kinds(&count);
    *is_named = false;
    for (size_t i = 0; i < count; i++) {
        if (!arity || !term_is_atom(parts[0], kinds[i].name))
            continue;
        *is_named = true;
        if (!kinds[i].resource || (arity > 1 && term_is_atom(parts[1], kinds[i].resource)))
            return &kinds[i];
    }
    return NULL;
}

static void report_unknown_kind(struct reader *reader, struct term value, const struct term *parts,
                                size_t arity, bool is_named)
{
    const char *names[NAMES_MOST];
    char name[TERM_ATOM_BYTES + 1];
    struct excerpt text;
    size_t count;
    const struct fault_kind *kinds = fault_kinds(&count);
    for (size_t i = 0; i < count; i++)
        names[i] = kinds[i].name;
    const char *nearest =
        arity && term_read_atom(parts[0], name) ? nearest_word(name, strlen(name), names, count) : NULL;
    if (is_named)
        problems_add(reader->problems, "invalid_action",
                     "exhaust needs :process_limit, :ets_tables, :memory or :ports, got %s",
                     excerpt(&text, value));
    else
        problems_add(reader->problems, "invalid_action", "%s is not a chaos term%s%s", excerpt(&text, value),
                     nearest ? "; did you mean " : "", nearest ? nearest : "");
}

#define PARTS_MOST (FAULT_POSITIONAL + 3)

/* {Name[, Resource], Argument...[, Options]} */
static bool read_chaos_term(struct reader *reader, struct fault_action *action, struct term value)
{
    struct term parts[PARTS_MOST];
    size_t arity = 0;
    bool is_named;
    struct excerpt text;
    action->schedule = (struct schedule){.times = 1, .probability = 1};
    action->term = value;
    if (!term_read_tuple(value, PARTS_MOST, parts, &arity))
        arity = 0;
    action->kind = find_kind(parts, arity, &is_named);
    if (!action->kind) {
        report_unknown_kind(reader, value, parts, arity, is_named);
        return false;
    }
    const struct fault_kind *kind = action->kind;
    size_t first = kind->resource ? 2 : 1, needed = first + kind->argument_count;
    if (arity < needed || arity > needed + kind->has_options) {
        problems_add(reader->problems, "invalid_action", "%s takes %zu arguments%s, got %s", kind->name,
                     needed - 1, kind->has_options ? " and options" : "", excerpt(&text, value));
        return false;
    }
    set_defaults(action);
    for (size_t i = 0; i < kind->argument_count; i++)
        read_option(reader, action, &kind->arguments[i], parts[first + i]);
    if (arity > needed)
        read_options(reader, action, parts[needed]);
    if (kind->doing == FAULT_CRASH) {
        action->schedule.after_ms = (uint64_t)action->values[FAULT_WHEN].integer;
        action->schedule.probability = action->values[FAULT_WHEN].number;
        action->is_loose = action->schedule.after_ms > 0;
    }
    return true;
}

/* --- Scheduled actions --- */

static const struct {
    const char *name;
    enum fault_target_kind kind;
} tagged_targets[] = {
    {"children", FAULT_TARGET_CHILDREN},
    {"child", FAULT_TARGET_CHILD},
    {"application", FAULT_TARGET_APPLICATION},
    {"module", FAULT_TARGET_MODULE},
    {"node", FAULT_TARGET_ON_NODE},
};

/* {application | module, Name[, Node]} | {node, Node} */
static void read_place(struct reader *reader, struct fault_target *target, const struct term *parts,
                       size_t arity)
{
    struct term node = target->kind == FAULT_TARGET_ON_NODE ? parts[1] : parts[2];
    struct excerpt text;
    char name[TERM_ATOM_BYTES + 1];
    target->spec.name = parts[1];
    if (term_type(parts[1]) != TERM_ATOM)
        problems_add(reader->problems, "invalid_target", "must be named by an atom, got %s",
                     excerpt(&text, parts[1]));
    else if (arity == 2 && target->kind != FAULT_TARGET_ON_NODE)
        read_caller_node(reader, target->spec.node);
    else if (check_node(reader, node) && term_read_atom(node, name))
        memcpy(target->spec.node, name, strlen(name) + 1);
}

static void read_chaos_target(struct reader *reader, struct fault_target *target, struct term value)
{
    struct term parts[3];
    size_t arity = 0;
    target->term = value;
    bool is_tuple = term_read_tuple(value, 3, parts, &arity) && arity >= 2;
    for (size_t i = 0; is_tuple && i < ARRAY_LENGTH(tagged_targets); i++) {
        if (!term_is_atom(parts[0], tagged_targets[i].name))
            continue;
        target->kind = tagged_targets[i].kind;
        bool is_supervisor = target->kind == FAULT_TARGET_CHILDREN || target->kind == FAULT_TARGET_CHILD;
        size_t most = is_supervisor || target->kind == FAULT_TARGET_ON_NODE ? 2 : 3;
        if (arity > most)
            problems_add(reader->problems, "invalid_target", "has too many elements");
        else if (is_supervisor)
            read_target_spec(reader, parts[1], &target->spec);
        else
            read_place(reader, target, parts, arity);
        return;
    }
    target->kind = FAULT_TARGET_PROCESS;
    read_target_spec(reader, value, &target->spec);
}

/* Whom a kind can be done to. */
static void check_target(struct reader *reader, const struct fault_action *action)
{
    const struct fault_kind *kind = action->kind;
    enum fault_target_kind target = action->target.kind;
    if (kind->doing == FAULT_SPLIT || kind->doing == FAULT_HALT)
        problems_add(reader->problems, "conflict", "cannot be given for %s, which names its nodes",
                     kind->name);
    else if (kind->victim == FAULT_SUPERVISOR && target != FAULT_TARGET_PROCESS)
        problems_add(reader->problems, "invalid_target", "of %s must be a supervisor", kind->name);
    else if (kind->victim == FAULT_PROCESSES && target == FAULT_TARGET_ON_NODE)
        problems_add(reader->problems, "invalid_target", "of %s must be processes", kind->name);
}

static void read_count(struct reader *reader, struct term value, int64_t least, uint64_t *result)
{
    const struct fault_option option = {.least = least, .most = MOST_MS};
    struct fault_value number = {.integer = 0};
    read_integer_value(reader, &option, value, &number);
    *result = (uint64_t)number.integer;
}

enum action_key {
    KEY_ACTION,
    KEY_AFTER,
    KEY_EVERY,
    KEY_TIMES,
    KEY_JITTER,
    KEY_PROBABILITY,
    KEY_TARGET,
    KEYS
};

/* Read by read_action_key(), which knows the action. */
static const struct reader_key action_keys[KEYS] = {
    [KEY_ACTION] = {.name = "action"},    [KEY_AFTER] = {.name = "after_ms"},
    [KEY_EVERY] = {.name = "every_ms"},   [KEY_TIMES] = {.name = "times"},
    [KEY_JITTER] = {.name = "jitter_ms"}, [KEY_PROBABILITY] = {.name = "probability"},
    [KEY_TARGET] = {.name = "target"},
};

static void read_action_key(struct reader *reader, struct fault_action *action, enum action_key key,
                            struct term value)
{
    struct schedule *schedule = &action->schedule;
    problems_enter_key(reader->problems, action_keys[key].name);
    switch (key) {
    case KEY_AFTER:
        read_count(reader, value, 0, &action->map_after_ms);
        schedule->after_ms += action->map_after_ms;
        break;
    case KEY_EVERY:
        read_count(reader, value, 1, &schedule->every_ms);
        break;
    case KEY_TIMES:
        read_count(reader, value, 1, &schedule->times);
        break;
    case KEY_JITTER:
        read_count(reader, value, 0, &schedule->jitter_ms);
        break;
    case KEY_PROBABILITY:
        read_fraction(reader, value, &action->map_probability);
        schedule->probability *= action->map_probability;
        break;
    case KEY_TARGET:
        read_chaos_target(reader, &action->target, value);
        check_target(reader, action);
        break;
    case KEY_ACTION:
    case KEYS:
        break;
    }
    problems_leave(reader->problems);
}

static void read_scheduled(struct reader *reader, struct fault_action *action, struct term value)
{
    struct term values[READER_KEYS] = {{0}};
    bool readable = false;
    (void)reader_find(reader, value, action_keys, KEYS, "scheduled actions", values); /* it is a map */
    problems_enter_key(reader->problems, action_keys[KEY_ACTION].name);
    if (values[KEY_ACTION].data)
        readable = read_chaos_term(reader, action, values[KEY_ACTION]);
    else
        problems_add(reader->problems, "required", "is required");
    problems_leave(reader->problems);
    action->is_scheduled = true;
    action->map_probability = 1;
    if (!readable)
        return;
    for (size_t i = KEY_AFTER; i < KEYS; i++)
        if (values[i].data && !term_is_atom(values[i], "nil"))
            read_action_key(reader, action, (enum action_key)i, values[i]);
    bool is_repeated = action->schedule.every_ms > 0;
    bool has_times = values[KEY_TIMES].data && !term_is_atom(values[KEY_TIMES], "nil");
    if (is_repeated && !has_times) {
        action->schedule.times = OCCURRENCES_ENDLESS;
        action->is_loose = true;
    } else if (!is_repeated && action->schedule.times > 1) {
        problems_enter_key(reader->problems, action_keys[KEY_TIMES].name);
        problems_add(reader->problems, "conflict", "needs every_ms");
        problems_leave(reader->problems);
    }
}

/* --- The key --- */

static void read_action(struct reader *reader, struct fault_action *action, struct term value)
{
    if (term_type(value) == TERM_MAP)
        read_scheduled(reader, action, value);
    else
        (void)read_chaos_term(reader, action, value);
}

static void read_actions(struct reader *reader, struct term_list *list)
{
    struct scenario *scenario = reader->scenario;
    struct term element;
    if (list->count > MAX_ACTIONS) {
        problems_add(reader->problems, "out_of_range", "must be at most %d actions", MAX_ACTIONS);
        return;
    }
    scenario->actions_are_list = true;
    scenario->action_count = list->count;
    scenario->actions = memory_zalloc(list->count, sizeof(*scenario->actions));
    for (size_t i = 0; term_list_next(list, &element); i++) {
        problems_enter_index(reader->problems, i);
        read_action(reader, &scenario->actions[i], element);
        problems_leave(reader->problems);
    }
    if (!term_list_proper(list))
        problems_add(reader->problems, "wrong_type", "must be a proper list");
}

/* {exhaust, memory, []} has the shape of a hook: the names of kinds are no modules. */
static bool is_hook(struct term value)
{
    struct term parts[3];
    bool is_named = false;
    if (!is_module_function_extra(value) || !term_read_tuple_of(value, 3, parts))
        return term_type(value) == TERM_FUN;
    (void)find_kind(parts, 3, &is_named);
    return !is_named;
}

void read_chaos(struct reader *reader, struct term value)
{
    struct term_list list;
    struct scenario *scenario = reader->scenario;
    if (term_is_atom(value, "nil") || is_hook(value)) {
        read_hook(reader, value, 2, &scenario->chaos);
    } else if (term_list_start(&list, value)) {
        read_actions(reader, &list);
    } else {
        scenario->action_count = 1;
        scenario->actions = memory_zalloc(1, sizeof(*scenario->actions));
        read_action(reader, &scenario->actions[0], value);
    }
}

void read_dry_run(struct reader *reader, struct term value)
{
    struct excerpt text;
    if (!term_is_atom(value, "nil") && !term_read_boolean(value, &reader->scenario->dry_run))
        problems_add(reader->problems, "wrong_type", "must be true or false, got %s", excerpt(&text, value));
}

void build_dry_run(const struct scenario *scenario, struct term_builder *builder)
{
    term_build_boolean(builder, scenario->dry_run);
}

/* --- The normalised form --- */

static void build_number(struct term_builder *builder, const char *key, uint64_t number, bool is_nil)
{
    term_build_key(builder, key);
    if (is_nil)
        term_build_atom(builder, "nil");
    else
        term_build_unsigned(builder, number);
}

static void build_action(const struct fault_action *action, struct term_builder *builder)
{
    const struct schedule *schedule = &action->schedule;
    if (!action->is_scheduled) {
        term_build_term(builder, action->term);
        return;
    }
    term_build_map(builder, KEYS);
    term_build_key(builder, action_keys[KEY_ACTION].name);
    term_build_term(builder, action->term);
    build_number(builder, action_keys[KEY_AFTER].name, action->map_after_ms, false);
    build_number(builder, action_keys[KEY_EVERY].name, schedule->every_ms, !schedule->every_ms);
    build_number(builder, action_keys[KEY_TIMES].name, schedule->times,
                 schedule->times == OCCURRENCES_ENDLESS);
    build_number(builder, action_keys[KEY_JITTER].name, schedule->jitter_ms, false);
    term_build_key(builder, action_keys[KEY_PROBABILITY].name);
    term_build_float(builder, action->map_probability);
    term_build_key(builder, action_keys[KEY_TARGET].name);
    build_hook(action->target.term, builder);
}

void build_chaos(const struct scenario *scenario, struct term_builder *builder)
{
    if (!scenario->action_count) {
        build_hook(scenario->chaos, builder);
        return;
    }
    if (scenario->actions_are_list)
        term_build_list(builder, scenario->action_count);
    for (size_t i = 0; i < scenario->action_count; i++)
        build_action(&scenario->actions[i], builder);
    if (scenario->actions_are_list)
        term_build_nil(builder);
}
