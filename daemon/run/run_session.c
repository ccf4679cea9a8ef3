#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "run.h"
#include "term/term_read.h"

/* What an outcome is of; that of a custom operation has the number of its thread. */
#define STARTED "started"
#define HOOK_OUTCOME "hook"
#define CHAOS_OUTCOME "chaos"
#define MEASURE_OUTCOME "measure"

/* {harnessd, RunId, SessionNumber}: what marks the messages between the run and one session of it. */
static void build_key(const struct run *run, struct term_builder *builder)
{
    term_build_tuple(builder, 3);
    term_build_atom(builder, "harnessd");
    term_build_unsigned(builder, run->id);
    term_build_unsigned(builder, run->sessions);
}

/* Begins a command {Key, Command, ...} of `arity` elements. */
static void open_command(const struct run *run, struct term_builder *builder, size_t arity,
                         const char *command)
{
    term_build_tuple(builder, arity);
    build_key(run, builder);
    term_build_atom(builder, command);
}

static bool send_command(struct run *run, struct term_builder *command)
{
    bool sent = script_send(&run->session, term_built(command));
    term_build_free(command);
    return sent;
}

/* --- The process --- */

static void on_down(void *owner, struct term reason)
{
    run_session_lost(owner, reason);
}

bool session_is_there(const struct run *run)
{
    return run->session.pid.size > 0;
}

/* A request that came without a group leader has its caller's looked up there. */
static void build_caller(const struct run *run, struct term_builder *bindings)
{
    if (run->caller_pid.size && !run->has_group_leader)
        term_build_term(bindings, buffer_term(&run->caller_pid));
    else
        term_build_atom(bindings, "none");
}

void session_start(struct run *run)
{
    struct term_builder bindings = {0};
    run->sessions++;
    term_build_list(&bindings, 3);
    script_build_binding(&bindings, "Caller");
    build_caller(run, &bindings);
    script_build_binding(&bindings, "Daemon");
    term_build_term(&bindings, process_pid(run->process));
    script_build_binding(&bindings, "Key");
    build_key(run, &bindings);
    term_build_nil(&bindings);
    struct script_request request = {.name = SCRIPT_SESSION,
                                     .node = run->scenario->hooks_node,
                                     .process = run->process,
                                     .bindings = term_built(&bindings),
                                     .group_leader = term_built(&run->group_leader),
                                     .down = on_down,
                                     .owner = run};
    bool started = script_start(runner_scripts(run->runner), &run->session, &request);
    assert(started); /* the scenario's node names are valid, and not this node's */
    term_build_free(&bindings);
}

void session_kill(struct run *run)
{
    script_kill(&run->session);
}

/* --- Commands --- */

static struct term default_cleanup(struct term_builder *builder)
{
    term_build_reset(builder);
    term_build_atom(builder, "stop");
    return term_built(builder);
}

/* Appends the hook and the list of its arguments. */
static void build_application(struct run *run, enum hook hook, struct term_builder *command)
{
    const struct scenario *scenario = run->scenario;
    struct term_builder stop = {0};
    struct term hooks[] = {[HOOK_SETUP] = scenario->setup,
                           [HOOK_INVARIANT] = scenario->invariant,
                           [HOOK_CLEANUP] =
                               scenario->cleanup.data ? scenario->cleanup : default_cleanup(&stop)};
    term_build_term(command, hooks[hook]);
    if (hook == HOOK_SETUP) {
        term_build_nil(command);
    } else {
        term_build_list(command, 2);
        term_build_term(command, buffer_term(&run->subject));
        term_build_term(command,
                        hook == HOOK_INVARIANT ? term_built(&run->written) : buffer_term(&run->context));
        term_build_nil(command);
    }
    term_build_free(&stop);
}

void session_apply(struct run *run, enum hook hook)
{
    struct term_builder command = {0};
    open_command(run, &command, 5, "hook");
    term_build_atom(&command, HOOK_OUTCOME);
    build_application(run, hook, &command);
    (void)send_command(run, &command);
}

void session_guard_cleanup(struct run *run)
{
    struct term_builder command = {0};
    open_command(run, &command, 5, "cleanup");
    build_application(run, HOOK_CLEANUP, &command);
    term_build_unsigned(&command, run->scenario->hook_timeout_ms);
    (void)send_command(run, &command);
}

