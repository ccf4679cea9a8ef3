#include "serve/api.h"

#include <stdlib.h>
#include <string.h>

#include "api_private.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "library_private.h"
#include "run/heal_all.h"
#include "suite_private.h"
#include "term/term_read.h"

static void serve_simple_genserver_scenario(struct api *api, struct request *request)
{
    (void)api;
    library_simple_genserver_scenario(request);
}

static void serve_from_property_config(struct api *api, struct request *request)
{
    (void)api;
    library_from_property_config(request);
}

static void serve_default_invariant(struct api *api, struct request *request)
{
    (void)api;
    library_default_invariant(request);
}

static void serve_chaos_inject_crash(struct api *api, struct request *request)
{
    (void)api;
    library_chaos_inject_crash(request);
}

static void serve_chaos_kill_children(struct api *api, struct request *request)
{
    (void)api;
    library_chaos_kill_children(request);
}

static void serve_run_chaos_suite(struct api *api, struct request *request)
{
    chaos_suite_run(api->runs, api->node, request);
}

static void all_healed(void *owner, struct term healed)
{
    struct request *request = owner;
    term_build_term(request_answer(request), healed);
    request_return(request);
}

static void serve_heal_all(struct api *api, struct request *request)
{
    log_info("undoing all faults", log_string("requester", request->peer));
    heal_all(api->runner, api->node, all_healed, request);
}

static void serve_schedules(struct api *api, struct request *request)
{
    schedules_build(api->schedules, request_answer(request));
    request_return(request);
}

/* --- Information --- */

static void build_limits(const struct config *config, struct term_builder *answer)
{
    term_build_map(answer, 11);
    term_build_key_unsigned(answer, "runs", config->limit_runs);
    term_build_key_unsigned(answer, "queued_runs", config->limit_queued_runs);
    term_build_key_unsigned(answer, "threads", config->limit_threads);
    term_build_key_unsigned(answer, "in_flight", config->limit_in_flight);
    term_build_key_unsigned(answer, "queued_arrivals", config->limit_queued_arrivals);
    term_build_key_unsigned(answer, "events", config->limit_events);
    term_build_key_unsigned(answer, "custom", config->limit_custom);
    term_build_key_unsigned(answer, "event_bytes", config->limit_event_bytes);
    term_build_key_unsigned(answer, "frame_bytes", config->limit_frame_bytes);
    term_build_key_unsigned(answer, "queued_bytes", config->limit_queued_bytes);
    term_build_key_unsigned(answer, "pending_handshakes", config->limit_pending_handshakes);
}

static void build_counters(const struct api *api, struct term_builder *answer)
{
    const struct counters *counters = runner_counters(api->runner);
    term_build_map(answer, 5);
    term_build_key_unsigned(answer, "requests", api->requests);
    term_build_key_unsigned(answer, "runs_started", counters->started);
    term_build_key_unsigned(answer, "runs_finished", counters_all_finished(counters));
    term_build_key_unsigned(answer, "operations", counters->operations);
    term_build_key_unsigned(answer, "operation_errors", counters_all_errors(counters));
}

static void serve_info(struct api *api, struct request *request)
{
    struct term_builder *answer = request_answer(request);
    term_build_map(answer, 9);
    term_build_key(answer, "version");
    term_build_text(answer, HARNESSD_VERSION);
    term_build_key(answer, "node");
    term_build_atom(answer, node_name(api->node));
    term_build_key_unsigned(answer, "uptime_ms", (clock_ns() - api->started_ns) / CLOCK_NS_PER_MS);
    term_build_key_unsigned(answer, "runs", runs_count(api->runs, RUN_PHASE_RUNNING));
    term_build_key_unsigned(answer, "queued_runs", runs_count(api->runs, RUN_PHASE_QUEUED));
    term_build_key_unsigned(answer, "peers", peers_up_count(node_peers(api->node)));
    term_build_key_unsigned(answer, "processes", node_process_count(api->node));
    term_build_key(answer, "limits");
    build_limits(api->config, answer);
    term_build_key(answer, "counters");
    build_counters(api, answer);
    request_return(request);
}

