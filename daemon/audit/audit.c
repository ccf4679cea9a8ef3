#include "audit/audit.h"

#include <stdlib.h>
#include <string.h>

#include "audit_file_private.h"
#include "audit_refusals_private.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/log_repeat.h"
#include "base/memory.h"
#include "base/worker.h"

/* How often it is tried again. */
#define RETRY_NS CLOCK_NS_PER_S

/* How often it is told what was left out. */
#define OMITTED_NS (10 * CLOCK_NS_PER_S)

struct audit {
    struct loop *loop;
    char *path;
    struct audit_options options;
    struct worker *worker;
    struct worker_job job;
    struct loop_timer retry;
    struct loop_task start; /* of the job, for all lines of a pass */
    bool is_working;

    struct buffer waiting; /* lines for the next job */
    uint64_t told;         /* lines so far, without those that were lost */
    uint64_t written;      /* of these */
    uint64_t lost;
    uint64_t lost_told; /* of these, by a line */
    bool has_lost_last; /* the last line that was told is among them */
    bool is_to_reopen;
    bool is_failing;
    char problem[AUDIT_PROBLEM_BYTES]; /* why */
    struct log_repeat failures;
    struct log_repeat rotation_failures;
    struct list waits; /* in the order of their lines */
    struct audit_refusals refusals;
    struct loop_timer tell_omitted;
    bool is_omitting; /* it is set */

    /* The thread's while it works. */
    struct buffer writing;
    uint64_t writing_to; /* the number of its last line */
    bool reopens;
    struct audit_file file;
    uint64_t rotations_seen; /* by the loop */
};

/* --- The thread --- */

static void audit_work(struct worker_job *job)
{
    struct audit *audit = CONTAINER_OF(job, struct audit, job);
    if (audit->reopens && !audit_file_open(&audit->file))
        return;
    audit_file_write(&audit->file, &audit->writing);
}

/* --- What came of it --- */

static void audit_tell_waits(struct audit *audit, const char *problem)
{
    for (;;) {
        struct audit_wait *wait = LIST_FIRST(&audit->waits, struct audit_wait, link);
        if (!wait || (wait->line > audit->written && (!problem || wait->line > audit->writing_to)))
            return;
        const char *own = wait->is_lost ? "no room is left for its line" : NULL;
        bool is_written = wait->line <= audit->written;
        audit_forget(wait);
        wait->done(wait->owner, is_written ? own : problem);
    }
}

static void audit_log_rotations(struct audit *audit)
{
    const struct audit_file *file = &audit->file;
    if (file->rotations != audit->rotations_seen)
        log_info("audit rotated", log_string("file", audit->path),
                 log_integer("rotations", (int64_t)file->rotations),
                 log_integer("removals", (int64_t)file->removals));
    audit->rotations_seen = file->rotations;
    if (*file->rotation_problem && log_repeat_is_due(&audit->rotation_failures))
        log_error("the audit cannot be rotated, and goes on beyond its size", log_string("file", audit->path),
                  log_string("reason", file->rotation_problem), log_times(&audit->rotation_failures));
}

static void audit_log_failing(struct audit *audit)
{
    if (log_repeat_is_due(&audit->failures))
        log_error("the audit cannot be written", log_string("key", "audit.file"),
                  log_string("file", audit->path), log_string("reason", audit->problem),
                  log_integer("waiting_bytes", (int64_t)(audit->writing.size + audit->waiting.size)),
                  log_string("faults", audit->options.required ? "refused" : NULL),
                  log_times(&audit->failures));
}

/* What is left goes before what has come meanwhile. */
static void audit_keep_rest(struct audit *audit)
{
    if (!audit->writing.size) {
        buffer_free(&audit->writing);
        return;
    }
    buffer_append(&audit->writing, buffer_bytes(&audit->waiting), audit->waiting.size);
    buffer_free(&audit->waiting);
    audit->waiting = audit->writing;
    audit->writing = (struct buffer){.size = 0};
}

static void audit_tell_lost(struct audit *audit)
{
    const struct audit_field fields[] = {audit_number(AUDIT_LINES, audit->lost - audit->lost_told),
                                         {.key = AUDIT_KEYS}};
    if (audit->lost == audit->lost_told || audit->waiting.size > AUDIT_WAITING_BYTES / 2)
        return;
    audit->lost_told = audit->lost;
    audit_write(audit, AUDIT_LOST, fields);
}

static void audit_start(void *owner);

static void audit_done(struct worker_job *job)
{
    struct audit *audit = CONTAINER_OF(job, struct audit, job);
    bool has_failed = audit->is_failing;
    memcpy(audit->problem, audit->file.problem, sizeof(audit->problem));
    audit->is_working = false;
    audit->is_failing = *audit->problem;
    audit_keep_rest(audit);
    audit_log_rotations(audit);
    if (audit->is_failing) {
        audit_log_failing(audit);
        audit_tell_waits(audit, audit->problem);
        loop_timer_set(&audit->retry, RETRY_NS);
        return;
    }
    audit->written = audit->writing_to;
    if (has_failed)
        log_info("the audit is written again", log_string("file", audit->path),
                 log_integer("lost", (int64_t)(audit->lost - audit->lost_told)));
    audit_tell_waits(audit, NULL);
    audit_tell_lost(audit);
    if (audit->waiting.size || audit->is_to_reopen)
        audit_start(audit);
}

