/* Terms that are deeper than any stack. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "term/term_check.h"
#include "term/term_json.h"
#include "term/term_match.h"
#include "term/term_refer.h"
#include "term/term_sort.h"
#include "term/term_text.h"

#define BYTES(...) {__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

/* What one level begins with, and what it has behind the next one. */
static const struct shape {
    uint8_t before[16];
    size_t before_size;
    uint8_t after[8];
    size_t after_size;
} shapes[] = {
    {BYTES(104, 1), {0}, 0},                               /* {{...}} */
    {BYTES(104, 2, 97, 1), {0}, 0},                        /* {1, {1, ...}} */
    {BYTES(104, 2), BYTES(97, 1)},                         /* {{..., 1}, 1} */
    {BYTES(108, 0, 0, 0, 1), BYTES(106)},                  /* [[...]] */
    {BYTES(108, 0, 0, 0, 1, 104, 1), BYTES(106)},          /* [{[{...}]}] */
    {BYTES(116, 0, 0, 0, 1, 97, 1), {0}, 0},               /* #{1 => #{1 => ...}} */
    {BYTES(116, 0, 0, 0, 1), BYTES(97, 1)},                /* #{#{... => 1} => 1} */
    {BYTES(116, 0, 0, 0, 2, 97, 2, 97, 0, 97, 1), {0}, 0}, /* #{2 => 0, 1 => #{...}} */
};

static const size_t depths[] = {5000, 100000, 5000000};

static struct term make(const struct shape *shape, size_t depth, uint8_t leaf)
{
    size_t size = depth * (shape->before_size + shape->after_size) + 2;
    uint8_t *data = memory_alloc(size), *next = data;
    for (size_t i = 0; i < depth; i++, next += shape->before_size)
        memcpy(next, shape->before, shape->before_size);
    *next++ = 97;
    *next++ = leaf;
    for (size_t i = 0; i < depth; i++, next += shape->after_size)
        memcpy(next, shape->after, shape->after_size);
    return (struct term){data, size};
}

static int refer_nothing(void *owner, const uint8_t *text, size_t size)
{
    (void)owner;
    (void)text;
    (void)size;
    return TERM_REFER_NOT;
}

static void look(struct term term, struct term other, size_t depth)
{
    size_t used;
    bool canonical;
    struct buffer output = {0};
    assert_int_equal(term_check(term.data, term.size, &term_no_limits, &used, &canonical), TERM_OK);
    assert_true(used == term.size && canonical);
    assert_int_equal(term_check(term.data, term.size - 1, &term_no_limits, &used, &canonical),
                     TERM_TRUNCATED);
    assert_int_equal(term_length(term.data), term.size);
    term_canonical_with_atoms(term, NULL, &output);
    assert_true(term_same(term_of(&output), term));
    assert_int_equal(term_refer(term, refer_nothing, NULL, buffer_bytes(&output)), term.size);
    buffer_truncate(&output, 0);
    term_sort(term, &output);
    assert_in_range(output.size, term.size - 4, term.size); /* a list of bytes is a string */
    struct term copy = {memory_copy(term.data, term.size), term.size};
    assert_true(term_matches(copy, term));
    assert_false(term_matches(other, term));
    free((void *)copy.data);
    static char text[200000];
    assert_non_null(term_text(term, text, sizeof(text)));
    assert_true(depth <= 1000 || strstr(text, "..."));
    buffer_truncate(&output, 0);
    term_json_write(term, &output);
    buffer_append(&output, "", 1);
    assert_non_null(strstr((const char *)buffer_bytes(&output), "..."));
    buffer_free(&output);
}

static void test_deep(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(shapes); i++) {
        size_t count = i % 3 == 0 ? ARRAY_LENGTH(depths) : 2; /* the deepest take their time */
        for (size_t j = 0; j < count; j++) {
            struct term term = make(&shapes[i], depths[j], 1), other = make(&shapes[i], depths[j], 2);
            look(term, other, depths[j]);
            free((void *)term.data);
            free((void *)other.data);
        }
    }
}

/* In steps, whatever their size, it comes to the same. */
static void test_steps(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 7, 1000};
    for (size_t i = 0; i < ARRAY_LENGTH(shapes); i++) {
        struct term term = make(&shapes[i], 5000, 1);
        for (size_t j = 0; j < ARRAY_LENGTH(sizes); j++) {
            struct term_walked walked;
            struct buffer output = {0};
            size_t steps = 1;
            struct term_walk *walk = term_walk_new(term.data, term.size, NULL);
            while (!term_walk_step(walk, sizes[j], &walked))
                steps++;
            assert_int_equal(walked.problem, TERM_OK);
            assert_int_equal(walked.used, term.size);
            assert_true(walked.is_canonical && steps >= 5000 / sizes[j]);
            term_walk_free(walk);
            struct term_rewrite *rewrite = term_rewrite_new(term, NULL, &output);
            while (!term_rewrite_step(rewrite, sizes[j]))
                continue;
            assert_true(term_same(term_of(&output), term));
            term_rewrite_free(rewrite);
            buffer_free(&output);
        }
        free((void *)term.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_deep), cmocka_unit_test(test_steps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
