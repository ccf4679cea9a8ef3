#include "suite_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api_private.h"
#include "base/clock.h"
#include "base/memory.h"
#include "load/scenario_dispose.h"
#include "node/large_answers.h"
#include "node/rpc_out.h"
#include "reading_private.h"
#include "report/reason.h"
#include "suite_scenario_private.h"
#include "term/term_gaps.h"
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
    struct term_list scenarios;     /* those that are still to come */
    struct suite_scenario scenario; /* the one that is under way */
    size_t total;
    size_t passed;
    size_t failed;
    uint64_t id;                /* of the suite */
    struct term_builder report; /* {error, {cancelled, Report}} so far, the failures being its last part */
    size_t report_at;           /* where the report begins in it, and where its list of failures does */
    size_t failures_at;
    uint64_t started_ns;
    uint64_t ends_ns; /* 0: there is no timeout */
    bool timed_out;
    bool cancelled;
    struct loop_timer deadline;
    struct loop_task step;
    struct loop_task reap;
    uint64_t run_id; /* 0: none is under way */
    struct run_wait wait;
    struct rpc_call *build;
    struct scenario_reading reading; /* of the scenario that is under way */
    struct buffer read;    /* what is being read, if it lasts no longer than until it is asked for */
    struct term_gaps gaps; /* of the report: scenarios that are large */
    struct request_work work;
    bool is_aside; /* the thread reads, looks at the next scenario, or completes the report */
};

static void suite_reap(void *owner)
{
    struct suite *suite = owner;
    loop_timer_free(&suite->deadline);
    term_build_free(&suite->report);
    term_gaps_free(&suite->gaps);
    suite_scenario_free(&suite->scenario);
    free(suite);
}

/* --- Verdicts --- */

/* What is large is copied in the end: the request has it until then. */
static void suite_append_scenario(struct suite *suite)
{
    suite->report.gaps = &suite->gaps;
    term_build_term(&suite->report, suite->scenario.term);
    suite->report.gaps = NULL;
}

/* The beginning of a failure, up to its reason. */
static void suite_open_failure(struct suite *suite)
{
    if (!suite->failed++)
        term_build_list(&suite->report, 1);
    term_build_map(&suite->report, 2);
    term_build_key(&suite->report, "scenario");
    suite_append_scenario(suite);
    term_build_key(&suite->report, "reason");
}

