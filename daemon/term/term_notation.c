#include "term/term_notation.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

static void notation_append(struct buffer *output, const char *text)
{
    buffer_append(output, text, strlen(text));
}

static bool notation_is_word_character(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '@';
}

static size_t notation_word_length(const char *word)
{
    size_t size = 0;
    while (notation_is_word_character(word[size]))
        size++;
    return size;
}

/* What an atom may be without quotes; it may end in a question mark or an exclamation mark. */
static bool notation_is_plain_atom(const char *name, size_t size)
{
    size_t length = notation_word_length(name);
    if (!islower((unsigned char)*name) && *name != '_')
        return false;
    return length == size || (length + 1 == size && (name[length] == '?' || name[length] == '!'));
}

/* The length of `=>` or `:=` behind a key with the spaces around it; 0 when there is none. */
static size_t notation_arrow_length(const char *text)
{
    size_t before = strspn(text, " ");
    if (strncmp(text + before, "=>", 2) != 0 && strncmp(text + before, ":=", 2) != 0)
        return 0;
    return before + 2 + strspn(text + before + 2, " ");
}

/* An atom, or a key of a map, of `size` bytes; what stands behind it begins at `behind`. Gives how many bytes
 * of that belong to it. */
static size_t notation_append_atom(const char *name, size_t size, const char *behind, struct buffer *output)
{
    static const char *const same[] = {"true", "false", "nil"};
    size_t arrow = notation_arrow_length(behind);
    bool is_plain = notation_is_plain_atom(name, size);
    for (size_t i = 0; !arrow && i < sizeof(same) / sizeof(*same); i++) {
        if (strlen(same[i]) == size && strncmp(same[i], name, size) == 0) {
            notation_append(output, same[i]);
            return 0;
        }
    }
    notation_append(output, arrow ? "" : ":");
    notation_append(output, is_plain ? "" : "\"");
    buffer_append(output, name, size);
    notation_append(output, is_plain ? "" : "\"");
    notation_append(output, arrow ? ": " : "");
    return arrow;
}

/* RunId becomes run_id. */
static void notation_append_variable(const char *name, size_t size, struct buffer *output)
{
    for (size_t i = 0; i < size; i++) {
        char lower = (char)tolower((unsigned char)name[i]);
        if (i && isupper((unsigned char)name[i]))
            notation_append(output, "_");
        buffer_append(output, &lower, 1);
    }
}

/* A word that begins with a letter; what is left behind it. */
static const char *notation_append_word(const char *word, struct buffer *output)
{
    size_t size = notation_word_length(word);
    const char *behind = word + size;
    if (isupper((unsigned char)*word)) {
        notation_append_variable(word, size, output);
        return behind;
    }
    if (*behind == '(') {
        buffer_append(output, word, size);
        return behind;
    }
    return behind + notation_append_atom(word, size, behind, output);
}

void term_notation_elixir(const char *erlang, struct buffer *output)
{
    const char *at = erlang;
    while (*at) {
        const char *end = *at == '\'' || *at == '"' ? strchr(at + 1, *at) : NULL;
        if (end && *at == '"') {
            buffer_append(output, at, (size_t)(end + 1 - at));
            at = end + 1;
        } else if (end) {
            at = end + 1 + notation_append_atom(at + 1, (size_t)(end - at - 1), end + 1, output);
        } else if (isalpha((unsigned char)*at)) {
            at = notation_append_word(at, output);
        } else if (isdigit((unsigned char)*at)) {
            size_t size = notation_word_length(at);
            buffer_append(output, at, size);
            at += size;
        } else {
            notation_append(output, at[0] == '#' && at[1] == '{' ? "%" : (const char[]){*at, '\0'});
            at++;
        }
    }
}

static void notation_append_code(const char *code, size_t size, struct buffer *output)
{
    struct buffer span = {0};
    buffer_append(&span, code, size);
    buffer_append(&span, "", 1);
    if (memchr(code, '{', size) || memchr(code, '[', size))
        term_notation_elixir((const char *)buffer_bytes(&span), output);
    else
        buffer_append(output, code, size);
    buffer_free(&span);
}

void term_notation_prose(const char *prose, struct buffer *output)
{
    while (*prose) {
        const char *code = strchrnul(prose, '`');
        buffer_append(output, prose, (size_t)(code - prose));
        if (!*code)
            return;
        const char *end = strchrnul(code + 1, '`');
        notation_append_code(code + 1, (size_t)(end - code - 1), output);
        prose = *end ? end + 1 : end;
    }
}
