#include "config_callers_private.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/nearest.h"

static void config_caller_read_key(struct config_reading *reading, struct config_caller *caller,
                                   const char *key, const json_t *value, const char *where)
{
    static const char *const keys[] = {"pattern", "functions"};
    const char *nearest = nearest_word(key, strlen(key), keys, ARRAY_LENGTH(keys));
    if (strcmp(key, "pattern") == 0 || strncmp(key, "//", 2) == 0)
        return;
    if (strcmp(key, "functions") == 0) {
        caller->functions = config_list_read(reading, value, where, "functions");
        caller->names_functions = true;
    } else if (nearest) {
        config_problem(reading, where, "unknown key (nearest: %s)", nearest);
    } else {
        config_problem(reading, where, "unknown key");
    }
}

static void config_caller_read(struct config_reading *reading, struct config_caller *caller,
                               const json_t *value, const char *where)
{
    const char *pattern =
        json_string_value(json_is_object(value) ? json_object_get(value, "pattern") : value);
    const char *key;
    json_t *item;
    if (pattern && *pattern)
        caller->pattern = memory_string(pattern);
    else if (pattern)
        config_problem(reading, where, "is empty");
    else
        config_problem(reading, where, "is neither a pattern nor an object with \"pattern\"");
    json_object_foreach((json_t *)value, key, item)
    {
        char *path = memory_format("%s.%s", where, key);
        config_caller_read_key(reading, caller, key, item, path);
        free(path);
    }
}

static void config_caller_clear(struct config_caller *caller)
{
    free(caller->pattern);
    config_list_clear(&caller->functions);
    *caller = (struct config_caller){.pattern = NULL};
}

void config_callers_read(struct config_reading *reading, const struct config_key *key, const json_t *value,
                         const char *where)
{
    struct config_callers callers = {.items = memory_zalloc(json_array_size(value), sizeof(*callers.items))};
    if (!json_is_array(value))
        config_problem(reading, where, "is not a list of patterns");
    for (size_t i = 0; i < json_array_size(value); i++) {
        struct config_caller *caller = &callers.items[callers.count];
        char *item = memory_format("%s[%zu]", where, i);
        config_caller_read(reading, caller, json_array_get(value, i), item);
        if (caller->pattern)
            callers.count++;
        else
            config_caller_clear(caller);
        free(item);
    }
    config_key_clear(reading->config, key);
    *(struct config_callers *)(void *)((char *)reading->config + key->offset) = callers;
}

json_t *config_callers_value(const struct config_callers *callers)
{
    json_t *value = json_array();
    for (size_t i = 0; i < callers->count; i++) {
        const struct config_caller *caller = &callers->items[i];
        json_array_append_new(value, caller->names_functions
                                         ? json_pack("{s:s, s:o}", "pattern", caller->pattern, "functions",
                                                     config_list_value(&caller->functions))
                                         : json_string(caller->pattern));
    }
    return value;
}

void config_callers_clear(struct config_callers *callers)
{
    for (size_t i = 0; i < callers->count; i++)
        config_caller_clear(&callers->items[i]);
    free(callers->items);
    *callers = (struct config_callers){0};
}

static void config_callers_check_function(struct config_reading *reading, const char *where,
                                          const char *pattern)
{
    const char *const *names = reading->config->functions;
    size_t count = 0;
    for (; names[count]; count++)
        if (fnmatch(pattern, names[count], 0) == 0)
            return;
    const char *nearest = nearest_word(pattern, strlen(pattern), names, count);
    if (nearest)
        config_problem(reading, where, "%s is no function (nearest: %s)", pattern, nearest);
    else
        config_problem(reading, where, "%s is no function", pattern);
}

void config_callers_check(struct config_reading *reading, const char *key,
                          const struct config_callers *callers)
{
    for (size_t i = 0; reading->config->functions && i < callers->count; i++) {
        for (size_t j = 0; j < callers->items[i].functions.count; j++) {
            char *where = memory_format("%s[%zu].functions[%zu]", key, i, j);
            config_callers_check_function(reading, where, callers->items[i].functions.items[j]);
            free(where);
        }
    }
}