static void suite_fail(struct suite *suite, struct term reason)
{
    suite_open_failure(suite);
    term_build_term(&suite->report, reason);
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

/* --- The report --- */

static void suite_begin_report(struct suite *suite)
{
    struct term_builder *report = &suite->report;
    term_build_tuple(report, 2);
    term_build_atom(report, "error");
    reason_open(REASON_CANCELLED, 2, report);
    suite->report_at = report->bytes.size;
    term_build_map(report, 5);
    term_build_key(report, "failures");
    suite->failures_at = report->bytes.size;
}

/* Puts {ok, _} in the place of what is in front of the report, which is longer. */
static void suite_be_complete(struct suite *suite)
{
    struct buffer *bytes = &suite->report.bytes;
    struct term_builder front = {0};
    term_build_tuple(&front, 2);
    term_build_atom(&front, "ok");
    const struct term ok = term_built(&front);
    assert(ok.size <= suite->report_at);
    buffer_consume(bytes, suite->report_at - ok.size);
    memcpy(buffer_bytes(bytes), ok.data, ok.size);
    suite->report_at = ok.size;
    term_build_free(&front);
}

/* The report is as large as its failures: it is never copied. */
static struct blob *suite_end_report(struct suite *suite)
{
    struct term_builder *report = &suite->report;
    term_build_nil(report);
    if (suite->failed)
        term_build_set_count(report, suite->failures_at, suite->failed);
    term_build_key_unsigned(report, "total_scenarios", suite->total);
    term_build_key_unsigned(report, "passed", suite->passed);
    term_build_key_unsigned(report, "failed", suite->failed);
    term_build_key_unsigned(report, "duration_ms", (clock_ns() - suite->started_ns) / CLOCK_NS_PER_MS);
    if (!suite->cancelled)
        suite_be_complete(suite);
    return blob_take(&report->bytes, node_loop(suite->node));
}

static enum outcome suite_outcome(const struct suite *suite)
{
    if (suite->cancelled)
        return OUTCOME_CANCELLED;
    return suite->failed ? OUTCOME_FAILED : OUTCOME_COMPLETED;
}

static void suite_answer(struct request_work *work)
{
    struct suite *suite = CONTAINER_OF(work, struct suite, work);
    struct blob *result = suite_end_report(suite);
    struct term report = {result->data + suite->report_at, result->size - suite->report_at};
    suite->is_aside = false;
    runs_end_suite(suite->runs, suite->id, suite_outcome(suite), blob_hold(result));
    (void)request_answer(suite->request);
    request_return_with(suite->request, report, result);
    blob_release(result);
    process_exit_atom(suite->process, "normal");
    loop_timer_stop(&suite->deadline);
    loop_defer(node_loop(suite->node), &suite->reap);
}

static void suite_complete_report(struct request_work *work)
{
    struct suite *suite = CONTAINER_OF(work, struct suite, work);
    bool has_more = term_gaps_fill(&suite->gaps, &suite->report.bytes, SIZE_MAX);
    assert(!has_more);
}

/* Has something done by the thread, or at once when there is no time for it any more. */
static void suite_do_aside(struct suite *suite, void (*do_it)(struct request_work *work),
                           void (*done)(struct request_work *work), size_t bytes)
{
    suite->work = (struct request_work){
        .request = suite->request, .bytes = bytes, .work = do_it, .done = done, .is_kept = true};
    suite->is_aside = !runs_stopping(suite->runs);
    if (suite->is_aside) {
        request_work_start(&suite->work);
    } else {
        do_it(&suite->work);
        done(&suite->work);
    }
}

static void suite_finish(struct suite *suite)
{
    if (suite->gaps.count)
        suite_do_aside(suite, suite_complete_report, suite_answer, suite->report.bytes.size);
    else
        suite_answer(&suite->work);
}

/* The next scenario is begun at the end of the pass: the run that is ending is still being left. */
static void suite_go_on(struct suite *suite)
{
    suite->run_id = 0;
    if (runs_stopping(suite->runs))
        suite->step.run(suite);
    else
        loop_defer_piece(node_loop(suite->node), &suite->step);
}

/* Why the scenarios that are still to come are not begun, or NULL. */
static const char *suite_obstacle(const struct suite *suite)
{
    if (suite->timed_out || (suite->ends_ns && clock_ns() >= suite->ends_ns))
        return "suite_timeout";
    if (runs_stopping(suite->runs))
        return "stopping";
    return suite->cancelled ? "cancelled" : NULL;
}

static void suite_leave_out(struct suite *suite, const char *obstacle)
{
    if (strcmp(obstacle, "stopping") == 0)
        suite_fail_pair_atom(suite, "busy", obstacle);
    else
        suite_fail_atom(suite, obstacle);
}

/* --- Runs --- */

/* Of a failed chaos the reason itself, as the library's helper would have raised it. */
static void suite_judge(struct suite *suite, struct term result)
{
    struct term parts[3], inner[2];
    size_t arity = 0;
    bool is_pair = term_read_tuple(result, 3, parts, &arity) && arity >= 2; /* or has a report as well */
    if (suite->timed_out)
        suite_fail_atom(suite, "timeout");
    else if (is_pair && term_is_atom(parts[0], "ok"))
        suite->passed++;
    else if (is_pair && suite->scenario.kind == SUITE_ROUNDS && term_read_tuple_of(parts[1], 2, inner) &&
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

static void suite_refuse_invalid(struct suite *suite)
{
    struct term_builder invalid = {0};
    problems_build(&suite->reading.problems, &invalid);
    suite_fail(suite, term_built(&invalid));
    term_build_free(&invalid);
    suite_go_on(suite);
}

static void suite_fail_unrecorded(struct suite *suite, const char *problem)
{
    struct term_builder text = {0};
    term_build_text(&text, problem);
    suite_fail_pair(suite, "audit_failed", term_built(&text));
    term_build_free(&text);
}

static void suite_begin_run(struct suite *suite)
{
    struct scenario *scenario = suite->reading.scenario;
    const char *busy, *unrecorded = runs_audit_problem(suite->runs, scenario);
    struct runs_request request = {.scenario = scenario,
                                   .by = "run_chaos_suite",
                                   .digest = suite->reading.digest,
                                   .caller = suite->request->caller,
                                   .node = suite->request->peer,
                                   .is_callers = request_expects_answer(suite->request),
                                   .suite = suite->id,
                                   .group_leader = suite->request->group_leader};
    if (!unrecorded && runs_start(suite->runs, &request, &suite->run_id, &busy)) {
        bool waits = runs_wait(suite->runs, suite->run_id, &suite->wait);
        assert(waits); /* it is the first one */
        return;
    }
    scenario_dispose(node_loop(suite->node), scenario);
    if (unrecorded)
        suite_fail_unrecorded(suite, unrecorded);
    else
        suite_fail_pair_atom(suite, "busy", busy);
    suite_go_on(suite);
}

static void suite_take_read(struct suite *suite)
{
    if (suite->reading.scenario)
        suite_begin_run(suite);
    else
        suite_refuse_invalid(suite);
    problems_free(&suite->reading.problems);
}

static void suite_on_read(void *owner)
{
    struct suite *suite = owner;
    const char *obstacle = suite_obstacle(suite);
    suite->is_aside = false;
    buffer_free(&suite->read);
    if (!obstacle) {
        suite_take_read(suite);
        return;
    }
    problems_free(&suite->reading.problems);
    scenario_dispose(node_loop(suite->node), suite->reading.scenario);
    suite_leave_out(suite, obstacle);
    suite_go_on(suite);
}

/* A term that does not last until it was read is copied. */
static void suite_start_run(struct suite *suite, struct term term, bool lasts)
{
    suite->reading = (struct scenario_reading){
        .term = term,
        .origin = {.caller_node = suite->request->peer, .own_node = node_name(suite->node)},
        .is_audited = runs_are_audited(suite->runs),
        .done = suite_on_read,
        .owner = suite};
    if (!reading_is_long(&suite->reading)) {
        reading_do(&suite->reading);
        suite_take_read(suite);
        return;
    }
    if (!lasts) {
        term_keep(&suite->read, term);
        suite->reading.term = term_of(&suite->read);
    }
    suite->is_aside = true;
    reading_start(suite->request, &suite->reading, true);
}

/* {error, Reason, Stack} | {throw | exit, Reason} */
static void suite_builder_done(void *owner, enum rpc_outcome outcome, struct term value)
{
    struct suite *suite = owner;
    struct term parts[3];
    size_t arity = 0;
    suite->build = NULL;
    if (outcome == RPC_RETURNED) {
        suite_start_run(suite, value, false);
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
static void suite_start_build(struct suite *suite)
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
    term_build_term(&arguments, suite->scenario.inside);
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

static void suite_start_inside(struct suite *suite)
{
    suite_start_run(suite, suite->scenario.inside, true);
}

static void suite_refuse_no_map(struct suite *suite)
{
    suite_open_failure(suite);
    term_build_tuple(&suite->report, 2);
    term_build_atom(&suite->report, "badmap");
    suite_append_scenario(suite);
}

static void suite_refuse_no_type(struct suite *suite)
{
    suite_fail_pair_atom(suite, "badkey", "type");
}

static void suite_refuse_other_type(struct suite *suite)
{
    suite_fail_atom(suite, "unknown_scenario_type");
}

static void suite_refuse_no_scenario(struct suite *suite)
{
    suite_fail_atom(suite, "missing_concurrent_scenario");
}

static const struct suite_turn {
    void (*take)(struct suite *suite);
    bool is_decided; /* at once: the next may follow */
} turns[SUITE_KINDS] = {
    [SUITE_NONE] = {suite_finish, false},           [SUITE_NO_MAP] = {suite_refuse_no_map, true},
    [SUITE_NO_TYPE] = {suite_refuse_no_type, true}, [SUITE_OTHER_TYPE] = {suite_refuse_other_type, true},
    [SUITE_ROUNDS] = {suite_start_inside, false},   [SUITE_CONCURRENT] = {suite_start_inside, false},
    [SUITE_BUILT] = {suite_start_build, false},     [SUITE_NO_SCENARIO] = {suite_refuse_no_scenario, true},
};

/* Whether it is known already what becomes of the one that was looked at. */
static bool suite_take(struct suite *suite, const char *obstacle)
{
    const struct suite_turn *turn = &turns[suite->scenario.kind];
    if (obstacle && suite->scenario.kind != SUITE_NONE) {
        suite_leave_out(suite, obstacle);
        return true;
    }
    turn->take(suite);
    return turn->is_decided;
}

static void suite_look(struct request_work *work)
{
    struct suite *suite = CONTAINER_OF(work, struct suite, work);
    suite_scenario_next(&suite->scenario, &suite->scenarios, suite->target);
}

static void suite_on_looked(struct request_work *work)
{
    struct suite *suite = CONTAINER_OF(work, struct suite, work);
    suite->is_aside = false;
    if (suite_take(suite, suite_obstacle(suite)))
        suite_go_on(suite);
}

static void suite_step(void *owner)
{
    struct suite *suite = owner;
    struct loop *loop = node_loop(suite->node);
    const char *obstacle = suite_obstacle(suite);
    do {
        if (suite_scenario_is_large(&suite->scenarios)) {
            suite_do_aside(suite, suite_look, suite_on_looked, suite->request->argument_list.size);
            return;
        }
        suite_look(&suite->work);
        if (!suite_take(suite, obstacle))
            return;
    } while (runs_stopping(suite->runs) || loop_has_time(loop));
    loop_defer_piece(loop, &suite->step);
}

/* What is under way ends; a run still cleans up. */
static void suite_cut_short(struct suite *suite, const char *reason)
{
    if (suite->run_id) {
        runs_cancel(suite->runs, suite->run_id);
    } else if (suite->build) {
        rpc_call_cancel(suite->build);
        suite->build = NULL;
        suite_fail_atom(suite, reason);
        suite_go_on(suite);
    } else if (runs_stopping(suite->runs) && !suite->is_aside) {
        loop_cancel(node_loop(suite->node), &suite->step);
        suite->step.run(suite);
    }
}

static void suite_on_deadline(void *owner)
{
    struct suite *suite = owner;
    suite->timed_out = true;
    suite_cut_short(suite, "timeout");
}

static void suite_on_cancel(void *owner)
{
    struct suite *suite = owner;
    suite->cancelled = true;
    suite_cut_short(suite, "cancelled");
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
    const struct runs_suite entry = {.by = "run_chaos_suite",
                                     .caller = request->caller,
                                     .node = request->peer,
                                     .is_callers = request_expects_answer(request),
                                     .target = suite->target,
                                     .cancel = suite_on_cancel,
                                     .owner = suite};
    const char *busy;
    if (!runs_open_suite(runs, &entry, &suite->id, &busy)) {
        answer_error_of(request, ANSWER_BUSY, busy);
        free(suite);
        return;
    }
    api_audit_accepted(request);
    suite->wait = (struct run_wait){.done = suite_run_done, .owner = suite};
    suite->process = process_spawn(node, &process_events, suite);
    suite->step = (struct loop_task){.run = suite_step, .owner = suite};
    suite->reap = (struct loop_task){.run = suite_reap, .owner = suite};
    loop_timer_init(&suite->deadline, node_loop(node), suite_on_deadline, suite);
    if (timeout_ms) {
        suite->ends_ns = suite->started_ns + timeout_ms * CLOCK_NS_PER_MS;
        loop_timer_set(&suite->deadline, timeout_ms * CLOCK_NS_PER_MS);
    }
    suite_begin_report(suite);
    loop_defer(node_loop(node), &suite->step);
}
