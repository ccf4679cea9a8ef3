/* What the files of the load engine know of one another. engine.c is about the load as a whole and its time,
 * threads.c about what each virtual thread does next, results.c about what came of operations, calls_out.c
 * about calls and the targets that they go to, failure.c about why they fail, customs.c about custom
 * operations, slow.c about those that take long, named.c about the names of operations. */
#ifndef HARNESSD_LOAD_ENGINE_PRIVATE_H
#define HARNESSD_LOAD_ENGINE_PRIVATE_H

#include "backlog_private.h"
#include "calls_private.h"
#include "customs_private.h"
#include "failure_private.h"
#include "load/engine.h"
#include "results_private.h"
#include "sleepers_private.h"

enum engine_state {
    ENGINE_NEW,
    ENGINE_STARTING, /* threads are started, some thousands a pass */
    ENGINE_LOADING,  /* threads work, those of a load as many as it says */
    ENGINE_OVER,     /* nothing is sent, awaited or recorded any more */
};

enum thread_state {
    THREAD_NEW,    /* has not started */
    THREAD_ACTIVE, /* is at an operation, or thinks before the next one */
    THREAD_PARKED, /* not needed now: it may start again */
    THREAD_ENDED,  /* has done all that it was to do, or has failed */
};

/* A virtual thread. Threads of the open model do one arrival after the other, whichever come. */
struct thread {
    uint64_t step;           /* of its operation; in the open model the number of the arrival */
    uint64_t operations;     /* that have ended; sleeps are none */
    uint32_t errors;         /* stays at the most that it can hold */
    uint32_t operation : 29; /* the number in the scenario of the one that it is at */
    uint32_t has_waited : 1; /* this one was late as others have kept it: for room, for its target */
    uint32_t state : 2;
};

#define THREAD_NONE UINT32_MAX

/* What calls wait for at a target. */
struct target_queue {
    bool is_dirty;        /* it is among those that the next pump is for */
    bool was_there;       /* it has answered, has kept a call that it could have refused, or has died */
    bool has_failed;      /* an operation that was made for it */
    bool is_gone;         /* nobody was there, or its node was not, when it was looked for last */
    bool is_told;         /* that it never was there */
    uint64_t open_ns;     /* when messages could be sent to it again last */
    struct served served; /* while slow operations are told of: the last that it has answered */
    uint64_t retry_ns;    /* when it may be reached again after it has failed; 0: at any time */

    /* Its calls, as long as they are being ended after it has failed. */
    uint32_t failing[2]; /* sent, waiting */
    struct failure failure;
};

struct engine {
    struct engine_options options;
    const struct scenario *scenario;
    enum engine_state state;
    struct load_record record;
    struct random random;     /* for the sample of events */
    struct histogram *recent; /* response times since somebody has last looked; NULL: nobody does */
    uint64_t slow_us;         /* operations that take as long are told of */
    uint64_t wake_ns;         /* when it is to be woken */
    uint64_t load_end_ns;     /* nothing starts from then on; UINT64_MAX: when all threads have ended */
    uint64_t loaded_ns;       /* the time of the threads counts from here */
    bool is_load_over;        /* nothing starts any more but what waits in the backlog */
    uint64_t tick_ns;         /* when the gauges are read next */
    uint64_t second_ns;       /* when `second` is told next */
    struct loop_turn sending; /* what it does in one pass of the loop */
    struct loop_turn working;

    /* threads.c */
    struct thread *threads;
    size_t level; /* threads that are to run are those below it */
    size_t threads_active;
    size_t threads_ended;
    uint64_t step_limit; /* of each thread; UINT64_MAX when only time ends it */
    struct sleepers sleepers;
    struct arrivals arrivals;
    uint64_t arrival_ns; /* the next one; UINT64_MAX when there is none */
    struct backlog backlog;
    uint32_t *idle; /* threads that have had an arrival and wait for another one */
    size_t idle_count;
    uint32_t idle_new;      /* this one and those behind it never had one */
    struct buffer message;  /* scratch for messages with placeholders */
    uint32_t failed_thread; /* the first of those that failed, or THREAD_NONE */

    /* calls_out.c */
    struct calls calls;
    struct target_queue *queues; /* of each target */
    size_t target_count;         /* numbers of targets are below */
    uint32_t *spread;            /* those that operations are for; NULL: the scenario's own */
    size_t spread_count;
    struct loop_task pump; /* sends what this pass has added */
    uint32_t *dirty;       /* targets that it was added to, a ring */
    size_t dirty_first;
    size_t dirty_count;
    uint64_t retry_due_ns;    /* the first of the targets that are waited for; UINT64_MAX: none is */
    struct buffer call;       /* {'$gen_call', {Pid, Tag}, Message}: all before Message, then scratch */
    size_t call_prefix;       /* bytes of `call` before Message; the last four are the tag */
    struct term_builder cast; /* scratch for {'$gen_cast', Message} */

