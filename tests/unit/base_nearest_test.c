#include "base/nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"

static const char *const words[] = {"name", "names", "port", "net_ticktime", "cookie_file", "threads"};

static const char *nearest(const char *word)
{
    return nearest_word(word, strlen(word), words, ARRAY_LENGTH(words));
}

static void test_near_words(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        const char *nearest;
    } rows[] = {
        {"name", "name"},
        {"nmae", "name"},
        {"NAME", "name"},
        {"nam", "name"},
        {"ports", "port"},
        {"prot", "port"},
        {"nettick_time", "net_ticktime"},
        {"cookiefile", "cookie_file"},
        {"thread", "threads"},
        {"tread", "threads"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const char *found = nearest(rows[i].word);
        assert_non_null(found);
        assert_string_equal(found, rows[i].nearest);
    }
}

static void test_far_words(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "", "p", "po", "colour", "reads_of_a", "net_tick", "completely_different"};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        assert_null(nearest(rows[i]));
    assert_null(nearest_word("name", 4, words, 0));
}

static void test_size_is_respected(void **state)
{
    (void)state;
    char bytes[3] = {'n', 'a', 'm'};
    assert_string_equal(nearest_word(bytes, sizeof(bytes), words, ARRAY_LENGTH(words)), "name");
}

static void test_long_words(void **state)
{
    (void)state;
    char longest[65];
    char longer[66];
    memset(longest, 'a', 64);
    longest[64] = '\0';
    memset(longer, 'a', 65);
    longer[65] = '\0';
    const char *candidates[] = {longer, longest};
    assert_ptr_equal(nearest_word(longest, 64, candidates, 2), longest);
    assert_null(nearest_word(longer, 65, candidates, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_near_words),
        cmocka_unit_test(test_far_words),
        cmocka_unit_test(test_size_is_respected),
        cmocka_unit_test(test_long_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