void session_work(struct run *run, uint32_t thread, struct term hook, struct term arguments)
{
    struct term_builder command = {0};
    open_command(run, &command, 5, "work");
    term_build_unsigned(&command, thread);
    term_build_term(&command, hook);
    term_build_term(&command, arguments);
    (void)send_command(run, &command);
}

void session_strict(struct run *run, uint32_t thread, struct term server, struct term message)
{
    struct term_builder hook = {0}, arguments = {0};
    term_build_atom(&hook, "strict");
    term_build_list(&arguments, 2);
    term_build_term(&arguments, server);
    term_build_term(&arguments, message);
    term_build_nil(&arguments);
    session_work(run, thread, term_built(&hook), term_built(&arguments));
    term_build_free(&hook);
    term_build_free(&arguments);
}

void session_start_chaos(struct run *run)
{
    struct term_builder command = {0};
    open_command(run, &command, 5, "work");
    term_build_atom(&command, CHAOS_OUTCOME);
    term_build_term(&command, run->scenario->chaos);
    term_build_list(&command, 2);
    term_build_term(&command, buffer_term(&run->subject));
    term_build_map(&command, 2);
    term_build_key(&command, "metadata");
    report_build_metadata(run, (struct term){0}, &command);
    term_build_key(&command, "setup_context");
    term_build_term(&command, buffer_term(&run->context));
    term_build_nil(&command);
    (void)send_command(run, &command);
}

void session_stop_work(struct run *run)
{
    struct term_builder command = {0};
    open_command(run, &command, 2, "stop_work");
    (void)send_command(run, &command);
}

void session_end(struct run *run)
{
    struct term_builder command = {0};
    open_command(run, &command, 2, "stop");
    if (send_command(run, &command))
        script_leave(&run->session);
    else
        script_kill(&run->session);
}

void session_measure(struct run *run)
{
    struct term_builder command = {0};
    open_command(run, &command, 3, "measure");
    term_build_atom(&command, MEASURE_OUTCOME);
    run->measurement_awaited = send_command(run, &command);
}

void session_telemetry(struct run *run, const char *const event[4], struct term measurements,
                       struct term metadata)
{
    size_t count = 0;
    struct term_builder command = {0};
    if (!run->has_telemetry)
        return;
    while (count < 4 && event[count])
        count++;
    open_command(run, &command, 5, "telemetry");
    term_build_list(&command, count);
    for (size_t i = 0; i < count; i++)
        term_build_atom(&command, event[i]);
    term_build_nil(&command);
    term_build_term(&command, measurements);
    term_build_term(&command, metadata);
    (void)send_command(run, &command);
}

/* --- Outcomes --- */

/* {returned, {Memory, Reductions}} */
static void on_measured(struct run *run, struct term outcome)
{
    struct term parts[2], values[2];
    struct measurement now = {.at_ns = clock_ns()};
    if (!term_read_tuple_of(outcome, 2, parts) || !term_read_tuple_of(parts[1], 2, values) ||
        !term_read_integer(values[0], &now.memory_bytes) || !term_read_integer(values[1], &now.reductions))
        return;
    run->measured = now;
    run->measurement_awaited = false;
    run_observed(run);
}

/* {started, HasElixir, HasTelemetry} */
static void on_started(struct run *run, struct term outcome)
{
    struct term parts[3];
    if (term_read_tuple_of(outcome, 3, parts) && term_read_boolean(parts[1], &run->has_elixir) &&
        term_read_boolean(parts[2], &run->has_telemetry))
        run_session_ready(run);
}

bool session_message(struct run *run, struct term message)
{
    struct term parts[3], key;
    int64_t number;
    struct term_builder expected = {0};
    build_key(run, &expected);
    key = term_built(&expected);
    bool ours = term_read_tuple_of(message, 3, parts) && term_same(parts[0], key);
    term_build_free(&expected);
    if (!ours)
        return false;
    if (term_read_integer(parts[1], &number))
        load_custom_done(run, (uint32_t)number, parts[2]);
    else if (term_is_atom(parts[1], HOOK_OUTCOME))
        run_hook_done(run, parts[2]);
    else if (term_is_atom(parts[1], CHAOS_OUTCOME))
        run_chaos_done(run, parts[2]);
    else if (term_is_atom(parts[1], MEASURE_OUTCOME))
        on_measured(run, parts[2]);
    else if (term_is_atom(parts[1], STARTED))
        on_started(run, parts[2]);
    return true;
}
