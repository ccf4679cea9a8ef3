#include "scenario_private.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "term/term_read.h"

#define MAX_TARGETS 10000
#define MAX_KEY_POSITION 16777215

void read_caller_node(struct reader *reader, char node[NODE_NAME_BYTES + 1])
{
    snprintf(node, NODE_NAME_BYTES + 1, "%s", reader->origin->caller_node);
    if (!*node)
        problems_add(reader->problems, PROBLEM_REQUIRED, "needs a node where nobody calls");
}

static void target_set_node(struct reader *reader, struct target_spec *target, struct term node)
{
    char text[TERM_ATOM_BYTES + 1];
    if (!term_read_atom(node, text) || !node_name_is_valid(text, strlen(text))) {
        struct excerpt name;
        problems_add(reader->problems, PROBLEM_INVALID_TARGET, "%s cannot be the name of a node",
                     excerpt(&name, node));
        return;
    }
    if (strcmp(text, reader->origin->own_node) == 0)
        problems_add(reader->problems, PROBLEM_INVALID_TARGET, "is on the daemon's own node");
    memcpy(target->node, text, strlen(text) + 1);
}

static bool target_is_name(struct term term)
{
    return term_type(term) == TERM_ATOM && !term_is_atom(term, "nil") && !term_is_atom(term, "undefined");
}

static const struct {
    struct help help;
    enum target_kind kind;
    const char *tag; /* of a tuple that is looked up with whereis_name */
    size_t arity;
} targets[] = {
    {{.name = "Pid", .text = "A process."}, TARGET_PID, NULL, 0},
    {{.name = "Name", .text = "A process that is registered on the caller's node."}, TARGET_NAME, NULL, 0},
    {{.name = "{Name, Node}", .text = "One that is registered there."}, TARGET_NAME, NULL, 0},
    {{.name = "{global, Term}", .text = "One that `global` of the caller's node knows."},
     TARGET_GLOBAL,
     "global",
     2},
    {{.name = "{via, Module, Term}",
      .text = "One that `Module` of the caller's node knows, such as a `Registry`."},
     TARGET_VIA,
     "via",
     3},
    {{.name = "{children, Supervisor}",
      .text =
          "All children of a supervisor, which is one of the above. It is not asked: they are the processes "
          "that it has started and is linked to."},
     TARGET_CHILDREN,
     "children",
     2},
    {{.name = "{pg, Group}", .text = "The members of a group, as `pg` of the caller's node knows them."},
     TARGET_PG,
     "pg",
     2},
    {{.name = "{pg, Scope, Group}", .text = "Those of a group of another scope."}, TARGET_PG, "pg", 3},
    {{.name = "{find, Hook}",
      .text = "What a hook without arguments gives on the hooks' node: one of the above but for these, or a "
              "list of them; `{error, Reason}` is nobody."},
     TARGET_FIND,
     "find",
     2},
};

/* The rows of those that give one process. */
#define TARGETS_SINGLE 5

const struct help_table help_of_targets = HELP_TABLE("target", "Targets", targets);

/* {global, Term} | {via, Module, Term} */
static bool target_read_looked_up(struct reader *reader, const struct term *parts, size_t arity,
                                  struct target_spec *target)
{
    for (size_t i = 0; i < TARGETS_SINGLE; i++) {
        if (!targets[i].tag || targets[i].arity != arity || !term_is_atom(parts[0], targets[i].tag))
            continue;
        if (!term_read_atom(parts[arity - 2], target->module))
            return false;
        target->kind = targets[i].kind;
        target->name = parts[arity - 1];
        read_caller_node(reader, target->node);
        return true;
    }
    return false;
}

