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

/* A fun says by its arity whether it is to know its place; a function of a module is asked where it is. */
static void customs_start(struct engine *engine, uint32_t thread)
{
    const struct operation *operation = threads_operation(engine, thread);
    bool placed = !operation->is_alone;
    struct term_builder arguments = {0};
    engine->customs[thread].target = threads_target(engine, thread);
    term_build_list(&arguments, placed ? 2 : 1);
    term_build_term(&arguments, calls_out_server(engine, engine->customs[thread].target));
    if (placed)
        customs_build_place(engine, thread, &arguments);
    term_build_nil(&arguments);
    engine->custom_running++;
    engine->customs[thread].is_running = true;
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
}

void customs_drop_waiting(struct engine *engine)
{
    while (engine->custom_waiting && engine_is_loading(engine)) {
        uint32_t thread = engine->custom_queue[engine->custom_first];
        engine->custom_first = (engine->custom_first + 1) % engine->scenario->thread_count;
        engine->custom_waiting--;
        engine->customs[thread].intended_ns = 0;
        threads_park(engine, thread);
    }
}

bool customs_end_all(struct engine *engine)
{
    if (!engine->customs)
        return false;
    engine->custom_running = engine->custom_waiting = 0;
    for (; engine->customs_ended < engine->scenario->thread_count && engine_is_loading(engine);
         engine->customs_ended++) {
        uint32_t thread = engine->customs_ended;
        struct custom custom = engine->customs[thread];
        struct load_start start = {custom.intended_ns,
                                   custom.started_ns ? custom.started_ns : custom.intended_ns};
        if (!custom.intended_ns)
            continue;
        if (!engine_may_work(engine))
            return true;
        engine->customs[thread] = (struct custom){0};
        threads_complete(engine, thread, custom.target, start, RESULT_TIMEOUT, (struct term){0});
    }
    return false;
}

/* An error with a stack trace: {Exception, Stack}, or of what has failed before the operation could be
 * applied
 * {{Failed, Exception}, Stack}. */
static void customs_complete_raised(struct engine *engine, uint32_t thread, struct load_start start,
                                    const char *failed, struct term exception, struct term stack)
{
    struct term_builder raised = {0};
    term_build_tuple(&raised, 2);
    if (failed) {
        term_build_tuple(&raised, 2);
        term_build_atom(&raised, failed);
    }
    term_build_term(&raised, exception);
    term_build_term(&raised, stack);
    threads_complete(engine, thread, engine->customs[thread].target, start, RESULT_RAISED,
                     term_built(&raised));
    term_build_free(&raised);
}

static void customs_fail_raised(struct engine *engine, uint32_t thread, const struct term raised[4])
{
    struct term_builder reason = {0};
    script_build_exit_reason(raised, &reason);
    threads_fail(engine, thread, term_built(&reason));
    term_build_free(&reason);
}

static void customs_outcome(struct engine *engine, uint32_t thread, struct term outcome)
{
    struct term parts[4];
    size_t arity = 0;
    bool custom = threads_operation(engine, thread)->kind == OPERATION_CUSTOM;
    struct load_start start = {engine->customs[thread].intended_ns, engine->customs[thread].started_ns};
    uint32_t target = engine->customs[thread].target;
    engine->customs[thread].intended_ns = 0;
    if (!term_read_tuple(outcome, 4, parts, &arity) || arity < 2)
        return;
    if (term_is_atom(parts[0], "returned")) {
        threads_complete(engine, thread, target, start, RESULT_OK, parts[1]);
    } else if (arity == 3) { /* {thread_setup_failed, Exception, Stack} */
        customs_complete_raised(engine, thread, start, "thread_setup_failed", parts[1], parts[2]);
    } else if (arity == 4 && custom && term_is_atom(parts[1], "error")) {
        customs_complete_raised(engine, thread, start, NULL, parts[2], parts[3]);
    } else if (arity == 4) {
        customs_fail_raised(engine, thread, parts);
    } else {
        threads_fail(engine, thread, parts[1]); /* {exited, Reason}: something took its process along */
    }
}

/* Its thread has been set up, and the operation begins now. Only an arrival has waited for that. */
static void customs_begin_again(struct engine *engine, uint32_t thread)
{
    struct custom *custom = &engine->customs[thread];
    custom->started_ns = engine_now(engine);
    if (engine->scenario->load.model != LOAD_OPEN)
        custom->intended_ns = custom->started_ns;
}

/* A process may tell its outcome and be killed before it ends: only the first word of the operation that the
 * thread is at counts. */
void engine_custom_done(struct engine *engine, int64_t thread, int64_t step, struct term outcome)
{
    if (!engine_is_loading(engine) || !engine->customs || thread < 0 ||
        (uint64_t)thread >= engine->scenario->thread_count || !engine->customs[thread].is_running ||
        engine->threads[thread].step != (uint64_t)step)
        return;
    if (term_is_atom(outcome, "set_up")) {
        customs_begin_again(engine, (uint32_t)thread);
        return;
    }
    engine->customs[thread].is_running = false;
    engine->custom_running--;
    customs_outcome(engine, (uint32_t)thread, outcome);
    customs_start_all(engine);
}

void engine_session_down(struct engine *engine, struct term reason)
{
    if (!engine->customs || !engine_is_loading(engine))
        return;
    for (uint32_t thread = 0; thread < engine->scenario->thread_count && engine_is_loading(engine);
         thread++) {
        if (engine->customs[thread].intended_ns) {
            engine->customs[thread] = (struct custom){0};
            threads_fail(engine, thread, reason);
        }
    }
    engine->custom_running = engine->custom_waiting = 0;
}

void customs_miss_strictly(struct engine *engine, uint32_t thread, uint32_t target, struct load_start start)
{
    struct term_builder arguments = {0};
    engine->customs[thread] = (struct custom){.intended_ns = start.intended_ns,
                                              .started_ns = start.actual_ns,
                                              .target = target,
                                              .is_running = true};
    engine->custom_running++;
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
