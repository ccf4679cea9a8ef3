/* Operations that have a name of their own are counted by it. */
#include <stdlib.h>

#include "base/memory.h"
#include "engine_private.h"

void named_init(struct engine *engine)
{
    const struct scenario *scenario = engine->scenario;
    if (scenario->has_named_operations)
        engine->named = memory_zalloc(scenario->operation_count, sizeof(struct counters_row *));
}

void named_free(struct engine *engine)
{
    free(engine->named);
}

void named_count(struct engine *engine, uint32_t operation, enum result_kind kind)
{
    struct term name = engine->scenario->operations[operation].name;
    if (!name.data)
        return;
    if (!engine->named[operation])
        engine->named[operation] = counters_row_of(engine->options.counters, name);
    engine->named[operation]->operations++;
    engine->named[operation]->errors += kind != RESULT_OK;
}
