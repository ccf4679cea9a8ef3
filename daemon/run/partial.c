#include "run/partial.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"
#include "run_private.h"

struct run_partial {
    struct report report;
    struct term_builder output;
    struct loop_timer timer; /* for the next piece */
    struct loop_task reap;
    void (*done)(void *owner, struct blob *report);
    void *owner;
};

static void partial_reap(void *owner)
{
    struct run_partial *partial = owner;
    loop_timer_free(&partial->timer);
    term_build_free(&partial->output);
    free(partial);
}

void run_partial_cancel(struct run_partial *partial)
{
    report_free(&partial->report);
    loop_timer_stop(&partial->timer);
    loop_defer(partial->timer.loop, &partial->reap);
}

static void partial_write_piece(void *owner)
{
    struct run_partial *partial = owner;
    if (report_continue(&partial->report)) {
        loop_timer_set(&partial->timer, 0);
        return;
    }
    run_partial_cancel(partial);
    struct blob *report = blob_take(&partial->output.bytes);
    partial->done(partial->owner, report);
    blob_release(report);
}

bool run_has_begun(const struct run *run)
{
    return run->engine != NULL;
}

struct run_partial *run_partial_start(struct run *run, void (*done)(void *owner, struct blob *report),
                                      void *owner)
{
    struct run_partial *partial = memory_zalloc(1, sizeof(*partial));
    assert(run_has_begun(run));
    partial->done = done;
    partial->owner = owner;
    partial->reap = (struct loop_task){.run = partial_reap, .owner = partial};
    loop_timer_init(&partial->timer, node_loop(process_node(run->process)), partial_write_piece, partial);
    report_start(&partial->report, run, REPORT_PARTIAL, &partial->output);
    loop_timer_set(&partial->timer, 0);
    return partial;
}

void run_build_journal(struct run *run, struct term_builder *builder)
{
    assert(run_has_begun(run));
    report_build_journal(run, builder);
}
