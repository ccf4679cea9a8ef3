#include <stdlib.h>

#include "base/memory.h"
#include "engine_private.h"
#include "node/script.h"
#include "term/term_read.h"

/* #{thread =>, step =>, state =>, seed =>}; the state is put in where the hook is applied. */
static void customs_build_place(const struct engine *engine, uint32_t thread, struct term_builder *builder)
{
    term_build_map(builder, 4);
    term_build_key_unsigned(builder, "thread", thread);
    term_build_key_unsigned(builder, "step", engine->threads[thread].step);
    term_build_key(builder, "state");
    term_build_atom(builder, "nil");
    term_build_key_unsigned(builder, "seed", engine->options.seed);
}

/* A target that gives several, of which there is nobody now. */
static bool customs_have_nobody(const struct engine *engine, uint32_t target)
{
    const struct scenario *scenario = engine->scenario;
    return target < scenario->target_count && !scenario->setup.data &&
           target_is_several(scenario->targets[target].kind);
}

/* There is nobody to apply it to: it fails as a call does. */
static void customs_miss(struct engine *engine, uint32_t thread)
{
    uint64_t intended_ns = engine->customs[thread].intended_ns;
    engine->customs[thread] = (struct custom){0};
    calls_out_open(engine, thread, intended_ns, engine_now(engine));
}

/* Those that run are in the order in which they have begun. */
static void customs_run(struct engine *engine, uint32_t thread)
{
    struct custom *custom = &engine->customs[thread];
    custom->is_running = true;
    custom->earlier = engine->custom_newest;
    custom->later = CUSTOMS_NONE;
    if (engine->custom_newest == CUSTOMS_NONE)
        engine->custom_oldest = thread;
    else
        engine->customs[engine->custom_newest].later = thread;
    engine->custom_newest = thread;
    engine->custom_running++;
}

static void customs_run_no_longer(struct engine *engine, uint32_t thread)
{
    struct custom *custom = &engine->customs[thread];
    *(custom->earlier == CUSTOMS_NONE ? &engine->custom_oldest : &engine->customs[custom->earlier].later) =
        custom->later;
    *(custom->later == CUSTOMS_NONE ? &engine->custom_newest : &engine->customs[custom->later].earlier) =
        custom->earlier;
    custom->is_running = false;
    engine->custom_running--;
}

/* What the thread was at is nobody's any more. */
static void customs_forget(struct engine *engine, uint32_t thread)
{
    if (engine->customs[thread].is_running)
        customs_run_no_longer(engine, thread);
    engine->customs[thread] = (struct custom){0};
}

/* A fun says by its arity whether it is to know its place; a function of a module is asked where it is. */
static void customs_start(struct engine *engine, uint32_t thread)
{
    const struct operation *operation = threads_operation(engine, thread);
    bool placed = !operation->is_alone;
    struct term_builder arguments = {0};
    engine->customs[thread].target = threads_target(engine, thread);
    if (customs_have_nobody(engine, engine->customs[thread].target)) {
        customs_miss(engine, thread);
        return;
    }
    term_build_list(&arguments, placed ? 2 : 1);
    term_build_term(&arguments, calls_out_server(engine, engine->customs[thread].target));
    if (placed)
        customs_build_place(engine, thread, &arguments);
    term_build_nil(&arguments);
    customs_run(engine, thread);
    engine->customs[thread].started_ns = engine_now(engine);
    engine->options.events->apply(engine->options.owner, thread, engine->threads[thread].step,
                                  operation->message, term_built(&arguments));
    term_build_free(&arguments);
}

static void customs_start_all(struct engine *engine)
{
    while (engine_is_loading(engine) && engine->custom_waiting &&
           engine->custom_running < engine->options.customs_most) {
        uint32_t thread = engine->custom_queue[engine->custom_first];
        engine->custom_first = (engine->custom_first + 1) % engine->scenario->thread_count;
        engine->custom_waiting--;
        customs_start(engine, thread);
    }
}

void customs_queue(struct engine *engine, uint32_t thread, uint64_t intended_ns)
{
    size_t capacity = engine->scenario->thread_count;
    engine->customs[thread].intended_ns = intended_ns;
    engine->custom_queue[(engine->custom_first + engine->custom_waiting++) % capacity] = thread;
    customs_start_all(engine);
    if (engine->customs[thread].intended_ns && !engine->customs[thread].is_running)
        engine->threads[thread].has_waited = true;
}

