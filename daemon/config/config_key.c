#include "config/config_key.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/memory.h"
#include "base/nearest.h"
#include "config/config_schedules.h"
#include "config_callers_private.h"
#include "dist/node_name.h"

void config_problem(struct config_reading *reading, const char *where, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = memory_format_list(format, arguments);
    va_end(arguments);
    char *line = memory_format("%s: %s", where, text);
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    fprintf(reading->problems, "%s\n", line);
    reading->problem_count++;
    free(line);
    free(text);
}

static void *config_key_field(struct config *config, const struct config_key *key)
{
    return (char *)config + key->offset;
}

static void config_key_store_integer(void *target, size_t size, uint64_t value)
{
    switch (size) {
    case 1:
        *(uint8_t *)target = (uint8_t)value;
        break;
    case 2:
        *(uint16_t *)target = (uint16_t)value;
        break;
    case 4:
        *(uint32_t *)target = (uint32_t)value;
        break;
    default:
        assert(size == 8);
        *(uint64_t *)target = value;
    }
}

static void config_key_read_string(struct config_reading *reading, const struct config_key *key,
                                   const json_t *value, const char *where)
{
    const char *text = json_string_value(value);
    if (!text || (!*text && !key->may_be_empty)) {
        config_problem(reading, where, text ? "is empty" : "is not a string");
        return;
    }
    const char *problem = key->problem && *text ? key->problem(text) : NULL;
    if (problem) {
        config_problem(reading, where, "%s %s", text, problem);
        return;
    }
    config_key_clear(reading->config, key);
    *(char **)config_key_field(reading->config, key) = memory_string(text);
}

static size_t config_key_count_choices(const struct config_key *key)
{
    size_t count = 0;
    while (key->choices[count])
        count++;
    return count;
}

static void config_key_report_choice(struct config_reading *reading, const struct config_key *key,
                                     const char *text, const char *where)
{
    char all[128] = "";
    for (size_t i = 0; key->choices[i]; i++) {
        size_t used = strlen(all);
        snprintf(all + used, sizeof(all) - used, "%s%s", i ? ", " : "", key->choices[i]);
    }
    const char *nearest =
        text ? nearest_word(text, strlen(text), key->choices, config_key_count_choices(key)) : NULL;
    if (nearest)
        config_problem(reading, where, "%s is not one of %s (nearest: %s)", text, all, nearest);
    else
        config_problem(reading, where, "%s is not one of %s", text ? text : "what is given", all);
}

/* Where there are choices, it is one of them. */
static bool config_key_is_choice(const struct config_key *key, const char *text)
{
    size_t i = 0;
    while (key->choices[i] && strcmp(key->choices[i], text) != 0)
        i++;
    return key->choices[i] || i == 0;
}

/* One of several; NULL when it is none, which was told. */
static char *config_key_read_one_string(struct config_reading *reading, const struct config_key *key,
                                        const json_t *value, const char *where)
{
    const char *text = json_string_value(value);
    const char *problem = text && *text && key->problem ? key->problem(text) : NULL;
    if (!text || !*text)
        config_problem(reading, where, text ? "is empty" : "is not a string");
    else if (problem)
        config_problem(reading, where, "%s %s", text, problem);
    else if (!config_key_is_choice(key, text))
        config_key_report_choice(reading, key, text, where);
    else
        return memory_string(text);
    return NULL;
}

static void config_key_read_strings(struct config_reading *reading, const struct config_key *key,
                                    const json_t *value, const char *where)
{
    bool is_list = json_is_array(value);
    size_t count = is_list ? json_array_size(value) : 1;
    struct config_list list = {.items = memory_zalloc(count, sizeof(char *))};
    if (!is_list && key->may_be_empty && json_is_string(value) && !*json_string_value(value))
        count = 0;
    for (size_t i = 0; i < count; i++) {
        char *item = is_list ? memory_format("%s[%zu]", where, i) : memory_string(where);
        char *text =
            config_key_read_one_string(reading, key, is_list ? json_array_get(value, i) : value, item);
        if (text)
            list.items[list.count++] = text;
        free(item);
    }
    config_key_clear(reading->config, key);
    *(struct config_list *)config_key_field(reading->config, key) = list;
}

static void config_key_read_boolean(struct config_reading *reading, const struct config_key *key,
                                    const json_t *value, const char *where)
{
    if (!json_is_boolean(value)) {
        config_problem(reading, where, "is neither true nor false");
        return;
    }
    *(bool *)config_key_field(reading->config, key) = json_is_true(value);
}

static bool config_key_read_number(struct config_reading *reading, int64_t least, int64_t most,
                                   const json_t *value, const char *where, uint64_t *number)
{
    long long given = json_integer_value(value);
    if (!json_is_integer(value)) {
        config_problem(reading, where, "is not an integer");
        return false;
    }
    if (given < least || given > most) {
        config_problem(reading, where, "%lld is not in %lld to %lld", given, (long long)least,
                       (long long)most);
        return false;
    }
    *number = (uint64_t)given;
    return true;
}

