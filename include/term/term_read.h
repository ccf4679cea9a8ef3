/* Reading checked, canonical terms. A term is taken apart into terms that borrow from it; nothing is copied.
 * Each function answers false when the term is not of the kind that was asked for, and then leaves its
 * results alone. */
#ifndef HARNESSD_TERM_TERM_READ_H
#define HARNESSD_TERM_TERM_READ_H

#include "term/term.h"

enum term_type term_type(struct term term);

/* "integer", "atom", "map", ...: for messages to people. */
const char *term_type_text(enum term_type type);

bool term_is_atom(struct term term, const char *text);
bool term_is_nil(struct term term);

MUST_CHECK bool term_read_atom(struct term term, char text[TERM_ATOM_BYTES + 1]);
MUST_CHECK bool term_read_boolean(struct term term, bool *value);
MUST_CHECK bool term_read_integer(struct term term, int64_t *value); /* false beyond 64 bits */
MUST_CHECK bool term_read_number(struct term term, double *value);   /* an integer or a float */
MUST_CHECK bool term_read_pid(struct term term, struct term_pid *pid);

/* A binary's bytes. */
MUST_CHECK bool term_read_binary(struct term term, const uint8_t **data, size_t *size);

/* The name of the node that a pid, port or reference belongs to, as an atom. */
MUST_CHECK bool term_read_node(struct term term, struct term *node);

/* The elements of a tuple of at most `capacity` elements; `*arity` is set for any tuple, the elements only
 * when they fit. False for a tuple with more. */
MUST_CHECK bool term_read_tuple(struct term term, size_t capacity, struct term *elements, size_t *arity);

/* A tuple of exactly `arity` elements. */
MUST_CHECK bool term_read_tuple_of(struct term term, size_t arity, struct term *elements);

/* The element of this index, from 0, of a tuple of any arity. */
MUST_CHECK bool term_read_element(struct term term, size_t index, struct term *element);

/* How a value begins: `size` bytes of its own, then as many values as it has inside (a map keys and values in
 * turn, a list its elements and its tail). Leaves, identifiers and funs are all their own and have none. For
 * walks that touch each byte once however deep a term is; the type is told by the tag at `data`. */
struct term_head {
    size_t size;
    size_t values;
};
struct term_head term_read_head(const uint8_t *data);

/* A walk through a list, each element once, STRING_EXT included:
 *
 *     struct term_list list;
 *     if (!term_list_start(&list, term)) ...
 *     while (term_list_next(&list, &element)) ...
 */
struct term_list {
    const uint8_t *next;
    size_t left;  /* elements still to come */
    bool string;  /* the elements are the bytes of a STRING_EXT */
    size_t count; /* elements in all, an improper tail not counted */
};
MUST_CHECK bool term_list_start(struct term_list *list, struct term term);
MUST_CHECK bool term_list_next(struct term_list *list, struct term *element);

/* Whether the tail is the empty list; to be asked when term_list_next() has answered false. */
MUST_CHECK bool term_list_proper(const struct term_list *list);

/* A walk through a map, or through a list of pairs whose first element is an atom (a keyword list): the two
 * are the same to users. */
struct term_pairs {
    struct term_list list;
    const uint8_t *next;
    size_t left;
    size_t count;
    bool keyword;
};
MUST_CHECK bool term_pairs_start(struct term_pairs *pairs, struct term term);
MUST_CHECK bool term_pairs_next(struct term_pairs *pairs, struct term *key, struct term *value);

/* The value of an atom key in a map or keyword list. */
MUST_CHECK bool term_pairs_get(struct term term, const char *key, struct term *value);

#endif
