/* What is late is looked at for as long as it is, and no longer; what comes of it. */
#include "explain_world.h"

#include "base/compiler.h"

static struct world world;

static void expect_first(size_t rank, enum cause cause, double least_ms, double most_ms)
{
    const struct explained *one = explain_slowest(world.explain, rank);
    assert_non_null(one);
    const struct cause_share *first = &one->shares[0];
    if (first->cause != cause || (double)first->us < least_ms * 1000 || (double)first->us > most_ms * 1000)
        fail_msg("%s for %llu us", cause_name(first->cause), (unsigned long long)first->us);
}

static void test_nothing_late(void **state)
{
    (void)state;
    world_make(&world);
    world_begin(&world);
    for (int i = 0; i < 1000; i++)
        world_add(&world, i, i + 0.9);
    world_run(&world, 1000);
    assert_int_equal(world_count(&world, world_is_heartbeat, 0, 100), 10); /* clocks are compared */
    assert_int_equal(world_count(&world, world_is_look, 0, 100), 1);
    assert_int_equal(world_count(&world, world_is_heartbeat, 100, 1000), 0);
    assert_int_equal(world_count(&world, world_is_look, 100, 1000), 0);
    assert_int_equal(explain_totals(world.explain)->operations, 0);
    assert_false(explain_settle(world.explain));
    expect_first(EXPLAIN_SLOWEST - 1, CAUSE_UNKNOWN, 0.9, 0.9); /* the slowest there were */
    assert_null(explain_slowest(world.explain, EXPLAIN_SLOWEST));
    assert_int_equal(world.explained, 0);
    world_free(&world);
}

/* It is late after 4 ms, and looked at each 2 ms until it ends. */
static void test_suspended(void **state)
{
    (void)state;
    static const struct world_phase phases[] = {{0, IDLE}, {199, SUSPENDED}, {260, IDLE}, {0, NULL, NULL, 0}};
    world_make(&world);
    world.phases = phases;
    world_begin(&world);
    world_add(&world, 200, 260.2);
    world_add(&world, 230, 260.3);
    world_run(&world, 1000);
    assert_int_equal(world_count(&world, world_is_look, 100, 203.9), 0);
    assert_in_range(world_count(&world, world_is_look, 203.9, 261), 25, 30);
    assert_in_range(world_count(&world, world_is_heartbeat, 203.9, 261), 25, 30);
    assert_int_equal(world_count(&world, world_is_look, 264, 1000), 0);
    assert_int_equal(world.explained, 2);
    expect_first(0, CAUSE_SUSPENDED, 54, 58);
    expect_first(1, CAUSE_SUSPENDED, 29, 31); /* it was looked at from its beginning */
    const struct explain_sum *sum = &explain_totals(world.explain)->causes[CAUSE_SUSPENDED];
    assert_int_equal(sum->operations, 2);
    assert_int_equal(sum->us, world.explained_us[CAUSE_SUSPENDED]);
    assert_int_equal(sum->worst_us, explain_slowest(world.explain, 0)->shares[0].us);
    for (size_t i = 0; i < world.probe_count; i++) {
        assert_int_equal(world.probes[i].is_linked, world_is_look(&world.probes[i]));
        assert_int_equal(world.probes[i].is_urgent, !world_is_look(&world.probes[i]));
    }
    world_free(&world);
}

static void test_fault(void **state)
{
    (void)state;
    static const struct world_phase phases[] = {{0, IDLE}, {199, SUSPENDED}, {260, IDLE}, {0, NULL, NULL, 0}};
    world_make(&world);
    world.phases = phases;
    world.fault = 3;
    world_begin(&world);
    world_add(&world, 200, 260.2);
    world_run(&world, 1000);
    const struct cause_share *first = &explain_slowest(world.explain, 0)->shares[0];
    assert_int_equal(first->cause, CAUSE_SUSPENDED);
    assert_int_equal(first->detail.kind, CAUSE_FAULT);
    assert_int_equal(first->detail.number, 3);
    world_free(&world);
}

