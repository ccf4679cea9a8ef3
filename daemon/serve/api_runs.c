#include <stdlib.h>

#include "api_private.h"
#include "base/clock.h"
#include "base/memory.h"
#include "node/large_answers.h"
#include "report/run_result.h"
#include "term/term_read.h"
#include "term/term_text.h"

#define MOST_MS 4294967295LL
#define TEXT_BYTES 100

/* So many are listed at a time. */
#define RUNS_A_PIECE 50

/* --- Waiting --- */

/* A request that waits for a run. */
struct awaiting {
    struct request *request;
    bool is_caller;        /* of run_with_performance, which raises */
    reply_with_run *reply; /* with a partial report */
    struct run_wait wait;
    struct loop_timer timeout;
    struct loop_task reap;
};

static void api_runs_reap(void *owner)
{
    struct awaiting *awaiting = owner;
    loop_timer_free(&awaiting->timeout);
    free(awaiting);
}

/* The request is the caller's from now on. */
static struct request *api_runs_leave(struct awaiting *awaiting)
{
    struct request *request = awaiting->request;
    runs_forget_wait(&awaiting->wait);
    request->abandoned = NULL;
    loop_timer_stop(&awaiting->timeout);
    loop_defer(awaiting->timeout.loop, &awaiting->reap);
    return request;
}

static void api_runs_reply_result(struct request *request, const struct run_reply *reply)
{
    struct term_builder *answer = request_answer(request);
    const struct term tail = run_result_open(reply->result, reply->is_interrupted, answer);
    request_return_with(request, tail, reply->result_in);
}

/* {ok, Report}, or {error, no_report} for what has none. */
static void api_runs_reply_report(struct request *request, const struct run_reply *reply)
{
    if (!reply->report.data) {
        answer_error(request, ANSWER_NO_REPORT);
        return;
    }
    struct term_builder *answer = request_answer(request);
    term_build_tuple(answer, 2);
    term_build_atom(answer, "ok");
    request_return_with(request, reply->report, reply->report_in);
}

static void api_runs_on_done(void *owner, const struct run_answer *answer)
{
    static const uint8_t no_stack[] = {TERM_TAG_NIL};
    struct awaiting *awaiting = owner;
    struct request *request = api_runs_leave(awaiting);
    struct run_reply reply = {.result = answer->result, .result_in = answer->in};
    if (awaiting->wait.kind == RUN_WAIT_PARTIAL) {
        reply = (struct run_reply){.report = answer->result, .report_in = answer->in};
        awaiting->reply(request, &reply);
    } else if (answer->raised.data && awaiting->is_caller) {
        request_raise(request, answer->raised, (struct term){no_stack, sizeof(no_stack)});
    } else {
        api_runs_reply_result(request, &reply);
    }
}

static void api_runs_on_timeout(void *owner)
{
    answer_error(api_runs_leave(owner), ANSWER_TIMEOUT);
}

/* The answer is nobody's. */
static void api_runs_on_abandoned(void *owner)
{
    answer_error(api_runs_leave(owner), ANSWER_TIMEOUT);
}

static struct awaiting *api_runs_new_awaiting(struct request *request, enum run_wait_kind kind)
{
    struct awaiting *awaiting = memory_zalloc(1, sizeof(*awaiting));
    awaiting->request = request;
    awaiting->wait = (struct run_wait){.kind = kind, .done = api_runs_on_done, .owner = awaiting};
    awaiting->reap = (struct loop_task){.run = api_runs_reap, .owner = awaiting};
    return awaiting;
}

static void api_runs_start_wait(struct api *api, struct awaiting *awaiting, uint64_t id, uint64_t timeout_ms)
{
    struct request *request = awaiting->request;
    loop_timer_init(&awaiting->timeout, node_loop(api->node), api_runs_on_timeout, awaiting);
    if (!runs_wait(api->runs, id, &awaiting->wait)) {
        answer_error_of(api_runs_leave(awaiting), ANSWER_BUSY, "waits");
        return;
    }
    request->abandoned = api_runs_on_abandoned;
    request->owner = awaiting;
    if (timeout_ms != UINT64_MAX) /* not before */
        loop_timer_set(&awaiting->timeout, (timeout_ms + 1) * CLOCK_NS_PER_MS);
}

