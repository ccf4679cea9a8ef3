/* The key `chaos`: a hook, an action, or a list of actions. */
#include <string.h>

#include "base/memory.h"
#include "scenario_chaos_private.h"
#include "term/term_constant.h"
#include "term/term_read.h"

#define MAX_ACTIONS 1000

/* --- Scheduled actions --- */

static const struct {
    struct help help;
    const char *name; /* NULL: it is none of these tuples */
    enum fault_target_kind kind;
} tagged_targets[] = {
    {{.name = "target()",
      .text = "A process, as in `target` of a scenario; for `kill_children` a supervisor."},
     NULL,
     FAULT_TARGET_PROCESS},
    {{.name = "{children, Supervisor}", .text = "All of its children."}, "children", FAULT_TARGET_CHILDREN},
    {{.name = "{child, Supervisor}", .text = "One of its children, drawn each time."},
     "child",
     FAULT_TARGET_CHILD},
    {{.name = "{application, Name}, {application, Name, Node}",
      .text = "Every process of an application, on the caller's node unless named."},
     "application",
     FAULT_TARGET_APPLICATION},
    {{.name = "{module, Name}, {module, Name, Node}",
      .text = "Every process that was started as this module, on the caller's node unless named."},
     "module",
     FAULT_TARGET_MODULE},
    {{.name = "{node, Node}", .text = "The node itself, for kinds that are done to one."},
     "node",
     FAULT_TARGET_ON_NODE},
};

const struct help_table help_of_fault_targets =
    HELP_TABLE("fault_target", "Targets of scheduled actions", tagged_targets);

/* {application | module, Name[, Node]} | {node, Node} */
static void chaos_read_place(struct reader *reader, struct fault_target *target, const struct term *parts,
                             size_t arity)
{
    struct term node = target->kind == FAULT_TARGET_ON_NODE ? parts[1] : parts[2];
    struct excerpt text;
    char name[TERM_ATOM_BYTES + 1];
    target->spec.name = parts[1];
    if (term_type(parts[1]) != TERM_ATOM)
        problems_add(reader->problems, PROBLEM_INVALID_TARGET, "must be named by an atom, got %s",
                     excerpt(&text, parts[1]));
    else if (arity == 2 && target->kind != FAULT_TARGET_ON_NODE)
        read_caller_node(reader, target->spec.node);
    else if (chaos_check_node(reader, node) && term_read_atom(node, name))
        memcpy(target->spec.node, name, strlen(name) + 1);
}

static void chaos_read_target(struct reader *reader, struct fault_target *target, struct term value)
{
    struct term parts[3];
    size_t arity = 0;
    target->term = value;
    bool is_tuple = term_read_tuple(value, 3, parts, &arity) && arity >= 2;
    for (size_t i = 0; is_tuple && i < ARRAY_LENGTH(tagged_targets); i++) {
        if (!tagged_targets[i].name || !term_is_atom(parts[0], tagged_targets[i].name))
            continue;
        target->kind = tagged_targets[i].kind;
        bool is_supervisor = target->kind == FAULT_TARGET_CHILDREN || target->kind == FAULT_TARGET_CHILD;
        size_t most = is_supervisor || target->kind == FAULT_TARGET_ON_NODE ? 2 : 3;
        if (arity > most)
            problems_add(reader->problems, PROBLEM_INVALID_TARGET, "has too many elements");
        else if (is_supervisor)
            read_target_spec(reader, parts[1], &target->spec);
        else
            chaos_read_place(reader, target, parts, arity);
        return;
    }
    target->kind = FAULT_TARGET_PROCESS;
    read_target_source(reader, value, &target->spec);
}

/* Whom a kind can be done to. */
static void chaos_check_target(struct reader *reader, const struct fault_action *action)
{
    const struct fault_kind *kind = action->kind;
    enum fault_target_kind target = action->target.kind;
    if (kind->doing == FAULT_SPLIT || kind->doing == FAULT_HALT)
        problems_add(reader->problems, PROBLEM_CONFLICT, "cannot be given for %s, which names its nodes",
                     kind->name);
    else if (kind->victim == FAULT_SUPERVISOR && target != FAULT_TARGET_PROCESS)
        problems_add(reader->problems, PROBLEM_INVALID_TARGET, "of %s must be a supervisor", kind->name);
    else if (kind->victim == FAULT_PROCESSES && target == FAULT_TARGET_ON_NODE)
        problems_add(reader->problems, PROBLEM_INVALID_TARGET, "of %s must be processes", kind->name);
}

static void chaos_read_count(struct reader *reader, struct term value, int64_t least, uint64_t *result)
{
    int64_t number = 0;
    chaos_read_integer(reader, least, FAULT_MS_MOST, value, &number);
    *result = (uint64_t)number;
}

