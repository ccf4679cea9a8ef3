#include "validation_private.h"

#include <stdlib.h>

#include "base/memory.h"
#include "run/resolution.h"
#include "scenario/scenario_term.h"

struct validation {
    struct request *request;
    struct scenario *scenario; /* with texts */
};

static void validation_answer_normalised(struct request *request, const struct scenario *scenario)
{
    struct term_builder *answer = request_answer(request);
    term_build_tuple(answer, 2);
    term_build_atom(answer, "ok");
    scenario_term_build(scenario, answer);
    request_return(request);
}

static void validation_on_resolved(void *owner, struct scenario *scenario, struct term reason)
{
    struct validation *validation = owner;
    struct request *request = validation->request;
    scenario_free(validation->scenario);
    free(validation);
    if (scenario) {
        validation_answer_normalised(request, scenario);
        scenario_free(scenario);
        return;
    }
    struct term_builder *answer = request_answer(request);
    term_build_tuple(answer, 2);
    term_build_atom(answer, "error");
    term_build_term(answer, reason);
    request_return(request);
}

void validation_start(struct runner *runner, struct request *request, struct scenario *scenario)
{
    if (!scenario->texts) {
        validation_answer_normalised(request, scenario);
        scenario_free(scenario);
        return;
    }
    struct validation *validation = memory_zalloc(1, sizeof(*validation));
    *validation = (struct validation){.request = request, .scenario = scenario};
    resolution_start(runner, scenario, request->group_leader, validation_on_resolved, validation);
}
