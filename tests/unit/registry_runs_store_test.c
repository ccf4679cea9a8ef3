/* What becomes of results: who waits for them, and what the store has of runs. */
#include <sys/stat.h>

#include "registry_world.h"

static struct world world;

/* --- Waiting for a result --- */

static void test_wait(void **state)
{
    (void)state;
    struct world_wait waits[3];
    world_make(&world);
    uint64_t id = world_start(&world, 1);
    for (size_t i = 0; i < ARRAY_LENGTH(waits); i++)
        assert_true(world_wait(&world, id, &waits[i], RUN_WAIT_RESULT));
    world_expect_status(&world, id, "awaited_by", "3");
    runner_end(world_run(&world, id), "completed", WORLD_REPORT, NULL);
    assert_int_equal(waits[0].times, 0); /* it is not on disk */
    world_settle(&world);
    for (size_t i = 0; i < ARRAY_LENGTH(waits); i++)
        world_expect_answer(&waits[i], WORLD_REPORT);
    world_free(&world);
}

/* Of one that waits for room itself, and of one whose result is being stored. */
static void test_wait_at_any_time(void **state)
{
    (void)state;
    struct world_wait early, late;
    world_make(&world);
    uint64_t first = world_start(&world, 100), second = world_start(&world, 100);
    assert_true(world_wait(&world, second, &early, RUN_WAIT_RESULT));
    world_end(&world, first);
    runner_end(world_run(&world, second), "failed", "{error, nodedown}", NULL);
    assert_true(world_wait(&world, second, &late, RUN_WAIT_RESULT));
    world_settle(&world);
    world_expect_answer(&early, "{error, nodedown}");
    world_expect_answer(&late, "{error, nodedown}");
    world_free(&world);
}

static void test_what_is_raised(void **state)
{
    (void)state;
    struct world_wait wait;
    world_make(&world);
    uint64_t id = world_start(&world, 1);
    assert_true(world_wait(&world, id, &wait, RUN_WAIT_RESULT));
    runner_end(world_run(&world, id), "failed", WORLD_REPORT, "{badmatch, too_slow}");
    world_settle(&world);
    expect_term(term_of(&wait.raised), "{badmatch, too_slow}");
    world_expect_answer(&wait, WORLD_REPORT);
    world_free(&world);
}

/* A reason that has no report in it is stored with one, and answered without. */
static void test_report_beside_a_reason(void **state)
{
    (void)state;
    struct world_wait result, partial;
    world_make(&world);
    uint64_t id = world_start(&world, 1);
    assert_true(world_wait(&world, id, &result, RUN_WAIT_RESULT));
    runner_end(world_run(&world, id), "failed", "{error, reason, #{b => 2}}", NULL);
    assert_true(world_wait(&world, id, &partial, RUN_WAIT_PARTIAL));
    world_settle(&world);
    world_expect_answer(&result, "{error, reason}");
    world_expect_answer(&partial, "#{b => 2}");
    world_expect_status(&world, id, "reason", "<<\"reason\">>");
    world_free(&world);
}

static void test_forgotten_waits(void **state)
{
    (void)state;
    struct world_wait waits[3];
    world_make(&world);
    uint64_t id = world_start(&world, 1);
    for (size_t i = 0; i < ARRAY_LENGTH(waits); i++)
        assert_true(world_wait(&world, id, &waits[i], RUN_WAIT_RESULT));
    runs_forget_wait(&waits[1].wait); /* its time is over, or its node gone */
    runs_forget_wait(&waits[1].wait);
    world_expect_status(&world, id, "awaited_by", "2");
    world_end(&world, id);
    world_settle(&world);
    runs_forget_wait(&waits[0].wait);
    assert_int_equal(waits[1].times, 0);
    world_expect_answer(&waits[0], WORLD_REPORT);
    world_expect_answer(&waits[2], WORLD_REPORT);
    world_free(&world);
}

static void forget_other(void *owner, const struct run_answer *answer)
{
    assert_true(answer->result.data != NULL);
    runs_forget_wait(owner);
}

