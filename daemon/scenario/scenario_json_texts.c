/* What a file says in Erlang or Elixir: a string, a list of lines, or for a hook a file beside the
 * scenario's. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "scenario/scenario_json.h"
#include "scenario_json_private.h"

/* Which language a file is in. */
static const struct {
    const char *suffix;
    enum scenario_language language;
} suffixes[] = {{".exs", LANGUAGE_ELIXIR}, {".ex", LANGUAGE_ELIXIR}, {".erl", LANGUAGE_ERLANG}};

/* Until it is known what a text means it is shown as it is. */
static void json_text_build_text_stand_in(struct json_reader *reader, const char *text)
{
    struct term_builder atom = {0};
    struct term term;
    term_build_atom(&atom, text);
    if (term_build_done(&atom, &term))
        term_build_term(reader->builder, term);
    else
        json_build_stand_in(reader);
    term_build_free(&atom);
}

void json_build_hook_stand_in(struct json_reader *reader)
{
    term_build_tuple(reader->builder, 3);
    term_build_atom(reader->builder, "harnessd");
    term_build_atom(reader->builder, "text");
    term_build_list(reader->builder, 0);
}

/* --- Where they are --- */

static bool json_text_find_language(const char *name, enum scenario_language *language)
{
    for (size_t i = 0; name && i < LANGUAGE_COUNT; i++) {
        if (strcmp(scenario_language_names[i], name) != 0)
            continue;
        *language = (enum scenario_language)i;
        return true;
    }
    return false;
}

bool json_is_text(const json_t *value)
{
    const json_t *text = NULL;
    enum scenario_language language;
    return json_text_find_language(json_only_key(value, &text), &language);
}

bool json_is_hook_text(const json_t *value)
{
    const json_t *text = NULL;
    const char *only = json_only_key(value, &text);
    return json_is_text(value) || (only && strcmp(only, "file") == 0);
}

/* Lines joined; false when there is something else among them. */
static bool json_text_join(const json_t *lines, struct buffer *text)
{
    const json_t *line;
    size_t index;
    json_array_foreach((json_t *)lines, index, line)
    {
        if (!json_is_string(line))
            return false;
        if (index)
            buffer_append(text, "\n", 1);
        buffer_append(text, json_string_value(line), json_string_length(line));
    }
    return index > 0;
}

/* Why a path cannot be that of a file in the scenario's folder; NULL when it can. */
static const char *json_text_path_problem(const char *folder, const char *path)
{
    if (!folder)
        return "cannot be read: the scenario is no file";
    if (!*path || *path == '/')
        return "must be the path of a file beside the scenario's";
    for (const char *step = path; step; step = strchr(step, '/')) {
        step += *step == '/';
        if (strncmp(step, "..", 2) == 0 && (step[2] == '/' || !step[2]))
            return "leads out of the scenario's folder";
    }
    return NULL;
}

/* The path behind all links, of the caller to free; NULL, with a problem, when that is elsewhere or nowhere.
 */
static char *json_text_locate(struct json_reader *reader, const char *path)
{
    const char *problem = json_text_path_problem(reader->origin->folder, path);
    char *given = problem ? NULL : memory_format("%s/%s", reader->origin->folder, path);
    char *root = problem ? NULL : realpath(reader->origin->folder, NULL);
    char *found = root ? realpath(given, NULL) : NULL;
    size_t size = root ? strlen(root) : 0;
    bool inside =
        found && strncmp(found, root, size) == 0 && (found[size] == '/' || (size == 1 && *root == '/'));
    if (!problem && found && !inside)
        problem = "leads out of the scenario's folder";
    if (problem)
        problems_add(reader->problems, PROBLEM_NO_FILE, "%s %s", path, problem);
    else if (!found)
        problems_add(reader->problems, PROBLEM_NO_FILE,
                     "cannot read %s: there is no such file beside the scenario's", path);
    free(given);
    free(root);
    if (!inside) {
        free(found);
        found = NULL;
    }
    return found;
}

static bool json_text_find_suffix(const char *path, enum scenario_language *language)
{
    size_t size = strlen(path);
    for (size_t i = 0; i < ARRAY_LENGTH(suffixes); i++) {
        size_t suffix = strlen(suffixes[i].suffix);
        if (size <= suffix || strcmp(path + size - suffix, suffixes[i].suffix) != 0)
            continue;
        *language = suffixes[i].language;
        return true;
    }
    return false;
}

static bool json_text_read_file(struct json_reader *reader, const char *path,
                                enum scenario_language *language, struct buffer *text)
{
    size_t characters;
    if (!json_text_find_suffix(path, language)) {
        problems_add(reader->problems, PROBLEM_WRONG_TYPE,
                     "%s is no file of Elixir or Erlang: .exs, .ex or .erl", path);
        return false;
    }
    char *found = json_text_locate(reader, path);
    char *subject = memory_format("%s ", found ? found : path);
    bool read = found && scenario_file_load(found, subject, reader->origin, text, reader->problems);
    free(subject);
    free(found);
    if (!read)
        return false;
    if (text->size > SCENARIO_JSON_BYTES_MOST || memchr(buffer_bytes(text), '\0', text->size) ||
        !utf8_count(buffer_bytes(text), text->size, &characters)) {
        problems_add(reader->problems, PROBLEM_WRONG_TYPE, "%s is no text in UTF-8", path);
        return false;
    }
    return true;
}

/* Reads the text that a value is. False with a problem. */
static bool json_text_read(struct json_reader *reader, const json_t *value, enum scenario_language *language,
                           struct buffer *text)
{
    const json_t *inner = NULL;
    const char *name = json_only_key(value, &inner);
    bool read = true;
    problems_enter_key(reader->problems, name);
    if (!json_text_find_language(name, language) && json_is_string(inner)) {
        read = json_text_read_file(reader, json_string_value(inner), language, text);
    } else if (json_is_string(inner)) {
        buffer_append(text, json_string_value(inner), json_string_length(inner));
    } else if (!json_is_array(inner) || !json_text_join(inner, text)) {
        problems_add(reader->problems, PROBLEM_WRONG_TYPE,
                     "must be a text in %s, a string or a list of lines",
                     *language == LANGUAGE_ERLANG ? "Erlang" : "Elixir");
        read = false;
    }
    problems_leave(reader->problems);
    buffer_append(text, "", 1);
    return read;
}

/* Appends the stand-in, and remembers what for. */
void json_convert_text(struct json_reader *reader, const json_t *value, bool is_hook)
{
    size_t start = reader->builder->bytes.size;
    enum scenario_language language = LANGUAGE_ERLANG;
    struct buffer text = {0};
    bool read = json_text_read(reader, value, &language, &text);
    const char *characters = (const char *)buffer_bytes(&text);
    if (is_hook)
        json_build_hook_stand_in(reader);
    else if (read)
        json_text_build_text_stand_in(reader, characters);
    else
        json_build_stand_in(reader);
    if (read) {
        struct scenario_text *item =
            scenario_texts_add(reader->texts, language, is_hook, characters, reader->problems);
        item->start = start;
        item->size = reader->builder->bytes.size - start;
    }
    buffer_free(&text);
}
