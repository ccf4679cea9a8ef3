/* The arguments and options of chaos terms. */
#include <string.h>

#include "scenario_chaos_private.h"
#include "term/term_read.h"

#define NAMES_MOST 64

void chaos_read_integer(struct reader *reader, int64_t least, int64_t most, struct term value,
                        int64_t *result)
{
    struct excerpt text;
    if (!term_read_integer(value, result))
        problems_add(reader->problems, PROBLEM_WRONG_TYPE, "must be an integer, got %s",
                     excerpt(&text, value));
    else if (*result < least || *result > most)
        problems_add(reader->problems, PROBLEM_OUT_OF_RANGE, "must be in %lld to %lld, got %lld",
                     (long long)least, (long long)most, (long long)*result);
}

static void option_read_integer_value(struct reader *reader, const struct fault_option *option,
                                      struct term value, struct fault_value *result)
{
    chaos_read_integer(reader, option->least, option->most, value, &result->integer);
}

void chaos_read_fraction(struct reader *reader, struct term value, double *result)
{
    struct excerpt text;
    if (!term_read_number(value, result) || *result < 0 || *result > 1)
        problems_add(reader->problems, PROBLEM_OUT_OF_RANGE, "must be a number from 0 to 1, got %s",
                     excerpt(&text, value));
}

static void option_read_fraction_value(struct reader *reader, const struct fault_option *option,
                                       struct term value, struct fault_value *result)
{
    (void)option;
    chaos_read_fraction(reader, value, &result->number);
}

static void option_read_atom_value(struct reader *reader, const struct fault_option *option,
                                   struct term value, struct fault_value *result)
{
    (void)option;
    (void)result;
    struct excerpt text;
    if (term_type(value) != TERM_ATOM)
        problems_add(reader->problems, PROBLEM_WRONG_TYPE, "must be an atom, got %s", excerpt(&text, value));
}

static void option_read_any_value(struct reader *reader, const struct fault_option *option, struct term value,
                                  struct fault_value *result)
{
    (void)reader;
    (void)option;
    (void)value;
    (void)result;
}

static bool option_is_proper_list(struct term value)
{
    struct term_list list;
    struct term element;
    if (!term_list_start(&list, value))
        return false;
    while (term_list_next(&list, &element)) {
    }
    return term_list_proper(&list);
}

static void option_read_list_value(struct reader *reader, const struct fault_option *option,
                                   struct term value, struct fault_value *result)
{
    (void)option;
    (void)result;
    struct excerpt text;
    if (!option_is_proper_list(value))
        problems_add(reader->problems, PROBLEM_WRONG_TYPE, "must be a list, got %s", excerpt(&text, value));
}

/* `integer` is the delay, `number` the probability. */
static void option_read_crash_spec(struct reader *reader, const struct fault_option *option,
                                   struct term value, struct fault_value *result)
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
        chaos_read_integer(reader, 0, FAULT_MS_MOST, pair[1], &result->integer);
    } else if (tagged && term_is_atom(pair[0], "random")) {
        chaos_read_fraction(reader, pair[1], &result->number);
    } else {
        problems_add(reader->problems, PROBLEM_INVALID_ACTION,
                     "must be :immediate, {:after_ms, ms} or {:random, probability}, got %s",
                     excerpt(&text, value));
    }
}

bool chaos_check_node(struct reader *reader, struct term value)
{
    char name[TERM_ATOM_BYTES + 1];
    struct excerpt text;
    if (term_read_atom(value, name) && node_name_is_valid(name, strlen(name)) &&
        strcmp(name, reader->origin->own_node) != 0)
        return true;
    problems_add(reader->problems, PROBLEM_WRONG_TYPE,
                 "must be the name of another node than the daemon's, got %s", excerpt(&text, value));
    return false;
}

static void option_read_node_value(struct reader *reader, const struct fault_option *option,
                                   struct term value, struct fault_value *result)
{
    (void)option;
    (void)result;
    (void)chaos_check_node(reader, value);
}

/* Whether a node comes again in the groups behind the walks. */
static bool option_comes_again(struct term_list groups, struct term_list group, struct term node)
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

static void option_read_group(struct reader *reader, struct term_list groups, struct term_list group,
                              size_t *nodes)
{
    struct term node;
    while (term_list_next(&group, &node)) {
        if (*nodes == NAMES_MOST)
            problems_add(reader->problems, PROBLEM_OUT_OF_RANGE, "must be at most %d nodes", NAMES_MOST);
        if ((*nodes)++ >= NAMES_MOST)
            return;
        if (chaos_check_node(reader, node) && option_comes_again(groups, group, node))
            problems_add(reader->problems, PROBLEM_CONFLICT, "have a node more than once");
    }
    if (!term_list_proper(&group))
        problems_add(reader->problems, PROBLEM_WRONG_TYPE, "must be a proper list");
}

/* A node that stands alone is a group of its own. */
static void option_read_groups_value(struct reader *reader, const struct fault_option *option,
                                     struct term value, struct fault_value *result)
{
    (void)option;
    (void)result;
    struct term_list groups, group;
    struct term element;
    size_t nodes = 0;
    struct excerpt text;
    if (!option_is_proper_list(value) || !term_list_start(&groups, value) || groups.count < 2 ||
        groups.string) {
        problems_add(reader->problems, PROBLEM_WRONG_TYPE,
                     "must be a list of at least two nodes or groups of nodes, got %s",
                     excerpt(&text, value));
        return;
    }
    while (term_list_next(&groups, &element)) {
        if (term_list_start(&group, element) && !group.string && group.count) {
            option_read_group(reader, groups, group, &nodes);
        } else if (++nodes > NAMES_MOST) {
            problems_add(reader->problems, PROBLEM_OUT_OF_RANGE, "must be at most %d nodes", NAMES_MOST);
            return;
        } else if (chaos_check_node(reader, element) &&
                   option_comes_again(groups, (struct term_list){0}, element)) {
            problems_add(reader->problems, PROBLEM_CONFLICT, "have a node more than once");
        }
    }
}

void chaos_read_option(struct reader *reader, struct fault_action *action, const struct fault_option *option,
                       struct term value)
{
    static void (*const readers[FAULT_TYPE_COUNT])(struct reader *reader, const struct fault_option *option,
                                                   struct term value, struct fault_value *result) = {
        [FAULT_INTEGER] = option_read_integer_value, [FAULT_FRACTION] = option_read_fraction_value,
        [FAULT_ATOM] = option_read_atom_value,       [FAULT_TERM] = option_read_any_value,
        [FAULT_LIST] = option_read_list_value,       [FAULT_CRASH_SPEC] = option_read_crash_spec,
        [FAULT_NODE_NAME] = option_read_node_value,  [FAULT_NODE_GROUPS] = option_read_groups_value,
    };
    struct fault_value *result = &action->values[option->name];
    problems_enter_key(reader->problems, fault_option_text(option->name));
    result->given = true;
    result->term = value;
    readers[option->type](reader, option, value, result);
    problems_leave(reader->problems);
}

void chaos_set_defaults(struct reader *reader, struct fault_action *action)
{
    for (size_t i = 0; i < action->kind->option_count; i++) {
        const struct fault_option *option = &action->kind->options[i];
        if (option->fallback.data)
            chaos_read_option(reader, action, option, option->fallback);
    }
}