void await_own_run(struct api *api, struct request *request, uint64_t id)
{
    struct awaiting *awaiting = api_runs_new_awaiting(request, RUN_WAIT_RESULT);
    awaiting->is_caller = true;
    api_runs_start_wait(api, awaiting, id, UINT64_MAX);
}

static void api_runs_await_result(struct api *api, struct request *request, uint64_t id, uint64_t timeout_ms)
{
    api_runs_start_wait(api, api_runs_new_awaiting(request, RUN_WAIT_RESULT), id, timeout_ms);
}

void await_partial(struct api *api, struct request *request, uint64_t id, reply_with_run *reply)
{
    struct awaiting *awaiting = api_runs_new_awaiting(request, RUN_WAIT_PARTIAL);
    awaiting->reply = reply;
    api_runs_start_wait(api, awaiting, id, UINT64_MAX);
}

/* --- What is stored --- */

/* A request for a run that is read from the store. */
struct scenario_reading {
    struct answer_wait wait;
    struct request *request;
    const struct api *api;
    uint64_t id;
    bool interrupted;
    enum outcome outcome;
    reply_with_run *reply;
};

static void api_runs_on_read(void *owner, const struct store_content *content)
{
    struct scenario_reading reading = *(struct scenario_reading *)owner;
    struct run_reply reply = {.result = content->term,
                              .is_interrupted = reading.interrupted,
                              .result_in = content->bytes,
                              .report_in = content->bytes,
                              .outcome = reading.outcome};
    free(owner);
    if (content->problem) {
        answer_error_text(reading.request, ANSWER_UNREADABLE, content->problem);
        return;
    }
    if (!run_result_report(content->term, reading.interrupted, &reply.report))
        reply.report = (struct term){0};
    reading.reply(reading.request, &reply);
}

/* It may be gone by now. */
static void api_runs_read_stored(struct answer_wait *wait)
{
    struct scenario_reading *reading = CONTAINER_OF(wait, struct scenario_reading, wait);
    struct request *request = reading->request;
    bool is_wanted = request_is_wanted(request);
    if (is_wanted &&
        store_read(runs_store(reading->api->runs), reading->id, STORE_TERM, api_runs_on_read, reading))
        return;
    free(reading);
    if (is_wanted)
        answer_error(request, ANSWER_NOT_FOUND);
    else
        request_drop(request);
}

void read_run(struct api *api, struct request *request, uint64_t id, enum run_phase phase,
              reply_with_run *reply)
{
    struct scenario_reading *reading = memory_zalloc(1, sizeof(*reading));
    *reading = (struct scenario_reading){.wait = {.request = request, .go_on = api_runs_read_stored},
                                         .request = request,
                                         .api = api,
                                         .id = id,
                                         .interrupted = phase == RUN_PHASE_INTERRUPTED,
                                         .outcome = runs_outcome(api->runs, id),
                                         .reply = reply};
    if (!large_answers_enter(&reading->wait))
        free(reading);
}

/* --- Arguments --- */

enum run_phase find_run(struct api *api, struct request *request, uint64_t *id)
{
    char text[TEXT_BYTES];
    int64_t number;
    if (!term_read_integer(request->arguments[0], &number) || number <= 0) {
        answer_badarg(request, "run_id must be a positive integer, got %s",
                      term_text(request->arguments[0], text, sizeof(text)));
        return RUN_PHASE_NONE;
    }
    *id = (uint64_t)number;
    enum run_phase phase = runs_phase(api->runs, *id);
    if (phase == RUN_PHASE_NONE)
        answer_error(request, ANSWER_NOT_FOUND);
    return phase;
}

/* The second argument, if there is one. False when the request was answered with what is wrong with it. */
static bool api_runs_read_timeout(struct request *request, uint64_t *timeout_ms)
{
    char text[TEXT_BYTES];
    int64_t number;
    *timeout_ms = UINT64_MAX;
    if (request->arity < 2 || term_is_atom(request->arguments[1], "infinity"))
        return true;
    if (term_read_integer(request->arguments[1], &number) && number >= 0 && number <= MOST_MS) {
        *timeout_ms = (uint64_t)number;
        return true;
    }
    answer_badarg(request, "timeout_ms must be in 0 to %lld milliseconds, or infinity, got %s", MOST_MS,
                  term_text(request->arguments[1], text, sizeof(text)));
    return false;
}

/* --- Functions --- */

bool run_has_ended(enum run_phase phase)
{
    return phase == RUN_PHASE_FINISHED || phase == RUN_PHASE_INTERRUPTED;
}

