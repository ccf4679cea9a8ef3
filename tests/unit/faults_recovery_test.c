/* Recovery by a clock that only the test moves. The agents' nodes have another clock, and what they tell is
 * under way for some time. */
#include "faults_world.h"

static struct world world;

/* So many ms after the start of the load. */
static uint64_t at(uint64_t ms)
{
    return world.begun_ns + ms * MS;
}

static void move_to(uint64_t ms)
{
    world_run(&world, ms);
    world.now_ns = at(ms);
}

static void answered(size_t target, uint64_t sent_ms, uint64_t ended_ms)
{
    world_observe(&world, target, at(sent_ms), at(ended_ms), true);
}

static void failed(size_t target, uint64_t sent_ms, uint64_t ended_ms)
{
    world_observe(&world, target, at(sent_ms), at(ended_ms), false);
}

/* Each 5 ms one that takes 1 ms. */
static void answers(size_t target, uint64_t from_ms, uint64_t to_ms)
{
    for (uint64_t ms = from_ms; ms < to_ms; ms += 5)
        answered(target, ms, ms + 1);
}

static void fails(size_t target, uint64_t from_ms, uint64_t to_ms)
{
    for (uint64_t ms = from_ms; ms < to_ms; ms += 5)
        failed(target, ms, ms + 1);
}

/* The last that was asked for took effect so many ms after the start, by the clock of its node, which is told
 * now. */
static void takes_effect(const char *what, uint64_t effect_ms)
{
    char answer[100];
    int64_t behind_ns = (int64_t)world.now_ns - world_agent_clock(&world);
    snprintf(answer, sizeof(answer), "{%s, %lld}", what, (long long)((int64_t)at(effect_ms) - behind_ns));
    world_answer_last(&world, answer);
}

#define CRASHED "effect"
#define HELD "holding, 1"

/* The load has gone on for 100 ms, and a fault of target c is asked for now; its agent has been told. */
static void make_asked_for(const char *target, const char *action)
{
    char chaos[200];
    snprintf(chaos, sizeof(chaos), "[#{action => %s, after_ms => 100, target => {c, app@target}}]", action);
    world_make_for(&world, target, chaos, "");
    world_begin(&world);
    answers(0, 0, 100);
    move_to(100);
    world_agent_starts(&world, 0);
    world_answer(&world, 0, "{found, none, [{undefined, $q, c, app, c}]}");
    assert_int_equal(world.asked_count, 2);
}

/* And it took effect at 101 ms, as was told at 103 ms. */
static void make_crashed(const char *target)
{
    make_asked_for(target, "{inject_crash, immediate}");
    move_to(103);
    takes_effect(CRASHED, 101);
    world_answer_last(&world, "{crashed, {1, 0, 0}}");
}

static void expect(const char *key, const char *value)
{
    world_expect_injection(&world, 0, key, value);
}

static void expect_recovery(bool is_known, bool is_missing, int64_t longest_ms)
{
    struct faults_recovery recovery = faults_recovery(world.faults, world.now_ns);
    assert_int_equal(recovery.is_known, is_known);
    assert_int_equal(recovery.is_missing, is_missing);
    if (is_known && !is_missing)
        assert_int_equal(recovery.longest_ms, longest_ms);
}

static void test_from_the_effect(void **state)
{
    (void)state;
    make_crashed("{c, app@target}");
    fails(0, 105, 150);
    expect("recovery_ms", "nil");
    answered(0, 150, 152);
    expect("at_ms", "100");
    expect("effect_ms", "101");
    expect("recovery_ms", "51");
    expect("errors", "9");
    expect("recovery", "[#{target => {c, app@target}, recovery_ms => 51, errors => 9, last_error_ms => 45, "
                       "again_ms => nil}]");
    expect_recovery(true, false, 51);
    world_free(&world);
}

/* What was sent before it tells nothing of after it, however late its answer comes. */
static void test_sent_before(void **state)
{
    (void)state;
    make_asked_for("{c, app@target}", "{suspend, 1000}");
    answered(0, 99, 102);
    move_to(103);
    takes_effect(HELD, 101);
    answered(0, 100, 1103);
    expect("recovery_ms", "nil");
    answered(0, 104, 1103);
    expect("recovery_ms", "1002");
    expect("errors", "0");
    world_free(&world);
}

