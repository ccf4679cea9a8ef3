/* The values that scenarios are made of, whatever key they are for. */
#include <string.h>

#include "scenario/scenario_json.h"
#include "scenario_json_private.h"

/* What stands in for a message, a name or a word, and for a hook. */
void json_build_stand_in(struct json_reader *reader)
{
    term_build_atom(reader->builder, "text");
}

/* --- Objects and arrays --- */

bool json_is_comment(const char *key)
{
    return strncmp(key, "//", 2) == 0;
}

const char *json_only_key(const json_t *object, const json_t **value)
{
    const char *key, *only = NULL;
    json_t *inner;
    if (!json_is_object(object))
        return NULL;
    json_object_foreach((json_t *)object, key, inner)
    {
        if (json_is_comment(key))
            continue;
        if (only)
            return NULL;
        only = key;
        *value = inner;
    }
    return only;
}

void json_check_keys(struct json_reader *reader, const json_t *object, const char *const *known, size_t count,
                     const char *what)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        size_t index = 0;
        while (index < count && strcmp(known[index], key) != 0)
            index++;
        if (index == count && !json_is_comment(key))
            problems_add_unknown(reader->problems, key, known, count, what);
    }
}

void json_convert_at(struct json_reader *reader, const char *key, const json_t *value, json_convert *convert)
{
    problems_enter_key(reader->problems, key);
    convert(reader, value);
    problems_leave(reader->problems);
}

void json_convert_each(struct json_reader *reader, const json_t *value, json_convert *convert)
{
    size_t count = json_array_size(value);
    if (!json_is_array(value)) {
        convert(reader, value);
        return;
    }
    term_build_list(reader->builder, count);
    for (size_t i = 0; i < count; i++) {
        problems_enter_index(reader->problems, i);
        convert(reader, json_array_get(value, i));
        problems_leave(reader->problems);
    }
    if (count)
        term_build_nil(reader->builder);
}

/* As a map, `other` being the converter of keys that are not in the table. */
static void json_value_convert_map(struct json_reader *reader, const json_t *object,
                                   const struct json_key *keys, size_t count, json_convert *other)
{
    const char *key;
    json_t *value;
    size_t pairs = 0;
    json_object_foreach((json_t *)object, key, value) pairs += !json_is_comment(key);
    term_build_map(reader->builder, pairs);
    json_object_foreach((json_t *)object, key, value)
    {
        size_t index = 0;
        if (json_is_comment(key))
            continue;
        while (index < count && strcmp(keys[index].name, key) != 0)
            index++;
        term_build_atom(reader->builder, key);
        json_convert_at(reader, key, value, index < count ? keys[index].convert : other);
    }
}

void json_convert_object(struct json_reader *reader, const json_t *value, const struct json_key *keys,
                         size_t count)
{
    if (json_is_object(value))
        json_value_convert_map(reader, value, keys, count, json_convert_data);
    else
        json_convert_data(reader, value);
}

/* --- Data and words --- */

