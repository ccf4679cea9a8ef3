/* Those who work for a run, as a test of its machine plays them: linked in the place of the real ones. */
#ifndef HARNESSD_TESTS_RUN_STUBS_H
#define HARNESSD_TESTS_RUN_STUBS_H

#include "base/worker.h"
#include "load/scenario_dispose.h"
#include "run_warnings_private.h"
#include "run_world.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter" /* most of them only note that they were called */

#define WORLD_NOTES(name, parameters)                                                                        \
    void name parameters                                                                                     \
    {                                                                                                        \
        world_note(#name);                                                                                   \
    }
#define WORLD_ANSWERS(type, name, parameters, answer)                                                        \
    type name parameters                                                                                     \
    {                                                                                                        \
        world_note(#name);                                                                                   \
        return answer;                                                                                       \
    }

/* The loop and the node. */
void loop_timer_set(struct loop_timer *timer, uint64_t delay_ns)
{
    assert_ptr_equal(timer, &world.run.timer);
    world.armed_ns = delay_ns;
}

void loop_defer_turn(struct loop *loop, struct loop_task *task)
{
    world.piece = task;
}

void loop_defer_piece(struct loop *loop, struct loop_task *task)
{
    loop_defer_turn(loop, task);
}

void loop_cancel(struct loop *loop, struct loop_task *task)
{
    if (world.piece == task)
        world.piece = NULL;
}

WORLD_ANSWERS(struct loop *, run_loop, (const struct run *run), NULL)
WORLD_NOTES(loop_defer, (struct loop * loop, struct loop_task *task))
WORLD_ANSWERS(struct worker *, worker_aside, (struct loop * loop), NULL)
WORLD_NOTES(worker_queue, (struct worker * worker, struct worker_job *job))
WORLD_ANSWERS(struct loop *, node_loop, (const struct node *node), NULL)
WORLD_ANSWERS(struct node *, process_node, (const struct process *process), NULL)

void scenario_dispose(struct loop *loop, struct scenario *scenario)
{
    (void)loop;
    scenario_free(scenario);
}
WORLD_ANSWERS(const char *, node_name, (const struct node *node), OWN)
WORLD_NOTES(process_exit_atom, (struct process * process, const char *reason))

bool script_is_active(const struct script *script)
{
    return world.script_is_active;
}

/* {raised, Class, Reason, Stack} */
struct term script_open_exit_reason(const struct term raised[4], struct term_builder *head)
{
    return raised[2];
}

/* The runner. */
WORLD_NOTES(runner_leave, (struct run * run))
WORLD_ANSWERS(struct node *, runner_node, (const struct runner *runner), NULL)
WORLD_NOTES(run_load_init, (struct run * run))
WORLD_NOTES(run_load_stop, (struct run * run))
WORLD_NOTES(run_tail_start, (struct run * run))
WORLD_NOTES(run_tail_stop, (struct run * run))
WORLD_NOTES(run_tail_free, (struct run * run))
WORLD_ANSWERS(bool, run_tail_work, (struct run * run), !world.tail_ends)
WORLD_NOTES(run_faults_init, (struct run * run))
WORLD_NOTES(run_faults_judge, (struct run * run))
WORLD_NOTES(run_faults_judge_undone, (struct run * run))

const struct load_record *run_record(const struct run *run)
{
    return &world.record;
}

struct resolution *resolution_start(struct runner *runner, const struct scenario *scenario,
                                    struct term group_leader, resolution_done *done, void *owner)
{
    world_note("resolution_start");
    return (struct resolution *)&world;
}

WORLD_NOTES(resolution_cancel, (struct resolution * resolution))

/* The session. */
WORLD_NOTES(session_start, (struct run * run))
WORLD_NOTES(session_start_both, (struct run * run))
WORLD_NOTES(session_kill, (struct run * run))
WORLD_NOTES(session_setup, (struct run * run))
WORLD_NOTES(session_open_invariant, (struct run * run))
WORLD_NOTES(session_check_invariant, (struct run * run))
WORLD_NOTES(session_check_steady_state, (struct run * run))
WORLD_NOTES(session_clean_up, (struct run * run))
WORLD_NOTES(session_guard_cleanup, (struct run * run))
WORLD_NOTES(session_start_chaos, (struct run * run))
WORLD_NOTES(session_stop_work, (struct run * run))
WORLD_NOTES(session_end, (struct run * run))
WORLD_ANSWERS(uint64_t, session_cleanup_ms, (const struct run *run), 77)

bool session_is_there(const struct run *run)
{
    return world.session_is_there;
}

void session_measure(struct run *run)
{
    world_note("session_measure");
    run->measurements.awaited = world.measures;
}

/* The targets. */
WORLD_ANSWERS(const char *, targets_node, (const struct targets *targets, size_t target), "")

const struct target_spec *targets_spec(struct targets *targets, size_t target)
{
    return &world.scenario->targets[target];
}

/* The finders and the probes. */
WORLD_NOTES(finders_start, (struct run * run))
WORLD_NOTES(finders_await_no_longer, (struct run * run))
WORLD_NOTES(finders_end, (struct run * run))

bool probes_start(struct run *run)
{
    world_note("probes_start");
    run->probes.awaited = world.probes_start;
    return world.probes_start;
}

bool probes_stop(struct run *run)
{
    world_note("probes_stop");
    run->probes.awaited = world.probes_stop;
    return world.probes_stop;
}

void probes_await_no_longer(struct run *run)
{
    run->probes.awaited = 0;
}

void probes_end(struct run *run)
{
    world_note("probes_end");
    run->probes.awaited = 0;
}

/* The engine. */
WORLD_NOTES(engine_begin, (struct engine * engine))
WORLD_NOTES(engine_work, (struct engine * engine))

void engine_session_down(struct engine *engine, const struct term_long *reason)
{
    world_note("engine_session_down");
    if (world.session_down_ends_load)
        run_event(&world.run, RUN_EVENT_OVER, RUN_NO_DETAIL);
}

/* The faults. */
WORLD_NOTES(faults_start, (struct faults * faults, uint64_t now_ns))
WORLD_ANSWERS(bool, faults_are_recovering, (const struct faults *faults), world.recovers)
WORLD_NOTES(faults_load_over, (struct faults * faults, uint64_t end_ns))
WORLD_NOTES(faults_stop, (struct faults * faults))
WORLD_NOTES(faults_abandon, (struct faults * faults))
WORLD_NOTES(faults_leave, (struct faults * faults))
WORLD_NOTES(faults_give_up, (struct faults * faults))
WORLD_NOTES(faults_plan_no_longer, (struct faults * faults))
WORLD_ANSWERS(bool, faults_plan, (struct faults * faults), world.plans)
WORLD_ANSWERS(bool, faults_heal, (struct faults * faults), world.heals)
WORLD_ANSWERS(bool, faults_refused, (struct faults * faults), world.refuses)

/* The report, of as many pieces as the test says. */
void report_start(struct report *report, struct run *run, enum report_purpose purpose,
                  struct term_builder *output)
{
    world_note(purpose == REPORT_RESULT ? "report_start" : "context_start");
    *report = (struct report){.run = run, .output = output, .purpose = purpose};
}

bool report_continue(struct report *report)
{
    assert_non_null(report->output);
    return world.report_pieces && --world.report_pieces > 0;
}

/* Those who judge and tell. */
WORLD_NOTES(judge_load, (struct run * run))
WORLD_NOTES(judge_measured, (struct run * run))
WORLD_NOTES(judge_whole_run, (struct run * run))
WORLD_NOTES(judge_outcome, (struct run * run))
WORLD_NOTES(run_log_finished, (const struct run *run))
WORLD_NOTES(run_warnings_log, (const struct run *run))
WORLD_NOTES(run_log_healed, (const struct run *run))
WORLD_NOTES(telemetry_run_started, (struct run * run))
WORLD_NOTES(telemetry_run_stopped, (struct run * run))
WORLD_NOTES(telemetry_mailbox, (struct run * run))
WORLD_NOTES(telemetry_explained, (struct run * run))
WORLD_NOTES(run_explain_begin, (struct run * run))
WORLD_ANSWERS(bool, run_explain_settle, (struct run * run), world.settle_pieces && --world.settle_pieces > 0)

void telemetry_chaos(struct run *run, const char *what, const struct term_kept *failure)
{
    world_note(strcmp(what, "start") == 0 ? "telemetry_chaos_start" : "telemetry_chaos_stop");
}

#pragma GCC diagnostic pop

#endif
