/* The states in which a hook of the user is applied, and what comes of it: it has returned, has failed, or
 * does neither in time. */
#include <string.h>

#include "machine_private.h"
#include "term/term_read.h"

/* --- Any of them --- */

/* {Exception, Stack}; of a throw or an exit {{throw | exit, Reason}, Stack}. */
static void hooks_raised(struct run *run, const struct term raised[4], struct blob *held)
{
    struct term_builder head = {0};
    term_build_tuple(&head, 2);
    if (!term_is_atom(raised[1], "error")) {
        term_build_tuple(&head, 2);
        term_build_term(&head, raised[1]);
    }
    const struct term_long detail = {
        .head = term_built(&head), .tail = {raised[2].data, raised[2].size + raised[3].size}, .held = held};
    run_event(run, RUN_EVENT_HOOK_FAILED, &detail);
    term_build_free(&head);
}

void run_hook_done(struct run *run, const struct term_long *outcome)
{
    struct term parts[4];
    size_t arity = 0;
    if (!term_read_tuple(outcome->tail, 4, parts, &arity) || arity < 2)
        return;
    if (arity == 3 && !term_read_boolean(parts[1], &run->is_subject_spared))
        return;
    if (arity == 4)
        hooks_raised(run, parts, outcome->held);
    else
        run_event(run, RUN_EVENT_HOOK_RETURNED,
                  &(struct term_long){.tail = parts[arity - 1], .held = outcome->held});
}

static void hooks_arm(struct run *run)
{
    run_arm(run, run->scenario->hook_timeout_ms * CLOCK_NS_PER_MS);
}

/* It never returns: its session is ended, and with it what it holds. */
void hooks_late(struct run *run, const struct term_long *detail)
{
    (void)detail;
    session_kill(run);
    run_event(run, RUN_EVENT_HOOK_FAILED, TERM_LONG(TERM_ATOM("timeout")));
}

/* With its node, or because the hook has ended it or had it ended. */
void hooks_lost(struct run *run, const struct term_long *reason)
{
    if (run_is_nodedown(reason)) {
        run_lost_to_cleanup(run, reason);
        return;
    }
    run->measurements.awaited = false;
    run_event(run, RUN_EVENT_HOOK_FAILED, reason);
}

/* Only false and {error, Reason} say that something does not hold. */
static bool hooks_says_no(const struct term_long *value, struct term_long *reason)
{
    struct term parts[2];
    if (term_is_atom(value->tail, "false"))
        *reason = *TERM_LONG(TERM_ATOM("returned_false"));
    else if (term_read_tuple_of(value->tail, 2, parts) && term_is_atom(parts[0], "error"))
        *reason = (struct term_long){.tail = parts[1], .held = value->held};
    else
        return false;
    return true;
}

/* --- SETUP --- */

void hooks_enter_setup(struct run *run)
{
    telemetry_run_started(run);
    if (run->request.expectations)
        session_measure(run);
    if (!run->scenario->setup.data) {
        term_keep(&run->subject, run->scenario->target);
        run->set_up = true;
        run_enter(run, RUN_PLANNING);
        return;
    }
    hooks_arm(run);
    session_setup(run);
}

static void hooks_subject_set_up(struct run *run, struct term pid, const struct term_long *context)
{
    struct term node;
    char name[TERM_ATOM_BYTES + 1];
    term_keep(&run->subject, pid);
    term_kept_set(&run->context, context);
    run->subject_spec = (struct target_spec){.kind = TARGET_PID, .server = term_of(&run->subject)};
    if (term_read_node(pid, &node) && term_read_atom(node, name) && strlen(name) <= NODE_NAME_BYTES)
        memcpy(run->subject_spec.node, name, strlen(name) + 1);
    run->set_up = true;
    run_enter(run, run->cancelled ? RUN_CLEANUP : RUN_PLANNING);
}

/* {ok, Pid} | {ok, Pid, Context} | {error, Reason} */
void hooks_setup_returned(struct run *run, const struct term_long *value)
{
    struct term parts[3];
    size_t arity = 0;
    bool tuple = term_read_tuple(value->tail, 3, parts, &arity);
    bool ok = tuple && arity >= 2 && term_is_atom(parts[0], "ok") && term_type(parts[1]) == TERM_PID;
    if (ok && arity == 2) {
        hooks_subject_set_up(run, parts[1], TERM_LONG(TERM_EMPTY_MAP));
    } else if (ok && arity == 3 && term_type(parts[2]) == TERM_MAP) {
        hooks_subject_set_up(run, parts[1], &(struct term_long){.tail = parts[2], .held = value->held});
    } else if (tuple && arity == 2 && term_is_atom(parts[0], "error")) {
        run_fail_as(run, &(struct term_long){.tail = parts[1], .held = value->held});
        run_enter(run, RUN_CLEANUP);
    } else {
        run_fail(run, REASON_INVALID_SETUP_RETURN, value);
        run_enter(run, RUN_CLEANUP);
    }
}

