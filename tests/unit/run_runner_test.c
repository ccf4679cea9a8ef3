/* How runs are made, found, told from each other and freed. */
#include "run_runner_world.h"

static const struct runner_limits limits = {.events = 10, .event_bytes = 1000, .custom = 3};

static void make_world(void)
{
    memset(&world, 0, sizeof(world));
    loop_init(&world.loop);
    world.node.loop = &world.loop;
    world.io_server.pid = TERM_ATOM(LEADER);
    world.runner = runner_new(&world.node, &world.io_server, &limits);
}

static void free_world(void)
{
    runner_close(world.runner);
    assert_string_equal(world.processes[0].exited, "shutdown");
    assert_int_equal(world.resolutions_aborted, 1);
    assert_null(world.limit_watch);
    runner_free(world.runner);
    assert_null(world.scripts.process);
    term_build_free(&world.result);
    buffer_free(&world.taken);
    loop_free(&world.loop);
}

static void on_done(void *owner, const struct run *run, struct term raised)
{
    assert_ptr_equal(owner, &world);
    assert_non_null(run);
    assert_null(raised.data);
    world.given_up++;
}

static struct run_request make_request(uint64_t id, size_t threads)
{
    struct scenario *scenario = memory_zalloc(1, sizeof(*scenario));
    scenario->thread_count = threads;
    return (struct run_request){.id = id,
                                .scenario = scenario,
                                .by = "start",
                                .result = &world.result,
                                .done = on_done,
                                .owner = &world};
}

static struct run *start(uint64_t id, size_t threads)
{
    struct run_request request = make_request(id, threads);
    return runner_start(world.runner, &request);
}

/* As its machine does when it is over. */
static void leave(struct run *run)
{
    runner_leave(run);
    loop_defer(&world.loop, &run->reap);
    loop_finish(&world.loop);
}

/* --- Starting --- */

static void test_start(void **state)
{
    (void)state;
    make_world();
    struct run *run = start(7, 3);
    assert_int_equal(run->id, 7);
    assert_int_equal(run->state, RUN_SESSION);
    assert_int_equal(world.begun, 1);
    assert_int_equal(world.logged, 1);
    assert_ptr_equal(run->process, &world.processes[1]);
    assert_ptr_equal(world.processes[1].owner, run);
    assert_ptr_equal(runner_node(world.runner), &world.node);
    assert_ptr_equal(runner_scripts(world.runner), &world.scripts);
    assert_ptr_equal(run->scenario, run->request.scenario);
    expect_term(term_built(&run->group_leader), LEADER);
    assert_false(run->has_group_leader);
    assert_int_equal(run->caller_pid.size, 0);
    assert_string_equal(run->requester, "nobody");
    expect_term(term_kept_long(&run->context).tail, "#{}");
    assert_true(run->created_ns != 0);
    assert_int_equal(runner_counters(world.runner)->started, 1);
    assert_ptr_equal(run_counters(run), runner_counters(world.runner));
    assert_int_equal(runner_resolutions(world.runner)->count, 0);
    free_world();
}

/* It is the timer of the run's state; precise, as it paces the load. */
static void test_timer(void **state)
{
    (void)state;
    make_world();
    struct run *run = start(7, 1);
    assert_true(run->timer.descriptor >= 0);
    loop_timer_set(&run->timer, 0);
    loop_run(&world.loop);
    free_world();
}

static void test_seed(void **state)
{
    (void)state;
    make_world();
    struct run_request request = make_request(7, 1);
    request.scenario->has_seed = true;
    request.scenario->seed = 99;
    assert_int_equal(runner_start(world.runner, &request)->seed, 99);
    uint64_t drawn[] = {start(8, 1)->seed, start(9, 1)->seed};
    assert_true(drawn[0] != drawn[1]);
    assert_true(drawn[0] < UINT64_C(1) << 59 && drawn[1] < UINT64_C(1) << 59);
    free_world();
}

/* The texts of a file are resolved first, unless there will be nothing to do. */
static void test_texts(void **state)
{
    (void)state;
    static uint8_t texts;
    make_world();
    struct run_request request = make_request(7, 2);
    request.scenario->texts = (struct scenario_texts *)&texts; /* only looked for */
    struct run *run = runner_start(world.runner, &request);
    assert_int_equal(run->state, RUN_RESOLVING);
    assert_int_equal(world.begun, 0);
    request.scenario->texts = NULL;
    request = make_request(8, 2);
    request.scenario->texts = (struct scenario_texts *)&texts;
    request.cancelled = true;
    run = runner_start(world.runner, &request);
    assert_int_equal(world.begun, 1);
    assert_true(run->cancelled);
    assert_int_equal(run->scenario->thread_count, 0);
    request.scenario->texts = NULL;
    free_world();
}

