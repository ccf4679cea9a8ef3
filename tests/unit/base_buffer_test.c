#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"

static void test_empty(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    buffer_append(&buffer, NULL, 0);
    assert_int_equal(buffer.size, 0);
    buffer_consume(&buffer, 0);
    buffer_free(&buffer);
}

static void test_append_and_consume(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    buffer_append(&buffer, "hello ", 6);
    buffer_append(&buffer, "world", 5);
    assert_int_equal(buffer.size, 11);
    assert_memory_equal(buffer_bytes(&buffer), "hello world", 11);
    buffer_consume(&buffer, 6);
    assert_memory_equal(buffer_bytes(&buffer), "world", 5);
    buffer_consume(&buffer, 5);
    assert_int_equal(buffer.size, 0);
    assert_int_equal(buffer.start, 0);
    buffer_free(&buffer);
    assert_null(buffer.data);
}

static void test_reserve_and_grow(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    uint8_t *room = buffer_reserve(&buffer, 5000);
    memset(room, 7, 5000);
    assert_int_equal(buffer.size, 0);
    buffer_grow(&buffer, 3000);
    assert_int_equal(buffer.size, 3000);
    buffer_append(&buffer, "end", 3);
    assert_int_equal(buffer_bytes(&buffer)[2999], 7);
    assert_memory_equal(buffer_bytes(&buffer) + 3000, "end", 3);
    buffer_free(&buffer);
}

/* What comes out is what went in, in order, whatever the sizes. */
static void test_queue(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    struct random random;
    random_seed(&random, 42);
    uint8_t in = 0;
    uint8_t out = 0;
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[300];
        size_t size = random_below(&random, sizeof(bytes));
        for (size_t i = 0; i < size; i++)
            bytes[i] = in++;
        buffer_append(&buffer, bytes, size);
        size_t taken = random_below(&random, 310);
        taken = taken < buffer.size ? taken : buffer.size;
        for (size_t i = 0; i < taken; i++)
            assert_int_equal(buffer_bytes(&buffer)[i], out++);
        buffer_consume(&buffer, taken);
    }
    assert_true(buffer.capacity < 1 << 20);
    buffer_free(&buffer);
}

/* A queue that never runs empty does not grow for it. */
static void test_space_is_reused(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    uint8_t bytes[100] = {0};
    buffer_append(&buffer, bytes, sizeof(bytes));
    for (int round = 0; round < 100000; round++) {
        buffer_append(&buffer, bytes, sizeof(bytes));
        buffer_consume(&buffer, sizeof(bytes));
    }
    assert_true(buffer.capacity <= 4096);
    buffer_free(&buffer);
}

static void test_fit(void **state)
{
    (void)state;
    static const uint8_t bytes[100] = {1, 2, 3};
    struct buffer buffer = {0};
    buffer_fit(&buffer);
    assert_int_equal(buffer.capacity, 0);
    for (int i = 0; i < 50; i++)
        buffer_append(&buffer, bytes, sizeof(bytes));
    buffer_consume(&buffer, 4801);
    buffer_fit(&buffer);
    assert_int_equal(buffer.size, 199);
    assert_int_equal(buffer.capacity, 199);
    assert_memory_equal(buffer_bytes(&buffer), bytes + 1, 99);
    assert_memory_equal(buffer_bytes(&buffer) + 99, bytes, 100);
    buffer_append(&buffer, bytes, sizeof(bytes));
    assert_int_equal(buffer.size, 299);
    buffer_consume(&buffer, 299);
    buffer_fit(&buffer);
    assert_null(buffer.data);
}

/* What stays takes no more than it is: very many of these are kept, most of them of a few bytes. */
static void test_hold(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    buffer_hold(&buffer, "abc", 3);
    assert_int_equal(buffer.capacity, 3);
    buffer_hold(&buffer, "longer", 6);
    assert_int_equal(buffer.capacity, 6);
    assert_int_equal(buffer.size, 6);
    buffer_append(&buffer, "!", 1);
    assert_memory_equal(buffer_bytes(&buffer), "longer!", 7);
    buffer_hold(&buffer, NULL, 0);
    assert_null(buffer.data);
    assert_int_equal(buffer.size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_append_and_consume),
        cmocka_unit_test(test_reserve_and_grow),
        cmocka_unit_test(test_queue),
        cmocka_unit_test(test_space_is_reused),
        cmocka_unit_test(test_fit),
        cmocka_unit_test(test_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
