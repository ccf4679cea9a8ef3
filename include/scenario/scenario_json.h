/* Scenarios as JSON files: the keys of the README, and in the place of terms and hooks texts in Erlang or
 * Elixir.
 *
 *     term       {"erlang": "{add, 1}"} or {"elixir": "{:add, 1}"}, a literal; a number, true, false or null;
 *                a list of terms
 *     hook       {"erlang": "fun(Pid, Context) -> true end"}, the same with "elixir", or
 *                {"module": "m", "function": "f", "extra_args": [term, ...]}, or {"file": "hook.exs"}, a file
 * with such a text in the folder of the scenario's name       a string, which is an atom of these characters,
 * or a term target     a name; {"name": name, "node": "app@host"}, {"global": term},
 *                {"via": name, "name": term}, {"children": target}, {"pg": term}, {"scope": name, "pg":
 * term},
 *                {"find": hook}; or a list of them
 *     operation  {"call": term}, {"cast": term}, {"custom": hook}, {"$send": term}, {"$cast": term},
 *                {"$sleep": ms}, or a term; {"op": operation, "name": name, "expect": term}
 *     action     {"kind": "suspend", "duration_ms": 100}: a chaos term with its arguments and options by
 *                their names; or {"action": such an action, "after_ms": 500, ...}, a scheduled one
 *
 * A text is a string or a list of lines.
 *
 * Words of the README, such as "poisson", are strings; {last, 100} is {"last": 100}, and {1, 5} of think_ms
 * is [1, 5]. Strings in metadata are binaries. A key that begins with two slashes is a comment, anywhere. */
#ifndef HARNESSD_SCENARIO_SCENARIO_JSON_H
#define HARNESSD_SCENARIO_SCENARIO_JSON_H

#include "scenario/scenario_term.h"
#include "term/help.h"

/* A file may be so large, and its values nested so deep. */
#define SCENARIO_JSON_BYTES_MOST ((size_t)4 << 20)
#define SCENARIO_JSON_DEPTH_MOST 32

/* Values that take the place of the file's: PATH=VALUE, such as load.duration_ms=10000,
 * load.stages[0].rate=50 or target.node=app@host. A path is what the problems of files have; a value is JSON,
 * or else a string. */
struct scenario_settings {
    const char *const *items;
    size_t count;
    struct term
        overrides; /* a map that is merged over the file's; `node` is no key of scenarios. Or without data */
};

/* The tables of the forms that are objects, for the reference: their names are in JSON. */
const struct help_table *json_targets_table(void);
const struct help_table *json_operations_table(void);
const struct help_table *json_fault_targets_table(void);

/* Reads a scenario of `size` bytes; it has `texts` when somebody has to say what they mean before it can run.
 * `settings` may be NULL. NULL when there are problems: all that can be found without a node. */
MUST_CHECK struct scenario *scenario_json_read(const char *json, size_t size,
                                               const struct scenario_settings *settings,
                                               const struct scenario_origin *origin,
                                               struct problems *problems);

#endif