/* {Name, Node} | {global, Term} | {via, Module, Term} */
static bool target_read_tuple(struct reader *reader, struct term value, struct target_spec *target)
{
    struct term parts[3];
    size_t arity;
    if (!term_read_tuple(value, ARRAY_LENGTH(parts), parts, &arity))
        return false;
    if (target_read_looked_up(reader, parts, arity, target))
        return true;
    if (arity != 2 || !target_is_name(parts[0]) || term_type(parts[1]) != TERM_ATOM)
        return false;
    target->kind = TARGET_NAME;
    target->name = parts[0];
    problems_enter_key(reader->problems, "node");
    target_set_node(reader, target, parts[1]);
    problems_leave(reader->problems);
    return true;
}

void read_target_spec(struct reader *reader, struct term value, struct target_spec *target)
{
    *target = (struct target_spec){.server = value};
    struct term node;
    struct excerpt text;
    if (term_type(value) == TERM_PID && term_read_node(value, &node)) {
        target->kind = TARGET_PID;
        target_set_node(reader, target, node);
    } else if (target_is_name(value)) {
        target->kind = TARGET_NAME;
        target->name = value;
        read_caller_node(reader, target->node);
    } else if (!target_read_tuple(reader, value, target)) {
        struct buffer shapes = {0};
        build_alternatives(&help_of_targets, 2, TARGETS_SINGLE, &shapes);
        problems_add(reader->problems, PROBLEM_INVALID_TARGET, "must be a pid, a name, %s, got %s",
                     (const char *)buffer_bytes(&shapes), excerpt(&text, value));
        buffer_free(&shapes);
    }
}

/* --- Those that give several --- */

/* As it is called on its own node. */
static void target_read_children(struct reader *reader, struct term supervisor, struct target_spec *target)
{
    struct term server = target->server;
    problems_enter_key(reader->problems, "children");
    read_target_spec(reader, supervisor, target);
    problems_leave(reader->problems);
    if (target->kind != TARGET_NAME)
        target->name = target->server;
    target->server = server;
    target->kind = TARGET_CHILDREN;
}

static void target_read_find(struct reader *reader, struct term hook, struct target_spec *target)
{
    problems_enter_key(reader->problems, "find");
    read_hook(reader, hook, 0, &target->name);
    if (term_is_atom(hook, "nil"))
        problems_add(reader->problems, PROBLEM_WRONG_TYPE,
                     "must be a fun of arity 0 or {module, function, extra_args}");
    problems_leave(reader->problems);
    target->kind = TARGET_FIND; /* its node is known when all has been read */
}

static void target_read_group(struct reader *reader, const struct term *parts, size_t arity,
                              struct target_spec *target)
{
    struct excerpt text;
    target->kind = TARGET_PG;
    target->name = parts[arity - 1];
    read_caller_node(reader, target->node);
    snprintf(target->module, sizeof(target->module), "pg");
    if (arity == 3 && !term_read_atom(parts[1], target->module))
        problems_add(reader->problems, PROBLEM_INVALID_TARGET, "must have an atom as its scope, got %s",
                     excerpt(&text, parts[1]));
}

/* {pg, 'app@host'} is what it always was, the process `pg` there. */
static bool target_names_node(struct term term)
{
    char name[TERM_ATOM_BYTES + 1];
    return term_read_atom(term, name) && node_name_is_valid(name, strlen(name));
}

void read_target_source(struct reader *reader, struct term value, struct target_spec *target)
{
    struct term parts[3];
    size_t arity = 0;
    bool is_tuple = term_read_tuple(value, ARRAY_LENGTH(parts), parts, &arity) && arity >= 2;
    *target = (struct target_spec){.server = value};
    if (is_tuple && arity == 2 && target_names_node(parts[1]))
        read_target_spec(reader, value, target);
    else if (is_tuple && arity == 2 && term_is_atom(parts[0], "children"))
        target_read_children(reader, parts[1], target);
    else if (is_tuple && arity == 2 && term_is_atom(parts[0], "find"))
        target_read_find(reader, parts[1], target);
    else if (is_tuple && term_is_atom(parts[0], "pg"))
        target_read_group(reader, parts, arity, target);
    else
        read_target_spec(reader, value, target);
}

