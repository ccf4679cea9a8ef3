/* A world for the runner: what leads a run, what works for it, and the node are the test's, and note what
 * they are asked for. To be included once by a program, whose functions these are. */
#ifndef HARNESSD_TESTS_RUN_RUNNER_WORLD_H
#define HARNESSD_TESTS_RUN_RUNNER_WORLD_H

#include "term_from_text.h"

#include "run/resolution.h"
#include "run_limits_private.h"
#include "run_private.h"

#define LEADER "leader"

struct node {
    struct loop *loop;
};

struct io_server {
    struct term pid;
};

struct process {
    const struct process_events *events;
    void *owner;
    const char *exited; /* with this reason */
};

struct engine {
    uint64_t in_flight;
    uint64_t queued;
    uint64_t threads;
    bool is_observed;
};

struct scripts {
    struct process *process;
};

struct faults {
    bool is_left;
};

#define PROCESSES 8

static struct {
    struct loop loop;
    struct node node;
    struct io_server io_server;
    struct scripts scripts;
    struct process processes[PROCESSES];
    size_t process_count;
    struct runner *runner;
    struct load_record record;  /* of all runs */
    struct term_builder result; /* likewise */
    struct buffer taken;        /* who took a message, and what it was */
    bool session_takes;
    bool faults_take;
    size_t begun;
    size_t logged;
    size_t reaped;
    size_t stopped;
    struct run_limit cut; /* messages that were too large */
    size_t given_up;
    size_t resolutions_aborted;
    struct limit_watch *limit_watch;
    size_t limits; /* that runs were told of */
} world;

/* --- What leads a run --- */

void run_resolve(struct run *run)
{
    run->state = RUN_RESOLVING;
}

enum run_group run_state_group(enum run_state state)
{
    return state == RUN_STARTING || state == RUN_LOAD ? RUN_LOADING : RUN_AFTER;
}

void run_begin(struct run *run)
{
    run->state = RUN_SESSION;
    world.begun++;
}

void run_timer_fired(void *run)
{
    assert_non_null(run);
    loop_stop(&world.loop);
}

void run_turn_came(void *run)
{
    (void)run;
}

void run_log_started(const struct run *run)
{
    world.logged += run->process != NULL;
}

/* --- What works for it --- */

#define ARRIVED_NS 4711

static inline void take(const char *who, struct term message)
{
    char text[100];
    buffer_free(&world.taken);
    buffer_print(&world.taken, "%s %s", who, term_text(message, text, sizeof(text)));
}

void run_load_reply(struct run *run, int64_t tag, const struct term_long *reply, struct arrived arrived)
{
    assert_int_equal(tag, 12);
    assert_int_equal(arrived.ns, ARRIVED_NS);
    assert_non_null(run);
    take("load", reply->tail);
}

bool run_load_too_large(struct run *run, int64_t tag, struct term reason, struct arrived arrived)
{
    assert_int_equal(arrived.ns, ARRIVED_NS);
    assert_non_null(run);
    if (tag != 12)
        return false;
    world.record.operation_errors++;
    take("load without", reason);
    return true;
}

bool session_too_large(struct run *run, const struct incoming *incoming)
{
    assert_non_null(run);
    assert_non_null(incoming->body.data);
    if (world.session_takes)
        take("session without", incoming->too_large);
    return world.session_takes;
}

bool faults_too_large(struct faults *faults, struct term message, struct term reason)
{
    assert_non_null(faults);
    assert_non_null(message.data);
    if (world.faults_take)
        take("faults without", reason);
    return world.faults_take;
}

bool session_message(struct run *run, const struct incoming *incoming)
{
    assert_non_null(run);
    if (world.session_takes)
        take("session", incoming->body);
    return world.session_takes;
}

bool faults_message(struct faults *faults, struct term message)
{
    assert_non_null(faults);
    if (world.faults_take)
        take("faults", message);
    return world.faults_take;
}

bool probes_message(struct run *run, struct term message)
{
    assert_non_null(run);
    take("probes", message);
    return false;
}

void faults_leave(struct faults *faults)
{
    faults->is_left = true;
}

const struct load_record *run_record(const struct run *run)
{
    return run ? &world.record : NULL;
}

void run_load_stop(struct run *run)
{
    world.stopped += run != NULL;
}

uint64_t engine_in_flight(const struct engine *engine)
{
    return engine->in_flight;
}

uint64_t engine_queued(const struct engine *engine)
{
    return engine->queued;
}

uint64_t engine_threads_active(const struct engine *engine)
{
    return engine->threads;
}

void engine_observe(struct engine *engine, bool observed)
{
    engine->is_observed = observed;
}

void engine_take_recent(struct engine *engine, struct load_recent *recent)
{
    recent->count = engine ? 5 : 0;
}

void run_tail_stop(struct run *run)
{
    assert_null(run->tail);
}

void run_tail_free(struct run *run)
{
    assert_null(run->tail);
}

void run_load_free(struct run *run)
{
    run->engine = NULL;
}

void run_faults_free(struct run *run)
{
    run->faults = NULL;
}

void resolving_free(struct run *run)
{
    assert_null(run->resolution);
}

void script_leave(struct script *script)
{
    assert_non_null(script);
}

bool finders_message(struct run *run, struct term message)
{
    (void)run;
    (void)message;
    return false;
}

void finders_end(struct run *run)
{
    (void)run;
}

void probes_end(struct run *run)
{
    world.reaped += run != NULL;
}

void probes_free(struct run *run)
{
    (void)run;
}

struct run_limit *run_limits_cut(struct run *run, const struct peer *peer)
{
    assert_non_null(run);
    assert_null(peer);
    world.cut.times++;
    return &world.cut;
}

void run_limits_reached(struct run *run, const struct peer *peer)
{
    assert_null(peer);
    world.limits += run != NULL;
}

void run_limits_free(struct run *run)
{
    assert_int_equal(run->limits.count, 0);
}

void report_free(struct report *report)
{
    assert_non_null(report);
}

void resolutions_abort(struct runner *runner)
{
    assert_ptr_equal(runner, world.runner);
    world.resolutions_aborted++;
}

/* --- The node --- */

struct loop *node_loop(const struct node *node)
{
    return node->loop;
}

const char *node_name(const struct node *node)
{
    assert_ptr_equal(node, &world.node);
    return OWN;
}

struct term io_server_pid(const struct io_server *io_server)
{
    return io_server->pid;
}

struct process *process_spawn(struct node *node, const struct process_events *events, void *owner)
{
    assert_ptr_equal(node, &world.node);
    assert_true(world.process_count < PROCESSES);
    struct process *process = &world.processes[world.process_count++];
    *process = (struct process){.events = events, .owner = owner};
    return process;
}

void process_exit_atom(struct process *process, const char *reason)
{
    assert_null(process->exited);
    process->exited = reason;
}

void node_watch_limits(struct node *node, struct limit_watch *watch)
{
    assert_ptr_equal(node, &world.node);
    world.limit_watch = watch;
}

void node_unwatch_limits(struct node *node, struct limit_watch *watch)
{
    assert_ptr_equal(node, &world.node);
    assert_ptr_equal(watch, world.limit_watch);
    world.limit_watch = NULL;
}

struct scripts *scripts_new(struct node *node, struct process *process)
{
    assert_ptr_equal(node, &world.node);
    world.scripts.process = process;
    return &world.scripts;
}

void scripts_free(struct scripts *scripts)
{
    assert_ptr_equal(scripts, &world.scripts);
    scripts->process = NULL;
}

#endif