static void audit_start(void *owner)
{
    struct audit *audit = owner;
    if (audit->is_working)
        return;
    audit->is_working = true;
    audit->writing = audit->waiting;
    audit->waiting = (struct buffer){.size = 0};
    audit->writing_to = audit->told;
    audit->reopens = audit->is_to_reopen;
    audit->is_to_reopen = false;
    audit->file.max_bytes = audit->options.max_bytes;
    audit->file.keep = audit->options.keep;
    audit->job = (struct worker_job){.work = audit_work, .done = audit_done};
    worker_queue(audit->worker, &audit->job);
}

/* --- Who tells --- */

void audit_write(struct audit *audit, enum audit_event event, const struct audit_field *fields)
{
    audit->has_lost_last = audit->waiting.size > AUDIT_WAITING_BYTES;
    if (audit->has_lost_last) {
        audit->lost++;
        return;
    }
    audit_line_write(event, clock_wall_us(), fields, &audit->waiting);
    audit->told++;
    if (!audit->is_failing)
        loop_defer(audit->loop, &audit->start);
}

static void audit_tell_omitted(void *owner)
{
    struct audit *audit = owner;
    const char *node;
    uint64_t omitted = 0;
    audit->is_omitting = false;
    while ((node = audit_refusals_take(&audit->refusals, &omitted)))
        audit_tell(audit, AUDIT_OMITTED, audit_text(AUDIT_NODE, *node ? node : NULL),
                   audit_number(AUDIT_LINES, omitted));
}

bool audit_admits_refusal(struct audit *audit, const char *node)
{
    if (!audit)
        return false;
    if (audit_refusals_admit(&audit->refusals, node, clock_ns()))
        return true;
    if (!audit->is_omitting)
        loop_timer_set(&audit->tell_omitted, OMITTED_NS);
    audit->is_omitting = true;
    return false;
}

const char *audit_problem(const struct audit *audit)
{
    return audit && audit->is_failing ? audit->problem : NULL;
}

bool audit_is_required(const struct audit *audit)
{
    return audit && audit->options.required;
}

uint64_t audit_lines(const struct audit *audit)
{
    return audit ? audit->told : 0;
}

uint64_t audit_lost(const struct audit *audit)
{
    return audit ? audit->lost : 0;
}

void audit_await(struct audit *audit, struct audit_wait *wait)
{
    wait->audit = audit;
    wait->line = audit->told;
    wait->is_lost = audit->has_lost_last;
    list_append(&audit->waits, &wait->link);
    loop_defer(audit->loop, &audit->start); /* also while it fails: it may not any more */
}

void audit_forget(struct audit_wait *wait)
{
    if (!wait->audit)
        return;
    list_remove(&wait->audit->waits, &wait->link);
    wait->audit = NULL;
}

void audit_reopen(struct audit *audit)
{
    if (!audit)
        return;
    audit->is_to_reopen = true;
    loop_defer(audit->loop, &audit->start);
}

/* --- The audit --- */

void audit_set_options(struct audit *audit, const struct audit_options *options)
{
    if (!audit)
        return;
    audit->options = *options;
    audit->options.file = audit->path;
}

struct audit *audit_new(struct loop *loop, const struct audit_options *options)
{
    struct audit *audit = memory_zalloc(1, sizeof(*audit));
    audit->path = memory_string(options->file);
    audit->file = (struct audit_file){.path = audit->path, .descriptor = -1};
    if (!audit_file_open(&audit->file)) {
        log_error("the audit cannot be written", log_string("key", "audit.file"),
                  log_string("file", audit->path), log_string("reason", audit->file.problem));
        free(audit->path);
        free(audit);
        return NULL;
    }
    audit->loop = loop;
    audit_set_options(audit, options);
    audit->worker = worker_new(loop);
    audit->start = (struct loop_task){.run = audit_start, .owner = audit};
    loop_timer_init(&audit->retry, loop, audit_start, audit);
    loop_timer_init(&audit->tell_omitted, loop, audit_tell_omitted, audit);
    return audit;
}

/* What has failed so far is tried once more. */
void audit_free(struct audit *audit)
{
    if (!audit)
        return;
    audit_tell_omitted(audit);
    loop_cancel(audit->loop, &audit->start);
    if (audit->waiting.size)
        audit_start(audit);
    worker_free(audit->worker);
    if (audit->waiting.size)
        log_error("lines of the audit were not written", log_string("file", audit->path),
                  log_string("reason", audit->problem), log_integer("bytes", (int64_t)audit->waiting.size));
    audit->writing_to = audit->told;
    audit_tell_waits(audit, "the daemon ends");
    loop_cancel(audit->loop, &audit->start);
    loop_timer_free(&audit->retry);
    loop_timer_free(&audit->tell_omitted);
    audit_file_close(&audit->file);
    buffer_free(&audit->waiting);
    buffer_free(&audit->writing);
    free(audit->path);
    free(audit);
}
