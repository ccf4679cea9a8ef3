#include "http_token_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"

#define TOKEN "s3cr3t=="

static void test_bearer(void **state)
{
    (void)state;
    static const char *const right[] = {"Bearer " TOKEN, "bearer " TOKEN, "BEARER   " TOKEN " "};
    static const char *const wrong[] = {"",
                                        "Bearer",
                                        "Bearer ",
                                        TOKEN,
                                        "Basic " TOKEN,
                                        "Bearer " TOKEN "x",
                                        "Bearer s3cr3t=",
                                        "Bearer S3cr3t==",
                                        "Bearer " TOKEN TOKEN,
                                        "Bearer " TOKEN " x",
                                        "Bearer x " TOKEN};
    for (size_t i = 0; i < ARRAY_LENGTH(right); i++)
        assert_true(http_token_is_given(TOKEN, right[i], NULL));
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
        assert_false(http_token_is_given(TOKEN, wrong[i], NULL));
    assert_false(http_token_is_given(TOKEN, NULL, NULL));
}

static void test_cookies(void **state)
{
    (void)state;
    static const char *const right[] = {"harnessd_token=" TOKEN, "a=b; harnessd_token=" TOKEN "; c=d",
                                        ";; a=b;harnessd_token=" TOKEN ";",
                                        "harnessd_token=old; harnessd_token=" TOKEN};
    static const char *const wrong[] = {"",
                                        ";",
                                        "harnessd_token",
                                        "harnessd_token=",
                                        "harnessd_token=" TOKEN "x",
                                        "xharnessd_token=" TOKEN,
                                        "a=harnessd_token=" TOKEN,
                                        "harnessd_token=s3cr3t",
                                        "Harnessd_Token=" TOKEN,
                                        TOKEN};
    for (size_t i = 0; i < ARRAY_LENGTH(right); i++)
        assert_true(http_token_is_given(TOKEN, NULL, right[i]));
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
        assert_false(http_token_is_given(TOKEN, NULL, wrong[i]));
    assert_true(http_token_is_given(TOKEN, "Bearer wrong", "harnessd_token=" TOKEN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bearer),
        cmocka_unit_test(test_cookies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
