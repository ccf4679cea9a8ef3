#include "scenario_text.h"

#include <math.h>

#include "scenario/template.h"

#define SEED 11

static struct template *read(struct term_builder *message, const char *text)
{
    struct problems problems = {0};
    struct template *template = template_read(term_from_text(message, text), &problems);
    assert_int_equal(problems.count, 0);
    problems_free(&problems);
    return template;
}

/* One expansion, which is canonical and not larger than was said; borrowed until the next one. */
static struct term expand(const struct template *template, struct draw *draw, struct buffer *output)
{
    const struct term_limits limits = {.depth = 100, .count = 100000};
    size_t used;
    bool canonical;
    uint64_t sequence = draw->sequence;
    buffer_truncate(output, 0);
    template_expand(template, draw, output);
    struct term term = {.data = buffer_bytes(output), .size = output->size};
    assert_int_equal(term_check(term.data, term.size, &limits, &used, &canonical), TERM_OK);
    assert_true(used == term.size && canonical);
    assert_true(term.size <= template_bytes(template));
    assert_true(draw->sequence - sequence <= template_sequences(template));
    return term;
}

/* Each of `expected` comes out, and nothing else, in as many expansions as make a missing one as unlikely as
 * to never happen. The largest of them has template_bytes() bytes. */
static void expect_outcomes(const char *text, size_t count, const char *const *expected)
{
    struct term_builder message = {0}, builder = {0};
    struct buffer output = {0};
    struct template *template = read(&message, text);
    bool seen[64] = {0};
    size_t most = 0;
    assert_non_null(template);
    for (uint64_t seed = 0; seed < 60 * count; seed++) {
        struct draw draw = {.thread = 3, .step = 300, .sequence = 70000};
        random_seed(&draw.random, seed);
        struct term term = expand(template, &draw, &output);
        size_t i = 0;
        while (i < count && !term_same(term, term_from_text(&builder, expected[i])))
            i++;
        if (i == count) {
            char found[300];
            fail_msg("%s: not expected: %s", text, term_text(term, found, sizeof(found)));
        }
        seen[i] = true;
        most = term.size > most ? term.size : most;
    }
    for (size_t i = 0; i < count; i++) {
        if (!seen[i])
            fail_msg("%s: never %s", text, expected[i]);
    }
    /* Numbers that are known only then count with the most bytes they can have. */
    if (!strstr(text, "$seq") && !strstr(text, "$thread") && !strstr(text, "$step"))
        assert_int_equal(template_bytes(template), most);
    template_free(template);
    buffer_free(&output);
    term_build_free(&message);
    term_build_free(&builder);
}

#define EXPECT_OUTCOMES(text, ...)                                                                           \
    expect_outcomes(text, ARRAY_LENGTH(((const char *const[]){__VA_ARGS__})),                                \
                    (const char *const[]){__VA_ARGS__})

static void test_literal(void **state)
{
    (void)state;
    static const char *const messages[] = {
        "increment",
        "7",
        "[]",
        "{}",
        "#{}",
        "{add, [1, 2 | x], #{{a} => <<\"b\">>, c => [\"text\"]}}",
        "{'$gen_call', {$p, x}, get}",
        "{'$gen_cast', {'$other'}}",
        "'$seq'",
        "['$seq', '$int', 1, 2]",
        "{a, '$seq'}",
        "{'$seqs'}",
        "{'$', '$pick'}",
        "{<<\"$seq\">>}",
        "{'', {}}",
        "$l",
        "$2",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(messages); i++) {
        struct term_builder message = {0};
        assert_null(read(&message, messages[i]));
        term_build_free(&message);
    }
    template_free(NULL);
}

static void test_numbers_of_the_operation(void **state)
{
    (void)state;
    EXPECT_OUTCOMES("{'$seq'}", "70000");
    EXPECT_OUTCOMES("{'$thread'}", "3");
    EXPECT_OUTCOMES("{'$step'}", "300");
    EXPECT_OUTCOMES("{put, {'$thread'}, {'$step'}, {'$seq'}, {'$seq'}}", "{put, 3, 300, 70000, 70001}");
    EXPECT_OUTCOMES("[{'$seq'}, a, {'$seq'}, [{'$seq'}] | {'$seq'}]", "[70000, a, 70001, [70002] | 70003]");
}

