/* Who may connect, and call what. */
#include "config/access.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "config/config_key.h"

static struct config config;

/* Sets both lists from JSON, and gives the problems, to be freed. */
static char *set(const char *allow, const char *deny)
{
    const char *const paths[] = {"access.callers.allow", "access.callers.deny"};
    const char *const texts[] = {allow, deny};
    char *problems = NULL;
    size_t size;
    struct config_reading reading = {.config = &config, .problems = open_memstream(&problems, &size)};
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        json_t *value = json_loads(texts[i], 0, NULL);
        assert_non_null(value);
        config_key_set(&reading, config_key_find(paths[i]), value, paths[i]);
        json_t *back = config_key_value(&config, config_key_find(paths[i]));
        if (!reading.problem_count)
            assert_true(json_equal(back, value));
        json_decref(back);
        json_decref(value);
    }
    fclose(reading.problems);
    return problems;
}

static void set_well(const char *allow, const char *deny)
{
    char *problems = set(allow, deny);
    assert_string_equal(problems, "");
    free(problems);
}

static int tear_down(void **state)
{
    (void)state;
    config_key_clear(&config, config_key_find("access.callers.allow"));
    config_key_clear(&config, config_key_find("access.callers.deny"));
    return 0;
}

static void expect(const char *node, bool connects, const char *run, const char *info)
{
    const char *rules[] = {access_forbids_function(&config, node, "run"),
                           access_forbids_function(&config, node, "info")};
    assert_int_equal(access_allows_caller(&config, node), connects);
    assert_string_equal(rules[0] ? rules[0] : "", run ? run : "");
    assert_string_equal(rules[1] ? rules[1] : "", info ? info : "");
}

#define ALLOW "access.callers.allow"
#define DENY "access.callers.deny"

static void test_plain_patterns_are_for_all_functions(void **state)
{
    (void)state;
    set_well("[\"app@*\"]", "[\"app@bad\"]");
    expect("app@good", true, NULL, NULL);
    expect("app@bad", false, DENY, DENY); /* it may have been dialled */
    expect("other@good", false, ALLOW, ALLOW);
}

static void test_functions_are_those_of_all_patterns_that_match(void **state)
{
    (void)state;
    set_well("[{\"pattern\": \"*\", \"functions\": [\"info\", \"stat*\"]}, \"ops@*\","
             " {\"pattern\": \"ci@*\", \"functions\": [\"run\"]}]",
             "[]");
    expect("app@a", true, ALLOW, NULL);
    expect("ops@a", true, NULL, NULL);
    expect("ci@a", true, NULL, NULL);
    assert_null(access_forbids_function(&config, "app@a", "status"));
    assert_string_equal(access_forbids_function(&config, "ci@a", "run_with_performance"), ALLOW);
}

static void test_what_is_denied_is_denied_whatever_allows_it(void **state)
{
    (void)state;
    set_well("[\"*\"]", "[{\"pattern\": \"app@*\", \"functions\": [\"run*\"]}, \"bad@*\"]");
    expect("app@a", true, DENY, NULL);
    expect("ops@a", true, NULL, NULL);
    assert_false(access_allows_caller(&config, "bad@a"));
}

/* Who leaves the list out means all, who writes null may not. */
static void test_functions_are_a_list(void **state)
{
    (void)state;
    char *problems = set("[{\"pattern\": \"*\", \"functions\": null}]", "[]");
    assert_string_equal(problems, "access.callers.allow[0].functions: is not a list of functions\n");
    free(problems);
}

static void test_no_functions_are_none(void **state)
{
    (void)state;
    set_well("[{\"pattern\": \"*\", \"functions\": []}]", "[]");
    expect("app@a", true, ALLOW, ALLOW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_plain_patterns_are_for_all_functions, tear_down),
        cmocka_unit_test_teardown(test_functions_are_those_of_all_patterns_that_match, tear_down),
        cmocka_unit_test_teardown(test_what_is_denied_is_denied_whatever_allows_it, tear_down),
        cmocka_unit_test_teardown(test_functions_are_a_list, tear_down),
        cmocka_unit_test_teardown(test_no_functions_are_none, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
