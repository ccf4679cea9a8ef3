#include <stdio.h>

#include "api_private.h"
#include "scenario/scenario_file.h"
#include "scenario/scenario_json.h"
#include "validation_private.h"

static void api_start_answer_problems(struct request *request, const struct problems *problems)
{
    struct term_builder *answer = request_answer(request);
    term_build_tuple(answer, 2);
    term_build_atom(answer, "error");
    problems_build(problems, answer);
    request_return(request);
}

/* The scenario of a request's first argument, which may name a file: `name` is that then, and empty
 * otherwise. `hooks_at_target` as in its origin; so are those of files. NULL when the request was answered
 * with what is wrong with it. */
static struct scenario *api_start_read_scenario(struct api *api, struct request *request,
                                                bool hooks_at_target, char name[SCENARIO_FILE_NAME_BYTES + 1])
{
    struct problems problems = {0};
    struct scenario_origin origin = {.caller_node = request->peer, .own_node = node_name(api->node)};
    struct scenario *scenario = NULL;
    struct scenario_settings settings = {0};
    char node[NODE_NAME_BYTES + 1];
    bool is_file = scenario_file_is_named(request->arguments[0], name, &settings.overrides);
    origin.hooks_at_target = is_file || hooks_at_target;
    snprintf(node, sizeof(node), "%s", request->peer);
    if (is_file) {
        origin.caller_node = node;
        if (!settings.overrides.data || scenario_file_take_node(settings.overrides, node, &problems))
            scenario = scenario_file_find(api->config->scenario_dir, name, &settings, &origin, &problems);
    } else {
        *name = '\0';
        scenario = scenario_term_read(request->arguments[0], &origin, &problems);
    }
    if (!scenario)
        api_start_answer_problems(request, &problems);
    problems_free(&problems);
    return scenario;
}

/* False when the request was answered with why the run cannot be started. */
static bool api_start_run(struct api *api, struct request *request, const struct runs_request *run,
                          uint64_t *id)
{
    const char *busy;
    if (runs_start(api->runs, run, id, &busy))
        return true;
    scenario_free(run->scenario);
    answer_error_of(request, ANSWER_BUSY, busy);
    return false;
}

/* A run whose caller waits for it. */
static void api_start_run_scenario(struct api *api, struct request *request, const char *by,
                                   struct term expectations)
{
    uint64_t id;
    char name[SCENARIO_FILE_NAME_BYTES + 1];
    struct scenario *scenario = api_start_read_scenario(api, request, false, name);
    if (!scenario)
        return;
    struct runs_request run = {.scenario = scenario,
                               .by = by,
                               .name = name,
                               .caller = request->caller,
                               .is_callers = request_expects_answer(request), /* nobody waits for a cast */
                               .group_leader = request->group_leader,
                               .expectations = expectations};
    if (api_start_run(api, request, &run, &id))
        await_own_run(api, request, id);
}

void serve_run(struct api *api, struct request *request)
{
    api_start_run_scenario(api, request, "run", (struct term){0});
}

void serve_run_with_performance(struct api *api, struct request *request)
{
    struct expectations expectations = {.count = 0};
    struct problems problems = {0};
    scenario_term_read_expectations(request->arguments[1], &expectations, &problems);
    if (problems.count)
        api_start_answer_problems(request, &problems);
    else
        api_start_run_scenario(api, request, "run_with_performance", request->arguments[1]);
    problems_free(&problems);
}

static void api_start_on_begun(void *owner, uint64_t id)
{
    struct request *request = owner;
    struct term_builder *answer = request_answer(request);
    term_build_tuple(answer, 2);
    term_build_atom(answer, "ok");
    term_build_unsigned(answer, id);
    request_return(request);
}

/* What its processes print goes to the log: the shell of who has started it may be gone when they do. */
void serve_start(struct api *api, struct request *request)
{
    uint64_t id;
    char name[SCENARIO_FILE_NAME_BYTES + 1];
    struct scenario *scenario = api_start_read_scenario(api, request, true, name);
    if (!scenario)
        return;
    struct runs_request run = {.scenario = scenario,
                               .by = "start",
                               .name = name,
                               .caller = request->caller,
                               .begun = api_start_on_begun,
                               .owner = request};
    (void)api_start_run(api, request, &run, &id);
}

void serve_validate(struct api *api, struct request *request)
{
    char name[SCENARIO_FILE_NAME_BYTES + 1];
    struct scenario *scenario = api_start_read_scenario(api, request, false, name);
    if (scenario)
        validation_start(api->runner, request, scenario);
}