static void test_callers(void **state)
{
    (void)state;
    struct term_builder pids[2] = {0};
    make_world();
    struct run_request request = make_request(7, 1);
    request.caller = term_from_text(&pids[0], "$p");
    request.requester = request.caller;
    request.group_leader = request.caller;
    struct run *run = runner_start(world.runner, &request);
    expect_term(term_of(&run->caller_pid), "$p");
    assert_string_equal(run->caller_node, "app@target");
    assert_string_equal(run->requester, "app@target");
    expect_term(term_built(&run->group_leader), "$p");
    assert_true(run->has_group_leader);
    request = make_request(8, 1);
    request.caller = term_from_text(&pids[1], "$o");
    request.requester = TERM_ATOM("no_pid");
    run = runner_start(world.runner, &request);
    expect_term(term_of(&run->caller_pid), "$o");
    assert_string_equal(run->caller_node, ""); /* there is no telemetry on this node */
    assert_string_equal(run->requester, "nobody");
    term_build_free(&pids[0]);
    term_build_free(&pids[1]);
    free_world();
}

static const char *forbids_node(void *owner, const char *node)
{
    assert_string_equal(node, "a@b");
    return owner;
}

static void test_settings(void **state)
{
    (void)state;
    static char rule[] = "rule";
    const struct runner_limits others = {.events = 20};
    const struct blast_radius radius = {.forbids_node = forbids_node, .owner = rule};
    make_world();
    assert_int_equal(runner_limits(world.runner)->events, 10);
    assert_int_equal(runner_limits(world.runner)->custom, 3);
    runner_set_limits(world.runner, &others);
    assert_int_equal(runner_limits(world.runner)->events, 20);
    assert_null(runner_blast_radius(world.runner)->forbids_node);
    runner_set_blast_radius(world.runner, &radius);
    const struct blast_radius *kept = runner_blast_radius(world.runner);
    assert_string_equal(kept->forbids_node(kept->owner, "a@b"), "rule");
    expect_term(runner_group_leader(world.runner), LEADER);
    free_world();
}

/* --- All of them --- */

static struct run *visited[2];
static size_t visit_count;

static void visit(void *owner, struct run *run)
{
    assert_ptr_equal(owner, &world);
    assert_true(visit_count < ARRAY_LENGTH(visited));
    visited[visit_count++] = run;
}

static void test_each(void **state)
{
    (void)state;
    make_world();
    visit_count = 0;
    runner_each(world.runner, visit, &world);
    assert_int_equal(visit_count, 0);
    struct run *runs[] = {start(1, 1), start(2, 1), start(3, 1)};
    leave(runs[1]);
    runner_each(world.runner, visit, &world);
    assert_int_equal(visit_count, 2);
    assert_ptr_equal(visited[0], runs[2]);
    assert_ptr_equal(visited[1], runs[0]);
    leave(runs[2]);
    leave(runs[0]);
    assert_int_equal(world.reaped, 3);
    free_world();
    assert_int_equal(world.given_up, 0);
}

/* What a limit has ended is told to all that go on, whosever it was. */
static void test_limits(void **state)
{
    (void)state;
    make_world();
    struct run *runs[] = {start(1, 1), start(2, 1), start(3, 1)};
    leave(runs[1]);
    world.limit_watch->reached(world.limit_watch->owner, NULL);
    assert_int_equal(world.limits, 2);
    free_world();
}

static void test_outcomes(void **state)
{
    (void)state;
    make_world();
    struct run *runs[] = {start(1, 1), start(2, 1), start(3, 1), start(4, 1)};
    const enum outcome outcomes[] = {OUTCOME_COMPLETED, OUTCOME_FAILED, OUTCOME_FAILED, OUTCOME_CANCELLED};
    for (size_t i = 0; i < ARRAY_LENGTH(runs); i++) {
        struct run_figures figures;
        runs[i]->verdict.outcome = outcomes[i];
        run_figures(runs[i], &figures);
        assert_int_equal(figures.outcome, outcomes[i]);
        leave(runs[i]);
    }
    const struct counters *counters = runner_counters(world.runner);
    assert_int_equal(counters->started, 4);
    assert_int_equal(counters->finished[OUTCOME_COMPLETED], 1);
    assert_int_equal(counters->finished[OUTCOME_FAILED], 2);
    assert_int_equal(counters->finished[OUTCOME_CANCELLED], 1);
    free_world();
}

