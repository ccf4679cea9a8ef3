/* Recovery of targets that give several processes: of each member by its name, whoever bears it, and of those
 * without one together. */
#include "faults_world.h"

#define SUPERVISOR "{children, {sup, app@target}}"
#define A "{sup, a}"
#define B "{sup, b}"

static struct world world;

static uint64_t at(uint64_t ms)
{
    return world.begun_ns + ms * MS;
}

static void move_to(uint64_t ms)
{
    world_run(&world, ms);
    world.now_ns = at(ms);
}

/* Whom the target gives now, and what they are called. */
static void give(const char *pids, const char *names)
{
    struct term_builder parts[2] = {0};
    faults_keep_members(world.faults, 0, term_from_text(&parts[0], pids));
    faults_set_members(world.faults, 0, term_from_text(&parts[0], pids), term_from_text(&parts[1], names));
    term_build_free(&parts[0]);
    term_build_free(&parts[1]);
}

static size_t number_of(const char *pid)
{
    struct term_builder builder = {0};
    size_t number = faults_member(world.faults, 0, term_from_text(&builder, pid));
    term_build_free(&builder);
    return number;
}

static void answered(size_t target, uint64_t sent_ms, uint64_t ended_ms)
{
    world_observe(&world, target, at(sent_ms), at(ended_ms), true);
}

static void failed(size_t target, uint64_t sent_ms, uint64_t ended_ms)
{
    world_observe(&world, target, at(sent_ms), at(ended_ms), false);
}

/* A fault of two of three members is asked for 100 ms after the start. */
static void make(const char *names, const char *action)
{
    char chaos[200];
    snprintf(chaos, sizeof(chaos), "[#{action => %s, after_ms => 100}]", action);
    world_make_for(&world, SUPERVISOR, chaos, "");
    give("[$a, $b, $c]", names);
    world_begin(&world);
    for (uint64_t ms = 0; ms < 100; ms += 10) {
        answered(number_of("$a"), ms, ms + 1);
        answered(number_of("$b"), ms, ms + 1);
        answered(number_of("$c"), ms, ms + 1);
    }
    move_to(100);
    world_agent_starts(&world, 0);
    world_expect_asked(&world, 0, "{find, {children, sup}}");
    world_answer(&world, 0, "{found, none, [{a, $a, '', app, ''}, {b, $b, '', app, ''}]}");
}

/* It took effect at 101 ms, as is told at 103 ms. */
static void take_effect(const char *what)
{
    char answer[100];
    move_to(103);
    int64_t behind_ns = (int64_t)world.now_ns - world_agent_clock(&world);
    snprintf(answer, sizeof(answer), "{%s, %lld}", what, (long long)((int64_t)at(101) - behind_ns));
    world_answer_last(&world, answer);
}

#define CRASH "{inject_crash, immediate}"
#define SUSPEND "{suspend, 1000}"

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

static void test_numbers(void **state)
{
    (void)state;
    make("[" A ", " B ", '']", CRASH);
    size_t a = number_of("$a"), b = number_of("$b"), c = number_of("$c");
    assert_true(a != b && b != c && a != c && a && b && c);
    assert_int_equal(number_of("$d"), 0); /* who is not known is the target as a whole */
    give("[$b, $d]", "[" B ", " A "]");
    assert_int_equal(number_of("$d"), a); /* another one of the same name */
    assert_int_equal(number_of("$b"), b);
    assert_int_equal(number_of("$a"), 0);
    give("[$b, $c]", "[" B ", '']");
    give("[$b, $c]", "[" B ", {sup, c}]"); /* its name has become known */
    size_t named = number_of("$c");
    give("[$b, $c]", "[" B ", '']"); /* or could not be asked for once more */
    assert_int_equal(number_of("$c"), named);
    give("[]", "[]");
    give("nonsense", "nonsense");
    give("[a, $a]", "['']");
    assert_true(number_of("$a") != 0);
    world_free(&world);
}

