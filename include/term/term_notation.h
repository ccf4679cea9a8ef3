/* Shapes and types of terms as people write them. Tables have them in Erlang's notation:
 * `{ok, Report} | {error, Reason}`, `pos_integer()`, `'$seq'`, `#{threads => pos_integer()}`. */
#ifndef HARNESSD_TERM_TERM_NOTATION_H
#define HARNESSD_TERM_TERM_NOTATION_H

#include "base/buffer.h"

/* Appends what Elixir writes for it: `{:ok, report} | {:error, reason}`, `pos_integer()`, `:"$seq"`,
 * `%{threads: pos_integer()}`. Words in front of a parenthesis are types and functions and stay as they are.
 * A single quote in an atom and comments are not known. */
void term_notation_elixir(const char *erlang, struct buffer *output);

/* Appends prose without the backticks around its code, which is in Erlang's notation: tuples, maps
 * and lists in Elixir's; names, which are the same in both, as they are. */
void term_notation_prose(const char *prose, struct buffer *output);

#endif