static void serve_help(struct api *api, struct request *request);
static void serve_help_on(struct api *api, struct request *request);

/* --- The table --- */

static const struct function {
    const char *name;
    size_t arity;
    void (*serve)(struct api *api, struct request *request);
    const char *usage;
    const char *help;
} functions[] = {
    {"run", 1, serve_run, "run(scenario) -> {:ok, report} | {:error, reason}",
     "Runs a scenario and answers when it has ended. {:file, name} stands for the scenario of a JSON file "
     "in\n"
     "the configuration's scenario_dir, here and for start and validate.\n"
     "\n"
     "A scenario is a map, a keyword list or a struct with these keys:\n"
     "  setup              fun/0 that gives {:ok, pid}, {:ok, pid, context} or {:error, reason}\n"
     "  target             instead of setup: a pid, a name on the caller's node, {name, node},\n"
     "                     {:global, term}, {:via, module, term}, or a list of them\n"
     "  threads            a list of scripts, each a list of operations that one virtual thread\n"
     "                     works through: {:call, msg}, {:cast, msg}, {:custom, fun/1}, fun/1,\n"
     "                     {:\"$send\", msg}, {:\"$cast\", msg}, {:\"$sleep\", ms}, or a bare term\n"
     "  load               instead of threads, with operations (one script that is repeated) or mix\n"
     "                     ([%{weight: w, op: operation}]):\n"
     "                     %{threads: n, iterations: k}\n"
     "                     %{threads: n, duration_ms: d, think_ms: t | {low, high}}\n"
     "                     %{rate: per_second, duration_ms: d, arrival: :constant | :poisson,\n"
     "                       max_in_flight: 1000, max_queued: 100_000}\n"
     "                     %{stages: [%{duration_ms: d, threads: n}], ramp: :linear | :step}\n"
     "                     %{stages: [%{duration_ms: d, rate: r}], ramp: :linear | :step}\n"
     "  spread             among several targets: :round_robin, :random, {:key, position}\n"
     "                     (:round_robin)\n"
     "  seed               repeats every random choice (drawn)\n"
     "  default_operation  what a bare term is, :call or :cast (:call)\n"
     "  timeout_ms         of all threads together, and of the chaos after them (5000)\n"
     "  call_timeout_ms    of one call (1000)\n"
     "  hook_timeout_ms    of each hook (5000)\n"
     "  cast_sync_message  the call that follows each cast (:__supertester_sync__)\n"
     "  strict_cast_sync?  whether a cast without a handler for it fails the thread (false)\n"
     "  invariant          fun/2 of subject and context\n"
     "  cleanup            fun/2 of subject and the setup's context (stops what setup has made)\n"
     "  mailbox            [sampling_interval: ms], [] is 10 ms (nil)\n"
     "  chaos              fun/2 of subject and %{metadata:, setup_context:}, beside the threads, a chaos\n"
     "                     term, or a list of chaos terms and scheduled actions (nil)\n"
     "  steady_state       as invariant, before the load and after the last fault was undone (nil)\n"
     "  dry_run            tell what would be done to whom, and do nothing (false)\n"
     "  performance_expectations  [max_time_ms:, max_memory_bytes:, max_reductions:, max_p50_us:,\n"
     "                     max_p90_us:, max_p95_us:, max_p99_us:, max_p999_us:, max_error_rate:,\n"
     "                     min_ops_per_s:, max_mailbox:, max_recovery_ms:] ([])\n"
     "  abort_when         names of those that end the run as soon as they are missed ([])\n"
     "  warmup_ms          before they are judged (1000)\n"
     "  metadata           a map that becomes part of the report's (%{})\n"
     "  events             which to keep: :all, :errors, :none, {:last, n}, {:sample, n}\n"
     "                     (:all; {:last, 1000} with load)\n"
     "  hooks_node         where the hooks are applied (the caller's node)\n"
     "A hook is a fun or {module, function, extra_args}. Inside messages {:\"$int\", low, high},\n"
     "{:\"$pick\", list}, {:\"$zipf\", n, s}, {:\"$bytes\", n}, {:\"$seq\"}, {:\"$thread\"} and "
     "{:\"$step\"}\n"
     "are replaced by a fresh value each time.\n"
     "Chaos terms are {:inject_crash, spec, opts}, {:kill_children, opts}, {:suspend, ms},\n"
     "{:flood, opts}, {:garbage_collect, []}, {:exhaust, resource, opts}, {:burn_cpu, opts},\n"
     "{:disconnect, nodes, ms}, {:halt_node, node}, {:apply, m, f, a}; a scheduled action is\n"
     "%{action:, after_ms:, every_ms:, times:, jitter_ms:, probability:, target:}.\n"
     "\n"
     "  :erpc.call(:\"harness@host\", :harness, :run,\n"
     "    [%{target: {MyServer, node()}, threads: [[{:call, :ping}, {:cast, :tick}]]}])\n"},
    {"run_with_performance", 2, serve_run_with_performance,
     "run_with_performance(scenario, expectations) -> as run(scenario)",
     "Runs a scenario; raises when the run as a whole has missed an expectation of the keyword list.\n"},
    {"start", 1, serve_start, "start(scenario) -> {:ok, run_id} | {:error, reason}",
     "Starts a run of a scenario, which goes on without its caller, and answers at once. Hooks are applied\n"
     "on the target's node unless hooks_node says otherwise (with a setup on the caller's); what they print\n"
     "is logged by the daemon. A run that has no room waits in a queue.\n"
     "\n"
     "  {:ok, id} = :erpc.call(h, :harness, :start, [scenario])\n"
     "  :erpc.call(h, :harness, :status, [id])      from any node, whenever\n"
     "  :erpc.call(h, :harness, :await, [id])\n"},
    {"await", 1, serve_await, "await(run_id[, timeout_ms]) -> the result of the run | {:error, :timeout}",
     "Waits until a run has ended, and answers what run would have: {:ok, report} or {:error, reason}. Any\n"
     "number of processes may wait; giving up ends the wait, never the run. {:error, :not_found} when there\n"
     "is no such run (any more).\n"},
    {"await", 2, serve_await, NULL, NULL},
    {"report", 1, serve_report, "report(run_id) -> the result of the run | {:error, :not_finished}",
     "As await, without waiting. {:error, {:interrupted, report | nil}} when the daemon ended before the\n"
     "run: then the report is what its journal has, without events and threads.\n"},
    {"partial", 1, serve_partial, "partial(run_id) -> {:ok, report} | {:error, :not_started}",
     "What a run has recorded so far, or until it failed or was interrupted: a report as of now.\n"},
    {"show", 1, serve_show, "show(run_id) -> text, show(report) -> text",
     "What came of a run, or what it has recorded so far, as text for people: outcome, counts, expectations, "
     "errors, latencies with bars,\n"
     "the course of the load, and faults with their recovery.\n"
     "\n"
     "  IO.puts(:erpc.call(h, :harness, :show, [id]))\n"
     "  io:put_chars(erpc:call(H, harness, show, [Id])).\n"},
    {"status", 1, serve_status, "status(run_id) -> map",
     "How a run stands: its state (:queued, the run's own ones such as :setup, :load and :cleanup, or\n"
     ":storing, :finished, :interrupted), how it has ended (outcome: :completed, :missed, :failed,\n"
     ":cancelled, :interrupted or :not_run; and reason as text), who has started what against whom (by,\n"
     "caller, target, name, metadata), since when (accepted_at, started_at, ended_at, elapsed_ms, left_ms\n"
     "of a load), what it has done (operations, operation_errors, dropped, in_flight), and in the queue\n"
     "what it waits for (waits_for, runs_before).\n"},
    {"runs", 0, serve_runs, "runs() -> [map]",
     "status(run_id) of all runs, the newest first: queued, under way, and those whose reports are kept.\n"},
    {"cancel", 1, serve_cancel, "cancel(run_id) -> :ok | {:error, :finished}",
     "Has a run end: it undoes its faults and cleans up, and its result is {:error, {:cancelled, "
     "report}}.\n"},
    {"subscribe", 1, serve_subscribe, "subscribe(run_id | :all[, pid]) -> :ok | {:error, reason}",
     "Has a process, the caller's unless given, be told of a run, or of all, while they go on:\n"
     "  {:harness_event, run_id, event, measurements, metadata}\n"
     "Events are those of telemetry, [:supertester, ...], and [:harness, :run, :queued | :start | :progress "
     "|\n"
     ":stop]: progress each second with operations, operation_errors, in_flight, operations_per_s, p99_us\n"
     "and others of that second, stop when the report is there. It ends with the run, or the process,\n"
     "whose node has to be connected: {:error, {:nodedown, node}} otherwise.\n"},
    {"subscribe", 2, serve_subscribe, NULL, NULL},
    {"unsubscribe", 1, serve_unsubscribe, "unsubscribe(run_id | :all[, pid]) -> :ok",
     "Ends what subscribe with the same arguments began.\n"},
    {"unsubscribe", 2, serve_unsubscribe, NULL, NULL},
    {"delete", 1, serve_delete, "delete(run_id) -> :ok | {:error, :not_finished}",
     "Forgets a run that has ended, and its report.\n"},
    {"schedules", 0, serve_schedules, "schedules() -> [map]",
     "The configuration's schedules: what is run (file, node), when (every_s, at, next_at, next_in_s), "
     "whether\n"
     "while the last one goes on (overlap), and what came of it: last_run_id, and how many times it has\n"
     "started a run (started), could not (failed), did not as the last one went on (skipped), or was missed\n"
     "as the clock was set over it (missed). The log says why.\n"},
    {"simple_genserver_scenario", 3, serve_simple_genserver_scenario,
     "simple_genserver_scenario(module, operations, thread_count[, opts]) -> scenario",
     "A scenario whose setup is module.start_link(opts[:server_opts]) and in which each thread works\n"
     "through the operations. Other options become keys of the scenario.\n"},
    {"simple_genserver_scenario", 4, serve_simple_genserver_scenario, NULL, NULL},
    {"from_property_config", 2, serve_from_property_config,
     "from_property_config(module, config[, opts]) -> scenario",
     "A scenario from the configuration of a property: its thread_scripts are the threads.\n"},
    {"from_property_config", 3, serve_from_property_config, NULL, NULL},
    {"default_invariant", 2, serve_default_invariant, "default_invariant(pid, ctx) -> :ok", "Always :ok.\n"},
    {"chaos_inject_crash", 0, serve_chaos_inject_crash, "chaos_inject_crash([spec[, opts]]) -> chaos term",
     "A chaos term for a scenario's chaos: a crash of its subject, :immediate, {:after_ms, ms} or\n"
     "{:random, probability}, with [reason: :chaos_injection].\n"},
    {"chaos_inject_crash", 1, serve_chaos_inject_crash, NULL, NULL},
    {"chaos_inject_crash", 2, serve_chaos_inject_crash, NULL, NULL},
    {"chaos_kill_children", 0, serve_chaos_kill_children, "chaos_kill_children([opts]) -> chaos term",
     "A chaos term for a scenario's chaos: children of its subject are killed again and again, with\n"
     "[kill_rate: 0.3, duration_ms: 5000, kill_interval_ms: 100, kill_reason: :kill].\n"},
    {"chaos_kill_children", 1, serve_chaos_kill_children, NULL, NULL},
    {"run_chaos_suite", 2, serve_run_chaos_suite, "run_chaos_suite(target, scenarios[, opts]) -> report",
     "Works through chaos scenarios against a target, one after the other:\n"
     "  %{type: :kill_children, kill_rate: 0.5, duration_ms: 1000, ...}\n"
     "  %{type: :concurrent, scenario: scenario} or %{type: :concurrent, build: fun/1 of the target}\n"
     "with [timeout: ms] for all of them. The report has total_scenarios, passed, failed, failures and\n"
     "duration_ms.\n"},
    {"run_chaos_suite", 3, serve_run_chaos_suite, NULL, NULL},
    {"heal_all", 0, serve_heal_all, "heal_all() -> [map]",
     "Undoes every lasting fault of every run, cuts short messages and functions under way, and has runs\n"
     "inject nothing more, those too that have not begun their load. What it undid: a list of\n"
     "%{run_id:, kind:, action:, target:, undone:}.\n"},
    {"validate", 1, serve_validate,
     "validate(scenario) -> {:ok, normalised} | {:error, {:invalid_scenario, problems}}",
     "Checks a scenario without running it. What comes back has all defaults and operations written\n"
     "out; each problem has the path to its place, its kind, and a sentence.\n"},
    {"info", 0, serve_info, "info() -> map",
     "Version, node, uptime, runs under way and queued, peers, processes, limits and counters.\n"},
    {"help", 0, serve_help, "help() -> text", "What can be called, and how.\n"},
    {"help", 1, serve_help_on, "help(function) -> text", "More about one function.\n"},
};

