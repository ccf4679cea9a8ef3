/* The states in which a hook of the user is applied, and what comes of it: it has returned, has failed, or
 * does neither in time. */
#include <string.h>

#include "machine_private.h"
#include "term/term_read.h"

/* --- Any of them --- */

/* {Exception, Stack}; of a throw or an exit {{throw | exit, Reason}, Stack}. */
static void hooks_raised(struct run *run, const struct term raised[4])
{
    struct term_builder detail = {0};
    bool error = term_is_atom(raised[1], "error");
    term_build_tuple(&detail, 2);
    if (!error) {
        term_build_tuple(&detail, 2);
        term_build_term(&detail, raised[1]);
    }
    term_build_term(&detail, raised[2]);
    term_build_term(&detail, raised[3]);
    run_event(run, RUN_EVENT_HOOK_FAILED, term_built(&detail));
    term_build_free(&detail);
}

void run_hook_done(struct run *run, struct term outcome)
{
    struct term parts[4];
    size_t arity = 0;
    if (!term_read_tuple(outcome, 4, parts, &arity) || arity < 2)
        return;
    if (arity == 3 && !term_read_boolean(parts[2], &run->is_subject_spared))
        return;
    if (arity == 4)
        hooks_raised(run, parts);
    else
        run_event(run, RUN_EVENT_HOOK_RETURNED, parts[1]);
}

static void hooks_arm(struct run *run)
{
    run_arm(run, run->scenario->hook_timeout_ms * CLOCK_NS_PER_MS);
}

/* It never returns: its session is ended, and with it what it holds. */
void hooks_late(struct run *run, struct term detail)
{
    (void)detail;
    session_kill(run);
    run_event(run, RUN_EVENT_HOOK_FAILED, TERM_ATOM("timeout"));
}

/* With its node, or because the hook has ended it or had it ended. */
void hooks_lost(struct run *run, struct term reason)
{
    if (run_is_nodedown(reason)) {
        run_lost_to_cleanup(run, reason);
        return;
    }
    run->measurements.awaited = false;
    run_event(run, RUN_EVENT_HOOK_FAILED, reason);
}

/* Only false and {error, Reason} say that something does not hold. */
static bool hooks_says_no(struct term value, struct term *reason)
{
    struct term parts[2];
    if (term_is_atom(value, "false"))
        *reason = TERM_ATOM("returned_false");
    else if (term_read_tuple_of(value, 2, parts) && term_is_atom(parts[0], "error"))
        *reason = parts[1];
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

static void hooks_subject_set_up(struct run *run, struct term pid, struct term context)
{
    struct term node;
    char name[TERM_ATOM_BYTES + 1];
    term_keep(&run->subject, pid);
    term_keep(&run->context, context);
    run->subject_spec = (struct target_spec){.kind = TARGET_PID, .server = term_of(&run->subject)};
    if (term_read_node(pid, &node) && term_read_atom(node, name) && strlen(name) <= NODE_NAME_BYTES)
        memcpy(run->subject_spec.node, name, strlen(name) + 1);
    run->set_up = true;
    run_enter(run, run->cancelled ? RUN_CLEANUP : RUN_PLANNING);
}

/* {ok, Pid} | {ok, Pid, Context} | {error, Reason} */
void hooks_setup_returned(struct run *run, struct term value)
{
    struct term parts[3];
    size_t arity = 0;
    bool tuple = term_read_tuple(value, 3, parts, &arity);
    bool ok = tuple && arity >= 2 && term_is_atom(parts[0], "ok") && term_type(parts[1]) == TERM_PID;
    if (ok && arity == 2) {
        hooks_subject_set_up(run, parts[1], TERM_EMPTY_MAP);
    } else if (ok && arity == 3 && term_type(parts[2]) == TERM_MAP) {
        hooks_subject_set_up(run, parts[1], parts[2]);
    } else if (tuple && arity == 2 && term_is_atom(parts[0], "error")) {
        run_fail_as(run, parts[1]);
        run_enter(run, RUN_CLEANUP);
    } else {
        run_fail(run, REASON_INVALID_SETUP_RETURN, value);
        run_enter(run, RUN_CLEANUP);
    }
}

void hooks_setup_failed(struct run *run, struct term detail)
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
void hooks_steady_failed(struct run *run, struct term detail)
{
    struct term_builder reason = {0};
    reason_open(REASON_STEADY_STATE_FAILED, 3, &reason);
    term_build_atom(&reason, run->state == RUN_STEADY_BEFORE ? "before" : "after");
    term_build_term(&reason, detail);
    run_fail_as(run, term_built(&reason));
    term_build_free(&reason);
    run_enter(run, RUN_CLEANUP);
}

void hooks_steady_returned(struct run *run, struct term value)
{
    struct term reason;
    if (hooks_says_no(value, &reason))
        hooks_steady_failed(run, reason);
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

void hooks_invariant_failed(struct run *run, struct term detail)
{
    run_fail(run, REASON_INVARIANT_FAILED, detail);
    run_enter(run, RUN_CLEANUP);
}

void hooks_invariant_returned(struct run *run, struct term value)
{
    struct term reason;
    if (hooks_says_no(value, &reason))
        hooks_invariant_failed(run, reason);
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

void hooks_cleanup_ready(struct run *run, struct term detail)
{
    (void)detail;
    session_clean_up(run);
}

void hooks_cleanup_returned(struct run *run, struct term value)
{
    (void)value;
    run_enter(run, RUN_REPORTING);
}

/* {cleanup_failed, Detail} */
void hooks_cleanup_failed(struct run *run, struct term detail)
{
    struct term_builder failure = {0};
    reason_open(REASON_CLEANUP_FAILED, 2, &failure);
    term_build_term(&failure, detail);
    term_keep(&run->verdict.cleanup_failure, term_built(&failure));
    term_build_free(&failure);
    run_enter(run, RUN_REPORTING);
}

/* The first time that the hooks' node is lost another session may do on the subject's node. */
void hooks_cleanup_lost(struct run *run, struct term reason)
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
