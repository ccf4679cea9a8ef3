#include "serve/api.h"

#include <stdlib.h>
#include <string.h>

#include "api_private.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/nearest.h"
#include "config/access.h"
#include "library_private.h"
#include "run/heal_all.h"
#include "suite_private.h"
#include "term/term_read.h"

static void serve_run_chaos_suite(struct api *api, struct request *request)
{
    chaos_suite_run(api->runs, api->node, request);
}

static void api_on_all_healed(void *owner, struct term healed)
{
    struct request *request = owner;
    term_build_term(request_answer(request), healed);
    request_return(request);
}

static void serve_heal_all(struct api *api, struct request *request)
{
    log_info("undoing all faults", log_string("requester", request->peer));
    heal_all(api->runner, api->node, api_on_all_healed, request);
}

static void serve_schedules(struct api *api, struct request *request)
{
    schedules_build(api->schedules, request_answer(request));
    request_return(request);
}

/* --- The table --- */

static const struct api_function functions[] = {
    {.name = "run",
     .arity = 1,
     .serve = serve_run,
     .changes = true,
     .usage = "run(Scenario) -> {ok, Report} | {error, Reason}",
     .help =
         "Runs a scenario and answers when it has ended. A scenario is a map, a keyword list or a "
         "struct; `{file, Name}` stands for that of a JSON file in the configuration's `scenario_dir`, "
         "here and for `start` and `validate`, and `{file, Name, Overrides}` has a map merged over it, in "
         "which `node` says where names without a node are. When its caller dies, the run is cancelled.",
     .example = "{:ok, report} = :erpc.call(h, :harness, :run, [\n"
                "  %{target: {:account, :\"app@127.0.0.1\"}, threads: [[:balance, {:cast, {:deposit, 1}}]]}\n"
                "]); report.metrics.total_operations\n"},
    {.name = "run_with_performance",
     .arity = 2,
     .serve = serve_run_with_performance,
     .changes = true,
     .usage = "run_with_performance(Scenario, Expectations) -> {ok, Report} | {error, Reason}",
     .help = "As `run`; raises when the run as a whole has missed an expectation of the keyword list."},
    {.name = "start",
     .arity = 1,
     .serve = serve_start,
     .changes = true,
     .usage = "start(Scenario) -> {ok, RunId} | {error, Reason}",
     .help = "Starts a run of a scenario, which goes on without its caller, and answers at once. Hooks are "
             "applied on the target's node unless `hooks_node` says otherwise (with a `setup` on the "
             "caller's); what they print is logged by the daemon. A run that has no room waits in a queue.",
     .example = "scenario = %{\n"
                "  target: {:account, :\"app@127.0.0.1\"},\n"
                "  load: %{rate: 100, duration_ms: 2_000},\n"
                "  operations: [:balance]\n"
                "}\n"
                "{:ok, id} = :erpc.call(h, :harness, :start, [scenario])\n"
                ":erpc.call(h, :harness, :status, [id]).state      # from any node, whenever\n"
                "{:ok, report} = :erpc.call(h, :harness, :await, [id]); report.metrics.total_operations\n"},
    {.name = "await",
     .arity = 1,
     .serve = serve_await,
     .usage = "await(RunId[, TimeoutMs]) -> {ok, Report} | {error, Reason} | {error, timeout}",
     .help = "Waits until a run has ended, and answers what `run` would have. Up to 1,000 processes may wait "
             "for a run, and the next is answered `{error, {busy, waits}}`; giving up ends the wait, never "
             "the run. `{error, not_found}` when there is no such run, "
             "or not any more, here and wherever a run is named."},
    {.name = "await", .arity = 2, .serve = serve_await},
    {.name = "report",
     .arity = 1,
     .serve = serve_report,
     .usage = "report(RunId) -> {ok, Report} | {error, Reason} | {error, not_finished}",
     .help = "As `await`, without waiting. `{error, {interrupted, Report}}` when the daemon ended before the "
             "run: then the report is what its journal has, without events and threads, or nil."},
    {.name = "partial",
     .arity = 1,
     .serve = serve_partial,
     .usage = "partial(RunId) -> {ok, Report} | {error, not_started}",
     .help = "What a run has recorded so far, or until it failed or was interrupted: a report as of now."},
    {.name = "show",
     .arity = 1,
     .serve = serve_show,
     .usage = "show(RunId) -> Text, show(Report) -> Text, show(Answer) -> Text",
     .help =
         "What came of a run, or what it has recorded so far, as text for people: outcome, counts, "
         "expectations, errors, latencies with bars, the course of the load, and faults with their recovery. "
         "Of what run or await has answered, also {error, Reason}, there is what is in it: the id has all.",
     .example = "IO.puts(:erpc.call(h, :harness, :show, [id]))\n"
                "# from erl: io:put_chars(erpc:call(H, harness, show, [Id])).\n"},
    {.name = "status",
     .arity = 1,
     .serve = serve_status,
     .usage = "status(RunId) -> Map",
     .help =
         "How a run stands: what it is at, how it has ended and why, who has started what against whom, "
         "since when, what it has done, and in the queue what it waits for. What is not known, or not yet, "
         "is nil.",
     .tables = {runs_summary_table, runs_status_table}},
    {.name = "runs",
     .arity = 0,
     .serve = serve_runs,
     .usage = "runs() -> [Map]",
     .help = "`status` of all runs, the newest first: queued, under way, and those whose reports are kept; a "
             "suite "
             "stands for its members. Each is as it stood when the list came to it."},
    {.name = "cancel",
     .arity = 1,
     .serve = serve_cancel,
     .changes = true,
     .usage = "cancel(RunId) -> ok | {error, finished}",
     .help = "Has a run end: it undoes its faults and cleans up, and its result is `{error, {cancelled, "
             "Report}}`."},
    {.name = "subscribe",
     .arity = 1,
     .serve = serve_subscribe,
     .usage = "subscribe(RunId | all[, Pid]) -> ok | {error, Reason}",
     .help = "Has a process, the caller's unless given, be told of a run, or of all, while they go on: "
             "`{harness_event, RunId, Event, Measurements, Metadata}`. Events are those of telemetry, which "
             "begin with `supertester`, and `[harness, run, Name]` with `queued`, `start`, `progress` and "
             "`stop`: progress each second, stop when the report is there. It ends with the run, or the "
             "process, whose node has to be connected: `{error, {nodedown, Node}}` "
             "otherwise.",
     .example = ":erpc.call(h, :harness, :subscribe, [:all])\n"
                "flush()\n",
     .tables = {runs_progress_table}},
    {.name = "subscribe", .arity = 2, .serve = serve_subscribe},
    {.name = "unsubscribe",
     .arity = 1,
     .serve = serve_unsubscribe,
     .usage = "unsubscribe(RunId | all[, Pid]) -> ok",
     .help = "Ends what `subscribe` with the same arguments began."},
    {.name = "unsubscribe", .arity = 2, .serve = serve_unsubscribe},
    {.name = "delete",
     .arity = 1,
     .serve = serve_delete,
     .changes = true,
     .usage = "delete(RunId) -> ok | {error, not_finished}",
     .help = "Forgets a run that has ended, and its report; a suite with its members."},
    {.name = "schedules",
     .arity = 0,
     .serve = serve_schedules,
     .usage = "schedules() -> [Map]",
     .help =
         "The configuration's schedules: what is run (`file`, `node`), when (`every_s`, `at`, `next_at`, "
         "`next_in_s`), whether while the last one goes on (`overlap`), and what came of it: `last_run_id`, "
         "and how many times it has started a run (`started`), could not (`failed`), did not as the last one "
         "went on (`skipped`), or was missed as the clock was set over it (`missed`). The log says why."},
    {.name = "simple_genserver_scenario",
     .arity = 3,
     .build = library_simple_genserver_scenario,
     .usage = "simple_genserver_scenario(Module, Operations, ThreadCount[, Options]) -> Scenario",
     .help = "A scenario whose setup is `start_link` of the module with the option `server_opts`, and in "
             "which each thread works through the operations. Other options become keys of the scenario."},
    {.name = "simple_genserver_scenario", .arity = 4, .build = library_simple_genserver_scenario},
    {.name = "from_property_config",
     .arity = 2,
     .build = library_from_property_config,
     .usage = "from_property_config(Module, Config[, Options]) -> Scenario",
     .help = "A scenario from the configuration of a property: its `thread_scripts` are the threads."},
    {.name = "from_property_config", .arity = 3, .build = library_from_property_config},
    {.name = "default_invariant",
     .arity = 2,
     .build = library_default_invariant,
     .usage = "default_invariant(Pid, Context) -> ok",
     .help = "Always met."},
    {.name = "chaos_inject_crash",
     .arity = 0,
     .build = library_chaos_inject_crash,
     .usage = "chaos_inject_crash([Spec[, Options]]) -> ChaosTerm",
     .help = "A chaos term for a scenario's `chaos`: a crash of its subject, at once unless `Spec` says "
             "when. The fault is `inject_crash`."},
    {.name = "chaos_inject_crash", .arity = 1, .build = library_chaos_inject_crash},
    {.name = "chaos_inject_crash", .arity = 2, .build = library_chaos_inject_crash},
    {.name = "chaos_kill_children",
     .arity = 0,
     .build = library_chaos_kill_children,
     .usage = "chaos_kill_children([Options]) -> ChaosTerm",
     .help = "A chaos term for a scenario's `chaos`: children of its subject are killed again and again. The "
             "fault is `kill_children`."},
    {.name = "chaos_kill_children", .arity = 1, .build = library_chaos_kill_children},
    {.name = "run_chaos_suite",
     .arity = 2,
     .serve = serve_run_chaos_suite,
     .changes = true,
     .usage = "run_chaos_suite(Target, Scenarios[, Options]) -> Report",
     .help =
         "Works through chaos scenarios against a target, one after the other: `#{type => kill_children}` "
         "with options of that fault, and `#{type => concurrent, scenario => Scenario}`, or with `build`, a "
         "fun of the target, in the place of `scenario`. The option `timeout` is milliseconds for all of "
         "them. The report has `total_scenarios`, `passed`, `failed`, `failures` and `duration_ms`. A suite "
         "is "
         "one run, whose `members` are runs: `cancel`, `delete` and the death of its caller are for all of "
         "them, "
         "and `runs` has it alone, with up to 100 of them.",
     .example = ":erpc.call(h, :harness, :run_chaos_suite, [{:bank, :\"app@127.0.0.1\"}, [\n"
                "  %{type: :kill_children, kill_rate: 0.5, duration_ms: 1000},\n"
                "  %{type: :concurrent, scenario: scenario}\n"
                "]])\n"},
    {.name = "run_chaos_suite", .arity = 3, .serve = serve_run_chaos_suite, .changes = true},
    {.name = "heal_all",
     .arity = 0,
     .serve = serve_heal_all,
     .changes = true,
     .usage = "heal_all() -> [Map]",
     .help = "Undoes every lasting fault of every run, cuts short messages and functions under way, and has "
             "runs inject nothing more, those too that have not begun their load. What it undid has "
             "`run_id`, `kind`, `action`, `target` and `undone` each."},
    {.name = "validate",
     .arity = 1,
     .serve = serve_validate,
     .usage = "validate(Scenario) -> {ok, Normalised} | {error, {invalid_scenario, Problems}}",
     .help = "Checks a scenario without running it. What comes back has all defaults and operations written "
             "out; each problem has the path to its place, its kind, and a sentence."},
    {.name = "info",
     .arity = 0,
     .serve = serve_info,
     .usage = "info() -> Map",
     .help = "Version, node, uptime, runs under way and queued, peers, processes, limits and counters.",
     .tables = {info_table, info_limits_table, info_counters_table}},
    {.name = "help",
     .arity = 0,
     .serve = serve_help,
     .usage = "help() -> Text",
     .help = "What can be called, and how."},
    {.name = "help",
     .arity = 1,
     .serve = serve_help_on,
     .usage = "help(Topic) -> Text",
     .help = "More about one function, a fault, or a topic that `help()` lists, by its name as an atom or a "
             "text. `help(erlang)` is `help()` in Erlang's notation.",
     .example = "IO.puts(:erpc.call(h, :harness, :help, [:load]))\n"
                "# from erl: io:put_chars(erpc:call(H, harness, help, [load, erlang])).\n"},
    {.name = "help",
     .arity = 2,
     .serve = serve_help_on,
     .usage = "help(Topic, elixir | erlang) -> Text",
     .help = "As `help(Topic)`, in this notation; its own is Elixir's."},
};