static void target_read_one(struct reader *reader, struct term value, size_t index)
{
    struct target_spec *target = &reader->scenario->targets[index];
    read_target_source(reader, value, target);
    reader->scenario->has_several_targets |= target_is_several(target->kind);
}

void read_target(struct reader *reader, struct term value)
{
    struct term_list list;
    struct term element;
    struct scenario *scenario = reader->scenario;
    scenario->target = value;
    scenario->target_is_list = term_list_start(&list, value);
    if (scenario->target_is_list && list.count == 0) {
        problems_add(reader->problems, PROBLEM_EMPTY, "must have at least one target");
        return;
    }
    if (scenario->target_is_list && list.count > MAX_TARGETS) {
        problems_add(reader->problems, PROBLEM_OUT_OF_RANGE, "must be at most %d targets", MAX_TARGETS);
        return;
    }
    scenario->target_count = scenario->target_is_list ? list.count : 1;
    scenario->targets = memory_zalloc(scenario->target_count, sizeof(*scenario->targets));
    if (!scenario->target_is_list) {
        target_read_one(reader, value, 0);
        return;
    }
    for (size_t i = 0; term_list_next(&list, &element); i++) {
        problems_enter_index(reader->problems, i);
        target_read_one(reader, element, i);
        problems_leave(reader->problems);
    }
    if (!term_list_proper(&list))
        problems_add(reader->problems, PROBLEM_WRONG_TYPE, "must be a proper list");
}

void build_target(const struct scenario *scenario, struct term_builder *builder)
{
    if (scenario->setup.data) {
        term_build_atom(builder, "nil");
        return;
    }
    if (scenario->target_is_list)
        term_build_list(builder, scenario->target_count);
    for (size_t i = 0; i < scenario->target_count; i++) {
        const struct target_spec *target = &scenario->targets[i];
        bool is_named_supervisor = target->kind == TARGET_CHILDREN && term_type(target->name) == TERM_ATOM;
        if (is_named_supervisor) {
            term_build_tuple(builder, 2);
            term_build_atom(builder, "children");
        }
        /* A process may well be registered as `global`; with its node it would read as something else. */
        if ((target->kind == TARGET_NAME || is_named_supervisor) && !term_is_atom(target->name, "global")) {
            term_build_tuple(builder, 2);
            term_build_term(builder, target->name);
            term_build_atom(builder, target->node);
        } else if (is_named_supervisor) {
            term_build_term(builder, target->name);
        } else {
            term_build_term(builder, target->server);
        }
    }
    if (scenario->target_is_list)
        term_build_nil(builder);
}

/* --- Which of several --- */

void read_spread(struct reader *reader, struct term value)
{
    struct scenario *scenario = reader->scenario;
    struct term pair[2];
    struct excerpt text;
    uint64_t position = 0;
    if (term_is_atom(value, "round_robin"))
        return;
    if (term_is_atom(value, "random")) {
        scenario->spread = SPREAD_RANDOM;
    } else if (term_read_tuple_of(value, 2, pair) && term_is_atom(pair[0], "key")) {
        scenario->spread = SPREAD_KEY;
        if (read_whole(reader, pair[1], 1, MAX_KEY_POSITION, "elements, as keypos of ets", &position))
            scenario->key_position = (uint32_t)position;
    } else {
        problems_add(reader->problems, PROBLEM_OUT_OF_RANGE,
                     "must be :round_robin, :random or {:key, position}, got %s", excerpt(&text, value));
    }
}

void build_spread(const struct scenario *scenario, struct term_builder *builder)
{
    if (scenario->spread != SPREAD_KEY) {
        term_build_atom(builder, scenario->spread == SPREAD_RANDOM ? "random" : "round_robin");
        return;
    }
    term_build_tuple(builder, 2);
    term_build_atom(builder, "key");
    term_build_unsigned(builder, scenario->key_position);
}
