/* Files in JSON as code of a page of the manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "manual.h"

static void test_json_has_no_comments(void **state)
{
    (void)state;
    struct buffer text = {0};
    manual_append_json(&text, "{\n    \"//\": \"what it is for\",\n\n    \"a\": 1,\n\n    \"//b\": \"\",\n"
                              "    \"b\": \"it's\"\n}\n");
    buffer_append(&text, "", 1);
    assert_string_equal((const char *)buffer_bytes(&text),
                        ".RS 4\n.nf\n{\n    \"a\": 1,\n\n    \"b\": \"it\\(aqs\"\n}\n.fi\n.RE\n");
    buffer_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_json_has_no_comments)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
