/* Settings: values that take the place of a file's. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "scenario/scenario_json.h"
#include "scenario_json_private.h"
#include "term/term_read.h"

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

/* Whether a number stands where a key would, as in `chaos.0`. */
static bool setting_has_number_for_key(const char *path)
{
    for (const char *dot = strchr(path, '.'); dot; dot = strchr(dot + 1, '.')) {
        const size_t digits = strspn(dot + 1, "0123456789");
        if (digits && strchr(".[", dot[1 + digits])) /* or the end */
            return true;
    }
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
        problems_add(problems, PROBLEM_NO_PLACE, "there is no %s in the file to be set%s", path,
                     setting_has_number_for_key(path) ? "; places in lists are written as in chaos[0]" : "");
    free(path);
}

/* --- Terms over a file's --- */

/* What is copied of the file's term, and the texts in it, in their order. */
struct override {
    struct scenario_texts *texts;
    const uint8_t *start; /* of the file's term */
    struct term_builder merged;
    size_t next; /* the first text that is not behind */
    size_t kept;
};

/* Texts before this place are not in what is copied; `shift` is how far those in it move. */
static void override_pass_texts(struct override *override, size_t end, bool is_kept, size_t shift)
{
    struct scenario_texts *texts = override->texts;
    for (; override->next < texts->count && texts->items[override->next].start < end; override->next++) {
        struct scenario_text *text = &texts->items[override->next];
        if (is_kept) {
            text->start += shift;
            struct scenario_text other = texts->items[override->kept];
            texts->items[override->kept++] = *text;
            *text = other; /* to be freed with the others */
        }
    }
}

static void override_copy(struct override *override, struct term part)
{
    size_t at = (size_t)(part.data - override->start);
    size_t shift = override->merged.bytes.size - at; /* may well be negative: it wraps as the sum does */
    override_pass_texts(override, at, false, 0);
    override_pass_texts(override, at + part.size, true, shift);
    term_build_term(&override->merged, part);
}

/* The value of a key in pairs, of which there may be none; without data when they have it not. */
static struct term override_of(struct term pairs, struct term key)
{
    char name[TERM_ATOM_BYTES + 1];
    struct term value;
    return pairs.data && term_read_atom(key, name) && term_pairs_get(pairs, name, &value) ? value
                                                                                          : (struct term){0};
}

/* Where pairs are merged: the scenario itself, a map in it, or its expectations, whose order counts. */
enum override_place { OVERRIDE_SCENARIO, OVERRIDE_MAP, OVERRIDE_EXPECTATIONS };

static bool override_is_pairs(struct term term)
{
    struct term_pairs pairs;
    return term_pairs_start(&pairs, term) && (term_type(term) == TERM_MAP || pairs.count > 0);
}

/* How a value of the file and the one over it are merged; false when that is put in the place of this. */
static bool override_goes_into(enum override_place outer, struct term key, struct term value,
                               struct term other, enum override_place *place)
{
    bool of_scenario = outer == OVERRIDE_SCENARIO;
    *place =
        of_scenario && term_is_atom(key, "performance_expectations") ? OVERRIDE_EXPECTATIONS : OVERRIDE_MAP;
    if (!override_is_pairs(other))
        return false;
    if (*place == OVERRIDE_EXPECTATIONS)
        return true;
    /* Of actions and messages a list is a list, whatever its elements look like. */
    bool is_list = of_scenario && (term_is_atom(key, "chaos") || term_is_atom(key, "operations"));
    return value.data && term_type(value) == TERM_MAP && (!is_list || term_type(other) == TERM_MAP);
}

/* Whether a pair of the overrides is put in; of the scenario itself `nil` is what is not given, and `node` no
 * key. Of a key that comes twice in a keyword list the first counts. */
static bool override_is_in(struct term overrides, struct term key, struct term value,
                           enum override_place place)
{
    struct term first = override_of(overrides, key);
    if (first.data && first.data != value.data)
        return false;
    return place == OVERRIDE_SCENARIO ? !term_is_atom(key, "node") : !term_is_atom(value, "nil");
}

static size_t override_count(struct term file, struct term overrides, enum override_place place)
{
    struct term_pairs pairs;
    struct term key, value;
    size_t count = 0;
    bool started = file.data && term_pairs_start(&pairs, file);
    while (started && term_pairs_next(&pairs, &key, &value))
        count += !override_of(overrides, key).data;
    started = term_pairs_start(&pairs, overrides);
    while (started && term_pairs_next(&pairs, &key, &value))
        count += override_is_in(overrides, key, value, place);
    return count;
}

static void override_merge(struct override *override, struct term file, struct term overrides,
                           enum override_place place);

/* One value over that of the file, which has no data where there is none. */
static void override_put(struct override *override, enum override_place outer, struct term key,
                         struct term value, struct term other)
{
    enum override_place place;
    if (override_goes_into(outer, key, value, other, &place))
        override_merge(override, value, other, place);
    else
        term_build_term(&override->merged, other);
}

/* Appends what the file has, without what is taken out of it, and then what else the overrides have. */
static void override_merge(struct override *override, struct term file, struct term overrides,
                           enum override_place place)
{
    struct term_pairs pairs;
    struct term key, value;
    bool is_list = place == OVERRIDE_EXPECTATIONS;
    size_t count = override_count(file, overrides, place);
    if (is_list)
        term_build_list(&override->merged, count);
    else
        term_build_map(&override->merged, count);
    bool started = file.data && term_pairs_start(&pairs, file);
    while (started && term_pairs_next(&pairs, &key, &value)) {
        struct term other = override_of(overrides, key);
        if (other.data && !override_is_in(overrides, key, other, place))
            continue;
        if (is_list)
            term_build_tuple(&override->merged, 2);
        override_copy(override, key);
        if (other.data)
            override_put(override, place, key, value, other);
        else
            override_copy(override, value);
    }
    started = term_pairs_start(&pairs, overrides);
    while (started && term_pairs_next(&pairs, &key, &value)) {
        if (override_of(file, key).data || !override_is_in(overrides, key, value, place))
            continue;
        if (is_list)
            term_build_tuple(&override->merged, 2);
        term_build_term(&override->merged, key);
        override_put(override, place, key, (struct term){0}, value);
    }
    if (is_list && count)
        term_build_nil(&override->merged);
}

void json_override(struct scenario_texts *texts, struct term overrides, struct problems *problems)
{
    struct term file = term_of(&texts->term);
    struct override override = {.texts = texts, .start = file.data};
    if (term_type(overrides) != TERM_MAP) {
        problems_add(problems, PROBLEM_WRONG_TYPE, "what is to be merged over a file must be a map");
        return;
    }
    override_merge(&override, file, overrides, OVERRIDE_SCENARIO);
    override_pass_texts(&override, SIZE_MAX, false, 0);
    scenario_texts_truncate(texts, override.kept);
    buffer_free(&texts->term);
    texts->term = override.merged.bytes;
}
