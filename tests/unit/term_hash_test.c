#include "term_from_text.h"

#include "term_hash_private.h"

static uint64_t hash_of(const char *text)
{
    struct term_builder builder = {0};
    uint64_t hash = term_hash(term_from_text(&builder, text));
    term_build_free(&builder);
    return hash;
}

static void test_what_differs(void **state)
{
    (void)state;
    static const char *const terms[] = {"a",         "b",   "<<\"a\">>", "1",        "2",        "1.0",
                                        "-1",        "{}",  "{1}",       "{{1}}",    "{1, 2}",   "{2, 1}",
                                        "[1, 2]",    "[]",  "\"ab\"",    "[1 | 2]",  "{a, {b}}", "{{a}, b}",
                                        "#{a => 1}", "#{}", "[[1], 2]",  "[1, [2]]", "1.5",      "[a]"};
    for (size_t i = 0; i < ARRAY_LENGTH(terms); i++)
        for (size_t j = 0; j < i; j++)
            if (hash_of(terms[i]) == hash_of(terms[j]))
                fail_msg("%s has the hash of %s", terms[i], terms[j]);
}

#define BYTES(...)                                                                                           \
    (struct term)                                                                                            \
    {                                                                                                        \
        (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})                               \
    }

static void expect_same(struct term a, struct term b)
{
    assert_int_equal(term_hash(a), term_hash(b));
}

/* Nodes and C nodes write some terms in several ways. */
static void test_what_is_equal(void **state)
{
    (void)state;
    assert_int_equal(hash_of("#{a => 1, b => 2}"), hash_of("#{b => 2, a => 1}"));
    assert_int_equal(hash_of("{#{a => 1, b => 2}, c}"), hash_of("{#{b => 2, a => 1}, c}"));
    expect_same(BYTES(97, 5), BYTES(98, 0, 0, 0, 5));
    expect_same(BYTES(97, 5), BYTES(110, 1, 0, 5));
    expect_same(BYTES(110, 9, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9), BYTES(110, 10, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0));
    expect_same(BYTES(110, 9, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9),
                BYTES(111, 0, 0, 0, 9, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9));
    expect_same(BYTES(70, 0, 0, 0, 0, 0, 0, 0, 0), BYTES(70, 128, 0, 0, 0, 0, 0, 0, 0));
    expect_same(BYTES(107, 0, 2, 1, 2), BYTES(108, 0, 0, 0, 2, 97, 1, 97, 2, 106));
    expect_same(BYTES(104, 1, 107, 0, 1, 9), BYTES(105, 0, 0, 0, 1, 108, 0, 0, 0, 1, 97, 9, 106));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_differs),
        cmocka_unit_test(test_what_is_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