static void json_value_convert_scalar(struct json_reader *reader, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        term_build_binary(reader->builder, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        term_build_integer(reader->builder, json_integer_value(value));
        break;
    case JSON_REAL:
        term_build_float(reader->builder, json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        term_build_boolean(reader->builder, json_is_true(value));
        break;
    default:
        term_build_atom(reader->builder, "nil");
    }
}

void json_convert_data(struct json_reader *reader, const json_t *value)
{
    if (json_is_array(value))
        json_convert_each(reader, value, json_convert_data);
    else if (json_is_object(value))
        json_value_convert_map(reader, value, NULL, 0, json_convert_data);
    else
        json_value_convert_scalar(reader, value);
}

void json_convert_metadata(struct json_reader *reader, const json_t *value)
{
    if (json_is_text(value))
        json_convert_term(reader, value);
    else if (json_is_array(value))
        json_convert_each(reader, value, json_convert_metadata);
    else if (json_is_object(value))
        json_value_convert_map(reader, value, NULL, 0, json_convert_metadata);
    else
        json_value_convert_scalar(reader, value);
}

static void json_value_convert_atom(struct json_reader *reader, const char *text)
{
    struct term_builder atom = {0};
    struct term term;
    term_build_atom(&atom, text);
    if (term_build_done(&atom, &term)) {
        term_build_term(reader->builder, term);
    } else {
        problems_add(reader->problems, PROBLEM_OUT_OF_RANGE, "is too long for an atom");
        json_build_stand_in(reader);
    }
    term_build_free(&atom);
}

void json_convert_words(struct json_reader *reader, const json_t *value)
{
    const json_t *inner = NULL;
    const char *only = json_only_key(value, &inner);
    if (json_is_string(value)) {
        json_value_convert_atom(reader, json_string_value(value));
    } else if (only) {
        term_build_tuple(reader->builder, 2);
        json_value_convert_atom(reader, only);
        json_convert_words(reader, inner);
    } else if (json_is_array(value)) {
        json_convert_each(reader, value, json_convert_words);
    } else {
        json_convert_data(reader, value);
    }
}

/* --- Terms --- */

void json_convert_term(struct json_reader *reader, const json_t *value)
{
    if (json_is_text(value)) {
        json_convert_text(reader, value, false);
    } else if (json_is_array(value)) {
        json_convert_each(reader, value, json_convert_term);
    } else if (json_is_string(value) || json_is_object(value)) {
        problems_add(reader->problems, PROBLEM_WRONG_TYPE,
                     "must be a term: {\"erlang\": \"...\"} or {\"elixir\": \"...\"}, a number, true, false, "
                     "null, or a list of terms");
        json_build_stand_in(reader);
    } else {
        json_value_convert_scalar(reader, value);
    }
}

void json_convert_name(struct json_reader *reader, const json_t *value)
{
    if (json_is_string(value)) {
        json_value_convert_atom(reader, json_string_value(value));
    } else if (json_is_text(value)) {
        json_convert_text(reader, value, false);
    } else {
        problems_add(reader->problems, PROBLEM_WRONG_TYPE,
                     "must be a name, a string, or {\"elixir\": \"My.Name\"}");
        json_build_stand_in(reader);
    }
}

/* --- Hooks --- */

static void json_value_convert_extra(struct json_reader *reader, const json_t *value)
{
    if (json_is_array(value)) {
        json_convert_term(reader, value);
        return;
    }
    if (value)
        problems_add(reader->problems, PROBLEM_WRONG_TYPE, "must be a list of terms");
    term_build_list(reader->builder, 0);
}

/* Appends {Module, Function, ExtraArguments}. */
static void json_value_convert_function(struct json_reader *reader, const json_t *value)
{
    static const char *const keys[] = {"module", "function", "extra_args"};
    static json_convert *const converters[] = {json_convert_name, json_convert_name,
                                               json_value_convert_extra};
    term_build_tuple(reader->builder, ARRAY_LENGTH(keys));
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
        json_convert_at(reader, keys[i], json_object_get(value, keys[i]), converters[i]);
    json_check_keys(reader, value, keys, ARRAY_LENGTH(keys), "hooks");
}

void json_convert_hook(struct json_reader *reader, const json_t *value)
{
    if (json_is_null(value)) {
        term_build_atom(reader->builder, "nil");
    } else if (json_is_hook_text(value)) {
        json_convert_text(reader, value, true);
    } else if (json_object_get(value, "module") || json_object_get(value, "function")) {
        json_value_convert_function(reader, value);
    } else {
        problems_add(
            reader->problems, PROBLEM_WRONG_TYPE,
            "must be a hook: {\"erlang\": \"fun...\"}, {\"elixir\": \"fn...\"}, {\"file\": \"hook.exs\"}, or "
            "{\"module\": \"m\", \"function\": \"f\", \"extra_args\": []}");
        json_build_hook_stand_in(reader);
    }
}

/* --- Targets --- */

static void json_value_convert_node(struct json_reader *reader, const json_t *value)
{
    if (json_is_string(value)) {
        json_value_convert_atom(reader, json_string_value(value));
        return;
    }
    problems_add(reader->problems, PROBLEM_WRONG_TYPE, "must be the name of a node, a string");
    term_build_atom(reader->builder, "text@text");
}

/* The forms of a target that are objects: their keys, and the atom in front of the values. */
static const struct target_form {
    const char *tag;
    const char *keys[2];
    json_convert *converters[2];
    struct help help;
} target_forms[] = {
    {NULL,
     {"name", "node"},
     {json_convert_name, json_value_convert_node},
     {.name = "{\"name\": name, \"node\": \"app@host\"}",
      .text = "`{Name, Node}`; without a node, or the name alone, `Name`."}},
    {"global", {"global"}, {json_convert_term}, {.name = "{\"global\": term}", .text = "`{global, Term}`."}},
    {"via",
     {"via", "name"},
     {json_convert_name, json_convert_term},
     {.name = "{\"via\": name, \"name\": term}", .text = "`{via, Module, Term}`."}},
    {"pg", {"pg"}, {json_convert_term}, {.name = "{\"pg\": term}", .text = "`{pg, Group}`."}},
    {"pg",
     {"scope", "pg"},
     {json_convert_name, json_convert_term},
     {.name = "{\"scope\": name, \"pg\": term}", .text = "`{pg, Scope, Group}`."}},
    {"find", {"find"}, {json_convert_hook}, {.name = "{\"find\": hook}", .text = "`{find, Fun}`."}},
    {"children",
     {"children"},
     {json_convert_target},
     {.name = "{\"children\": target}", .text = "`{children, Supervisor}`."}},
};

const struct help_table *json_targets_table(void)
{
    static const struct help_table table = HELP_TABLE("json_targets", "Targets in files", target_forms);
    return &table;
}

/* A form has all its keys, and no other. */
static bool json_value_has_form(const json_t *value, const struct target_form *form)
{
    const char *key;
    json_t *inner;
    size_t count = 0;
    json_object_foreach((json_t *)value, key, inner) count += !json_is_comment(key);
    for (size_t i = 0; i < ARRAY_LENGTH(form->keys) && form->keys[i]; i++, count--)
        if (!json_object_get(value, form->keys[i]))
            return false;
    return count == 0;
}

static void json_value_convert_form(struct json_reader *reader, const json_t *value,
                                    const struct target_form *form)
{
    size_t count = form->keys[1] ? 2 : 1;
    term_build_tuple(reader->builder, count + (form->tag != NULL));
    if (form->tag)
        term_build_atom(reader->builder, form->tag);
    for (size_t i = 0; i < count; i++)
        json_convert_at(reader, form->keys[i], json_object_get(value, form->keys[i]), form->converters[i]);
}

static void json_value_convert_one_target(struct json_reader *reader, const json_t *value)
{
    const json_t *name = NULL;
    const char *only = json_only_key(value, &name);
    if (json_is_null(value)) {
        term_build_atom(reader->builder, "nil");
        return;
    }
    if (json_is_string(value) || json_is_text(value)) {
        json_convert_name(reader, value);
        return;
    }
    if (only && strcmp(only, "name") == 0) {
        json_convert_at(reader, only, name, json_convert_name);
        return;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(target_forms); i++) {
        if (!json_value_has_form(value, &target_forms[i]))
            continue;
        json_value_convert_form(reader, value, &target_forms[i]);
        return;
    }
    problems_add(reader->problems, PROBLEM_INVALID_TARGET,
                 "must be a name, {\"name\": name, \"node\": \"app@host\"}, {\"global\": term}, "
                 "{\"via\": module, \"name\": term}, {\"children\": supervisor}, {\"pg\": group}, or "
                 "{\"find\": hook}");
    json_build_stand_in(reader);
}

void json_convert_target(struct json_reader *reader, const json_t *value)
{
    json_convert_each(reader, value, json_value_convert_one_target);
}

/* --- Operations --- */

static const struct operation_form {
    struct json_key key;
    struct help help;
} operations[] = {
    {{"call", json_convert_term}, {.name = "{\"call\": term}", .text = "`{call, Message}`."}},
    {{"cast", json_convert_term}, {.name = "{\"cast\": term}", .text = "`{cast, Message}`."}},
    {{"custom", json_convert_hook}, {.name = "{\"custom\": hook}", .text = "`{custom, Fun}`."}},
    {{"$send", json_convert_term}, {.name = "{\"$send\": term}", .text = "`{'$send', Message}`."}},
    {{"$cast", json_convert_term}, {.name = "{\"$cast\": term}", .text = "`{'$cast', Message}`."}},
    {{"$sleep", json_convert_data}, {.name = "{\"$sleep\": ms}", .text = "`{'$sleep', Milliseconds}`."}},
};

const struct help_table *json_operations_table(void)
{
    static const struct help_table table = HELP_TABLE("json_operations", "Operations in files", operations);
    return &table;
}

void json_convert_named_operation(struct json_reader *reader, const json_t *value)
{
    static const struct json_key keys[] = {
        {"op", json_convert_operation}, {"name", json_convert_name}, {"expect", json_convert_term}};
    json_convert_object(reader, value, keys, ARRAY_LENGTH(keys));
}

void json_convert_operation(struct json_reader *reader, const json_t *value)
{
    const char *names[ARRAY_LENGTH(operations)];
    const json_t *inner = NULL;
    const char *only = json_only_key(value, &inner);
    if (!json_is_object(value) || json_is_text(value)) {
        json_convert_term(reader, value);
        return;
    }
    if (json_object_get(value, "op")) {
        json_convert_named_operation(reader, value);
        return;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(operations); i++) {
        names[i] = operations[i].key.name;
        if (!only || strcmp(names[i], only) != 0)
            continue;
        term_build_tuple(reader->builder, 2);
        term_build_atom(reader->builder, only);
        json_convert_at(reader, only, inner, operations[i].key.convert);
        return;
    }
    json_build_stand_in(reader);
    if (only)
        problems_add_unknown(reader->problems, only, names, ARRAY_LENGTH(operations), "operations");
    else
        problems_add(
            reader->problems, PROBLEM_INVALID_OPERATION,
            "must have one of call, cast, custom, $send, $cast, $sleep, and nothing beside it, or op, "
            "and perhaps a name and what to expect");
}

void json_convert_script(struct json_reader *reader, const json_t *value)
{
    json_convert_each(reader, value, json_convert_operation);
}
