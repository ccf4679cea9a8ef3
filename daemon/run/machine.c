/* The states of a run, in one table. */
#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "machine_private.h"
#include "term/term_read.h"

/* A state without a handler for an event has nothing to do about it: it comes too late, or too early to
 * matter. */
static const struct machine_row {
    const char *name;
    enum run_group group;
    state_entry *enter;
    state_handler *on[RUN_EVENT_COUNT];
} machine_rows[RUN_STATE_COUNT] = {
    [RUN_RESOLVING] = {"resolving",
                       RUN_BEFORE,
                       resolving_enter,
                       {
                           [RUN_EVENT_CANCEL] = resolving_cancel,
                           [RUN_EVENT_RESOLVED] = resolving_done,
                       }},
    [RUN_SESSION] = {"session",
                     RUN_BEFORE,
                     opening_enter_session,
                     {
                         [RUN_EVENT_TIMER] = opening_session_late,
                         [RUN_EVENT_CANCEL] = run_cancel_later,
                         [RUN_EVENT_LOST] = opening_session_lost,
                         [RUN_EVENT_TELLER] = opening_teller_decided,
                         [RUN_EVENT_READY] = opening_session_ready,
                     }},
    [RUN_SETUP] = {"setup",
                   RUN_BEFORE,
                   hooks_enter_setup,
                   {
                       [RUN_EVENT_TIMER] = hooks_late,
                       [RUN_EVENT_CANCEL] = run_cancel_later,
                       [RUN_EVENT_LOST] = hooks_lost,
                       [RUN_EVENT_OBSERVED] = opening_measured,
                       [RUN_EVENT_HOOK_RETURNED] = hooks_setup_returned,
                       [RUN_EVENT_HOOK_FAILED] = hooks_setup_failed,
                   }},
    [RUN_PLANNING] = {"planning",
                      RUN_BEFORE,
                      opening_enter_planning,
                      {
                          [RUN_EVENT_TIMER] = opening_planning_late,
                          [RUN_EVENT_CANCEL] = run_cancel_later,
                          [RUN_EVENT_LOST] = run_lost_to_cleanup,
                          [RUN_EVENT_OBSERVED] = opening_measured,
                          [RUN_EVENT_PLANNED] = opening_planned,
                      }},
    [RUN_STEADY_BEFORE] = {"steady_before",
                           RUN_BEFORE,
                           hooks_enter_steady,
                           {
                               [RUN_EVENT_TIMER] = hooks_late,
                               [RUN_EVENT_CANCEL] = run_cancel_later,
                               [RUN_EVENT_LOST] = hooks_lost,
                               [RUN_EVENT_OBSERVED] = opening_measured,
                               [RUN_EVENT_HOOK_RETURNED] = hooks_steady_returned,
                               [RUN_EVENT_HOOK_FAILED] = hooks_steady_failed,
                           }},
    [RUN_OBSERVING] = {"observing",
                       RUN_BEFORE,
                       observing_enter,
                       {
                           [RUN_EVENT_TIMER] = observing_late,
                           [RUN_EVENT_CANCEL] = run_cancel_later,
                           [RUN_EVENT_LOST] = run_lost_to_cleanup,
                           [RUN_EVENT_OBSERVED] = observing_done,
                       }},
    [RUN_STARTING] = {"starting",
                      RUN_LOADING,
                      loading_enter_starting,
                      {
                          [RUN_EVENT_TIMER] = loading_work,
                          [RUN_EVENT_CANCEL] = loading_cancel,
                          [RUN_EVENT_LOST] = loading_lost,
                          [RUN_EVENT_OBSERVED] = loading_measured,
                          [RUN_EVENT_STARTED] = loading_started,
                          [RUN_EVENT_OVER] = loading_over,
                      }},
    [RUN_LOAD] = {"load",
                  RUN_LOADING,
                  loading_enter_load,
                  {
                      [RUN_EVENT_TIMER] = loading_work,
                      [RUN_EVENT_CANCEL] = loading_cancel,
                      [RUN_EVENT_LOST] = loading_lost,
                      [RUN_EVENT_OBSERVED] = loading_measured,
                      [RUN_EVENT_OVER] = loading_over,
                  }},
    [RUN_RECOVERING] = {"recovering",
                        RUN_AFTER,
                        loading_enter_recovering,
                        {
                            [RUN_EVENT_TIMER] = loading_recover,
                            [RUN_EVENT_CANCEL] = loading_cancel,
                            [RUN_EVENT_LOST] = loading_recovering_lost,
                        }},
    [RUN_CHAOS_WAIT] = {"chaos_wait",
                        RUN_AFTER,
                        loading_enter_chaos_wait,
                        {
                            [RUN_EVENT_TIMER] = loading_chaos_late,
                            [RUN_EVENT_CANCEL] = loading_chaos_cancel,
                            [RUN_EVENT_LOST] = loading_chaos_lost,
                            [RUN_EVENT_CHAOS_OVER] = loading_chaos_over,
                        }},
    [RUN_JUDGING] = {"judging",
                     RUN_AFTER,
                     observing_enter_judging,
                     {
                         [RUN_EVENT_TIMER] = observing_late,
                         [RUN_EVENT_CANCEL] = run_cancel_later,
                         [RUN_EVENT_LOST] = observing_lost,
                         [RUN_EVENT_OBSERVED] = observing_judging_done,
                     }},
    [RUN_HEALING] = {"healing",
                     RUN_AFTER,
                     ending_enter_healing,
                     {
                         [RUN_EVENT_TIMER] = ending_healing_late,
                         [RUN_EVENT_CANCEL] = run_cancel_later,
                         [RUN_EVENT_LOST] = ending_healing_lost,
                         [RUN_EVENT_HEALED] = ending_healed,
                     }},
    [RUN_STEADY_AFTER] = {"steady_after",
                          RUN_AFTER,
                          hooks_enter_steady,
                          {
                              [RUN_EVENT_TIMER] = hooks_late,
                              [RUN_EVENT_CANCEL] = run_cancel_later,
                              [RUN_EVENT_LOST] = hooks_lost,
                              [RUN_EVENT_HOOK_RETURNED] = hooks_steady_returned,
                              [RUN_EVENT_HOOK_FAILED] = hooks_steady_failed,
                          }},
    [RUN_CONTEXT] = {"context",
                     RUN_AFTER,
                     ending_enter_context,
                     {
                         [RUN_EVENT_TURN] = ending_write_context,
                         [RUN_EVENT_CANCEL] = run_cancel_later,
                         [RUN_EVENT_LOST] = run_lost_to_cleanup,
                     }},
    [RUN_INVARIANT] = {"invariant",
                       RUN_AFTER,
                       hooks_enter_invariant,
                       {
                           [RUN_EVENT_TIMER] = hooks_late,
                           [RUN_EVENT_CANCEL] = run_cancel_later,
                           [RUN_EVENT_LOST] = hooks_lost,
                           [RUN_EVENT_HOOK_RETURNED] = hooks_invariant_returned,
                           [RUN_EVENT_HOOK_FAILED] = hooks_invariant_failed,
                       }},
    [RUN_CLEANUP] = {"cleanup",
                     RUN_ENDING,
                     hooks_enter_cleanup,
                     {
                         [RUN_EVENT_TIMER] = hooks_late,
                         [RUN_EVENT_LOST] = hooks_cleanup_lost,
                         [RUN_EVENT_READY] = hooks_cleanup_ready,
                         [RUN_EVENT_HOOK_RETURNED] = hooks_cleanup_returned,
                         [RUN_EVENT_HOOK_FAILED] = hooks_cleanup_failed,
                     }},
    [RUN_REPORTING] = {"reporting",
                       RUN_ENDING,
                       ending_enter_reporting,
                       {
                           [RUN_EVENT_TIMER] = observing_late,
                           [RUN_EVENT_TURN] = ending_write_report,
                           [RUN_EVENT_LOST] = observing_lost,
                           [RUN_EVENT_OBSERVED] = ending_measured,
                       }},
    [RUN_DONE] = {"done", RUN_ENDING, ending_enter_done, {0}},
};

