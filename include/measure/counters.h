/* What all runs together have done since the start of the daemon. Nothing here ever goes back: everything is
 * counted when it happens, and not when its run ends. */
#ifndef HARNESSD_MEASURE_COUNTERS_H
#define HARNESSD_MEASURE_COUNTERS_H

#include "measure/cause.h"
#include "measure/events.h"
#include "measure/histogram.h"
#include "report/outcome.h"

enum error_kind {
    ERROR_TIMEOUT,
    ERROR_NOPROC,
    ERROR_NODEDOWN,     /* the target's node has gone while it was called */
    ERROR_EXIT,         /* the call has ended in another reason */
    ERROR_MISSING_SYNC, /* the server died of the call that follows a cast */
    ERROR_RAISED,       /* a custom operation has, or has exited or thrown */
    ERROR_UNEXPECTED,   /* the reply was not what the scenario expects */
    ERROR_TOO_LARGE,    /* the reply was larger than a message may be */
    ERROR_KINDS
};

extern const char *const error_kind_names[ERROR_KINDS]; /* "timeout", ... */

#define COUNTERS_FAULTS 32 /* kinds at most */

#define COUNTERS_NAMES 64
#define COUNTERS_NAME_BYTES 128

/* Operations of one name. */
struct counters_row {
    char name[COUNTERS_NAME_BYTES]; /* UTF-8, cut off when it is longer */
    uint64_t operations;            /* that have ended */
    uint64_t errors;
};

struct counters {
    uint64_t started;
    uint64_t finished[OUTCOME_COUNT];
    uint64_t operations; /* that have ended */
    uint64_t errors[ERROR_KINDS];
    uint64_t dropped; /* arrivals that found no room */
    uint64_t
        faults[COUNTERS_FAULTS]; /* that were injected, by the position of their kind in the table of all */
    struct histogram response;   /* us, of operations that are answered: from their intended start */
    struct histogram service;    /* likewise from their actual start */

    uint64_t causes_us[CAUSE_COUNT]; /* of operations that were slow, where somebody has looked why */

    /* Of operations that have a name of their own; the last is of all further names, "other". */
    struct counters_row *named[COUNTERS_NAMES + 1];
    size_t named_count;
};

void counters_init(struct counters *counters);
void counters_free(struct counters *counters);

uint64_t counters_all_finished(const struct counters *counters);
uint64_t counters_all_errors(const struct counters *counters);

/* An operation has ended so; `reason` is that of an error. */
void counters_add_operation(struct counters *counters, enum result_kind kind, struct term reason);

/* Its service time is none when it was sent while the other side took no more. */
static inline void counters_add_latency(struct counters *counters, uint64_t response_us, uint64_t service_us,
                                        bool is_excluded)
{
    histogram_record(&counters->response, response_us);
    if (!is_excluded)
        histogram_record(&counters->service, service_us);
}

/* The row of a name: that of all others when there are too many. It is good as long as the counters are. */
struct counters_row *counters_row_of(struct counters *counters, struct term name);

void counters_add_fault(struct counters *counters, size_t kind);

#endif
