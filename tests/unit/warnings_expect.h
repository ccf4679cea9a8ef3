/* What a test expects of the warnings of a run. */
#ifndef HARNESSD_TESTS_WARNINGS_EXPECT_H
#define HARNESSD_TESTS_WARNINGS_EXPECT_H

#include "scenario_text.h"

#include "report/warnings.h"

/* Without their messages they are these; they are freed. */
static inline void warnings_expect(struct warnings *warnings, const char *text)
{
    struct term_builder built = {0}, bare = {0};
    struct term_list list;
    struct term warning, key, value;
    struct term_pairs pairs;
    warnings_build(warnings, &built);
    term_build_list(&bare, warnings->count);
    if (warnings->count)
        assert_true(term_list_start(&list, term_built(&built)));
    while (warnings->count && term_list_next(&list, &warning)) {
        assert_true(term_pairs_start(&pairs, warning));
        term_build_map(&bare, pairs.left - 1);
        while (term_pairs_next(&pairs, &key, &value)) {
            if (term_is_atom(key, "message"))
                continue;
            term_build_term(&bare, key);
            term_build_term(&bare, value);
        }
    }
    if (warnings->count)
        term_build_nil(&bare);
    expect_term(term_built(&bare), text);
    warnings_free(warnings);
    term_build_free(&built);
    term_build_free(&bare);
}

/* The first of them has this message; they are freed. */
static inline void warnings_take_message(struct warnings *warnings, char *found, size_t room)
{
    struct term_builder built = {0};
    struct term_list list;
    struct term warning, message;
    const uint8_t *text;
    size_t size;
    warnings_build(warnings, &built);
    assert_true(term_list_start(&list, term_built(&built)) && term_list_next(&list, &warning));
    assert_true(term_pairs_get(warning, "message", &message) && term_read_binary(message, &text, &size));
    snprintf(found, room, "%.*s", (int)size, (const char *)text);
    warnings_free(warnings);
    term_build_free(&built);
}

static inline void warnings_expect_message(struct warnings *warnings, const char *wanted)
{
    char found[1000];
    warnings_take_message(warnings, found, sizeof(found));
    assert_string_equal(found, wanted);
}

#endif
