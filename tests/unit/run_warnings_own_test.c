/* Where this daemon and its machine weaken the verdict on a run: on both sides of each threshold. */
#include "warnings_expect.h"

#include "run_limits_private.h"
#include "run_private.h"
#include "run_warnings_private.h"

#define MS CLOCK_NS_PER_MS
#define SECOND CLOCK_NS_PER_S

static struct {
    struct load_record record;
    struct run run;
    struct clock_times now;
    bool is_on;
    uint64_t queued;
} world;

/* --- What it has come to --- */

const struct load_record *run_record(const struct run *run)
{
    assert_ptr_equal(run, &world.run);
    return &world.record;
}

bool engine_is_on(const struct engine *engine)
{
    assert_ptr_equal(engine, &world);
    return world.is_on;
}

uint64_t engine_queued(const struct engine *engine)
{
    assert_ptr_equal(engine, &world);
    assert_true(world.is_on);
    return world.queued;
}

struct clock_times clock_times_now(void)
{
    return world.now;
}

static const struct clock_times created = {100 * SECOND, 200 * SECOND, 300 * SECOND};

static const struct scenario scenario = {.operations =
                                             (struct operation[]){{.message = {(const uint8_t *)"a\1", 2}}},
                                         .operation_count = 1,
                                         .thread_count = 1000};

static void make(void)
{
    memset(&world, 0, sizeof(world));
    world.run.engine = (struct engine *)(void *)&world;
    world.run.created = world.now = created;
    world.run.scenario = &scenario;
    world.record.started_ns = world.record.ended_ns = 50 * SECOND;
}

static void expect(const char *text)
{
    struct warnings warnings = {.count = 0};
    run_warnings_find_own(&world.run, &warnings);
    warnings_expect(&warnings, text);
}

static void expect_message(const char *wanted)
{
    struct warnings warnings = {.count = 0};
    run_warnings_find_own(&world.run, &warnings);
    warnings_expect_message(&warnings, wanted);
}

static void expect_message_has(const char *part)
{
    struct warnings warnings = {.count = 0};
    char found[1000];
    run_warnings_find_own(&world.run, &warnings);
    warnings_take_message(&warnings, found, sizeof(found));
    if (!strstr(found, part))
        fail_msg("no '%s' in '%s'", part, found);
}

/* --- Client bound --- */

static void test_busy(void **state)
{
    (void)state;
    make();
    expect("[]"); /* there was no load */
    world.record.ended_ns += SECOND;
    world.record.lag.busy_ns = 950 * MS - 1;
    expect("[]");
    world.record.lag.busy_ns = 950 * MS;
    expect("[#{warning => client_bound, busy => 0.95, late_ms => 0, p99_us => nil, sending_us => nil, "
           "reading_us => nil}]");
    world.record.ended_ns -= 1; /* it is too short for that */
    world.record.lag.busy_ns = SECOND - 1;
    expect("[]");
}

static void test_late(void **state)
{
    (void)state;
    make();
    world.record.ended_ns += SECOND; /* 50 ms count in a short load */
    world.record.lag.busy_ns = 250 * MS;
    world.record.lag.late_ns = 50 * MS - 1;
    expect("[]");
    world.record.lag.late_ns = 50 * MS;
    expect("[#{warning => client_bound, busy => 0.25, late_ms => 50, p99_us => nil, sending_us => nil, "
           "reading_us => nil}]");
    expect_message(
        "this daemon was busy for 25 % of the load and late for 50 ms of it, so that response times "
        "may hold time of its own: leave it a processor that nobody else needs, or have it on a machine of "
        "its own");
    world.record.ended_ns = world.record.started_ns + 10 * SECOND; /* a hundredth in a long one */
    world.record.lag.busy_ns = 2500 * MS;
    world.record.lag.late_ns = 100 * MS - 1;
    expect("[]");
    world.record.lag.late_ns = 100 * MS;
    expect("[#{warning => client_bound, busy => 0.25, late_ms => 100, p99_us => nil, sending_us => nil, "
           "reading_us => nil}]");
}

/* So far, as long as it goes on. */
static void test_late_so_far(void **state)
{
    (void)state;
    make();
    world.is_on = true;
    world.record.started_ns = world.record.ended_ns = clock_ns() - 10 * SECOND;
    world.record.lag.late_ns = 60 * MS;
    expect("[]");
    world.record.started_ns = world.record.ended_ns = clock_ns() - SECOND;
    expect_message(
        "this daemon was busy for 0 % of the load and late for 60 ms of it, so that response times may hold "
        "time of its own: leave it a processor that nobody else needs, or have it on a machine of its own");
}

