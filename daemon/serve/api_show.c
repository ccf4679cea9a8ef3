#include <stdlib.h>

#include "api_private.h"
#include "base/memory.h"
#include "node/request_work.h"
#include "report/report_text.h"
#include "report/run_result.h"
#include "term/term_read.h"

/* From this size on a thread takes reports apart and makes texts of them. */
#define SHOW_LONG_BYTES (64 * 1024)

/* So much of a report is looked at in the time in which a byte of a scenario is read. */
#define SHOW_BYTES_A_READ 16

/* A report of which a text is made. */
struct showing {
    struct request_work work;
    struct api *api;
    struct request *request;
    struct report_source source;
    struct term under_way;     /* the report of a run that goes on, in the place of a result */
    struct term stored;        /* what a run that has ended has come to, likewise */
    bool is_interrupted;       /* that run */
    struct term_builder built; /* the result: {partial, UnderWay | nil}, or what the run is answered with */
    struct blob *held[2];      /* what is shown is in these, or in the request */
    bool is_given;             /* by the caller */
    bool is_looked_up;         /* it is known how its run stands */
    bool is_report;            /* what follows is there */
    uint64_t id;               /* of its run; 0: it has none */
    struct buffer text;
};

static void show_build_result(struct showing *showing)
{
    struct term_builder *built = &showing->built;
    if (showing->stored.data) {
        run_result_build(showing->stored, showing->is_interrupted, built);
        return;
    }
    term_build_tuple(built, 2);
    term_build_atom(built, "partial");
    term_build_term(built, showing->under_way.data ? showing->under_way : TERM_ATOM("nil"));
}

static void show_work(struct request_work *work)
{
    struct showing *showing = CONTAINER_OF(work, struct showing, work);
    struct report_source *source = &showing->source;
    struct report_view view;
    if (!source->result.data) {
        show_build_result(showing);
        source->result = term_built(&showing->built);
    }
    showing->is_report = report_view_read(source, &view);
    if (!showing->is_report)
        return;
    showing->id = report_view_run_id(&view);
    if (showing->is_looked_up)
        report_text_write(&view, &showing->text);
}

static void show_do(struct showing *showing);

static void show_answer(struct showing *showing)
{
    struct request *request = showing->request;
    if (showing->work.is_dropped) {
        request_drop(request);
    } else if (showing->is_report) {
        term_build_binary(request_answer(request), buffer_bytes(&showing->text), showing->text.size);
        request_return(request);
    } else if (showing->is_given) {
        answer_badarg(request, "show takes a run_id, a report, {ok, report} or {error, reason}");
    } else {
        answer_error(request, ANSWER_NO_REPORT);
    }
    term_build_free(&showing->built);
    buffer_free(&showing->text);
    for (size_t i = 0; i < ARRAY_LENGTH(showing->held); i++)
        blob_release(showing->held[i]);
    free(showing);
}

/* How the run of what was given stands, if it is one of this daemon's. */
static void show_look_up(struct showing *showing)
{
    const struct runs *runs = showing->api->runs;
    struct report_source *source = &showing->source;
    enum run_phase phase = runs_phase(runs, showing->id);
    if (phase != RUN_PHASE_NONE) {
        source->outcome = runs_outcome(runs, showing->id);
        source->is_under_way = !run_has_ended(phase) && source->outcome == OUTCOME_NONE;
    }
    showing->is_looked_up = true;
}

static void show_on_done(struct request_work *work)
{
    struct showing *showing = CONTAINER_OF(work, struct showing, work);
    if (work->is_dropped || !showing->is_report || showing->is_looked_up) {
        show_answer(showing);
        return;
    }
    show_look_up(showing);
    show_do(showing);
}

static void show_do(struct showing *showing)
{
    size_t size = showing->source.result.size + showing->source.partial.size + showing->under_way.size +
                  showing->stored.size;
    showing->work = (struct request_work){.request = showing->request,
                                          .bytes = size / SHOW_BYTES_A_READ,
                                          .work = show_work,
                                          .done = show_on_done};
    if (size >= SHOW_LONG_BYTES) {
        request_work_start(&showing->work);
    } else {
        show_work(&showing->work);
        show_on_done(&showing->work);
    }
}

static struct showing *show_new(struct request *request)
{
    struct showing *showing = memory_zalloc(1, sizeof(*showing));
    showing->request = request;
    return showing;
}

/* What is known of a run that has ended, or goes on. */
static void show_reply(struct request *request, const struct run_reply *reply)
{
    struct showing *showing = show_new(request);
    struct blob *places[] = {reply->result_in, reply->report_in};
    int64_t id;
    if (term_read_integer(request->arguments[0], &id) && id > 0)
        showing->source.run_id = (uint64_t)id;
    showing->is_looked_up = true;
    showing->source.outcome = reply->outcome;
    showing->stored = reply->result;
    showing->is_interrupted = reply->is_interrupted;
    if (reply->result.data)
        showing->source.partial = reply->report;
    else
        showing->under_way = reply->report;
    for (size_t i = 0; i < ARRAY_LENGTH(places); i++)
        showing->held[i] = places[i] ? blob_hold(places[i]) : NULL;
    show_do(showing);
}

/* Of a run, by its id, or of what run/1 has answered, or a report by itself. */
void serve_show(struct api *api, struct request *request)
{
    uint64_t id;
    if (term_type(request->arguments[0]) != TERM_INTEGER) {
        if (!request_admit(request, request->arguments[0].size)) {
            answer_error_of(request, ANSWER_BUSY, "requests");
            return;
        }
        struct showing *showing = show_new(request);
        showing->api = api;
        showing->is_given = true;
        showing->source.result = request->arguments[0];
        show_do(showing);
        return;
    }
    enum run_phase phase = find_run(api, request, &id);
    if (run_has_ended(phase))
        read_run(api, request, id, phase, show_reply);
    else if (phase == RUN_PHASE_STORING || (phase != RUN_PHASE_NONE && runs_has_begun(api->runs, id)))
        await_partial(api, request, id, show_reply);
    else if (phase != RUN_PHASE_NONE)
        answer_error(request, ANSWER_NOT_STARTED);
}
