/* Terms from text, for tests that read or write terms. */
#ifndef HARNESSD_TESTS_TERM_FROM_TEXT_H
#define HARNESSD_TESTS_TERM_FROM_TEXT_H

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
#include "term/term_build.h"
#include "term/term_check.h"
#include "term/term_read.h"
#include "term/term_text.h"

/* The node of $o, the daemon's own. */
#define OWN "harness@own"

/* Erlang's syntax, as far as the tests need it: atoms, 'atoms', integers, floats, tuples, lists, maps,
 * "strings" (STRING_EXT), <<"binaries">>, $p, $q and $a to $d (pids of app@target), $o (a pid of the daemon's
 * own node), $r and $s (references of app@target), $0 to $9 (fun m:f of that arity), $l (a local fun of arity
 * 2 of the module m), $x (a binary of 300 KB). */

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

static inline void build_long_binary(struct term_builder *builder)
{
    size_t size = 300 * 1024;
    uint8_t *bytes = memory_zalloc(size, 1);
    term_build_binary(builder, bytes, size);
    free(bytes);
}

static inline void parse_special(const char **text, struct term_builder *builder)
{
    char kind = *(*text)++;
    bool is_letter = kind >= 'a' && kind <= 'd';
    struct term_pid pid = {.id = is_letter     ? 10 + (uint32_t)(kind - 'a')
                                 : kind == 'q' ? 6
                                               : 5,
                           .creation = 7};
    const uint32_t words[] = {(uint32_t)kind, 2, 3};
    snprintf(pid.node, sizeof(pid.node), "%s", kind == 'o' ? OWN : "app@target");
    if (isdigit((unsigned char)kind)) {
        buffer_append(&builder->bytes, "q", 1);
        term_build_atom(builder, "m");
        term_build_atom(builder, "f");
        term_build_integer(builder, kind - '0');
    } else if (kind == 'x') {
        build_long_binary(builder);
    } else if (kind == 'l') {
        build_local_fun(builder, &pid);
    } else if (kind == 'r' || kind == 's') {
        term_build_reference(builder, pid.node, pid.creation, words, ARRAY_LENGTH(words));
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

static inline struct term term_from_text(struct term_builder *builder, const char *text)
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
    if (!term_same(term, term_from_text(&builder, text)))
        fail_msg("%s instead of %s", term_text(term, found, sizeof(found)), text);
    term_build_free(&builder);
}

#endif
