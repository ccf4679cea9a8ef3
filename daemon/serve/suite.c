#include "suite_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "node/rpc_out.h"
#include "report/reason.h"
#include "scenario/scenario_term.h"
#include "term/term_read.h"

/* What a builder of a scenario has when the suite has no timeout. */
#define BUILD_NS (3600 * CLOCK_NS_PER_S)
#define MOST_MS 4294967295LL

struct suite {
    struct runs *runs;
    struct node *node;
    struct request *request;
    struct process *process; /* calls builders */
    struct term target;
    struct term_list scenarios; /* those that are still to come */
    struct term scenario;       /* the one that is under way */
    size_t total;
    size_t passed;
    size_t failed;
    struct term_builder failures; /* the elements */
    uint64_t started_ns;
    uint64_t ends_ns; /* 0: there is no timeout */
    bool timed_out;
    bool is_rounds; /* the scenario is of the type kill_children */
    struct loop_timer deadline;
    struct loop_task step;
    struct loop_task reap;
    uint64_t run_id; /* 0: none is under way */
    struct run_wait wait;
    struct rpc_call *build;
};

static void suite_reap(void *owner)
{
    struct suite *suite = owner;
    loop_timer_free(&suite->deadline);
    term_build_free(&suite->failures);
    free(suite);
}

/* --- Verdicts --- */

static void suite_fail(struct suite *suite, struct term reason)
{
    suite->failed++;
    term_build_map(&suite->failures, 2);
    term_build_key(&suite->failures, "scenario");
    term_build_term(&suite->failures, suite->scenario);
    term_build_key(&suite->failures, "reason");
    term_build_term(&suite->failures, reason);
}

static void suite_fail_atom(struct suite *suite, const char *reason)
{
    struct term_builder atom = {0};
    term_build_atom(&atom, reason);
    suite_fail(suite, term_built(&atom));
    term_build_free(&atom);
}

/* {Tag, Detail} */
static void suite_fail_pair(struct suite *suite, const char *tag, struct term detail)
{
    struct term_builder pair = {0};
    term_build_tuple(&pair, 2);
    term_build_atom(&pair, tag);
    term_build_term(&pair, detail);
    suite_fail(suite, term_built(&pair));
    term_build_free(&pair);
}

static void suite_fail_pair_atom(struct suite *suite, const char *tag, const char *detail)
{
    struct term_builder atom = {0};
    term_build_atom(&atom, detail);
    suite_fail_pair(suite, tag, term_built(&atom));
    term_build_free(&atom);
}

static void suite_finish(struct suite *suite)
{
    struct term_builder *answer = request_answer(suite->request);
    term_build_map(answer, 5);
    term_build_key_unsigned(answer, "total_scenarios", suite->total);
    term_build_key_unsigned(answer, "passed", suite->passed);
    term_build_key_unsigned(answer, "failed", suite->failed);
    term_build_key(answer, "failures");
    term_build_list(answer, suite->failed);
    buffer_append(&answer->bytes, buffer_bytes(&suite->failures.bytes), suite->failures.bytes.size);
    if (suite->failed)
        term_build_nil(answer);
    term_build_key_unsigned(answer, "duration_ms", (clock_ns() - suite->started_ns) / CLOCK_NS_PER_MS);
    request_return(suite->request);
    process_exit_atom(suite->process, "normal");
    loop_timer_stop(&suite->deadline);
    loop_defer(node_loop(suite->node), &suite->reap);
}

/* The next scenario is begun at the end of the pass: the run that is ending is still being left. */
static void suite_go_on(struct suite *suite)
{
    suite->run_id = 0;
    if (runs_stopping(suite->runs))
        suite->step.run(suite);
    else
        loop_defer(node_loop(suite->node), &suite->step);
}

/* --- Runs --- */

/* Of a failed chaos the reason itself, as the library's helper would have raised it. */
static void suite_judge(struct suite *suite, struct term result)
{
    struct term parts[2], inner[2];
    bool is_pair = term_read_tuple_of(result, 2, parts);
    if (suite->timed_out)
        suite_fail_atom(suite, "timeout");
    else if (is_pair && term_is_atom(parts[0], "ok"))
        suite->passed++;
    else if (is_pair && suite->is_rounds && term_read_tuple_of(parts[1], 2, inner) &&
             reason_is(REASON_CHAOS_FAILED, inner[0]))
        suite_fail(suite, inner[1]);
    else if (is_pair)
        suite_fail(suite, parts[1]);
}