/* All 64 bits without a sign. */
static void test_largest_numbers(void **state)
{
    (void)state;
    struct term_builder message = {0}, expected = {0};
    struct buffer output = {0};
    struct template *template = read(&message, "{{'$seq'}, {'$thread'}, {'$step'}, {'$seq'}}");
    struct draw draw = {.thread = UINT64_MAX, .step = UINT64_MAX - 1, .sequence = UINT64_MAX};
    term_build_tuple(&expected, 4);
    term_build_unsigned(&expected, UINT64_MAX);
    term_build_unsigned(&expected, UINT64_MAX);
    term_build_unsigned(&expected, UINT64_MAX - 1);
    term_build_unsigned(&expected, 0);
    assert_int_equal(template_sequences(template), 2);
    template_expand(template, &draw, &output);
    assert_int_equal(output.size, expected.bytes.size);
    assert_memory_equal(buffer_bytes(&output), buffer_bytes(&expected.bytes), output.size);
    assert_int_equal(template_bytes(template), 2 + 4 * 11);
    assert_int_equal(draw.sequence, 1);
    template_free(template);
    buffer_free(&output);
    term_build_free(&message);
    term_build_free(&expected);
}

static void test_places(void **state)
{
    (void)state;
    EXPECT_OUTCOMES("{'$int', 5, 5}", "5");
    EXPECT_OUTCOMES("{add, {'$int', -1, 1}}", "{add, -1}", "{add, 0}", "{add, 1}");
    EXPECT_OUTCOMES("[{'$int', 5, 5}, {'$int', 6, 6}]", "[5, 6]");
    EXPECT_OUTCOMES("[a | {'$int', 5, 5}]", "[a | 5]");
    EXPECT_OUTCOMES("#{a => {'$int', 5, 5}, {b} => [{'$int', 6, 6}], c => d}",
                    "#{a => 5, {b} => [6], c => d}");
    EXPECT_OUTCOMES("{{{'$int', 5, 5}, a}, {{'$int', 6, 6}}}", "{{5, a}, {6}}");
    EXPECT_OUTCOMES("{'$gen_call', {$p, {'$int', 5, 5}}, get}", "{'$gen_call', {$p, 5}, get}");
    EXPECT_OUTCOMES("{'$zipf', 1, 2}", "1");
    EXPECT_OUTCOMES("{a, {'$bytes', 0}, b}", "{a, <<\"\">>, b}");
    EXPECT_OUTCOMES("#{a => #{k => {'$int', 1, 1}}, #{m => n} => {'$pick', [#{x => y}, z]}}",
                    "#{a => #{k => 1}, #{m => n} => #{x => y}}", "#{a => #{k => 1}, #{m => n} => z}");
}

static void test_pick(void **state)
{
    (void)state;
    EXPECT_OUTCOMES("{'$pick', [a]}", "a");
    EXPECT_OUTCOMES("{'$pick', [a, {b, c}, [], [d], \"ef\", #{}]}", "a", "{b, c}", "[]", "[d]", "\"ef\"",
                    "#{}");
    EXPECT_OUTCOMES("{'$pick', \"abc\"}", "97", "98", "99");
    EXPECT_OUTCOMES("{x, {'$pick', \"ab\"}, y}", "{x, 97, y}", "{x, 98, y}");
    EXPECT_OUTCOMES("[{'$pick', [a, \"b\"]}, {'$pick', [c, d]} | z]", "[a, c | z]", "[a, d | z]",
                    "[\"b\", c | z]", "[\"b\", d | z]");
    EXPECT_OUTCOMES("{'$pick', [{get, {'$int', 1, 2}}, {put, {'$int', 3, 3}, {'$seq'}}, stop]}", "{get, 1}",
                    "{get, 2}", "{put, 3, 70000}", "stop");
    EXPECT_OUTCOMES("{'$pick', ['$seq', '$int']}", "'$seq'", "'$int'");
}

