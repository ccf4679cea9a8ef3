/* Runs over HTTP, as JSON: what status() and report() answer. */
#ifndef HARNESSD_SERVE_RUN_PAGES_PRIVATE_H
#define HARNESSD_SERVE_RUN_PAGES_PRIVATE_H

#include "http/http.h"
#include "registry/runs.h"

/* The newest runs, an array of at most `limit` (1 to RUN_PAGES_MOST) of those before the id `before`; both
 * are of the query. `runs` is NULL as long as the daemon is not ready, here as below. */
#define RUN_PAGES_LIMIT 100
#define RUN_PAGES_MOST 1000
void run_pages_list(const struct runs *runs, struct http_request *request);

/* The run whose id is `text`: an object with `id`, `state`, `summary`, and when it has ended `ok`, `error` or
 * `partial`, as the store has it. A report of many megabytes is read by the store's thread. */
void run_pages_one(struct runs *runs, struct http_request *request, const char *text);

#endif
