#include "term/term_parse.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/utf8.h"
#include "term/term_check.h"
#include "term/term_read.h"
#include "term_words_private.h"

#define EVALUATED "$evaluated"

/* The longest STRING_EXT. */
#define STRING_MOST UINT16_MAX

/* Of what is evaluated no more is kept. */
#define SOURCE_BYTES 300

struct parser {
    struct words words; /* behind `word` */
    struct word word;
    struct term_builder *builder;
    struct term_parse_problem *problem;
    size_t depth;
    bool failed;
};

static void parse_fail(struct parser *parser, const char *format, ...) PRINTF_LIKE(2, 3);
static void parse_value(struct parser *parser);

static void parse_fail(struct parser *parser, const char *format, ...)
{
    va_list arguments;
    if (parser->failed)
        return;
    parser->failed = true;
    parser->problem->line = parser->word.line;
    va_start(arguments, format);
    vsnprintf(parser->problem->text, sizeof(parser->problem->text), format, arguments);
    va_end(arguments);
}

static void parse_next(struct parser *parser)
{
    parser->word = words_next(&parser->words);
}

static void parse_unexpected(struct parser *parser, const char *wanted)
{
    const struct word *word = &parser->word;
    if (word->kind == WORD_END)
        parse_fail(parser, "it ends where %s is expected", wanted);
    else
        parse_fail(parser, "\"%.*s\" where %s is expected", (int)(word->size < 40 ? word->size : 40),
                   word->data, wanted);
}

static bool parse_take(struct parser *parser, const char *mark)
{
    if (!word_is(parser->word, mark))
        return false;
    parse_next(parser);
    return true;
}

/* --- Leaves --- */

/* As UTF-8, or in 32 bits each. */
static void parse_characters(struct parser *parser, struct word word, bool as_utf8, struct buffer *bytes)
{
    const char *at = word.data + 1, *end = word.data + word.size - 1;
    uint32_t character;
    while (words_take_character(&parser->words, &at, end, &character)) {
        uint8_t data[4];
        size_t size = sizeof(data);
        if (as_utf8)
            size = utf8_encode(character, data);
        else
            bytes_put32(data, character);
        buffer_append(bytes, data, size);
    }
    if (at != end)
        parse_fail(parser, "an escape that is none");
}

static void parse_atom(struct parser *parser)
{
    struct buffer name = {0};
    if (parser->word.kind == WORD_QUOTED)
        parse_characters(parser, parser->word, true, &name);
    else
        buffer_append(&name, parser->word.data, parser->word.size);
    if (name.size && memchr(buffer_bytes(&name), 0, name.size))
        parse_fail(parser, "an atom with a NUL in it");
    buffer_append(&name, "", 1);
    if (!parser->failed)
        term_build_atom(parser->builder, (const char *)buffer_bytes(&name));
    buffer_free(&name);
    parse_next(parser);
}

static void parse_number(struct parser *parser, bool is_negative)
{
    char text[66], digits[64], *end = digits;
    const struct word word = parser->word;
    size_t used = 0;
    for (size_t i = 0; i < word.size && used + 2 < sizeof(digits); i++)
        if (word.data[i] != '_')
            digits[used++] = word.data[i];
    digits[used] = '\0';
    const char *hash = strchr(digits, '#');
    long base = hash ? strtol(digits, &end, 10) : 10;
    bool has_base = hash && end == hash && base >= 2 && base <= 36;
    snprintf(text, sizeof(text), "%s%s", is_negative ? "-" : "", hash ? hash + 1 : digits);
    bool is_plain = strspn(hash ? hash + 1 : digits, "+-") == 0;
    errno = 0;
    if (!hash && strchr(digits, '.'))
        term_build_float(parser->builder, strtod(text, &end));
    else
        term_build_integer(parser->builder, strtoll(text, &end, hash ? (int)base : 10));
    if (errno || *end || end == text || !is_plain || (hash && !has_base) || word.size >= sizeof(digits) - 2)
        parse_fail(parser, "%.*s is no number that can be read here", (int)(word.size < 40 ? word.size : 40),
                   word.data);
    parse_next(parser);
}