enum action_key {
    KEY_ACTION,
    KEY_AFTER,
    KEY_EVERY,
    KEY_TIMES,
    KEY_JITTER,
    KEY_PROBABILITY,
    KEY_TARGET,
    KEY_ALLOW_MISSING,
    KEYS
};

/* Read by chaos_read_action_key(), which knows the action. */
static const struct reader_key action_keys[KEYS] = {
    [KEY_ACTION] =
        {.help = {.name = "action", .type = "chaos_term()", .is_required = true, .text = "What is done."}},
    [KEY_AFTER] = {.help = {.name = "after_ms",
                            .type = "non_neg_integer()",
                            .unit = "ms",
                            .fallback = TERM_CONSTANT_INTEGER(0),
                            .text = "When it is due, from the start of the load."}},
    [KEY_EVERY] = {.help = {.name = "every_ms",
                            .type = "pos_integer()",
                            .unit = "ms",
                            .fallback_text = "once",
                            .text = "Time after which it is due again."}},
    [KEY_TIMES] = {.help = {.name = "times",
                            .type = "pos_integer()",
                            .fallback = TERM_CONSTANT_INTEGER(1),
                            .fallback_text = "with `every_ms` as long as the load goes on",
                            .text = "How often it is due."}},
    [KEY_JITTER] = {.help = {.name = "jitter_ms",
                             .type = "non_neg_integer()",
                             .unit = "ms",
                             .fallback = TERM_CONSTANT_INTEGER(0),
                             .text = "Each occurrence is later by up to so much."}},
    [KEY_PROBABILITY] = {.help = {.name = "probability",
                                  .type = "number()",
                                  .fallback = TERM_CONSTANT_INTEGER(1),
                                  .text = "That an occurrence happens, from 0 to 1."}},
    [KEY_TARGET] = {.help = {.name = "target",
                             .type = "fault_target()",
                             .fallback_text = "the scenario's",
                             .text = "Whom it is done to."}},
    [KEY_ALLOW_MISSING] = {.help = {.name = "allow_missing",
                                    .type = "boolean()",
                                    .fallback = TERM_CONSTANT_ATOM("false"),
                                    .text = "Whether a run may go well in which there is nobody to do it "
                                            "to, which fails it otherwise."}},
};

const struct help_table help_of_actions = HELP_TABLE("action", "Keys of a scheduled action", action_keys);

static void chaos_read_action_key(struct reader *reader, struct fault_action *action, enum action_key key,
                                  struct term value)
{
    struct schedule *schedule = &action->schedule;
    struct excerpt text;
    problems_enter_key(reader->problems, action_keys[key].help.name);
    switch (key) {
    case KEY_AFTER:
        chaos_read_count(reader, value, 0, &action->map_after_ms);
        schedule->after_ms += action->map_after_ms;
        break;
    case KEY_EVERY:
        chaos_read_count(reader, value, 1, &schedule->every_ms);
        break;
    case KEY_TIMES:
        chaos_read_count(reader, value, 1, &schedule->times);
        break;
    case KEY_JITTER:
        chaos_read_count(reader, value, 0, &schedule->jitter_ms);
        break;
    case KEY_PROBABILITY:
        chaos_read_fraction(reader, value, &action->map_probability);
        schedule->probability *= action->map_probability;
        break;
    case KEY_TARGET:
        chaos_read_target(reader, &action->target, value);
        chaos_check_target(reader, action);
        break;
    case KEY_ALLOW_MISSING:
        if (!term_read_boolean(value, &action->allow_missing))
            problems_add(reader->problems, PROBLEM_WRONG_TYPE, "must be true or false, got %s",
                         excerpt(&text, value));
        break;
    case KEY_ACTION:
    case KEYS:
        break;
    }
    problems_leave(reader->problems);
}

static void chaos_read_action_keys(struct reader *reader, struct fault_action *action,
                                   const struct term values[READER_KEYS])
{
    for (size_t i = KEY_AFTER; i < KEYS; i++) {
        struct term value = values[i].data ? values[i] : action_keys[i].help.fallback;
        if (value.data)
            chaos_read_action_key(reader, action, (enum action_key)i, value);
    }
    bool is_repeated = action->schedule.every_ms > 0;
    if (is_repeated && !values[KEY_TIMES].data) {
        action->schedule.times = OCCURRENCES_ENDLESS;
        action->is_loose = true;
    } else if (!is_repeated && action->schedule.times > 1) {
        problem_at(reader, action_keys[KEY_TIMES].help.name, PROBLEM_CONFLICT, "needs every_ms");
    }
}