/* So many operations that have taken a millisecond, of which one in fifty was sent late. */
static void measure(uint64_t count, uint64_t late_us, uint64_t waited_us)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t late = i % 50 ? 0 : late_us;
        const struct latency_sample sample = {
            .response_us = 1000 + late + waited_us, .service_us = 1000, .has_waited = waited_us > 0};
        latencies_record(&world.record.latencies, 0, sample);
    }
}

static void make_measured(uint64_t count, uint64_t late_us, uint64_t waited_us)
{
    make();
    world.record.ended_ns += SECOND;
    latencies_init(&world.record.latencies, &scenario);
    measure(count, late_us, waited_us);
}

/* A tenth of the p99 is nothing yet, and so is anything where that cannot be told. */
static void test_sent_late(void **state)
{
    (void)state;
    static const struct {
        uint64_t count;
        uint64_t late_us;
        uint64_t waited_us;
        const char *warnings;
    } rows[] = {
        {1000, 0, 0, "[]"},
        {1000, 110, 0, "[]"},
        {1000, 112, 0,
         "[#{warning => client_bound, busy => 0.5, late_ms => 0, p99_us => 1112, sending_us => 112, "
         "reading_us "
         "=> 0}]"},
        {367, 900, 0, "[]"},
        {1000, 0, 900, "[]"},   /* it waits for others */
        {1000, 900, 100, "[]"}, /* for longer than that */
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        make_measured(rows[i].count, rows[i].late_us, rows[i].waited_us);
        world.record.lag.busy_ns = 500 * MS;
        expect(rows[i].warnings);
        if (i == 2)
            expect_message(
                "this daemon was busy for 50 % of the load and late for 0 ms of it, and of the p99 of 1112 "
                "us up to "
                "112 us are its own, 112 us in sending and 0 us in reading: beside times this "
                "short that little is much, and a processor that nobody else needs may make it less; service "
                "times are without what was sent late");
        latencies_free(&world.record.latencies);
    }
}

/* With little to do and not late it is told to have another processor only where it had lost more than its
 * own part.
 */