static void config_key_read_integer(struct config_reading *reading, const struct config_key *key,
                                    const json_t *value, const char *where)
{
    uint64_t number = 0;
    if (config_key_read_number(reading, key->least, key->most, value, where, &number))
        config_key_store_integer(config_key_field(reading->config, key), key->size, number);
}

static void config_key_read_choice(struct config_reading *reading, const struct config_key *key,
                                   const json_t *value, const char *where)
{
    const char *text = json_string_value(value);
    for (size_t i = 0; text && key->choices[i]; i++) {
        if (strcmp(key->choices[i], text) != 0)
            continue;
        config_key_store_integer(config_key_field(reading->config, key), key->size, i);
        return;
    }
    config_key_report_choice(reading, key, text, where);
}

struct config_list config_list_read(struct config_reading *reading, const json_t *value, const char *where,
                                    const char *what)
{
    if (!json_is_array(value)) {
        config_problem(reading, where, "is not a list of %s", what);
        return (struct config_list){0};
    }
    struct config_list list = {.items = memory_zalloc(json_array_size(value), sizeof(char *))};
    for (size_t i = 0; i < json_array_size(value); i++) {
        const char *text = json_string_value(json_array_get(value, i));
        if (text && *text) {
            list.items[list.count++] = memory_string(text);
            continue;
        }
        char *item = memory_format("%s[%zu]", where, i);
        config_problem(reading, item, text ? "is empty" : "is not a string");
        free(item);
    }
    return list;
}

static void config_key_read_patterns(struct config_reading *reading, const struct config_key *key,
                                     const json_t *value, const char *where)
{
    const char *word = json_string_value(value);
    bool is_none = key->none && word && strcmp(word, key->none) == 0;
    if (key->none && !is_none && !json_is_array(value)) {
        config_problem(reading, where, "is neither \"%s\" nor a list of patterns", key->none);
        return;
    }
    struct config_list list =
        is_none ? (struct config_list){0} : config_list_read(reading, value, where, "patterns");
    config_key_clear(reading->config, key);
    *(struct config_list *)config_key_field(reading->config, key) = list;
}

/* A key of a peer's object. */
static void config_key_read_peer_key(struct config_reading *reading, const char *key, const json_t *value,
                                     const char *where, struct config_peer *peer)
{
    static const char *const keys[] = {"node", "port"};
    const char *nearest = nearest_word(key, strlen(key), keys, ARRAY_LENGTH(keys));
    uint64_t port = 0;
    if (strcmp(key, "node") == 0 || strncmp(key, "//", 2) == 0)
        return;
    if (strcmp(key, "port") != 0 && nearest)
        config_problem(reading, where, "unknown key (nearest: %s)", nearest);
    else if (strcmp(key, "port") != 0)
        config_problem(reading, where, "unknown key");
    else if (!json_is_null(value) && config_key_read_number(reading, 0, UINT16_MAX, value, where, &port))
        peer->port = (uint16_t)port;
}

static void config_key_read_peer(struct config_reading *reading, const json_t *value, const char *where,
                                 struct config_peer *peer)
{
    const json_t *node = json_is_object(value) ? json_object_get(value, "node") : value;
    const char *name = json_string_value(node);
    const char *problem = name ? node_name_problem(name) : NULL;
    if (!name)
        config_problem(reading, where, "is neither \"NAME@HOST\" nor an object with \"node\"");
    else if (problem)
        config_problem(reading, where, "%s %s", name, problem);
    else
        peer->node = memory_string(name);
    const char *key;
    json_t *item;
    json_object_foreach((json_t *)value, key, item)
    {
        char *path = memory_format("%s.%s", where, key);
        config_key_read_peer_key(reading, key, item, path, peer);
        free(path);
    }
}

static void config_key_read_peers(struct config_reading *reading, const struct config_key *key,
                                  const json_t *value, const char *where)
{
    struct config *config = reading->config;
    if (!json_is_array(value)) {
        config_problem(reading, where, "is not a list of nodes");
        return;
    }
    config_key_clear(config, key);
    config->peers = memory_zalloc(json_array_size(value), sizeof(struct config_peer));
    struct map seen = {0};
    for (size_t i = 0; i < json_array_size(value); i++) {
        struct config_peer *peer = &config->peers[config->peer_count];
        char *item = memory_format("%s[%zu]", where, i);
        config_key_read_peer(reading, json_array_get(value, i), item, peer);
        if (peer->node && map_put(&seen, peer->node, strlen(peer->node), config))
            config_problem(reading, item, "%s is there twice", peer->node);
        config->peer_count += peer->node != NULL;
        free(item);
    }
    map_free(&seen);
}

static void (*const readers[CONFIG_TYPE_COUNT])(struct config_reading *, const struct config_key *,
                                                const json_t *, const char *) = {
    [CONFIG_STRING] = config_key_read_string,   [CONFIG_BOOLEAN] = config_key_read_boolean,
    [CONFIG_INTEGER] = config_key_read_integer, [CONFIG_CHOICE] = config_key_read_choice,
    [CONFIG_STRINGS] = config_key_read_strings, [CONFIG_PATTERNS] = config_key_read_patterns,
    [CONFIG_CALLERS] = config_callers_read,     [CONFIG_PEERS] = config_key_read_peers,
    [CONFIG_SCHEDULES] = config_schedules_read,
};

