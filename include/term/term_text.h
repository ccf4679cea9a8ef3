/* Terms as text for people, in Erlang's syntax: `{add,1}`, `#{key => <<"text">>}`, `<app@host.8.0>`;
 * exceptions of Elixir's as they are printed there: `** (ArgumentError) no such key`. */
#ifndef HARNESSD_TERM_TERM_TEXT_H
#define HARNESSD_TERM_TERM_TEXT_H

#include "term/term_long.h"

/* Writes at most `size` bytes with the NUL; what does not fit is cut and ends in "...". Strings of printable
 * characters are written as "text" (STRING_EXT) and <<"text">> (binaries). Nesting beyond 1,000 levels and
 * lists beyond 100 elements are shortened to "...", and so is what is behind much that is left out. `text` is
 * returned. */
char *term_text(struct term term, char *text, size_t size);
char *term_long_text(const struct term_long *term, char *text, size_t size);

#endif