static void parse_character(struct parser *parser)
{
    const char *at = parser->word.data + 1;
    uint32_t character = 0;
    if (!words_take_character(&parser->words, &at, parser->word.data + parser->word.size, &character))
        parse_fail(parser, "an escape that is none");
    term_build_integer(parser->builder, character);
    parse_next(parser);
}

/* Characters of 32 bits each as a list, short where they are bytes. */
static void parse_build_string(struct parser *parser, const struct buffer *characters)
{
    const uint8_t *data = buffer_bytes(characters);
    size_t count = characters->size / 4;
    bool is_short = count <= STRING_MOST;
    for (size_t i = 0; i < count && is_short; i++)
        is_short = bytes_get32(data + 4 * i) <= UINT8_MAX;
    if (!is_short || !count) {
        term_build_list(parser->builder, count);
        for (size_t i = 0; i < count; i++)
            term_build_integer(parser->builder, bytes_get32(data + 4 * i));
        if (count)
            term_build_nil(parser->builder);
        return;
    }
    uint8_t head[3] = {TERM_TAG_STRING};
    bytes_put16(head + 1, (uint16_t)count);
    buffer_append(&parser->builder->bytes, head, sizeof(head));
    for (size_t i = 0; i < count; i++)
        buffer_append(&parser->builder->bytes, data + 4 * i + 3, 1);
}

/* Strings beside one another are one. */
static void parse_string(struct parser *parser)
{
    struct buffer characters = {0};
    for (; parser->word.kind == WORD_STRING; parse_next(parser))
        parse_characters(parser, parser->word, false, &characters);
    if (!parser->failed)
        parse_build_string(parser, &characters);
    buffer_free(&characters);
}

/* One part of a binary: a byte, or a string, whose characters are bytes unless it says otherwise. */
static void parse_segment(struct parser *parser, struct buffer *bytes)
{
    struct word word = parser->word;
    struct buffer characters = {0};
    if (word.kind != WORD_STRING && word.kind != WORD_NUMBER) {
        parse_unexpected(parser, "a byte or a string");
        return;
    }
    parse_next(parser);
    bool is_utf8 = word_is(parser->word, "/");
    if (is_utf8) {
        parse_next(parser);
        if (!parse_take(parser, "utf8"))
            parse_unexpected(parser, "utf8");
    }
    if (word.kind == WORD_NUMBER) {
        uint8_t byte = (uint8_t)strtoul(word.data, NULL, 10);
        buffer_append(bytes, &byte, 1);
        return;
    }
    parse_characters(parser, word, is_utf8, is_utf8 ? bytes : &characters);
    for (size_t i = 0; i < characters.size; i += 4)
        buffer_append(bytes, buffer_bytes(&characters) + i + 3, 1);
    buffer_free(&characters);
}

static void parse_binary(struct parser *parser)
{
    struct buffer bytes = {0};
    parse_next(parser);
    while (!parser->failed && !word_is(parser->word, ">>")) {
        parse_segment(parser, &bytes);
        if (!parse_take(parser, ",") && !word_is(parser->word, ">>"))
            parse_unexpected(parser, ">>");
    }
    if (!parser->failed)
        term_build_binary(parser->builder, bytes.size ? buffer_bytes(&bytes) : (const uint8_t *)"",
                          bytes.size);
    buffer_free(&bytes);
    parse_next(parser);
}

/* --- What has others inside --- */

/* A head with a count of 32 bits that is set when it is known. */
static size_t parse_begin(struct parser *parser, enum term_tag tag)
{
    const size_t at = parser->builder->bytes.size;
    const uint8_t head[5] = {(uint8_t)tag};
    buffer_append(&parser->builder->bytes, head, sizeof(head));
    return at;
}