void config_key_set(struct config_reading *reading, const struct config_key *key, const json_t *value,
                    const char *where)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    assert(key >= keys && key < keys + count);
    if (json_is_null(value))
        return;
    reading->given[key - keys] = true;
    readers[key->type](reading, key, value, where);
}

void config_key_set_text(struct config_reading *reading, const struct config_key *key, const char *text,
                         const char *where)
{
    json_t *value = json_string(text);
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (key->type == CONFIG_INTEGER && *text && !*end && errno == 0) {
        json_decref(value);
        value = json_integer(number);
    } else if (key->type == CONFIG_BOOLEAN && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)) {
        json_decref(value);
        value = json_boolean(strcmp(text, "true") == 0);
    }
    if (value)
        config_key_set(reading, key, value, where);
    else
        config_problem(reading, where, "is not UTF-8");
    json_decref(value);
}

void config_key_reset(struct config_reading *reading, const struct config_key *key)
{
    size_t count;
    json_t *value = json_loads(key->fallback, JSON_DECODE_ANY, NULL);
    assert(value);
    config_key_set(reading, key, value, key->path);
    json_decref(value);
    reading->given[key - config_keys(&count)] = false;
}

static uint64_t config_key_load_integer(const void *source, size_t size)
{
    switch (size) {
    case 1:
        return *(const uint8_t *)source;
    case 2:
        return *(const uint16_t *)source;
    case 4:
        return *(const uint32_t *)source;
    default:
        assert(size == 8);
        return *(const uint64_t *)source;
    }
}

json_t *config_list_value(const struct config_list *list)
{
    json_t *value = json_array();
    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(value, json_string(list->items[i]));
    return value;
}

static json_t *config_key_peers_value(const struct config *config)
{
    json_t *value = json_array();
    for (size_t i = 0; i < config->peer_count; i++) {
        const struct config_peer *peer = &config->peers[i];
        json_array_append_new(value, peer->port
                                         ? json_pack("{s:s, s:i}", "node", peer->node, "port", peer->port)
                                         : json_string(peer->node));
    }
    return value;
}

/* As it may be written: without a list where there is one of them. */
static json_t *config_key_strings_value(const struct config_list *list, const struct config_key *key)
{
    if (list->count > 1)
        return config_list_value(list);
    if (list->count)
        return json_string(list->items[0]);
    return key->may_be_empty ? json_string("") : json_null();
}

static json_t *config_key_patterns_value(const struct config_list *list, const struct config_key *key)
{
    return key->none && !list->count ? json_string(key->none) : config_list_value(list);
}

json_t *config_key_value(const struct config *config, const struct config_key *key)
{
    const void *source = (const char *)config + key->offset;
    const char *string;
    switch (key->type) {
    case CONFIG_STRING:
        string = *(const char *const *)source;
        return string ? json_string(string) : json_null();
    case CONFIG_BOOLEAN:
        return json_boolean(*(const bool *)source);
    case CONFIG_INTEGER:
        return json_integer((json_int_t)config_key_load_integer(source, key->size));
    case CONFIG_CHOICE:
        return json_string(key->choices[config_key_load_integer(source, key->size)]);
    case CONFIG_STRINGS:
        return config_key_strings_value(source, key);
    case CONFIG_PATTERNS:
        return config_key_patterns_value(source, key);
    case CONFIG_CALLERS:
        return config_callers_value(source);
    case CONFIG_PEERS:
        return config_key_peers_value(config);
    case CONFIG_SCHEDULES:
        return config_schedules_value(source);
    case CONFIG_TYPE_COUNT:
        break;
    }
    return json_null();
}

void config_key_swap(struct config *a, struct config *b, const struct config_key *key)
{
    char held[sizeof(struct config)];
    memcpy(held, config_key_field(a, key), key->size);
    memcpy(config_key_field(a, key), config_key_field(b, key), key->size);
    memcpy(config_key_field(b, key), held, key->size);
    if (key->type != CONFIG_PEERS)
        return;
    size_t count = a->peer_count;
    a->peer_count = b->peer_count;
    b->peer_count = count;
}

void config_list_clear(struct config_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct config_list){0};
}

void config_key_clear(struct config *config, const struct config_key *key)
{
    switch (key->type) {
    case CONFIG_STRING:
        free(*(char **)config_key_field(config, key));
        *(char **)config_key_field(config, key) = NULL;
        break;
    case CONFIG_STRINGS:
    case CONFIG_PATTERNS:
        config_list_clear(config_key_field(config, key));
        break;
    case CONFIG_CALLERS:
        config_callers_clear(config_key_field(config, key));
        break;
    case CONFIG_PEERS:
        for (size_t i = 0; i < config->peer_count; i++)
            free(config->peers[i].node);
        free(config->peers);
        config->peers = NULL;
        config->peer_count = 0;
        break;
    case CONFIG_SCHEDULES:
        config_schedules_clear(config_key_field(config, key));
        break;
    default:
        break;
    }
}
