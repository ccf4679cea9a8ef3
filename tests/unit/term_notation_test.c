#include "term/term_notation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"

static void expect(void (*write)(const char *text, struct buffer *output), const char *text,
                   const char *expected)
{
    struct buffer output = {0};
    write(text, &output);
    buffer_append(&output, "", 1);
    assert_string_equal((const char *)buffer_bytes(&output), expected);
    buffer_free(&output);
}

static void test_elixir(void **state)
{
    (void)state;
    static const struct {
        const char *erlang;
        const char *elixir;
    } cases[] = {
        {"", ""},
        {"call | cast", ":call | :cast"},
        {"{ok, Report} | {error, not_found}", "{:ok, report} | {:error, :not_found}"},
        {"pos_integer()", "pos_integer()"},
        {"[{atom(), term()}]", "[{atom(), term()}]"},
        {"{'$int', Low, High}", "{:\"$int\", low, high}"},
        {"'__sync__'", ":__sync__"},
        {"'strict?' | true | false | nil | undefined", ":strict? | true | false | nil | :undefined"},
        {"await(RunId, TimeoutMs) -> ok", "await(run_id, timeout_ms) -> :ok"},
        {"#{threads => pos_integer(), 'strict?' := true, 'a b' => 1}",
         "%{threads: pos_integer(), strict?: true, \"a b\": 1}"},
        {"\"app@host\"", "\"app@host\""},
        {"1..4294967295, 0.3, 2e3", "1..4294967295, 0.3, 2e3"},
        {"'open", "':open"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        expect(term_notation_elixir, cases[i].erlang, cases[i].elixir);
}

static void test_prose(void **state)
{
    (void)state;
    expect(term_notation_prose, "It's what a bare term is.", "It's what a bare term is.");
    expect(term_notation_prose, "Either `{last, N}` or `none`; never `{N}`",
           "Either {:last, n} or none; never {n}");
    expect(term_notation_prose, "`GenServer.call/3` of `limits.runs`", "GenServer.call/3 of limits.runs");
    expect(term_notation_prose, "an open `{last", "an open {:last");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_elixir), cmocka_unit_test(test_prose)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
