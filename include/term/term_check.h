/* The validator: every byte that comes from a peer or a file is walked by it before anything else looks at
 * it. It is iterative (no stack grows with depth) and reads no byte outside what it was given. It refuses
 * whatever a BEAM node would refuse to decode, so that what is passed on never costs us the next node's
 * connection. */
#ifndef HARNESSD_TERM_TERM_CHECK_H
#define HARNESSD_TERM_TERM_CHECK_H

#include "term/term.h"

struct term_limits {
    size_t depth; /* nested containers; SIZE_MAX is no limit */
    size_t count; /* values in all, containers and leaves */
};

/* For what is bounded by its bytes: no walk recurses, and each value takes a byte at least. */
extern const struct term_limits term_no_limits;

enum term_problem {
    TERM_OK,
    TERM_TRUNCATED, /* the bytes end inside a value */
    TERM_TOO_DEEP,
    TERM_TOO_MANY,       /* more values than the limit */
    TERM_TOO_LARGE,      /* the atoms that it refers to, written out, take more than there is room for */
    TERM_UNKNOWN_TAG,    /* also COMPRESSED and LOCAL_EXT, which no node sends over the distribution */
    TERM_BAD_ATOM,       /* not UTF-8, too long, no atom where one must be, or a reference to none */
    TERM_BAD_NUMBER,     /* a float that is no number */
    TERM_BAD_IDENTIFIER, /* a pid, port or reference out of shape */
    TERM_BAD_BITS,       /* a bit string with an impossible number of bits in its last byte */
    TERM_BAD_FUN,        /* a fun whose size does not fit its parts, or an export without an arity */
};

/* Walks the first term of `data`. On TERM_OK `*used` is its length and `*canonical` tells whether it is
 * canonical already; if not, term_canonical_with_atoms() makes it so. On a problem `*used` is where it was
 * found. */
MUST_CHECK enum term_problem term_check(const uint8_t *data, size_t size, const struct term_limits *limits,
                                        size_t *used, bool *canonical);

/* A message between nodes may refer to an atom by its number in a table that goes in front of the terms. */
#define TERM_ATOMS_MOST 255
struct term_atoms {
    size_t count;
    size_t room;                        /* bytes by which one term may grow when its atoms are written out */
    struct term items[TERM_ATOMS_MOST]; /* canonical atoms, not all of them different */
};

/* The same for a term in which ATOM_CACHE_REF stands for these atoms, or NULL. It is not canonical when it
 * refers to one. */
MUST_CHECK enum term_problem term_check_with_atoms(const uint8_t *data, size_t size,
                                                   const struct term_limits *limits,
                                                   const struct term_atoms *atoms, size_t *used,
                                                   bool *canonical);

/* Appends the canonical form of a term that was checked with the same atoms to `output` (see term.h): those
 * atoms are written out, other encodings of atoms (latin-1 ones of old nodes, long forms of short ones) are
 * written in the canonical one, sizes of funs adjusted. */
struct buffer;
void term_canonical_with_atoms(struct term checked, const struct term_atoms *atoms, struct buffer *output);

/* Both in steps, for terms that are so large that they would keep others waiting; their depth has no limit.
 * What they are given lives until they are freed. */
struct term_walk;
struct term_rewrite;

struct term_walked {
    enum term_problem problem;
    size_t used;
    bool is_canonical;
    bool has_unsettled_keys; /* keys of a map may be the same in canonical form: that is to be walked as well
                              */
};

struct term_walk *term_walk_new(const uint8_t *data, size_t size, const struct term_atoms *atoms);

/* Walks at most so many values more. True when it is done, `*walked` then says with what. */
MUST_CHECK bool term_walk_step(struct term_walk *walk, size_t values, struct term_walked *walked);
void term_walk_free(struct term_walk *walk);

struct term_rewrite *term_rewrite_new(struct term checked, const struct term_atoms *atoms,
                                      struct buffer *output);

/* Rewrites about so many values more. True when it is done. */
MUST_CHECK bool term_rewrite_step(struct term_rewrite *rewrite, size_t values);
void term_rewrite_free(struct term_rewrite *rewrite);

/* A few words for a log line. */
const char *term_problem_text(enum term_problem problem);

/* The length of the first term of `data`, all of which was checked before. Iterative as well. */
size_t term_length(const uint8_t *data);

#endif
