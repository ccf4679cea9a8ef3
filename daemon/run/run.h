/* A run from inside: what runner.c drives and report.c writes down. */
#ifndef HARNESSD_RUN_RUN_H
#define HARNESSD_RUN_RUN_H

#include "run/runner.h"

/* A virtual thread: where it is in its script. */
struct thread {
    uint32_t step;
    uint32_t errors;
};

/* Where the writing of a report is. */
struct report {
    size_t *order; /* events by thread, see events_by_thread() */
    size_t *starts;
    size_t thread;
    size_t event; /* in `order` */
    enum { REPORT_EVENTS, REPORT_THREADS, REPORT_REST, REPORT_WRITTEN } part;
};

struct run {
    struct runner *runner;
    struct run *next;
    uint64_t id;
    enum run_state state;
    enum run_outcome outcome;
    struct run_request request;
    const struct scenario *scenario;
    struct process *process;
    struct monitor caller;
    struct term_builder kept_terms; /* copies of the request's pids */
    struct target *targets;
    struct calls calls;
    struct thread *threads;
    size_t threads_started;
    size_t threads_left;
    struct events events;
    struct errors errors;
    struct random random;
    uint64_t seed;
    uint64_t operations; /* that have ended */
    uint64_t operation_errors;
    uint64_t created_ns;
    uint64_t started_ns; /* the threads */
    uint64_t ended_ns;
    struct loop_timer timer;
    uint64_t timer_ns; /* when it fires */
    struct buffer
        call; /* a call's message, {'$gen_call', {Pid, Tag}, Message}: all before Message, then scratch */
    size_t call_prefix;       /* bytes of `call` before Message; the last four are the tag */
    struct term_builder cast; /* scratch for {'$gen_cast', Message} */
    struct report report;
    struct term_builder result;
    struct loop_task reap;
};

/* Begins to write the result of a run whose outcome is decided. */
void report_start(struct run *run);

/* Writes the next piece; false when all is written. */
MUST_CHECK bool report_continue(struct run *run);

void report_free(struct report *report);

#endif