/* No more than two probes of a kind wait for a node that stands still; they say for how long. */
static void test_stopped_node(void **state)
{
    (void)state;
    world_make(&world);
    world.stopped = (struct lapse){at(199), at(400)};
    world_begin(&world);
    for (int i = 0; i < 30; i++)
        world_add(&world, 200 + i, 400.5);
    world_run(&world, 399);
    assert_int_equal(world_count(&world, world_is_look, 199, 399), 2);
    assert_int_equal(world_count(&world, world_is_heartbeat, 199, 399), 2);
    world_run(&world, 1000);
    expect_first(0, CAUSE_NODE_PAUSED, 190, 200);
    assert_int_equal(world.explained, 30);
    world_free(&world);
}

static void test_silent_node(void **state)
{
    (void)state;
    world_make(&world);
    world.stopped = (struct lapse){at(199), at(500)};
    world.is_silent = world.is_remote = true;
    world_begin(&world);
    world_add(&world, 200, 500.5);
    world_run(&world, 1000);
    expect_first(0, CAUSE_NETWORK, 290, 300);
    assert_int_equal(explain_slowest(world.explain, 0)->shares[0].detail.wire.unacked, 3);
    world_free(&world);
}

/* A node on another host stands still where its system was seen to have what it does not answer. */
static void test_remote_node(void **state)
{
    (void)state;
    static const enum cause causes[] = {CAUSE_NODE_PAUSED, CAUSE_UNKNOWN};
    for (size_t i = 0; i < ARRAY_LENGTH(causes); i++) {
        world_make(&world);
        world.stopped = (struct lapse){at(199), at(260)};
        world.is_remote = true;
        world.is_silent = causes[i] == CAUSE_UNKNOWN; /* for less than it takes to tell that by itself */
        world_begin(&world);
        world_add(&world, 200, 260.5);
        world_run(&world, 1000);
        expect_first(0, causes[i], 54, 61);
        world_free(&world);
    }
}

/* Probes count from when they have left: what this daemon does in between is not the node's. */
static void test_departure(void **state)
{
    (void)state;
    world_make(&world);
    world_begin(&world);
    world_run(&world, 100);
    world.departure = departure_new(&world.departures);
    world_add(&world, 200, 260);
    world_run(&world, 205);
    world.stopped = (struct lapse){at(199), at(255)}; /* nothing has left, so nothing comes */
    world.departure->ns = at(255);
    world_run(&world, 1000);
    expect_first(0, CAUSE_UNKNOWN, 50, 60);
    assert_int_equal(world.explained_us[CAUSE_NODE_PAUSED], 0);
    world_free(&world);
}

/* A fault that is over is asked for with what the process has answered since. */
static void test_served(void **state)
{
    (void)state;
    static const struct world_phase phases[] = {{0, IDLE}, {199, SUSPENDED}, {260, IDLE}, {0, NULL, NULL, 0}};
    world_make(&world);
    world.phases = phases;
    world.served = (struct served){at(150), at(149)};
    world_begin(&world);
    world_add(&world, 200, 260.2);
    world_run(&world, 1000);
    assert_int_equal(world.fault_served_ns, at(149));
    world_free(&world);
}

/* It does not keep the loop: no more than a piece at a time, also at the end. */
static void test_pieces(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    world_make(&world);
    world_begin(&world);
    world_run(&world, 100);
    for (int i = 0; i < COUNT; i++) {
        struct slow_operation slow = {.is_sent = true, .sent_ns = at(100), .ended_ns = at(150)};
        explain_ended(world.explain, &slow);
    }
    world.now_ns = at(200);
    world.reading_ns = MS / 100;
    size_t passes = 0;
    explain_work(world.explain);
    assert_in_range(world.explained, 1, 20);
    assert_true(world.wake_ns <= world.now_ns);
    while (explain_settle(world.explain)) {
        assert_true(world.explained <= (passes + 2) * 20);
        passes++;
    }
    assert_int_equal(world.explained, COUNT);
    assert_in_range(passes, COUNT / 20, COUNT);
    assert_true(explain_totals(world.explain)->daemon_us >= 1000 * MS / 100 / CLOCK_NS_PER_US);
    world_free(&world);
}