/* One call at a time: the one that has waited was sent before. */
static void test_waited_before(void **state)
{
    (void)state;
    make_asked_for("{c, app@target}", "{suspend, 1000}");
    move_to(103);
    takes_effect(HELD, 101);
    answered(0, 100, 1103);
    answered(0, 1103, 1104);
    expect("recovery_ms", "1003");
    world_free(&world);
}

static void test_neither_failed_nor_waited(void **state)
{
    (void)state;
    make_asked_for("{c, app@target}", "{suspend, 1}");
    move_to(300); /* it took long to set up, and did nothing to anybody */
    takes_effect(HELD, 299);
    answered(0, 299, 300);
    expect("effect_ms", "299");
    expect("recovery", "[#{target => {c, app@target}, recovery_ms => 0, errors => 0, last_error_ms => nil, "
                       "again_ms => nil}]");
    expect("recovery_ms", "0");
    expect_recovery(true, false, 0);
    world_free(&world);
}

/* What is slow always has not waited for the fault. */
static void test_slow_server(void **state)
{
    (void)state;
    world_make_for(&world, "{c, app@target}", "[#{action => {garbage_collect, []}, after_ms => 10000}]", "");
    world_begin(&world);
    for (uint64_t ms = 0; ms < 9900; ms += 200)
        answered(0, ms, ms + 200);
    move_to(10000);
    world_agent_starts(&world, 0);
    world_answer(&world, 0, "{found, none, [{undefined, $q, c, app, c}]}");
    takes_effect(CRASHED, 10000);
    answered(0, 9900, 10100);
    answered(0, 10100, 10300);
    expect("recovery_ms", "0");
    world_free(&world);
}

/* The word of it may come after the first success that was sent after it. */
static void test_late_word(void **state)
{
    (void)state;
    make_asked_for("{c, app@target}", "{inject_crash, immediate}");
    failed(0, 99, 102);
    answered(0, 103, 104);
    move_to(105);
    takes_effect(CRASHED, 101);
    expect(
        "recovery",
        "[#{target => {c, app@target}, recovery_ms => 3, errors => 1, last_error_ms => 1, again_ms => nil}]");
    world_free(&world);
}

/* The quickest message bounds what a slow one says. */
static void test_slow_messages(void **state)
{
    (void)state;
    make_asked_for("{c, app@target}", "{inject_crash, immediate}");
    world.under_way_ns = 80 * MS;
    move_to(181);
    takes_effect(CRASHED, 90); /* never before it was asked for */
    expect("effect_ms", "100");
    world_free(&world);
    make_asked_for("{c, app@target}", "{inject_crash, immediate}");
    world.under_way_ns = 80 * MS;
    move_to(181);
    takes_effect(CRASHED, 101);
    expect("effect_ms", "101");
    world_free(&world);
}

/* --- Several targets --- */

static void test_the_target_itself(void **state)
{
    (void)state;
    make_crashed("[{c, app@target}, d]");
    fails(0, 105, 200);
    answers(1, 105, 1500);
    expect("recovery", "[#{target => {c, app@target}, recovery_ms => nil, errors => 19, last_error_ms => 95, "
                       "again_ms => nil}]");
    expect("recovery_ms", "nil");
    move_to(1500);
    faults_load_over(world.faults, world.now_ns);
    expect_recovery(true, true, 0);
    world_free(&world);
}

/* Who fails from the fault on, though it was done to another. */
static void test_who_fails_with_it(void **state)
{
    (void)state;
    make_crashed("[{c, app@target}, d, e]");
    answered(0, 105, 106);
    answers(2, 105, 500);
    fails(1, 105, 300);
    answered(1, 300, 301);
    expect("recovery",
           "[#{target => {c, app@target}, recovery_ms => 0, errors => 0, last_error_ms => nil, again_ms => "
           "nil}, "
           "#{target => d, recovery_ms => 200, errors => 39, last_error_ms => 195, again_ms => nil}]");
    expect("recovery_ms", "200");
    expect("errors", "39");
    world_free(&world);
}

