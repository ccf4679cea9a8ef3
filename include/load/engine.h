/* The load engine: makes the load of a scenario. It starts operations when they are due, drives each virtual
 * thread from one to the next, ends those that get no answer, and records what came of all of them.
 *
 * It is a machine: its clock, its way to the targets and its waking are parameters, and what happens outside
 * is told to it. It knows nothing of the run that it is a part of, and tells it by callbacks; these may come
 * from within every function here that takes an engine that is not const, but for engine_new() and
 * engine_free(), and may call engine_stop(). */
#ifndef HARNESSD_LOAD_ENGINE_H
#define HARNESSD_LOAD_ENGINE_H

#include "base/clock.h"
#include "base/loop.h"
#include "load/load_record.h"
#include "load/target_way.h"
#include "measure/counters.h"
#include "measure/observation.h"
#include "measure/slow_operation.h"
#include "scenario/scenario.h"

struct engine;

struct engine_events {
    /* engine_work() is to be called at this time, and no longer at the one before. */
    void (*wake)(void *owner, uint64_t when_ns);

    /* All threads of scripts were started, or the load takes care of when its threads do. */
    void (*started)(void *owner);

    /* Nothing is under way any more and nothing comes. Not called for engine_stop(). */
    void (*over)(void *owner);

    /* An operation has ended, when that is wanted; a sleep is none. */
    void (*observed)(void *owner, const struct observation *seen);

    /* A custom operation is to be applied to a list of arguments, or the atom `strict` as the hook: the
     * exception of a cast without its handler is to be made of [Server, Message]. engine_custom_done() tells
     * what came of it.
     */
    void (*apply)(void *owner, uint32_t thread, uint64_t step, struct term hook, struct term arguments);

    /* Each second once the warm-up is over, for expectations that end the load. */
    void (*second)(void *owner);

    /* An operation that is answered has ended after as long as engine_watch_slow() says, or longer; for who
     * has said so. */
    void (*slow)(void *owner, const struct slow_operation *slow);
};

struct engine_options {
    const struct scenario *scenario; /* outlives the engine, as all that is pointed to here */
    uint64_t seed;
    uint64_t first_step;     /* of each thread and of the arrivals; not of scripts */
    struct term pid;         /* of the process that replies come to */
    size_t customs_most;     /* custom operations at once */
    size_t events_most;      /* that are kept */
    size_t event_bytes_most; /* of their terms */
    struct loop *loop;       /* whose passes share out the work */
    const struct clock *clock;
    const struct target_way *way; /* to the targets */
    void *way_owner;
    struct counters *counters; /* of all loads together */
    bool has_observer;         /* `observed` is wanted */
    const struct engine_events *events;
    void *owner;
};

struct engine *engine_new(const struct engine_options *options);
void engine_free(struct engine *engine);

/* The load begins: its time counts from now, and it is to be woken at once. */
void engine_begin(struct engine *engine);

/* Does what is due and says when it is to be woken next. */
void engine_work(struct engine *engine);

/* Nothing more is sent, answered, awaited or recorded. Harmless when it is over. */
void engine_stop(struct engine *engine);

/* Whether it has begun and is not over. */
bool engine_is_on(const struct engine *engine);

/* --- What happens outside --- */

/* A message {Tag, Reply} to its pid, and when it has come; the reply has no head. */
void engine_reply(struct engine *engine, int64_t tag, const struct term_long *reply, struct arrived arrived);

/* The same for a reply that was too large to be kept; `reason` is {message_too_large, Limit}. False when it
 * is not awaited. */
bool engine_reply_too_large(struct engine *engine, int64_t tag, struct term reason, struct arrived arrived);

/* Messages can be sent to a target from now on, or again; what was asked of it has no answer any more.
 * `reason` is {nodedown, Node}, or that of TARGET_DIED. */
void engine_target_open(struct engine *engine, size_t target);
void engine_target_failed(struct engine *engine, size_t target, enum target_failure failure,
                          const struct term_long *reason);

/* Operations are for these targets from now on, all below `most`; for those of the scenario until then. */
void engine_spread(struct engine *engine, const uint32_t *targets, size_t count, size_t most);

