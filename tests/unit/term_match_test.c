#include "term_from_text.h"

#include "term/term_match.h"

static void expect_match(const char *pattern, const char *term, bool matches)
{
    struct term_builder builders[2] = {0};
    if (term_matches(term_from_text(&builders[0], pattern), term_from_text(&builders[1], term)) != matches)
        fail_msg("%s %s %s", pattern, matches ? "does not match" : "matches", term);
    term_build_free(&builders[0]);
    term_build_free(&builders[1]);
}

struct row {
    const char *pattern;
    const char *term;
    bool matches;
};

static void expect_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        expect_match(rows[i].pattern, rows[i].term, rows[i].matches);
}

static void test_what_matches(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"'_'", "{a, [1], #{}}", true},
        {"'_'", "'_'", true},
        {"a", "a", true},
        {"a", "b", false},
        {"1", "1", true},
        {"1", "<<\"1\">>", false},
        {"<<\"x\">>", "<<\"x\">>", true},
        {"$p", "$p", true},
        {"$p", "$q", false},
        {"{ok, '_'}", "{ok, {deep, 1}}", true},
        {"{ok, '_'}", "{error, 1}", false},
        {"{ok, '_'}", "{ok, 1, 2}", false},
        {"{ok, '_'}", "ok", false},
        {"{}", "{}", true},
        {"{}", "[]", false},
        {"[]", "[]", true},
        {"[]", "[a]", false},
        {"[a, '_']", "[a, b]", true},
        {"[a, '_']", "[a, b, c]", false},
        {"[97, '_']", "\"ab\"", true},
        {"\"ab\"", "\"ab\"", true},
        {"\"ab\"", "\"ac\"", false},
        {"#{}", "#{a => 1}", true},
        {"#{}", "{a, 1}", false},
        {"#{a => '_'}", "#{b => 2, a => 1}", true},
        {"#{a => 1, b => {x, '_'}}", "#{b => {x, 5}, c => 0, a => 1}", true},
        {"#{a => 1, b => {x, '_'}}", "#{b => {y, 5}, a => 1}", false},
        {"#{a => 1}", "#{a => 2}", false},
        {"#{a => 1}", "#{}", false},
        {"#{'_' => 1}", "#{a => 1}", false},
        {"#{#{x => 1, y => 2} => '_'}", "#{#{y => 2, x => 1} => 0}", true},
        {"#{a => #{b => '_'}}", "#{a => #{c => 1, b => 2}}", true},
        {"{{a, '_'}, b}", "{{a, x}, b}", true},
        {"{{a, '_'}, b}", "{{a, x}, c}", false},
        {"{#{a => '_'}, b}", "{#{c => 1, a => 1, d => 1}, c}", false},
        {"{b, #{a => {b, '_'}}}", "{b, #{c => 1, a => {b, {x}}, d => 1}}", true},
        {"[[a | '_'], b]", "[[a, c, d], b]", true},
        {"[[a | '_'], b]", "[[a, c, d], c]", false},
        {"[{a, '_'}]", "[{a, b}, c]", false},
        {"[{a, '_'}]", "[{a, b} | c]", false},
    };
    expect_rows(rows, ARRAY_LENGTH(rows));
}

/* What is behind the elements of a list: `'_'` stands for all that is left. */
static void test_tails(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"[a | '_']", "[a | b]", true},
        {"[a | '_']", "[a]", true},
        {"[a | '_']", "[a, b, c]", true},
        {"[a | '_']", "[a, b | c]", true},
        {"[a | '_']", "[b, c]", false},
        {"[a, b | '_']", "[a]", false},
        {"[a, b | '_']", "[a | b]", false},
        {"[a | '_']", "[]", false},
        {"[a | '_']", "a", false},
        {"['_' | '_']", "[a]", true},
        {"['_' | '_']", "\"abc\"", true},
        {"['_' | '_']", "[]", false},
        {"[97 | '_']", "\"abc\"", true},
        {"[98 | '_']", "\"abc\"", false},
        {"{ok, [1 | '_']}", "{ok, [1, {2}, 3]}", true},
        {"[a]", "[a | b]", false},
        {"[a | b]", "[a | b]", true},
        {"[a | b]", "[a | c]", false},
        {"[a | b]", "[a, c | b]", false},
    };
    expect_rows(rows, ARRAY_LENGTH(rows));
}

static void expect_bytes_match(const uint8_t *pattern, size_t size, const uint8_t *term, size_t term_size,
                               bool matches)
{
    assert_int_equal(term_matches((struct term){pattern, size}, (struct term){term, term_size}), matches);
}

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

