#include "serve/pages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "http/http.h"
#include "metrics_private.h"
#include "pages_private.h"
#include "run_pages_private.h"

struct pages {
    struct pages_options options;
    struct http *http;
    struct tls *tls;             /* of HTTP, or NULL */
    const struct runner *runner; /* NULL: not yet */
    struct runs *runs;           /* likewise */
    const struct api *api;
};

/* --- Metrics --- */

static struct metrics_peer *pages_look_at_peers(const struct pages *pages)
{
    const struct config *config = pages->options.config;
    struct metrics_peer *peers = memory_zalloc(config->peer_count, sizeof(*peers));
    for (size_t i = 0; i < config->peer_count; i++) {
        const char *name = config->peers[i].node;
        peers[i] = (struct metrics_peer){
            .name = name, .is_up = peers_find_up(pages->options.peers, name, strlen(name)) != NULL};
    }
    return peers;
}

static void serve_metrics(void *owner, struct http_request *request, const char *rest)
{
    (void)rest;
    struct pages *pages = owner;
    static const struct counters none = {.started = 0};
    struct metrics_peer *peers = pages_look_at_peers(pages);
    struct metrics_look look = {.counters = pages->runner ? runner_counters(pages->runner) : &none,
                                .requests = pages->api ? api_requests(pages->api) : 0,
                                .is_registered = epmd_is_registered(pages->options.epmd),
                                .peers_up = peers_up_count(pages->options.peers),
                                .peers = peers,
                                .peer_count = pages->options.config->peer_count,
                                .queued_bytes = peers_queued_bytes(pages->options.peers),
                                .log_lost = log_lost(),
                                .audit_lines = audit_lines(pages->options.audit),
                                .audit_lost = audit_lost(pages->options.audit),
                                .has_audit_problem = audit_problem(pages->options.audit),
                                .tls_ends_s = pages->options.tls ? tls_ends_s(pages->options.tls) : 0,
                                .http_tls_ends_s = pages->tls ? tls_ends_s(pages->tls) : 0,
                                .lag_ns = loop_minute_clock_ns(pages->options.minute),
                                .lag_cpu_ns = loop_minute_cpu_ns(pages->options.minute)};
    if (pages->runner) {
        runner_figures(pages->runner, &look.now);
        look.runs_queued = runs_count(pages->runs, RUN_PHASE_QUEUED);
        look.suites = runs_count(pages->runs, RUN_PHASE_SUITE);
        look.runs_storing = runs_count(pages->runs, RUN_PHASE_STORING);
        look.has_store_problem = store_problem(runs_store(pages->runs)) != NULL;
    }
    process_usage_read(&look.process);
    struct buffer text = {0};
    metrics_write(&look, &text);
    http_reply(request, 200, METRICS_CONTENT_TYPE, &text);
    free(peers);
}

/* --- Health --- */

static void serve_healthz(void *owner, struct http_request *request, const char *rest)
{
    (void)owner;
    (void)rest;
    http_reply_text(request, 200, "ok\n"); /* the loop is alive, or it would not */
}

static void serve_readyz(void *owner, struct http_request *request, const char *rest)
{
    (void)rest;
    const struct pages *pages = owner;
    const char *problem = pages->options.not_ready(pages->options.owner);
    const char *of_store = pages->runs ? store_problem(runs_store(pages->runs)) : NULL;
    const char *of_audit =
        audit_is_required(pages->options.audit) ? audit_problem(pages->options.audit) : NULL;
    char text[512];
    if (problem)
        snprintf(text, sizeof(text), "%s\n", problem);
    else if (of_store)
        snprintf(text, sizeof(text), "runs cannot be stored: %s\n", of_store);
    else if (of_audit)
        snprintf(text, sizeof(text), "the audit cannot be written: %s\n", of_audit);
    else
        snprintf(text, sizeof(text), "ready\n");
    http_reply_text(request, problem || of_store || of_audit ? 503 : 200, text);
}

/* --- Runs --- */

static void serve_runs(void *owner, struct http_request *request, const char *rest)
{
    (void)rest;
    const struct pages *pages = owner;
    run_pages_list(pages->runs, request);
}

static void serve_run(void *owner, struct http_request *request, const char *rest)
{
    const struct pages *pages = owner;
    run_pages_one(pages->runs, request, rest);
}

/* --- The table --- */

static void serve_index(void *owner, struct http_request *request, const char *rest);

