#include "run/runner.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "load/scenario_dispose.h"
#include "report/run_result.h"
#include "run/resolution.h"
#include "run_limits_private.h"
#include "run_private.h"
#include "term/term_read.h"

struct runner {
    struct node *node;
    struct io_server *io_server;
    struct scripts *scripts;
    struct process *process; /* asks nodes for the forms of scripts */
    struct runner_limits limits;
    struct blast_radius radius;
    struct audit *audit;
    struct counters counters;
    struct list runs;        /* the newest first */
    struct list resolutions; /* that go on */
    struct limit_watch limit_watch;
};

void runner_set_limits(struct runner *runner, const struct runner_limits *limits)
{
    runner->limits = *limits;
}

const struct runner_limits *runner_limits(const struct runner *runner)
{
    return &runner->limits;
}

struct node *runner_node(const struct runner *runner)
{
    return runner->node;
}

struct loop *run_loop(const struct run *run)
{
    return node_loop(run->runner->node);
}

struct term runner_group_leader(const struct runner *runner)
{
    return io_server_pid(runner->io_server);
}

struct list *runner_resolutions(struct runner *runner)
{
    return &runner->resolutions;
}

struct scripts *runner_scripts(const struct runner *runner)
{
    return runner->scripts;
}

const struct blast_radius *runner_blast_radius(const struct runner *runner)
{
    return &runner->radius;
}

void runner_set_blast_radius(struct runner *runner, const struct blast_radius *radius)
{
    runner->radius = *radius;
}

struct audit *runner_audit(const struct runner *runner)
{
    return runner->audit;
}

void runner_set_audit(struct runner *runner, struct audit *audit)
{
    runner->audit = audit;
}

void runner_each(struct runner *runner, void (*visit)(void *owner, struct run *run), void *owner)
{
    LIST_EACH(struct run, run, &runner->runs, link)
        visit(owner, run);
}

void runner_leave(struct run *run)
{
    struct runner *runner = run->runner;
    list_remove(&runner->runs, &run->link);
    runner->counters.finished[run->verdict.outcome]++;
}

/* --- How runs stand --- */

void run_figures(const struct run *run, struct run_figures *figures)
{
    bool is_loading = run_state_group(run->state) == RUN_LOADING;
    *figures = (struct run_figures){.state = run->state,
                                    .outcome = run->verdict.outcome,
                                    .cancelled = run->cancelled,
                                    .operations = run_record(run)->operations,
                                    .operation_errors = run_record(run)->operation_errors,
                                    .dropped = run_record(run)->dropped,
                                    .in_flight = is_loading ? engine_in_flight(run->engine) : 0,
                                    .threads_active = is_loading ? engine_threads_active(run->engine) : 0};
    if (is_loading)
        figures->load_ns = clock_ns() - run_record(run)->started_ns;
    else if (run_record(run)->ended_ns > run_record(run)->started_ns)
        figures->load_ns = run_record(run)->ended_ns - run_record(run)->started_ns;
}

void run_observe(struct run *run, bool observed)
{
    run->is_observed = observed;
    if (run->engine)
        engine_observe(run->engine, observed);
}

void run_take_recent(struct run *run, struct load_recent *recent)
{
    *recent = (struct load_recent){.count = 0};
    if (run->engine)
        engine_take_recent(run->engine, recent);
}

/* --- The start and the end --- */

static void runner_on_message(void *owner, struct process *process, const struct incoming *incoming)
{
    (void)process;
    struct run *run = owner;
    struct term reply[2];
    int64_t tag;
    if (term_read_tuple_of(incoming->body, 2, reply) && term_read_integer(reply[0], &tag))
        run_load_reply(run, tag, &(struct term_long){.tail = reply[1], .held = incoming->held},
                       incoming->arrived);
    else if (!session_message(run, incoming) && !(run->faults && faults_message(run->faults, incoming->body)))
        (void)(probes_message(run, incoming->body) || finders_message(run, incoming->body));
}

/* What the beginning says is enough to end what it is the answer to, and nothing else. */
static void runner_on_too_large(void *owner, struct process *process, const struct incoming *incoming)
{
    (void)process;
    struct run *run = owner;
    struct term reply[2], reason = incoming->too_large;
    const uint64_t errors = run->engine ? run_record(run)->operation_errors : 0;
    int64_t tag;
    bool is_awaited;
    if (term_read_tuple_of(incoming->body, 2, reply) && term_read_integer(reply[0], &tag))
        is_awaited = run_load_too_large(run, tag, reason, incoming->arrived);
    else
        is_awaited = session_too_large(run, incoming) ||
                     (run->faults && faults_too_large(run->faults, incoming->body, reason)) ||
                     finders_message(run, incoming->body);
    if (is_awaited) /* anybody may send to the run's pid: that is no story of the run */
        run_limits_cut(run, incoming->peer)->operations += run_record(run)->operation_errors - errors;
}

static const struct process_events process_events = {.message = runner_on_message,
                                                     .too_large = runner_on_too_large};

