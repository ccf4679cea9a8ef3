#include "term_words_private.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"

/* The longest first. */
static const char *const marks[] = {"=:=", "=/=", "<<", ">>", "=>", ":=", "->", "<-", "||",
                                    "++",  "--",  "==", "/=", "=<", ">=", "::", ".."};

#define MARK_COUNT (sizeof(marks) / sizeof(marks[0]))

/* `coding`, a colon or an equals sign, the name: as epp:read_encoding/1 looks for it. */
static bool words_says_utf8(const char *line, size_t size)
{
    const char *end = line + size;
    const char *word = memmem(line, size, "coding", 6);
    if (!word || word + 7 > end || (word[6] != ':' && word[6] != '='))
        return false;
    for (word += 7; word < end && (*word == ' ' || *word == '\t'); word++)
        ;
    return end - word >= 5 && strncasecmp(word, "utf-8", 5) == 0;
}

void words_start(struct words *words, const char *text, size_t size)
{
    *words = (struct words){.next = text, .end = text + size, .line = 1};
    for (int i = 0; i < 2 && size; i++) {
        const char *newline = memchr(text, '\n', size);
        size_t length = newline ? (size_t)(newline - text) : size;
        const char *comment = memchr(text, '%', length);
        words->is_utf8 |= comment && words_says_utf8(comment, length - (size_t)(comment - text));
        text += newline ? length + 1 : length;
        size -= newline ? length + 1 : length;
    }
}

static void words_skip_blanks(struct words *words)
{
    while (words->next < words->end) {
        unsigned char c = (unsigned char)*words->next;
        if (c == '%')
            while (words->next < words->end && *words->next != '\n')
                words->next++;
        else if (c > ' ' && c != 0xa0)
            return;
        else
            words->line += *words->next++ == '\n';
    }
}

static bool words_is_letter(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '@' || (unsigned char)c >= 0xc0;
}

static const char *words_behind_letters(const struct words *words, const char *at)
{
    while (at < words->end && words_is_letter(*at))
        at++;
    return at;
}

/* Digits, `16#ff`, `1.5e-3`. A point is one of the number only in front of a digit. */
static const char *words_behind_number(const struct words *words, const char *at)
{
    at = words_behind_letters(words, at);
    if (at < words->end && *at == '#')
        return words_behind_letters(words, at + 1);
    if (words->end - at < 2 || *at != '.' || !isdigit((unsigned char)at[1]))
        return at;
    at = words_behind_letters(words, at + 1);
    if (at < words->end && (*at == '-' || *at == '+') && (at[-1] == 'e' || at[-1] == 'E'))
        at = words_behind_letters(words, at + 1);
    return at;
}

/* NULL when it does not end. */
static const char *words_behind_quote(struct words *words, const char *at)
{
    const char quote = *at++;
    for (; at < words->end; at++) {
        words->line += *at == '\n';
        if (*at == quote)
            return at + 1;
        if (*at == '\\' && ++at == words->end)
            break;
    }
    return NULL;
}

static size_t words_mark_size(const struct words *words)
{
    const size_t left = (size_t)(words->end - words->next);
    for (size_t i = 0; i < MARK_COUNT; i++)
        if (strlen(marks[i]) <= left && memcmp(marks[i], words->next, strlen(marks[i])) == 0)
            return strlen(marks[i]);
    return 1;
}

static bool words_is_stop(const struct words *words)
{
    const char *behind = words->next + 1;
    return *words->next == '.' && (behind == words->end || (unsigned char)*behind <= ' ' || *behind == '%');
}

static struct word words_end(struct words *words, enum word_kind kind, const char *end)
{
    struct word word = {.kind = end ? kind : WORD_BROKEN, .data = words->next, .line = words->line};
    word.size = (size_t)((end ? end : words->end) - words->next);
    words->next += word.size;
    return word;
}