/* Its first failure may come when it has long answered what was sent after the fault. */
static void test_who_fails_later(void **state)
{
    (void)state;
    make_crashed("[{c, app@target}, d]");
    answered(1, 104, 105);
    failed(1, 400, 401);
    expect("recovery",
           "[#{target => {c, app@target}, recovery_ms => nil, errors => 0, last_error_ms => nil, again_ms => "
           "nil}, "
           "#{target => d, recovery_ms => 4, errors => 1, last_error_ms => 300, again_ms => nil}]");
    world_free(&world);
}

/* The failures of the second may be seen before it is known that it took effect. */
static void make_two_crashes(void)
{
    world_make_for(&world, "[{c, app@target}, {d, app@target}]",
                   "[#{action => {inject_crash, immediate}, after_ms => 100, target => {c, app@target}}, "
                   "#{action => {inject_crash, immediate}, after_ms => 500, target => {d, app@target}}]",
                   "");
    world_begin(&world);
    move_to(100);
    world_agent_starts(&world, 0);
    world_answer(&world, 0, "{found, none, [{undefined, $q, c, app, c}]}");
    move_to(103);
    takes_effect(CRASHED, 101);
    world_answer_last(&world, "{crashed, {1, 0, 0}}");
    failed(0, 102, 104);
    answered(0, 105, 106);
    answers(1, 105, 500);
    move_to(500);
    world_answer_last(&world, "{found, none, [{undefined, $p, d, app, d}]}");
    failed(1, 499, 502);
}

#define FIRST_OF_TWO                                                                                         \
    "[#{target => {c, app@target}, recovery_ms => 5, errors => 1, last_error_ms => 3, again_ms => nil}]"

static void test_failing_before_the_word(void **state)
{
    (void)state;
    make_two_crashes();
    move_to(504);
    takes_effect(CRASHED, 501);
    failed(1, 503, 505);
    answered(1, 506, 507);
    expect("recovery", FIRST_OF_TWO);
    world_expect_injection(
        &world, 1, "recovery",
        "[#{target => {d, app@target}, recovery_ms => 6, errors => 2, last_error_ms => 4, again_ms => nil}]");
    world_free(&world);
}

/* There was no second effect after all: who fails from now on does so from the first. */
static void test_failing_without_an_effect(void **state)
{
    (void)state;
    make_two_crashes();
    expect("recovery", FIRST_OF_TWO);
    world_answer_last(&world, "{crashed, {0, 1, 0}}");
    failed(1, 600, 601);
    answered(1, 602, 603);
    expect(
        "recovery",
        "[#{target => {c, app@target}, recovery_ms => 5, errors => 1, last_error_ms => 3, again_ms => nil}, "
        "#{target => {d, app@target}, recovery_ms => 5, errors => 1, last_error_ms => 500, again_ms => "
        "nil}]");
    world_free(&world);
}

static const char *allows_all(void *owner, const char *kind)
{
    (void)owner;
    (void)kind;
    return NULL;
}

static void test_nodes(void **state)
{
    (void)state;
    world_make_for(&world, "[{c, 'a@x'}, {d, 'b@x'}, {e, 'b@x'}]", "{halt_node, 'b@x'}", "");
    world.radius.forbids_kind = allows_all;
    world_begin(&world);
    world_agent_starts(&world, 0);
    world_expect_asked(&world, 0, "{halt}");
    move_to(5);
    world_agent_lost(&world, 0, "noconnection");
    answers(0, 5, 1000);
    fails(1, 5, 800);
    answered(1, 800, 805);
    expect(
        "recovery",
        "[#{target => {d, 'b@x'}, recovery_ms => 800, errors => 159, last_error_ms => 791, again_ms => nil}, "
        "#{target => {e, 'b@x'}, recovery_ms => nil, errors => 0, last_error_ms => nil, again_ms => nil}]");
    struct term_builder untested = {0};
    assert_int_equal(faults_build_untested(world.faults, &untested), 1);
    expect_term(term_built(&untested), "[{e, 'b@x'}]");
    term_build_free(&untested);
    world_free(&world);
}