void hooks_setup_failed(struct run *run, const struct term_long *detail)
{
    run_fail(run, REASON_SETUP_FAILED, detail);
    run_enter(run, RUN_CLEANUP);
}

/* --- STEADY_BEFORE, STEADY_AFTER --- */

void hooks_enter_steady(struct run *run)
{
    hooks_arm(run);
    session_check_steady_state(run);
}

/* {steady_state_failed, before | after, Reason} */
void hooks_steady_failed(struct run *run, const struct term_long *detail)
{
    struct term_builder head = {0};
    struct term_long reason = *detail;
    reason_open(REASON_STEADY_STATE_FAILED, 3, &head);
    term_build_atom(&head, run->state == RUN_STEADY_BEFORE ? "before" : "after");
    term_build_term(&head, detail->head);
    reason.head = term_built(&head);
    run_fail_as(run, &reason);
    term_build_free(&head);
    run_enter(run, RUN_CLEANUP);
}

void hooks_steady_returned(struct run *run, const struct term_long *value)
{
    struct term_long reason;
    if (hooks_says_no(value, &reason))
        hooks_steady_failed(run, &reason);
    else if (run->cancelled)
        run_enter(run, RUN_CLEANUP);
    else if (run->state == RUN_STEADY_BEFORE)
        run_enter(run, RUN_OBSERVING);
    else
        ending_check_invariant(run);
}

/* --- INVARIANT --- */

void hooks_enter_invariant(struct run *run)
{
    hooks_arm(run);
    session_check_invariant(run);
}

void hooks_invariant_failed(struct run *run, const struct term_long *detail)
{
    run_fail(run, REASON_INVARIANT_FAILED, detail);
    run_enter(run, RUN_CLEANUP);
}

void hooks_invariant_returned(struct run *run, const struct term_long *value)
{
    struct term_long reason;
    if (hooks_says_no(value, &reason))
        hooks_invariant_failed(run, &reason);
    else
        run_enter(run, RUN_CLEANUP);
}

/* --- CLEANUP --- */

void hooks_enter_cleanup(struct run *run)
{
    run_load_stop(run);
    probes_end(run);
    finders_end(run);
    bool releases = run->scenario->thread_cleanup.data && session_is_there(run);
    /* With the node of the hooks what they made there is gone, or its janitor cleans up. */
    if ((!run_has_cleanup(run) && !releases) || (run->hooks_node_lost && !run_can_stop_subject(run))) {
        run_enter(run, RUN_REPORTING);
        return;
    }
    run_arm(run, session_cleanup_ms(run) * CLOCK_NS_PER_MS);
    if (session_is_there(run))
        session_clean_up(run);
    else if (!script_is_active(&run->session))
        session_start(run); /* the last one was lost or stuck: another one cleans up */
}

void hooks_cleanup_ready(struct run *run, const struct term_long *detail)
{
    (void)detail;
    session_clean_up(run);
}

void hooks_cleanup_returned(struct run *run, const struct term_long *value)
{
    (void)value;
    run_enter(run, RUN_REPORTING);
}

/* {cleanup_failed, Detail} */
void hooks_cleanup_failed(struct run *run, const struct term_long *detail)
{
    struct term_builder head = {0};
    struct term_long failure = *detail;
    reason_open(REASON_CLEANUP_FAILED, 2, &head);
    term_build_term(&head, detail->head);
    failure.head = term_built(&head);
    term_kept_set(&run->verdict.cleanup_failure, &failure);
    term_build_free(&head);
    run_enter(run, RUN_REPORTING);
}

/* The first time that the hooks' node is lost another session may do on the subject's node. */
void hooks_cleanup_lost(struct run *run, const struct term_long *reason)
{
    bool nodedown = run_is_nodedown(reason), first_loss = nodedown && !run->hooks_node_lost;
    if (!run_lose_session(run, reason))
        return;
    if (nodedown)
        run_fail_atom(run, REASON_NODEDOWN, run->scenario->hooks_node);
    if (first_loss && run_can_stop_subject(run))
        session_start(run);
    else if (nodedown)
        run_enter(run, RUN_REPORTING);
    else
        hooks_cleanup_failed(run, reason);
}
