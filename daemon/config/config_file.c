#include "config_file_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/nearest.h"

/* Far more than any configuration has. */
#define CONFIG_FILE_BYTES_MOST (64 << 20)

/* Whether keys lie below `path`. */
static bool config_file_is_section(const char *path)
{
    size_t count;
    size_t size = strlen(path);
    const struct config_key *keys = config_keys(&count);
    for (size_t i = 0; i < count; i++)
        if (strncmp(keys[i].path, path, size) == 0 && keys[i].path[size] == '.')
            return true;
    return false;
}

/* Names the key or section of the same object that was probably meant. `prefix` is empty or ends in a dot. */
static void config_file_report_unknown(struct config_reading *reading, const char *prefix, const char *key,
                                       const char *path)
{
    size_t count;
    size_t size = strlen(prefix);
    const struct config_key *keys = config_keys(&count);
    char *siblings[CONFIG_KEYS_MOST];
    size_t sibling_count = 0;
    for (size_t i = 0; i < count; i++) {
        const char *rest = keys[i].path + size;
        if (strncmp(keys[i].path, prefix, size) == 0)
            siblings[sibling_count++] = memory_format("%.*s", (int)strcspn(rest, "."), rest);
    }
    const char *nearest = nearest_word(key, strlen(key), (const char *const *)siblings, sibling_count);
    if (nearest)
        config_problem(reading, path, "unknown key (nearest: %s%s)", prefix, nearest);
    else
        config_problem(reading, path, "unknown key");
    for (size_t i = 0; i < sibling_count; i++)
        free(siblings[i]);
}

/* Goes down only where the table has keys, so no deeper than the table. */
static void config_file_read_section(struct config_reading *reading, json_t *section, const char *prefix)
{
    const char *key;
    json_t *value;
    json_object_foreach(section, key, value)
    {
        if (strncmp(key, "//", 2) == 0)
            continue;
        char *path = memory_format("%s%s", prefix, key);
        const struct config_key *known = strchr(key, '.') ? NULL : config_key_find(path);
        if (known) {
            config_key_set(reading, known, value, path);
        } else if (strchr(key, '.') || !config_file_is_section(path)) {
            config_file_report_unknown(reading, prefix, key, path);
        } else if (json_is_object(value)) {
            char *below = memory_format("%s.", path);
            config_file_read_section(reading, value, below);
            free(below);
        } else if (!json_is_null(value)) {
            config_problem(reading, path, "is not an object");
        }
        free(path);
    }
}

/* NULL is a problem that was told of. */
static FILE *config_file_open(struct config_reading *reading, const char *file)
{
    struct stat status;
    /* A pipe or a device would keep everybody waiting, and cannot be read again. */
    int descriptor = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    FILE *stream = NULL;
    if (descriptor < 0 || fstat(descriptor, &status) != 0)
        config_problem(reading, file, "cannot open: %s", strerror(errno));
    else if (!S_ISREG(status.st_mode))
        config_problem(reading, file, "is not a regular file");
    else if (status.st_size > CONFIG_FILE_BYTES_MOST)
        config_problem(reading, file, "is larger than %d MiB", CONFIG_FILE_BYTES_MOST >> 20);
    else if (!(stream = fdopen(descriptor, "r")))
        config_problem(reading, file, "cannot open: %s", strerror(errno));
    if (descriptor >= 0 && !stream)
        close(descriptor);
    return stream;
}

bool config_file_read(struct config_reading *reading, const char *file)
{
    FILE *stream = config_file_open(reading, file);
    if (!stream)
        return false;
    json_error_t error;
    json_t *root = json_loadf(stream, JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        char *where = memory_format("%s:%d:%d", file, error.line, error.column);
        config_problem(reading, where, "%s", error.text);
        free(where);
    } else if (!json_is_object(root)) {
        config_problem(reading, file, "is not a JSON object");
    } else {
        config_file_read_section(reading, root, "");
    }
    bool is_read = json_is_object(root);
    json_decref(root);
    fclose(stream);
    return is_read;
}
