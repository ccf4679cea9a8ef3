/* What the files that read scenarios know of one another: each reads the keys of one kind and writes them
 * back. */
#ifndef HARNESSD_RUN_SCENARIO_READER_H
#define HARNESSD_RUN_SCENARIO_READER_H

#include "run/scenario_term.h"

struct reader {
    struct scenario *scenario;
    struct problems *problems;
    const char *caller_node;
    const char *own_node;
    size_t operation_capacity;
};

/* A few characters of a term, for a message. */
struct excerpt {
    char text[120];
};

const char *excerpt(struct excerpt *excerpt, struct term term);

void read_milliseconds(struct reader *reader, struct term value, uint64_t *result);

/* Of a fun; -1 for any other term. */
int fun_arity(struct term term);
bool is_module_function_extra(struct term term);

#define READER(key) void read_##key(struct reader *reader, struct term value)
#define WRITER(key) void build_##key(const struct scenario *scenario, struct term_builder *builder)

READER(target);
WRITER(target);
READER(threads);
WRITER(threads);
READER(setup);
WRITER(setup);
READER(cleanup);
WRITER(cleanup);
READER(invariant);
WRITER(invariant);
READER(chaos);
WRITER(chaos);
READER(hook_timeout);
WRITER(hook_timeout);
READER(hooks_node);
WRITER(hooks_node);
READER(expectations);
WRITER(expectations);

#endif