const char *run_state_name(enum run_state state)
{
    return machine_rows[state].name;
}

enum run_group run_state_group(enum run_state state)
{
    return machine_rows[state].group;
}

void run_enter(struct run *run, enum run_state state)
{
    const struct machine_row *row = &machine_rows[state];
    assert(state > run->state || state == RUN_RESOLVING);
    run->state = state;
    loop_cancel(run_loop(run), &run->turn);
    log_debug("run", log_integer("run", (int64_t)run->id), log_string("state", row->name));
    row->enter(run);
}

void run_event(struct run *run, enum run_event event, const struct term_long *detail)
{
    state_handler *handler = machine_rows[run->state].on[event];
    if (handler)
        handler(run, detail);
}

void run_begin(struct run *run)
{
    run_load_init(run);
    run_faults_init(run);
    if (run->verdict.failure.size || run->cancelled || faults_refused(run->faults))
        run_enter(run, RUN_REPORTING);
    else
        run_enter(run, run->scenario->dry_run ? RUN_PLANNING : RUN_SESSION);
}

void run_resolve(struct run *run)
{
    run_enter(run, RUN_RESOLVING);
}

void run_timer_fired(void *owner)
{
    run_event(owner, RUN_EVENT_TIMER, RUN_NO_DETAIL);
}

