/* What the rows of tables say of themselves, for people: the tables by which something is read are those that
 * help and the reference are written from. Names, types and defaults are in Erlang's notation, and so is code
 * in sentences, which is in backticks (term_notation.h). */
#ifndef HARNESSD_TERM_HELP_H
#define HARNESSD_TERM_HELP_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "term/term.h"

struct help {
    const char *name;          /* of a key, or the shape of what is no key: "{last, N}" */
    const char *type;          /* "pos_integer()"; NULL where the name is a shape */
    const char *unit;          /* "ms"; NULL: none */
    struct term fallback;      /* the default; without data there is none */
    const char *fallback_text; /* what it is where that is no term, or when it is another one; NULL: nothing
                                  is to be said */
    bool is_required;
    const char *text; /* sentences */
};

/* A table whose rows have a `struct help`, each `stride` bytes behind the one before. */
struct help_table {
    const char *name;  /* one word */
    const char *title; /* "Keys of a load" */
    const struct help *first;
    size_t stride;
    size_t count;
};

/* The initialiser of one, for an array of structs with a member `help`. */
#define HELP_TABLE(word, heading, rows)                                                                      \
    {.name = (word),                                                                                         \
     .title = (heading),                                                                                     \
     .first = &(rows)[0].help,                                                                               \
     .stride = sizeof((rows)[0]),                                                                            \
     .count = ARRAY_LENGTH(rows)}

static inline const struct help *help_row(const struct help_table *table, size_t index)
{
    return (const struct help *)(const void *)((const char *)table->first + index * table->stride);
}

/* Appends the default: "required", "5000", "5000; with a load its length", or nothing; in Elixir's notation
 * or in Erlang's, with the backticks of its sentences. */
void help_fallback(const struct help *help, bool elixir, struct buffer *output);

/* Appends how a value is to be given: "pos_integer(), ms; default 5000". */
void help_value(const struct help *help, bool elixir, struct buffer *output);

#endif
