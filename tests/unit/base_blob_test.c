#include "base/blob.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* The sanitizer sees what is freed too early or never. */
static void test_holders(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    buffer_append(&bytes, "xabc", 4);
    buffer_consume(&bytes, 1);
    const uint8_t *data = buffer_bytes(&bytes);
    struct blob *blob = blob_take(&bytes, NULL);
    assert_null(bytes.data);
    assert_int_equal(bytes.size, 0);
    assert_ptr_equal(blob->data, data); /* nothing is copied */
    assert_ptr_equal(blob_hold(blob), blob);
    blob_release(blob);
    assert_int_equal(blob->size, 3);
    assert_memory_equal(blob->data, "abc", 3);
    blob_release(blob);
    blob_release(NULL);
}

static void test_empty(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    struct blob *blob = blob_take(&bytes, NULL);
    assert_int_equal(blob->size, 0);
    blob_release(blob);
}

/* Large ones are freed by the thread, small ones at once. */
static void test_large_ones_aside(void **state)
{
    (void)state;
    struct loop loop;
    struct buffer small = {0}, large = {0};
    loop_init(&loop);
    buffer_append(&small, "abc", 3);
    blob_release(blob_take(&small, &loop));
    assert_null(loop.aside);
    assert_non_null(buffer_reserve(&large, 5000000));
    large.size = 5000000;
    struct blob *blob = blob_take(&large, &loop);
    blob_release(blob_hold(blob));
    assert_null(loop.aside);
    blob_release(blob);
    assert_non_null(loop.aside);
    assert_true(worker_busy(loop.aside));
    worker_free_aside(&loop);
    loop_free(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_holders), cmocka_unit_test(test_empty),
                                       cmocka_unit_test(test_large_ones_aside)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
