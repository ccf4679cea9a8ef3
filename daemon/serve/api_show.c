#include "api_functions.h"
#include "serve/report_text.h"
#include "term/term_read.h"

static bool answer_text(struct request *request, struct term result)
{
    struct buffer text = {0};
    bool is_report = report_text_write(result, (struct term){0}, &text);
    if (is_report) {
        term_build_binary(request_answer(request), buffer_bytes(&text), text.size);
        request_return(request);
    }
    buffer_free(&text);
    return is_report;
}

/* Of a run that has ended, by its id, or of what run/1 has answered. */
void serve_show(struct api *api, struct request *request)
{
    uint64_t id;
    struct term result;
    if (term_type(request->arguments[0]) != TERM_INTEGER) {
        if (!answer_text(request, request->arguments[0]))
            answer_badarg(request, "show takes a run_id, a report, {ok, report} or {error, reason}");
        return;
    }
    enum run_phase phase = find_run(api, request, &id);
    if (phase == RUN_PHASE_NONE)
        return;
    if (phase != RUN_PHASE_FINISHED)
        answer_error(request, "not_finished");
    else if (!runs_result(api->runs, id, &result) || !answer_text(request, result))
        answer_error(request, "not_found");
}