static void test_picks_in_picks(void **state)
{
    (void)state;
    EXPECT_OUTCOMES("{'$pick', [{'$pick', [a, b]}, c]}", "a", "b", "c");
    EXPECT_OUTCOMES("{x, {'$pick', [c, {'$pick', [a, {'$pick', [d, e]}]}]}, y}", "{x, c, y}", "{x, a, y}",
                    "{x, d, y}", "{x, e, y}");
    EXPECT_OUTCOMES("{'$pick', [{1, {'$pick', [a, b]}}, {{'$pick', [c]}, 2}]}", "{1, a}", "{1, b}", "{c, 2}");
    EXPECT_OUTCOMES("{'$pick', [{'$pick', [{'$pick', \"ab\"}]}, {'$pick', [{'$pick', [c, {'$seq'}]}]}]}",
                    "97", "98", "c", "70000");
    EXPECT_OUTCOMES("[{'$pick', [{'$pick', [a]}]}, {'$pick', [{'$pick', [b]}]}]", "[a, b]");
}

/* A list whose tail is a list is one list. */
static void test_picks_in_tails(void **state)
{
    (void)state;
    EXPECT_OUTCOMES("[a | {'$pick', [b, [], [c], [d, e | f]]}]", "[a | b]", "[a]", "[a, c]", "[a, d, e | f]");
    EXPECT_OUTCOMES("{[a, b | {'$pick', [[{'$pick', [[c], d]}], [e]]}], z}", "{[a, b, [c]], z}",
                    "{[a, b, d], z}", "{[a, b, e], z}");
    EXPECT_OUTCOMES("[a | {'$pick', [[b | {'$pick', [[c], [], [d | {'$pick', [[e, f], g]}]]}], h]}]",
                    "[a, b, c]", "[a, b]", "[a, b, d, e, f]", "[a, b, d | g]", "[a | h]");
    EXPECT_OUTCOMES("[x, [a | {'$pick', [{'$pick', [[b], {'$pick', [[c, d], e]}]}]}] | {'$pick', [[y], []]}]",
                    "[x, [a, b], y]", "[x, [a, c, d], y]", "[x, [a | e], y]", "[x, [a, b]]", "[x, [a, c, d]]",
                    "[x, [a | e]]");
    EXPECT_OUTCOMES("{[{'$seq'}, [1 | {'$pick', [[{'$thread'}]]}] | {'$pick', [[2, 3]]}]}",
                    "{[70000, [1, 3], 2, 3]}");
    EXPECT_OUTCOMES("[{'$pick', [[a | {'$pick', [[b], [c]]}]]}]", "[[a, b]]", "[[a, c]]");
}

/* As elements of a list that has others, characters have the encoding of any integer. */
static void test_strings_in_tails(void **state)
{
    (void)state;
    static const uint8_t expected[] = {108, 0, 0, 0, 3, 119, 1, 'a', 97, 1, 97, 255, 106};
    struct term_builder message = {0};
    struct buffer output = {0};
    struct draw draw = {0};
    struct template *template = read(&message, "[a | {'$pick', [\"\001\377\"]}]");
    random_seed(&draw.random, SEED);
    struct term term = expand(template, &draw, &output);
    assert_int_equal(term.size, sizeof(expected));
    assert_int_equal(template_bytes(template), sizeof(expected));
    assert_memory_equal(term.data, expected, sizeof(expected));
    template_free(template);
    buffer_free(&output);
    term_build_free(&message);
}

/* What was in the output stays, and the lengths of lists are found behind it. */
static void test_appends(void **state)
{
    (void)state;
    struct term_builder message = {0}, expected = {0};
    struct buffer output = {0};
    struct draw draw = {0};
    struct template *template = read(&message, "{{'$bytes', 0}, [a | {'$pick', [[b]]}]}");
    random_seed(&draw.random, SEED);
    buffer_append(&output, "before", 6);
    buffer_consume(&output, 2);
    template_expand(template, &draw, &output);
    template_expand(template, &draw, &output);
    struct term term = term_from_text(&expected, "{<<\"\">>, [a, b]}");
    assert_int_equal(output.size, 4 + 2 * term.size);
    assert_memory_equal(buffer_bytes(&output), "fore", 4);
    assert_memory_equal(buffer_bytes(&output) + 4, term.data, term.size);
    assert_memory_equal(buffer_bytes(&output) + 4 + term.size, term.data, term.size);
    template_free(template);
    buffer_free(&output);
    term_build_free(&message);
    term_build_free(&expected);
}