/* Who applies custom operations is `pid`, and calls somebody from 199 to 250 ms. */
static void make_calling(struct term_builder *pid)
{
    static const struct world_phase phases[] = {{0, IDLE}, {199, CALLING}, {250, IDLE}, {0, NULL, NULL, 0}};
    world_make(&world);
    world.phases = phases;
    world_begin(&world);
    term_build_pid(pid, &(struct term_pid){.node = WORLD_NODE, .id = 77, .creation = 1});
}

/* Who has called is needed for as long as it is told whom. */
static void test_caller_stays(void **state)
{
    (void)state;
    struct term_builder pid = {0};
    make_calling(&pid);
    for (uint32_t i = 0; i < EXPLAIN_SUBJECTS; i++) {
        struct world_operation *operation = world_add(&world, 200, i ? 400 : 206.2);
        operation->slow.is_custom = true;
        operation->slow.thread = i;
        operation->slow.step = 1;
    }
    world_run(&world, 205.9);
    assert_int_equal(world.customs_asked, EXPLAIN_SUBJECTS);
    explain_found_custom(world.explain, 0, 1, term_built(&pid));
    world_run(&world, 206.3);
    world.reads_late_ns = 20 * MS; /* its last look is told of when its operation was explained */
    world_run(&world, 1000);
    for (size_t i = 0; i < world.explain->subject_count; i++)
        assert_int_equal(world.explain->subjects[i].unanswered, 0);
    term_build_free(&pid);
    world_free(&world);
}

/* What is waited for until then is explained with what is known: the node has not answered yet. */
static void test_settled_before_answers(void **state)
{
    (void)state;
    world_make(&world);
    world.stopped = (struct lapse){at(199), at(9000)};
    world_begin(&world);
    world_add(&world, 200, 300);
    world_run(&world, 1000);
    assert_int_equal(world.explained, 0);
    world_run(&world, 2400); /* two seconds are enough */
    assert_int_equal(world.explained, 1);
    expect_first(0, CAUSE_NODE_PAUSED, 94, 97);
    world_add(&world, 2400, 2500);
    world_run(&world, 2600);
    explain_stop(world.explain);
    assert_false(explain_settle(world.explain));
    assert_int_equal(world.explained, 2);
    world_free(&world);
    assert_true(world.dropped > 0); /* those that are under way are ended */
}

/* What is usual is not late, up to 10 ms. */
static void test_usual(void **state)
{
    (void)state;
    static const struct {
        struct usual_time usual;
        double late_ms;
    } rows[] = {
        {{0, 0, 0}, 4},          {{10, 3000, 3000}, 4}, /* so few say nothing */
        {{1000, 100, 200}, 4},   {{1000, 1500, 1600}, 6},    {{1000, 100, 3000}, 6},
        {{1000, 100, 90000}, 8}, {{1000, 90000, 90000}, 10},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        world_make(&world);
        world.usual = rows[i].usual;
        world_begin(&world);
        world_add(&world, 200, 230);
        world_run(&world, 200 + rows[i].late_ms - 0.1);
        assert_int_equal(world_count(&world, world_is_look, 100, 1000), 0);
        world_run(&world, 200 + rows[i].late_ms + 1.1);
        assert_int_equal(world_count(&world, world_is_look, 100, 1000), 1);
        world_run(&world, 1000);
        assert_int_equal(world.explained, 1);
        world_free(&world);
    }
}

/* What is late for a minute is looked at less and less often, but all of it. */
static void test_long(void **state)
{
    (void)state;
    static const struct world_phase phases[] = {
        {0, IDLE}, {199, SUSPENDED}, {60200, IDLE}, {0, NULL, NULL, 0}};
    world_make(&world);
    world.phases = phases;
    world_begin(&world);
    world_add(&world, 200, 60200);
    world_run(&world, 61000);
    assert_in_range(world_count(&world, world_is_look, 100, 61000), 100, 300);
    expect_first(0, CAUSE_SUSPENDED, 59900, 60000);
    world_free(&world);
}

