#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "run_private.h"
#include "term/term_read.h"

/* What an outcome is of; that of a custom operation has {Thread, Step}, a measurement its number. */
#define STARTED "started"
#define HOOK_OUTCOME "hook"
#define CHAOS_OUTCOME "chaos"

/* {harnessd, RunId, SessionNumber}: what marks the messages between the run and one session of it. */
static void session_build_key(const struct run *run, struct term_builder *builder)
{
    term_build_tuple(builder, 3);
    term_build_atom(builder, "harnessd");
    term_build_unsigned(builder, run->id);
    term_build_unsigned(builder, run->sessions);
}

/* Begins a command {Key, Command, ...} of `arity` elements. */
static void session_open_command(const struct run *run, struct term_builder *builder, size_t arity,
                                 const char *command)
{
    term_build_tuple(builder, arity);
    session_build_key(run, builder);
    term_build_atom(builder, command);
}

static bool session_send_command(struct run *run, struct term_builder *command)
{
    const struct term built = term_built(command);
    struct blob *held = built.size > TERM_LONG_BYTES ? blob_take(&command->bytes, run_loop(run)) : NULL;
    bool sent = script_send_long(&run->session, &(struct term_long){.tail = built, .held = held});
    blob_release(held);
    term_build_free(command);
    return sent;
}

/* Appends to a command what may be long: that goes ahead in a message of its own, of which it is the end, so
 * that it need not be copied. */
static void session_build_value(struct run *run, struct term value, struct blob *held,
                                struct term_builder *command)
{
    struct term_long message = {.tail = value, .held = held};
    if (!term_long_is_held(&message)) {
        term_build_term(command, value);
        return;
    }
    struct term_builder head = {0};
    session_open_command(run, &head, 3, "given");
    message.head = term_built(&head);
    (void)script_send_long(&run->session, &message);
    term_build_free(&head);
    term_build_atom(command, "$harnessd_given");
}

/* Sends a command that ends in the subject and the context of the setup. */
static void session_send_with_context(struct run *run, struct term_builder *command)
{
    const struct term_long context = term_kept_long(&run->context);
    term_build_term(command, term_of(&run->subject));
    session_build_value(run, context.tail, context.held, command);
    (void)session_send_command(run, command);
}

/* --- The processes --- */

static void session_on_down(void *owner, const struct term_long *reason)
{
    run_event(owner, RUN_EVENT_LOST, reason);
}

bool session_is_there(const struct run *run)
{
    return run->session.pid.size > 0;
}

/* {harnessd, RunId, teller} */
static void session_build_teller_key(const struct run *run, struct term_builder *builder)
{
    term_build_tuple(builder, 3);
    term_build_atom(builder, "harnessd");
    term_build_unsigned(builder, run->id);
    term_build_atom(builder, "teller");
}

/* What was there before the setup matters to the cleanup of those who name none. */
static bool session_looks(const struct run *run, const struct script *script)
{
    const struct scenario *scenario = run->scenario;
    return script == &run->session && run->state == RUN_SESSION && scenario->setup.data &&
           !scenario->cleanup.data;
}

static void session_start_script(struct run *run, struct script *script, const char *node,
                                 void (*build_its_key)(const struct run *run, struct term_builder *builder),
                                 void (*down)(void *owner, const struct term_long *reason))
{
    struct term_builder bindings = {0};
    term_build_list(&bindings, 5);
    script_build_binding(&bindings, "Caller");
    if (run->caller_pid.size)
        term_build_term(&bindings, term_of(&run->caller_pid));
    else
        term_build_atom(&bindings, "none");
    script_build_binding(&bindings, "Daemon");
    term_build_term(&bindings, process_pid(run->process));
    script_build_binding(&bindings, "Key");
    build_its_key(run, &bindings);
    script_build_binding(&bindings, "LeaderWanted");
    term_build_boolean(&bindings, run->caller_pid.size && !run->has_group_leader);
    script_build_binding(&bindings, "Looks");
    term_build_boolean(&bindings, session_looks(run, script));
    term_build_nil(&bindings);
    struct script_request request = {.name = SCRIPT_SESSION,
                                     .node = node,
                                     .process = run->process,
                                     .bindings = term_built(&bindings),
                                     .group_leader = term_built(&run->group_leader),
                                     .down = down,
                                     .owner = run};
    bool started = script_start(runner_scripts(run->runner), script, &request);
    assert(started); /* the scenario's node names are valid, and not this node's */
    term_build_free(&bindings);
}

