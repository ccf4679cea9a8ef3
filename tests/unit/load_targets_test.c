/* Who members of targets that give several are, as they come and go. How one is reached is played by the
 * test. */
#include "term_from_text.h"

#include "load/targets.h"
#include "scenario/scenario_term.h"
#include "target_private.h"

#define CALLER "app@caller"
#define MEMBERS 1000

static struct {
    struct scenario *scenario;
    struct targets *targets;
    uint32_t spread[MEMBERS + 2];
    size_t count;
    size_t most;
    int told;
    bool is_unused;
    int asked;                          /* whether one is */
    size_t first_number;                /* as which members are observed */
    const struct target_events *events; /* of each target */
    struct target *last;                /* that was made */
    struct target *looked;              /* at again */
} world;

void target_init(struct target *target, const struct target_spec *spec, size_t index, bool is_confirmed,
                 struct process *process, struct term group_leader, const struct target_events *events,
                 void *owner)
{
    *target = (struct target){.spec = spec,
                              .index = index,
                              .is_confirmed = is_confirmed,
                              .process = process,
                              .group_leader = group_leader,
                              .events = events,
                              .owner = owner};
    world.events = events;
    world.last = target;
}

void target_close(struct target *target)
{
    (void)target;
}

void target_free(struct target *target)
{
    (void)target;
}

void target_reach(struct target *target)
{
    (void)target;
}

bool target_is_open(struct target *target)
{
    return target->state == TARGET_READY;
}

void target_look_again(struct target *target)
{
    world.looked = target;
}

void target_send(struct target *target, struct term message)
{
    (void)target;
    (void)message;
}

void target_send_held(struct target *target, struct term head, struct term tail, struct blob *held)
{
    (void)head;
    (void)held;
    target_send(target, tail);
}

struct departure *target_departure(const struct target *target)
{
    (void)target;
    return NULL;
}

static void on_open(void *owner, size_t target)
{
    (void)owner;
    (void)target;
}

static void on_failed(void *owner, size_t target, enum target_failure failure, const struct term_long *reason)
{
    (void)owner;
    (void)target;
    (void)failure;
    (void)reason;
}

static void on_spread(void *owner, const uint32_t *targets, size_t count, size_t most)
{
    (void)owner;
    assert_true(count <= ARRAY_LENGTH(world.spread));
    memcpy(world.spread, targets, count * sizeof(*targets));
    world.count = count;
    world.most = most;
    world.told++;
}

static bool is_unused(void *owner, size_t target)
{
    (void)owner;
    (void)target;
    world.asked++;
    return world.is_unused;
}

/* 100 for $p, 101 for $q. */
static size_t observed_as(void *owner, size_t target, struct term pid)
{
    struct term_builder builder = {0};
    (void)owner;
    (void)target;
    bool is_first = term_same(pid, term_from_text(&builder, "$p"));
    term_build_free(&builder);
    return world.first_number + !is_first;
}

static const struct targets_events events = {.open = on_open,
                                             .failed = on_failed,
                                             .spread = on_spread,
                                             .is_unused = is_unused,
                                             .observed_as = observed_as};