static void parse_end(struct parser *parser, size_t at, uint32_t count)
{
    bytes_put32(buffer_bytes(&parser->builder->bytes) + at + 1, count);
}

static void parse_tuple(struct parser *parser)
{
    size_t at = parse_begin(parser, TERM_TAG_LARGE_TUPLE);
    uint32_t count = 0;
    parse_next(parser);
    while (!parser->failed && !parse_take(parser, "}")) {
        if (count++ && !parse_take(parser, ","))
            parse_unexpected(parser, "}");
        parse_value(parser);
    }
    parse_end(parser, at, count);
}

static void parse_list(struct parser *parser)
{
    parse_next(parser);
    if (parse_take(parser, "]")) {
        term_build_nil(parser->builder);
        return;
    }
    size_t at = parse_begin(parser, TERM_TAG_LIST);
    uint32_t count = 0;
    do {
        parse_value(parser);
        count++;
    } while (!parser->failed && parse_take(parser, ","));
    if (parse_take(parser, "|"))
        parse_value(parser);
    else
        term_build_nil(parser->builder);
    if (!parser->failed && !parse_take(parser, "]"))
        parse_unexpected(parser, "]");
    parse_end(parser, at, count);
}

static void parse_map(struct parser *parser)
{
    size_t at = parse_begin(parser, TERM_TAG_MAP);
    uint32_t count = 0;
    parse_next(parser);
    parse_next(parser);
    while (!parser->failed && !parse_take(parser, "}")) {
        if (count++ && !parse_take(parser, ","))
            parse_unexpected(parser, "}");
        parse_value(parser);
        if (!parser->failed && !parse_take(parser, "=>"))
            parse_unexpected(parser, "=>");
        parse_value(parser);
    }
    parse_end(parser, at, count);
}

/* --- What would have to be evaluated --- */

/* A part of an expression: how many ends it opens, less those that it is. */
static int parse_opens(struct word word, struct word next)
{
    static const char *const openers[] = {"(",    "[",  "{",       "<<",  "begin",
                                          "case", "if", "receive", "try", "maybe"};
    static const char *const closers[] = {")", "]", "}", ">>", "end"};
    for (size_t i = 0; i < ARRAY_LENGTH(openers); i++)
        if (word_is(word, openers[i]))
            return 1;
    for (size_t i = 0; i < ARRAY_LENGTH(closers); i++)
        if (word_is(word, closers[i]))
            return -1;
    return word_is(word, "fun") && (word_is(next, "(") || next.kind == WORD_VARIABLE);
}

static bool parse_is_behind(struct word word)
{
    static const char *const behind[] = {",", "]", "}", ")", "|", "=>", ">>"};
    for (size_t i = 0; i < ARRAY_LENGTH(behind); i++)
        if (word_is(word, behind[i]))
            return true;
    return word.kind == WORD_STOP || word.kind == WORD_END || word.kind == WORD_BROKEN;
}

static bool parse_is_wordy(struct word word)
{
    return word.kind == WORD_ATOM || word.kind == WORD_VARIABLE || word.kind == WORD_NUMBER;
}

static void parse_evaluated(struct parser *parser)
{
    struct buffer source = {0};
    int depth = 0;
    bool was_wordy = false;
    while (parser->word.kind != WORD_END && parser->word.kind != WORD_BROKEN &&
           (depth > 0 || !parse_is_behind(parser->word))) {
        struct word word = parser->word;
        if (was_wordy && parse_is_wordy(word))
            buffer_append(&source, " ", 1);
        if (source.size < SOURCE_BYTES)
            buffer_append(&source, word.data, word.size);
        was_wordy = parse_is_wordy(word);
        parse_next(parser);
        depth += parse_opens(word, parser->word);
    }
    if (depth || !source.size)
        parse_unexpected(parser, depth ? "the end of an expression" : "a term");
    if (!parser->failed) {
        term_build_tuple(parser->builder, 2);
        term_build_atom(parser->builder, EVALUATED);
        term_build_binary(parser->builder, buffer_bytes(&source),
                          source.size < SOURCE_BYTES ? source.size : SOURCE_BYTES);
    }
    buffer_free(&source);
}

