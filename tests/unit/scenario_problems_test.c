#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "scenario/problems.h"
#include "term/term_check.h"
#include "term/term_read.h"
#include "term/term_text.h"

/* The text of {invalid_scenario, [...]}, which is a term that a node takes. */
static const char *text_of(const struct problems *problems)
{
    static char text[4000];
    const struct term_limits limits = {.depth = 10, .count = 100000};
    struct term_builder builder = {0};
    struct term term;
    size_t used;
    bool canonical;
    problems_build(problems, &builder);
    assert_true(term_build_done(&builder, &term));
    assert_int_equal(term_check(term.data, term.size, &limits, &used, &canonical), TERM_OK);
    assert_int_equal(used, term.size);
    term_text(term, text, sizeof(text));
    term_build_free(&builder);
    return text;
}

static void test_none(void **state)
{
    (void)state;
    struct problems problems = {0};
    assert_string_equal(text_of(&problems), "{invalid_scenario,[]}");
    problems_free(&problems);
}

static void test_paths(void **state)
{
    (void)state;
    struct problems problems = {0};
    problems_add(&problems, PROBLEM_WRONG_TYPE, "at the top");
    assert_string_equal(text_of(&problems), "{invalid_scenario,[#{path => [],problem => wrong_type,"
                                            "message => <<\"at the top\">>}]}");
    problems_free(&problems);

    problems = (struct problems){0};
    problems_enter_key(&problems, "threads");
    problems_enter_index(&problems, 300);
    problems_enter_index(&problems, 0);
    problems_add(&problems, PROBLEM_OUT_OF_RANGE, "%d is not %s", 5, "four");
    problems_leave(&problems);
    problems_leave(&problems);
    problems_leave(&problems);
    problems_enter_key(&problems, "d\xc3\xa9j\xc3\xa0");
    problems_add(&problems, PROBLEM_UNKNOWN_KEY, "%s", "");
    assert_int_equal(problems.count, 2);
    assert_string_equal(text_of(&problems),
                        "{invalid_scenario,[#{path => [threads,300,0],problem => out_of_range,"
                        "message => <<\"5 is not four\">>},"
                        "#{path => ['d\xc3\xa9j\xc3\xa0'],problem => unknown_key,message => <<>>}]}");
    problems_free(&problems);
}

static void test_deepest_path(void **state)
{
    (void)state;
    struct problems problems = {0};
    char path[1000] = "path => [";
    for (size_t i = 0; i < PROBLEMS_DEPTH; i++) {
        size_t used = strlen(path);
        snprintf(path + used, sizeof(path) - used, "%zu%s", 1000 + i, i + 1 < PROBLEMS_DEPTH ? "," : "]");
        problems_enter_index(&problems, 1000 + i);
    }
    problems_add(&problems, PROBLEM_WRONG_TYPE, "deep");
    assert_non_null(strstr(text_of(&problems), path));
    for (size_t i = 0; i < PROBLEMS_DEPTH; i++)
        problems_leave(&problems);
    assert_int_equal(problems.depth, 0);
    problems_free(&problems);
}

static void test_kept_path(void **state)
{
    (void)state;
    struct problems problems = {0};
    struct term_builder path = {0};
    problems_enter_key(&problems, "threads");
    problems_enter_index(&problems, 2);
    problems_build_path(&problems, &path);
    problems_leave(&problems);
    problems_leave(&problems);
    problems_add_at(&problems, term_built(&path), PROBLEM_SYNTAX, "line %d", 7);
    assert_string_equal(text_of(&problems), "{invalid_scenario,[#{path => [threads,2],problem => syntax,"
                                            "message => <<\"line 7\">>}]}");
    term_build_free(&path);
    problems_free(&problems);
}

static void test_unknown_key(void **state)
{
    (void)state;
    static const char *const known[] = {"load", "threads"};
    struct problems problems = {0};
    problems_add_unknown(&problems, "thread", known, 2, "scenarios");
    problems_add_unknown(&problems, "colour", known, 2, "scenarios");
    assert_string_equal(text_of(&problems),
                        "{invalid_scenario,[#{path => [thread],problem => unknown_key,"
                        "message => <<\"is not a key of scenarios; did you mean threads?\">>},"
                        "#{path => [colour],problem => unknown_key,"
                        "message => <<\"is not a key of scenarios\">>}]}");
    problems_free(&problems);
}

static void test_long_message(void **state)
{
    (void)state;
    struct problems problems = {0};
    char text[5000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    problems_add(&problems, PROBLEM_WRONG_TYPE, "%s", text);
    assert_non_null(strstr(text_of(&problems), "xxxxx"));
    problems_free(&problems);
}

/* All are counted, the first ones listed. */
static void test_many(void **state)
{
    (void)state;
    struct problems problems = {0};
    for (int i = 0; i < 1000; i++) {
        struct term_builder builder = {0};
        struct term term, parts[2];
        struct term_list list;
        problems_add(&problems, PROBLEM_WRONG_TYPE, "number %d", i);
        problems_build(&problems, &builder);
        assert_true(term_build_done(&builder, &term));
        assert_true(term_read_tuple_of(term, 2, parts));
        assert_true(term_list_start(&list, parts[1]));
        assert_int_equal(list.count, i < PROBLEMS_LISTED ? i + 1 : PROBLEMS_LISTED + 1);
        term_build_free(&builder);
    }
    assert_int_equal(problems.count, 1000);
    problems_free(&problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none),         cmocka_unit_test(test_paths),
        cmocka_unit_test(test_deepest_path), cmocka_unit_test(test_kept_path),
        cmocka_unit_test(test_unknown_key),  cmocka_unit_test(test_long_message),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
