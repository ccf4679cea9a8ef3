#include "run_pages_private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "term/term_json.h"
#include "term/term_read.h"

/* A request that waits for the store. */
struct scenario_reading {
    struct http_request *request;
    struct store_read *read;
};

static bool run_pages_refuse_before_ready(const struct runs *runs, struct http_request *request)
{
    if (!runs)
        http_reply_text(request, 503, "The daemon is not ready yet.\n");
    return !runs;
}

void run_pages_list(const struct runs *runs, struct http_request *request)
{
    uint64_t limit = RUN_PAGES_LIMIT;
    uint64_t before = UINT64_MAX;
    if (run_pages_refuse_before_ready(runs, request))
        return;
    if (!http_query_number(request, "limit", &limit) || !http_query_number(request, "before", &before) ||
        limit < 1 || limit > RUN_PAGES_MOST) {
        http_reply_text(request, 400, "limit must be a number from 1 to 1000, before the id of a run.\n");
        return;
    }
    struct term_builder list = {0};
    struct buffer json = {0};
    runs_build_list(runs, limit, before, &list);
    term_json_write(term_built(&list), &json);
    term_build_free(&list);
    buffer_append(&json, "\n", 1);
    http_reply(request, 200, HTTP_JSON, &json);
}

/* --- One run --- */

static void run_pages_on_read(void *owner, const struct store_content *content)
{
    struct scenario_reading *reading = owner;
    if (content->problem) {
        struct buffer text = {0};
        buffer_append(&text, content->problem, strlen(content->problem));
        buffer_append(&text, "\n", 1);
        http_reply(reading->request, 500, HTTP_TEXT, &text);
    } else {
        http_reply_blob(reading->request, 200, HTTP_JSON, content->bytes);
    }
    free(reading);
}

static void run_pages_on_gone(void *owner)
{
    struct scenario_reading *reading = owner;
    store_read_cancel(reading->read);
    free(reading);
}

/* Of one that is under way, in the same form. */
static void run_pages_reply_status(const struct runs *runs, struct http_request *request, uint64_t id)
{
    struct term_builder status = {0};
    struct buffer json = {0};
    struct term state;
    if (!runs_build_status(runs, id, &status) || !term_pairs_get(term_built(&status), "state", &state)) {
        term_build_free(&status);
        http_reply_text(request, 404, "There is no such run.\n");
        return;
    }
    buffer_print(&json, "{\"outcome\":null,\"run_id\":%" PRIu64 ",\"reason\":null,\"state\":", id);
    size_t too_deep = term_json_write(state, &json);
    buffer_print(&json, ",\"summary\":");
    too_deep += term_json_write(term_built(&status), &json);
    buffer_print(&json, ",\"report\":null");
    term_json_warn(too_deep, &json);
    buffer_print(&json, "}\n");
    term_build_free(&status);
    http_reply(request, 200, HTTP_JSON, &json);
}

void run_pages_one(struct runs *runs, struct http_request *request, const char *text)
{
    uint64_t id = 0;
    if (run_pages_refuse_before_ready(runs, request))
        return;
    if (!http_number(text, &id)) {
        http_reply_text(request, 404, "There is no such run: ids are numbers.\n");
        return;
    }
    enum run_phase phase = runs_phase(runs, id);
    if (phase != RUN_PHASE_FINISHED && phase != RUN_PHASE_INTERRUPTED) {
        run_pages_reply_status(runs, request, id);
        return;
    }
    struct scenario_reading *reading = memory_zalloc(1, sizeof(*reading));
    reading->request = http_keep(request, run_pages_on_gone, reading);
    if (reading->request)
        reading->read = store_read(runs_store(runs), id, STORE_JSON, run_pages_on_read, reading);
    if (reading->read)
        return;
    if (reading->request)
        http_reply_text(reading->request, 404, "There is no such run.\n");
    free(reading);
}
