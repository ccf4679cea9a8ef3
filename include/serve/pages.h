/* What the daemon shows over HTTP. */
#ifndef HARNESSD_SERVE_PAGES_H
#define HARNESSD_SERVE_PAGES_H

#include "base/loop_minute.h"
#include "dist/epmd.h"
#include "serve/api.h"

struct pages;

/* All of it outlives the pages. */
struct pages_options {
    struct loop *loop;
    const struct config *config;
    const struct epmd *epmd;
    const struct peers *peers;
    const struct tls *tls; /* of connections to nodes; NULL: it is off */
    const struct loop_minute *minute;
    const struct audit *audit; /* or NULL */

    /* Why the daemon cannot serve now, or NULL. */
    const char *(*not_ready)(void *owner);
    void *owner;
};

/* Listens at http.listen from now on. NULL when that fails, which is logged. */
MUST_CHECK struct pages *pages_new(const struct pages_options *options);
void pages_free(struct pages *pages);

/* Has connections that are made from now on speak TLS by these options, which are to last, or none (NULL).
 * False, and all is as before, when their files cannot be read, which is logged. */
MUST_CHECK bool pages_set_tls(struct pages *pages, const struct tls_options *options);

/* To be called now and then, as tls_watch(). */
void pages_watch_certificates(struct pages *pages);

/* The daemon is ready: there are runs to tell of. */
void pages_set_runs(struct pages *pages, const struct runner *runner, struct runs *runs,
                    const struct api *api);

#endif