static void serve_help(struct api *api, struct request *request)
{
    (void)api;
    struct buffer text = {0};
    static const char head[] =
        "Functions of this node. Call them from any connected node:\n"
        "  :erpc.call(node, :harness, function, arguments)       :erpc / :rpc\n"
        "  GenServer.call({:harness, node}, {function, arg...})  a bare atom when it has no arguments\n\n";
    buffer_append(&text, head, sizeof(head) - 1);
    for (size_t i = 0; i < ARRAY_LENGTH(functions); i++) {
        if (!functions[i].usage) /* another arity of the one before */
            continue;
        buffer_append(&text, "  ", 2);
        buffer_append(&text, functions[i].usage, strlen(functions[i].usage));
        buffer_append(&text, "\n", 1);
    }
    term_build_binary(request_answer(request), buffer_bytes(&text), text.size);
    request_return(request);
    buffer_free(&text);
}

static void serve_help_on(struct api *api, struct request *request)
{
    (void)api;
    struct buffer text = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(functions); i++) {
        if (!functions[i].usage || !term_is_atom(request->arguments[0], functions[i].name))
            continue;
        buffer_append(&text, functions[i].usage, strlen(functions[i].usage));
        buffer_append(&text, "\n\n", 2);
        buffer_append(&text, functions[i].help, strlen(functions[i].help));
    }
    if (!text.size) {
        static const char none[] = "There is no such function; help() lists those that there are.\n";
        buffer_append(&text, none, sizeof(none) - 1);
    }
    term_build_binary(request_answer(request), buffer_bytes(&text), text.size);
    request_return(request);
    buffer_free(&text);
}

/* GenServer calls name no module. */
static bool is_our_module(struct term module)
{
    return !module.data || term_is_atom(module, "harness") ||
           term_is_atom(module, "Elixir.Supertester.ConcurrentHarness");
}

void api_serve(void *owner, struct request *request)
{
    struct api *api = owner;
    api->requests++;
    for (size_t i = 0; is_our_module(request->module) && i < ARRAY_LENGTH(functions); i++) {
        if (functions[i].arity == request->arity && term_is_atom(request->function, functions[i].name)) {
            functions[i].serve(api, request);
            return;
        }
    }
    request_undefined(request);
}

struct api *api_new(const struct api_parts *parts)
{
    struct api *api = memory_zalloc(1, sizeof(*api));
    *api = (struct api){.node = parts->node,
                        .runner = parts->runner,
                        .runs = parts->runs,
                        .schedules = parts->schedules,
                        .config = parts->config,
                        .started_ns = clock_ns()};
    return api;
}

void api_free(struct api *api)
{
    free(api);
}

uint64_t api_requests(const struct api *api)
{
    return api->requests;
}
