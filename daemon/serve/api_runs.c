#include <assert.h>
#include <stdlib.h>

#include "api_functions.h"
#include "base/clock.h"
#include "base/memory.h"
#include "serve/run_result.h"
#include "term/term_read.h"
#include "term/term_text.h"

#define MOST_MS 4294967295LL
#define TEXT_BYTES 100

/* --- Waiting --- */

/* A request that waits for a run. */
struct awaiting {
    struct request *request;
    bool is_caller; /* of run_with_performance, which raises */
    answer_partial *answer;
    struct run_wait wait;
    struct loop_timer timeout;
    struct loop_task reap;
};

static void reap(void *owner)
{
    struct awaiting *awaiting = owner;
    loop_timer_free(&awaiting->timeout);
    free(awaiting);
}

/* The request is the caller's from now on. */
static struct request *leave(struct awaiting *awaiting)
{
    struct request *request = awaiting->request;
    runs_forget_wait(&awaiting->wait);
    request->abandoned = NULL;
    loop_timer_stop(&awaiting->timeout);
    loop_defer(awaiting->timeout.loop, &awaiting->reap);
    return request;
}

static void answer_term(struct request *request, struct term term)
{
    term_build_term(request_answer(request), term);
    request_return(request);
}

/* {ok, Report}, or {error, no_report} for what has none. */
static void answer_report(struct request *request, struct term report)
{
    if (!report.data) {
        answer_error(request, "no_report");
        return;
    }
    struct term_builder *answer = request_answer(request);
    term_build_tuple(answer, 2);
    term_build_atom(answer, "ok");
    term_build_term(answer, report);
    request_return(request);
}

static void on_done(void *owner, struct term result, struct term raised)
{
    static const uint8_t no_stack[] = {TERM_TAG_NIL};
    struct awaiting *awaiting = owner;
    bool is_partial = awaiting->wait.kind == RUN_WAIT_PARTIAL;
    struct request *request = leave(awaiting);
    if (is_partial)
        awaiting->answer(request, result);
    else if (raised.data && awaiting->is_caller)
        request_raise(request, raised, (struct term){no_stack, sizeof(no_stack)});
    else
        answer_term(request, result);
}

static void on_timeout(void *owner)
{
    answer_error(leave(owner), "timeout");
}

/* The answer is nobody's. */
static void on_abandoned(void *owner)
{
    answer_error(leave(owner), "timeout");
}

static struct awaiting *new_awaiting(struct request *request, enum run_wait_kind kind)
{
    struct awaiting *awaiting = memory_zalloc(1, sizeof(*awaiting));
    awaiting->request = request;
    awaiting->wait = (struct run_wait){.kind = kind, .done = on_done, .owner = awaiting};
    awaiting->reap = (struct loop_task){.run = reap, .owner = awaiting};
    return awaiting;
}

static void start_wait(struct api *api, struct awaiting *awaiting, uint64_t id, uint64_t timeout_ms)
{
    struct request *request = awaiting->request;
    loop_timer_init(&awaiting->timeout, node_loop(api->node), on_timeout, awaiting);
    if (!runs_wait(api->runs, id, &awaiting->wait)) {
        answer_error_of(leave(awaiting), "busy", "waits");
        return;
    }
    request->abandoned = on_abandoned;
    request->owner = awaiting;
    if (timeout_ms != UINT64_MAX) /* not before */
        loop_timer_set(&awaiting->timeout, (timeout_ms + 1) * CLOCK_NS_PER_MS);
}

void await_own_run(struct api *api, struct request *request, uint64_t id)
{
    struct awaiting *awaiting = new_awaiting(request, RUN_WAIT_RESULT);
    awaiting->is_caller = true;
    start_wait(api, awaiting, id, UINT64_MAX);
}

static void await_result(struct api *api, struct request *request, uint64_t id, uint64_t timeout_ms)
{
    start_wait(api, new_awaiting(request, RUN_WAIT_RESULT), id, timeout_ms);
}

void await_partial(struct api *api, struct request *request, uint64_t id, answer_partial *answer)
{
    struct awaiting *awaiting = new_awaiting(request, RUN_WAIT_PARTIAL);
    awaiting->answer = answer;
    start_wait(api, awaiting, id, UINT64_MAX);
}

/* --- What is stored --- */

/* A request for a run that is read from the store. */
struct reading {
    struct request *request;
    bool interrupted;
    answer_run *answer;
};

static void on_read(void *owner, const struct store_content *content)
{
    struct reading reading = *(struct reading *)owner;
    struct term_builder result = {0};
    struct term report;
    free(owner);
    if (content->problem) {
        answer_error_text(reading.request, "unreadable", content->problem);
        return;
    }
    bool is_answered = !reading.interrupted && run_result_is_answered(content->term);
    if (!is_answered)
        run_result_build(content->term, reading.interrupted, &result);
    if (!run_result_report(content->term, reading.interrupted, &report))
        report = (struct term){0};
    reading.answer(reading.request, is_answered ? content->term : term_built(&result), report);
    term_build_free(&result);
}

void read_run(struct api *api, struct request *request, uint64_t id, enum run_phase phase, answer_run *answer)
{
    struct reading *reading = memory_zalloc(1, sizeof(*reading));
    *reading =
        (struct reading){.request = request, .interrupted = phase == RUN_PHASE_INTERRUPTED, .answer = answer};
    struct store_read *read = store_read(runs_store(api->runs), id, STORE_TERM, on_read, reading);
    assert(read); /* it was found just now */
}

static void answer_stored_result(struct request *request, struct term result, struct term report)
{
    (void)report;
    answer_term(request, result);
}

static void answer_stored_report(struct request *request, struct term result, struct term report)
{
    (void)result;
    answer_report(request, report);
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
        answer_error(request, "not_found");
    return phase;
}

/* The second argument, if there is one. False when the request was answered with what is wrong with it. */
static bool read_timeout(struct request *request, uint64_t *timeout_ms)
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
    if (!read_timeout(request, &timeout_ms))
        return;
    enum run_phase phase = find_run(api, request, &id);
    if (run_has_ended(phase))
        read_run(api, request, id, phase, answer_stored_result);
    else if (phase != RUN_PHASE_NONE)
        await_result(api, request, id, timeout_ms);
}

void serve_report(struct api *api, struct request *request)
{
    uint64_t id = 0;
    enum run_phase phase = find_run(api, request, &id);
    if (run_has_ended(phase))
        read_run(api, request, id, phase, answer_stored_result);
    else if (phase == RUN_PHASE_STORING)
        await_result(api, request, id, UINT64_MAX);
    else if (phase != RUN_PHASE_NONE)
        answer_error(request, "not_finished");
}

void serve_partial(struct api *api, struct request *request)
{
    uint64_t id = 0;
    enum run_phase phase = find_run(api, request, &id);
    if (phase == RUN_PHASE_NONE)
        return;
    if (run_has_ended(phase))
        read_run(api, request, id, phase, answer_stored_report);
    else if (phase == RUN_PHASE_STORING || runs_has_begun(api->runs, id))
        await_partial(api, request, id, answer_report);
    else
        answer_error(request, "not_started");
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
        answer_error(request, "not_found");
}

void serve_runs(struct api *api, struct request *request)
{
    runs_build_list(api->runs, SIZE_MAX, UINT64_MAX, request_answer(request));
    request_return(request);
}

void serve_cancel(struct api *api, struct request *request)
{
    uint64_t id = 0;
    enum run_phase phase = find_run(api, request, &id);
    if (phase >= RUN_PHASE_STORING) {
        answer_error(request, "finished");
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
        answer_error(request, "not_finished");
    }
}