static void test_limits(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t bytes;
        size_t sequences;
    } rows[] = {
        {"{'$seq'}", 11, 1},
        {"{'$bytes', 1048576}", 5 + 1048576, 0},
        {"{'$int', 0, 255}", 2, 0},
        {"{'$int', 0, 256}", 5, 0},
        {"{'$int', -1, 0}", 5, 0},
        {"{'$int', -2147483648, 2147483647}", 5, 0},
        {"{'$int', -2147483649, 0}", 7, 0},
        {"{'$int', 0, 4294967295}", 7, 0},
        {"{'$int', 0, 4294967296}", 8, 0},
        {"{'$int', -9223372036854775808, 5}", 11, 0},
        {"{'$zipf', 9007199254740992, 1}", 10, 0},
        {"{{'$seq'}, {'$pick', [{'$seq'}, {{'$seq'}, {'$seq'}}, <<\"0123456789012345678901234567\">>]}}",
         2 + 11 + 33, 3},
        {"[{'$pick', [a, {'$seq'}]}, {'$pick', [{'$seq'}, b]}]", 5 + 22 + 1, 2},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct term_builder message = {0};
        struct template *template = read(&message, rows[i].text);
        assert_non_null(template);
        assert_int_equal(template_bytes(template), rows[i].bytes);
        assert_int_equal(template_sequences(template), rows[i].sequences);
        template_free(template);
        term_build_free(&message);
    }
}

static void test_bytes(void **state)
{
    (void)state;
    static const int sizes[] = {1, 7, 8, 9, 100, 1000, 1048576};
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        struct term_builder message = {0};
        struct buffer output = {0};
        char text[100];
        struct draw draw = {0};
        const uint8_t *data;
        size_t size, ones = 0;
        random_seed(&draw.random, SEED);
        snprintf(text, sizeof(text), "{'$bytes', %d}", sizes[i]);
        struct template *template = read(&message, text);
        assert_true(term_read_binary(expand(template, &draw, &output), &data, &size));
        assert_int_equal(size, sizes[i]);
        for (size_t j = 0; j < size; j++)
            ones += (size_t)__builtin_popcount(data[j]);
        /* Half of the bits, give or take five deviations. */
        assert_true(fabs((double)ones - 4.0 * (double)size) <= 5 * sqrt(2.0 * (double)size));
        template_free(template);
        buffer_free(&output);
        term_build_free(&message);
    }
}

static void test_draws_repeat(void **state)
{
    (void)state;
    struct term_builder message = {0};
    struct buffer first = {0}, second = {0};
    struct template *template =
        read(&message, "{{'$int', 0, 4611686018427387904}, {'$zipf', 1000, 0.5}, {'$bytes', 16}, {'$seq'},"
                       " {'$pick', [a, b, [{'$int', 0, 1000} | {'$pick', [[1], 2]}]]}}");
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct draw draw = {.thread = 1, .step = 2, .sequence = 3};
        random_seed(&draw.random, seed);
        struct draw same = draw, other = draw;
        random_seed(&other.random, seed + 1000);
        struct term term = expand(template, &draw, &first);
        assert_true(term_same(term, expand(template, &same, &second)));
        assert_memory_equal(&draw, &same, sizeof(draw));
        assert_false(term_same(term, expand(template, &other, &second)));
        assert_false(term_same(term, expand(template, &draw, &second))); /* a fresh one at each use */
    }
    template_free(template);
    buffer_free(&first);
    buffer_free(&second);
    term_build_free(&message);
}

/* --- Distributions --- */

#define DRAWS 200000
#define BINS_MOST 64

/* Chi square of so many degrees of freedom is above this in one of a million cases (Wilson and Hilferty). */
static double chi_square_limit(size_t freedom)
{
    double part = 2.0 / (9 * (double)freedom);
    return (double)freedom * pow(1 - part + 4.7534 * sqrt(part), 3);
}

