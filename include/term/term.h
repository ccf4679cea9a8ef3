/* A term as it is on the wire: the bytes of one value in Erlang's external term format, without the version
 * byte 131 (ERTS user's guide, "External Term Format"). A `struct term` borrows its bytes from whoever gave
 * it.
 *
 * All terms that are handed around in the daemon were walked by term_check() and are canonical: an atom is
 * always SMALL_ATOM_UTF8_EXT (119) up to 255 bytes and ATOM_UTF8_EXT (118) above. Two equal atoms therefore
 * have equal bytes. Everything else is as the peer wrote it. */
#ifndef HARNESSD_TERM_TERM_H
#define HARNESSD_TERM_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

#define TERM_VERSION 131

/* An atom has at most 255 characters, each at most four bytes of UTF-8. */
#define TERM_ATOM_CHARACTERS 255
#define TERM_ATOM_BYTES (255 * 4)

/* Tags of the external term format. */
enum term_tag {
    TERM_TAG_NEW_FLOAT = 70,
    TERM_TAG_BIT_BINARY = 77,
    TERM_TAG_ATOM_CACHE_REF = 82,
    TERM_TAG_NEW_PID = 88,
    TERM_TAG_NEW_PORT = 89,
    TERM_TAG_NEWER_REFERENCE = 90,
    TERM_TAG_SMALL_INTEGER = 97,
    TERM_TAG_INTEGER = 98,
    TERM_TAG_FLOAT = 99,
    TERM_TAG_ATOM = 100,
    TERM_TAG_REFERENCE = 101,
    TERM_TAG_PORT = 102,
    TERM_TAG_PID = 103,
    TERM_TAG_SMALL_TUPLE = 104,
    TERM_TAG_LARGE_TUPLE = 105,
    TERM_TAG_NIL = 106,
    TERM_TAG_STRING = 107,
    TERM_TAG_LIST = 108,
    TERM_TAG_BINARY = 109,
    TERM_TAG_SMALL_BIG = 110,
    TERM_TAG_LARGE_BIG = 111,
    TERM_TAG_NEW_FUN = 112,
    TERM_TAG_EXPORT = 113,
    TERM_TAG_NEW_REFERENCE = 114,
    TERM_TAG_SMALL_ATOM = 115,
    TERM_TAG_MAP = 116,
    TERM_TAG_ATOM_UTF8 = 118,
    TERM_TAG_SMALL_ATOM_UTF8 = 119,
    TERM_TAG_V4_PORT = 120,
};

/* What a value is to the language. */
enum term_type {
    TERM_INTEGER,
    TERM_FLOAT,
    TERM_ATOM,
    TERM_TUPLE,
    TERM_LIST, /* the empty list, a list, an improper list, a STRING_EXT */
    TERM_MAP,
    TERM_BINARY,
    TERM_BITSTRING, /* a number of bits that is no multiple of eight */
    TERM_PID,
    TERM_PORT,
    TERM_REFERENCE,
    TERM_FUN, /* closures and exports */
};

struct term {
    const uint8_t *data; /* NULL when there is none */
    size_t size;
};

/* An atom whose name is a literal of at most 255 bytes: TERM_ATOM("ok"). Its bytes are static. */
#define TERM_ATOM(literal)                                                                                   \
    __extension__({                                                                                          \
        _Static_assert(sizeof(literal) <= 256, "an atom of SMALL_ATOM_UTF8_EXT");                            \
        static const struct {                                                                                \
            uint8_t tag;                                                                                     \
            uint8_t size;                                                                                    \
            char name[sizeof(literal)];                                                                      \
        } atom = {TERM_TAG_SMALL_ATOM_UTF8, sizeof(literal) - 1, literal};                                   \
        (struct term){(const uint8_t *)&atom, sizeof(literal) + 1};                                          \
    })

/* The empty map, likewise. */
#define TERM_EMPTY_MAP ((struct term){(const uint8_t *)"t\0\0\0", 5})

/* The term that a buffer holds, none when it is empty; borrowed from the buffer. */
static inline struct term term_of(const struct buffer *buffer)
{
    return (struct term){buffer->size ? buffer_bytes(buffer) : NULL, buffer->size};
}

/* Has a buffer hold a copy of a term, and nothing else. */
static inline void term_keep(struct buffer *buffer, struct term term)
{
    buffer_hold(buffer, term.data, term.size);
}

/* A process identifier. */
struct term_pid {
    char node[TERM_ATOM_BYTES + 1]; /* UTF-8, ends in NUL */
    uint32_t id;
    uint32_t serial;
    uint32_t creation;
};

/* Whether two terms are the same bytes: equal values in canonical form, but for numbers, funs and maps that
 * nodes may write in several ways. */
static inline bool term_same(struct term a, struct term b)
{
    return a.size == b.size && (a.size == 0 || __builtin_memcmp(a.data, b.data, a.size) == 0);
}

#endif