/* Two parts take effect at different times. */
static void test_parts(void **state)
{
    (void)state;
    char answer[100];
    world_make_for(&world, "[{c, 'a@x'}, {d, 'b@x'}]", "{exhaust, ports, [{duration_ms, 50}]}", "");
    world_begin(&world);
    world_agent_starts(&world, 0);
    world_agent_starts(&world, 1);
    int64_t behind_ns = (int64_t)world.now_ns - world_agent_clock(&world);
    move_to(30);
    snprintf(answer, sizeof(answer), "{holding, 1, %lld}", (long long)((int64_t)at(10) - behind_ns));
    world_answer(&world, 0, answer);
    answered(0, 30, 35);
    move_to(300);
    snprintf(answer, sizeof(answer), "{holding, 1, %lld}", (long long)((int64_t)at(290) - behind_ns));
    world_answer(&world, 1, answer);
    failed(1, 280, 310);
    answered(1, 310, 315);
    expect("effect_ms", "10");
    expect("recovery",
           "[#{target => {c, 'a@x'}, recovery_ms => 0, errors => 0, last_error_ms => nil, again_ms => nil}, "
           "#{target => {d, 'b@x'}, recovery_ms => 25, errors => 1, last_error_ms => 20, again_ms => nil}]");
    world_free(&world);
}

/* Nobody of the scenario was touched: there is nothing to recover from, once somebody has answered. */
static void test_nobody_is_touched(void **state)
{
    (void)state;
    world_make_for(&world, "[{c, 'a@x'}]", "{halt_node, 'b@x'}", "");
    world.radius.forbids_kind = allows_all;
    world_begin(&world);
    world_agent_starts(&world, 0);
    world_agent_lost(&world, 0, "noconnection");
    expect("recovery_ms", "nil");
    expect_recovery(false, false, 0);
    answered(0, 5, 6);
    expect("recovery", "[]");
    expect("recovery_ms", "0");
    expect_recovery(true, false, 0);
    world_free(&world);
}

/* --- The end of the load --- */

static void load_ends(uint64_t ms)
{
    move_to(ms);
    faults_load_over(world.faults, world.now_ns);
}

static void test_nothing_sent(void **state)
{
    (void)state;
    make_crashed("{c, app@target}");
    load_ends(110);
    expect("recovery_ms", "nil");
    expect_recovery(false, false, 0);
    struct term_builder untested = {0};
    assert_int_equal(faults_build_untested(world.faults, &untested), 1);
    term_build_free(&untested);
    world_free(&world);
}

static void expect_unsettled(size_t count)
{
    struct term_builder unsettled = {0};
    assert_int_equal(faults_build_unsettled(world.faults, &unsettled), count);
    term_build_free(&unsettled);
}

/* One success among failures. */
static void test_failing_at_the_end(void **state)
{
    (void)state;
    make_crashed("{c, app@target}");
    answered(0, 105, 106);
    expect("recovery_ms", "0");
    fails(0, 110, 3000);
    answered(0, 2000, 2001);
    load_ends(3000);
    expect("recovery_ms", "nil");
    expect("recovery", "[#{target => {c, app@target}, recovery_ms => nil, errors => 578, last_error_ms => "
                       "2895, again_ms => nil}]");
    expect_recovery(true, true, 0);
    expect_unsettled(0);
    assert_true(faults_are_recovering(world.faults));
    answered(0, 3000, 3200); /* of what goes on after the load */
    expect("recovery_ms", "3099");
    assert_false(faults_are_recovering(world.faults));
    expect_recovery(true, false, 3099);
    world_free(&world);
}

/* What has failed before its first success says nothing against it, though it was in the last second. */
static void test_answers_to_the_end(void **state)
{
    (void)state;
    make_crashed("{c, app@target}");
    fails(0, 110, 1300);
    answers(0, 1400, 1500);
    failed(0, 1390, 1490); /* was sent before as well */
    load_ends(1500);
    expect("recovery",
           "[#{target => {c, app@target}, recovery_ms => 1300, errors => 238, last_error_ms => 1389, "
           "again_ms => nil}]");
    expect_recovery(true, false, 1300);
    assert_false(faults_are_recovering(world.faults));
    expect_unsettled(0);
    world_free(&world);
}

