/* What came of operations: into the figures, the timeline, the events and the errors of the load. */
#ifndef HARNESSD_LOAD_RESULTS_PRIVATE_H
#define HARNESSD_LOAD_RESULTS_PRIVATE_H

#include "measure/result.h"
#include "term/term_long.h"

struct engine;

/* When an operation was to start, when it was sent, and when it has ended: when the kernel has seen its
 * reply, where there is one. */
struct load_times {
    uint64_t intended_ns;
    uint64_t sent_ns;
    uint64_t ended_ns; /* LOAD_ENDS_NOW: by the engine's clock */
    bool is_excluded;  /* from service times: it was sent while the other side took no more */
    bool is_exact;     /* from the write to its arrival: that this daemon was late is in no part of it */
};
#define LOAD_ENDS_NOW 0

/* When an operation has ended: by the times that are recorded, and when that is. */
struct results_end {
    uint64_t ended_ns;
    uint64_t now;
};

/* An operation of the thread has this result, with the result's term. */
struct results_end results_record(struct engine *engine, uint32_t thread, uint32_t target,
                                  struct load_times times, enum result_kind kind,
                                  const struct term_long *term);

/* A sleep that was a step is over: it has an event, and counts for nothing. */
void results_record_sleep(struct engine *engine, uint32_t thread, uint32_t target, uint64_t start_ns,
                          uint64_t now);

#endif