void serve_await(struct api *api, struct request *request)
{
    uint64_t id, timeout_ms;
    if (!api_runs_read_timeout(request, &timeout_ms))
        return;
    enum run_phase phase = find_run(api, request, &id);
    if (run_has_ended(phase))
        read_run(api, request, id, phase, api_runs_reply_result);
    else if (phase != RUN_PHASE_NONE)
        api_runs_await_result(api, request, id, timeout_ms);
}

void serve_report(struct api *api, struct request *request)
{
    uint64_t id = 0;
    enum run_phase phase = find_run(api, request, &id);
    if (run_has_ended(phase))
        read_run(api, request, id, phase, api_runs_reply_result);
    else if (phase == RUN_PHASE_STORING)
        api_runs_await_result(api, request, id, UINT64_MAX);
    else if (phase != RUN_PHASE_NONE)
        answer_error(request, ANSWER_NOT_FINISHED);
}

void serve_partial(struct api *api, struct request *request)
{
    uint64_t id = 0;
    enum run_phase phase = find_run(api, request, &id);
    if (phase == RUN_PHASE_NONE)
        return;
    if (run_has_ended(phase))
        read_run(api, request, id, phase, api_runs_reply_report);
    else if (phase == RUN_PHASE_STORING || runs_has_begun(api->runs, id))
        await_partial(api, request, id, api_runs_reply_report);
    else
        answer_error(request, ANSWER_NOT_STARTED);
}

void serve_status(struct api *api, struct request *request)
{
    uint64_t id = 0;
    if (find_run(api, request, &id) == RUN_PHASE_NONE)
        return;
    bool found = runs_build_status(api->runs, id, request_answer(request));
    if (found)
        request_return(request);
    else
        answer_error(request, ANSWER_NOT_FOUND);
}

/* A request for all runs, of which there may be very many. */
struct listing {
    struct answer_wait wait;
    const struct runs *runs;
    struct request *request;
    struct runs_list list;
    struct loop_task step;
};

static bool api_runs_build_some(struct listing *listing)
{
    return runs_build_some(listing->runs, &listing->list, RUNS_A_PIECE, &listing->request->answer);
}

static void api_runs_begin_list(struct listing *listing)
{
    listing->list = (struct runs_list){.most = SIZE_MAX, .before = UINT64_MAX};
    (void)request_answer(listing->request);
}

static void api_runs_list_some(void *owner)
{
    struct listing *listing = owner;
    bool is_wanted = request_is_wanted(listing->request);
    if (is_wanted && api_runs_build_some(listing)) {
        loop_defer_piece(node_loop(listing->request->node), &listing->step);
        return;
    }
    if (is_wanted)
        request_return(listing->request);
    else
        request_drop(listing->request);
    free(listing);
}

static void api_runs_list_all(struct answer_wait *wait)
{
    struct listing *listing = CONTAINER_OF(wait, struct listing, wait);
    api_runs_begin_list(listing);
    api_runs_list_some(listing);
}

void serve_runs(struct api *api, struct request *request)
{
    struct listing *listing = memory_zalloc(1, sizeof(*listing));
    *listing = (struct listing){.wait = {.request = request, .go_on = api_runs_list_all},
                                .runs = api->runs,
                                .request = request,
                                .step = {.run = api_runs_list_some, .owner = listing}};
    api_runs_begin_list(listing);
    if (!api_runs_build_some(listing)) {
        request_return(request);
        free(listing);
        return;
    }
    term_build_free(&request->answer); /* there is nothing of it while it waits */
    if (!large_answers_enter(&listing->wait))
        free(listing);
}

void serve_cancel(struct api *api, struct request *request)
{
    uint64_t id = 0;
    enum run_phase phase = find_run(api, request, &id);
    if (phase >= RUN_PHASE_STORING) {
        answer_error(request, ANSWER_FINISHED);
    } else if (phase != RUN_PHASE_NONE) {
        runs_cancel(api->runs, id);
        answer_atom(request, "ok");
    }
}

void serve_delete(struct api *api, struct request *request)
{
    uint64_t id = 0;
    enum run_phase phase = find_run(api, request, &id);
    if (run_has_ended(phase)) {
        runs_delete(api->runs, id);
        answer_atom(request, "ok");
    } else if (phase != RUN_PHASE_NONE) {
        answer_error(request, ANSWER_NOT_FINISHED);
    }
}
