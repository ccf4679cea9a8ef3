/* The key `chaos`: a hook, an action, or a list of actions. The table of kinds says which arguments and
 * options each has. */
#include <string.h>

#include "scenario/fault_kinds.h"
#include "scenario/scenario_json.h"
#include "scenario_json_private.h"

/* --- Values of arguments and options --- */

/* Without a value nothing is given, which scenario_term says where something has to be. */
static void json_chaos_convert_list(struct json_reader *reader, const json_t *value)
{
    if (json_is_array(value))
        json_convert_term(reader, value);
    else
        json_convert_data(reader, value);
}

static json_convert *const converters[FAULT_TYPE_COUNT] = {
    [FAULT_INTEGER] = json_convert_data,    [FAULT_FRACTION] = json_convert_data,
    [FAULT_ATOM] = json_convert_name,       [FAULT_TERM] = json_convert_term,
    [FAULT_LIST] = json_chaos_convert_list, [FAULT_CRASH_SPEC] = json_convert_words,
    [FAULT_NODE_NAME] = json_convert_words, [FAULT_NODE_GROUPS] = json_convert_words,
};

static void json_chaos_convert_option(struct json_reader *reader, const json_t *action,
                                      const struct fault_option *option)
{
    const char *name = fault_option_text(option->name);
    const json_t *value = json_object_get(action, name);
    if (value)
        json_convert_at(reader, name, value, converters[option->type]);
    else
        term_build_atom(reader->builder, "nil");
}

/* --- Chaos terms --- */

static bool json_chaos_is_word(const json_t *value, const char *word)
{
    return json_is_string(value) && strcmp(json_string_value(value), word) == 0;
}

static const struct fault_kind *json_chaos_find_kind(const json_t *action)
{
    size_t count;
    const struct fault_kind *kinds = fault_kinds(&count);
    for (size_t i = 0; i < count; i++)
        if (json_chaos_is_word(json_object_get(action, "kind"), kinds[i].name) &&
            (!kinds[i].resource ||
             json_chaos_is_word(json_object_get(action, "resource"), kinds[i].resource)))
            return &kinds[i];
    return NULL;
}

/* Appends [{Name, Value}], what is given of the options. */
static void json_chaos_convert_options(struct json_reader *reader, const json_t *action,
                                       const struct fault_kind *kind)
{
    size_t count = 0;
    for (size_t i = 0; i < kind->option_count; i++)
        count += json_object_get(action, fault_option_text(kind->options[i].name)) != NULL;
    term_build_list(reader->builder, count);
    for (size_t i = 0; i < kind->option_count; i++) {
        const char *name = fault_option_text(kind->options[i].name);
        if (!json_object_get(action, name))
            continue;
        term_build_tuple(reader->builder, 2);
        term_build_atom(reader->builder, name);
        json_chaos_convert_option(reader, action, &kind->options[i]);
    }
    if (count)
        term_build_nil(reader->builder);
}

static void json_chaos_check_keys(struct json_reader *reader, const json_t *action,
                                  const struct fault_kind *kind)
{
    const char *known[FAULT_POSITIONAL + FAULT_OPTIONS + 2] = {"kind"};
    size_t count = 1;
    if (kind->resource)
        known[count++] = "resource";
    for (size_t i = 0; i < kind->argument_count; i++)
        known[count++] = fault_option_text(kind->arguments[i].name);
    for (size_t i = 0; i < kind->option_count; i++)
        known[count++] = fault_option_text(kind->options[i].name);
    json_check_keys(reader, action, known, count, kind->name);
}

/* One of no kind that there is becomes {Kind} or {Kind, Resource}, to which scenario_term objects. */
static void json_chaos_convert_unknown(struct json_reader *reader, const json_t *action)
{
    const json_t *resource = json_object_get(action, "resource");
    term_build_tuple(reader->builder, resource ? 2 : 1);
    json_convert_words(reader, json_object_get(action, "kind"));
    if (resource)
        json_convert_words(reader, resource);
}

/* Appends {Kind[, Resource], Argument...[, Options]}. */
static void json_chaos_convert_kind(struct json_reader *reader, const json_t *action)
{
    const struct fault_kind *kind = json_chaos_find_kind(action);
    if (!kind) {
        json_chaos_convert_unknown(reader, action);
        return;
    }
    size_t arity = 1U + (kind->resource != NULL) + kind->argument_count + kind->has_options;
    term_build_tuple(reader->builder, arity);
    term_build_atom(reader->builder, kind->name);
    if (kind->resource)
        term_build_atom(reader->builder, kind->resource);
    for (size_t i = 0; i < kind->argument_count; i++)
        json_chaos_convert_option(reader, action, &kind->arguments[i]);
    if (kind->has_options)
        json_chaos_convert_options(reader, action, kind);
    json_chaos_check_keys(reader, action, kind);
}

