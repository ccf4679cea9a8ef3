#include "scenario/scenario_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "scenario/scenario_json.h"
#include "scenario_json_private.h"
#include "term/term_read.h"

#define SUFFIX ".json"

/* Reads to the end, or to one byte more than a scenario may have. False: errno says why. */
static bool scenario_file_read_all(int descriptor, struct buffer *content)
{
    const size_t most = SCENARIO_JSON_BYTES_MOST + 1;
    while (content->size < most) {
        size_t room = most - content->size < 65536 ? most - content->size : 65536;
        ssize_t got = read(descriptor, buffer_reserve(content, room), room);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0;
        buffer_grow(content, (size_t)got);
    }
    return true;
}

bool scenario_file_load(const char *path, const char *subject, const struct scenario_origin *origin,
                        struct buffer *content, struct problems *problems)
{
    struct stat status;
    /* A pipe or a device would keep everybody waiting. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool opened = descriptor >= 0 && fstat(descriptor, &status) == 0;
    bool regular = opened && S_ISREG(status.st_mode);
    if (opened && origin->file_read)
        origin->file_read(origin->owner, &status);
    bool loaded = regular && scenario_file_read_all(descriptor, content);
    if (opened && !regular)
        problems_add(problems, PROBLEM_NO_FILE, "%sis not a regular file", subject);
    else if (!loaded)
        problems_add(problems, PROBLEM_NO_FILE, "%scannot be read: %s", subject, strerror(errno));
    if (descriptor >= 0)
        close(descriptor);
    return loaded;
}

static struct scenario *scenario_file_read_as(const char *path, const char *subject,
                                              const struct scenario_settings *settings,
                                              const struct scenario_origin *origin, struct problems *problems)
{
    struct buffer content = {0};
    struct scenario *scenario = NULL;
    struct scenario_origin its = *origin;
    const char *slash = strrchr(path, '/');
    char *folder =
        slash ? memory_format("%.*s", (int)(slash - path) + (slash == path), path) : memory_string(".");
    its.folder = folder;
    if (scenario_file_load(path, subject, &its, &content, problems)) {
        if (its.content_read)
            its.content_read(its.owner, buffer_bytes(&content), content.size);
        scenario =
            scenario_json_read((const char *)buffer_bytes(&content), content.size, settings, &its, problems);
    }
    buffer_free(&content);
    free(folder);
    return scenario;
}

struct scenario *scenario_file_read(const char *path, const struct scenario_settings *settings,
                                    const struct scenario_origin *origin, struct problems *problems)
{
    return scenario_file_read_as(path, "", settings, origin, problems);
}

const char *scenario_file_name_problem(const char *name)
{
    if (!*name)
        return "is not the name of a file";
    if (strchr(name, '/') || name[0] == '.')
        return "is not the name of a file in scenario_dir";
    return strlen(name) > SCENARIO_FILE_NAME_BYTES ? "is too long for the name of a file" : NULL;
}

struct scenario *scenario_file_find(const char *folder, const char *name,
                                    const struct scenario_settings *settings,
                                    const struct scenario_origin *origin, struct problems *problems)
{
    const char *problem =
        folder ? scenario_file_name_problem(name) : "cannot be found: no scenario_dir is configured";
    size_t size = strlen(name), suffix = strlen(SUFFIX);
    if (problem) {
        problems_add(problems, PROBLEM_NO_FILE, "%s %s", name, problem);
        return NULL;
    }
    bool complete = size > suffix && strcmp(name + size - suffix, SUFFIX) == 0;
    char *path = memory_format("%s/%s%s", folder, name, complete ? "" : SUFFIX);
    char *subject = memory_format("%s ", path);
    struct scenario *scenario = scenario_file_read_as(path, subject, settings, origin, problems);
    free(subject);
    free(path);
    return scenario;
}

bool scenario_file_take_node(struct term overrides, char node[NODE_NAME_BYTES + 1], struct problems *problems)
{
    struct term value;
    char text[TERM_ATOM_BYTES + 1];
    if (!term_pairs_get(overrides, "node", &value) || term_is_atom(value, "nil"))
        return true;
    if (term_read_atom(value, text) && node_name_is_valid(text, strlen(text))) {
        memcpy(node, text, strlen(text) + 1);
        return true;
    }
    problems_enter_key(problems, "node");
    problems_add(problems, PROBLEM_WRONG_TYPE, "must be the name of a node");
    problems_leave(problems);
    return false;
}

/* A list of characters, those of ASCII. */
static bool scenario_file_read_characters(struct term term, char *name, size_t room)
{
    struct term_list list;
    struct term element;
    int64_t character;
    size_t size = 0;
    if (!term_list_start(&list, term))
        return false;
    while (term_list_next(&list, &element)) {
        if (size == room || !term_read_integer(element, &character) || character < ' ' || character > '~')
            return false;
        name[size++] = (char)character;
    }
    name[size] = '\0';
    return term_list_proper(&list);
}

bool scenario_file_is_named(struct term term, char name[SCENARIO_FILE_NAME_BYTES + 1], struct term *overrides)
{
    struct term parts[3] = {0};
    size_t arity = 0;
    char atom[TERM_ATOM_BYTES + 1];
    const uint8_t *bytes;
    size_t size;
    name[0] = '\0';
    if (!term_read_tuple(term, ARRAY_LENGTH(parts), parts, &arity) || arity < 2 ||
        !term_is_atom(parts[0], "file"))
        return false;
    *overrides = parts[2];
    if (term_read_binary(parts[1], &bytes, &size) && size <= SCENARIO_FILE_NAME_BYTES &&
        !memchr(bytes, '\0', size)) {
        memcpy(name, bytes, size);
        name[size] = '\0';
    } else if (term_read_atom(parts[1], atom) && strlen(atom) <= SCENARIO_FILE_NAME_BYTES) {
        memcpy(name, atom, strlen(atom) + 1);
    } else if (!scenario_file_read_characters(parts[1], name, SCENARIO_FILE_NAME_BYTES)) {
        name[0] = '\0';
    }
    return true;
}
