/* What came of the hooks and of the chaos, and where the run goes from there. */
#include <string.h>

#include "run_private.h"
#include "term/term_read.h"

/* A hook that failed, in the words of its state: `detail` is {Exception, Stack} or an atom. */
void run_hook_failed(struct run *run, struct term detail)
{
    if (run->state == RUN_SETUP) {
        run_fail(run, "setup_failed", detail);
        run_enter(run, RUN_CLEANUP);
    } else if (run->state == RUN_INVARIANT) {
        run_fail(run, "invariant_failed", detail);
        run_enter(run, RUN_CLEANUP);
    } else if (run->state == RUN_STEADY_BEFORE || run->state == RUN_STEADY_AFTER) {
        steady_failed(run, detail);
    } else if (run->state == RUN_CLEANUP) {
        struct term_builder failure = {0};
        term_build_tuple(&failure, 2);
        term_build_atom(&failure, "cleanup_failed");
        term_build_term(&failure, detail);
        term_keep(&run->cleanup_failure, term_built(&failure));
        term_build_free(&failure);
        run_enter(run, RUN_REPORTING);
    }
}

static void hook_failed_atom(struct run *run, const char *detail)
{
    struct term_builder atom = {0};
    term_build_atom(&atom, detail);
    run_hook_failed(run, term_built(&atom));
    term_build_free(&atom);
}

/* {Exception, Stack}; of a throw or an exit {{throw | exit, Reason}, Stack}. */
static void hook_raised(struct run *run, const struct term raised[4])
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
    run_hook_failed(run, term_built(&detail));
    term_build_free(&detail);
}

static void subject_set_up(struct run *run, struct term pid, struct term context)
{
    struct term node;
    char name[TERM_ATOM_BYTES + 1];
    term_keep(&run->subject, pid);
    term_keep(&run->context, context.data ? context : TERM_EMPTY_MAP);
    run->subject_spec = (struct target_spec){.kind = TARGET_PID, .server = term_of(&run->subject)};
    if (term_read_node(pid, &node) && term_read_atom(node, name) && strlen(name) <= NODE_NAME_BYTES)
        memcpy(run->subject_spec.node, name, strlen(name) + 1);
    run->set_up = true;
    run_enter(run, run->cancelled ? RUN_CLEANUP : RUN_PLANNING);
}

/* {ok, Pid} | {ok, Pid, Context} | {error, Reason} */
static void setup_returned(struct run *run, struct term value)
{
    struct term parts[3];
    size_t arity = 0;
    bool tuple = term_read_tuple(value, 3, parts, &arity);
    bool ok = tuple && arity >= 2 && term_is_atom(parts[0], "ok") && term_type(parts[1]) == TERM_PID;
    if (ok && arity == 2) {
        subject_set_up(run, parts[1], (struct term){0});
    } else if (ok && arity == 3 && term_type(parts[2]) == TERM_MAP) {
        subject_set_up(run, parts[1], parts[2]);
    } else if (tuple && arity == 2 && term_is_atom(parts[0], "error")) {
        run_fail(run, NULL, parts[1]);
        run_enter(run, RUN_CLEANUP);
    } else {
        run_fail(run, "invalid_setup_return", value);
        run_enter(run, RUN_CLEANUP);
    }
}

static void invariant_returned(struct run *run, struct term value)
{
    struct term parts[2];
    if (term_is_atom(value, "false"))
        run_fail_atom(run, "invariant_failed", "returned_false");
    else if (term_read_tuple_of(value, 2, parts) && term_is_atom(parts[0], "error"))
        run_fail(run, "invariant_failed", parts[1]);
    run_enter(run, RUN_CLEANUP);
}

void run_hook_done(struct run *run, struct term outcome)
{
    struct term parts[4];
    size_t arity = 0;
    if (!term_read_tuple(outcome, 4, parts, &arity) || arity < 2)
        return;
    if (arity == 4)
        hook_raised(run, parts);
    else if (run->state == RUN_SETUP)
        setup_returned(run, parts[1]);
    else if (run->state == RUN_INVARIANT)
        invariant_returned(run, parts[1]);
    else if (run->state == RUN_STEADY_BEFORE || run->state == RUN_STEADY_AFTER)
        steady_returned(run, parts[1]);
    else if (run->state == RUN_CLEANUP)
        run_enter(run, RUN_REPORTING);
}

/* A failed thread hides it; it is judged when all is done. */
static void chaos_failed(struct run *run, struct term reason)
{
    term_keep(&run->chaos_failure, reason);
}

static void chaos_raised(struct run *run, const struct term raised[4])
{
    struct term_builder reason = {0};
    script_build_exit_reason(raised, &reason);
    chaos_failed(run, term_built(&reason));
    term_build_free(&reason);
}

void run_chaos_done(struct run *run, struct term outcome)
{
    struct term parts[4];
    size_t arity = 0;
    if (!run->chaos_running || !term_read_tuple(outcome, 4, parts, &arity) || arity < 2)
        return;
    run->chaos_running = false;
    if (arity == 4) {
        chaos_raised(run, parts);
    } else if (term_is_atom(parts[0], "returned")) {
        term_keep(&run->chaos_result, parts[1]);
    } else {
        chaos_failed(run, parts[1]);
    }
    if (run->state == RUN_CHAOS_WAIT)
        run_enter(run, RUN_JUDGING);
}

void run_chaos_timed_out(struct run *run)
{
    struct term_builder timeout = {0};
    term_build_atom(&timeout, "timeout");
    chaos_failed(run, term_built(&timeout));
    term_build_free(&timeout);
}

/* The hook never returns: its session is ended, and with it what it holds. */
void run_hook_timed_out(struct run *run)
{
    session_kill(run);
    hook_failed_atom(run, "timeout");
}
