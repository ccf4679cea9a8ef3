/* What is wrong with a scenario: all of it, each with the path to its place. */
#ifndef HARNESSD_SCENARIO_PROBLEMS_H
#define HARNESSD_SCENARIO_PROBLEMS_H

#include "term/help.h"
#include "term/term_build.h"

/* More than these are counted, not listed: one more says how many there are. */
#define PROBLEMS_LISTED 100
#define PROBLEMS_DEPTH 48

/* What is wrong, in one word for programs. */
enum problem_kind {
    PROBLEM_UNKNOWN_KEY,
    PROBLEM_WRONG_TYPE,
    PROBLEM_OUT_OF_RANGE,
    PROBLEM_REQUIRED,
    PROBLEM_CONFLICT,
    PROBLEM_EMPTY,
    PROBLEM_INVALID_TARGET,
    PROBLEM_INVALID_OPERATION,
    PROBLEM_INVALID_PLACEHOLDER,
    PROBLEM_INVALID_ACTION,
    PROBLEM_NO_FILE,
    PROBLEM_NO_PLACE,
    PROBLEM_SYNTAX,
    PROBLEM_NOT_LITERAL,
    PROBLEM_NO_ELIXIR,
    PROBLEM_MORE,
    PROBLEM_KINDS
};

/* The table of them, for help. */
const struct help_table *problems_table(void);

/* The kind that an atom names; PROBLEM_SYNTAX, of a text, when it is none. */
enum problem_kind problem_kind_read(struct term name);

struct path_part {
    const char *key; /* NULL: `index` */
    size_t index;
};

struct problems {
    size_t count;
    struct term_builder list; /* the elements */
    struct path_part path[PROBLEMS_DEPTH];
    size_t depth;
};

/* All zero is none. */
void problems_free(struct problems *problems);

/* The place that what follows is about. */
void problems_enter_key(struct problems *problems, const char *key); /* borrowed until it is left */
void problems_enter_index(struct problems *problems, size_t index);
void problems_leave(struct problems *problems);

/* Adds %{path: [...], problem: kind, message: "..."}. */
void problems_add(struct problems *problems, enum problem_kind kind, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* The same at a place that was kept with problems_build_path(). */
void problems_add_at(struct problems *problems, struct term path, enum problem_kind kind, const char *format,
                     ...) PRINTF_LIKE(4, 5);

/* Appends the place as a list of atoms and indexes. */
void problems_build_path(const struct problems *problems, struct term_builder *builder);

/* Adds that `name` is no key of `what`, such as "scenarios", and which of its keys was probably meant. */
void problems_add_unknown(struct problems *problems, const char *name, const char *const *known, size_t count,
                          const char *what);

/* Appends {invalid_scenario, [...]}. */
void problems_build(const struct problems *problems, struct term_builder *builder);

#endif
