/* Reads terms as people write them, in Erlang's notation: files such as that of `erl -ssl_dist_optfile`. */
#ifndef HARNESSD_TERM_TERM_PARSE_H
#define HARNESSD_TERM_TERM_PARSE_H

#include "base/compiler.h"
#include "term/term_build.h"

/* How deep what is read may be. */
#define TERM_PARSE_DEPTH 100

struct term_parse_problem {
    size_t line; /* from 1 */
    char text[200];
};

/* Appends the one term of the text, behind which stands a full stop, to the builder. The text is Latin-1, or
 * UTF-8 where a comment in its first two lines says so (`%% coding: utf-8`), as in Erlang's own files.
 *
 * Literals are read: atoms, integers of 64 bits, floats, characters, strings, binaries of bytes and strings,
 * tuples, lists, maps. Whatever would have to be evaluated (funs, calls, variables, operators) is not: in its
 * place is {'$evaluated', Source}, a binary, without blanks between its words but where they are needed.
 *
 * What is appended is canonical (see term.h). False when it is malformed; the builder then has more than
 * before that is of no use. */
MUST_CHECK bool term_parse(const char *text, size_t size, struct term_builder *builder,
                           struct term_parse_problem *problem);

/* The source in such a place; false when the term is another one. */
MUST_CHECK bool term_parse_is_evaluated(struct term term, const uint8_t **source, size_t *size);

#endif
