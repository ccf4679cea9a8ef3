/* What a scenario file says in Erlang or Elixir. A file is read without any node, so each such text has a
 * stand-in in the scenario's term until a node that knows the language has said what it means (resolution.h).
 * The scenario is read once with the stand-ins, to find what is wrong with the rest of it, and once more with
 * the meanings. */
#ifndef HARNESSD_SCENARIO_SCENARIO_TEXTS_H
#define HARNESSD_SCENARIO_SCENARIO_TEXTS_H

#include "base/map.h"
#include "scenario/scenario_term.h"

enum scenario_language { LANGUAGE_ERLANG, LANGUAGE_ELIXIR, LANGUAGE_COUNT };

/* As they are called in files, and by those who resolve them. */
extern const char *const scenario_language_names[LANGUAGE_COUNT];

struct scenario_text {
    enum scenario_language language;
    bool is_hook; /* a fun or {Module, Function, ExtraArguments}, for the node of the hooks; else a literal,
                     for the first target's */
    char *text;
    size_t first;       /* the number of the first text that is the same: what it means is the same */
    size_t start;       /* of the stand-in in the term */
    size_t size;        /* of the stand-in */
    struct buffer path; /* a list, see problems_build_path() */
};

struct scenario_texts {
    struct buffer term; /* of the scenario, with stand-ins */
    struct scenario_text *items;
    size_t count;
    size_t capacity;
    struct map by_text;                    /* the first of each, its number and 1 */
    char caller_node[NODE_NAME_BYTES + 1]; /* the scenario's origin, to read it again */
    char own_node[NODE_NAME_BYTES + 1];
    bool hooks_at_target;
};

struct scenario_texts *scenario_texts_new(void);
void scenario_texts_free(struct scenario_texts *texts);

/* Adds a text, whose stand-in is still to be set; the place is that of `problems`. */
struct scenario_text *scenario_texts_add(struct scenario_texts *texts, enum scenario_language language,
                                         bool is_hook, const char *text, const struct problems *problems);

/* Keeps the first `count` of them, which may have come to stand in another order than they were added in. */
void scenario_texts_truncate(struct scenario_texts *texts, size_t count);

/* The node that a text is for. `scenario` is the one with the stand-ins. */
const char *scenario_text_node(const struct scenario_text *text, const struct scenario *scenario);

/* Reads the scenario with the meaning of each text, `meanings` in their order. NULL when there are problems.
 */
MUST_CHECK struct scenario *scenario_texts_read(const struct scenario_texts *texts,
                                                const struct term *meanings, struct problems *problems);

#endif
