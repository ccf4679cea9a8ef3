/* Scenario files on disk. */
#ifndef HARNESSD_SCENARIO_SCENARIO_FILE_H
#define HARNESSD_SCENARIO_SCENARIO_FILE_H

#include "scenario/scenario_json.h"

/* Reads the file at `path`, with these settings, if any, in the place of its values; NULL when there are
 * problems, that it cannot be read among them; who knows the path says of which
 * file they are. */
MUST_CHECK struct scenario *scenario_file_read(const char *path, const struct scenario_settings *settings,
                                               const struct scenario_origin *origin,
                                               struct problems *problems);

/* Reads the file `name`, with or without its .json, in `folder`, which is NULL when none is configured. A
 * name is that of a file there and never leads elsewhere. */
MUST_CHECK struct scenario *scenario_file_find(const char *folder, const char *name,
                                               const struct scenario_settings *settings,
                                               const struct scenario_origin *origin,
                                               struct problems *problems);

/* What is wrong with such a name, or NULL. */
MUST_CHECK const char *scenario_file_name_problem(const char *name);

#define SCENARIO_FILE_NAME_BYTES 200

/* Whether a term is {file, Name} or {file, Name, Overrides}, Name being a binary, a list of characters or an
 * atom. `name` becomes empty when it can be no file's; the overrides are without data when there are none. */
MUST_CHECK bool scenario_file_is_named(struct term term, char name[SCENARIO_FILE_NAME_BYTES + 1],
                                       struct term *overrides);

/* Copies the node that overrides name, if any: where names without one are, in the place of the caller's.
 * False with a problem. */
MUST_CHECK bool scenario_file_take_node(struct term overrides, char node[NODE_NAME_BYTES + 1],
                                        struct problems *problems);

#endif