/* It has failed again, and answers: nobody knows for how long, unless the load goes on. */
static void test_unsettled_at_the_end(void **state)
{
    (void)state;
    make_crashed("{c, app@target}");
    answered(0, 105, 106);
    fails(0, 110, 1300);
    expect_unsettled(0);
    answers(0, 1400, 1500);
    load_ends(1500);
    expect("recovery",
           "[#{target => {c, app@target}, recovery_ms => nil, errors => 238, last_error_ms => 1195, "
           "again_ms => 1300}]");
    expect_recovery(true, true, 0);
    expect_unsettled(1);
    assert_true(faults_are_recovering(world.faults));
    answered(0, 1510, 1520);
    assert_false(faults_are_recovering(world.faults));
    expect_recovery(true, false, 1300);
    expect_unsettled(0);
    world_free(&world);
}

/* A second without a failure is enough. */
static void test_settled_at_the_end(void **state)
{
    (void)state;
    make_crashed("{c, app@target}");
    answered(0, 105, 106);
    fails(0, 110, 1300);
    answers(0, 1400, 2400);
    load_ends(2400);
    expect("recovery_ms", "0"); /* nobody has waited for the first answer */
    expect_recovery(true, false, 0);
    world_free(&world);
}

/* A fault may take longer to set up than the load goes on. */
static void test_set_up_too_late(void **state)
{
    (void)state;
    make_asked_for("{c, app@target}", "{suspend, 10}");
    load_ends(200);
    assert_true(faults_are_recovering(world.faults));
    move_to(300);
    takes_effect(HELD, 299);
    assert_true(faults_are_recovering(world.faults));
    answered(0, 300, 301);
    assert_false(faults_are_recovering(world.faults));
    expect("recovery_ms", "0");
    world_free(&world);
}

/* The failures of the last second have to be this fault's, and no others. */
static void test_short_load(void **state)
{
    (void)state;
    make_crashed("{c, app@target}");
    fails(0, 105, 150);
    answers(0, 150, 400);
    load_ends(400);
    expect("recovery_ms", "50");
    expect_recovery(true, false, 50);
    world_free(&world);
}

static void test_still_waited_for(void **state)
{
    (void)state;
    make_crashed("{c, app@target}");
    expect_recovery(false, false, 0);
    failed(0, 105, 106);
    move_to(400);
    expect_recovery(true, false, 299);
    load_ends(500);
    expect_recovery(true, true, 0);
    world_free(&world);
}

/* --- Many faults --- */

/* Of very many that are not recorded any more the longest recovery is known. */
static void test_not_recorded(void **state)
{
    (void)state;
    static const char chaos[] = "[#{action => {apply, m, f, []}, every_ms => 1, times => 10050}]";
    world_make(&world, chaos, "");
    world_begin(&world);
    world_agent_starts(&world, 0);
    for (uint64_t ms = 0; ms < 10050; ms++) {
        world_run(&world, ms);
        takes_effect(CRASHED, ms);
        world_answer_last(&world, "{returned, ok}");
        failed(0, ms, ms);
    }
    assert_int_equal(faults_injections_dropped(world.faults), 50);
    answered(0, 10060, 10060);
    expect_recovery(true, false, 10060);
    world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_the_effect),
        cmocka_unit_test(test_sent_before),
        cmocka_unit_test(test_waited_before),
        cmocka_unit_test(test_neither_failed_nor_waited),
        cmocka_unit_test(test_slow_server),
        cmocka_unit_test(test_late_word),
        cmocka_unit_test(test_slow_messages),
        cmocka_unit_test(test_the_target_itself),
        cmocka_unit_test(test_who_fails_with_it),
        cmocka_unit_test(test_who_fails_later),
        cmocka_unit_test(test_failing_before_the_word),
        cmocka_unit_test(test_failing_without_an_effect),
        cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_nobody_is_touched),
        cmocka_unit_test(test_nothing_sent),
        cmocka_unit_test(test_answers_to_the_end),
        cmocka_unit_test(test_unsettled_at_the_end),
        cmocka_unit_test(test_settled_at_the_end),
        cmocka_unit_test(test_failing_at_the_end),
        cmocka_unit_test(test_set_up_too_late),
        cmocka_unit_test(test_short_load),
        cmocka_unit_test(test_still_waited_for),
        cmocka_unit_test(test_not_recorded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
