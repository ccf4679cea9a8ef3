/* Scenarios from text, for the tests of scenario_term: reading what has no problems, and naming those of what
 * has.
 */
#ifndef HARNESSD_TESTS_SCENARIO_TEXT_H
#define HARNESSD_TESTS_SCENARIO_TEXT_H

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "run/scenario_term.h"
#include "term/term_check.h"
#include "term/term_read.h"
#include "term/term_text.h"

#define CALLER "app@caller"
#define OWN "harness@own"

/* --- Terms from text ---
 * Erlang's syntax, as far as the tests need it: atoms, 'atoms', integers, floats, tuples, lists, maps,
 * "strings" (STRING_EXT), <<"binaries">>, $p (a pid of app@target), $o (a pid of the daemon's own node), $0
 * to $9 (fun m:f of that arity), $l (a local fun of arity 2 of the module m). */

static inline void parse(const char **text, struct term_builder *builder);

static inline bool skip_to(const char **text, char wanted)
{
    *text += strspn(*text, " \n");
    if (**text != wanted)
        return false;
    (*text)++;
    return true;
}

static inline void expect_char(const char **text, char wanted)
{
    if (!skip_to(text, wanted))
        fail_msg("no %c at '%s'", wanted, *text);
}

/* Elements up to `end`, `|` in front of a tail; how many there are. */
static inline size_t parse_elements(const char **text, struct term_builder *builder, char end, bool *tail)
{
    size_t count = 0;
    *tail = false;
    while (!skip_to(text, end)) {
        if (count && !skip_to(text, ',')) {
            expect_char(text, '|');
            *tail = true;
        }
        parse(text, builder);
        count++;
        if (end == '}' && skip_to(text, '=')) {
            expect_char(text, '>');
            parse(text, builder);
        }
    }
    return count;
}

static inline void parse_container(const char **text, struct term_builder *builder, char begin, char end)
{
    struct term_builder elements = {0};
    bool tail;
    size_t count = parse_elements(text, &elements, end, &tail);
    if (begin == '#')
        term_build_map(builder, count);
    else if (begin == '{')
        term_build_tuple(builder, count);
    else
        term_build_list(builder, count - tail);
    buffer_append(&builder->bytes, buffer_bytes(&elements.bytes), elements.bytes.size);
    if (begin == '[' && count && !tail)
        term_build_nil(builder);
    term_build_free(&elements);
}

/* NEW_FUN_EXT: size, arity 2, digest, index 3, one free variable, module, old index, old uniq, pid, variable.
 */
static inline void build_local_fun(struct term_builder *builder, const struct term_pid *pid)
{
    struct term_builder rest = {0};
    uint8_t head[30] = {TERM_TAG_NEW_FUN, 0, 0, 0, 0, 2, [25] = 3, [29] = 1};
    term_build_atom(&rest, "m");
    term_build_integer(&rest, 3);
    term_build_integer(&rest, 1234567);
    term_build_pid(&rest, pid);
    term_build_atom(&rest, "variable");
    head[4] = (uint8_t)(sizeof(head) - 1 + rest.bytes.size); /* all but the tag */
    buffer_append(&builder->bytes, head, sizeof(head));
    buffer_append(&builder->bytes, buffer_bytes(&rest.bytes), rest.bytes.size);
    term_build_free(&rest);
}

static inline void parse_special(const char **text, struct term_builder *builder)
{
    struct term_pid pid = {.id = 5, .creation = 7};
    char kind = *(*text)++;
    snprintf(pid.node, sizeof(pid.node), "%s", kind == 'o' ? OWN : "app@target");
    if (isdigit((unsigned char)kind)) {
        buffer_append(&builder->bytes, "q", 1);
        term_build_atom(builder, "m");
        term_build_atom(builder, "f");
        term_build_integer(builder, kind - '0');
    } else if (kind == 'l') {
        build_local_fun(builder, &pid);
    } else {
        term_build_pid(builder, &pid);
    }
}

/* What is between quotes; escapes are octal numbers of three digits. */
static inline size_t parse_quoted(const char **text, char quote, char content[300])
{
    size_t size = 0;
    while (**text != quote) {
        if (**text == '\\') {
            content[size++] = (char)(((*text)[1] - '0') * 64 + ((*text)[2] - '0') * 8 + ((*text)[3] - '0'));
            *text += 4;
        } else {
            content[size++] = *(*text)++;
        }
        assert_true(size < 300);
    }
    (*text)++;
    content[size] = '\0';
    return size;
}