/* The time counts to the answer of the new one, though nobody has asked for the old one meanwhile. */
static void test_names(void **state)
{
    (void)state;
    make("[" A ", " B ", {sup, c}]", CRASH);
    take_effect("effect");
    failed(number_of("$b"), 100, 104);
    give("[$c]", "[{sup, c}]");
    answered(number_of("$c"), 110, 111);
    move_to(150);
    give("[$c, $d]", "[{sup, c}, " A "]");
    answered(number_of("$d"), 150, 152);
    expect("recovery",
           "[#{target => " A ", recovery_ms => 51, errors => 0, last_error_ms => nil, again_ms => nil}, "
           "#{target => " B ", recovery_ms => nil, errors => 1, last_error_ms => 3, again_ms => nil}]");
    assert_true(faults_are_recovering(world.faults));
    give("[$c, $d, $q]", "[{sup, c}, " A ", " B "]");
    answered(number_of("$q"), 160, 161);
    expect("recovery_ms", "60");
    assert_false(faults_are_recovering(world.faults));
    expect_recovery(true, false, 60);
    world_free(&world);
}

/* Nothing was sent to it since, as the load goes to the others: it has not recovered all the same. */
static void test_who_stays_away(void **state)
{
    (void)state;
    struct term_builder untested = {0};
    make("[" A ", " B ", {sup, c}]", CRASH);
    take_effect("effect");
    give("[$b, $c]", "[" B ", {sup, c}]");
    answered(number_of("$b"), 110, 111);
    answered(number_of("$c"), 110, 111);
    move_to(500);
    faults_load_over(world.faults, world.now_ns);
    expect("recovery",
           "[#{target => " A ", recovery_ms => nil, errors => 0, last_error_ms => nil, again_ms => nil}, "
           "#{target => " B ", recovery_ms => 0, errors => 0, last_error_ms => nil, again_ms => nil}]");
    expect_recovery(true, true, 0);
    assert_int_equal(faults_build_untested(world.faults, &untested), 0);
    term_build_free(&untested);
    world_free(&world);
}

/* Of those without a name: there are as many as before, and the new ones have answered. */
static void test_whole(void **state)
{
    (void)state;
    make("['', '', '']", CRASH);
    give("[$c]", "['']"); /* the word of who is gone may come before that of the fault */
    take_effect("effect");
    answered(number_of("$c"), 110, 111);
    expect("recovery_ms", "nil");
    move_to(120);
    give("[$c, $d]", "['', '']");
    answered(number_of("$d"), 120, 121);
    expect("recovery_ms", "nil"); /* one is missing */
    move_to(130);
    give("[$c, $d, $p]", "['', '', '']");
    answered(number_of("$d"), 130, 131);
    answered(number_of("$c"), 130, 131);
    expect("recovery_ms", "nil"); /* one has not answered */
    failed(number_of("$p"), 130, 135);
    answered(number_of("$p"), 140, 141);
    expect("recovery", "[#{target => " SUPERVISOR
                       ", recovery_ms => 40, errors => 1, last_error_ms => 34, again_ms => nil}]");
    expect_recovery(true, false, 40);
    world_free(&world);
}

/* Who is still there has to answer when the fault was done to him. */
static void test_who_stands_still(void **state)
{
    (void)state;
    make("['', '', '']", SUSPEND);
    take_effect("holding, 2");
    answered(number_of("$c"), 104, 105);
    answered(number_of("$b"), 100, 600); /* sent before */
    answered(number_of("$a"), 110, 1103);
    expect("recovery_ms", "nil");
    answered(number_of("$b"), 600, 1104);
    expect("recovery_ms", "1003");
    expect_recovery(true, false, 1003);
    world_free(&world);
}

/* The word of the fault may come after the first answers. */
static void test_late_word(void **state)
{
    (void)state;
    make("['', '', '']", SUSPEND);
    answered(number_of("$a"), 102, 103);
    answered(number_of("$b"), 102, 103);
    take_effect("holding, 2");
    expect("recovery_ms", "0");
    expect_recovery(true, false, 0);
    world_free(&world);
}

static void test_too_few(void **state)
{
    (void)state;
    make("['', '', '']", CRASH);
    take_effect("effect");
    give("[$c, $d]", "['', '']");
    answered(number_of("$c"), 110, 111);
    answered(number_of("$d"), 110, 111);
    move_to(2000);
    faults_load_over(world.faults, world.now_ns);
    expect("recovery_ms", "nil");
    expect_recovery(true, true, 0);
    /* Then all are back, while the load waits for that. */
    give("[$c, $d, $p]", "['', '', '']");
    answered(number_of("$p"), 2010, 2011);
    expect("recovery_ms", "1910");
    expect_recovery(true, false, 1910);
    world_free(&world);
}

