/* What the files of a run's load know of one another. run_load.c is about the load as a whole and its time,
 * run_load_threads.c about what each virtual thread does next, run_load_calls.c about calls and the targets
 * that they go to, run_load_custom.c about custom operations. */
#ifndef HARNESSD_LOAD_ENGINE_PRIVATE_H
#define HARNESSD_LOAD_ENGINE_PRIVATE_H

#include "run_private.h"

static inline bool load_is_on(const struct run *run)
{
    return run->state == RUN_STARTING || run->state == RUN_LOAD;
}

/* How much a run does of each kind in one pass of the loop: with many runs, each has its turn in every pass.
 */
#define LOAD_TURN 1024

/* Whether it is still its turn to end, fail or wake operations. */
static inline bool load_may_work(struct run *run)
{
    return loop_use_turn(node_loop(process_node(run->process)), &run->working, LOAD_TURN);
}

/* The timer fires no later than this. Deadlines only move away while calls come and go, so that it is set
 * anew only when it fires, or for what ends before all that it was set for. */
void load_need_timer(struct run *run, uint64_t when_ns, uint64_t now_ns);

/* --- run_load_threads.c --- */

/* When an operation was to start and did. */
struct load_start {
    uint64_t intended_ns;
    uint64_t actual_ns;
};

/* Starts the threads and arrivals that are due, as many as it is its turn for. True when there are more. */
MUST_CHECK bool load_start_due(struct run *run, uint64_t now);

/* When the next ones are; UINT64_MAX when there are none. */
uint64_t load_next_due_ns(const struct run *run, uint64_t now);

/* Ends whatever does not start or wait for its turn any more, as the load is over. */
void load_end_starts(struct run *run);

/* Goes on to RUN_CHAOS_WAIT when no thread does anything any more. */
void load_check_end(struct run *run);

const struct operation *load_operation(const struct run *run, uint32_t thread);
uint32_t load_target(struct run *run, uint32_t thread);

/* The message of the operation that the thread is at; good until the next one is asked for. */
struct term load_message(struct run *run, uint32_t thread);

/* The thread's operation has its result, with the result's term: it is recorded, and the thread goes on. */
void load_complete(struct run *run, uint32_t thread, uint32_t target, struct load_start start,
                   enum result_kind kind, struct term term);

/* A thread fails, and does no more; of several that do the first in the scenario's order counts. */
void load_fail_thread(struct run *run, uint32_t thread, struct term reason);

/* True when there are more, and the turn is over; as the next ones. */
MUST_CHECK bool load_wake_sleepers(struct run *run, uint64_t now);

/* Ends all sleeps that are operations, for want of time. */
MUST_CHECK bool load_end_all_sleeps(struct run *run);

/* The thread has nothing to do now. */
void load_park_thread(struct run *run, uint32_t thread);

/* --- run_load_calls.c --- */

void load_init_calls(struct run *run);
void load_open_call(struct run *run, uint32_t thread, uint64_t intended_ns, uint64_t now);

/* True when there are more, and the turn is over. */
MUST_CHECK bool load_end_due_calls(struct run *run, uint64_t now);

/* Ends all of them, for want of time; likewise. */
MUST_CHECK bool load_end_all_calls(struct run *run);

/* Sends what waits for targets that had to wait until now. */
void load_retry(struct run *run, uint64_t now);

/* Of the call that is due first, or UINT64_MAX. */
uint64_t load_next_deadline_ns(const struct run *run);
struct term load_target_server(const struct run *run, uint32_t target);

/* --- run_load_custom.c --- */

void load_init_custom(struct run *run);
void load_free_custom(struct run *run);
void load_queue_custom(struct run *run, uint32_t thread, uint64_t intended_ns);

/* Those that have not started never do. */
void load_drop_waiting_customs(struct run *run);

/* Ends all of them, for want of time. True when there are more, and the turn is over. */
MUST_CHECK bool load_end_all_customs(struct run *run);

/* The exception of a cast without its handler, made by the session, fails the thread. */
void load_miss_strictly(struct run *run, uint32_t thread, uint32_t target, struct load_start start);

#endif