/* --- How they stand --- */

static void test_figures(void **state)
{
    (void)state;
    struct engine engine = {.in_flight = 4, .threads = 6};
    struct run_figures figures;
    make_world();
    struct run *run = start(7, 1);
    world.record.operations = 11;
    world.record.operation_errors = 2;
    world.record.dropped = 3;
    world.record.started_ns = world.record.ended_ns = clock_ns() - 1000;
    run_figures(run, &figures);
    assert_int_equal(figures.state, RUN_SESSION);
    assert_int_equal(figures.outcome, OUTCOME_NONE);
    assert_false(figures.cancelled);
    run->cancelled = true;
    run_figures(run, &figures);
    assert_true(figures.cancelled);
    run->cancelled = false;
    assert_int_equal(figures.load_ns, 0);
    assert_int_equal(figures.in_flight, 0);
    run->engine = &engine;
    static const enum run_state loading[] = {RUN_STARTING, RUN_LOAD};
    for (size_t i = 0; i < ARRAY_LENGTH(loading); i++) {
        run->state = loading[i];
        run_figures(run, &figures);
        assert_int_equal(figures.operations, 11);
        assert_int_equal(figures.operation_errors, 2);
        assert_int_equal(figures.dropped, 3);
        assert_int_equal(figures.in_flight, 4);
        assert_int_equal(figures.threads_active, 6);
        assert_true(figures.load_ns >= 1000);
    }
    run->state = RUN_INVARIANT;
    world.record.ended_ns = world.record.started_ns + 750;
    run_figures(run, &figures);
    assert_int_equal(figures.load_ns, 750);
    assert_int_equal(figures.threads_active, 0);
    free_world();
}

static void test_all_figures(void **state)
{
    (void)state;
    struct engine engines[] = {{.in_flight = 1, .queued = 20}, {.in_flight = 300, .queued = 4000}};
    struct runner_figures figures;
    make_world();
    start(1, 5);
    struct run *runs[] = {start(2, 60), start(3, 700)};
    for (size_t i = 0; i < 2; i++) {
        runs[i]->engine = &engines[i];
        runs[i]->state = RUN_LOAD;
    }
    runner_figures(world.runner, &figures);
    assert_int_equal(figures.runs[RUN_SESSION], 1);
    assert_int_equal(figures.runs[RUN_LOAD], 2);
    assert_int_equal(figures.threads, 765);
    assert_int_equal(figures.in_flight, 301);
    assert_int_equal(figures.queued, 4020);
    free_world();
}

/* Before there is an engine, it is kept that somebody wants to know. */
static void test_observing(void **state)
{
    (void)state;
    struct engine engine = {.in_flight = 0};
    struct load_recent recent = {.count = 77, .max_us = 1};
    make_world();
    struct run *run = start(7, 1);
    run_observe(run, true);
    assert_true(run->is_observed);
    run_take_recent(run, &recent);
    assert_true(recent.count == 0 && recent.max_us == 0);
    run->engine = &engine;
    run_observe(run, true);
    assert_true(engine.is_observed);
    run_take_recent(run, &recent);
    assert_int_equal(recent.count, 5);
    run_observe(run, false);
    assert_false(engine.is_observed || run->is_observed);
    free_world();
}

/* --- Messages --- */

static void expect_taken(const struct run *run, const char *message, const char *taken)
{
    struct term_builder builder = {0};
    struct process *process = run->process;
    const struct incoming incoming = {.body = term_from_text(&builder, message),
                                      .arrived = {.ns = ARRIVED_NS}};
    buffer_free(&world.taken);
    process->events->message(process->owner, process, &incoming);
    assert_int_equal(world.taken.size, strlen(taken));
    assert_memory_equal(buffer_bytes(&world.taken), taken, strlen(taken));
    term_build_free(&builder);
}

