/* Terms as JSON (RFC 8259), for people, jq and HTTP. The same term is the same text everywhere, and a kind of
 * term is the same kind of JSON whatever is in it:
 *
 *     true, false             true, false
 *     nil, null               null
 *     other atoms             a string of their text: "timeout", "Elixir.GenServer"
 *     binaries                a string if they are UTF-8
 *     integers                a number with all digits, up to 1016 bits (as far as a double reaches)
 *     floats                  a number that reads as the same double, with a point in it
 *     lists, charlists too    an array; an improper one ends in an object {"|": TAIL}
 *     tuples                  an array
 *     maps                    an object, in the order of the term
 *     all else                a string in Erlang's syntax (term_text.h, so shortened when it is long): pids,
 *                             ports, references, funs, bit strings and binaries that are not UTF-8, larger
 *                             integers, and what is inside more than TERM_JSON_DEPTH others, as readers of
 *                             JSON have a limit there (jq 1.6: 256); of those the writer keeps count
 *
 * Keyword lists are arrays of arrays, as every list: a list of results may look like one. A key of a map is
 * the text of an atom, of a binary in UTF-8, or else Erlang's syntax. Keys that would be the same text (a and
 * <<"a">>) are told apart: the second is written in Erlang's syntax, with a number if that is there as well.
 */
#ifndef HARNESSD_TERM_TERM_JSON_H
#define HARNESSD_TERM_TERM_JSON_H

#include "base/buffer.h"
#include "term/term.h"

#define TERM_JSON_DEPTH 200

/* Appends the JSON of a checked, canonical term. Never fails. Answers as term_json_too_deep(). */
size_t term_json_write(struct term term, struct buffer *json);

/* The same in pieces, for terms of many megabytes. The term is borrowed until the end. */
struct term_json;
struct term_json *term_json_new(struct term term);

/* Appends a piece of about `size` bytes (a string in it is whole, and may be longer). False when that was the
 * last one. */
MUST_CHECK bool term_json_next(struct term_json *writer, size_t size, struct buffer *json);

/* How many values up to here are text because of their depth. */
MUST_CHECK size_t term_json_too_deep(const struct term_json *writer);
void term_json_free(struct term_json *writer);

/* Appends a last member to an object, with its comma: "warning", a sentence that so many values are text
 * because of their depth. Nothing if none is. */
void term_json_warn(size_t too_deep, struct buffer *json);

/* Appends bytes that are UTF-8 as a string of JSON, quotes included. */
void term_json_string(const void *text, size_t size, struct buffer *json);

#endif