void session_start(struct run *run)
{
    run->sessions++;
    session_start_script(run, &run->session,
                         run->hooks_node_lost ? run->subject_spec.node : run->scenario->hooks_node,
                         session_build_key, session_on_down);
}

/* The teller is there, or cannot be: its run goes on without telemetry then. */
static void session_teller_decided(struct run *run)
{
    run_event(run, RUN_EVENT_TELLER, RUN_NO_DETAIL);
}

static void session_on_teller_down(void *owner, const struct term_long *reason)
{
    (void)reason;
    struct run *run = owner;
    run->has_telemetry = false;
    session_teller_decided(run);
}

static bool session_has_teller(const struct run *run)
{
    return run->caller_node[0] && strcmp(run->caller_node, run->scenario->hooks_node) != 0;
}

void session_start_both(struct run *run)
{
    if (session_has_teller(run))
        session_start_script(run, &run->teller, run->caller_node, session_build_teller_key,
                             session_on_teller_down);
    else
        session_start(run);
}

void session_kill(struct run *run)
{
    script_kill(&run->session);
}

static void session_end_teller(struct run *run)
{
    struct term_builder command = {0};
    term_build_tuple(&command, 2);
    session_build_teller_key(run, &command);
    term_build_atom(&command, "stop");
    script_end(&run->teller, term_built(&command));
    term_build_free(&command);
}

/* --- Commands --- */

/* Appends a hook, or the atom that stands for the one that is applied where none is given. */
static void session_build_hook(struct run *run, struct term hook, const char *otherwise,
                               struct term_builder *command)
{
    if (hook.data)
        session_build_value(run, hook, run->scenario->content, command);
    else
        term_build_atom(command, otherwise);
}

/* Appends the hook that cleans up. */
static void session_build_cleanup_hook(struct run *run, struct term_builder *command)
{
    session_build_hook(run, run->scenario->cleanup,
                       run->scenario->setup.data && !run->is_subject_spared ? "stop" : "none", command);
}

uint64_t session_cleanup_ms(const struct run *run)
{
    const struct scenario *scenario = run->scenario;
    uint64_t threads_ms = scenario->thread_cleanup.data ? scenario->hook_timeout_ms + 500 : 0;
    /* The default cleanup takes up to a second on its own. */
    return threads_ms + scenario->hook_timeout_ms + (scenario->cleanup.data ? 0 : 1500);
}

void session_setup(struct run *run)
{
    struct term_builder command = {0};
    session_open_command(run, &command, 6, "setup");
    term_build_atom(&command, HOOK_OUTCOME);
    session_build_hook(run, run->scenario->setup, "none", &command);
    session_build_cleanup_hook(run, &command);
    term_build_unsigned(&command, session_cleanup_ms(run));
    (void)session_send_command(run, &command);
}

void session_open_invariant(struct run *run)
{
    struct term_builder *command = &run->written;
    const struct term_long context = term_kept_long(&run->context);
    session_open_command(run, command, 7, "invariant");
    term_build_atom(command, HOOK_OUTCOME);
    session_build_hook(run, run->scenario->invariant, "none", command);
    term_build_term(command, term_of(&run->subject));
    session_build_value(run, context.tail, context.held, command);
}

void session_check_invariant(struct run *run)
{
    (void)session_send_command(run, &run->written);
}

void session_check_steady_state(struct run *run)
{
    struct term_builder command = {0};
    session_open_command(run, &command, 6, "hook");
    term_build_atom(&command, HOOK_OUTCOME);
    session_build_hook(run, run->scenario->steady_state, "none", &command);
    session_send_with_context(run, &command);
}

void session_clean_up(struct run *run)
{
    struct term_builder command = {0};
    session_open_command(run, &command, 7, "clean");
    term_build_atom(&command, HOOK_OUTCOME);
    session_build_cleanup_hook(run, &command);
    term_build_unsigned(&command, session_cleanup_ms(run));
    session_send_with_context(run, &command);
}

