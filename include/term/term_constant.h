/* Terms that are known when the program is built, as initialisers of what is static: the defaults of tables.
 * Inside of functions TERM_ATOM() is the one to use. */
#ifndef HARNESSD_TERM_TERM_CONSTANT_H
#define HARNESSD_TERM_TERM_CONSTANT_H

#include "term/term.h"

/* An atom of at most 255 bytes. */
#define TERM_CONSTANT_ATOM(literal)                                                                          \
    {(const uint8_t *)&(const struct {                                                                       \
         uint8_t tag;                                                                                        \
         uint8_t size;                                                                                       \
         char name[sizeof(literal)];                                                                         \
     }){TERM_TAG_SMALL_ATOM_UTF8, sizeof(literal) - 1, literal},                                             \
     sizeof(literal) + 1}

/* An integer from 0 to 2^31 - 1. */
#define TERM_CONSTANT_INTEGER(number)                                                                        \
    {(const uint8_t[]){TERM_TAG_INTEGER, (uint8_t)((number) >> 24), (uint8_t)((number) >> 16),               \
                       (uint8_t)((number) >> 8), (uint8_t)(number)},                                         \
     5}

/* A float, with a digit on each side of its point: TERM_CONSTANT_FLOAT(0.05). */
#define TERM_CONSTANT_FLOAT(number)                                                                          \
    {(const uint8_t *)&(const struct {                                                                       \
         uint8_t tag;                                                                                        \
         char text[31];                                                                                      \
     }){TERM_TAG_FLOAT, #number},                                                                            \
     32}

#define TERM_CONSTANT_EMPTY_LIST {(const uint8_t[]){TERM_TAG_NIL}, 1}

#define TERM_CONSTANT_EMPTY_MAP {(const uint8_t[]){TERM_TAG_MAP, 0, 0, 0, 0}, 5}

#endif
