#include "template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "manual.h"
#include "reference.h"
#include "text_file.h"

#define INSERT ".\\\" insert "

/* The file in JSON, by its path from the folder. */
static bool template_insert_json(const char *folder, const char *name, struct buffer *text)
{
    struct buffer json = {0};
    char *path = memory_format("%s/%s", folder, name);
    bool found = text_file_read(path, &json);
    manual_append_json(text, (const char *)buffer_bytes(&json));
    free(path);
    buffer_free(&json);
    return found;
}

static bool template_is_json(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && strcmp(dot, ".json") == 0;
}

/* `what` is "page.md" or "page.md#section", and is taken apart. */
static bool template_insert(const char *folder, const char *manual, char *what, struct buffer *text)
{
    struct buffer page = {0};
    char *section = what;
    const char *name = strsep(&section, "#");
    bool found = reference_find(folder, name, &page) &&
                 manual_append(text, manual, (const char *)buffer_bytes(&page), section);
    if (!found)
        fprintf(stderr, "%s: there is no %s%s%s\n", manual, name, section ? "#" : "", section ? section : "");
    buffer_free(&page);
    return found;
}

static bool template_insert_any(const char *folder, const char *manual, char *what, struct buffer *text)
{
    return template_is_json(what) ? template_insert_json(folder, what, text)
                                  : template_insert(folder, manual, what, text);
}

/* "folder/harnessd.json.5" is harnessd.json(5). */
static char *template_manual_name(const char *path)
{
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    const char *dot = strrchr(name, '.');
    return dot ? memory_format("%.*s(%s)", (int)(dot - name), name, dot + 1) : memory_string(name);
}

bool template_fill(const char *folder, const char *template, const char *output)
{
    struct buffer given = {0}, text = {0};
    bool done = text_file_read(template, &given);
    char *manual = template_manual_name(output), *rest = (char *)buffer_bytes(&given), *line;
    while ((line = strsep(&rest, "\n"))) {
        if (strncmp(line, INSERT, strlen(INSERT)) == 0)
            done = template_insert_any(folder, manual, line + strlen(INSERT), &text) && done;
        else if (*line || rest)
            buffer_print(&text, "%s\n", line);
    }
    done = done && text_file_save(output, &text);
    free(manual);
    buffer_free(&given);
    buffer_free(&text);
    return done;
}