/* Who is told takes back another wait, which was told next. */
static void test_forgotten_meanwhile(void **state)
{
    (void)state;
    struct world_wait other;
    struct run_wait wait = {.kind = RUN_WAIT_RESULT, .done = forget_other, .owner = &other.wait};
    world_make(&world);
    uint64_t id = world_start(&world, 1);
    assert_true(world_wait(&world, id, &other, RUN_WAIT_RESULT));
    assert_true(runs_wait(world.runs, id, &wait));
    world_end(&world, id);
    world_settle(&world);
    assert_null(wait.entry);
    assert_int_equal(other.times, 0);
    world_free(&world);
}

static void test_too_many_waits(void **state)
{
    (void)state;
    static struct world_wait waits[RUNS_WAITS + 1];
    world_make(&world);
    uint64_t id = world_start(&world, 1);
    for (size_t i = 0; i < RUNS_WAITS; i++)
        assert_true(world_wait(&world, id, &waits[i], RUN_WAIT_RESULT));
    assert_false(world_wait(&world, id, &waits[RUNS_WAITS], RUN_WAIT_RESULT));
    runs_forget_wait(&waits[500].wait);
    assert_true(world_wait(&world, id, &waits[RUNS_WAITS], RUN_WAIT_RESULT));
    world_end(&world, id);
    world_settle(&world);
    for (size_t i = 0; i <= RUNS_WAITS; i++)
        if (i != 500)
            world_expect_answer(&waits[i], WORLD_REPORT);
    world_free(&world);
}

/* --- Waiting for what there is so far --- */

static void test_partial(void **state)
{
    (void)state;
    struct world_wait first, second, third, result;
    world_make(&world);
    uint64_t id = world_start(&world, 1);
    struct run *run = world_run(&world, id);
    assert_true(world_wait(&world, id, &first, RUN_WAIT_PARTIAL));
    assert_true(world_wait(&world, id, &result, RUN_WAIT_RESULT));
    assert_true(world_wait(&world, id, &second, RUN_WAIT_PARTIAL)); /* the same will do */
    runner_write_partial(run, "#{n => 1}");
    world_expect_answer(&first, "#{n => 1}");
    world_expect_answer(&second, "#{n => 1}");
    assert_int_equal(result.times, 0);
    assert_true(world_wait(&world, id, &third, RUN_WAIT_PARTIAL));
    runner_write_partial(run, "#{n => 2}");
    world_expect_answer(&third, "#{n => 2}");
    world_end(&world, id);
    world_settle(&world);
    world_expect_answer(&result, WORLD_REPORT);
    world_free(&world);
}

/* The result comes first: its report is the answer, and there is none where it has none. */
static void expect_partial_of_result(const char *result, const char *report)
{
    struct world_wait wait;
    world_make(&world);
    uint64_t id = world_start(&world, 1);
    assert_true(world_wait(&world, id, &wait, RUN_WAIT_PARTIAL));
    runner_end(world_run(&world, id), "failed", result, NULL);
    world_settle(&world);
    world_expect_answer(&wait, report);
    world_free(&world);
}

static void test_result_before_partial(void **state)
{
    (void)state;
    expect_partial_of_result("{ok, #{c => 3}}", "#{c => 3}");
    expect_partial_of_result("{error, {cancelled, #{d => 4}}}", "#{d => 4}");
    expect_partial_of_result("{error, nodedown}", NULL);
}

/* As long as there is nothing to report of it, nothing is written. */
static void test_partial_of_one_that_has_not_begun(void **state)
{
    (void)state;
    struct world_wait wait;
    world_make(&world);
    uint64_t id = world_start(&world, 1);
    world_run(&world, id)->has_begun = false;
    assert_false(runs_has_begun(world.runs, id));
    assert_true(world_wait(&world, id, &wait, RUN_WAIT_PARTIAL));
    assert_null(world_run(&world, id)->partial);
    world_end(&world, id);
    world_settle(&world);
    world_expect_answer(&wait, "#{a => report}");
    world_free(&world);
}

/* --- What is stored --- */

static void on_read(void *owner, const struct store_content *content)
{
    assert_null(content->problem);
    term_keep(owner, content->term);
}

