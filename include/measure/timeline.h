/* What happened when, in a table of bounded size: intervals of TIMELINE_FIRST_NS each from the start on, gaps
 * included. When the time does not fit the table any more, neighbours are merged in pairs and intervals are
 * twice as long from then on, so that a table of a run of any length has TIMELINE_INTERVALS / 2 to
 * TIMELINE_INTERVALS of them, but for the first seconds. Merging loses no operation: counts are added,
 * histograms too, gauges keep what they stand for.
 *
 * Times are those of clock_ns() and never go back from call to call; equal ones are fine, and those before
 * the start count as the start. Memory grows to at most 3.5 MB: 27 KB for each interval with response times,
 * 0.5 KB for each with errors, 1 KB for each with causes, and the marks. */
#ifndef HARNESSD_MEASURE_TIMELINE_H
#define HARNESSD_MEASURE_TIMELINE_H

#include "base/clock.h"
#include "measure/cause.h"
#include "measure/errors.h"
#include "measure/histogram.h"
#include "term/term_build.h"

#define TIMELINE_INTERVALS 128
#define TIMELINE_FIRST_NS (100 * CLOCK_NS_PER_MS)
#define TIMELINE_MARKS 256
#define TIMELINE_MARK_BYTES 32768 /* a hundred pids of a node with the longest name */

/* In the place of the number of a reason, and of a response time. */
#define TIMELINE_NO_ERROR SIZE_MAX
#define TIMELINE_NO_LATENCY UINT64_MAX

/* What is not counted but looked at, in the unit of its name. Each has its row in the table of timeline.c. */
enum timeline_gauge {
    TIMELINE_IN_FLIGHT,    /* operations of the run: the most */
    TIMELINE_MAILBOX,      /* messages in the target's mailbox: the most */
    TIMELINE_MEMORY_BYTES, /* of the target's node: the last seen */
    TIMELINE_RUN_QUEUE,    /* likewise: the most */
    TIMELINE_LOOP_LAG_US,  /* of the daemon's loop: the most */
    TIMELINE_GAUGES,
};

/* What a cause has taken of the operations of an interval, all together, and what is told of the one that it
 * has taken most of. */
struct timeline_cause {
    uint64_t us;
    uint64_t most_us;
    struct cause_detail detail;
};

struct timeline_interval {
    uint64_t operations;
    uint64_t dropped;
    uint64_t *errors;          /* by the number of their reason, with ERRORS_OTHER; NULL before the first */
    struct histogram response; /* two digits */
    struct timeline_cause *causes;   /* CAUSE_COUNT of them; NULL before the first */
    int64_t gauges[TIMELINE_GAUGES]; /* -1 while nobody has looked */
};

struct timeline {
    uint64_t start_ns;
    uint64_t interval_ns;
    uint64_t end_ns;                     /* of the current interval */
    struct timeline_interval *intervals; /* TIMELINE_INTERVALS of them; those not in use are empty */
    size_t count;                        /* in use; the last is the current one */
    struct timeline_mark *marks;         /* in the order of time */
    size_t mark_count;
    uint64_t marks_dropped;      /* that found no room, or were too large */
    const struct stacks *stacks; /* of causes; NULL: nobody looks for them */
};

void timeline_init(struct timeline *timeline, uint64_t start_ns);

/* Also for one that is all zero. */
void timeline_free(struct timeline *timeline);

/* An operation has ended: after `response_us` or TIMELINE_NO_LATENCY, with the error of this number (what
 * errors_count() has answered) or TIMELINE_NO_ERROR, while `in_flight` operations were under way. Takes
 * constant time but for the merges, of which there is one each time that the run has become twice as long. */
void timeline_record(struct timeline *timeline, uint64_t now_ns, uint64_t response_us, size_t reason,
                     uint64_t in_flight);

/* So many arrivals were dropped. */
void timeline_drop(struct timeline *timeline, uint64_t now_ns, uint64_t count);

/* A gauge stood at this value. Other nodes tell some of them: a negative one is nobody's and is ignored. */
void timeline_observe(struct timeline *timeline, uint64_t now_ns, enum timeline_gauge gauge, int64_t value);

/* Causes are looked for from now on; `stacks`, which outlives the timeline, has those that details name. */
void timeline_look_for_causes(struct timeline *timeline, const struct stacks *stacks);

/* An operation that has ended then, or earlier than others that were recorded, had this cause. */
void timeline_explain(struct timeline *timeline, uint64_t at_ns, const struct cause_share *share);

/* Its key in the report. */
const char *timeline_gauge_text(enum timeline_gauge gauge);

/* Something else has happened, such as an injected fault. The term is copied; the first TIMELINE_MARKS ones
 * of at most TIMELINE_MARK_BYTES are kept, the rest are counted in `marks_dropped`. */
void timeline_mark(struct timeline *timeline, uint64_t now_ns, struct term term);

/* Appends a list of one map for each interval until `now_ns`, in order. Keys are atoms:
 *
 *     at_ms          when it began, since the start
 *     interval_ms    how long it is, at least 1; the last one ends now
 *     operations, dropped
 *     errors         map from reason to count; the reasons are those of `errors`
 *     p50_us, p99_us, max_us    of the response times, nil without any; quantiles are within 0.4%
 *     in_flight, mailbox, memory_bytes, run_queue, loop_lag_us    the gauges; nil when not known
 *     causes         list of %{cause:, us:, detail:}, what has taken most first; nil: nobody has looked
 *     marks          list of the terms in the order of their times
 */
void timeline_build(struct timeline *timeline, const struct errors *errors, uint64_t now_ns,
                    struct term_builder *builder);

#endif