/* What nodes may write in several ways. */
static void test_equal_terms_of_other_bytes(void **state)
{
    (void)state;
    expect_bytes_match(BYTES(97, 5), BYTES(98, 0, 0, 0, 5), true);
    expect_bytes_match(BYTES(97, 5), BYTES(110, 1, 0, 5), true);
    expect_bytes_match(BYTES(97, 5), BYTES(110, 1, 1, 5), false);
    expect_bytes_match(BYTES(70, 0, 0, 0, 0, 0, 0, 0, 0), BYTES(70, 128, 0, 0, 0, 0, 0, 0, 0), true);
    expect_bytes_match(BYTES(97, 0), BYTES(70, 0, 0, 0, 0, 0, 0, 0, 0), false);
    expect_bytes_match(BYTES(107, 0, 2, 1, 2), BYTES(108, 0, 0, 0, 2, 97, 1, 97, 2, 106), true);
    expect_bytes_match(BYTES(105, 0, 0, 0, 1, 97, 1), BYTES(104, 1, 97, 1), true);
}

/* Keys in any order, of every kind, with values of which some are looked into. */
static void test_maps_in_other_orders(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"#{c => 3, b => {x, '_'}, a => 1}", "#{a => 1, b => {x, 5}, c => 3, d => 4}", true},
        {"#{c => 3, b => {x, '_'}, a => 2}", "#{a => 1, b => {x, 5}, c => 3, d => 4}", false},
        {"#{c => 3, b => '_', e => '_'}", "#{a => 1, b => {x, 5}, c => 3, d => 4}", false},
        {"[#{b => 2, a => 1}, c]", "[#{a => 1, b => 2, x => [1, 2]}, c]", true},
        {"[#{b => 2, a => 1}, c]", "[#{a => 1, b => 2, x => [1, 2]}, d]", false},
        {"#{c => #{b => 2, a => 1}, b => #{b => 2, a => 1}}",
         "#{a => 0, b => #{a => 1, b => 2}, c => #{a => 1, b => 2}}", true},
        {"#{{x, 1} => 1, \"ab\" => 2, 7 => 3, 1.5 => 4}", "#{1.5 => 4, 7 => 3, \"ab\" => 2, {x, 1} => 1}",
         true},
        {"#{#{x => 1, y => 2} => 1, a => 2}", "#{a => 2, #{y => 2, x => 1} => 1}", true},
        {"#{#{x => 1, y => 2} => 1, a => 2}", "#{a => 2, #{y => 2, x => 3} => 1}", false},
        {"{#{b => 2, a => 1}, #{d => '_', c => '_'}}", "{#{a => 1, b => 2}, #{c => 0, d => 0}}", true},
    };
    expect_rows(rows, ARRAY_LENGTH(rows));
}

/* A map of so many pairs of an integer and the one above, from `first` on, up or down. */
static struct term numbers_map(struct term_builder *builder, uint64_t first, size_t count, bool is_down)
{
    term_build_reset(builder);
    term_build_map(builder, count);
    for (size_t i = 0; i < count; i++) {
        term_build_unsigned(builder, first + (is_down ? count - 1 - i : i));
        term_build_unsigned(builder, first + (is_down ? count - i : i + 1));
    }
    return term_built(builder);
}

/* If each key were looked for by itself this would take minutes. */
static void test_many_keys_in_other_order(void **state)
{
    (void)state;
    struct term_builder builders[2] = {0};
    const struct term reply = numbers_map(&builders[1], 0, 500000, false);
    for (int round = 0; round < 20; round++) {
        assert_true(term_matches(numbers_map(&builders[0], 499000, PATTERN_KEYS_MOST, true), reply));
        assert_false(term_matches(numbers_map(&builders[0], 499001, PATTERN_KEYS_MOST, true), reply));
    }
    term_build_free(&builders[0]);
    term_build_free(&builders[1]);
}

/* What keeps others waiting for longer than some ten milliseconds is none. */
static void test_sizes(void **state)
{
    (void)state;
    struct term_builder builder = {0};
    term_build_list(&builder, PATTERN_VALUES_MOST - 2);
    for (size_t i = 0; i < PATTERN_VALUES_MOST - 2; i++)
        term_build_atom(&builder, "_");
    term_build_nil(&builder);
    assert_true(term_is_pattern(term_built(&builder)));
    term_build_reset(&builder);
    term_build_list(&builder, PATTERN_VALUES_MOST - 1);
    for (size_t i = 0; i < PATTERN_VALUES_MOST - 1; i++)
        term_build_atom(&builder, "_");
    term_build_nil(&builder);
    assert_false(term_is_pattern(term_built(&builder)));
    for (size_t more = 0; more < 2; more++) {
        term_build_reset(&builder);
        term_build_map(&builder, PATTERN_KEYS_MOST + more);
        for (size_t i = 0; i < 2 * (PATTERN_KEYS_MOST + more); i++)
            term_build_unsigned(&builder, i);
        assert_int_equal(term_is_pattern(term_built(&builder)), !more);
    }
    term_build_free(&builder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_matches),
        cmocka_unit_test(test_tails),
        cmocka_unit_test(test_equal_terms_of_other_bytes),
        cmocka_unit_test(test_maps_in_other_orders),
        cmocka_unit_test(test_many_keys_in_other_order),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