    /* customs.c */
    struct custom *customs; /* of each thread; NULL when the scenario has none */
    uint32_t *custom_queue; /* threads whose custom operation waits for room, a ring */
    size_t custom_first;
    size_t custom_waiting;
    size_t custom_running;
    uint32_t custom_oldest; /* of those that run, and the one that has begun last */
    uint32_t custom_newest;
    uint32_t customs_ended; /* threads whose customs have been ended for want of time */

    /* named.c */
    struct counters_row **named; /* of each operation, NULL as long as it has none; NULL: none has a name */
};

/* --- engine.c --- */

/* How much of each kind is done in one pass of the loop: with many loads, each has its turn in every pass. */
#define ENGINE_TURN 1024
#define ENGINE_TURN_BYTES 1024 /* of a message that is copied to be sent */

static inline uint64_t engine_now(const struct engine *engine)
{
    return clock_read(engine->options.clock);
}

static inline bool engine_is_loading(const struct engine *engine)
{
    return engine->state == ENGINE_STARTING || engine->state == ENGINE_LOADING;
}

/* Whether it is still its turn to end, fail or wake operations. */
static inline bool engine_may_work(struct engine *engine)
{
    return loop_use_turn(engine->options.loop, &engine->working, ENGINE_TURN);
}

/* It is woken no later than this. Deadlines only move away while calls come and go, so that this is said anew
 * only when it is woken, or for what ends before all that was said. */
void engine_need_wake(struct engine *engine, uint64_t when_ns, uint64_t now_ns);

/* Arrivals that find no room, or none any more. */
void engine_drop(struct engine *engine, uint64_t now, uint64_t count);

/* Tells that the load is over. */
void engine_end(struct engine *engine);

/* --- threads.c --- */

void threads_init(struct engine *engine);
void threads_begin(struct engine *engine);
void threads_free(struct engine *engine);

/* Starts the threads and arrivals that are due, as many as it is its turn for. True when there are more. */
MUST_CHECK bool threads_start_due(struct engine *engine, uint64_t now);

/* When the next ones are; UINT64_MAX when there are none. */
uint64_t threads_next_due_ns(const struct engine *engine, uint64_t now);

/* Ends whatever does not start or wait for its turn any more, as the load is over. */
void threads_end_starts(struct engine *engine);

/* Ends the load when no thread does anything any more. */
void threads_check_end(struct engine *engine);

/* There is no time any more: the first thread that has not ended has failed, and the load is over. */
void threads_fail_unfinished(struct engine *engine);

const struct operation *threads_operation(const struct engine *engine, uint32_t thread);
uint32_t threads_target(struct engine *engine, uint32_t thread);

/* The message of the operation that the thread is at; good until the next one is asked for. */
struct term threads_message(struct engine *engine, uint32_t thread);

/* The term of a result that has none. */
#define THREADS_NO_TERM TERM_LONG((struct term){0})

/* The thread's operation has its result, with the result's term: it is recorded, and the thread goes on. */
void threads_complete(struct engine *engine, uint32_t thread, uint32_t target, struct load_times times,
                      enum result_kind kind, const struct term_long *term);

/* A thread fails, and does no more; of several that do the first in the scenario's order counts. */
void threads_fail(struct engine *engine, uint32_t thread, const struct term_long *reason);

/* True when there are more, and the turn is over; as the next ones. */
MUST_CHECK bool threads_wake_sleepers(struct engine *engine, uint64_t now);

/* Ends all sleeps that are steps, for want of time. */
MUST_CHECK bool threads_end_all_sleeps(struct engine *engine);

/* The thread has nothing to do now. */
void threads_park(struct engine *engine, uint32_t thread);

/* --- calls_out.c --- */

void calls_out_init(struct engine *engine);
void calls_out_free(struct engine *engine);
void calls_out_open(struct engine *engine, uint32_t thread, uint64_t intended_ns, uint64_t now);

/* True when there are more, and the turn is over. */
MUST_CHECK bool calls_out_end_due(struct engine *engine, uint64_t now);

/* Ends all of them, for want of time; likewise. */
MUST_CHECK bool calls_out_end_all(struct engine *engine);

/* Sends what waits for targets that had to wait until now. */
void calls_out_retry(struct engine *engine, uint64_t now);

/* Of the call that is due first, or UINT64_MAX. */
uint64_t calls_out_next_deadline_ns(const struct engine *engine);
struct term calls_out_server(const struct engine *engine, uint32_t target);

/* --- slow.c --- */

/* The operation that a thread is at has ended. */
void slow_tell(struct engine *engine, uint32_t thread, uint32_t target, const struct load_times *times,
               uint64_t ended_ns, enum result_kind kind);

/* --- named.c --- */

void named_init(struct engine *engine);
void named_free(struct engine *engine);

/* An operation has ended, while some have names. */
void named_count(struct engine *engine, uint32_t operation, enum result_kind kind);

#endif