static struct word words_take_dollar(struct words *words)
{
    const char *at = words->next + 1;
    uint32_t character;
    bool is_one = words_take_character(words, &at, words->end, &character);
    return words_end(words, WORD_CHARACTER, is_one ? at : NULL);
}

struct word words_next(struct words *words)
{
    words_skip_blanks(words);
    const size_t line = words->line;
    const char *at = words->next;
    struct word word;
    if (at == words->end)
        word = words_end(words, WORD_END, at);
    else if (isdigit((unsigned char)*at))
        word = words_end(words, WORD_NUMBER, words_behind_number(words, at));
    else if (isupper((unsigned char)*at) || *at == '_')
        word = words_end(words, WORD_VARIABLE, words_behind_letters(words, at));
    else if (words_is_letter(*at) && *at != '@')
        word = words_end(words, WORD_ATOM, words_behind_letters(words, at));
    else if (*at == '\'' || *at == '"')
        word = words_end(words, *at == '"' ? WORD_STRING : WORD_QUOTED, words_behind_quote(words, at));
    else if (*at == '$')
        word = words_take_dollar(words);
    else if (words_is_stop(words))
        word = words_end(words, WORD_STOP, at + 1);
    else
        word = words_end(words, WORD_MARK, at + words_mark_size(words));
    word.line = line;
    return word;
}

bool word_is(struct word word, const char *text)
{
    return (word.kind == WORD_MARK || word.kind == WORD_ATOM) && word.size == strlen(text) &&
           memcmp(word.data, text, word.size) == 0;
}

/* --- Characters --- */

static bool words_take_digits(const char **at, const char *end, int base, int most, uint32_t *character)
{
    uint32_t value = 0;
    int taken = 0;
    for (; *at < end && taken < most && isxdigit((unsigned char)**at); taken++, (*at)++) {
        int digit = isdigit((unsigned char)**at) ? **at - '0' : tolower((unsigned char)**at) - 'a' + 10;
        if (digit >= base)
            break;
        value = value * (uint32_t)base + (uint32_t)digit;
    }
    *character = value;
    bool is_surrogate = value >= 0xd800 && value < 0xe000;
    return taken > 0 && value <= 0x10ffff && !is_surrogate;
}

static bool words_take_hex(const char **at, const char *end, uint32_t *character)
{
    if (*at == end || **at != '{')
        return end - *at >= 2 && words_take_digits(at, end, 16, 2, character);
    (*at)++;
    return words_take_digits(at, end, 16, 6, character) && *at < end && *(*at)++ == '}';
}

/* Behind a backslash. */
static bool words_take_escape(const char **at, const char *end, uint32_t *character)
{
    static const char letters[] = "bdefnrstv", values[] = "\b\177\033\f\n\r \t\v";
    if (*at == end)
        return false;
    const char c = **at;
    const char *known = c ? strchr(letters, c) : NULL;
    if (c >= '0' && c <= '7')
        return words_take_digits(at, end, 8, 3, character);
    (*at)++;
    if (c == 'x')
        return words_take_hex(at, end, character);
    if (c == '^') {
        if (*at == end)
            return false;
        *character = (uint32_t)(unsigned char)*(*at)++ & 31;
        return true;
    }
    *character = (unsigned char)(known ? values[known - letters] : c);
    return (unsigned char)c < 0x80;
}

/* What is no UTF-8 is taken for Latin-1. */
static uint32_t words_take_utf8(const char **at, const char *end)
{
    uint32_t character = (unsigned char)**at;
    size_t size = utf8_decode((const uint8_t *)*at, (size_t)(end - *at), &character);
    *at += size ? size : 1;
    return character;
}

bool words_take_character(const struct words *words, const char **at, const char *end, uint32_t *character)
{
    if (*at >= end)
        return false;
    if (**at == '\\') {
        (*at)++;
        return words_take_escape(at, end, character);
    }
    *character = words->is_utf8 ? words_take_utf8(at, end) : (unsigned char)*(*at)++;
    return true;
}
