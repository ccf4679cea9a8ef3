#include "suite_scenario_private.h"

#include "term_from_text.h"

static void expect_next(struct suite_scenario *scenario, struct term_list *list, enum suite_kind kind,
                        const char *inside)
{
    struct term_builder expected = {0};
    suite_scenario_next(scenario, list, TERM_ATOM("t"));
    assert_int_equal(scenario->kind, kind);
    if (inside)
        assert_true(term_same(scenario->inside, term_from_text(&expected, inside)));
    term_build_free(&expected);
}

static void test_kinds(void **state)
{
    (void)state;
    static const char list_of[] = "[5, #{}, #{type => x}, #{type => concurrent}, "
                                  "#{type => concurrent, scenario => 7, build => 8}, "
                                  "#{type => concurrent, scenario => #{a => 1}, build => $1}, "
                                  "#{type => concurrent, scenario => [], build => $1}, "
                                  "#{type => concurrent, scenario => nothing, build => $1}, "
                                  "#{type => kill_children, kill_rate => 1, duration_ms => 5}, "
                                  "#{type => kill_children}]";
    struct term_builder builder = {0};
    struct term_list list;
    struct suite_scenario scenario = {0};
    assert_true(term_list_start(&list, term_from_text(&builder, list_of)));
    expect_next(&scenario, &list, SUITE_NO_MAP, NULL);
    expect_term(scenario.term, "5");
    expect_next(&scenario, &list, SUITE_NO_TYPE, NULL);
    expect_next(&scenario, &list, SUITE_OTHER_TYPE, NULL);
    expect_next(&scenario, &list, SUITE_NO_SCENARIO, NULL);
    expect_next(&scenario, &list, SUITE_NO_SCENARIO, NULL);
    expect_next(&scenario, &list, SUITE_CONCURRENT, "#{a => 1}");
    expect_next(&scenario, &list, SUITE_CONCURRENT, "[]");
    expect_next(&scenario, &list, SUITE_BUILT, "$1");
    suite_scenario_next(&scenario, &list, TERM_ATOM("t"));
    assert_int_equal(scenario.kind, SUITE_ROUNDS);
    expect_term(scenario.inside, "#{target => t, threads => [[]], events => none, timeout_ms => 4294967295, "
                                 "chaos => {kill_children, #{kill_rate => 1, duration_ms => 5}}}");
    suite_scenario_next(&scenario, &list, TERM_ATOM("t"));
    expect_term(scenario.inside, "#{target => t, threads => [[]], events => none, timeout_ms => 4294967295, "
                                 "chaos => {kill_children, #{}}}");
    expect_next(&scenario, &list, SUITE_NONE, NULL);
    expect_next(&scenario, &list, SUITE_NONE, NULL);
    suite_scenario_free(&scenario);
    term_build_free(&builder);
}

/* Of many values, or of many bytes; of what comes first alone. */
static void test_large_ones(void **state)
{
    (void)state;
    struct term_builder builder = {0};
    struct term_list list;
    struct suite_scenario scenario = {0};
    const size_t values = 3000;
    term_build_list(&builder, 4);
    term_build_map(&builder, 0);
    term_build_list(&builder, values);
    for (size_t i = 0; i < values; i++)
        term_build_integer(&builder, 1);
    term_build_nil(&builder);
    term_build_map(&builder, 1);
    term_build_key(&builder, "a");
    build_long_binary(&builder);
    term_build_map(&builder, 0);
    term_build_nil(&builder);
    assert_true(term_list_start(&list, term_built(&builder)));
    static const bool expected[] = {false, true, true, false};
    for (size_t i = 0; i < ARRAY_LENGTH(expected); i++) {
        assert_int_equal(suite_scenario_is_large(&list), expected[i]);
        suite_scenario_next(&scenario, &list, TERM_ATOM("t"));
    }
    assert_false(suite_scenario_is_large(&list));
    suite_scenario_free(&scenario);
    term_build_free(&builder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kinds), cmocka_unit_test(test_large_ones)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
