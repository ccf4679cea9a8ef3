/* Runs with chaos of a daemon whose audit is required: none begins before it is on record. */
#include "registry_world.h"

#include <signal.h>
#include <sys/resource.h>

static struct world world;
static char file[96];

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static int set_up(void **state)
{
    (void)state;
    world_prepare(&world);
    world.has_no_folder = true; /* the disk is the audit's alone */
    snprintf(file, sizeof(file), "%s/audit", world.folder);
    const struct audit_options options = {.file = file, .max_bytes = 1 << 20, .keep = 1, .required = true};
    world.audit = audit_new(&world.loop, &options);
    assert_non_null(world.audit);
    world_open(&world);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    limit_files(RLIM_INFINITY);
    if (world.runs)
        world_close(&world);
    audit_free(world.audit);
    world_free(&world);
    return 0;
}

/* One with a hook, which is chaos as well. */
static uint64_t start_chaos(void)
{
    struct runs_request request = world_request(&world, 1);
    request.scenario->chaos = TERM_ATOM("a_fun");
    return world_ask(&world, &request);
}

static bool file_has(const char *text)
{
    char content[8192] = "";
    FILE *stream = fopen(file, "r");
    assert_non_null(stream);
    content[fread(content, 1, sizeof(content) - 1, stream)] = '\0';
    fclose(stream);
    return strstr(content, text);
}

static void test_it_begins_when_it_is_on_record(void **state)
{
    (void)state;
    uint64_t id = start_chaos();
    world_expect_phase(&world, id, RUN_PHASE_QUEUED);
    world_expect_status(&world, id, "waits_for", "audit");
    uint64_t other = world_start(&world, 1); /* none overtakes another */
    world_expect_phase(&world, other, RUN_PHASE_QUEUED);
    WORLD_UNTIL(&world, runs_phase(world.runs, id) == RUN_PHASE_RUNNING)
        ;
    assert_true(file_has("\"faults\":[\"hook\"]"));
    world_expect_phase(&world, other, RUN_PHASE_RUNNING);
}

static void test_without_chaos_it_begins_at_once(void **state)
{
    (void)state;
    world_expect_phase(&world, world_start(&world, 1), RUN_PHASE_RUNNING);
    struct runs_request request = world_request(&world, 1);
    request.scenario->chaos = TERM_ATOM("a_fun");
    request.scenario->dry_run = true;
    world_expect_phase(&world, world_ask(&world, &request), RUN_PHASE_RUNNING);
}

/* Of the first it is found out by its own line, of the next it is known. */
static void test_it_ends_when_it_cannot_be(void **state)
{
    (void)state;
    struct world_wait wait;
    limit_files(10);
    uint64_t id = start_chaos();
    assert_true(world_wait(&world, id, &wait, RUN_WAIT_RESULT));
    WORLD_UNTIL(&world, wait.times)
        ;
    world_expect_answer(&wait, "{error, {audit_failed, <<\"cannot write: File too large\">>}}");
    world_expect_status(&world, id, "outcome", "not_run");
    assert_int_equal(world.runner.started, 0);
    assert_int_equal(world.runner.refused, 1);
    struct runs_request request = world_request(&world, 1);
    assert_null(runs_audit_problem(world.runs, request.scenario));
    request.scenario->chaos = TERM_ATOM("a_fun");
    assert_string_equal(runs_audit_problem(world.runs, request.scenario), "cannot write: File too large");
    scenario_free(request.scenario);
    world_expect_phase(&world, world_start(&world, 1), RUN_PHASE_RUNNING);
}

static void test_it_may_be_cancelled_meanwhile(void **state)
{
    (void)state;
    uint64_t id = start_chaos(), other = start_chaos();
    runs_cancel(world.runs, id);
    assert_true(world_run(&world, id)->request.cancelled); /* it does nothing but report */
    world_expect_phase(&world, other, RUN_PHASE_QUEUED);
    WORLD_UNTIL(&world, runs_phase(world.runs, other) == RUN_PHASE_RUNNING)
        ;
}

static void test_the_daemon_may_end_meanwhile(void **state)
{
    (void)state;
    struct world_wait wait;
    uint64_t id = start_chaos();
    assert_true(world_wait(&world, id, &wait, RUN_WAIT_RESULT));
    world_close(&world);
    world_expect_answer(&wait, "{error, {interrupted, nil}}");
    assert_int_equal(world.runner.started, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_it_begins_when_it_is_on_record, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_chaos_it_begins_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_ends_when_it_cannot_be, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_may_be_cancelled_meanwhile, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_daemon_may_end_meanwhile, set_up, tear_down),
    };
    signal(SIGXFSZ, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
