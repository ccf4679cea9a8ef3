/* The functions that other nodes call: one table with name, arity, help and handler. */
#ifndef HARNESSD_SERVE_API_H
#define HARNESSD_SERVE_API_H

#include "base/loop_minute.h"
#include "config/config.h"
#include "node/request.h"
#include "registry/runs.h"
#include "run/runner.h"
#include "serve/schedules.h"

struct api;

/* What it works with, which outlives it. */
struct api_parts {
    struct node *node;
    struct runner *runner;
    struct runs *runs;
    struct schedules *schedules;
    struct audit *audit; /* or NULL */
    const struct config *config;
    const struct loop_minute *minute;
};

struct api *api_new(const struct api_parts *parts);
void api_free(struct api *api);

/* The names of its functions, each once, NULL at the end. */
const char *const *api_function_names(void);

/* For rpc_in_options.serve; the owner is the API. */
void api_serve(void *api, struct request *request);

/* How often its functions were called. */
uint64_t api_requests(const struct api *api);

#endif
