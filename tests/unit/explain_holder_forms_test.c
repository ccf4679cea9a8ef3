/* The forms that have a node monitored are those that it would parse, but for the names of variables. */
#include "holder_forms_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "term/term_read.h"
#include "term_from_text.h"

#define CALL(module, function, arguments)                                                                    \
    "{call, 1, {remote, 1, {atom, 1, " module "}, {atom, 1, " function "}}, [" arguments "]}"
#define SELF CALL("erlang", "self", "")
#define LOOP(kept)                                                                                           \
    "{op, 1, '!', {var, 1, parent}, {atom, 1, monitor}},"                                                    \
    "{call, 1, {named_fun, 1, loop, [{clause, 1, [], [], ["                                                  \
    "{'receive', 1, [{clause, 1,"                                                                            \
    " [{tuple, 1, [{atom, 1, monitor}, {var, 1, pid}, {atom, 1, long_schedule}, {var, 1, info}]}], [],"      \
    " [{op, 1, '!', {var, 1, parent}, {tuple, 1, [{atom, 1, monitor}, {var, 1, pid},"                        \
    " " CALL("erlang", "monotonic_time", "{atom, 1, nanosecond}") ", {var, 1, info}]}}]}]}," kept            \
                                                                  "{call, 1, {var, 1, loop}, []}]}]}, []}"

static void check(bool has_sessions, const char *text)
{
    struct term_builder built = {0}, wanted = {0};
    holder_forms_build(&built, 8, has_sessions);
    assert_true(term_same(term_built(&built), term_from_text(&wanted, text)));
    term_build_free(&built);
    term_build_free(&wanted);
}

static void test_system_monitor(void **state)
{
    (void)state;
    check(
        false,
        "[{match, 1, {atom, 1, undefined}, " CALL(
            "erlang", "system_monitor",
            "") "},"
                "{'case', 1, " CALL(
                    "erlang", "system_monitor",
                    SELF
                    ", {cons, 1, {tuple, 1, [{atom, 1, long_schedule}, {integer, 1, 8}]}, {nil, "
                    "1}}") ", [{clause, 1, [{atom, 1, undefined}], [], [{atom, 1, ok}]},"
                           "{clause, 1, [{tuple, 1, [{var, 1, other}, {var, 1, options}]}], [],"
                           "[" CALL("erlang", "system_monitor", "{var, 1, other}, {var, 1, options}") "," CALL(
                               "erlang", "exit", "{atom, 1, normal}") "]}]}," LOOP("") "]");
}

static void test_session(void **state)
{
    (void)state;
    check(true, "[{match, 1, {var, 1, system}, " CALL(
                    "trace", "session_create",
                    "{atom, 1, monitor}, " SELF
                    ", {nil, 1}") "}," CALL("trace", "system",
                                            "{var, 1, system}, {atom, 1, long_schedule}, "
                                            "{integer, 1, 8}") "," LOOP("{var, 1, "
                                                                        "system},") "]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_system_monitor), cmocka_unit_test(test_session)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
