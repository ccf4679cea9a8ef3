#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "report/run_result.h"
#include "term/term_text.h"

/* Tuples of atoms and empty maps, from "{error,{cancelled,#{}}}". */
static const char *parse(const char *text, struct term_builder *builder)
{
    if (*text == '{') {
        size_t arity = 1, depth = 0;
        for (const char *at = text; *at; at++) {
            depth += *at == '{';
            depth -= *at == '}';
            if (!depth)
                break;
            arity += depth == 1 && *at == ',';
        }
        term_build_tuple(builder, arity);
        for (size_t i = 0; i < arity; i++)
            text = parse(text + 1, builder);
        return text + 1;
    }
    if (*text == '#') {
        term_build_map(builder, 0);
        return text + 3;
    }
    char atom[20];
    size_t size = 0;
    while (*text >= 'a' && *text <= 'z')
        atom[size++] = *text++;
    atom[size] = '\0';
    term_build_atom(builder, atom);
    return text;
}

static void check(const char *stored, bool interrupted, const char *answered, bool has_report)
{
    struct term_builder builder = {0}, answer = {0};
    struct term report;
    char text[200];
    parse(stored, &builder);
    run_result_build(term_built(&builder), interrupted, &answer);
    assert_string_equal(term_text(term_built(&answer), text, sizeof(text)), answered);
    if (!interrupted)
        assert_int_equal(run_result_is_answered(term_built(&builder)), strcmp(stored, answered) == 0);
    bool found = run_result_report(term_built(&builder), interrupted, &report);
    assert_int_equal(found, has_report);
    if (found)
        assert_string_equal(term_text(report, text, sizeof(text)), "#{}");
    term_build_free(&builder);
    term_build_free(&answer);
}

static void test_results(void **state)
{
    (void)state;
    check("{ok,#{}}", false, "{ok,#{}}", true);
    check("{error,{cancelled,#{}}}", false, "{error,{cancelled,#{}}}", true);
    check("{error,{nodedown,node},#{}}", false, "{error,{nodedown,node}}", true);
    check("{error,timeout,#{}}", false, "{error,timeout}", true);
    check("{error,{cleanupfailed,{a,b},#{}}}", false, "{error,{cleanupfailed,{a,b},#{}}}", true);
    check("{error,{busy,runs}}", false, "{error,{busy,runs}}", false);
    check("{error,aborted}", false, "{error,aborted}", false);
    check("#{}", true, "{error,{interrupted,#{}}}", true);
    check("nil", true, "{error,{interrupted,nil}}", false);
    check("nonsense", false, "nonsense", false);
    check("{a,b,c}", false, "{a,b}", false);
}

/* What is behind the reason is the report, whatever the reason has in it. */
static void test_cleanup(void **state)
{
    (void)state;
    struct term_builder builder = {0};
    struct term report;
    term_build_tuple(&builder, 2);
    term_build_atom(&builder, "error");
    term_build_tuple(&builder, 3);
    term_build_atom(&builder, "cleanup_failed");
    term_build_map(&builder, 0);
    term_build_tuple(&builder, 2);
    term_build_atom(&builder, "cancelled");
    term_build_map(&builder, 0);
    assert_true(run_result_report(term_built(&builder), false, &report));
    assert_ptr_equal(report.data, term_built(&builder).data + builder.bytes.size - report.size);
    term_build_free(&builder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_results), cmocka_unit_test(test_cleanup)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
