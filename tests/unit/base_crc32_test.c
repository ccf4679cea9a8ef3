#include "base/crc32.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_known(void **state)
{
    (void)state;
    assert_int_equal(crc32_add(0, "", 0), 0);
    assert_int_equal(crc32_add(0, "123456789", 9), 0xcbf43926); /* the check value of its specification */
    assert_int_equal(crc32_add(0, "a", 1), 0xe8b7be43);
}

static void test_parts(void **state)
{
    (void)state;
    const char text[] = "what is checked in parts is checked as a whole";
    uint32_t whole = crc32_add(0, text, sizeof(text));
    for (size_t cut = 0; cut <= sizeof(text); cut++)
        assert_int_equal(crc32_add(crc32_add(0, text, cut), text + cut, sizeof(text) - cut), whole);
}

/* Every single bit counts. */
static void test_bits(void **state)
{
    (void)state;
    unsigned char bytes[64];
    memset(bytes, 0xa5, sizeof(bytes));
    uint32_t whole = crc32_add(0, bytes, sizeof(bytes));
    for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        assert_int_not_equal(crc32_add(0, bytes, sizeof(bytes)), whole);
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