static inline void parse_word(const char **text, struct term_builder *builder)
{
    char content[300];
    size_t size = strspn(*text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789?@");
    if (isdigit((unsigned char)**text) || **text == '-') {
        char *end;
        long long integer = strtoll(*text, &end, 10);
        if (*end == '.')
            term_build_float(builder, strtod(*text, &end));
        else
            term_build_integer(builder, integer);
        *text = end;
        return;
    }
    if (!size)
        fail_msg("no term at '%s'", *text);
    snprintf(content, sizeof(content), "%.*s", (int)size, *text);
    term_build_atom(builder, content);
    *text += size;
}

static inline void parse_string(const char **text, struct term_builder *builder)
{
    char content[300];
    size_t size = parse_quoted(text, '"', content);
    const uint8_t header[] = {TERM_TAG_STRING, (uint8_t)(size >> 8), (uint8_t)size};
    buffer_append(&builder->bytes, header, sizeof(header));
    buffer_append(&builder->bytes, content, size);
}

static inline void parse(const char **text, struct term_builder *builder)
{
    char content[300];
    if (skip_to(text, '#')) {
        expect_char(text, '{');
        parse_container(text, builder, '#', '}');
    } else if (skip_to(text, '{')) {
        parse_container(text, builder, '{', '}');
    } else if (skip_to(text, '[')) {
        parse_container(text, builder, '[', ']');
    } else if (skip_to(text, '"')) {
        parse_string(text, builder);
    } else if (skip_to(text, '\'')) {
        parse_quoted(text, '\'', content);
        term_build_atom(builder, content);
    } else if (skip_to(text, '<')) {
        *text += strlen("<\"");
        term_build_binary(builder, content, parse_quoted(text, '"', content));
        *text += strlen(">>");
    } else if (skip_to(text, '$')) {
        parse_special(text, builder);
    } else {
        parse_word(text, builder);
    }
}

static inline struct term term_of(struct term_builder *builder, const char *text)
{
    const struct term_limits limits = {.depth = 100, .count = 100000};
    struct term term;
    size_t used;
    bool canonical;
    term_build_reset(builder);
    parse(&text, builder);
    assert_string_equal(text, "");
    assert_true(term_build_done(builder, &term));
    assert_int_equal(term_check(term.data, term.size, &limits, &used, &canonical), TERM_OK);
    assert_true(used == term.size && canonical);
    return term;
}

static inline void expect_term(struct term term, const char *text)
{
    struct term_builder builder = {0};
    char found[300];
    if (!term_same(term, term_of(&builder, text)))
        fail_msg("%s instead of %s", term_text(term, found, sizeof(found)), text);
    term_build_free(&builder);
}

/* --- Reading --- */

/* Reads a copy that is gone before the scenario is looked at. */
static inline struct scenario *read_term(struct term term, struct problems *problems)
{
    uint8_t *copy = memory_copy(term.data, term.size);
    *problems = (struct problems){0};
    const struct scenario_origin origin = {.caller_node = CALLER, .own_node = OWN};
    struct scenario *scenario = scenario_term_read((struct term){copy, term.size}, &origin, problems);
    free(copy);
    assert_int_equal(scenario == NULL, problems->count > 0);
    assert_int_equal(problems->depth, 0);
    return scenario;
}

/* A scenario without problems. Its normalised form reads back the same. */
static inline struct scenario *read_good(const char *text)
{
    struct term_builder builder = {0}, forms[2] = {0};
    struct problems problems;
    struct term term;
    char found[1000];
    struct scenario *scenario = read_term(term_of(&builder, text), &problems);
    if (!scenario) {
        assert_true(term_build_done(&problems.list, &term));
        fail_msg("%s: %s", text, term_text(term, found, sizeof(found)));
    }
    problems_free(&problems);
    scenario_term_build(scenario, &forms[0]);
    assert_true(term_build_done(&forms[0], &term));
    struct scenario *again = read_term(term, &problems);
    if (!again)
        fail_msg("%s: its normalised form %s cannot be read", text, term_text(term, found, sizeof(found)));
    scenario_term_build(again, &forms[1]);
    assert_true(term_build_done(&forms[1], &term));
    assert_int_equal(term.size, forms[0].bytes.size);
    assert_memory_equal(term.data, buffer_bytes(&forms[0].bytes), term.size);
    for (size_t i = 0; i < scenario->target_count; i++) {
        assert_int_equal(again->targets[i].kind, scenario->targets[i].kind);
        assert_string_equal(again->targets[i].node, scenario->targets[i].node);
    }
    scenario_free(again);
    problems_free(&problems);
    term_build_free(&builder);
    term_build_free(&forms[0]);
    term_build_free(&forms[1]);
    return scenario;
}

/* The problems as text; each of `expected` is there, and there are no more. */
static inline void expect_problems(const char *text, size_t count, const char *const *expected)
{
    struct term_builder builder = {0}, listed = {0};
    struct problems problems;
    struct term term;
    static char found[8000];
    struct scenario *scenario = read_term(term_of(&builder, text), &problems);
    if (scenario)
        fail_msg("%s passes", text);
    problems_build(&problems, &listed);
    assert_true(term_build_done(&listed, &term));
    term_text(term, found, sizeof(found));
    if (problems.count != count)
        fail_msg("%s: %zu problems: %s", text, problems.count, found);
    for (size_t i = 0; i < count; i++)
        if (!strstr(found, expected[i]))
            fail_msg("%s: no '%s' in %s", text, expected[i], found);
    problems_free(&problems);
    term_build_free(&builder);
    term_build_free(&listed);
}

#define PROBLEM(path, kind, message) "#{path => [" path "],problem => " kind ",message => <<\"" message
#define EXPECT_PROBLEMS(text, ...)                                                                           \
    expect_problems(text, ARRAY_LENGTH(((const char *const[]){__VA_ARGS__})),                                \
                    (const char *const[]){__VA_ARGS__})

#endif
