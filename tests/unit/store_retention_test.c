/* What goes first, and whose: no sequence of what one holder does takes another's away too soon. */
#include "store/store.h"

#include "base/random.h"
#include "store_fixture.h"
#include "store_list_private.h"

#define DAY_S (24 * 3600ULL)
#define DAY_MS (DAY_S * 1000)
#define HOLDERS 4
#define VICTIM 0

/* --- The list alone: holders against each other, by chance --- */

struct rivals {
    struct store_list list;
    struct store_limits limits;
    struct random random;
    uint64_t now_ms;
    uint64_t last_id;
    uint64_t suites[HOLDERS]; /* the last of each, 0 for none */
};

static uint64_t draw(struct rivals *rivals, uint64_t below)
{
    return random_below(&rivals->random, below);
}

static struct store_run *add(struct rivals *rivals, size_t holder, uint64_t suite, uint64_t bytes)
{
    struct store_run *run = store_list_add(&rivals->list, ++rivals->last_id);
    struct store_claim claim = {.holder = {(const uint8_t *)&"abcdefgh"[holder], 1}, .suite = suite};
    run->state = STORE_RUNNING;
    store_list_claim(&rivals->list, run, &claim);
    store_list_set_bytes(&rivals->list, run, bytes);
    return run;
}

static void end(struct rivals *rivals, struct store_run *run)
{
    run->state = STORE_FINISHED;
    run->ended_at_ms = rivals->now_ms;
    run->told[STORE_FINISHED] = true;
    store_list_end(&rivals->list, run);
}

static bool is_victims(const struct store_run *run)
{
    return *(const char *)buffer_bytes(&run->holder->name) == "abcdefgh"[VICTIM];
}

static bool is_at_its_limit(const struct rivals *rivals)
{
    return rivals->list.bytes > rivals->limits.bytes || rivals->list.count > rivals->limits.count_most;
}

/* Whatever is done, the store ends within what it may have, by what its rules allow. */
static void keep_limits(struct rivals *rivals)
{
    struct store_run *run;
    const uint64_t old_ms = rivals->now_ms - rivals->limits.seconds_least * 1000;
    const uint64_t share_bytes = rivals->limits.bytes / HOLDERS, share = rivals->limits.count_most / HOLDERS;
    while ((run = store_list_surplus(&rivals->list, &rivals->limits, 0, old_ms))) {
        bool is_young = run->ended_at_ms >= old_ms;
        assert_int_equal(run->state, STORE_FINISHED);
        assert_null(run->suite);
        assert_true(!is_young || is_at_its_limit(rivals));
        if (is_victims(run) && is_young)
            assert_true(run->holder->bytes > share_bytes || run->holder->runs > share);
        LIST_EACH(struct store_run, member, &run->members, member_link)
            store_list_remove(&rivals->list, member);
        store_list_remove(&rivals->list, run);
    }
}

static void expect_sums(const struct rivals *rivals)
{
    uint64_t bytes = 0, things = 0;
    for (size_t i = 0; i < rivals->list.count; i++) {
        const struct store_run *run = rivals->list.runs[i];
        bytes += run->bytes;
        things += run->state != STORE_RUNNING && !run->suite;
    }
    assert_int_equal(rivals->list.bytes, bytes);
    assert_int_equal(rivals->list.things, things);
}

/* Others start runs and suites, small and large, end them, delete theirs and let time pass; of the victim a
 * few runs end now and then, and stay for as long as they have to. */
static void rival(struct rivals *rivals)
{
    const size_t holder = 1 + draw(rivals, HOLDERS - 1);
    const uint64_t suite = rivals->suites[holder];
    struct store_run *of_suite = suite ? store_list_find(&rivals->list, suite) : NULL;
    switch (draw(rivals, 8)) {
    case 0:
        end(rivals, add(rivals, VICTIM, 0, 1 + draw(rivals, 30)));
        break;
    case 1:
        rivals->suites[holder] = add(rivals, holder, 0, 1)->id;
        break;
    case 2:
        if (of_suite && of_suite->state == STORE_RUNNING)
            end(rivals, of_suite);
        break;
    case 3:
        if (of_suite)
            end(rivals, add(rivals, holder, suite, draw(rivals, 100)));
        break;
    case 4:
        end(rivals, add(rivals, holder, 0, draw(rivals, 3000)));
        break;
    case 5:
        rivals->now_ms += draw(rivals, DAY_MS / 20);
        break;
    default:
        for (uint64_t i = draw(rivals, 20); i; i--)
            end(rivals, add(rivals, holder, 0, 1));
    }
}

static void test_rivals(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct rivals rivals = {.limits = {.count = 50,
                                           .count_most = 400,
                                           .seconds_least = DAY_S,
                                           .bytes = seed % 2 ? 20000 : 1000000},
                                .now_ms = 1000 * DAY_MS};
        random_seed(&rivals.random, seed);
        for (size_t i = 0; i < 2000; i++) {
            rival(&rivals);
            keep_limits(&rivals);
            expect_sums(&rivals);
        }
        store_list_free(&rivals.list);
    }
}

/* --- The store, with both clocks of the test --- */

static uint64_t test_now_ns, test_now_us;