static void test_advice(void **state)
{
    (void)state;
    static const struct {
        uint64_t late_us;
        uint64_t late_ms;
        uint64_t busy_ms;
        const char *advice;
    } rows[] = {
        {900, 0, 20, ": beside times this short that little is much"},
        {900, 20, 20, ": leave it a processor that nobody else needs"},
        {1100, 0, 20, ": leave it a processor that nobody else needs"},
        {900, 0, 800, ": have fewer threads, a lower rate"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        make_measured(1000, rows[i].late_us, 0);
        world.record.lag.busy_ns = rows[i].busy_ms * MS;
        world.record.lag.late_ns = rows[i].late_ms * MS;
        expect_message_has(rows[i].advice);
        latencies_free(&world.record.latencies);
    }
}

/* One that comes at any time waits for what is left of a pass. */
static void test_read_late(void **state)
{
    (void)state;
    make_measured(1000, 0, 0);
    world.record.lag.absences[7] = (struct loop_absence){.count = 2000, .ns = 2000 * 104 * CLOCK_NS_PER_US};
    world.record.lag.busy_ns = 208 * MS;
    expect("[]"); /* 99 us of a pass of 104 */
    world.record.lag.absences[7] = (struct loop_absence){.count = 2000, .ns = 2000 * 120 * CLOCK_NS_PER_US};
    world.record.lag.busy_ns = 720 * MS;
    expect(
        "[#{warning => client_bound, busy => 0.72, late_ms => 0, p99_us => 1000, sending_us => 0, reading_us "
        "=> 115}]");
    expect_message(
        "this daemon was busy for 72 % of the load and late for 0 ms of it, and of the p99 of 1000 us up to "
        "115 "
        "us are its own, 0 us in sending and 115 us in reading: have fewer threads, a lower rate, or several "
        "daemons");
    /* Ten threads have ten replies at once, and the p99 has no more of its own than it has. */
    static const struct scenario few = {.thread_count = 10};
    static const struct scenario rate = {.load = {.model = LOAD_OPEN}, .thread_count = 10};
    world.run.scenario = &few;
    world.record.lag.absences[7] = (struct loop_absence){.count = 0};
    world.record.lag.absences[15] = (struct loop_absence){.count = 1, .ns = 30 * MS};
    expect("[]");
    world.run.scenario = &rate;
    expect(
        "[#{warning => client_bound, busy => 0.72, late_ms => 0, p99_us => 1000, sending_us => 0, reading_us "
        "=> 1000}]");
    for (int i = 0; i < 1000; i++)
        latencies_count_reply(&world.record.latencies, true);
    expect("[]"); /* when they were read is in no time */
    latencies_free(&world.record.latencies);
}

/* --- What has no service time --- */

static void test_excluded(void **state)
{
    (void)state;
    make();
    expect("[]");
    world.record.latencies.start_delay.count = 1000;
    world.record.latencies.excluded = 1;
    expect("[]");
    world.record.latencies.excluded = 2;
    expect("[#{warning => service_excluded, excluded => 2, operations => 1000}]");
    expect_message(
        "2 of 1000 operations were sent while their node took no more, so that nobody knows when they "
        "have left, or never began before the run was out of time, and are in no service time: have fewer of "
        "them under way, or smaller messages");
}

/* --- The rate --- */

static const struct scenario of_rate = {
    .load = {.model = LOAD_OPEN, .stages = (struct plan_stage[]){{.duration_ms = 2000}}, .stage_count = 1}};

static void make_rate(void)
{
    make();
    world.run.scenario = &of_rate;
    world.record.ended_ns += 3 * SECOND; /* with its end, which is no time of the load */
}

static void test_dropped(void **state)
{
    (void)state;
    make_rate();
    world.record.arrivals_begun = 1000;
    expect("[]");
    world.record.dropped = 1;
    expect("[#{warning => rate_not_reached, arrivals => 1001, dropped => 1, begun => 1000, asked_per_s => "
           "500.5, "
           "begun_per_s => 500.0, reason => max_in_flight}]");
    expect_message(
        "the rate was beyond what could be sent: of 1001 arrivals, 500 a second, 1000 have begun in "
        "the time of the load, 500 a second, and 1 were dropped, as all that max_in_flight "
        "allows were under way");
    world.record.cut_off = 1; /* it could still have begun */
    expect("[]");
    world.record.arrivals_begun = 98;
    expect("[#{warning => rate_not_reached, arrivals => 99, dropped => 1, begun => 98, asked_per_s => 49.5, "
           "begun_per_s => 49.0, reason => daemon}]");
}

static void test_begun_late(void **state)
{
    (void)state;
    make_rate();
    world.record.arrivals_begun = 1000;
    world.record.begun_late = 10;
    expect("[]");
    world.record.begun_late = 11;
    expect(
        "[#{warning => rate_not_reached, arrivals => 1000, dropped => 0, begun => 989, asked_per_s => 500.0, "
        "begun_per_s => 494.5, reason => daemon}]");
    expect_message(
        "the rate was beyond what could be sent: of 1000 arrivals, 500 a second, 989 have begun in "
        "the time of the load, 494 a second, and 0 were dropped, as this daemon had no time for them");
    world.record.latencies.waited = 11; /* those have waited for room */
    expect(
        "[#{warning => rate_not_reached, arrivals => 1000, dropped => 0, begun => 989, asked_per_s => 500.0, "
        "begun_per_s => 494.5, reason => max_in_flight}]");
    world.run.scenario = &scenario; /* there is no rate */
    expect("[]");
}

/* What waits may still begin while the load goes on. */
static void test_rate_so_far(void **state)
{
    (void)state;
    make_rate();
    world.is_on = true;
    world.record.started_ns = world.record.ended_ns = clock_ns() - 100 * SECOND;
    world.record.arrivals_begun = 10;
    world.record.begun_late = 5;
    world.queued = 500;
    expect("[]");
    world.record.dropped = 3;
    expect("[#{warning => rate_not_reached, arrivals => 513, dropped => 3, begun => 5, asked_per_s => 256.5, "
           "begun_per_s => 2.5, reason => max_in_flight}]");
}

/* --- The clocks --- */

static void test_clock_set(void **state)
{
    (void)state;
    make();
    world.now.monotonic_ns += 10 * (int64_t)SECOND;
    world.now.boot_ns += 10 * (int64_t)SECOND;
    world.now.wall_ns += 10 * (int64_t)SECOND;
    expect("[]");
    world.now.wall_ns += 100 * (int64_t)MS;
    expect("[]");
    world.now.wall_ns += 1;
    expect("[#{warning => clock_jumped, by_ms => 100}]");
    expect_message("the wall clock was set forward by 100 ms while the run went on");
    world.now.wall_ns -= 200 * (int64_t)MS + 1;
    expect("[]");
    world.now.wall_ns -= 1900 * (int64_t)MS;
    expect("[#{warning => clock_jumped, by_ms => -2000}]");
    expect_message("the wall clock was set back by 2000 ms while the run went on");
}

/* The wall clock goes on, as that of the boot. */
static void test_suspended(void **state)
{
    (void)state;
    make();
    world.now.monotonic_ns += 10 * (int64_t)SECOND;
    world.now.boot_ns += 10 * (int64_t)SECOND + 100 * (int64_t)MS;
    world.now.wall_ns = world.now.boot_ns + 100 * (int64_t)SECOND;
    expect("[]");
    world.now.boot_ns += 3 * (int64_t)SECOND;
    world.now.wall_ns += 3 * (int64_t)SECOND;
    expect("[#{warning => clock_jumped, by_ms => 3100}]");
    expect_message(
        "the machine was suspended for 3100 ms while the run went on, which no measured time holds");
    world.now.wall_ns += (int64_t)SECOND;
    expect("[#{warning => clock_jumped, by_ms => 1000}, #{warning => clock_jumped, by_ms => 3100}]");
}

/* --- Limits --- */

static struct run_limit reached[] = {
    {.node = "a@h", .limit = CONN_LIMIT_FRAME, .times = 2, .operations = 30},
    {.node = "b@h", .limit = CONN_LIMIT_QUEUED, .times = 1, .operations = 0},
    {.node = "c@h", .limit = CONN_LIMIT_FRAME, .times = 1, .operations = 1},
};

static void test_limits(void **state)
{
    (void)state;
    make();
    list_append(&world.run.limits, &reached[0].link);
    expect("[#{warning => message_too_large, limit => frame_bytes, key => <<\"limits.frame_bytes\">>, nodes "
           "=> ['a@h'], times => 2, "
           "operations => 30}]");
    expect_message(
        "messages of a@h were larger than limits.frame_bytes of this daemon's configuration allows, and were "
        "not kept (2), and operations failed by it (30)");
    list_append(&world.run.limits, &reached[1].link);
    list_append(&world.run.limits, &reached[2].link);
    expect("[#{warning => message_too_large, limit => frame_bytes, key => <<\"limits.frame_bytes\">>, nodes "
           "=> ['a@h', 'c@h'], times => 3, "
           "operations => 31}, "
           "#{warning => message_too_large, limit => queued_bytes, key => <<\"limits.queued_bytes\">>, nodes "
           "=> ['b@h'], times => 1, "
           "operations => 0}]");
    expect_message("messages of a@h and 1 more were larger than limits.frame_bytes of this daemon's "
                   "configuration allows, "
                   "and were not kept (3), and operations failed by it (31)");
}

static void test_limits_of_many_nodes(void **state)
{
    (void)state;
    struct run_limit many[12] = {0};
    make();
    for (size_t i = 0; i < ARRAY_LENGTH(many); i++) {
        many[i] = (struct run_limit){.limit = CONN_LIMIT_FRAME, .times = 1, .operations = 1};
        snprintf(many[i].node, sizeof(many[i].node), "n%zu@h", i);
        list_append(&world.run.limits, &many[i].link);
    }
    expect("[#{warning => message_too_large, limit => frame_bytes, key => <<\"limits.frame_bytes\">>, nodes "
           "=> ['n0@h', 'n1@h', 'n2@h', 'n3@h', "
           "'n4@h', 'n5@h', 'n6@h', 'n7@h', 'n8@h', 'n9@h'], times => 12, operations => 12}]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_busy),        cmocka_unit_test(test_late),
        cmocka_unit_test(test_late_so_far), cmocka_unit_test(test_sent_late),
        cmocka_unit_test(test_advice),      cmocka_unit_test(test_read_late),
        cmocka_unit_test(test_excluded),    cmocka_unit_test(test_dropped),
        cmocka_unit_test(test_begun_late),  cmocka_unit_test(test_rate_so_far),
        cmocka_unit_test(test_clock_set),   cmocka_unit_test(test_suspended),
        cmocka_unit_test(test_limits),      cmocka_unit_test(test_limits_of_many_nodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