static void runner_reap(void *owner)
{
    struct run *run = owner;
    resolving_free(run);
    script_leave(&run->session);
    script_leave(&run->teller);
    probes_end(run);
    finders_end(run);
    run_faults_free(run);
    loop_timer_free(&run->timer);
    loop_cancel(run_loop(run), &run->turn);
    report_free(&run->report);
    run_tail_free(run);
    run_load_free(run);
    run_limits_free(run);
    term_build_free(&run->group_leader);
    term_build_free(&run->written);
    struct buffer *const kept[] = {&run->caller_pid, &run->subject, &run->verdict.raised,
                                   &run->verdict.abort_error};
    struct term_kept *const terms[] = {&run->context, &run->chaos.result, &run->chaos.failure,
                                       &run->verdict.failure, &run->verdict.cleanup_failure};
    for (size_t i = 0; i < ARRAY_LENGTH(kept); i++)
        buffer_free(kept[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(terms); i++)
        term_kept_free(terms[i]);
    scenario_dispose(node_loop(run->runner->node), run->request.scenario);
    probes_free(run);
    free(run);
}

/* That of a pid. */
static bool runner_keep_node(struct term term, char node[NODE_NAME_BYTES + 1])
{
    struct term_pid pid;
    if (!term.data || !term_read_pid(term, &pid) || !node_name_is_valid(pid.node, strlen(pid.node)))
        return false;
    memcpy(node, pid.node, strlen(pid.node) + 1);
    return true;
}

static struct run *runner_new_run(struct runner *runner, const struct run_request *request)
{
    struct run *run = memory_zalloc(1, sizeof(*run));
    const struct scenario *scenario = request->scenario;
    run->runner = runner;
    run->id = request->id;
    run->request = *request;
    run->scenario = scenario;
    run->process = process_spawn(runner->node, &process_events, run);
    run->created_ns = clock_ns();
    run->created = clock_times_now();
    run->turn = (struct loop_task){.run = run_turn_came, .owner = run};
    run->reap = (struct loop_task){.run = runner_reap, .owner = run};
    random_secret(&run->seed, sizeof(run->seed));
    run->seed = scenario->has_seed ? scenario->seed : run->seed >> 5; /* a small integer on the BEAM */
    term_build_term(&run->group_leader,
                    request->group_leader.data ? request->group_leader : runner_group_leader(runner));
    run->result_start = request->result->bytes.size;
    run->has_group_leader = request->group_leader.data != NULL;
    run->cancelled = request->cancelled;
    if (request->caller.data) {
        term_keep(&run->caller_pid, request->caller);
        if (runner_keep_node(request->caller, run->caller_node) &&
            strcmp(run->caller_node, node_name(runner->node)) == 0)
            run->caller_node[0] = '\0';
    }
    if (!runner_keep_node(request->requester, run->requester))
        strcpy(run->requester, "nobody");
    term_kept_set(&run->context, TERM_LONG(TERM_EMPTY_MAP));
    run->probes.most = -1;
    loop_timer_init_precise(&run->timer, node_loop(runner->node), run_timer_fired, run);
    return run;
}

struct run *runner_start(struct runner *runner, const struct run_request *request)
{
    if (request->cancelled)
        request->scenario->thread_count = 0; /* there never is one */
    struct run *run = runner_new_run(runner, request);
    list_prepend(&runner->runs, &run->link);
    runner->counters.started++;
    run_log_started(run);
    if (run->scenario->texts && !run->cancelled)
        run_resolve(run);
    else
        run_begin(run);
    return run;
}

/* --- The runner --- */

static void runner_on_limit(void *owner, const struct peer *peer)
{
    struct runner *runner = owner;
    LIST_EACH(struct run, run, &runner->runs, link)
        run_limits_reached(run, peer);
}

static const struct process_events lookup_events = {0};

struct runner *runner_new(struct node *node, struct io_server *io_server, const struct runner_limits *limits)
{
    struct runner *runner = memory_zalloc(1, sizeof(*runner));
    runner->node = node;
    runner->io_server = io_server;
    runner->limits = *limits;
    counters_init(&runner->counters);
    runner->process = process_spawn(node, &lookup_events, runner);
    runner->scripts = scripts_new(node, runner->process);
    runner->limit_watch = (struct limit_watch){.reached = runner_on_limit, .owner = runner};
    node_watch_limits(node, &runner->limit_watch);
    return runner;
}

/* There is no time for a report: {error, {interrupted, nil}}. */
static void runner_give_up(struct run *run)
{
    struct term_builder *result = run->request.result;
    run->verdict.outcome = OUTCOME_INTERRUPTED;
    buffer_truncate(&result->bytes, run->result_start);
    run_result_build(TERM_ATOM("nil"), true, result);
    run->request.done(run->request.owner, run, (struct term){0});
}

void runner_close(struct runner *runner)
{
    while (runner->runs.count) {
        struct run *run = LIST_FIRST(&runner->runs, struct run, link);
        list_remove(&runner->runs, &run->link);
        run_load_stop(run);
        run_tail_stop(run);
        runner_give_up(run);
        if (run->faults)
            faults_leave(run->faults);
        process_exit_atom(run->process, "aborted"); /* its session then cleans up by itself */
        runner_reap(run);
    }
    resolutions_abort(runner);
    node_unwatch_limits(runner->node, &runner->limit_watch);
    process_exit_atom(runner->process, "shutdown");
}

void runner_free(struct runner *runner)
{
    scripts_free(runner->scripts);
    counters_free(&runner->counters);
    free(runner);
}

const struct counters *runner_counters(const struct runner *runner)
{
    return &runner->counters;
}

void runner_count_refused(struct runner *runner, enum outcome outcome)
{
    runner->counters.finished[outcome]++;
}

struct counters *run_counters(const struct run *run)
{
    return &run->runner->counters;
}

void runner_figures(const struct runner *runner, struct runner_figures *figures)
{
    *figures = (struct runner_figures){.in_flight = 0};
    LIST_EACH(struct run, run, &runner->runs, link) {
        figures->runs[run->state]++;
        figures->threads += run->scenario->thread_count;
        if (!run->engine)
            continue;
        figures->in_flight += engine_in_flight(run->engine);
        figures->queued += engine_queued(run->engine);
    }
}