/* Draws integers, `bin` tells the bin of each; bin i is expected with the probability `shares[i]`. */
static void check_shares(const char *text, size_t bins, const double *shares, size_t (*bin)(int64_t value))
{
    struct term_builder message = {0};
    struct buffer output = {0};
    struct draw draw = {0};
    size_t counts[BINS_MOST] = {0};
    double chi_square = 0;
    struct template *template = read(&message, text);
    random_seed(&draw.random, SEED);
    for (int i = 0; i < DRAWS; i++) {
        int64_t value;
        assert_true(term_read_integer(expand(template, &draw, &output), &value));
        assert_true(bin(value) < bins);
        counts[bin(value)]++;
    }
    for (size_t i = 0; i < bins; i++)
        chi_square += pow((double)counts[i] - DRAWS * shares[i], 2) / (DRAWS * shares[i]);
    if (chi_square > chi_square_limit(bins - 1))
        fail_msg("%s: chi square %.1f with %zu bins", text, chi_square, bins);
    template_free(template);
    buffer_free(&output);
    term_build_free(&message);
}

static void equal_shares(size_t bins, double *shares)
{
    for (size_t i = 0; i < bins; i++)
        shares[i] = 1 / (double)bins;
}

static size_t bin_from_minus_7(int64_t value)
{
    return (size_t)(value + 7);
}

/* The top six bits. */
static size_t bin_of_all(int64_t value)
{
    return (size_t)(((uint64_t)value + (1ULL << 63)) >> 58);
}

static size_t bin_of_non_negative(int64_t value)
{
    return (size_t)value >> 57;
}

static void test_int_shares(void **state)
{
    (void)state;
    double shares[BINS_MOST];
    equal_shares(64, shares);
    check_shares("{'$int', -9223372036854775808, 9223372036854775807}", 64, shares, bin_of_all);
    check_shares("{'$int', 0, 9223372036854775807}", 64, shares, bin_of_non_negative);
    equal_shares(17, shares);
    check_shares("{'$int', -7, 9}", 17, shares, bin_from_minus_7);
}

static size_t bin_from_1(int64_t value)
{
    return (size_t)value - 1;
}

static void test_pick_shares(void **state)
{
    (void)state;
    double shares[BINS_MOST];
    equal_shares(5, shares);
    check_shares("{'$pick', [1, 2, 3, 4, 5]}", 5, shares, bin_from_1);
    check_shares("{'$pick', \"\001\002\003\004\005\"}", 5, shares, bin_from_1);
    /* An element of an element is as likely as both together. */
    check_shares("{'$pick', [1, {'$pick', [2, 3, {'$int', 4, 5}]}]}", 5,
                 (const double[]){1 / 2.0, 1 / 6.0, 1 / 6.0, 1 / 12.0, 1 / 12.0}, bin_from_1);
}

static void test_zipf_shares(void **state)
{
    (void)state;
    static const char *const exponents[] = {"0.5", "1", "1.0", "1.2", "3"};
    for (size_t i = 0; i < ARRAY_LENGTH(exponents); i++) {
        double shares[20], whole = 0;
        char text[100];
        for (int k = 1; k <= 20; k++)
            whole += shares[k - 1] = pow(k, -strtod(exponents[i], NULL));
        for (int k = 1; k <= 20; k++)
            shares[k - 1] /= whole;
        snprintf(text, sizeof(text), "{'$zipf', 20, %s}", exponents[i]);
        check_shares(text, 20, shares, bin_from_1);
    }
}

static size_t bin_of_half(int64_t value)
{
    return value > 1LL << 26;
}

/* With S = 1 the logarithm counts: as many below 2^26 as above it, but for the constant of Euler. */
static void test_zipf_of_many(void **state)
{
    (void)state;
    double lower = 26 * log(2) + 0.5772156649, whole = 53 * log(2) + 0.5772156649;
    check_shares("{'$zipf', 9007199254740992, 1.0}", 2, (const double[]){lower / whole, 1 - lower / whole},
                 bin_of_half);
}

/* --- Problems --- */

