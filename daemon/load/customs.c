#include <stdlib.h>

#include "base/memory.h"
#include "engine_private.h"
#include "term/term_read.h"

static void start_custom(struct run *run, uint32_t thread)
{
    struct term_builder arguments = {0};
    term_build_list(&arguments, 1);
    term_build_term(&arguments, load_target_server(run, load_target(run, thread)));
    term_build_nil(&arguments);
    run->custom_running++;
    run->customs[thread].is_running = true;
    run->customs[thread].started_ns = clock_ns();
    session_work(run, thread, load_operation(run, thread)->message, term_built(&arguments));
    term_build_free(&arguments);
}

static void start_customs(struct run *run)
{
    while (load_is_on(run) && run->custom_waiting &&
           run->custom_running < runner_limits(run->runner)->custom) {
        uint32_t thread = run->custom_queue[run->custom_first];
        run->custom_first = (run->custom_first + 1) % run->scenario->thread_count;
        run->custom_waiting--;
        start_custom(run, thread);
    }
}

void load_queue_custom(struct run *run, uint32_t thread, uint64_t intended_ns)
{
    size_t capacity = run->scenario->thread_count;
    run->customs[thread].intended_ns = intended_ns;
    run->custom_queue[(run->custom_first + run->custom_waiting++) % capacity] = thread;
    start_customs(run);
}

void load_drop_waiting_customs(struct run *run)
{
    while (run->custom_waiting && load_is_on(run)) {
        uint32_t thread = run->custom_queue[run->custom_first];
        run->custom_first = (run->custom_first + 1) % run->scenario->thread_count;
        run->custom_waiting--;
        run->customs[thread].intended_ns = 0;
        load_park_thread(run, thread);
    }
}

bool load_end_all_customs(struct run *run)
{
    if (!run->customs)
        return false;
    run->custom_running = run->custom_waiting = 0;
    for (; run->customs_ended < run->scenario->thread_count && load_is_on(run); run->customs_ended++) {
        uint32_t thread = run->customs_ended;
        struct custom custom = run->customs[thread];
        struct load_start start = {custom.intended_ns,
                                   custom.started_ns ? custom.started_ns : custom.intended_ns};
        if (!custom.intended_ns)
            continue;
        if (!load_may_work(run))
            return true;
        run->customs[thread] = (struct custom){0};
        load_complete(run, thread, load_target(run, thread), start, RESULT_TIMEOUT, (struct term){0});
    }
    return false;
}

static void fail_raised(struct run *run, uint32_t thread, const struct term raised[4])
{
    struct term_builder reason = {0};
    run_build_exit_reason(raised, &reason);
    load_fail_thread(run, thread, term_built(&reason));
    term_build_free(&reason);
}

static void custom_outcome(struct run *run, uint32_t thread, struct term outcome)
{
    struct term parts[4];
    size_t arity = 0;
    bool custom = load_operation(run, thread)->kind == OPERATION_CUSTOM;
    struct load_start start = {run->customs[thread].intended_ns, run->customs[thread].started_ns};
    uint32_t target = load_target(run, thread);
    run->customs[thread].intended_ns = 0;
    if (!term_read_tuple(outcome, 4, parts, &arity) || arity < 2)
        return;
    if (term_is_atom(parts[0], "returned")) {
        load_complete(run, thread, target, start, RESULT_OK, parts[1]);
    } else if (arity == 4 && custom && term_is_atom(parts[1], "error")) {
        struct term_builder raised = {0};
        term_build_tuple(&raised, 2);
        term_build_term(&raised, parts[2]);
        term_build_term(&raised, parts[3]);
        load_complete(run, thread, target, start, RESULT_RAISED, term_built(&raised));
        term_build_free(&raised);
    } else if (arity == 4) {
        fail_raised(run, thread, parts);
    } else {
        load_fail_thread(run, thread, parts[1]); /* {exited, Reason}: something took its process along */
    }
}

/* A process may tell its outcome and be killed before it ends: only the first word of the operation that the
 * thread is at counts. */
void load_custom_done(struct run *run, int64_t thread, int64_t step, struct term outcome)
{
    if (!load_is_on(run) || !run->customs || thread < 0 || (uint64_t)thread >= run->scenario->thread_count ||
        !run->customs[thread].is_running || run->threads[thread].step != (uint64_t)step)
        return;
    run->customs[thread].is_running = false;
    run->custom_running--;
    custom_outcome(run, (uint32_t)thread, outcome);
    start_customs(run);
}

void load_session_down(struct run *run, struct term reason)
{
    if (!run->customs || !load_is_on(run))
        return;
    for (uint32_t thread = 0; thread < run->scenario->thread_count && load_is_on(run); thread++) {
        if (run->customs[thread].intended_ns) {
            run->customs[thread] = (struct custom){0};
            load_fail_thread(run, thread, reason);
        }
    }
    run->custom_running = run->custom_waiting = 0;
}

void load_miss_strictly(struct run *run, uint32_t thread, uint32_t target, struct load_start start)
{
    run->customs[thread] =
        (struct custom){.intended_ns = start.intended_ns, .started_ns = start.actual_ns, .is_running = true};
    run->custom_running++;
    session_strict(run, thread, load_target_server(run, target), run->scenario->cast_sync_message);
}

void load_init_custom(struct run *run)
{
    const struct scenario *scenario = run->scenario;
    if (!scenario->has_custom_operations && !scenario->strict_cast_sync)
        return;
    run->customs = memory_zalloc(scenario->thread_count, sizeof(*run->customs));
    run->custom_queue = memory_zalloc(scenario->thread_count, sizeof(*run->custom_queue));
}

void load_free_custom(struct run *run)
{
    free(run->customs);
    free(run->custom_queue);
}