void customs_drop_waiting(struct engine *engine)
{
    while (engine->custom_waiting && engine_is_loading(engine)) {
        uint32_t thread = engine->custom_queue[engine->custom_first];
        engine->custom_first = (engine->custom_first + 1) % engine->scenario->thread_count;
        engine->custom_waiting--;
        engine->customs[thread].intended_ns = 0;
        engine->record.begun--; /* it has not, after all */
        threads_park(engine, thread);
    }
}

bool customs_end_all(struct engine *engine)
{
    if (!engine->customs)
        return false;
    engine->custom_waiting = 0;
    for (; engine->customs_ended < engine->scenario->thread_count && engine_is_loading(engine);
         engine->customs_ended++) {
        uint32_t thread = engine->customs_ended;
        struct custom custom = engine->customs[thread];
        /* Of one that was never applied nothing but its wait is known; `started_ns` is of the one before. */
        struct load_times times = {.intended_ns = custom.intended_ns,
                                   .sent_ns = custom.is_running ? custom.started_ns : custom.intended_ns,
                                   .is_excluded = !custom.is_running};
        if (!custom.intended_ns)
            continue;
        if (!engine_may_work(engine))
            return true;
        customs_forget(engine, thread);
        uint32_t target = custom.is_running ? custom.target : threads_target(engine, thread);
        threads_complete(engine, thread, target, times, RESULT_TIMEOUT, THREADS_NO_TERM);
    }
    return false;
}

/* {Class, Reason}: an error of the operation. Its thread goes on in a load, and fails with `failure` in
 * scripts. */
static void customs_catch(struct engine *engine, uint32_t thread, struct load_times times, const char *class,
                          const struct term_long *reason, const struct term_long *failure)
{
    uint32_t target = engine->customs[thread].target;
    struct term_builder head = {0};
    struct term_long caught = *reason;
    term_build_tuple(&head, 2);
    term_build_atom(&head, class);
    caught.head = term_built(&head);
    if (!engine->scenario->threads) {
        threads_complete(engine, thread, target, times, RESULT_CAUGHT, &caught);
    } else {
        (void)results_record(engine, thread, target, times, RESULT_CAUGHT, &caught);
        threads_fail(engine, thread, failure);
    }
    term_build_free(&head);
}

/* {raised, Class, Reason, Stack} */
static void customs_raised(struct engine *engine, uint32_t thread, struct load_times times,
                           const struct term raised[4], struct blob *held)
{
    uint32_t target = engine->customs[thread].target;
    bool is_custom = threads_operation(engine, thread)->kind == OPERATION_CUSTOM;
    struct term_builder head = {0};
    struct term_long failure = {.tail = script_open_exit_reason(raised, &head), .held = held};
    failure.head = term_of(&head.bytes);
    if (is_custom && !term_is_atom(raised[1], "error")) {
        customs_catch(engine, thread, times, term_is_atom(raised[1], "throw") ? "throw" : "exit",
                      &(struct term_long){.tail = raised[2], .held = held}, &failure);
    } else if (is_custom) { /* {Exception, Stack} */
        threads_complete(engine, thread, target, times, RESULT_RAISED, &failure);
    } else { /* a cast that is synchronised strictly */
        (void)results_record(engine, thread, target, times, RESULT_MISSING_SYNC, THREADS_NO_TERM);
        threads_fail(engine, thread, &failure);
    }
    term_build_free(&head);
}

/* {thread_setup_failed, Exception, Stack} is {{thread_setup_failed, Exception}, Stack}: the operation was not
 * applied. */
static void customs_not_set_up(struct engine *engine, uint32_t thread, struct load_times times,
                               const struct term failed[3], struct blob *held)
{
    struct term_builder head = {0};
    term_build_tuple(&head, 2);
    term_build_tuple(&head, 2);
    term_build_term(&head, failed[0]);
    const struct term_long failure = {
        .head = term_built(&head), .tail = {failed[1].data, failed[1].size + failed[2].size}, .held = held};
    threads_complete(engine, thread, engine->customs[thread].target, times, RESULT_RAISED, &failure);
    term_build_free(&head);
}