void session_guard_cleanup(struct run *run)
{
    struct term_builder command = {0};
    session_open_command(run, &command, 6, "cleanup");
    session_build_cleanup_hook(run, &command);
    term_build_unsigned(&command, session_cleanup_ms(run));
    session_send_with_context(run, &command);
}

/* The threads are set up when they come to their first custom operation. */
static void session_take_threads(struct run *run)
{
    struct term_builder command = {0};
    if (!run->scenario->thread_setup.data)
        return;
    session_open_command(run, &command, 6, "threads");
    term_build_text(&command, script_source(SCRIPT_CREW));
    session_build_hook(run, run->scenario->thread_setup, "none", &command);
    session_build_hook(run, run->scenario->thread_cleanup, "none", &command);
    term_build_unsigned(&command, run->scenario->hook_timeout_ms);
    (void)session_send_command(run, &command);
}

void session_work(struct run *run, uint32_t thread, uint64_t step, struct term hook, struct term arguments)
{
    struct term_builder command = {0};
    bool threaded = run->scenario->thread_setup.data && term_type(hook) != TERM_ATOM;
    session_open_command(run, &command, 5, threaded ? "thread" : "work");
    term_build_tuple(&command, 2);
    term_build_unsigned(&command, thread);
    term_build_unsigned(&command, step);
    session_build_hook(run, hook, "none", &command);
    term_build_term(&command, arguments);
    (void)session_send_command(run, &command);
}

void session_find_worker(struct run *run, uint32_t thread, uint64_t step)
{
    struct term_builder command = {0};
    session_open_command(run, &command, 3, "find");
    term_build_tuple(&command, 2);
    term_build_unsigned(&command, thread);
    term_build_unsigned(&command, step);
    (void)session_send_command(run, &command);
}

void session_start_chaos(struct run *run)
{
    struct term_builder command = {0};
    session_open_command(run, &command, 8, "chaos");
    term_build_atom(&command, CHAOS_OUTCOME);
    session_build_hook(run, run->scenario->chaos, "none", &command);
    term_build_unsigned(&command, run->id);
    session_build_value(run, run->scenario->metadata, run->scenario->content, &command);
    session_send_with_context(run, &command);
}

void session_stop_work(struct run *run)
{
    struct term_builder command = {0};
    session_open_command(run, &command, 2, "stop_work");
    (void)session_send_command(run, &command);
}

void session_end(struct run *run)
{
    struct term_builder command = {0};
    session_end_teller(run);
    session_open_command(run, &command, 2, "stop");
    script_end(&run->session, term_built(&command));
    term_build_free(&command);
}

void session_measure(struct run *run)
{
    struct term_builder command = {0};
    session_open_command(run, &command, 3, "measure");
    term_build_unsigned(&command, ++run->measurements.asked);
    run->measurements.awaited = session_send_command(run, &command);
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
    term_build_tuple(&command, 5);
    if (session_has_teller(run))
        session_build_teller_key(run, &command);
    else
        session_build_key(run, &command);
    term_build_atom(&command, "telemetry");
    term_build_list(&command, count);
    for (size_t i = 0; i < count; i++)
        term_build_atom(&command, event[i]);
    term_build_nil(&command);
    term_build_term(&command, measurements);
    term_build_term(&command, metadata);
    (void)script_tell(session_has_teller(run) ? &run->teller : &run->session, term_built(&command));
    term_build_free(&command);
}

/* --- Outcomes --- */

/* {returned, {Memory, Reductions}} */
static void session_on_measured(struct run *run, struct term outcome)
{
    struct term parts[2], values[2];
    struct measurement now = {.at_ns = clock_ns()};
    if (!term_read_tuple_of(outcome, 2, parts) || !term_read_tuple_of(parts[1], 2, values) ||
        !term_read_integer(values[0], &now.memory_bytes) || !term_read_integer(values[1], &now.reductions))
        return;
    run->measurements.newest = now;
    run->measurements.awaited = false;
    run_observed(run);
}