/* Whether nothing of what was begun is for this target any more. */
MUST_CHECK bool engine_is_unused(const struct engine *engine, size_t target);

/* What became of a thread's custom operation: {returned, Value}, {raised, Class, Reason, Stack}, {exited,
 * Reason}, or {thread_setup_failed, Exception, Stack}; it has no head. Before it there may be `set_up`: it
 * begins only now.
 */
void engine_custom_done(struct engine *engine, int64_t thread, int64_t step, const struct term_long *outcome,
                        struct arrived arrived);

/* The same for an outcome that was too large to be kept. */
void engine_custom_too_large(struct engine *engine, int64_t thread, int64_t step, struct term reason,
                             struct arrived arrived);

/* Who applies custom operations is gone, and all that were under way with it. */
void engine_session_down(struct engine *engine, const struct term_long *reason);

/* A gauge of the timeline, while the load goes on; something else that has happened, at any time. */
void engine_gauge(struct engine *engine, enum timeline_gauge gauge, int64_t value);
void engine_mark(struct engine *engine, uint64_t now_ns, struct term mark);

/* Causes of slow operations are looked for from now on, the load having begun; `stacks` outlives it. An
 * operation that has ended then had this one. */
void engine_look_for_causes(struct engine *engine, const struct stacks *stacks);
void engine_explain(struct engine *engine, uint64_t ended_ns, const struct cause_share *share);

/* Keeps response times for engine_take_recent() from now on, or no longer. */
void engine_observe(struct engine *engine, bool observed);
void engine_take_recent(struct engine *engine, struct load_recent *recent);

/* --- What takes long --- */

/* Has `slow` told of operations whose service time is at least this; of none: UINT64_MAX, as at first. */
void engine_watch_slow(struct engine *engine, uint64_t least_us);

/* Those under way that have begun before a time, the oldest first, customs behind the others; how many, at
 * most `most` of each. */
size_t engine_late(const struct engine *engine, uint64_t before_ns, struct slow_operation *late, size_t most);

/* Of which kind an operation is; 0 as long as none of its kind has ended. */
size_t engine_kind(const struct engine *engine, uint32_t operation);
struct usual_time engine_usual(const struct engine *engine, size_t kind);

/* The last call that a target has answered since somebody watches; all zero: it has none. */
struct served engine_served(const struct engine *engine, uint32_t target);

/* --- What it has come to --- */

const struct load_record *engine_record(const struct engine *engine);
struct load_thread engine_thread(const struct engine *engine, size_t thread);

/* Whether operations were made for a target that never was there. engine_take_missed(): the first time that
 * it is asked. */
bool engine_has_missed(const struct engine *engine, size_t target);
bool engine_take_missed(struct engine *engine, size_t target);

/* Whether a target that was there was not when operations were made for it last. */
bool engine_has_lost(const struct engine *engine, size_t target);

/* Whether it ever was there. */
bool engine_has_met(const struct engine *engine, size_t target);

/* Appends the timeline until then, see timeline_build(); an empty one before the load has begun. */
void engine_build_timeline(struct engine *engine, uint64_t now_ns, struct term_builder *builder);

/* The kept events, for a copy (measure/events_copy.h) that is freed before the engine is. */
struct events *engine_events(struct engine *engine);

/* Operations that are under way; arrivals that wait for a thread; threads that are at an operation, or think
 * before the next. */
uint64_t engine_in_flight(const struct engine *engine);
uint64_t engine_queued(const struct engine *engine);

/* Of those under way, the ones that a target has or is to have, and custom operations. */
uint64_t engine_in_flight_to(const struct engine *engine, size_t target);
uint64_t engine_in_flight_customs(const struct engine *engine);
uint64_t engine_threads_active(const struct engine *engine);

/* The message of an operation at this step of a thread, as it was sent then: the same choices are drawn
 * again. Appended to `output`, or the scenario's own when it has no placeholders. */
struct term engine_message_at(const struct engine *engine, uint32_t operation, uint32_t thread, uint64_t step,
                              struct buffer *output);

#endif