const struct api_function *api_functions(size_t *count)
{
    *count = ARRAY_LENGTH(functions);
    return functions;
}

const char *const *api_function_names(void)
{
    static const char *names[ARRAY_LENGTH(functions) + 1];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(functions); i++)
        if (!count || strcmp(names[count - 1], functions[i].name) != 0) /* arities follow one another */
            names[count++] = functions[i].name;
    return names;
}

const struct api_function *api_nearest_function(struct term name)
{
    const char *names[ARRAY_LENGTH(functions)];
    char word[TERM_ATOM_BYTES + 1];
    for (size_t i = 0; i < ARRAY_LENGTH(functions); i++)
        names[i] = functions[i].name;
    if (!term_read_atom(name, word))
        return NULL;
    const char *nearest = nearest_word(word, strlen(word), names, ARRAY_LENGTH(names));
    for (size_t i = 0; nearest && i < ARRAY_LENGTH(functions); i++)
        if (functions[i].usage && strcmp(functions[i].name, nearest) == 0)
            return &functions[i];
    return NULL;
}

/* Logged as well: not every form of answer has room for advice. */
static void api_answer_unknown(struct request *request)
{
    const struct api_function *nearest = api_nearest_function(request->function);
    char name[TERM_ATOM_BYTES + 1] = "";
    char *advice = nearest ? memory_format("nearest: %s", nearest->usage) : NULL;
    if (term_read_atom(request->function, name))
        log_info("unknown function called", log_string("requester", request->peer),
                 log_string("function", name), log_integer("arity", (int64_t)request->arity),
                 log_string("nearest", nearest ? nearest->usage : NULL));
    request_undefined(request, advice);
    free(advice);
}

