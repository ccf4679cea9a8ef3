#include "spare_private.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MB (1024 * 1024)

struct fixture {
    struct loop loop;
    struct spare spare;
};

static void start(struct fixture *fixture)
{
    loop_init(&fixture->loop);
    spare_init(&fixture->spare, &fixture->loop);
}

static void end(struct fixture *fixture)
{
    spare_free(&fixture->spare);
    loop_free(&fixture->loop);
}

/* A buffer of a capacity that has been in use, kept; where its memory is. */
static const uint8_t *keep(struct fixture *fixture, size_t capacity)
{
    struct buffer bytes = {0};
    const uint8_t *memory = buffer_reserve(&bytes, capacity);
    buffer_append(&bytes, "used", 4);
    buffer_consume(&bytes, 2);
    bool is_kept = spare_keep(&fixture->spare, &bytes);
    assert_ptr_equal(bytes.data, is_kept ? NULL : memory);
    assert_int_equal(fixture->spare.bytes.data == memory, is_kept);
    buffer_free(&bytes);
    return memory;
}

/* Whether a buffer for `size` bytes is made of it. */
static bool is_used_for(struct fixture *fixture, const uint8_t *memory, size_t size)
{
    struct buffer bytes = {0};
    spare_take(&fixture->spare, size, &bytes);
    assert_true(bytes.capacity >= size);
    assert_int_equal(bytes.size, 0);
    assert_int_equal(bytes.start, 0);
    bool is_it = bytes.data == memory;
    buffer_free(&bytes);
    return is_it;
}

static void test_is_used_again(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    const uint8_t *memory = keep(&fixture, 4 * MB);
    (void)keep(&fixture, 2 * MB); /* there is one already */
    assert_ptr_equal(fixture.spare.bytes.data, memory);
    assert_true(is_used_for(&fixture, memory, 3 * MB));
    assert_null(fixture.spare.bytes.data);
    end(&fixture);
}

/* Neither is what is too small or too large kept, nor is anything small, or larger than it, made of it. */
static void test_sizes(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    (void)keep(&fixture, MB / 2);
    assert_null(fixture.spare.bytes.data);
    (void)keep(&fixture, 16 * MB);
    assert_null(fixture.spare.bytes.data);
    const uint8_t *memory = keep(&fixture, 2 * MB);
    assert_non_null(fixture.spare.bytes.data);
    (void)is_used_for(&fixture, memory, 1000);
    assert_ptr_equal(fixture.spare.bytes.data, memory);
    (void)is_used_for(&fixture, memory, 3 * MB);
    assert_ptr_equal(fixture.spare.bytes.data, memory);
    end(&fixture);
}

/* It is given back some seconds after it was kept. */
static void test_is_given_back(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    (void)keep(&fixture, 2 * MB);
    loop_timer_set(&fixture.spare.timer, 0);
    while (fixture.spare.bytes.data)
        loop_run_pass(&fixture.loop);
    end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_is_used_again), cmocka_unit_test(test_sizes),
                                       cmocka_unit_test(test_is_given_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
