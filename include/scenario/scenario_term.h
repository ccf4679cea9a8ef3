/* Scenarios as terms: a map, a keyword list, or a struct with the keys of the README. */
#ifndef HARNESSD_SCENARIO_SCENARIO_TERM_H
#define HARNESSD_SCENARIO_SCENARIO_TERM_H

#include <sys/stat.h>

#include "scenario/problems.h"
#include "scenario/scenario.h"
#include "term/help.h"

/* Where a scenario comes from. */
struct scenario_origin {
    const char
        *caller_node;     /* of names that come without a node; "" when nobody calls: each needs one then */
    const char *own_node; /* the daemon's, refused as a target's */
    const char *folder;   /* of its file, which may name others in it; NULL: there is none */
    bool hooks_at_target; /* hooks_node is that of the first target unless given; otherwise the caller's */

    /* NULL, or told of each file that is read, whatever is in it: the scenario's own first, then those that
     * it names. */
    void (*file_read)(void *owner, const struct stat *file);

    /* NULL, or told of what the scenario's own file has, by whoever reads it. */
    void (*content_read)(void *owner, const void *content, size_t size);
    void *owner;
};

/* NULL when there are problems. The term is copied. */
MUST_CHECK struct scenario *scenario_term_read(struct term term, const struct scenario_origin *origin,
                                               struct problems *problems);

/* Reads a keyword list or map of expectations, whose terms are borrowed. */
void scenario_term_read_expectations(struct term term, struct expectations *expectations,
                                     struct problems *problems);

/* Appends the scenario with all its defaults and operations written out: a map that scenario_term_read()
 * reads the same. */
void scenario_term_build(const struct scenario *scenario, struct term_builder *builder);

/* The tables by which scenarios are read, for help: the first is that of their keys. */
const struct help_table *const *scenario_tables(size_t *count);

#endif