static const struct http_page pages_served[] = {
    {"/", serve_index, false, {.name = "/", .text = "What there is."}},
    {"/metrics", serve_metrics, false, {.name = "/metrics", .text = "For Prometheus."}},
    {"/healthz", serve_healthz, true, {.name = "/healthz", .text = "200 as long as the daemon works."}},
    {"/readyz",
     serve_readyz,
     true,
     {.name = "/readyz",
      .text = "200 when it can be called and store runs: registered with epmd, not stopping, nothing wrong "
              "with the disk, nor with that of an audit that is required; else 503 and why not."}},
    {"/runs",
     serve_runs,
     false,
     {.name = "/runs?limit=100&before=ID",
      .text = "The newest runs, as `status` shows them: so many (1 to 1000; 100 unless given), those before "
              "that one."}},
    {"/runs/",
     serve_run,
     false,
     {.name = "/runs/ID",
      .text = "A run as in its `ID.json`, with its report when it has ended, and with `state` and `summary` "
              "(as `status` "
              "shows it)."}},
};

const struct help_table *pages_table(void)
{
    static const struct help_table table = HELP_TABLE("pages", "Pages over HTTP", pages_served);
    return &table;
}

/* Marks of code are for documents. */
static void serve_index(void *owner, struct http_request *request, const char *rest)
{
    (void)owner;
    (void)rest;
    struct buffer text = {0};
    buffer_print(&text, "harnessd " HARNESSD_VERSION "\n");
    for (size_t i = 0; i < ARRAY_LENGTH(pages_served); i++) {
        buffer_print(&text, "%-26s ", pages_served[i].help.name);
        for (const char *c = pages_served[i].help.text; *c; c++)
            buffer_append(&text, c, *c != '`');
        buffer_print(&text, "\n");
    }
    http_reply(request, 200, HTTP_TEXT, &text);
}

static const char *pages_token(void *owner)
{
    const struct pages *pages = owner;
    return pages->options.config->http_token;
}

static void pages_log_refused(const char *address, const char *problem)
{
    bool is_taken = strcmp(problem, strerror(EADDRINUSE)) == 0;
    log_error("cannot listen for HTTP", log_string("key", "http.listen"), log_string("address", address),
              log_string("reason", problem),
              log_string("advice", is_taken ? "another harnessd? --http ADDRESS:PORT takes another port, "
                                              "--http \"\" none"
                                            : NULL));
}

/* False when the certificate cannot be read any more. */
static bool pages_read_certificate(const struct tls_options *options, struct tls **tls)
{
    char *problem = NULL;
    *tls = options ? tls_new(options, "localhost", &problem) : NULL;
    if (problem)
        log_error("cannot use the certificate of HTTP", log_string("reason", problem));
    free(problem);
    return *tls || !options;
}

static bool pages_listen(struct pages *pages)
{
    const struct config_list *addresses = &pages->options.config->http_listen;
    char problem[256];
    size_t failed;
    struct http_options http = {.loop = pages->options.loop,
                                .addresses = (const char *const *)addresses->items,
                                .address_count = addresses->count,
                                .pages = pages_served,
                                .page_count = ARRAY_LENGTH(pages_served),
                                .owner = pages,
                                .tls = pages->tls,
                                .token = pages_token};
    pages->http = http_new(&http, &failed, problem, sizeof(problem));
    if (!pages->http) {
        pages_log_refused(addresses->items[failed], problem);
        return false;
    }
    for (size_t i = 0; i < addresses->count; i++)
        log_info("listening for HTTP", log_string("address", addresses->items[i]),
                 log_integer("port", http_port(pages->http, i)));
    return true;
}

struct pages *pages_new(const struct pages_options *options)
{
    struct pages *pages = memory_zalloc(1, sizeof(*pages));
    pages->options = *options;
    if (pages_read_certificate(options->config->http_tls, &pages->tls) && pages_listen(pages))
        return pages;
    tls_free(pages->tls);
    free(pages);
    return NULL;
}

void pages_free(struct pages *pages)
{
    http_free(pages->http);
    tls_free(pages->tls);
    free(pages);
}

bool pages_set_tls(struct pages *pages, const struct tls_options *options)
{
    struct tls *tls;
    if (!pages_read_certificate(options, &tls))
        return false;
    http_set_tls(pages->http, tls);
    tls_free(pages->tls); /* connections hold what they have of it */
    pages->tls = tls;
    return true;
}

void pages_watch_certificates(struct pages *pages)
{
    if (pages->tls)
        tls_watch(pages->tls);
}

void pages_set_runs(struct pages *pages, const struct runner *runner, struct runs *runs,
                    const struct api *api)
{
    pages->runner = runner;
    pages->runs = runs;
    pages->api = api;
}
