#include "scenario/scenario.h"

#include <stdlib.h>

#include "scenario/scenario_texts.h"
#include "scenario_private.h"

void scenario_free(struct scenario *scenario)
{
    if (!scenario)
        return;
    for (size_t i = 0; i < scenario->operation_count; i++)
        template_free(scenario->operations[i].template);
    scenario_texts_free(scenario->texts);
    blob_release(scenario->content);
    free(scenario->operations);
    free(scenario->load.stages);
    free(scenario->weights);
    free(scenario->mix);
    free(scenario->threads);
    free(scenario->targets);
    free(scenario->actions);
    free(scenario);
}

size_t scenario_bytes(const struct scenario *scenario)
{
    const size_t content = scenario->content ? scenario->content->size : 0;
    return content + scenario->thread_count * sizeof(*scenario->threads);
}

bool scenario_is_large(const struct scenario *scenario)
{
    return scenario_bytes(scenario) > SCENARIO_LARGE_BYTES;
}

void operation_build(const struct operation *operation, struct term message, struct term_builder *builder)
{
    if (operation->kind == OPERATION_CUSTOM) {
        term_build_atom(builder, operation_tag(operation->kind));
        return;
    }
    term_build_tuple(builder, 2);
    term_build_atom(builder, operation_tag(operation->kind));
    term_build_term(builder, message);
}

void operation_build_name(const struct operation *operation, struct term_builder *builder)
{
    if (operation->name.data)
        term_build_term(builder, operation->name);
    else
        operation_build(operation, operation->message, builder);
}