static void suite_run_done(void *owner, const struct run_answer *answer)
{
    struct suite *suite = owner;
    suite_judge(suite, answer->result);
    suite_go_on(suite);
}

static void suite_start_run(struct suite *suite, struct term term)
{
    struct problems problems = {0};
    struct scenario_origin origin = {.caller_node = suite->request->peer, .own_node = node_name(suite->node)};
    struct scenario *scenario = scenario_term_read(term, &origin, &problems);
    if (!scenario) {
        struct term_builder invalid = {0};
        problems_build(&problems, &invalid);
        suite_fail(suite, term_built(&invalid));
        term_build_free(&invalid);
        problems_free(&problems);
        suite_go_on(suite);
        return;
    }
    problems_free(&problems);
    const char *busy;
    struct runs_request request = {.scenario = scenario,
                                   .by = "run_chaos_suite",
                                   .caller = suite->request->caller,
                                   .is_callers = request_expects_answer(suite->request),
                                   .group_leader = suite->request->group_leader};
    if (runs_start(suite->runs, &request, &suite->run_id, &busy)) {
        bool waits = runs_wait(suite->runs, suite->run_id, &suite->wait);
        assert(waits); /* it is the first one */
        return;
    }
    scenario_free(scenario);
    suite_fail_pair_atom(suite, "busy", busy);
    suite_go_on(suite);
}

/* A scenario without load: its options are all keys but the type. */
static void suite_start_rounds(struct suite *suite)
{
    struct term_builder scenario = {0}, options = {0};
    struct term_pairs pairs;
    struct term key, value;
    size_t count = 0;
    bool is_map = term_pairs_start(&pairs, suite->scenario);
    while (is_map && term_pairs_next(&pairs, &key, &value)) {
        if (term_is_atom(key, "type"))
            continue;
        term_build_term(&options, key);
        term_build_term(&options, value);
        count++;
    }
    suite->is_rounds = true;
    term_build_map(&scenario, 5);
    term_build_key(&scenario, "target");
    term_build_term(&scenario, suite->target);
    term_build_key(&scenario, "threads");
    term_build_list(&scenario, 1);
    term_build_nil(&scenario); /* one script without operations */
    term_build_nil(&scenario);
    term_build_key(&scenario, "events");
    term_build_atom(&scenario, "none");
    term_build_key_unsigned(&scenario, "timeout_ms", MOST_MS);
    term_build_key(&scenario, "chaos");
    term_build_tuple(&scenario, 2);
    term_build_atom(&scenario, "kill_children");
    term_build_map(&scenario, count);
    buffer_append(&scenario.bytes, buffer_bytes(&options.bytes), options.bytes.size);
    suite_start_run(suite, term_built(&scenario));
    term_build_free(&options);
    term_build_free(&scenario);
}

/* {error, Reason, Stack} | {throw | exit, Reason} */
static void suite_builder_done(void *owner, enum rpc_outcome outcome, struct term value)
{
    struct suite *suite = owner;
    struct term parts[3];
    size_t arity = 0;
    suite->build = NULL;
    if (outcome == RPC_RETURNED) {
        suite_start_run(suite, value);
        return;
    }
    if (outcome == RPC_RAISED && term_read_tuple(value, 3, parts, &arity) && arity >= 2)
        suite_fail_pair(suite, "scenario_builder_failed", parts[1]);
    else
        suite_fail_pair_atom(suite, "scenario_builder_failed",
                             outcome == RPC_TIMEOUT ? "timeout" : "nodedown");
    suite_go_on(suite);
}

/* erlang:apply(Fun, [Target]) on the caller's node. */
static void suite_start_build(struct suite *suite, struct term fun)
{
    struct term_builder arguments = {0};
    struct rpc_request request = {.node = suite->request->peer,
                                  .module = "erlang",
                                  .function = "apply",
                                  .group_leader = suite->request->group_leader,
                                  .timeout_ns = BUILD_NS};
    if (!request.group_leader.data)
        request.group_leader = suite->request->caller;
    term_build_list(&arguments, 2);
    term_build_term(&arguments, fun);
    term_build_list(&arguments, 1);
    term_build_term(&arguments, suite->target);
    term_build_nil(&arguments);
    term_build_nil(&arguments);
    request.arguments = term_built(&arguments);
    suite->build = rpc_call_start(suite->process, &request, suite_builder_done, suite);
    term_build_free(&arguments);
    if (!suite->build) {
        suite_fail_pair_atom(suite, "scenario_builder_failed", "nodedown");
        suite_go_on(suite);
    }
}

/* --- Scenarios --- */

