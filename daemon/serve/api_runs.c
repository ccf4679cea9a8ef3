#include <stdlib.h>

#include "api_functions.h"
#include "base/clock.h"
#include "base/memory.h"
#include "term/term_read.h"
#include "term/term_text.h"

#define MOST_MS 4294967295LL
#define TEXT_BYTES 100

/* --- Waiting --- */

/* A request that waits for a run. */
struct awaiting {
    struct request *request;
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

static void answer_result(struct request *request, struct term result)
{
    term_build_term(request_answer(request), result);
    request_return(request);
}

static void on_finished(void *owner, struct term result, struct term raised)
{
    static const uint8_t no_stack[] = {TERM_TAG_NIL};
    struct request *request = leave(owner);
    if (raised.data)
        request_raise(request, raised, (struct term){no_stack, sizeof(no_stack)});
    else
        answer_result(request, result);
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

void await_run(struct api *api, struct request *request, uint64_t id, uint64_t timeout_ms)
{
    struct awaiting *awaiting = memory_zalloc(1, sizeof(*awaiting));
    awaiting->request = request;
    awaiting->wait = (struct run_wait){.done = on_finished, .owner = awaiting};
    awaiting->reap = (struct loop_task){.run = reap, .owner = awaiting};
    loop_timer_init(&awaiting->timeout, node_loop(api->node), on_timeout, awaiting);
    if (!runs_wait(api->runs, id, &awaiting->wait)) {
        answer_error_of(leave(awaiting), "busy", "waits");
        return;
    }
    request->abandoned = on_abandoned;
    request->owner = awaiting;
    if (timeout_ms != UINT64_MAX)
        loop_timer_set(&awaiting->timeout, timeout_ms * CLOCK_NS_PER_MS + CLOCK_NS_PER_MS); /* not before */
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

static void answer_kept_result(struct api *api, struct request *request, uint64_t id)
{
    struct term result;
    if (runs_result(api->runs, id, &result))
        answer_result(request, result);
    else
        answer_error(request, "not_found");
}

void serve_await(struct api *api, struct request *request)
{
    uint64_t id, timeout_ms;
    if (!read_timeout(request, &timeout_ms))
        return;
    enum run_phase phase = find_run(api, request, &id);
    if (phase == RUN_PHASE_FINISHED)
        answer_kept_result(api, request, id);
    else if (phase != RUN_PHASE_NONE)
        await_run(api, request, id, timeout_ms);
}

void serve_report(struct api *api, struct request *request)
{
    uint64_t id;
    enum run_phase phase = find_run(api, request, &id);
    if (phase == RUN_PHASE_FINISHED)
        answer_kept_result(api, request, id);
    else if (phase != RUN_PHASE_NONE)
        answer_error(request, "not_finished");
}

void serve_status(struct api *api, struct request *request)
{
    uint64_t id;
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
    runs_build_list(api->runs, request_answer(request));
    request_return(request);
}

void serve_cancel(struct api *api, struct request *request)
{
    uint64_t id;
    enum run_phase phase = find_run(api, request, &id);
    if (phase == RUN_PHASE_FINISHED) {
        answer_error(request, "finished");
    } else if (phase != RUN_PHASE_NONE) {
        runs_cancel(api->runs, id);
        answer_atom(request, "ok");
    }
}

void serve_delete(struct api *api, struct request *request)
{
    uint64_t id;
    enum run_phase phase = find_run(api, request, &id);
    if (phase == RUN_PHASE_FINISHED) {
        runs_delete(api->runs, id);
        answer_atom(request, "ok");
    } else if (phase != RUN_PHASE_NONE) {
        answer_error(request, "not_finished");
    }
}