static void expect_problem(const char *text, const char *expected)
{
    struct term_builder message = {0}, listed = {0};
    struct problems problems = {0};
    static char found[4000];
    char wanted[1000];
    problems_enter_key(&problems, "threads");
    problems_enter_index(&problems, 2);
    assert_null(template_read(term_from_text(&message, text), &problems));
    assert_int_equal(problems.depth, 2);
    if (problems.count != 1)
        fail_msg("%s: %zu problems", text, problems.count);
    problems_build(&problems, &listed);
    term_text(term_built(&listed), found, sizeof(found));
    snprintf(wanted, sizeof(wanted), PROBLEM("threads,2", "invalid_placeholder", "%s\">>}"), expected);
    if (!strstr(found, wanted))
        fail_msg("%s: no '%s' in %s", text, wanted, found);
    problems_free(&problems);
    term_build_free(&message);
    term_build_free(&listed);
}

#define INT_NEEDS "{:\\\"$int\\\", low, high} needs two integers of 64 bits, the lower one first, got "
#define PICK_NEEDS "{:\\\"$pick\\\", list} needs a list with at least one element, got "
#define ZIPF_NEEDS                                                                                           \
    "{:\\\"$zipf\\\", n, s} needs an integer in 1 to 9007199254740992 and a number greater than 0, got "
#define BYTES_NEEDS "{:\\\"$bytes\\\", n} needs an integer in 0 to 1048576, got "
#define IN_KEY " cannot stand in a key of a map: keys could become the same, got "