/* With the node of its hooks it has lost what it was for, whoever is gone with it. */
void run_cancel(struct run *run)
{
    bool is_lost = run->hooks_node_lost && run->verdict.failure.size;
    if (!run->cancelled && !is_lost)
        run_event(run, RUN_EVENT_CANCEL, RUN_NO_DETAIL);
}

void run_turn_came(void *owner)
{
    run_event(owner, RUN_EVENT_TURN, RUN_NO_DETAIL);
}

void run_take_turn(struct run *run)
{
    loop_defer_turn(run_loop(run), &run->turn);
}

void run_arm(struct run *run, uint64_t delay_ns)
{
    loop_timer_set(&run->timer, delay_ns);
}

/* --- Failures --- */

void run_fail_as(struct run *run, const struct term_long *failure)
{
    if (!run->verdict.failure.size)
        term_kept_set(&run->verdict.failure, failure);
}

void run_fail(struct run *run, enum reason reason, const struct term_long *detail)
{
    struct term_builder head = {0};
    struct term_long failure = *detail;
    reason_open(reason, 2, &head);
    term_build_term(&head, detail->head);
    failure.head = term_built(&head);
    run_fail_as(run, &failure);
    term_build_free(&head);
}

void run_fail_atom(struct run *run, enum reason reason, const char *detail)
{
    struct term_builder atom = {0};
    term_build_atom(&atom, detail);
    run_fail(run, reason, TERM_LONG(term_built(&atom)));
    term_build_free(&atom);
}

/* --- What a run needs --- */

bool run_needs_session(const struct run *run)
{
    const struct scenario *scenario = run->scenario;
    return scenario->setup.data || scenario->cleanup.data || scenario->invariant.data ||
           scenario->steady_state.data || scenario->chaos.data || scenario->has_custom_operations ||
           scenario->strict_cast_sync || scenario->expectations.count || run->request.expectations;
}

bool run_has_cleanup(const struct run *run)
{
    bool made = run->scenario->setup.data && !run->is_subject_spared;
    return run->set_up && (made || run->scenario->cleanup.data);
}

bool run_can_stop_subject(const struct run *run)
{
    const char *node = run->subject_spec.node;
    return run->scenario->setup.data && !run->is_subject_spared && !run->scenario->cleanup.data &&
           strcmp(node, run->scenario->hooks_node) != 0 &&
           strcmp(node, node_name(runner_node(run->runner))) != 0;
}

/* --- The same in several states --- */

void run_cancel_later(struct run *run, const struct term_long *detail)
{
    (void)detail;
    run->cancelled = true;
}

bool run_is_nodedown(const struct term_long *reason)
{
    return term_is_atom(reason->tail, "noconnection");
}

/* Whether hooks or targets are where the session was. */
static bool run_needs_node(const struct run *run, const char *node)
{
    for (size_t i = 0; run->targets && i < run->scenario->target_count; i++) {
        const char *found = targets_node(run->targets, i);
        if (strcmp(*found ? found : targets_spec(run->targets, i)->node, node) == 0)
            return true;
    }
    return run_needs_session(run);
}

bool run_lose_session(struct run *run, const struct term_long *reason)
{
    bool nodedown = run_is_nodedown(reason);
    if (nodedown ? !run_needs_node(run, run->scenario->hooks_node) : !run_needs_session(run))
        return false;
    run->measurements.awaited = false;
    run->chaos.running = false;
    run->hooks_node_lost |= nodedown;
    if (run_state_group(run->state) == RUN_ENDING)
        return true;
    if (nodedown)
        run_fail_atom(run, REASON_NODEDOWN, run->scenario->hooks_node);
    else
        run_fail(run, REASON_SESSION_FAILED, reason);
    return true;
}

void run_lost_to_cleanup(struct run *run, const struct term_long *reason)
{
    if (run_lose_session(run, reason))
        run_enter(run, RUN_CLEANUP);
}