static uint64_t test_ns(void)
{
    return test_now_ns;
}

static uint64_t test_wall_us(void)
{
    return test_now_us;
}

static void claim_by_name(struct term summary, struct store_claim *claim)
{
    struct term value;
    int64_t number;
    if (term_pairs_get(summary, "holder", &value))
        claim->holder = value;
    if (term_pairs_get(summary, "suite", &value) && term_read_integer(value, &number))
        claim->suite = (uint64_t)number;
}

static struct term build_claimed(struct term_builder *builder, const char *holder, uint64_t suite)
{
    term_build_reset(builder);
    term_build_map(builder, 2);
    term_build_key(builder, "holder");
    term_build_atom(builder, holder);
    term_build_key_unsigned(builder, "suite", suite);
    return term_built(builder);
}

static void begin_of(struct fixture *fixture, uint64_t id, const char *holder, uint64_t suite)
{
    struct term_builder builder = {0};
    store_begin(fixture->store, id, build_claimed(&builder, holder, suite));
    term_build_free(&builder);
}

static void finish_of(struct fixture *fixture, uint64_t id, const char *holder, uint64_t suite, size_t size)
{
    struct term_builder builder = {0};
    struct blob *result = build_result(id, size);
    store_finish(fixture->store, id, build_claimed(&builder, holder, suite), result);
    blob_release(result);
    term_build_free(&builder);
}

static void open_claimed(struct fixture *fixture)
{
    static const struct store_clock clock = {.ns = test_ns, .wall_us = test_wall_us};
    test_now_ns = clock_ns();
    test_now_us = 20000 * DAY_S * 1000000;
    fixture->options.clock = &clock;
    fixture->options.claim = claim_by_name;
    fixture->options.written = NULL;
    log_nothing(fixture);
    open_store(fixture);
}

static void go_on(uint64_t seconds)
{
    test_now_ns += seconds * CLOCK_NS_PER_S;
    test_now_us += seconds * 1000000;
}

static size_t count_of(struct fixture *fixture, uint64_t from, uint64_t to)
{
    struct store_entry entry;
    size_t count = 0;
    for (uint64_t id = from; id <= to; id++)
        count += store_find(fixture->store, id, &entry);
    return count;
}

static void test_young_ones_stay(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.limits.count = 10;
    fixture->options.limits.seconds_least = DAY_S;
    open_claimed(fixture);
    for (uint64_t id = 1; id <= 5; id++)
        finish_of(fixture, id, "victim", 0, 0);
    for (uint64_t id = 6; id <= 65; id++)
        finish_of(fixture, id, "rival", 0, 0);
    settle(fixture);
    assert_int_equal(count_of(fixture, 1, 65), 65);
    reopen_store(fixture); /* whose they are is found again */
    settle_tending(fixture);
    go_on(DAY_S + 1);
    settle_tending(fixture);
    settle_tending(fixture);
    assert_int_equal(count_of(fixture, 1, 5), 5);
    assert_int_equal(count_of(fixture, 6, 65), 5);
}

static void test_full(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.limits.bytes = 30000;
    fixture->options.limits.seconds_least = DAY_S;
    open_claimed(fixture);
    finish_of(fixture, 1, "victim", 0, 2000);
    settle(fixture);
    for (uint64_t id = 2; id <= 30; id++) {
        finish_of(fixture, id, "rival", 0, 2000);
        settle(fixture);
    }
    assert_int_equal(count_of(fixture, 1, 1), 1);
    assert_in_range(count_of(fixture, 2, 30), 4, 6);
    assert_int_equal(count_of(fixture, 30, 30), 1);
    fixture->options.limits.bytes = 0;
    fixture->options.limits.count_most = 3;
    settle_tending(fixture);
    assert_int_equal(count_of(fixture, 1, 1), 1);
    assert_int_equal(count_of(fixture, 2, 30), 2);
}

/* A suite is one, and goes as one; the files of its members are found to be its own again. */
static void test_suite(void **state)
{
    struct fixture *fixture = *state;
    struct store_entry entry;
    fixture->options.limits.count = 2;
    open_claimed(fixture);
    finish_of(fixture, 1, "one", 0, 0);
    begin_of(fixture, 2, "one", 0);
    for (uint64_t id = 3; id <= 7; id++)
        finish_of(fixture, id, "one", 2, 0);
    finish_of(fixture, 2, "one", 0, 0);
    settle(fixture);
    assert_int_equal(count_of(fixture, 1, 7), 7);
    reopen_store(fixture);
    settle_tending(fixture);
    assert_int_equal(count_of(fixture, 1, 7), 7);
    assert_true(store_find(fixture->store, 5, &entry));
    assert_int_equal(entry.suite, 2);
    finish_of(fixture, 8, "one", 0, 0);
    settle(fixture);
    assert_int_equal(count_of(fixture, 1, 1), 0);
    assert_true(store_delete(fixture->store, 6));
    finish_of(fixture, 9, "one", 0, 0);
    settle(fixture);
    expect_files(fixture, "8.json 8.term 9.json 9.term last_id");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rivals),
        TEST(test_young_ones_stay),
        TEST(test_full),
        TEST(test_suite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
