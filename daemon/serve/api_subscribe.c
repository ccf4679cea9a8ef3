#include "api_private.h"
#include "term/term_read.h"
#include "term/term_text.h"

#define TEXT_BYTES 100

/* The runs and the process that the arguments name. False when the request was answered with what is wrong
 * with them. */
static bool api_subscribe_read_arguments(struct request *request, uint64_t *id, struct term *pid)
{
    char text[TEXT_BYTES];
    int64_t number = 0;
    if (!term_is_atom(request->arguments[0], "all") &&
        (!term_read_integer(request->arguments[0], &number) || number <= 0)) {
        answer_badarg(request, "run_id must be a positive integer or all, got %s",
                      term_text(request->arguments[0], text, sizeof(text)));
        return false;
    }
    *id = number ? (uint64_t)number : SUBSCRIPTIONS_ALL;
    *pid = request->arity > 1 ? request->arguments[1] : request->caller;
    if (term_type(*pid) == TERM_PID)
        return true;
    answer_badarg(request, "who is to be told must be a pid, got %s", term_text(*pid, text, sizeof(text)));
    return false;
}

static void api_subscribe_answer_subscription(struct request *request, enum subscription_outcome outcome,
                                              struct term pid)
{
    struct term node;
    switch (outcome) {
    case SUBSCRIBED:
        answer_atom(request, "ok");
        return;
    case SUBSCRIPTIONS_TOO_MANY:
        answer_error_of(request, ANSWER_BUSY, "subscriptions");
        return;
    case SUBSCRIPTION_NODEDOWN: /* its name may be none that a node can have */
        answer_error_term(request, ANSWER_NODEDOWN, term_read_node(pid, &node) ? node : pid);
        return;
    }
}

void serve_subscribe(struct api *api, struct request *request)
{
    uint64_t id;
    struct term pid;
    if (!api_subscribe_read_arguments(request, &id, &pid))
        return;
    enum run_phase phase = id == SUBSCRIPTIONS_ALL ? RUN_PHASE_RUNNING : find_run(api, request, &id);
    if (run_has_ended(phase))
        answer_error(request, ANSWER_FINISHED);
    else if (phase != RUN_PHASE_NONE)
        api_subscribe_answer_subscription(request, runs_subscribe(api->runs, id, pid, request->peer), pid);
}

void serve_unsubscribe(struct api *api, struct request *request)
{
    uint64_t id;
    struct term pid;
    if (!api_subscribe_read_arguments(request, &id, &pid))
        return;
    runs_unsubscribe(api->runs, id, pid);
    answer_atom(request, "ok");
}
