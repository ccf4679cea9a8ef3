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
    static const char *const rows[] = {"", "p", "po", "colour", "reads_of_a", "completely_different"};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        assert_null(nearest(rows[i]));
    assert_null(nearest_word("name", 4, words, 0));
}

/* Whoever knows half of a name means the whole of it. */
static void test_parts_of_words(void **state)
{
    (void)state;
    static const char *const known[] = {"duration_ms", "operations",      "max_p99_us",
                                        "max_p50_us",  "kill_children",   "inject_crash",
                                        "timeout_ms",  "call_timeout_ms", "--log-level"};
    static const struct {
        const char *word, *nearest;
    } rows[] = {{"duration", "duration_ms"},
                {"Duration", "duration_ms"},
                {"duration_s", "duration_ms"},
                {"dur", "duration_ms"},
                {"ops", "operations"},
                {"oper", "operations"},
                {"p99_ms", "max_p99_us"},
                {"p99", "max_p99_us"},
                {"p95_ms", NULL},
                {"crash", "inject_crash"},
                {"inject", "inject_crash"},
                {"timeout", "timeout_ms"},
                {"call_timeout", "call_timeout_ms"},
                {"kill_child", "kill_children"},
                {"log", "--log-level"},
                {"max", NULL},
                {"ms", NULL},
                {"_ms", NULL},
                {"us", NULL},
                {"ions", NULL},
                {"rash", NULL},
                {"op", NULL},
                {"off", NULL},
                {"oops", NULL},
                {"operations_of_all", NULL}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const char *found = nearest_word(rows[i].word, strlen(rows[i].word), known, ARRAY_LENGTH(known));
        if (rows[i].nearest && (!found || strcmp(found, rows[i].nearest) != 0))
            fail_msg("%s is not near %s but %s", rows[i].word, rows[i].nearest, found ? found : "nothing");
        if (!rows[i].nearest && found)
            fail_msg("%s is near %s", rows[i].word, found);
    }
    static const char *const twice[] = {"kill_children", "kill_children"};
    assert_ptr_equal(nearest_word("kill", 4, twice, 2), twice[0]);
    static const char *const within[] = {"chaos_inject_crash", "inject_crash"};
    assert_ptr_equal(nearest_word("crash", 5, within, 2), within[1]);
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
        cmocka_unit_test(test_near_words),     cmocka_unit_test(test_far_words),
        cmocka_unit_test(test_parts_of_words), cmocka_unit_test(test_size_is_respected),
        cmocka_unit_test(test_long_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
