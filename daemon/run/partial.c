#include "run/partial.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"
#include "run_private.h"

struct run_partial {
    struct report report;
    struct term_builder output;
    struct loop *loop;
    struct loop_task step; /* the next piece */
    struct loop_task reap;
    void (*done)(void *owner, struct blob *report);
    void *owner;
};

static void partial_reap(void *owner)
{
    struct run_partial *partial = owner;
    term_build_free(&partial->output);
    free(partial);
}

void run_partial_cancel(struct run_partial *partial)
{
    report_free(&partial->report);
    loop_cancel(partial->loop, &partial->step);
    loop_defer(partial->loop, &partial->reap);
}

static void partial_write_piece(void *owner)
{
    struct run_partial *partial = owner;
    if (report_continue(&partial->report)) {
        loop_defer_piece(partial->loop, &partial->step);
        return;
    }
    run_partial_cancel(partial);
    struct blob *report = blob_take(&partial->output.bytes, partial->loop);
    partial->done(partial->owner, report);
    blob_release(report);
}

bool run_has_begun(const struct run *run)
{
    return run->engine != NULL;
}

static struct run_partial *partial_start(struct run *run, enum report_purpose purpose,
                                         void (*done)(void *owner, struct blob *report), void *owner)
{
    struct run_partial *partial = memory_zalloc(1, sizeof(*partial));
    assert(run_has_begun(run));
    partial->done = done;
    partial->owner = owner;
    partial->reap = (struct loop_task){.run = partial_reap, .owner = partial};
    partial->loop = run_loop(run);
    partial->step = (struct loop_task){.run = partial_write_piece, .owner = partial};
    report_start(&partial->report, run, purpose, &partial->output);
    loop_defer_piece(partial->loop, &partial->step);
    return partial;
}

struct run_partial *run_partial_start(struct run *run, void (*done)(void *owner, struct blob *report),
                                      void *owner)
{
    return partial_start(run, REPORT_PARTIAL, done, owner);
}

struct run_partial *run_journal_start(struct run *run, void (*done)(void *owner, struct blob *report),
                                      void *owner)
{
    return partial_start(run, REPORT_JOURNAL, done, owner);
}

void run_build_journal(struct run *run, struct term_builder *builder)
{
    struct report report = {.run = NULL};
    assert(run_has_begun(run));
    report_start(&report, run, REPORT_JOURNAL, builder);
    while (report_continue(&report))
        continue;
    report_free(&report);
}
