#include "scenario/occurrences.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

#define MS CLOCK_NS_PER_MS
#define SEED 4711

static void test_due(void **state)
{
    (void)state;
    const struct schedule once = {.after_ms = 250, .times = 1, .probability = 1};
    const struct schedule often = {
        .after_ms = 100, .every_ms = 30, .times = OCCURRENCES_ENDLESS, .probability = 1};
    assert_int_equal(occurrence_due_ns(&once, SEED, 0, 0), 250 * MS);
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(occurrence_due_ns(&often, SEED, 7, i), (100 + 30 * i) * MS);
}

/* Delays fill the whole range, and another seed, action or occurrence has others. */
static void test_jitter(void **state)
{
    (void)state;
    const struct schedule schedule = {.after_ms = 10, .every_ms = 5, .jitter_ms = 20, .probability = 1};
    uint64_t least = UINT64_MAX, most = 0, sum = 0, same = 0;
    for (uint64_t i = 0; i < 10000; i++) {
        uint64_t base = (10 + 5 * i) * MS, due = occurrence_due_ns(&schedule, SEED, 3, i);
        assert_true(due >= base && due <= base + 20 * MS);
        assert_int_equal(due, occurrence_due_ns(&schedule, SEED, 3, i));
        same += due == occurrence_due_ns(&schedule, SEED + 1, 3, i);
        same += due == occurrence_due_ns(&schedule, SEED, 4, i);
        least = due - base < least ? due - base : least;
        most = due - base > most ? due - base : most;
        sum += due - base;
    }
    assert_true(same < 10);
    assert_true(least < 20 * MS / 100 && most > 20 * MS * 99 / 100);
    assert_in_range(sum / 10000, 9800000, 10200000);
}

static void test_probability(void **state)
{
    (void)state;
    static const struct {
        double probability;
        size_t least;
        size_t most;
    } rows[] = {{0, 0, 0}, {1, 100000, 100000}, {0.3, 29500, 30500}, {0.001, 60, 150}};
    for (size_t row = 0; row < ARRAY_LENGTH(rows); row++) {
        const struct schedule schedule = {.every_ms = 1, .probability = rows[row].probability};
        size_t happened = 0;
        for (uint64_t i = 0; i < 100000; i++) {
            bool happens = occurrence_happens(&schedule, SEED, 1, i);
            assert_true(happens == occurrence_happens(&schedule, SEED, 1, i));
            happened += happens;
        }
        assert_in_range(happened, rows[row].least, rows[row].most);
    }
}

/* What one purpose draws says nothing about the others. */
static void test_purposes(void **state)
{
    (void)state;
    struct random a, b, c;
    occurrence_random(&a, SEED, 1, 2, OCCURRENCE_JITTER);
    occurrence_random(&b, SEED, 1, 2, OCCURRENCE_PROBABILITY);
    occurrence_random(&c, SEED, 2, 1, OCCURRENCE_JITTER);
    uint64_t first = random_next(&a), second = random_next(&b), third = random_next(&c);
    assert_true(first != second && second != third && first != third);
}

static void test_draw(void **state)
{
    (void)state;
    size_t counts[5] = {0};
    for (uint64_t i = 0; i < 50000; i++) {
        struct random random;
        size_t order[5];
        bool seen[5] = {false};
        occurrence_random(&random, SEED, 0, i, OCCURRENCE_TARGET);
        occurrence_draw(&random, order, 5, 2);
        for (size_t j = 0; j < 5; j++) {
            assert_true(order[j] < 5 && !seen[order[j]]);
            seen[order[j]] = true;
        }
        counts[order[0]]++;
        counts[order[1]]++;
    }
    for (size_t i = 0; i < 5; i++)
        assert_in_range(counts[i], 19500, 20500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_due),      cmocka_unit_test(test_jitter), cmocka_unit_test(test_probability),
        cmocka_unit_test(test_purposes), cmocka_unit_test(test_draw),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