static void expect_stored(uint64_t id, const char *text)
{
    struct buffer read = {0};
    assert_non_null(store_read(runs_store(world.runs), id, STORE_TERM, on_read, &read));
    WORLD_UNTIL(&world, read.size)
        ;
    expect_term(term_of(&read), text);
    buffer_free(&read);
}

static void test_stored(void **state)
{
    (void)state;
    world_make(&world);
    uint64_t id = world_finish_one(&world);
    expect_stored(id, WORLD_REPORT);
    world_restart(&world);
    world_expect_phase(&world, id, RUN_PHASE_FINISHED);
    expect_stored(id, WORLD_REPORT);
    world_expect_status(&world, id, "stored", "disk");
    world_free(&world);
}

static void test_retention(void **state)
{
    (void)state;
    world_prepare(&world);
    world.limits.store.count = 2;
    world_open(&world);
    uint64_t ids[] = {world_finish_one(&world), world_finish_one(&world), world_finish_one(&world)};
    world_expect_phase(&world, ids[0], RUN_PHASE_NONE);
    world_expect_phase(&world, ids[1], RUN_PHASE_FINISHED);
    world_expect_phase(&world, ids[2], RUN_PHASE_FINISHED);
    world.limits.store.count = 1;
    runs_set_limits(world.runs, &world.limits);
    WORLD_UNTIL(&world, runs_phase(world.runs, ids[1]) == RUN_PHASE_NONE)
        ;
    world_expect_phase(&world, ids[2], RUN_PHASE_FINISHED);
    world_free(&world);
}

static void test_deleting(void **state)
{
    (void)state;
    struct term_builder builder = {0};
    world_make(&world);
    uint64_t id = world_finish_one(&world);
    runs_delete(world.runs, id);
    world_expect_phase(&world, id, RUN_PHASE_NONE);
    assert_false(runs_build_status(world.runs, id, &builder));
    world_settle(&world);
    world_restart(&world);
    world_expect_phase(&world, id, RUN_PHASE_NONE);
    term_build_free(&builder);
    world_free(&world);
}

static void test_without_a_folder(void **state)
{
    (void)state;
    struct world_wait wait;
    world_prepare(&world);
    world.has_no_folder = true;
    world.limits.journal_ns = 1;
    world_open(&world);
    uint64_t id = world_start(&world, 1);
    assert_true(world_wait(&world, id, &wait, RUN_WAIT_RESULT));
    WORLD_UNTIL(&world, world.begun_count)
        ;
    assert_int_equal(world_run(&world, id)->journals, 0); /* nobody would find it */
    world_end(&world, id);
    world_settle(&world);
    world_expect_answer(&wait, WORLD_REPORT);
    world_expect_status(&world, id, "stored", "memory");
    world_restart(&world);
    world_expect_phase(&world, id, RUN_PHASE_NONE);
    world_free(&world);
}

/* What cannot be written is acknowledged nevertheless, and written as soon as it can be. */
static void test_folder_that_cannot_be_used(void **state)
{
    (void)state;
    struct world_wait wait;
    world_prepare(&world);
    assert_int_equal(rmdir(world.folder), 0);
    FILE *file = fopen(world.folder, "w"); /* in the way */
    assert_non_null(file);
    fclose(file);
    world_open(&world);
    assert_non_null(store_problem(runs_store(world.runs)));
    uint64_t id = world_start(&world, 1);
    WORLD_UNTIL(&world, world.begun_count)
        ;
    assert_true(world_wait(&world, id, &wait, RUN_WAIT_RESULT));
    world_end(&world, id);
    WORLD_UNTIL(&world, wait.times)
        ;
    world_expect_answer(&wait, WORLD_REPORT);
    world_expect_phase(&world, id, RUN_PHASE_FINISHED);
    world_expect_status(&world, id, "stored", "memory");
    assert_int_equal(unlink(world.folder), 0);
    assert_int_equal(mkdir(world.folder, 0700), 0);
    WORLD_UNTIL(&world, term_is_atom(world_status(&world, id, "stored"), "disk"))
        ;
    world_restart(&world);
    expect_stored(id, WORLD_REPORT);
    world_free(&world);
}

