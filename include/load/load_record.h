/* What a load has come to, so far or in the end. The engine alone writes it. */
#ifndef HARNESSD_LOAD_LOAD_RECORD_H
#define HARNESSD_LOAD_LOAD_RECORD_H

#include "base/loop.h"
#include "load/latencies.h"
#include "measure/error_samples.h"
#include "measure/errors.h"
#include "measure/events.h"
#include "measure/timeline.h"

struct load_record {
    struct events events;
    struct errors errors;
    struct error_samples samples;
    struct latencies latencies;
    struct timeline timeline; /* its `start_ns` is 0 before the load has begun */
    uint64_t begun;           /* operations; sleeps are none, here and below */
    uint64_t operations; /* of them, that have ended: the others are under way, or never came to an end */
    uint64_t operation_errors;
    uint64_t arrivals_begun; /* of an open load, sleeps among them */
    uint64_t begun_late;     /* of them, those that were not in the time of the load */
    uint64_t dropped;        /* arrivals that found no room, or waited for it when the load was over */
    uint64_t cut_off;        /* of them, those that still could have had room when it was cut short */
    struct loop_lag lag;     /* of the loop, from the load's beginning to its end */
    uint64_t started_ns;     /* the first thread; when the engine was made, before */
    uint64_t ended_ns;       /* the load; as `started_ns` before */
    struct term_kept thread_failure; /* of the first thread of those that have failed; none when none has */
};

/* Operations that have begun and not ended. */
static inline uint64_t load_unfinished(const struct load_record *record)
{
    return record->begun - record->operations;
}

/* What a virtual thread has come to. */
struct load_thread {
    uint64_t operations; /* that have ended; sleeps are none */
    uint32_t errors;     /* of them; stays at the most that it can hold */
};

/* Response times since this was last asked for. */
struct load_recent {
    uint64_t count;
    uint64_t p50_us; /* 0 without any, as the others */
    uint64_t p99_us;
    uint64_t max_us;
};

#endif
