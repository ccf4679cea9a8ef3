/* Reasons are built as their table says, and told apart by it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "report/reason.h"
#include "term/term_read.h"

/* The first word of a shape, as the atom that it is. */
static void read_first_word(const char *shape, char word[TERM_ATOM_BYTES + 1])
{
    shape += *shape == '{';
    snprintf(word, TERM_ATOM_BYTES + 1, "%.*s", (int)strcspn(shape, ","), shape);
}

static void test_atoms_are_those_of_their_shapes(void **state)
{
    (void)state;
    const struct help_table *table = reasons_table();
    assert_int_equal(table->count, REASON_COUNT);
    for (enum reason reason = 0; reason < REASON_COUNT; reason++) {
        struct term_builder builder = {0};
        char word[TERM_ATOM_BYTES + 1];
        read_first_word(help_row(table, reason)->name, word);
        reason_build(reason, &builder);
        assert_true(term_is_atom(term_built(&builder), word));
        for (enum reason other = 0; other < REASON_COUNT; other++)
            assert_int_equal(reason_is(other, term_built(&builder)), other == reason);
        term_build_free(&builder);
    }
}

static void test_opens_a_tuple(void **state)
{
    (void)state;
    struct term_builder builder = {0};
    struct term parts[2];
    reason_open(REASON_NODEDOWN, 2, &builder);
    term_build_atom(&builder, "app@host");
    assert_true(term_read_tuple_of(term_built(&builder), 2, parts));
    assert_true(reason_is(REASON_NODEDOWN, parts[0]));
    assert_true(term_is_atom(parts[1], "app@host"));
    term_build_free(&builder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_atoms_are_those_of_their_shapes),
        cmocka_unit_test(test_opens_a_tuple),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