/* GenServer calls name no module. */
static bool api_is_our_module(struct term module)
{
    return !module.data || term_is_atom(module, "harness") ||
           term_is_atom(module, "Elixir.Supertester.ConcurrentHarness");
}

static void api_call(struct api *api, struct request *request, const struct api_function *function)
{
    const char *rule = access_forbids_function(api->config, request->peer, function->name);
    if (rule) {
        log_info("function denied", log_string("requester", request->peer),
                 log_string("function", function->name), log_string("rule", rule));
        api_audit_denied(api, request, rule);
        answer_not_allowed(request, rule, function->name);
        return;
    }
    if (function->changes)
        api_audit_watch(api, request);
    if (function->build)
        request_answer_by(request, function->build, library_takes_long(request));
    else
        function->serve(api, request);
}

void api_serve(void *owner, struct request *request)
{
    struct api *api = owner;
    api->requests++;
    bool is_ours = api_is_our_module(request->module);
    for (size_t i = 0; is_ours && i < ARRAY_LENGTH(functions); i++) {
        if (functions[i].arity == request->arity && term_is_atom(request->function, functions[i].name)) {
            api_call(api, request, &functions[i]);
            return;
        }
    }
    if (is_ours)
        api_answer_unknown(request);
    else
        request_undefined(request, NULL);
}

struct api *api_new(const struct api_parts *parts)
{
    struct api *api = memory_zalloc(1, sizeof(*api));
    *api = (struct api){.node = parts->node,
                        .runner = parts->runner,
                        .runs = parts->runs,
                        .schedules = parts->schedules,
                        .audit = parts->audit,
                        .config = parts->config,
                        .minute = parts->minute,
                        .started_ns = clock_ns()};
    return api;
}

void api_free(struct api *api)
{
    map_free(&api->starting);
    free(api);
}

uint64_t api_requests(const struct api *api)
{
    return api->requests;
}
