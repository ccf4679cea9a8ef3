#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "term/term_gaps.h"
#include "term/term_read.h"

#define LONG (3 * TERM_GAP_BYTES)

static void build(struct term_builder *builder, struct term_gaps *gaps, struct term large)
{
    builder->gaps = gaps;
    term_build_list(builder, 3);
    term_build_term(builder, large);
    term_build_atom(builder, "between");
    term_build_term(builder, large);
    term_build_nil(builder);
}

/* What is left out comes later, no more of it at a time than was asked for, and makes the same term. */
static void test_filled_in_pieces(void **state)
{
    (void)state;
    struct term_builder large = {0}, wanted = {0}, built = {0};
    struct term_gaps gaps = {0};
    uint8_t *data = memory_zalloc(1, LONG);
    memset(data, 'x', LONG);
    term_build_binary(&large, data, LONG);
    build(&wanted, NULL, term_built(&large));
    build(&built, &gaps, term_built(&large));
    assert_int_equal(built.bytes.size, wanted.bytes.size);
    assert_int_equal(gaps.bytes, 2 * large.bytes.size);
    size_t pieces = 1;
    while (term_gaps_fill(&gaps, &built.bytes, 1000))
        pieces++;
    assert_true(pieces >= gaps.bytes / 1000);
    assert_true(term_same(term_built(&built), term_built(&wanted)));
    term_gaps_free(&gaps);
    term_build_free(&large);
    term_build_free(&wanted);
    term_build_free(&built);
    free(data);
}

/* Short ones are copied at once. */
static void test_short(void **state)
{
    (void)state;
    struct term_builder built = {0};
    struct term_gaps gaps = {0};
    built.gaps = &gaps;
    term_build_term(&built, TERM_ATOM("short"));
    assert_int_equal(gaps.count, 0);
    assert_true(term_is_atom(term_built(&built), "short"));
    assert_false(term_gaps_fill(&gaps, &built.bytes, 1));
    term_gaps_free(&gaps);
    term_build_free(&built);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filled_in_pieces),
        cmocka_unit_test(test_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
