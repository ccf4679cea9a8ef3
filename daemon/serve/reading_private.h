/* Scenarios that are read for a request: small ones at once, large ones and files by a thread, so that nobody
 * else waits for that. */
#ifndef HARNESSD_SERVE_READING_PRIVATE_H
#define HARNESSD_SERVE_READING_PRIVATE_H

#include "audit/audit_line.h"
#include "base/list.h"
#include "node/request_work.h"
#include "scenario/scenario_file.h"
#include "scenario/scenario_term.h"

/* Embedded in its owner, and all zero but for what it is asked for with when it starts. */
struct scenario_reading {
    struct term term;         /* {file, Name[, Overrides]}, or a scenario; borrowed until it is over */
    bool may_be_file;         /* the term may name one */
    const char *directory;    /* of files, or NULL; copied */
    struct term expectations; /* of run_with_performance, read before it; without data: none */
    struct scenario_origin origin;
    bool is_audited; /* its digest is wanted */

    /* It is over, or was dropped (`work.is_dropped`), never from within reading_start(). Without `scenario`
     * there are `problems`; both are the owner's, and what is not large is to be freed by problems_free(). */
    void (*done)(void *owner);
    void *owner;

    struct scenario *scenario;
    struct problems problems;
    char name[SCENARIO_FILE_NAME_BYTES + 1]; /* of the file; empty: it is none */
    char digest[AUDIT_DIGEST_BYTES + 1];     /* empty: it is not known, or not wanted */

    char *folder;
    char node[NODE_NAME_BYTES + 1];
    struct request_work work;
};

/* Whether it takes long, so that it is to be started; else reading_do() does all of it. */
bool reading_is_long(const struct scenario_reading *reading);

void reading_do(struct scenario_reading *reading);

/* For a request; `is_kept`: whether or not somebody waits for that. */
void reading_start(struct request *request, struct scenario_reading *reading, bool is_kept);

#endif
