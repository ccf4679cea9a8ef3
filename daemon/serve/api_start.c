#include <assert.h>
#include <stdlib.h>

#include "api_private.h"
#include "base/memory.h"
#include "load/scenario_dispose.h"
#include "reading_private.h"
#include "validation_private.h"

static void api_start_answer_problems(struct request *request, const struct problems *problems)
{
    struct term_builder *answer = request_answer(request);
    term_build_tuple(answer, 2);
    term_build_atom(answer, "error");
    problems_build(problems, answer);
    request_return(request);
}

/* A request whose scenario is being read. */
struct starting {
    struct api *api;
    struct request *request;
    void (*go_on)(struct api *api, struct request *request, struct scenario_reading *reading);
    struct scenario_reading reading;
};

/* The scenario is taken over by who goes on; where there is none, the caller is told why. */
static void api_start_go_on(struct starting *starting)
{
    struct scenario_reading *reading = &starting->reading;
    if (reading->scenario)
        starting->go_on(starting->api, starting->request, reading);
    else
        api_start_answer_problems(starting->request, &reading->problems);
    problems_free(&reading->problems);
}

static void api_start_drop(struct starting *starting)
{
    scenario_dispose(node_loop(starting->api->node), starting->reading.scenario);
    problems_free(&starting->reading.problems);
    request_drop(starting->request);
}

/* What one caller asks for is done in its order. */
static bool api_start_has_to_wait(const struct api *api, const struct request *request)
{
    return map_get(&api->starting, request->caller.data, request->caller.size) != NULL;
}

static void api_start_count(struct api *api, struct term caller)
{
    struct map_entry *entry = map_entry_of(&api->starting, caller.data, caller.size);
    if (!entry->value)
        entry->value = memory_zalloc(1, sizeof(size_t));
    ++*(size_t *)entry->value;
}

static void api_start_discount(struct api *api, struct term caller)
{
    size_t *count = map_get(&api->starting, caller.data, caller.size);
    assert(count && *count);
    if (--*count)
        return;
    (void)map_remove(&api->starting, caller.data, caller.size);
    free(count);
}

static void api_start_on_read(void *owner)
{
    struct starting *starting = owner;
    api_start_discount(starting->api, starting->request->caller);
    if (starting->reading.work.is_dropped)
        api_start_drop(starting);
    else
        api_start_go_on(starting);
    free(starting);
}

/* Has the scenario of a request's first argument, which may name a file, read; before it its expectations, if
 * it has any beside. */
static void
api_start_read(struct api *api, struct request *request, struct term expectations, bool hooks_at_target,
               void (*go_on)(struct api *api, struct request *request, struct scenario_reading *reading))
{
    struct starting starting = {.api = api,
                                .request = request,
                                .go_on = go_on,
                                .reading = {.term = request->arguments[0],
                                            .may_be_file = true,
                                            .directory = api->config->scenario_dir,
                                            .expectations = expectations,
                                            .origin = {.caller_node = request->peer,
                                                       .own_node = node_name(api->node),
                                                       .hooks_at_target = hooks_at_target},
                                            .is_audited = api->audit,
                                            .done = api_start_on_read}};
    if (!reading_is_long(&starting.reading) && !api_start_has_to_wait(api, request)) {
        reading_do(&starting.reading);
        api_start_go_on(&starting);
        return;
    }
    if (!request_admit(request, starting.reading.term.size + expectations.size)) {
        answer_error_of(request, ANSWER_BUSY, "requests");
        return;
    }
    struct starting *kept = memory_zalloc(1, sizeof(*kept));
    *kept = starting;
    kept->reading.owner = kept;
    api_start_count(api, request->caller);
    reading_start(request, &kept->reading, false);
}

/* False when the request was answered with why the run cannot be started. */
static bool api_start_run(struct api *api, struct request *request, const struct runs_request *run,
                          uint64_t *id)
{
    const char *busy, *unrecorded = runs_audit_problem(api->runs, run->scenario);
    request_settle(request);
    if (!unrecorded && runs_start(api->runs, run, id, &busy)) {
        api_audit_accepted(request);
        return true;
    }
    scenario_dispose(node_loop(api->node), run->scenario);
    if (unrecorded)
        answer_error_text(request, ANSWER_AUDIT_FAILED, unrecorded);
    else
        answer_error_of(request, ANSWER_BUSY, busy);
    return false;
}

/* A run whose caller waits for it. */
static void api_start_called(struct api *api, struct request *request, struct scenario_reading *reading,
                             const char *by, struct term expectations)
{
    uint64_t id;
    struct runs_request run = {.scenario = reading->scenario,
                               .by = by,
                               .name = reading->name,
                               .digest = reading->digest,
                               .caller = request->caller,
                               .node = request->peer,
                               .is_callers = request_expects_answer(request), /* nobody waits for a cast */
                               .group_leader = request->group_leader,
                               .expectations = expectations};
    if (api_start_run(api, request, &run, &id))
        await_own_run(api, request, id);
}

static void api_start_run_read(struct api *api, struct request *request, struct scenario_reading *reading)
{
    api_start_called(api, request, reading, "run", (struct term){0});
}

void serve_run(struct api *api, struct request *request)
{
    api_start_read(api, request, (struct term){0}, false, api_start_run_read);
}

static void api_start_performance_read(struct api *api, struct request *request,
                                       struct scenario_reading *reading)
{
    api_start_called(api, request, reading, "run_with_performance", request->arguments[1]);
}

void serve_run_with_performance(struct api *api, struct request *request)
{
    api_start_read(api, request, request->arguments[1], false, api_start_performance_read);
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
static void api_start_start_read(struct api *api, struct request *request, struct scenario_reading *reading)
{
    uint64_t id;
    struct runs_request run = {.scenario = reading->scenario,
                               .by = "start",
                               .name = reading->name,
                               .digest = reading->digest,
                               .caller = request->caller,
                               .node = request->peer,
                               .begun = api_start_on_begun,
                               .owner = request};
    (void)api_start_run(api, request, &run, &id);
}

void serve_start(struct api *api, struct request *request)
{
    api_start_read(api, request, (struct term){0}, true, api_start_start_read);
}

static void api_start_validate_read(struct api *api, struct request *request,
                                    struct scenario_reading *reading)
{
    validation_start(api->runner, request, reading->scenario);
}

void serve_validate(struct api *api, struct request *request)
{
    api_start_read(api, request, (struct term){0}, false, api_start_validate_read);
}
