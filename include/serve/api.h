/* The functions that other nodes call: one table with name, arity, help and handler. */
#ifndef HARNESSD_SERVE_API_H
#define HARNESSD_SERVE_API_H

#include "node/request.h"
#include "run/runner.h"
#include "serve/config.h"
#include "serve/runs.h"

struct api;

struct api *api_new(struct node *node, struct runner *runner, struct runs *runs, const struct config *config);
void api_free(struct api *api);

/* For rpc_in_options.serve; the owner is the API. */
void api_serve(void *api, struct request *request);

/* How often its functions were called. */
uint64_t api_requests(const struct api *api);

#endif