static void test_nobody_to_tell(void **state)
{
    (void)state;
    world_make(&world);
    struct runs_request request = world_request(&world, 1);
    request.begun = NULL;
    uint64_t id = world_ask(&world, &request);
    world_settle(&world);
    world_end(&world, id);
    world_settle(&world);
    world_expect_phase(&world, id, RUN_PHASE_FINISHED);
    world_free(&world);
}

/* Closed while a result is being stored: it is stored, and who waits for it is told it. */
static void test_closed_while_storing(void **state)
{
    (void)state;
    struct world_wait wait;
    world_make(&world);
    uint64_t id = world_start(&world, 1);
    assert_true(world_wait(&world, id, &wait, RUN_WAIT_RESULT));
    world_end(&world, id);
    world_restart(&world);
    world_expect_answer(&wait, WORLD_REPORT);
    assert_int_equal(world.begun_count, 1);
    world_expect_phase(&world, id, RUN_PHASE_FINISHED);
    expect_stored(id, WORLD_REPORT);
    world_free(&world);
}

/* The disk may be done with a run that is not there any more. */
static void test_written_after_the_close(void **state)
{
    (void)state;
    world_make(&world);
    uint64_t id = world_start(&world, 1);
    world_end(&world, id);
    runs_close(world.runs);
    assert_int_equal(world.begun_count, 1);
    world_settle(&world);
    assert_int_equal(world.begun_count, 1);
    world_expect_phase(&world, id, RUN_PHASE_FINISHED);
    runs_free(world.runs);
    world.runs = NULL;
    world_free(&world);
}

/* --- Journals --- */

static void test_journals(void **state)
{
    (void)state;
    world_prepare(&world);
    world.limits.journal_ns = CLOCK_NS_PER_MS;
    world_open(&world);
    uint64_t first = world_start(&world, 1), second = world_start(&world, 1);
    struct run *const run = world_run(&world, first), *const other = world_run(&world, second);
    other->has_begun = false;
    WORLD_UNTIL(&world, run->journals >= 3)
        ;
    assert_int_equal(other->journals, 0);
    other->has_begun = true;
    WORLD_UNTIL(&world, other->journals >= 1)
        ;
    world_end(&world, second);
    run->has_begun = false; /* else there is one more at the end */
    char last[32];
    snprintf(last, sizeof(last), "#{journal => %zu}", run->journals);
    world_settle(&world);
    world_restart(&world);
    world_expect_phase(&world, first, RUN_PHASE_INTERRUPTED);
    world_expect_phase(&world, second, RUN_PHASE_FINISHED);
    expect_stored(first, last);
    world_free(&world);
}

/* What it has at the end is not lost. */
static void test_journal_at_the_end(void **state)
{
    (void)state;
    world_make(&world);
    uint64_t running = world_start(&world, 100), waiting = world_start(&world, 100);
    world_run(&world, running)->figures.operations = 17;
    world_restart(&world);
    expect_stored(running, "#{journal => 1}");
    world_expect_status(&world, running, "operations", "17");
    expect_stored(waiting, "nil");
    world_free(&world);
}

/* A time between journals that becomes shorter is so for those that go on; without runs there are none. */
static void test_other_time_between_journals(void **state)
{
    (void)state;
    world_make(&world);
    uint64_t id = world_start(&world, 1);
    const struct run *run = world_run(&world, id);
    assert_int_equal(run->journals, 0);
    world.limits.journal_ns = CLOCK_NS_PER_MS;
    runs_set_limits(world.runs, &world.limits);
    WORLD_UNTIL(&world, run->journals == 2)
        ;
    world_end(&world, id);
    runs_set_limits(world.runs, &world.limits);
    world_settle(&world);
    world_expect_phase(&world, id, RUN_PHASE_FINISHED);
    world_free(&world);
}

/* --- Runs of an earlier daemon --- */

static void ignore_written(void *owner, uint64_t id, enum store_state state, bool durable)
{
    (void)owner, (void)id, (void)state, (void)durable;
}

