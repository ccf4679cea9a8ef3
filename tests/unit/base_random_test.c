#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_seed_repeats(void **state)
{
    (void)state;
    struct random a;
    struct random b;
    struct random c;
    random_seed(&a, 1);
    random_seed(&b, 1);
    random_seed(&c, 2);
    int different = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t drawn = random_next(&a);
        assert_int_equal(drawn, random_next(&b));
        different += drawn != random_next(&c);
    }
    assert_int_equal(different, 1000);
}

/* The published stream of xoshiro256** for this state. */
static void test_first_numbers(void **state)
{
    (void)state;
    struct random random = {.state = {1, 2, 3, 4}};
    assert_int_equal(random_next(&random), 11520);
    assert_int_equal(random_next(&random), 0);
    assert_int_equal(random_next(&random), 1509978240);
    assert_int_equal(random_next(&random), 1215971899390074240);
}

static void test_below(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 7);
    int counts[10] = {0};
    for (int i = 0; i < 100000; i++) {
        uint64_t drawn = random_below(&random, 10);
        assert_true(drawn < 10);
        counts[drawn]++;
    }
    for (int i = 0; i < 10; i++)
        assert_in_range(counts[i], 9500, 10500);
    for (int i = 0; i < 100; i++)
        assert_int_equal(random_below(&random, 1), 0);
    uint64_t most = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t drawn = random_below(&random, UINT64_MAX);
        most = drawn > most ? drawn : most;
    }
    assert_true(most > UINT64_MAX / 2);
}

static void test_secret(void **state)
{
    (void)state;
    uint8_t first[64] = {0};
    uint8_t second[64] = {0};
    random_secret(first, sizeof(first));
    random_secret(second, sizeof(second));
    assert_memory_not_equal(first, second, sizeof(first));
    random_secret(first, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seed_repeats),
        cmocka_unit_test(test_first_numbers),
        cmocka_unit_test(test_below),
        cmocka_unit_test(test_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
