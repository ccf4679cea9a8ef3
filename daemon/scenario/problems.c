#include "scenario/problems.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"

void problems_free(struct problems *problems)
{
    term_build_free(&problems->list);
}

static void problems_enter(struct problems *problems, struct path_part part)
{
    assert(problems->depth < PROBLEMS_DEPTH);
    problems->path[problems->depth++] = part;
}

void problems_enter_key(struct problems *problems, const char *key)
{
    problems_enter(problems, (struct path_part){.key = key});
}

void problems_enter_index(struct problems *problems, size_t index)
{
    problems_enter(problems, (struct path_part){.index = index});
}

void problems_leave(struct problems *problems)
{
    assert(problems->depth > 0);
    problems->depth--;
}

void problems_build_path(const struct problems *problems, struct term_builder *builder)
{
    term_build_list(builder, problems->depth);
    for (size_t i = 0; i < problems->depth; i++) {
        if (problems->path[i].key)
            term_build_atom(builder, problems->path[i].key);
        else
            term_build_unsigned(builder, problems->path[i].index);
    }
    if (problems->depth)
        term_build_nil(builder);
}

/* Without data `path` is the current one. */
static PRINTF_LIKE(4, 0) void problems_append(struct problems *problems, struct term path, const char *kind,
                                              const char *format, va_list arguments)
{
    char message[1024];
    struct term_builder *list = &problems->list;
    if (problems->count++ >= PROBLEMS_LISTED)
        return;
    vsnprintf(message, sizeof(message), format, arguments);
    term_build_map(list, 3);
    term_build_key(list, "path");
    if (path.data)
        term_build_term(list, path);
    else
        problems_build_path(problems, list);
    term_build_key(list, "problem");
    term_build_atom(list, kind);
    term_build_key(list, "message");
    term_build_text(list, message);
}

void problems_add(struct problems *problems, const char *kind, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    problems_append(problems, (struct term){0}, kind, format, arguments);
    va_end(arguments);
}

void problems_add_at(struct problems *problems, struct term path, const char *kind, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    problems_append(problems, path, kind, format, arguments);
    va_end(arguments);
}

void problems_add_unknown(struct problems *problems, const char *name, const char *const *known, size_t count,
                          const char *what)
{
    const char *nearest = nearest_word(name, strlen(name), known, count);
    problems_enter_key(problems, name);
    problems_add(problems, "unknown_key", "is not a key of %s%s%s%s", what, nearest ? "; did you mean " : "",
                 nearest ? nearest : "", nearest ? "?" : "");
    problems_leave(problems);
}

void problems_build(const struct problems *problems, struct term_builder *builder)
{
    size_t listed = problems->count < PROBLEMS_LISTED ? problems->count : PROBLEMS_LISTED;
    term_build_tuple(builder, 2);
    term_build_atom(builder, "invalid_scenario");
    term_build_list(builder, listed);
    buffer_append(&builder->bytes, buffer_bytes(&problems->list.bytes), problems->list.bytes.size);
    if (listed)
        term_build_nil(builder);
}
