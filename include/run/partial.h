/* The report of a run that goes on, as of the moment when it is asked for. It is written piece by piece while
 * the run, and all others, go on. */
#ifndef HARNESSD_RUN_PARTIAL_H
#define HARNESSD_RUN_PARTIAL_H

#include "base/blob.h"
#include "run/runner.h"

/* Whether there is anything to report: what the scenario is made of is known. */
bool run_has_begun(const struct run *run);

/* Begins to write the report of a run that has begun. `done` is called with it once, a term, never from
 * within this; the blob is borrowed for the call: hold it to keep it. */
struct run_partial;
struct run_partial *run_partial_start(struct run *run, void (*done)(void *owner, struct blob *report),
                                      void *owner);

/* The same without events and threads, which are empty lists: for a journal. */
struct run_partial *run_journal_start(struct run *run, void (*done)(void *owner, struct blob *report),
                                      void *owner);

/* `done` is not called any more: to be called when the run is over before it was. */
void run_partial_cancel(struct run_partial *partial);

/* Appends a journal in one go, for the end of the program. */
void run_build_journal(struct run *run, struct term_builder *builder);

#endif
