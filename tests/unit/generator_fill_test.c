/* What is done with tables in pages that are written by hand, and with pages that nobody has listed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "fill.h"
#include "reference.h"
#include "remove_tree.h"

#define BEGINNING "# A page\n\n<!-- table pages -->\n"

static char *filled(const char *written, struct fill_uses *uses, struct fill_problem *problem)
{
    struct buffer page = {0};
    bool is_good = fill(&page, written, uses, problem);
    buffer_append(&page, "", 1);
    char *text = is_good ? memory_string((const char *)buffer_bytes(&page)) : NULL;
    buffer_free(&page);
    return text;
}

static void test_tables_are_filled(void **state)
{
    (void)state;
    struct fill_uses uses = {0};
    struct fill_problem problem;
    char *page = filled(BEGINNING "| old |\n\n<!-- end -->\n\nwords\n", &uses, &problem);
    assert_non_null(page);
    assert_null(strstr(page, "old"));
    assert_non_null(strstr(page, "| `/metrics` |"));
    assert_non_null(strstr(page, "\n\n<!-- end -->\n\nwords\n"));
    char *again = filled(page, &uses, &problem);
    assert_string_equal(again, page);
    free(again);
    free(page);
}

static void test_nothing_is_lost(void **state)
{
    (void)state;
    static const struct {
        const char *page;
        size_t line;
    } rows[] = {
        {BEGINNING "| old |\n\nwords by hand\n\n<!-- end -->\n", 6},
        {BEGINNING "| old |\n\n<!-- table answers -->\n<!-- end -->\n", 6},
        {BEGINNING "| old |\n\n## A heading\n", 6},
        {BEGINNING "| old |\n", 3},
        {"# A page\n\n<!-- end -->\n", 3},
        {"# A page\n\n<!-- table nowhere -->\n\n<!-- end -->\n", 3},
        {"# A page\n\n<!-- table pages --> \n\n<!-- end -->\n", 3},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct fill_uses uses = {0};
        struct fill_problem problem;
        char *page = filled(rows[i].page, &uses, &problem);
        if (page)
            fail_msg("made of page %zu:\n%s", i, page);
        assert_non_null(problem.text);
        assert_int_equal(problem.line, rows[i].line);
    }
}

static void test_each_table_stands_in_one_place(void **state)
{
    (void)state;
    struct fill_uses uses = {0};
    struct fill_problem problem;
    assert_non_null(fill_misused(&uses));
    for (size_t i = 0; i < FILL_TABLES; i++) {
        char *written = memory_format("<!-- table %s -->\n<!-- end -->\n", fill_misused(&uses));
        free(filled(written, &uses, &problem));
        free(written);
    }
    assert_null(fill_misused(&uses));
    free(filled(BEGINNING "<!-- end -->\n", &uses, &problem));
    assert_string_equal(fill_misused(&uses), "pages");
}

/* --- Whole folders --- */

static void run(const char *command, const char *folder)
{
    char *line = memory_format("cd '%s' && %s", folder, command);
    assert_int_equal(system(line), 0);
    free(line);
}

static void test_folders_are_checked(void **state)
{
    (void)state;
    static const char *const spoils[] = {
        "sed -i '/table problems/,/end -->/d' errors.md", /* a table is gone */
        "sed -n '/table pages/,/end -->/p' http.md >>files.md",
        "echo >extra.md",
        "rm http.md",
        "echo '| `more` | |' >>outcomes.md",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(spoils); i++) {
        char folder[] = "/tmp/harnessd_reference_XXXXXX";
        assert_non_null(mkdtemp(folder));
        char *copy = memory_format("cp " REFERENCE "/*.md '%s'", folder);
        run(copy, folder);
        free(copy);
        assert_true(reference_write(folder, true));
        run(spoils[i], folder);
        if (reference_write(folder, true))
            fail_msg("%s was not seen", spoils[i]);
        remove_tree(folder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables_are_filled),
        cmocka_unit_test(test_nothing_is_lost),
        cmocka_unit_test(test_each_table_stands_in_one_place),
        cmocka_unit_test(test_folders_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
