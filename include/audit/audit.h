/* Who has asked for what, and what was done to nodes: one line of JSON for each, in a file of its own, which
 * a thread writes, so that nobody waits for its disk. What is written is synced before it counts.
 *
 * The file is rotated by size: FILE becomes FILE.1, that FILE.2, and so on up to a number that is kept. The
 * first line of the new file says so, and names what was removed. While it cannot be written to, lines wait
 * and it is tried again each second; those that there is no room for are counted, and the count is a line
 * when it goes on. One that somebody has moved away is made anew.
 *
 * Who is refused again and again gets a line for the first thousand times and then one a second; how many
 * were left out is a line each ten seconds, so that nobody pushes out of the files what others did. */
#ifndef HARNESSD_AUDIT_AUDIT_H
#define HARNESSD_AUDIT_AUDIT_H

#include "audit/audit_line.h"
#include "base/list.h"
#include "base/loop.h"

/* What may wait to be written. */
#define AUDIT_WAITING_BYTES (8 << 20)

/* NULL is an audit that is off: whatever is told to it is nothing. */
struct audit;

struct audit_options {
    const char *file; /* copied */
    uint64_t max_bytes;
    uint64_t keep; /* files beside the one that is written */
    bool required; /* nothing is injected that it could not tell of */
};

/* NULL when the file cannot be opened, which is logged. */
MUST_CHECK struct audit *audit_new(struct loop *loop, const struct audit_options *options);

/* Writes what waits, as far as that can be, waiting for it. */
void audit_free(struct audit *audit);

/* All but the file may be others from now on. */
void audit_set_options(struct audit *audit, const struct audit_options *options);

/* Lets go of the file and opens what is there by its name: somebody may have renamed it. */
void audit_reopen(struct audit *audit);

/* Has a line be written. */
void audit_write(struct audit *audit, enum audit_event event, const struct audit_field *fields);

/* The same, whose fields are made only if there is an audit. */
#define audit_tell(audit, event, ...)                                                                        \
    do {                                                                                                     \
        if (audit)                                                                                           \
            audit_write(audit, event,                                                                        \
                        (const struct audit_field[]){__VA_ARGS__ __VA_OPT__(, ){.key = AUDIT_KEYS}});        \
    } while (0)

/* Whether what a node is refused now gets a line; else it is counted, and told of with others. */
MUST_CHECK bool audit_admits_refusal(struct audit *audit, const char *node);

/* Why it cannot be written to, or NULL. */
const char *audit_problem(const struct audit *audit);

/* Whether nothing may be injected before its line is on disk. */
bool audit_is_required(const struct audit *audit);

/* Lines so far, and those that were lost. */
uint64_t audit_lines(const struct audit *audit);
uint64_t audit_lost(const struct audit *audit);

/* A wait until all that was told so far is on disk, embedded in its owner, zero before. */
struct audit_wait {
    struct list_link link;
    struct audit *audit; /* while waiting */
    uint64_t line;       /* that is to be written */
    bool is_lost;        /* there was no room for the last one */

    /* Called once, by the loop, never from within audit_await(): `problem` is NULL, or why it is not. */
    void (*done)(void *owner, const char *problem);
    void *owner;
};

void audit_await(struct audit *audit, struct audit_wait *wait);

/* No longer; harmless when it is over. */
void audit_forget(struct audit_wait *wait);

#endif
