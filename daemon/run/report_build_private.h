/* The writing of a report, as a result, as the context of an invariant, or of a run that goes on. */
#ifndef HARNESSD_RUN_REPORT_BUILD_PRIVATE_H
#define HARNESSD_RUN_REPORT_BUILD_PRIVATE_H

#include "load/load_record.h"
#include "measure/events_copy.h"
#include "measure/events_order.h"
#include "term/term_gaps.h"

struct run;

enum report_purpose {
    REPORT_RESULT,  /* the result of the run, with its report */
    REPORT_CONTEXT, /* what the invariant is given beside what the setup gave */
    REPORT_PARTIAL, /* a report of a run that goes on, as of the moment when it is begun */
    REPORT_JOURNAL, /* the same, of which the lists of events and threads are empty */
};

/* The writing of a report, piece by piece. */
struct report {
    struct run *run;
    struct term_builder *output; /* NULL before it is begun */
    size_t start;                /* where it begins in `output` */
    enum report_purpose purpose;
    const struct events *events;
    size_t thread_count;
    struct events_copy copied_events;   /* of a run that goes on */
    struct load_thread *copied_threads; /* likewise */
    struct events_order by_thread;      /* of scripts */
    size_t thread;
    size_t event;          /* in the order of the report */
    struct buffer message; /* scratch */
    struct term_gaps gaps; /* of long terms that last as long as the run does */
    size_t full;           /* when so much was copied the piece is over */
    enum {
        REPORT_COPY,
        REPORT_ORDER,
        REPORT_EVENTS,
        REPORT_THREADS,
        REPORT_GAPS,
        REPORT_RELEASE, /* the copy */
        REPORT_WRITTEN
    } part;
};

/* Begins to write to the end of `output`; `report` is all zero or was begun before. Copies of what goes on
 * changing are part of it, and are to be freed before the run ends. */
void report_start(struct report *report, struct run *run, enum report_purpose purpose,
                  struct term_builder *output);

/* Writes the next piece; false when all is written. */
MUST_CHECK bool report_continue(struct report *report);

void report_free(struct report *report);

/* The pairs of a report, or of what the invariant is given of it. `events` and `threads` count as well, but
 * are not built. What is long and lasts as long as the run does is left to `gaps`, unless that is NULL. */
size_t report_parts_count(bool for_invariant);
void report_parts_build(struct run *run, bool for_invariant, struct term_gaps *gaps,
                        struct term_builder *builder);

/* Parts that hooks and telemetry get as well. `error`, when it has data, becomes a key of the metadata. */
void report_build_metadata(const struct run *run, struct term error, struct term_builder *builder);
void report_build_mailbox_of(const struct mailbox *mailbox, struct term_builder *builder);

#endif