/* What is sent while nobody is there fails for the target itself, which is there again with any of them. */
static void test_nobody_there(void **state)
{
    (void)state;
    make("[" A ", " B ", {sup, c}]", CRASH);
    take_effect("effect");
    give("[]", "[]");
    failed(0, 105, 106);
    failed(0, 110, 111);
    move_to(120);
    give("[$a, $b, $d]", "[" A ", " B ", {sup, c}]");
    answered(number_of("$a"), 120, 121);
    answered(number_of("$b"), 120, 122);
    answered(number_of("$d"), 120, 123);
    expect("recovery",
           "[#{target => " A ", recovery_ms => 20, errors => 0, last_error_ms => nil, again_ms => nil}, "
           "#{target => " B ", recovery_ms => 21, errors => 0, last_error_ms => nil, again_ms => nil}, "
           "#{target => " SUPERVISOR
           ", recovery_ms => 20, errors => 2, last_error_ms => 10, again_ms => nil}]");
    world_free(&world);
}

static const char *allows_all(void *owner, const char *kind)
{
    (void)owner;
    (void)kind;
    return NULL;
}

/* Who was on a node that has halted. */
static void test_nodes(void **state)
{
    (void)state;
    world_make_for(&world, SUPERVISOR, "{halt_node, app@target}", "");
    world.radius.forbids_kind = allows_all;
    give("[$a, $b, $c]", "[" A ", '', '']");
    world_begin(&world);
    world_agent_starts(&world, 0);
    move_to(5);
    world_agent_lost(&world, 0, "noconnection");
    give("[]", "[]");
    move_to(50);
    give("[$d, $p, $q]", "[" A ", '', '']");
    answered(number_of("$d"), 50, 51);
    answered(number_of("$p"), 50, 52);
    answered(number_of("$q"), 50, 53);
    expect("recovery",
           "[#{target => " A ", recovery_ms => 46, errors => 0, last_error_ms => nil, again_ms => nil}, "
           "#{target => " SUPERVISOR
           ", recovery_ms => 48, errors => 0, last_error_ms => nil, again_ms => nil}]");
    world_free(&world);
}

/* A supervisor that turns out to be on another node is asked for its children there, and is none of them. */
static void test_supervisor_elsewhere(void **state)
{
    (void)state;
    world_make_for(&world, "{children, {global, sup}}", "[" SUSPEND "]", "");
    world_begin(&world);
    world_agent_starts(&world, 0);
    world_expect_asked(&world, 0, "{find, {children, {global, sup}}}");
    world_answer(&world, 0, "{elsewhere, $p}");
    assert_string_equal(world.agents[1].node, "app@target");
    world_agent_starts(&world, 1);
    world_expect_asked(&world, 1, "{find, {children, $p}}");
    world_free(&world);
}

/* Members that come and go for ever take no more room, and are told apart. */
static void test_very_many(void **state)
{
    (void)state;
    make("['', '', '']", CRASH);
    take_effect("effect");
    size_t most = 0;
    for (uint32_t i = 0; i < 5000; i++) {
        struct term_builder pids = {0}, names = {0};
        term_build_list(&pids, 2);
        for (uint32_t j = 0; j < 2; j++)
            term_build_pid(&pids, &(struct term_pid){.node = "app@target", .id = 100 + i + j, .creation = 7});
        term_build_nil(&pids);
        faults_keep_members(world.faults, 0, term_built(&pids));
        faults_set_members(world.faults, 0, term_built(&pids), term_from_text(&names, "['', '']"));
        struct term_list list;
        struct term first, second;
        assert_true(term_list_start(&list, term_built(&pids)) && term_list_next(&list, &first) &&
                    term_list_next(&list, &second));
        size_t numbers[] = {faults_member(world.faults, 0, first), faults_member(world.faults, 0, second)};
        assert_int_not_equal(numbers[0], numbers[1]);
        most = numbers[1] > most ? numbers[1] : most;
        failed(numbers[1], 104 + i, 104 + i);
        term_build_free(&pids);
        term_build_free(&names);
    }
    assert_true(most < 1100);
    expect("recovery_ms", "nil");
    world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_who_stays_away),
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_who_stands_still),
        cmocka_unit_test(test_late_word),
        cmocka_unit_test(test_too_few),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_very_many),
        cmocka_unit_test(test_supervisor_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
