#include "config/config_schedules.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/nearest.h"
#include "config/schedule_time.h"
#include "dist/node_name.h"
#include "scenario/scenario_file.h"

/* --- The keys of one --- */

static void config_schedule_read_file(struct config_reading *reading, struct config_schedule *schedule,
                                      const json_t *value, const char *where)
{
    const char *name = json_string_value(value);
    const char *problem = name ? scenario_file_name_problem(name) : NULL;
    if (!name)
        config_problem(reading, where, "is not the name of a scenario file");
    else if (problem)
        config_problem(reading, where, "%s %s", name, problem);
    else
        schedule->file = memory_string(name);
}

static void config_schedule_read_every(struct config_reading *reading, struct config_schedule *schedule,
                                       const json_t *value, const char *where)
{
    const char *text = json_string_value(value);
    json_int_t number = json_integer_value(value);
    if (text)
        schedule->every_s = schedule_time_every(text);
    else if (json_is_integer(value) && number >= 1 && number <= SCHEDULE_TIME_EVERY_MOST)
        schedule->every_s = (uint64_t)number;
    if (!schedule->every_s)
        config_problem(reading, where,
                       "is neither seconds nor a text such as 90s, 15m, 8h or 1d, from 1 s to 366 days");
}

static void config_schedule_read_at(struct config_reading *reading, struct config_schedule *schedule,
                                    const json_t *value, const char *where)
{
    const char *text = json_string_value(value);
    schedule->has_at = text && schedule_time_at(text, &schedule->at_s);
    if (!schedule->has_at)
        config_problem(reading, where, "is not a time of the day such as 02:30 or 02:30:15");
}

static void config_schedule_read_node(struct config_reading *reading, struct config_schedule *schedule,
                                      const json_t *value, const char *where)
{
    const char *name = json_string_value(value);
    const char *problem = name ? node_name_problem(name) : NULL;
    if (!name)
        config_problem(reading, where, "is not the name of a node");
    else if (problem)
        config_problem(reading, where, "%s %s", name, problem);
    else
        schedule->node = memory_string(name);
}

static void config_schedule_read_overlap(struct config_reading *reading, struct config_schedule *schedule,
                                         const json_t *value, const char *where)
{
    if (!json_is_boolean(value))
        config_problem(reading, where, "is neither true nor false");
    schedule->overlap = json_is_true(value);
}

static const struct {
    const char *name;
    void (*read)(struct config_reading *reading, struct config_schedule *schedule, const json_t *value,
                 const char *where);
} keys[] = {
    {"file", config_schedule_read_file},       {"every", config_schedule_read_every},
    {"at", config_schedule_read_at},           {"node", config_schedule_read_node},
    {"overlap", config_schedule_read_overlap},
};

static void config_schedule_report_unknown(struct config_reading *reading, const char *key, const char *where)
{
    const char *names[ARRAY_LENGTH(keys)];
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
        names[i] = keys[i].name;
    const char *nearest = nearest_word(key, strlen(key), names, ARRAY_LENGTH(keys));
    if (nearest)
        config_problem(reading, where, "unknown key (nearest: %s)", nearest);
    else
        config_problem(reading, where, "unknown key");
}

static void config_schedule_read_key(struct config_reading *reading, struct config_schedule *schedule,
                                     const char *key, const json_t *value, const char *where)
{
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        if (strcmp(keys[i].name, key) != 0)
            continue;
        if (!json_is_null(value))
            keys[i].read(reading, schedule, value, where);
        return;
    }
    config_schedule_report_unknown(reading, key, where);
}

static bool config_schedule_is_given(const json_t *schedule, const char *key)
{
    const json_t *value = json_object_get(schedule, key);
    return value && !json_is_null(value);
}

static void config_schedule_read_one(struct config_reading *reading, struct config_schedule *schedule,
                                     const json_t *value, const char *where)
{
    const char *key;
    json_t *inner;
    if (!json_is_object(value)) {
        config_problem(reading, where, "is not an object with \"file\" and \"every\" or \"at\"");
        return;
    }
    json_object_foreach((json_t *)value, key, inner)
    {
        if (strncmp(key, "//", 2) == 0)
            continue;
        char *path = memory_format("%s.%s", where, key);
        config_schedule_read_key(reading, schedule, key, inner, path);
        free(path);
    }
    if (!config_schedule_is_given(value, "file"))
        config_problem(reading, where, "has no file");
    if (!config_schedule_is_given(value, "every") && !config_schedule_is_given(value, "at"))
        config_problem(reading, where, "has neither every nor at");
}

/* --- All of them --- */

void config_schedules_read(struct config_reading *reading, const struct config_key *key, const json_t *value,
                           const char *where)
{
    struct config_schedules *schedules = (struct config_schedules *)((char *)reading->config + key->offset);
    if (!json_is_array(value)) {
        config_problem(reading, where, "is not a list of schedules");
        return;
    }
    config_schedules_clear(schedules);
    schedules->items = memory_zalloc(json_array_size(value), sizeof(*schedules->items));
    schedules->count = json_array_size(value);
    for (size_t i = 0; i < schedules->count; i++) {
        char *item = memory_format("%s[%zu]", where, i);
        config_schedule_read_one(reading, &schedules->items[i], json_array_get(value, i), item);
        free(item);
    }
}

const char *config_schedule_at(const struct config_schedule *schedule, char text[CONFIG_SCHEDULE_AT_BYTES])
{
    uint32_t at_s = schedule->at_s;
    int size = snprintf(text, CONFIG_SCHEDULE_AT_BYTES, "%02u:%02u", at_s / 3600 % 24, at_s / 60 % 60);
    if (at_s % 60)
        snprintf(text + size, (size_t)(CONFIG_SCHEDULE_AT_BYTES - size), ":%02u", at_s % 60);
    return text;
}

json_t *config_schedules_value(const struct config_schedules *schedules)
{
    json_t *list = json_array();
    char at[CONFIG_SCHEDULE_AT_BYTES];
    for (size_t i = 0; i < schedules->count; i++) {
        const struct config_schedule *schedule = &schedules->items[i];
        json_t *value = json_object();
        json_object_set_new(value, "file", json_string(schedule->file));
        if (schedule->every_s)
            json_object_set_new(value, "every", json_integer((json_int_t)schedule->every_s));
        if (schedule->has_at)
            json_object_set_new(value, "at", json_string(config_schedule_at(schedule, at)));
        if (schedule->node)
            json_object_set_new(value, "node", json_string(schedule->node));
        if (schedule->overlap)
            json_object_set_new(value, "overlap", json_true());
        json_array_append_new(list, value);
    }
    return list;
}

void config_schedules_clear(struct config_schedules *schedules)
{
    for (size_t i = 0; i < schedules->count; i++) {
        free(schedules->items[i].file);
        free(schedules->items[i].node);
    }
    free(schedules->items);
    *schedules = (struct config_schedules){0};
}