static void customs_outcome(struct engine *engine, uint32_t thread, const struct term_long *outcome,
                            struct arrived arrived)
{
    struct term parts[4];
    size_t arity = 0;
    struct load_times times = {.intended_ns = engine->customs[thread].intended_ns,
                               .sent_ns = engine->customs[thread].started_ns,
                               .ended_ns = arrived.ns};
    struct blob *held = outcome->held;
    engine->customs[thread].intended_ns = 0;
    if (!term_read_tuple(outcome->tail, 4, parts, &arity) || arity < 2)
        return;
    const struct term_long value = {.tail = parts[1], .held = held};
    if (term_is_atom(parts[0], "returned"))
        threads_complete(engine, thread, engine->customs[thread].target, times, RESULT_OK, &value);
    else if (arity == 3)
        customs_not_set_up(engine, thread, times, parts, held);
    else if (arity == 4)
        customs_raised(engine, thread, times, parts, held);
    else /* {exited, Reason}: something took its process along */
        customs_catch(engine, thread, times, "exit", &value, &value);
}

/* Its thread has been set up, and the operation begins now. Only an arrival has waited for that. */
static void customs_begin_again(struct engine *engine, uint32_t thread, uint64_t arrived_ns)
{
    struct custom *custom = &engine->customs[thread];
    custom->started_ns = arrived_ns;
    if (engine->scenario->load.model != LOAD_OPEN)
        custom->intended_ns = custom->started_ns;
    engine->threads[thread].has_waited = true;
}

/* A process may tell its outcome and be killed before it ends: only the first word of the operation that the
 * thread is at counts. */
static bool customs_is_at(const struct engine *engine, int64_t thread, int64_t step)
{
    return engine_is_loading(engine) && engine->customs && thread >= 0 &&
           (uint64_t)thread < engine->scenario->thread_count && engine->customs[thread].is_running &&
           engine->threads[thread].step == (uint64_t)step;
}

void engine_custom_too_large(struct engine *engine, int64_t thread, int64_t step, struct term reason,
                             struct arrived arrived)
{
    if (!customs_is_at(engine, thread, step))
        return;
    struct custom *custom = &engine->customs[thread];
    struct load_times times = {
        .intended_ns = custom->intended_ns, .sent_ns = custom->started_ns, .ended_ns = arrived.ns};
    latencies_count_reply(&engine->record.latencies, arrived.by_kernel);
    custom->intended_ns = 0;
    customs_run_no_longer(engine, (uint32_t)thread);
    threads_complete(engine, (uint32_t)thread, custom->target, times, RESULT_TOO_LARGE, TERM_LONG(reason));
    customs_start_all(engine);
}

void engine_custom_done(struct engine *engine, int64_t thread, int64_t step, const struct term_long *outcome,
                        struct arrived arrived)
{
    if (!customs_is_at(engine, thread, step))
        return;
    if (term_is_atom(outcome->tail, "set_up")) {
        customs_begin_again(engine, (uint32_t)thread, arrived.ns);
        return;
    }
    customs_run_no_longer(engine, (uint32_t)thread);
    latencies_count_reply(&engine->record.latencies, arrived.by_kernel);
    customs_outcome(engine, (uint32_t)thread, outcome, arrived);
    customs_start_all(engine);
}

void engine_session_down(struct engine *engine, const struct term_long *reason)
{
    if (!engine->customs || !engine_is_loading(engine))
        return;
    engine->custom_waiting = 0;
    for (uint32_t thread = 0; thread < engine->scenario->thread_count && engine_is_loading(engine);
         thread++) {
        if (engine->customs[thread].intended_ns) {
            customs_forget(engine, thread);
            threads_fail(engine, thread, reason);
        }
    }
}

void customs_miss_strictly(struct engine *engine, uint32_t thread, uint32_t target, struct load_times times)
{
    struct term_builder arguments = {0};
    engine->customs[thread] =
        (struct custom){.intended_ns = times.intended_ns, .started_ns = times.sent_ns, .target = target};
    customs_run(engine, thread);
    term_build_list(&arguments, 2);
    term_build_term(&arguments, calls_out_server(engine, target));
    term_build_term(&arguments, engine->scenario->cast_sync_message);
    term_build_nil(&arguments);
    engine->options.events->apply(engine->options.owner, thread, engine->threads[thread].step,
                                  TERM_ATOM("strict"), term_built(&arguments));
    term_build_free(&arguments);
}

void customs_init(struct engine *engine)
{
    const struct scenario *scenario = engine->scenario;
    engine->custom_oldest = engine->custom_newest = CUSTOMS_NONE;
    if (!scenario->has_custom_operations && !scenario->strict_cast_sync)
        return;
    engine->customs = memory_zalloc(scenario->thread_count, sizeof(*engine->customs));
    engine->custom_queue = memory_zalloc(scenario->thread_count, sizeof(*engine->custom_queue));
}

void customs_free(struct engine *engine)
{
    free(engine->customs);
    free(engine->custom_queue);
}
