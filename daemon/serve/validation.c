#include "validation_private.h"

#include <stdlib.h>

#include "base/memory.h"
#include "load/scenario_dispose.h"
#include "node/large_answers.h"
#include "node/request_work.h"
#include "run/resolution.h"
#include "scenario/scenario_term.h"

struct validation {
    struct request *request;
    struct scenario *scenario; /* with texts */
};

/* A scenario that is being written out. */
struct normalising {
    struct answer_wait wait;
    struct request_work work;
    struct loop *loop;
    struct request *request;
    struct scenario *scenario;
    struct term_builder built;
};

static void validation_build(struct request_work *work)
{
    struct normalising *normalising = CONTAINER_OF(work, struct normalising, work);
    scenario_term_build(normalising->scenario, &normalising->built);
}

static void validation_free(struct normalising *normalising)
{
    scenario_dispose(normalising->loop, normalising->scenario);
    free(normalising);
}

static void validation_on_built(struct request_work *work)
{
    struct normalising *normalising = CONTAINER_OF(work, struct normalising, work);
    struct blob *blob = blob_take(&normalising->built.bytes, normalising->loop);
    if (work->is_dropped) {
        request_drop(normalising->request);
    } else {
        struct term_builder *answer = request_answer(normalising->request);
        term_build_tuple(answer, 2);
        term_build_atom(answer, "ok");
        request_return_with(normalising->request, (struct term){blob->data, blob->size}, blob);
    }
    blob_release(blob);
    validation_free(normalising);
}

static void validation_go_on(struct answer_wait *wait)
{
    request_work_start(&CONTAINER_OF(wait, struct normalising, wait)->work);
}

/* The scenario is taken over. */
static void validation_answer_normalised(struct request *request, struct scenario *scenario)
{
    struct normalising *normalising = memory_zalloc(1, sizeof(*normalising));
    *normalising = (struct normalising){.wait = {.request = request, .go_on = validation_go_on},
                                        .work = {.request = request,
                                                 .bytes = scenario_bytes(scenario),
                                                 .work = validation_build,
                                                 .done = validation_on_built},
                                        .loop = node_loop(request->node),
                                        .request = request,
                                        .scenario = scenario};
    if (!scenario_is_large(scenario)) {
        validation_build(&normalising->work);
        validation_on_built(&normalising->work);
    } else if (!large_answers_enter(&normalising->wait)) {
        validation_free(normalising);
    }
}

static void validation_on_resolved(void *owner, struct scenario *scenario, struct term reason)
{
    struct validation *validation = owner;
    struct request *request = validation->request;
    scenario_dispose(node_loop(request->node), validation->scenario);
    free(validation);
    if (scenario) {
        validation_answer_normalised(request, scenario);
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
        return;
    }
    struct validation *validation = memory_zalloc(1, sizeof(*validation));
    *validation = (struct validation){.request = request, .scenario = scenario};
    resolution_start(runner, scenario, request->group_leader, validation_on_resolved, validation);
}