/* Many targets on one node are looked at in turn, and each of them less often. */
static void test_many_targets(void **state)
{
    (void)state;
    static const struct world_phase phases[] = {
        {0, IDLE}, {199, SUSPENDED}, {3200, IDLE}, {0, NULL, NULL, 0}};
    world_make(&world);
    world.phases = phases;
    world_begin(&world);
    for (uint32_t i = 0; i < 200; i++)
        world_add(&world, 200, 3200)->slow.target = i;
    world_run(&world, 5000);
    assert_true(world_count(&world, world_is_look, 100, 5000) < 4000 + 500 * 5);
    assert_in_range(world_count(&world, world_is_heartbeat, 100, 5000), 100, 1600);
    assert_int_equal(world.explained, 200);
    expect_first(0, CAUSE_SUSPENDED, 2900, 3000);
    world_free(&world);
}

/* A node that is not connected is asked nothing. */
static void test_down(void **state)
{
    (void)state;
    world_make(&world);
    world.is_down = true;
    world_begin(&world);
    world_add(&world, 200, 260);
    world_run(&world, 1000);
    assert_int_equal(world.probe_count, 0);
    expect_first(0, CAUSE_UNKNOWN, 60, 60);
    world_free(&world);
}

/* One that was lost says nothing; the connection that comes next has a clock of its own. */
static void test_lost(void **state)
{
    (void)state;
    world_make(&world);
    world_begin(&world);
    world_add(&world, 200, 260);
    world.stopped = (struct lapse){at(199), at(9000)};
    world_run(&world, 220);
    for (size_t i = 0; i < world.probe_count; i++) {
        if (world.probes[i].due_ns == UINT64_MAX)
            continue;
        world.probes[i].due_ns = UINT64_MAX;
        explain_lost(world.explain, world.probes[i].number);
        explain_lost(world.explain, world.probes[i].number); /* it is told once */
    }
    world.is_down = true;
    world_run(&world, 1000);
    assert_true(explain_totals(world.explain)->lost >= 2);
    expect_first(0, CAUSE_UNKNOWN, 43, 60); /* until then it had not answered */
    world_free(&world);
}

/* The daemon is woken too late: it has not looked meanwhile. */
static void test_stall(void **state)
{
    (void)state;
    world_make(&world);
    world_begin(&world);
    world_add(&world, 200, 250);
    world_run(&world, 199.9);
    world.now_ns = at(250); /* nothing has run */
    world_run(&world, 1000);
    expect_first(0, CAUSE_DAEMON, 44, 50);
    world_add(&world, 1200, 1255)->slow.is_exact = true;
    world_run(&world, 1199.9);
    world.now_ns = at(1255);
    world_run(&world, 2000);
    expect_first(0, CAUSE_UNKNOWN, 55, 55); /* it has taken so long without this daemon */
    world_free(&world);
}

/* Answers count from when they have come, and not from when this daemon has read them. */
static void test_read_late(void **state)
{
    (void)state;
    world_make(&world);
    world_begin(&world);
    world_add(&world, 200, 250);
    world_run(&world, 199); /* clocks were compared */
    world.reads_late_ns = 8 * MS;
    world_run(&world, 1000);
    expect_first(0, CAUSE_UNKNOWN, 50, 50);
    assert_int_equal(world.explained_us[CAUSE_NETWORK], 0);
    world_free(&world);
}

/* Who has a name is looked up with each heartbeat, and then looked at. */
static void test_named(void **state)
{
    (void)state;
    world_make(&world);
    world.has_name = true;
    world_begin(&world);
    world_run(&world, 100);
    assert_true(world_count(&world, world_is_heartbeat, 0, 100) == 10);
    for (size_t i = 0; i < world.probe_count; i++)
        assert_true(!world_is_heartbeat(&world.probes[i]) || strstr(world.probes[i].arguments, "bank"));
    assert_int_equal(world_count(&world, world_is_look, 0, 100), 0); /* nobody has it */
    world_free(&world);
}

