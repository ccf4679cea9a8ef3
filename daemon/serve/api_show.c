#include "api_private.h"
#include "report/report_text.h"
#include "term/term_read.h"

static bool show_answer_text(struct request *request, const struct report_source *source)
{
    struct buffer text = {0};
    struct report_view view;
    if (!report_view_read(source, &view))
        return false;
    report_text_write(&view, &text);
    term_build_binary(request_answer(request), buffer_bytes(&text), text.size);
    request_return(request);
    buffer_free(&text);
    return true;
}

static void show_answer_stored_text(struct request *request, const struct run_reply *reply)
{
    const struct report_source source = {
        .result = reply->result, .partial = reply->report, .outcome = reply->outcome};
    if (!show_answer_text(request, &source))
        answer_error(request, ANSWER_NO_REPORT);
}

/* Of a run that goes on. */
static void show_answer_partial_text(struct request *request, const struct run_reply *reply)
{
    struct term_builder partial = {0};
    term_build_tuple(&partial, 2);
    term_build_atom(&partial, "partial");
    if (reply->report.data)
        term_build_term(&partial, reply->report);
    else
        term_build_atom(&partial, "nil");
    const struct report_source source = {.result = term_built(&partial)};
    if (!show_answer_text(request, &source))
        answer_error(request, ANSWER_NO_REPORT);
    term_build_free(&partial);
}

/* What run/1 has answered, or a report by itself: how its run stands is looked up, if it is one of this
 * daemon's. */
static void show_answer_given(struct api *api, struct request *request)
{
    struct report_source source = {.result = request->arguments[0]};
    struct report_view view;
    uint64_t id = report_view_read(&source, &view) && view.report.data
                      ? report_view_count(view.report, "run_id", 0)
                      : 0;
    enum run_phase phase = runs_phase(api->runs, id);
    if (phase != RUN_PHASE_NONE) {
        source.outcome = runs_outcome(api->runs, id);
        source.is_under_way = !run_has_ended(phase) && source.outcome == OUTCOME_NONE;
    }
    if (!show_answer_text(request, &source))
        answer_badarg(request, "show takes a run_id, a report, {ok, report} or {error, reason}");
}

/* Of a run, by its id, or of what run/1 has answered. */
void serve_show(struct api *api, struct request *request)
{
    uint64_t id;
    if (term_type(request->arguments[0]) != TERM_INTEGER) {
        show_answer_given(api, request);
        return;
    }
    enum run_phase phase = find_run(api, request, &id);
    if (run_has_ended(phase))
        read_run(api, request, id, phase, show_answer_stored_text);
    else if (phase == RUN_PHASE_STORING || (phase != RUN_PHASE_NONE && runs_has_begun(api->runs, id)))
        await_partial(api, request, id, show_answer_partial_text);
    else if (phase != RUN_PHASE_NONE)
        answer_error(request, ANSWER_NOT_STARTED);
}
