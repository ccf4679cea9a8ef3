#include <stdarg.h>
#include <stdio.h>

#include "api_private.h"

#define MESSAGE_BYTES 512

static const struct answer_row {
    const char *atom;
    struct help help;
} answer_rows[ANSWER_ERRORS] = {
    [ANSWER_NOT_FOUND] = {"not_found",
                          {.name = "{error, not_found}",
                           .text = "A run that is not there, or not any more."}},
    [ANSWER_NOT_FINISHED] = {"not_finished",
                             {.name = "{error, not_finished}",
                              .text = "It has not ended: of `report` and `delete`."}},
    [ANSWER_FINISHED] = {"finished",
                         {.name = "{error, finished}", .text = "It has ended: of `cancel` and `subscribe`."}},
    [ANSWER_NOT_STARTED] = {"not_started",
                            {.name = "{error, not_started}",
                             .text = "It has nothing yet: of `partial` and `show`."}},
    [ANSWER_NO_REPORT] = {"no_report",
                          {.name = "{error, no_report}",
                           .text = "It has ended without a report: of `partial` and `show`."}},
    [ANSWER_TIMEOUT] = {"timeout",
                        {.name = "{error, timeout}",
                         .text = "It has not ended in the time of `await`; the run goes on."}},
    [ANSWER_BUSY] = {"busy",
                     {.name = "{error, {busy, What}}",
                      .text =
                          "There is no room: 1,000 processes wait for the run already (`waits`), the "
                          "node has its share of `subscriptions`, of large `requests` or of large "
                          "`answers` that wait, or one of the configuration's `limits` is in the way of a "
                          "run or a suite: those of all, or those of the caller's node "
                          "(`runs_per_node`)."}},
    [ANSWER_AUDIT_FAILED] = {"audit_failed",
                             {.name = "{error, {audit_failed, Text}}",
                              .text = "The scenario has chaos, `audit.required` says that nothing is "
                                      "injected that the audit cannot tell of, and it cannot be written."}},
    [ANSWER_NOT_ALLOWED] = {"not_allowed",
                            {.name = "{error, {not_allowed, #{rule => Key, function => Name, node => Node, "
                                     "message => Text}}}",
                             .text = "The configuration's `access.callers` does not let the node call this "
                                     "function."}},
    [ANSWER_NODEDOWN] = {"nodedown",
                         {.name = "{error, {nodedown, Node}}",
                          .text = "The process that is to be told, of `subscribe`, is on a node that is not "
                                  "connected."}},
    [ANSWER_UNREADABLE] = {"unreadable",
                           {.name = "{error, {unreadable, Text}}",
                            .text = "What was stored of the run cannot be read."}},
    [ANSWER_BADARG] = {"badarg", {.name = "{error, {badarg, Text}}", .text = "An argument is none."}},
};

const struct help_table *answers_table(void)
{
    static const struct help_table table =
        HELP_TABLE("answers", "Answers of functions that are no success", answer_rows);
    return &table;
}

/* {error, Error}, or the beginning of {error, {Error, Detail}}. */
static struct term_builder *answer_open(struct request *request, enum answer_error error, bool has_detail)
{
    struct term_builder *answer = request_answer(request);
    term_build_tuple(answer, 2);
    term_build_atom(answer, "error");
    if (has_detail)
        term_build_tuple(answer, 2);
    term_build_atom(answer, answer_rows[error].atom);
    return answer;
}

void answer_error(struct request *request, enum answer_error error)
{
    (void)answer_open(request, error, false);
    request_return(request);
}

void answer_error_of(struct request *request, enum answer_error error, const char *what)
{
    term_build_atom(answer_open(request, error, true), what);
    request_return(request);
}

void answer_error_term(struct request *request, enum answer_error error, struct term what)
{
    term_build_term(answer_open(request, error, true), what);
    request_return(request);
}

void answer_error_text(struct request *request, enum answer_error error, const char *text)
{
    term_build_text(answer_open(request, error, true), text);
    request_return(request);
}

void answer_badarg(struct request *request, const char *format, ...)
{
    char message[MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    answer_error_text(request, ANSWER_BADARG, message);
}

void answer_not_allowed(struct request *request, const char *rule, const char *function)
{
    struct term_builder *answer = answer_open(request, ANSWER_NOT_ALLOWED, true);
    char message[MESSAGE_BYTES];
    snprintf(message, sizeof(message), "%s may not call %s: %s", request->peer, function, rule);
    term_build_map(answer, 4);
    term_build_key(answer, "function");
    term_build_atom(answer, function);
    term_build_key(answer, "message");
    term_build_text(answer, message);
    term_build_key(answer, "node");
    term_build_atom(answer, request->peer);
    term_build_key(answer, "rule");
    term_build_text(answer, rule);
    request_return(request);
}

void answer_atom(struct request *request, const char *atom)
{
    term_build_atom(request_answer(request), atom);
    request_return(request);
}
