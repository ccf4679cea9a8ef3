#include "scenario/problems.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "report/reason.h"
#include "term/term_read.h"

static const struct problem_row {
    struct help help;
} problem_rows[PROBLEM_KINDS] = {
    [PROBLEM_UNKNOWN_KEY] = {{.name = "unknown_key", .text = "There is no such key, or none for this kind."}},
    [PROBLEM_WRONG_TYPE] = {{.name = "wrong_type", .text = "A value is of another type than it has to be."}},
    [PROBLEM_OUT_OF_RANGE] = {{.name = "out_of_range",
                               .text = "A value is too small, too large, too long or too many, or none of "
                                       "the words that there are."}},
    [PROBLEM_REQUIRED] = {{.name = "required", .text = "Something is missing."}},
    [PROBLEM_CONFLICT] = {{.name = "conflict", .text = "Two things do not go together."}},
    [PROBLEM_EMPTY] = {{.name = "empty", .text = "There is nothing in a list."}},
    [PROBLEM_INVALID_TARGET] =
        {{.name = "invalid_target",
          .text = "A target is none, is on the daemon's own node, or is nothing that its fault is done to."}},
    [PROBLEM_INVALID_OPERATION] = {{.name = "invalid_operation", .text = "An operation is none."}},
    [PROBLEM_INVALID_PLACEHOLDER] = {{.name = "invalid_placeholder",
                                      .text = "A placeholder has other elements than it can have, or "
                                              "stands in the key of a map."}},
    [PROBLEM_INVALID_ACTION] = {{.name = "invalid_action", .text = "A fault is none that there is."}},
    [PROBLEM_NO_FILE] = {{.name = "no_file",
                          .text = "There is no such scenario file, or it cannot be read."}},
    [PROBLEM_NO_PLACE] = {{.name = "no_place",
                           .text = "A file has no place that `--set` could give its value to."}},
    [PROBLEM_SYNTAX] = {{.name = "syntax", .text = "A file is no JSON, or a text no Erlang or Elixir."}},
    [PROBLEM_NOT_LITERAL] = {{.name = "not_literal",
                              .text = "A text is something to be evaluated, and neither a term nor a fun."}},
    [PROBLEM_NO_ELIXIR] = {{.name = "no_elixir",
                            .text = "A text is in Elixir, and the node that it is for has none."}},
    [PROBLEM_MORE] = {{.name = "more", .text = "There are more problems than the hundred before it."}},
};

const struct help_table *problems_table(void)
{
    static const struct help_table table = HELP_TABLE("problems", "Problems of a scenario", problem_rows);
    return &table;
}

enum problem_kind problem_kind_read(struct term name)
{
    for (size_t i = 0; i < PROBLEM_KINDS; i++)
        if (term_is_atom(name, problem_rows[i].help.name))
            return (enum problem_kind)i;
    return PROBLEM_SYNTAX;
}

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

static void problems_build_one(struct term_builder *list, enum problem_kind kind, const char *message)
{
    term_build_key(list, "problem");
    term_build_atom(list, problem_rows[kind].help.name);
    term_build_key(list, "message");
    term_build_text(list, message);
}

/* Without data `path` is the current one. */
static PRINTF_LIKE(4, 0) void problems_append(struct problems *problems, struct term path,
                                              enum problem_kind kind, const char *format, va_list arguments)
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
    problems_build_one(list, kind, message);
}

void problems_add(struct problems *problems, enum problem_kind kind, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    problems_append(problems, (struct term){0}, kind, format, arguments);
    va_end(arguments);
}

void problems_add_at(struct problems *problems, struct term path, enum problem_kind kind, const char *format,
                     ...)
{
    va_list arguments;
    va_start(arguments, format);
    problems_append(problems, path, kind, format, arguments);
    va_end(arguments);
}

void problems_add_unknown(struct problems *problems, const char *name, const char *const *known, size_t count,
                          const char *what)
{
    const bool is_listed = problems->count < PROBLEMS_LISTED; /* else it would be sought for nobody */
    const char *nearest = is_listed ? nearest_word(name, strlen(name), known, count) : NULL;
    problems_enter_key(problems, name);
    problems_add(problems, PROBLEM_UNKNOWN_KEY, "is not a key of %s%s%s%s", what,
                 nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
    problems_leave(problems);
}

void problems_build(const struct problems *problems, struct term_builder *builder)
{
    const bool has_more = problems->count > PROBLEMS_LISTED;
    const size_t listed = has_more ? PROBLEMS_LISTED + 1 : problems->count;
    char more[64];
    reason_open(REASON_INVALID_SCENARIO, 2, builder);
    term_build_list(builder, listed);
    buffer_append(&builder->bytes, buffer_bytes(&problems->list.bytes), problems->list.bytes.size);
    if (has_more) {
        snprintf(more, sizeof(more), "and %zu more", problems->count - PROBLEMS_LISTED);
        term_build_map(builder, 3);
        term_build_key(builder, "path");
        term_build_nil(builder);
        problems_build_one(builder, PROBLEM_MORE, more);
    }
    if (listed)
        term_build_nil(builder);
}
