#include "track_private.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MOST 3

/* The last ones are there, by their numbers, and what is new is zero. */
static void test_last(void **state)
{
    (void)state;
    struct track track = {0};
    for (uint64_t i = 0; i < 100; i++) {
        uint64_t number = track_next(&track), *item = track_add(&track, sizeof(*item), MOST);
        assert_int_equal(number, i);
        assert_int_equal(*item, 0);
        *item = 7 * i;
        assert_true(track.count <= 2 * MOST);
        for (uint64_t j = i < MOST ? 0 : i - MOST + 1; j <= i; j++)
            assert_int_equal(*(uint64_t *)track_at(&track, sizeof(*item), j), 7 * j);
    }
    assert_null(track_at(&track, sizeof(uint64_t), 0));
    assert_null(track_at(&track, sizeof(uint64_t), 100));
    track_free(&track);
    assert_int_equal(track_next(&track), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_last)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