static void test_messages(void **state)
{
    (void)state;
    struct faults faults = {.is_left = false};
    make_world();
    struct run *run = start(7, 1);
    world.session_takes = world.faults_take = true;
    expect_taken(run, "{12, reply}", "load reply");
    expect_taken(run, "{tag, reply}", "session {tag,reply}");
    expect_taken(run, "{12, reply, more}", "session {12,reply,more}");
    world.session_takes = false;
    expect_taken(run, "{key, 1, ok}", "probes {key,1,ok}"); /* there are no faults */
    run->faults = &faults;
    expect_taken(run, "{key, 1, ok}", "faults {key,1,ok}");
    world.faults_take = false;
    expect_taken(run, "{key, 1, ok}", "probes {key,1,ok}");
    expect_taken(run, "hello", "probes hello");
    free_world();
    assert_true(faults.is_left);
}

static void expect_taken_without(const struct run *run, const char *message, const char *taken,
                                 uint64_t operations)
{
    struct term_builder builders[2] = {0};
    struct incoming incoming = {.body = term_from_text(&builders[0], message),
                                .arrived = {.ns = ARRIVED_NS},
                                .too_large = term_from_text(&builders[1], "{message_too_large, 5}")};
    const struct process *process = run->process;
    world.cut = (struct run_limit){.times = 0};
    buffer_free(&world.taken);
    process->events->too_large(process->owner, run->process, &incoming);
    assert_int_equal(world.taken.size, strlen(taken));
    assert_memory_equal(buffer_bytes(&world.taken), taken, strlen(taken));
    assert_int_equal(world.cut.times, *taken != '\0'); /* what nobody waits for is anybody's */
    assert_int_equal(world.cut.operations, operations);
    term_build_free(&builders[0]);
    term_build_free(&builders[1]);
}

static void test_too_large(void **state)
{
    (void)state;
    struct faults faults = {.is_left = false};
    make_world();
    struct run *run = start(7, 1);
    run->engine = (struct engine *)(void *)&world; /* there is one, and nobody looks inside */
    world.session_takes = world.faults_take = true;
    expect_taken_without(run, "{12, {message_too_large, 5}}", "load without {message_too_large,5}", 1);
    expect_taken_without(run, "{key, 1, {message_too_large, 5}}", "session without {message_too_large,5}", 0);
    expect_taken_without(run, "{13, {message_too_large, 5}}", "", 0);
    world.session_takes = false;
    expect_taken_without(run, "{message_too_large, 5}", "", 0); /* there are no faults */
    run->faults = &faults;
    expect_taken_without(run, "{key, 1, {message_too_large, 5}}", "faults without {message_too_large,5}", 0);
    run->engine = NULL;
    free_world();
}

/* --- The end of all --- */

/* What a report had so far is replaced; what stands before it stays. */
static void test_closing(void **state)
{
    (void)state;
    struct faults faults = {.is_left = false};
    make_world();
    term_build_atom(&world.result, "before");
    size_t before = world.result.bytes.size;
    struct run *run = start(7, 1);
    run->faults = &faults;
    term_build_tuple(&world.result, 2); /* a report begins */
    runner_close(world.runner);
    assert_int_equal(world.given_up, 1);
    assert_int_equal(world.stopped, 1);
    assert_int_equal(world.reaped, 1);
    assert_true(faults.is_left);
    assert_string_equal(world.processes[1].exited, "aborted");
    assert_string_equal(world.processes[0].exited, "shutdown");
    const struct term result = {buffer_bytes(&world.result.bytes) + before, world.result.bytes.size - before};
    expect_term(result, "{error, {interrupted, nil}}");
    runner_free(world.runner);
    term_build_free(&world.result);
    loop_free(&world.loop);
}

static void test_closing_several(void **state)
{
    (void)state;
    make_world();
    struct term_builder results[3] = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(results); i++) {
        struct run_request request = make_request(i + 1, 1);
        request.result = &results[i];
        runner_start(world.runner, &request);
    }
    free_world();
    assert_int_equal(world.given_up, 3);
    assert_int_equal(world.reaped, 3);
    for (size_t i = 0; i < ARRAY_LENGTH(results); i++) {
        expect_term(term_built(&results[i]), "{error, {interrupted, nil}}");
        term_build_free(&results[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start),       cmocka_unit_test(test_timer),
        cmocka_unit_test(test_seed),        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_callers),     cmocka_unit_test(test_settings),
        cmocka_unit_test(test_each),        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_limits),      cmocka_unit_test(test_figures),
        cmocka_unit_test(test_all_figures), cmocka_unit_test(test_observing),
        cmocka_unit_test(test_messages),    cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_closing),     cmocka_unit_test(test_closing_several),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