/* Who applies a custom operation is asked for once it is late, and whom it has called is looked at, too. */
static void test_custom(void **state)
{
    (void)state;
    struct term_builder pid = {0};
    make_calling(&pid);
    struct world_operation *operation = world_add(&world, 200, 250);
    operation->slow.is_custom = true;
    operation->slow.thread = 7;
    world_run(&world, 203);
    assert_int_equal(world.customs_asked, 0);
    world_run(&world, 206);
    assert_int_equal(world.customs_asked, 1);
    assert_int_equal(world_count(&world, world_is_look, 200, 206), 0);
    explain_found_custom(world.explain, 7, operation->slow.step + 1, term_built(&pid)); /* of another step */
    explain_found_custom(world.explain, 8, operation->slow.step, term_built(&pid));
    world_run(&world, 210);
    assert_int_equal(world_count(&world, world_is_look, 200, 210), 0);
    explain_found_custom(world.explain, 7, operation->slow.step, term_built(&pid));
    world_run(&world, 1000);
    assert_int_equal(world.customs_asked, 1);
    assert_in_range(world_count(&world, world_is_look, 210, 251), 18, 22);
    bool is_looked_up = false;
    for (size_t i = 0; i < world.probe_count; i++)
        is_looked_up |=
            strstr(world.probes[i].functions, "whereis") && strstr(world.probes[i].arguments, "bank");
    assert_true(is_looked_up);
    assert_int_equal(world.explained, 1);
    term_build_free(&pid);
    world_free(&world);
}

/* More than there is room for are explained with what is known when they come. */
static void test_flood(void **state)
{
    (void)state;
    static const struct world_phase phases[] = {{0, IDLE}, {99, SUSPENDED}, {200, IDLE}, {0, NULL, NULL, 0}};
    enum { COUNT = EXPLAIN_PENDING + 3000 };
    world_make(&world);
    world.phases = phases;
    world_begin(&world);
    for (int i = 0; i < COUNT; i++) {
        struct slow_operation slow = {.is_sent = true, .sent_ns = at(100), .ended_ns = at(200)};
        if (i == 0) {
            world_add(&world, 100, 200);
            world_run(&world, 200);
        }
        explain_ended(world.explain, &slow);
    }
    assert_in_range(world.explained, 3000, 4000);
    world_run(&world, 1000);
    assert_int_equal(world.explained, COUNT + 1);
    expect_first(EXPLAIN_SLOWEST - 1, CAUSE_SUSPENDED, 90, 100);
    world_free(&world);
}

/* Nothing is sent after the end, whatever is late. */
static void test_stop(void **state)
{
    (void)state;
    world_make(&world);
    world_begin(&world);
    world_add(&world, 200, 500);
    world_run(&world, 230);
    explain_stop(world.explain);
    assert_int_equal(world.slow_us, UINT64_MAX);
    size_t sent = world.probe_count;
    world_run(&world, 1000);
    assert_int_equal(world.probe_count, sent);
    world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_late), cmocka_unit_test(test_suspended),
        cmocka_unit_test(test_fault),        cmocka_unit_test(test_stopped_node),
        cmocka_unit_test(test_silent_node),  cmocka_unit_test(test_settled_before_answers),
        cmocka_unit_test(test_usual),        cmocka_unit_test(test_long),
        cmocka_unit_test(test_many_targets), cmocka_unit_test(test_down),
        cmocka_unit_test(test_lost),         cmocka_unit_test(test_stall),
        cmocka_unit_test(test_read_late),    cmocka_unit_test(test_named),
        cmocka_unit_test(test_custom),       cmocka_unit_test(test_flood),
        cmocka_unit_test(test_stop),         cmocka_unit_test(test_remote_node),
        cmocka_unit_test(test_departure),    cmocka_unit_test(test_served),
        cmocka_unit_test(test_pieces),       cmocka_unit_test(test_caller_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
