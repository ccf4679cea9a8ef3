/* Settings: values that take the place of a file's. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "scenario/scenario_json.h"
#include "scenario_json_private.h"

/* One step of a path: a key, or the index of an element when `key` is empty. */
struct step {
    char *key;
    size_t index;
};

/* Takes the first step off; false when there is none there. */
static bool setting_next_step(const char **path, struct step *step)
{
    const char *at = *path;
    *step = (struct step){0};
    if (*at == '[') {
        char *end;
        step->index = strtoul(at + 1, &end, 10);
        if (!isdigit((unsigned char)at[1]) || *end != ']')
            return false;
        *path = end + 1;
        return true;
    }
    size_t size = strcspn(at, ".[");
    if (!size)
        return false;
    step->key = memory_format("%.*s", (int)size, at);
    *path = at + size;
    return true;
}

/* The value behind a step, NULL when there is none. */
static json_t *setting_value_at(json_t *value, const struct step *step)
{
    return step->key ? json_object_get(value, step->key) : json_array_get(value, step->index);
}

/* An object gets a key that it has not, an array no element. Takes the value over. */
static bool setting_set_at(json_t *value, const struct step *step, json_t *setting)
{
    if (step->key && json_is_object(value))
        return json_object_set_new(value, step->key, setting) == 0;
    if (!step->key && json_is_array(value) && step->index < json_array_size(value))
        return json_array_set_new(value, step->index, setting) == 0;
    json_decref(setting);
    return false;
}

static json_t *setting_parse_value(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    return value ? value : json_string(text);
}

/* Walks to the last step, making objects on the way where there is nothing yet. Takes the value over. */
static bool setting_set_path(json_t *root, const char *path, json_t *setting)
{
    json_t *value = root;
    struct step step;
    for (;;) {
        if (!setting_next_step(&path, &step))
            break;
        if (!*path) {
            bool done = setting_set_at(value, &step, setting);
            free(step.key);
            return done;
        }
        json_t *inner = setting_value_at(value, &step);
        if (!inner && step.key && json_is_object(value)) {
            json_object_set_new(value, step.key, json_object());
            inner = setting_value_at(value, &step);
        }
        free(step.key);
        value = inner;
        path += *path == '.';
    }
    free(step.key);
    json_decref(setting);
    return false;
}

void json_set(json_t *root, const char *setting, struct problems *problems)
{
    const char *equals = strchr(setting, '=');
    if (!equals) {
        problems_add(problems, PROBLEM_SYNTAX, "%s is no setting: it must be PATH=VALUE", setting);
        return;
    }
    char *path = memory_format("%.*s", (int)(equals - setting), setting);
    json_t *value = setting_parse_value(equals + 1);
    if (!value)
        problems_add(problems, PROBLEM_SYNTAX, "%s has a value that is not UTF-8", path);
    else if (!setting_set_path(root, path, value))
        problems_add(problems, PROBLEM_NO_PLACE, "there is no %s in the file to be set", path);
    free(path);
}