static int setup(void **state)
{
    (void)state;
    struct term_builder builder = {0};
    struct problems problems = {0};
    const struct scenario_origin origin = {.caller_node = CALLER, .own_node = OWN};
    memset(&world, 0, sizeof(world));
    world.scenario = scenario_term_read(
        term_from_text(&builder, "#{target => [{pg, g}, single, {children, sup}], threads => [[a]]}"),
        &origin, &problems);
    assert_non_null(world.scenario);
    world.targets = targets_new(world.scenario, NULL, NULL, (struct term){0}, &events, NULL);
    problems_free(&problems);
    term_build_free(&builder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    targets_close(world.targets);
    targets_free(world.targets);
    scenario_free(world.scenario);
    return 0;
}

static void give(size_t target, const char *pids)
{
    struct term_builder builder = {0};
    targets_set_members(world.targets, target, term_from_text(&builder, pids));
    term_build_free(&builder);
}

static void expect_spread(size_t count, const uint32_t *numbers)
{
    assert_int_equal(world.count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(world.spread[i], numbers[i]);
}

#define EXPECT_SPREAD(...)                                                                                   \
    expect_spread(ARRAY_LENGTH(((const uint32_t[]){__VA_ARGS__})), (const uint32_t[]){__VA_ARGS__})

static void test_members_come_and_go(void **state)
{
    (void)state;
    give(0, "[]");
    targets_spread_again(world.targets);
    assert_int_equal(world.told, 0); /* as it was */
    give(0, "[$p, $q]");
    EXPECT_SPREAD(3, 4, 1, 2);
    assert_int_equal(world.most, 5);
    expect_term(targets_spec(world.targets, 3)->server, "$p");
    assert_string_equal(targets_spec(world.targets, 3)->node, "app@target");
    assert_int_equal(targets_source(world.targets, 3), 0);
    give(2, "[$p]"); /* a process may be a member of two */
    EXPECT_SPREAD(3, 4, 1, 5);
    assert_int_equal(targets_source(world.targets, 5), 2);
    int told = world.told;
    give(0, "[$q, $p]");
    assert_int_equal(world.told, told);
    targets_spread_again(world.targets);
    assert_int_equal(world.told, told + 1);
    EXPECT_SPREAD(3, 4, 1, 5);
    give(0, "[$q]");
    EXPECT_SPREAD(4, 1, 5);
    assert_int_equal(targets_member_count(world.targets, 0), 1);
    struct term_builder members = {0};
    targets_build_members(world.targets, 0, &members);
    expect_term(term_built(&members), "[$q]");
    term_build_free(&members);
    assert_int_equal(targets_count(world.targets), 6);
    give(0, "[]");
    EXPECT_SPREAD(0, 1, 5);
    give(2, "[]");
    EXPECT_SPREAD(0, 1, 2);
    assert_int_equal(targets_source(world.targets, 1), 1);
}

static void test_numbers_are_used_again(void **state)
{
    (void)state;
    give(0, "[$p]");
    give(0, "[]");
    give(0, "[$q]");
    EXPECT_SPREAD(4, 1, 2); /* calls are under way at the first */
    give(0, "[]");
    world.is_unused = true;
    give(2, "[$p]");
    EXPECT_SPREAD(0, 1, 5); /* those of another target are its own */
    give(0, "[$p]");
    EXPECT_SPREAD(3, 1, 5);
    expect_term(targets_spec(world.targets, 3)->server, "$p");
}

static void give_numbered(size_t target, uint32_t first)
{
    struct term_builder builder = {0};
    term_build_list(&builder, MEMBERS);
    for (uint32_t i = 0; i < MEMBERS; i++)
        term_build_pid(&builder, &(struct term_pid){.node = "app@target", .id = first + i, .creation = 1});
    term_build_nil(&builder);
    targets_set_members(world.targets, target, term_built(&builder));
    term_build_free(&builder);
}

/* Each number is looked at once for all that are given together, and none is made before it is used. */
static void test_very_many_members(void **state)
{
    (void)state;
    give_numbered(0, 1);
    assert_int_equal(world.count, MEMBERS + 2);
    assert_null(world.last);
    give_numbered(0, 1 + MEMBERS);
    assert_int_equal(targets_count(world.targets), 3 + 2 * MEMBERS);
    world.is_unused = true;
    world.asked = 0;
    give_numbered(0, 1 + 2 * MEMBERS);
    assert_int_equal(targets_count(world.targets), 3 + 2 * MEMBERS);
    assert_true(world.asked <= 2 * MEMBERS);
    assert_int_equal(targets_member_count(world.targets, 0), MEMBERS);
    for (uint32_t i = 0; i < MEMBERS; i++)
        assert_int_equal(world.spread[i], 3 + i);
    world.is_unused = false;
    world.asked = 0;
    give_numbered(0, 1);
    assert_int_equal(targets_count(world.targets), 3 + 3 * MEMBERS);
    assert_true(world.asked <= 2 * MEMBERS);
}

static void test_a_member_that_fails(void **state)
{
    (void)state;
    give(0, "[$p, $q]");
    targets_reach(world.targets, 4);
    struct target *second = world.last;
    second->events->failed(second->owner, second, TARGET_DIED, TERM_LONG(TERM_ATOM("killed")));
    EXPECT_SPREAD(3, 1, 2);
    int told = world.told;
    second->events->failed(second->owner, second, TARGET_NOPROC, TERM_LONG(TERM_ATOM("noproc")));
    assert_int_equal(world.told, told);
    give(0, "[$p, $q]"); /* it was the connection only */
    EXPECT_SPREAD(3, 5, 1, 2);
}

static void test_as_whom_they_are_observed(void **state)
{
    (void)state;
    world.first_number = 100;
    give(0, "[$p, $q]");
    assert_int_equal(targets_observed_as(world.targets, 0), 0);
    assert_int_equal(targets_observed_as(world.targets, 3), 100);
    assert_int_equal(targets_observed_as(world.targets, 4), 101);
    world.first_number = 200; /* their names have become known */
    give(0, "[$p, $q]");
    assert_int_equal(targets_observed_as(world.targets, 3), 200);
}

static void test_what_are_no_pids(void **state)
{
    (void)state;
    give(0, "[a, $p, {b, c}]");
    EXPECT_SPREAD(3, 1, 2);
    give(0, "nonsense");
    EXPECT_SPREAD(0, 1, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_members_come_and_go, setup, teardown),
        cmocka_unit_test_setup_teardown(test_numbers_are_used_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_very_many_members, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_member_that_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_as_whom_they_are_observed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_are_no_pids, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
