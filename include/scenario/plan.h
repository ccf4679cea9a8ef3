/* Generated load: when virtual threads are to run (closed model) or operations are to start (open model). All
 * of it is a function of the time since the load began, whatever the servers do meanwhile. */
#ifndef HARNESSD_SCENARIO_PLAN_H
#define HARNESSD_SCENARIO_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/random.h"

enum load_model {
    LOAD_SCRIPTS, /* none is generated: each thread has a script of its own */
    LOAD_CLOSED,  /* a number of threads, each of which starts an operation when its last one has ended */
    LOAD_OPEN,    /* operations arrive at a rate, whether others have ended or not */
};

enum load_arrival { ARRIVAL_CONSTANT, ARRIVAL_POISSON };

struct plan_stage {
    uint64_t duration_ms;
    double level; /* threads, or operations a second: at its end when linear, all the time otherwise */
};

struct load_plan {
    enum load_model model;
    struct plan_stage *stages; /* a load that was given without stages is one step; none with iterations */
    size_t stage_count;
    bool is_staged; /* stages were given */
    bool is_linear; /* each stage goes from the level of the one before it, the first from 0, to its own */
    uint64_t threads;
    uint64_t iterations; /* of each thread; 0: until the load is over */
    uint64_t think_low_ms;
    uint64_t think_high_ms;
    enum load_arrival arrival;
    uint64_t max_in_flight;
    uint64_t max_queued;
};

/* Nanoseconds that it lasts; 0 when only its iterations end it. */
uint64_t plan_duration_ns(const struct load_plan *load);

/* The most threads that it has at once. */
uint64_t plan_most_threads(const struct load_plan *load);

/* How many threads run at this time since the start, and when that changes next: UINT64_MAX when it does not
 * before the end. A ramp from 0 to n has its first thread at once, and one from n to 0 its last to the end.
 */
uint64_t plan_threads_at(const struct load_plan *load, uint64_t at_ns);
uint64_t plan_next_change_ns(const struct load_plan *load, uint64_t at_ns);

/* The arrivals of an open load, one after the other. The expected number of arrivals is integrated over the
 * stages; constant arrivals are where it is 0, 1, 2 and so on, those of a Poisson process (inhomogeneous
 * where the rate changes) where it has grown by exponentially distributed steps of mean 1. */
struct arrivals {
    const struct load_plan *load;
    struct random random;
    size_t stage;
    uint64_t stage_start_ns;
    double from_level; /* of the stage at its start */
    double position;   /* expected arrivals from the start of the stage to the next one */
};

void arrivals_init(struct arrivals *arrivals, const struct load_plan *load, uint64_t seed);

/* The time of the next arrival since the start. False when there are no more. */
MUST_CHECK bool arrivals_next(struct arrivals *arrivals, uint64_t *at_ns);

#endif
