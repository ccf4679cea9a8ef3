/* Terms as people say them: strings without their brackets, exceptions with their message. */
#include <string.h>

#include "base/utf8.h"
#include "report_text_private.h"
#include "term/term_read.h"
#include "term/term_text.h"

/* On one line, and cut between characters; false when it is no text. */
static bool text_terms_copy(struct term term, char *text, size_t room)
{
    const uint8_t *bytes;
    size_t size, characters;
    if (!term_read_binary(term, &bytes, &size) || !utf8_count(bytes, size, &characters))
        return false;
    size = size < room - 1 ? size : room - 1;
    while (size && !utf8_count(bytes, size, &characters))
        size--;
    for (size_t i = 0; i < size; i++)
        text[i] = bytes[i] < ' ' || bytes[i] == 0x7f ? ' ' : (char)bytes[i];
    text[size] = '\0';
    return true;
}

char *report_text_term(struct term term, char *text, size_t room)
{
    return text_terms_copy(term, text, room) ? text : term_text(term, text, room);
}

/* "RuntimeError: no more", of a map that has a message, whatever its module is. */
static bool text_terms_copy_exception(struct term term, char *text, size_t room)
{
    static const char prefix[] = "Elixir.";
    char name[TERM_ATOM_BYTES + 1];
    struct term module, message;
    if (term_type(term) != TERM_MAP || !term_pairs_get(term, "__struct__", &module) ||
        !term_pairs_get(term, "message", &message) || !term_read_atom(module, name))
        return false;
    bool is_elixir = strncmp(name, prefix, strlen(prefix)) == 0;
    size_t used = strlen(name + (is_elixir ? strlen(prefix) : 0));
    if (used + 3 > room)
        return false;
    memcpy(text, name + (is_elixir ? strlen(prefix) : 0), used);
    memcpy(text + used, ": ", 3);
    return text_terms_copy(message, text + used + 2, room - used - 2);
}

char *report_text_failure(struct term failure, char *text, size_t room, struct term *stack)
{
    struct term parts[2];
    *stack = (struct term){0};
    if (term_read_tuple_of(failure, 2, parts) && term_type(parts[1]) == TERM_LIST) {
        failure = parts[0];
        *stack = parts[1];
    }
    return text_terms_copy_exception(failure, text, room) ? text : report_text_term(failure, text, room);
}