/* --- A value --- */

static bool parse_literal(struct parser *parser)
{
    struct words words = parser->words;
    bool is_negative = word_is(parser->word, "-");
    switch (parser->word.kind) {
    case WORD_ATOM:
    case WORD_QUOTED:
        parse_atom(parser);
        return true;
    case WORD_NUMBER:
        parse_number(parser, false);
        return true;
    case WORD_CHARACTER:
        parse_character(parser);
        return true;
    case WORD_STRING:
        parse_string(parser);
        return true;
    default:
        break;
    }
    if (is_negative && words_next(&words).kind == WORD_NUMBER) {
        parse_next(parser);
        parse_number(parser, true);
    } else if (word_is(parser->word, "{")) {
        parse_tuple(parser);
    } else if (word_is(parser->word, "[")) {
        parse_list(parser);
    } else if (word_is(parser->word, "<<")) {
        parse_binary(parser);
    } else if (word_is(parser->word, "#") && word_is(words_next(&words), "{")) {
        parse_map(parser);
    } else {
        return false;
    }
    return true;
}

/* What does not end where a literal does is an expression that begins like one: a call, a string with another
 * behind an operator. */
static void parse_value(struct parser *parser)
{
    const struct words words = parser->words;
    const struct word word = parser->word;
    const size_t at = parser->builder->bytes.size;
    if (parser->failed)
        return;
    if (++parser->depth > TERM_PARSE_DEPTH) {
        parse_fail(parser, "it is more than %d deep", TERM_PARSE_DEPTH);
        return;
    }
    bool is_literal = !word_is(word, "fun") && parse_literal(parser);
    parser->depth--;
    if (parser->failed || (is_literal && parse_is_behind(parser->word)))
        return;
    parser->words = words;
    parser->word = word;
    buffer_truncate(&parser->builder->bytes, at);
    parse_evaluated(parser);
}

/* As nodes write it, where a list whose tail is a list is one. What they refuse is a map with a key twice. */
static void parse_settle(struct parser *parser, size_t at)
{
    struct buffer *bytes = &parser->builder->bytes, settled = {0};
    const struct term term = {buffer_bytes(bytes) + at, bytes->size - at};
    size_t used;
    bool is_canonical;
    if (term_check(term.data, term.size, &term_no_limits, &used, &is_canonical) != TERM_OK) {
        parse_fail(parser, "it has a map with a key twice");
    } else if (!is_canonical) {
        term_canonical_with_atoms(term, NULL, &settled);
        buffer_truncate(bytes, at);
        buffer_append(bytes, buffer_bytes(&settled), settled.size);
        buffer_free(&settled);
    }
}

bool term_parse(const char *text, size_t size, struct term_builder *builder,
                struct term_parse_problem *problem)
{
    struct parser parser = {.builder = builder, .problem = problem};
    const size_t at = builder->bytes.size;
    struct term term;
    words_start(&parser.words, text, size);
    parse_next(&parser);
    parse_value(&parser);
    if (!parser.failed && parser.word.kind != WORD_STOP)
        parse_unexpected(&parser, "a full stop");
    if (!parser.failed)
        parse_next(&parser);
    if (!parser.failed && parser.word.kind != WORD_END)
        parse_fail(&parser, "there is more behind the full stop");
    if (!parser.failed && !term_build_done(builder, &term))
        parse_fail(&parser, "it has an atom that is none, or is too large");
    if (!parser.failed)
        parse_settle(&parser, at);
    return !parser.failed;
}

bool term_parse_is_evaluated(struct term term, const uint8_t **source, size_t *size)
{
    struct term elements[2];
    return term_read_tuple_of(term, 2, elements) && term_is_atom(elements[0], EVALUATED) &&
           term_read_binary(elements[1], source, size);
}