static void json_chaos_convert_term(struct json_reader *reader, const json_t *value)
{
    if (json_object_get(value, "kind")) {
        json_chaos_convert_kind(reader, value);
        return;
    }
    problems_add(reader->problems, PROBLEM_INVALID_ACTION,
                 "must have a kind, {\"kind\": \"suspend\", \"duration_ms\": 100}, or be scheduled, "
                 "{\"action\": ..., \"after_ms\": 500}");
    term_build_tuple(reader->builder, 2);
    term_build_atom(reader->builder, "garbage_collect");
    term_build_list(reader->builder, 0);
}

/* --- Scheduled actions --- */

/* The forms of its target that no target of a scenario has, by the key that each has. */
static const struct victim_form {
    const char *tag;
    json_convert *convert; /* of its value */
    bool takes_node;       /* beside it; otherwise it stands alone */
    struct help help;
} victim_forms[] = {
    {"children",
     json_convert_target,
     false,
     {.name = "{\"children\": target}", .text = "`{children, Supervisor}`."}},
    {"child", json_convert_target, false, {.name = "{\"child\": target}", .text = "`{child, Supervisor}`."}},
    {"application",
     json_convert_name,
     true,
     {.name = "{\"application\": name, \"node\": \"app@host\"}",
      .text = "`{application, Name, Node}`; `node` may be left out."}},
    {"module",
     json_convert_name,
     true,
     {.name = "{\"module\": name, \"node\": \"app@host\"}",
      .text = "`{module, Name, Node}`; `node` may be left out."}},
    {"node", json_convert_words, false, {.name = "{\"node\": \"app@host\"}", .text = "`{node, Node}`."}},
};

const struct help_table *json_fault_targets_table(void)
{
    static const struct help_table table =
        HELP_TABLE("json_fault_targets", "Targets of scheduled actions in files", victim_forms);
    return &table;
}

static bool json_chaos_has_form(const json_t *value, const struct victim_form *form)
{
    const json_t *inner = NULL;
    const char *only = json_only_key(value, &inner);
    return form->takes_node ? json_object_get(value, form->tag) != NULL
                            : only && strcmp(only, form->tag) == 0;
}

static void json_chaos_convert_form(struct json_reader *reader, const json_t *value,
                                    const struct victim_form *form)
{
    const char *known[] = {form->tag, "node"};
    const json_t *node = form->takes_node ? json_object_get(value, "node") : NULL;
    term_build_tuple(reader->builder, node ? 3 : 2);
    term_build_atom(reader->builder, form->tag);
    json_convert_at(reader, form->tag, json_object_get(value, form->tag), form->convert);
    if (node)
        json_convert_at(reader, "node", node, json_convert_words);
    if (form->takes_node)
        json_check_keys(reader, value, known, ARRAY_LENGTH(known), form->tag);
}

static void json_chaos_convert_target(struct json_reader *reader, const json_t *value)
{
    size_t form = 0;
    while (form < ARRAY_LENGTH(victim_forms) && !json_chaos_has_form(value, &victim_forms[form]))
        form++;
    if (form < ARRAY_LENGTH(victim_forms))
        json_chaos_convert_form(reader, value, &victim_forms[form]);
    else
        json_convert_target(reader, value);
}

static void json_chaos_convert_action(struct json_reader *reader, const json_t *value)
{
    static const struct json_key keys[] = {{"action", json_chaos_convert_term},
                                           {"target", json_chaos_convert_target}};
    if (json_object_get(value, "action"))
        json_convert_object(reader, value, keys, ARRAY_LENGTH(keys));
    else
        json_chaos_convert_term(reader, value);
}

void json_convert_chaos(struct json_reader *reader, const json_t *value)
{
    bool is_hook = json_is_null(value) || json_is_hook_text(value) || json_object_get(value, "function");
    bool is_action = json_object_get(value, "kind") || json_object_get(value, "action");
    if (json_is_array(value))
        json_convert_each(reader, value, json_chaos_convert_action);
    else if (is_hook && !is_action)
        json_convert_hook(reader, value);
    else
        json_chaos_convert_action(reader, value);
}