static void test_problems(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *problem;
    } rows[] = {
        {"{'$int', 1}", INT_NEEDS "{'$int',1}"},
        {"{'$int'}", INT_NEEDS "{'$int'}"},
        {"{'$int', 1, 2, 3}", INT_NEEDS "{'$int',1,2,3}"},
        {"{'$int', 2, 1}", INT_NEEDS "{'$int',2,1}"},
        {"{'$int', 1, a}", INT_NEEDS "{'$int',1,a}"},
        {"{'$int', 1.0, 2}", INT_NEEDS "{'$int',1.0,2}"},
        {"{add, [{'$int', {'$seq'}, 5}]}", INT_NEEDS "{'$int',{'$seq'},5}"},
        {"{'$seq', 1}", "{:\\\"$seq\\\"} has no arguments, got {'$seq',1}"},
        {"{'$thread', []}", "{:\\\"$thread\\\"} has no arguments, got {'$thread',[]}"},
        {"{'$step', a, b}", "{:\\\"$step\\\"} has no arguments, got {'$step',a,b}"},
        {"{'$pick'}", PICK_NEEDS "{'$pick'}"},
        {"{'$pick', []}", PICK_NEEDS "{'$pick',[]}"},
        {"{'$pick', a, b}", PICK_NEEDS "{'$pick',a,b}"},
        {"{'$pick', {a, b}}", PICK_NEEDS "{'$pick',{a,b}}"},
        {"{'$pick', {'$pick', [[a], [b]]}}", PICK_NEEDS "{'$pick',{'$pick',[[a],[b]]}}"},
        {"{x, {'$pick', [a, b | c]}, y}",
         "{:\\\"$pick\\\", list} needs a proper list, got one with the tail c"},
        {"{'$pick', [a | {'$pick', [[b]]}]}",
         "{:\\\"$pick\\\", list} needs a proper list, got one with the tail {'$pick',[[b]]}"},
        {"{'$pick', [a, {'$pick', [[{'$seq', 7}, b]]}]}", "{:\\\"$seq\\\"} has no arguments, got {'$seq',7}"},
        {"{'$zipf', 5}", ZIPF_NEEDS "{'$zipf',5}"},
        {"{'$zipf', 0, 1}", ZIPF_NEEDS "{'$zipf',0,1}"},
        {"{'$zipf', 9007199254740993, 1}", ZIPF_NEEDS "{'$zipf',9007199254740993,1}"},
        {"{'$zipf', 5, 0}", ZIPF_NEEDS "{'$zipf',5,0}"},
        {"{'$zipf', 5, 0.0}", ZIPF_NEEDS "{'$zipf',5,0.0}"},
        {"{'$zipf', 5, -1.5}", ZIPF_NEEDS "{'$zipf',5,-1.5}"},
        {"{'$zipf', 5.0, 1}", ZIPF_NEEDS "{'$zipf',5.0,1}"},
        {"{'$zipf', 5, a}", ZIPF_NEEDS "{'$zipf',5,a}"},
        {"{'$bytes', -1}", BYTES_NEEDS "{'$bytes',-1}"},
        {"{'$bytes', 1048577}", BYTES_NEEDS "{'$bytes',1048577}"},
        {"{'$bytes', <<\"5\">>}", BYTES_NEEDS "{'$bytes',<<\\\"5\\\">>}"},
        {"{'$bytes'}", BYTES_NEEDS "{'$bytes'}"},
        {"#{{'$seq'} => a}", "{:\\\"$seq\\\"}" IN_KEY "{'$seq'}"},
        {"#{a => {'$seq'}, [{x, {'$int', 1, 2}}] => b}", "{:\\\"$int\\\", low, high}" IN_KEY "{'$int',1,2}"},
        {"#{#{a => {'$pick', [{'$seq'}]}} => b}", "{:\\\"$pick\\\", list}" IN_KEY "{'$pick',[{'$seq'}]}"},
        {"{'$pick', [#{k => #{{'$thread'} => v}}]}", "{:\\\"$thread\\\"}" IN_KEY "{'$thread'}"},
        {"#{{'$bytes', a} => b}", "{:\\\"$bytes\\\", n}" IN_KEY "{'$bytes',a}"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        expect_problem(rows[i].text, rows[i].problem);
}

/* An integer of 72 bits. */
static void test_beyond_64_bits(void **state)
{
    (void)state;
    static const uint8_t large[] = {TERM_TAG_SMALL_BIG, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    struct term_builder message = {0};
    struct problems problems = {0};
    term_build_tuple(&message, 3);
    term_build_atom(&message, "$int");
    term_build_integer(&message, 0);
    term_build_term(&message, (struct term){large, sizeof(large)});
    assert_null(template_read(term_built(&message), &problems));
    assert_int_equal(problems.count, 1);
    problems_free(&problems);
    term_build_free(&message);
}

/* All at once. */
static void test_several_problems(void **state)
{
    (void)state;
    struct term_builder message = {0};
    struct problems problems = {0};
    assert_null(template_read(term_from_text(&message,
                                             "[{'$int'}, {'$seq'}, {'$pick', [{'$bytes'}, {'$step', 1} | a]},"
                                             " #{{'$seq'} => {'$zipf'}} | {'$thread', 1}]"),
                              &problems));
    assert_int_equal(problems.count, 7);
    problems_free(&problems);
    term_build_free(&message);
}

/* Picks in picks as deep as a message can be: neither stack nor time runs out, and the innermost comes out.
 */
static void test_deep_picks(void **state)
{
    (void)state;
    struct term_builder message = {0};
    struct problems problems = {0};
    struct buffer output = {0};
    struct draw draw = {0};
    size_t depth = 5000;
    for (size_t i = 0; i < depth; i++) {
        term_build_tuple(&message, 2);
        term_build_atom(&message, "$pick");
        term_build_list(&message, 1);
    }
    term_build_atom(&message, "found");
    for (size_t i = 0; i < depth; i++)
        term_build_nil(&message);
    struct template *template = template_read(term_built(&message), &problems);
    assert_non_null(template);
    random_seed(&draw.random, SEED);
    template_expand(template, &draw, &output);
    assert_true(term_is_atom((struct term){buffer_bytes(&output), output.size}, "found"));
    assert_int_equal(template_bytes(template), output.size);
    template_free(template);
    buffer_free(&output);
    problems_free(&problems);
    term_build_free(&message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literal),
        cmocka_unit_test(test_numbers_of_the_operation),
        cmocka_unit_test(test_largest_numbers),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_pick),
        cmocka_unit_test(test_picks_in_picks),
        cmocka_unit_test(test_picks_in_tails),
        cmocka_unit_test(test_strings_in_tails),
        cmocka_unit_test(test_appends),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_draws_repeat),
        cmocka_unit_test(test_int_shares),
        cmocka_unit_test(test_pick_shares),
        cmocka_unit_test(test_zipf_shares),
        cmocka_unit_test(test_zipf_of_many),
        cmocka_unit_test(test_problems),
        cmocka_unit_test(test_beyond_64_bits),
        cmocka_unit_test(test_several_problems),
        cmocka_unit_test(test_deep_picks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