static void suite_start_concurrent(struct suite *suite)
{
    struct term scenario, fun;
    struct term_pairs pairs;
    if (term_pairs_get(suite->scenario, "scenario", &scenario) && term_pairs_start(&pairs, scenario)) {
        suite_start_run(suite, scenario);
    } else if (term_pairs_get(suite->scenario, "build", &fun) && term_type(fun) == TERM_FUN) {
        suite_start_build(suite, fun);
    } else {
        suite_fail_atom(suite, "missing_concurrent_scenario");
        suite_go_on(suite);
    }
}

static void suite_start_scenario(struct suite *suite)
{
    struct term type;
    suite->is_rounds = false;
    if (term_type(suite->scenario) != TERM_MAP) {
        suite_fail_pair(suite, "badmap", suite->scenario);
        suite_go_on(suite);
    } else if (!term_pairs_get(suite->scenario, "type", &type)) {
        suite_fail_pair_atom(suite, "badkey", "type");
        suite_go_on(suite);
    } else if (term_is_atom(type, "kill_children")) {
        suite_start_rounds(suite);
    } else if (term_is_atom(type, "concurrent")) {
        suite_start_concurrent(suite);
    } else {
        suite_fail_atom(suite, "unknown_scenario_type");
        suite_go_on(suite);
    }
}

static void suite_step(void *owner)
{
    struct suite *suite = owner;
    bool is_late = suite->timed_out || (suite->ends_ns && clock_ns() >= suite->ends_ns);
    while (term_list_next(&suite->scenarios, &suite->scenario)) {
        if (!is_late && !runs_stopping(suite->runs)) {
            suite_start_scenario(suite);
            return;
        }
        if (is_late)
            suite_fail_atom(suite, "suite_timeout");
        else
            suite_fail_pair_atom(suite, "busy", "stopping");
    }
    suite_finish(suite);
}

/* The run that is under way still cleans up. */
static void suite_on_deadline(void *owner)
{
    struct suite *suite = owner;
    suite->timed_out = true;
    if (suite->run_id) {
        runs_cancel(suite->runs, suite->run_id);
    } else if (suite->build) {
        rpc_call_cancel(suite->build);
        suite->build = NULL;
        suite_fail_atom(suite, "timeout");
        suite_go_on(suite);
    }
}

/* `timeout` of the options, infinity by default. False when they are none. */
static bool suite_read_timeout(struct term options, uint64_t *timeout_ms)
{
    struct term_pairs pairs;
    struct term value;
    int64_t number;
    *timeout_ms = 0;
    if (!term_pairs_start(&pairs, options))
        return false;
    if (!term_pairs_get(options, "timeout", &value) || term_is_atom(value, "infinity"))
        return true;
    if (!term_read_integer(value, &number) || number < 1 || number > MOST_MS)
        return false;
    *timeout_ms = (uint64_t)number;
    return true;
}

static const struct process_events process_events = {0};

void chaos_suite_run(struct runs *runs, struct node *node, struct request *request)
{
    static const uint8_t nil[] = {TERM_TAG_NIL};
    struct term options = request->arity > 2 ? request->arguments[2] : (struct term){nil, sizeof(nil)};
    struct term_list scenarios;
    uint64_t timeout_ms;
    if (!term_list_start(&scenarios, request->arguments[1]) || !suite_read_timeout(options, &timeout_ms)) {
        struct term_builder error = {0};
        term_build_atom(&error, "badarg");
        request_raise(request, term_built(&error), (struct term){nil, sizeof(nil)});
        term_build_free(&error);
        return;
    }
    struct suite *suite = memory_zalloc(1, sizeof(*suite));
    *suite = (struct suite){.runs = runs,
                            .node = node,
                            .request = request,
                            .target = request->arguments[0],
                            .scenarios = scenarios,
                            .total = scenarios.count,
                            .started_ns = clock_ns()};
    suite->wait = (struct run_wait){.done = suite_run_done, .owner = suite};
    suite->process = process_spawn(node, &process_events, suite);
    suite->step = (struct loop_task){.run = suite_step, .owner = suite};
    suite->reap = (struct loop_task){.run = suite_reap, .owner = suite};
    loop_timer_init(&suite->deadline, node_loop(node), suite_on_deadline, suite);
    if (timeout_ms) {
        suite->ends_ns = suite->started_ns + timeout_ms * CLOCK_NS_PER_MS;
        loop_timer_set(&suite->deadline, timeout_ms * CLOCK_NS_PER_MS);
    }
    loop_defer(node_loop(node), &suite->step);
}