/* One that was killed while this run was under way. */
static void leave_run(uint64_t id, const char *summary, const char *partial)
{
    struct term_builder builders[2] = {0};
    const struct store_options options = {
        .loop = &world.loop, .folder = world.folder, .written = ignore_written, .owner = &world};
    struct store *store = store_open(&options);
    store_begin(store, id, term_from_text(&builders[0], summary));
    if (partial) {
        (void)term_from_text(&builders[1], partial);
        struct blob *content = blob_take(&builders[1].bytes, NULL);
        store_journal(store, id, term_from_text(&builders[0], summary), content);
        blob_release(content);
    }
    store_close(store);
    term_build_free(&builders[0]);
    term_build_free(&builders[1]);
}

static void test_interrupted(void **state)
{
    (void)state;
    world_prepare(&world);
    leave_run(7, "#{run_id => 7, by => start, outcome => nil, operations => 12}", "#{e => 5}");
    leave_run(8, "#{run_id => 8, by => start}", NULL);
    world_open(&world);
    world_expect_phase(&world, 7, RUN_PHASE_INTERRUPTED);
    world_expect_status(&world, 7, "outcome", "interrupted");
    assert_int_equal(term_type(world_status(&world, 7, "reason")), TERM_BINARY);
    world_expect_status(&world, 7, "operations", "12");
    world_expect_status(&world, 7, "cancelled", "false");
    assert_int_equal(term_type(world_status(&world, 7, "ended_at")), TERM_BINARY);
    expect_stored(7, "#{e => 5}");
    expect_stored(8, "nil");
    runs_cancel(world.runs, 7); /* nothing to cancel */
    runs_delete(world.runs, 7);
    world_expect_phase(&world, 7, RUN_PHASE_NONE);
    world_free(&world);
}

/* The clock was set back meanwhile. */
static void test_ids_above_those_of_before(void **state)
{
    (void)state;
    uint64_t last = clock_wall_us() + 1000000000;
    world_prepare(&world);
    leave_run(last, "#{}", NULL);
    world_open(&world);
    assert_int_equal(world_start(&world, 1), last + 1);
    assert_int_equal(world_start(&world, 1), last + 2);
    world_free(&world);
}

/* Summaries of another version, or of none: what can be read is told, the rest is nil. */
static void test_other_summaries(void **state)
{
    (void)state;
    world_prepare(&world);
    leave_run(7, "#{run_id => seven, by => start, colour => blue}", NULL);
    leave_run(8, "#{}", NULL);
    leave_run(9, "#{run_id => 9, outcome => exploded, threads => many, by => [], name => 5}", NULL);
    world_open(&world);
    for (uint64_t id = 7; id < 10; id++) {
        char text[8];
        snprintf(text, sizeof(text), "%u", (unsigned)id);
        world_expect_status(&world, id, "run_id", text);
        world_expect_status(&world, id, "outcome", "interrupted");
        world_expect_status(&world, id, "threads", "0");
        world_expect_status(&world, id, "name", "nil");
        world_expect_status(&world, id, "target", "nil");
    }
    world_expect_status(&world, 7, "by", "start");
    world_expect_status(&world, 8, "by", "nil");
    world_expect_status(&world, 9, "by", "nil");
    world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wait),
        cmocka_unit_test(test_wait_at_any_time),
        cmocka_unit_test(test_what_is_raised),
        cmocka_unit_test(test_report_beside_a_reason),
        cmocka_unit_test(test_forgotten_waits),
        cmocka_unit_test(test_forgotten_meanwhile),
        cmocka_unit_test(test_too_many_waits),
        cmocka_unit_test(test_partial),
        cmocka_unit_test(test_result_before_partial),
        cmocka_unit_test(test_partial_of_one_that_has_not_begun),
        cmocka_unit_test(test_stored),
        cmocka_unit_test(test_retention),
        cmocka_unit_test(test_deleting),
        cmocka_unit_test(test_without_a_folder),
        cmocka_unit_test(test_folder_that_cannot_be_used),
        cmocka_unit_test(test_nobody_to_tell),
        cmocka_unit_test(test_closed_while_storing),
        cmocka_unit_test(test_written_after_the_close),
        cmocka_unit_test(test_journals),
        cmocka_unit_test(test_journal_at_the_end),
        cmocka_unit_test(test_other_time_between_journals),
        cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_ids_above_those_of_before),
        cmocka_unit_test(test_other_summaries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
