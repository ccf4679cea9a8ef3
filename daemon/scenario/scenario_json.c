#include "scenario/scenario_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "scenario_json_private.h"
#include "term/term_check.h"

static void json_convert_threads(struct json_reader *reader, const json_t *value)
{
    if (json_is_array(value))
        json_convert_each(reader, value, json_convert_script);
    else
        json_convert_data(reader, value);
}

/* Milliseconds, or the least and the most of them. */
static void json_convert_range(struct json_reader *reader, const json_t *value)
{
    size_t count = json_array_size(value);
    if (!json_is_array(value)) {
        json_convert_data(reader, value);
        return;
    }
    term_build_tuple(reader->builder, count);
    for (size_t i = 0; i < count; i++)
        json_convert_data(reader, json_array_get(value, i));
}

static void json_convert_load(struct json_reader *reader, const json_t *value)
{
    static const struct json_key keys[] = {
        {"think_ms", json_convert_range}, {"arrival", json_convert_words}, {"ramp", json_convert_words}};
    json_convert_object(reader, value, keys, ARRAY_LENGTH(keys));
}

static void json_convert_choice(struct json_reader *reader, const json_t *value)
{
    json_convert_named_operation(reader, value);
}

static void json_convert_mix(struct json_reader *reader, const json_t *value)
{
    json_convert_each(reader, value, json_convert_choice);
}

/* In their order, as the first that is missed is the one that is told: a keyword list. */
static void json_convert_expectations(struct json_reader *reader, const json_t *value)
{
    const char *key;
    json_t *limit;
    size_t count = 0;
    if (!json_is_object(value)) {
        json_convert_data(reader, value);
        return;
    }
    json_object_foreach((json_t *)value, key, limit) count += !json_is_comment(key);
    term_build_list(reader->builder, count);
    json_object_foreach((json_t *)value, key, limit)
    {
        if (json_is_comment(key))
            continue;
        term_build_tuple(reader->builder, 2);
        term_build_atom(reader->builder, key);
        json_convert_data(reader, limit);
    }
    if (count)
        term_build_nil(reader->builder);
}

/* Keys whose values are more than numbers and booleans. */
static const struct json_key keys[] = {
    {"setup", json_convert_hook},
    {"target", json_convert_target},
    {"default_operation", json_convert_words},
    {"threads", json_convert_threads},
    {"load", json_convert_load},
    {"operations", json_convert_script},
    {"mix", json_convert_mix},
    {"spread", json_convert_words},
    {"cast_sync_message", json_convert_term},
    {"invariant", json_convert_hook},
    {"cleanup", json_convert_hook},
    {"steady_state", json_convert_hook},
    {"thread_setup", json_convert_hook},
    {"thread_cleanup", json_convert_hook},
    {"chaos", json_convert_chaos},
    {"performance_expectations", json_convert_expectations},
    {"abort_when", json_convert_words},
    {"metadata", json_convert_metadata},
    {"events", json_convert_words},
    {"hooks_node", json_convert_words},
};

/* --- Before anything is converted --- */

#define ATOM_CHARACTERS 255

static bool json_fits_atom(const char *text)
{
    size_t characters = 0;
    for (; *text; text++)
        characters += ((unsigned char)*text & 0xc0) != 0x80;
    return characters <= ATOM_CHARACTERS;
}

/* How deep values are nested is bounded once for all that walks them; keys become atoms. */
static bool json_is_bounded(const json_t *value, size_t depth, struct problems *problems)
{
    const char *key;
    json_t *inner;
    size_t index;
    bool bounded = depth <= SCENARIO_JSON_DEPTH_MOST;
    if (!bounded)
        problems_add(problems, PROBLEM_OUT_OF_RANGE, "is nested deeper than %d levels",
                     SCENARIO_JSON_DEPTH_MOST);
    if (bounded && json_is_array(value)) {
        json_array_foreach((json_t *)value, index, inner)
        {
            problems_enter_index(problems, index);
            bounded = json_is_bounded(inner, depth + 1, problems) && bounded;
            problems_leave(problems);
        }
    } else if (bounded && json_is_object(value)) {
        json_object_foreach((json_t *)value, key, inner)
        {
            if (!json_fits_atom(key)) {
                problems_add(problems, PROBLEM_UNKNOWN_KEY, "has a key of more than %d characters",
                             ATOM_CHARACTERS);
                bounded = false;
                continue;
            }
            problems_enter_key(problems, key);
            bounded = json_is_bounded(inner, depth + 1, problems) && bounded;
            problems_leave(problems);
        }
    }
    return bounded;
}

static json_t *json_parse(const char *json, size_t size, struct problems *problems)
{
    json_error_t error;
    if (size > SCENARIO_JSON_BYTES_MOST) {
        problems_add(problems, PROBLEM_OUT_OF_RANGE, "has more than %zu bytes", SCENARIO_JSON_BYTES_MOST);
        return NULL;
    }
    json_t *root = json_loadb(json, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!root) {
        problems_add(problems, PROBLEM_SYNTAX, "line %d, column %d: %s", error.line, error.column,
                     error.text);
    } else if (!json_is_object(root)) {
        problems_add(problems, PROBLEM_WRONG_TYPE, "a scenario is a JSON object");
        json_decref(root);
        root = NULL;
    }
    return root;
}

static void json_keep_origin(struct scenario_texts *texts, const struct scenario_origin *origin)
{
    snprintf(texts->caller_node, sizeof(texts->caller_node), "%s", origin->caller_node);
    snprintf(texts->own_node, sizeof(texts->own_node), "%s", origin->own_node);
    texts->hooks_at_target = origin->hooks_at_target;
}

struct scenario *scenario_json_read(const char *json, size_t size, const struct scenario_settings *settings,
                                    const struct scenario_origin *origin, struct problems *problems)
{
    json_t *root = json_parse(json, size, problems);
    for (size_t i = 0; root && settings && i < settings->count; i++)
        json_set(root, settings->items[i], problems);
    if (!root || !json_is_bounded(root, 1, problems)) {
        json_decref(root);
        return NULL;
    }
    struct term_builder builder = {0};
    struct scenario_texts *texts = scenario_texts_new();
    struct json_reader reader = {.builder = &builder, .problems = problems, .texts = texts, .origin = origin};
    json_convert_object(&reader, root, keys, ARRAY_LENGTH(keys));
    json_decref(root);
    texts->term = builder.bytes;
    if (settings && settings->overrides.data)
        json_override(texts, settings->overrides, problems);
    struct scenario *scenario = scenario_term_read(term_of(&texts->term), origin, problems);
    json_keep_origin(texts, origin);
    if (scenario && problems->count) {
        scenario_free(scenario);
        scenario = NULL;
    }
    if (scenario && texts->count)
        scenario->texts = texts;
    else
        scenario_texts_free(texts);
    return scenario;
}
