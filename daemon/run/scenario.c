#include "run/scenario.h"

#include <stdlib.h>

void scenario_free(struct scenario *scenario)
{
    if (!scenario)
        return;
    free(scenario->bytes);
    free(scenario->operations);
    free(scenario->threads);
    free(scenario->targets);
    free(scenario);
}

void operation_build(const struct operation *operation, struct term_builder *builder)
{
    term_build_tuple(builder, 2);
    term_build_atom(builder, operation->kind == OPERATION_CALL ? "call" : "cast");
    term_build_term(builder, operation->message);
}
