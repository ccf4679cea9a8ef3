/* Scenarios from text, for the tests of scenario_term: reading what has no problems, and naming those of what
 * has.
 */
#ifndef HARNESSD_TESTS_SCENARIO_TEXT_H
#define HARNESSD_TESTS_SCENARIO_TEXT_H

#include "term_from_text.h"

#include "scenario/scenario_term.h"

#define CALLER "app@caller"

/* Reads a copy that is gone before the scenario is looked at. */
static inline struct scenario *read_term(struct term term, struct problems *problems)
{
    uint8_t *copy = memory_copy(term.data, term.size);
    *problems = (struct problems){0};
    const struct scenario_origin origin = {.caller_node = CALLER, .own_node = OWN};
    struct scenario *scenario = scenario_term_read((struct term){copy, term.size}, &origin, problems);
    free(copy);
    assert_int_equal(scenario == NULL, problems->count > 0);
    assert_int_equal(problems->depth, 0);
    return scenario;
}

/* A scenario without problems. Its normalised form reads back the same. */
static inline struct scenario *read_good(const char *text)
{
    struct term_builder builder = {0}, forms[2] = {0};
    struct problems problems;
    struct term term;
    char found[1000];
    struct scenario *scenario = read_term(term_from_text(&builder, text), &problems);
    if (!scenario) {
        assert_true(term_build_done(&problems.list, &term));
        fail_msg("%s: %s", text, term_text(term, found, sizeof(found)));
    }
    problems_free(&problems);
    scenario_term_build(scenario, &forms[0]);
    assert_true(term_build_done(&forms[0], &term));
    struct scenario *again = read_term(term, &problems);
    if (!again)
        fail_msg("%s: its normalised form %s cannot be read", text, term_text(term, found, sizeof(found)));
    scenario_term_build(again, &forms[1]);
    assert_true(term_build_done(&forms[1], &term));
    assert_int_equal(term.size, forms[0].bytes.size);
    assert_memory_equal(term.data, buffer_bytes(&forms[0].bytes), term.size);
    for (size_t i = 0; i < scenario->target_count; i++) {
        assert_int_equal(again->targets[i].kind, scenario->targets[i].kind);
        assert_string_equal(again->targets[i].node, scenario->targets[i].node);
    }
    scenario_free(again);
    problems_free(&problems);
    term_build_free(&builder);
    term_build_free(&forms[0]);
    term_build_free(&forms[1]);
    return scenario;
}

/* The problems as text; each of `expected` is there, and there are no more. */
static inline void expect_problems(const char *text, size_t count, const char *const *expected)
{
    struct term_builder builder = {0}, listed = {0};
    struct problems problems;
    struct term term;
    static char found[8000];
    struct scenario *scenario = read_term(term_from_text(&builder, text), &problems);
    if (scenario)
        fail_msg("%s passes", text);
    problems_build(&problems, &listed);
    assert_true(term_build_done(&listed, &term));
    term_text(term, found, sizeof(found));
    if (problems.count != count)
        fail_msg("%s: %zu problems: %s", text, problems.count, found);
    for (size_t i = 0; i < count; i++)
        if (!strstr(found, expected[i]))
            fail_msg("%s: no '%s' in %s", text, expected[i], found);
    problems_free(&problems);
    term_build_free(&builder);
    term_build_free(&listed);
}

#define PROBLEM(path, kind, message) "#{path => [" path "],problem => " kind ",message => <<\"" message
#define EXPECT_PROBLEMS(text, ...)                                                                           \
    expect_problems(text, ARRAY_LENGTH(((const char *const[]){__VA_ARGS__})),                                \
                    (const char *const[]){__VA_ARGS__})

#endif
