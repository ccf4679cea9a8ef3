/* What happened in a run, operation by operation, as far as its policy keeps it. An event takes 40 bytes and
 * the terms of its result, each distinct one kept once. */
#ifndef HARNESSD_MEASURE_EVENTS_H
#define HARNESSD_MEASURE_EVENTS_H

#include "base/list.h"
#include "base/loop.h"
#include "base/random.h"
#include "measure/result.h"
#include "measure/terms.h"

struct event {
    uint64_t step;
    uint64_t end_us; /* since the threads started */
    uint32_t thread;
    uint32_t operation; /* its number in the scenario */
    uint32_t target;    /* likewise */
    uint32_t duration_us;
    uint32_t
        bytes; /* of all terms that a report repeats for it: the operation's, and with them the result's */
    uint32_t term : 28; /* of the result */
    uint32_t kind : 4;  /* enum result_kind */
};
_Static_assert(RESULT_KINDS <= 16, "a kind has no room in an event");

enum events_policy { EVENTS_ALL, EVENTS_ERRORS, EVENTS_NONE, EVENTS_LAST, EVENTS_SAMPLE };

struct events {
    enum events_policy policy;
    size_t limit;        /* events kept: `n` of the policy, or the configured limit */
    size_t byte_limit;   /* of all their terms, each counted as often as it occurs: a report repeats them */
    struct event *items; /* a ring of `capacity` */
    size_t first;
    size_t count;
    size_t capacity;
    size_t bytes;
    size_t wanted;      /* `n` of the policy, SIZE_MAX without one */
    uint64_t gone;      /* from the front */
    struct list copies; /* that are being made (events_copy.h) */
    uint64_t seen;      /* events that the policy looked at */
    uint64_t dropped;   /* events that it would have kept, and the limit did not */
    struct terms terms;
    struct random *random; /* for samples */
};

/* `limit` and `byte_limit` are the configured ones; a policy with a number of its own keeps at most the
 * smaller. When the terms take more than `byte_limit`, the oldest events go. */
void events_init(struct events *events, enum events_policy policy, size_t number, size_t limit,
                 size_t byte_limit, struct random *random);
void events_free(struct events *events);

/* The same; many are freed by a thread of the loop (base/worker.h, worker_aside()), as that takes long. */
void events_dispose(struct events *events, struct loop *loop);

/* Takes an event; `term` is that of its result, of no size for kinds that have none. Its `bytes` are those of
 * the terms beside that one. */
void events_record(struct events *events, struct event event, const struct term_long *term);

const struct event *events_at(const struct events *events, size_t index);

#endif
