#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "sleepers_private.h"

static struct sleeper sleeper_of(uint64_t wake_ns)
{
    return (struct sleeper){.wake_ns = wake_ns, .start_ns = wake_ns / 2, .thread = (uint32_t)wake_ns + 7};
}

/* Takes the first one, which is what sleepers_first has shown, whole. */
static uint64_t take(struct sleepers *sleepers)
{
    const struct sleeper *first = sleepers_first(sleepers);
    assert_non_null(first);
    struct sleeper shown = *first;
    size_t count = sleepers->count;
    struct sleeper taken = sleepers_take(sleepers);
    assert_int_equal(sleepers->count, count - 1);
    assert_true(taken.wake_ns == shown.wake_ns && taken.thread == shown.thread);
    assert_true(taken.start_ns == taken.wake_ns / 2);
    assert_int_equal(taken.thread, (uint32_t)taken.wake_ns + 7);
    return taken.wake_ns;
}

static void test_nobody(void **state)
{
    (void)state;
    struct sleepers sleepers = {0};
    assert_null(sleepers_first(&sleepers));
    sleepers_free(&sleepers);
    sleepers_add(&sleepers, sleeper_of(5));
    assert_int_equal(take(&sleepers), 5);
    assert_null(sleepers_first(&sleepers));
    sleepers_free(&sleepers);
    assert_null(sleepers_first(&sleepers));
    sleepers_free(&sleepers);
}

static void test_orders(void **state)
{
    (void)state;
    static const uint64_t rows[][6] = {
        {1, 2, 3, 4, 5, 6}, {6, 5, 4, 3, 2, 1}, {3, 1, 2, 6, 5, 4}, {2, 2, 1, 1, 3, 3}, {7, 7, 7, 7, 7, 7},
    };
    for (size_t row = 0; row < ARRAY_LENGTH(rows); row++) {
        struct sleepers sleepers = {0};
        uint64_t last = 0;
        for (size_t i = 0; i < ARRAY_LENGTH(rows[row]); i++)
            sleepers_add(&sleepers, sleeper_of(rows[row][i]));
        for (size_t i = 0; i < ARRAY_LENGTH(rows[row]); i++) {
            uint64_t now = take(&sleepers);
            assert_true(now >= last);
            last = now;
        }
        assert_null(sleepers_first(&sleepers));
        sleepers_free(&sleepers);
    }
}

/* Many more than fit at first, coming and going; what comes out is always the smallest there is. */
static void test_many(void **state)
{
    (void)state;
    struct sleepers sleepers = {0};
    struct random random;
    uint32_t counts[1000] = {0};
    size_t in = 0, out = 0;
    random_seed(&random, 1);
    while (out < 20000) {
        uint64_t number = random_next(&random);
        if (in < 20000 && (in == out || number % 3)) {
            uint64_t wake = (number >> 8) % ARRAY_LENGTH(counts);
            sleepers_add(&sleepers, sleeper_of(wake));
            counts[wake]++;
            in++;
        } else {
            size_t smallest = 0;
            while (!counts[smallest])
                smallest++;
            assert_int_equal(take(&sleepers), smallest);
            counts[smallest]--;
            out++;
        }
        assert_int_equal(sleepers.count, in - out);
    }
    assert_null(sleepers_first(&sleepers));
    sleepers_free(&sleepers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