/* {started, HasElixir, HasTelemetry} */
static void session_on_started(struct run *run, struct term outcome)
{
    struct term parts[3];
    bool telemetry;
    if (!term_read_tuple_of(outcome, 3, parts) || !term_read_boolean(parts[1], &run->has_elixir) ||
        !term_read_boolean(parts[2], &telemetry))
        return;
    if (!session_has_teller(run))
        run->has_telemetry = telemetry;
    session_take_threads(run);
    run_event(run, RUN_EVENT_READY, RUN_NO_DETAIL);
}

/* --- Messages --- */

/* {Key, Of, Outcome} of the process that has this key. */
static bool session_read_message(const struct run *run,
                                 void (*build_key)(const struct run *run, struct term_builder *builder),
                                 struct term message, struct term parts[3])
{
    struct term_builder key = {0};
    build_key(run, &key);
    bool is_of_it = term_read_tuple_of(message, 3, parts) && term_same(parts[0], term_built(&key));
    term_build_free(&key);
    return is_of_it;
}

/* The same of the session; before there is one, its key is anybody's guess. */
static bool session_read_own(const struct run *run, struct term message, struct term parts[3])
{
    return run->sessions && session_read_message(run, session_build_key, message, parts);
}

/* {Thread, Step}: an operation of the run's own. */
static bool session_read_work(struct term of, int64_t *thread, int64_t *step)
{
    struct term work[2];
    return term_read_tuple_of(of, 2, work) && term_read_integer(work[0], thread) &&
           term_read_integer(work[1], step);
}

/* {find, Thread, Step}: who applies it. */
static bool session_read_worker(struct term of, int64_t *thread, int64_t *step)
{
    struct term found[3];
    return term_read_tuple_of(of, 3, found) && term_is_atom(found[0], "find") &&
           term_read_integer(found[1], thread) && term_read_integer(found[2], step);
}

/* {Key, Of, ...} that was too large to be kept: what it is of fails with the reason. */
bool session_too_large(struct run *run, const struct incoming *incoming)
{
    const struct term message = incoming->body, reason = incoming->too_large;
    struct term parts[3];
    int64_t number, step;
    if (!session_read_own(run, message, parts))
        return false;
    if (session_read_work(parts[1], &number, &step))
        engine_custom_too_large(run_engine(run), number, step, reason, incoming->arrived);
    else if (term_is_atom(parts[1], HOOK_OUTCOME))
        run_event(run, RUN_EVENT_HOOK_FAILED, TERM_LONG(reason));
    else if (term_is_atom(parts[1], CHAOS_OUTCOME))
        run_chaos_over(run, NULL, TERM_LONG(reason));
    return true;
}

/* {Key, started, {started, HasElixir, HasTelemetry}}, all that a teller ever says. */
static bool session_teller_message(struct run *run, struct term message)
{
    struct term parts[3], started[3];
    bool its = session_read_message(run, session_build_teller_key, message, parts);
    if (its && term_read_tuple_of(parts[2], 3, started) && term_read_boolean(started[2], &run->has_telemetry))
        session_teller_decided(run);
    return its;
}

bool session_message(struct run *run, const struct incoming *incoming)
{
    const struct term message = incoming->body;
    struct term parts[3];
    int64_t number, step;
    if (!session_read_own(run, message, parts))
        return session_teller_message(run, message);
    const struct term_long outcome = {.tail = parts[2], .held = incoming->held};
    if (session_read_work(parts[1], &number, &step))
        engine_custom_done(run_engine(run), number, step, &outcome, incoming->arrived);
    else if (session_read_worker(parts[1], &number, &step))
        run_explain_worker(run, number, step, parts[2]);
    else if (term_read_integer(parts[1], &number) && number == run->measurements.asked)
        session_on_measured(run, parts[2]);
    else if (term_is_atom(parts[1], HOOK_OUTCOME))
        run_hook_done(run, &outcome);
    else if (term_is_atom(parts[1], CHAOS_OUTCOME))
        run_chaos_done(run, &outcome);
    else if (term_is_atom(parts[1], STARTED))
        session_on_started(run, parts[2]);
    return true;
}