static void chaos_read_scheduled(struct reader *reader, struct fault_action *action, struct term value)
{
    struct term values[READER_KEYS] = {{0}};
    bool readable = false;
    (void)reader_find(reader, value, action_keys, KEYS, "scheduled actions", values); /* it is a map */
    problems_enter_key(reader->problems, action_keys[KEY_ACTION].help.name);
    if (values[KEY_ACTION].data)
        readable = chaos_read_term(reader, action, values[KEY_ACTION]);
    else
        problems_add(reader->problems, PROBLEM_REQUIRED, "is required");
    problems_leave(reader->problems);
    action->is_scheduled = true;
    if (readable)
        chaos_read_action_keys(reader, action, values);
}

/* --- The key --- */

static void chaos_read_action(struct reader *reader, struct fault_action *action, struct term value)
{
    if (term_type(value) == TERM_MAP)
        chaos_read_scheduled(reader, action, value);
    else
        (void)chaos_read_term(reader, action, value);
}

static void chaos_read_actions(struct reader *reader, struct term_list *list)
{
    struct scenario *scenario = reader->scenario;
    struct term element;
    if (list->count > MAX_ACTIONS) {
        problems_add(reader->problems, PROBLEM_OUT_OF_RANGE, "must be at most %d actions", MAX_ACTIONS);
        return;
    }
    scenario->actions_are_list = true;
    scenario->action_count = list->count;
    scenario->actions = memory_zalloc(list->count, sizeof(*scenario->actions));
    for (size_t i = 0; term_list_next(list, &element); i++) {
        problems_enter_index(reader->problems, i);
        chaos_read_action(reader, &scenario->actions[i], element);
        problems_leave(reader->problems);
    }
    if (!term_list_proper(list))
        problems_add(reader->problems, PROBLEM_WRONG_TYPE, "must be a proper list");
}

/* {exhaust, memory, []} has the shape of a hook: the names of kinds are no modules. */
static bool chaos_is_hook(struct term value)
{
    struct term parts[3];
    bool is_named = false;
    if (!is_module_function_extra(value) || !term_read_tuple_of(value, 3, parts))
        return term_type(value) == TERM_FUN;
    (void)chaos_find_kind(parts, 3, &is_named);
    return !is_named;
}

void read_chaos(struct reader *reader, struct term value)
{
    struct term_list list;
    struct scenario *scenario = reader->scenario;
    if (term_is_atom(value, "nil") || chaos_is_hook(value)) {
        read_hook(reader, value, 2, &scenario->chaos);
    } else if (term_list_start(&list, value)) {
        chaos_read_actions(reader, &list);
    } else {
        scenario->action_count = 1;
        scenario->actions = memory_zalloc(1, sizeof(*scenario->actions));
        chaos_read_action(reader, &scenario->actions[0], value);
    }
}

void read_dry_run(struct reader *reader, struct term value)
{
    struct excerpt text;
    if (!term_read_boolean(value, &reader->scenario->dry_run))
        problems_add(reader->problems, PROBLEM_WRONG_TYPE, "must be true or false, got %s",
                     excerpt(&text, value));
}

void build_dry_run(const struct scenario *scenario, struct term_builder *builder)
{
    term_build_boolean(builder, scenario->dry_run);
}

/* --- The normalised form --- */

static void chaos_build_number(struct term_builder *builder, const char *key, uint64_t number, bool is_nil)
{
    term_build_key(builder, key);
    if (is_nil)
        term_build_atom(builder, "nil");
    else
        term_build_unsigned(builder, number);
}

static void chaos_build_action(const struct fault_action *action, struct term_builder *builder)
{
    const struct schedule *schedule = &action->schedule;
    if (!action->is_scheduled) {
        term_build_term(builder, action->term);
        return;
    }
    term_build_map(builder, KEYS);
    term_build_key(builder, action_keys[KEY_ACTION].help.name);
    term_build_term(builder, action->term);
    chaos_build_number(builder, action_keys[KEY_AFTER].help.name, action->map_after_ms, false);
    chaos_build_number(builder, action_keys[KEY_EVERY].help.name, schedule->every_ms, !schedule->every_ms);
    chaos_build_number(builder, action_keys[KEY_TIMES].help.name, schedule->times,
                       schedule->times == OCCURRENCES_ENDLESS);
    chaos_build_number(builder, action_keys[KEY_JITTER].help.name, schedule->jitter_ms, false);
    term_build_key(builder, action_keys[KEY_PROBABILITY].help.name);
    term_build_float(builder, action->map_probability);
    term_build_key(builder, action_keys[KEY_TARGET].help.name);
    build_hook(action->target.term, builder);
    term_build_key(builder, action_keys[KEY_ALLOW_MISSING].help.name);
    term_build_boolean(builder, action->allow_missing);
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
        chaos_build_action(&scenario->actions[i], builder);
    if (scenario->actions_are_list)
        term_build_nil(builder);
}
