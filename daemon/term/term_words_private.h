/* The words of Erlang's notation. */
#ifndef HARNESSD_TERM_TERM_WORDS_PRIVATE_H
#define HARNESSD_TERM_TERM_WORDS_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum word_kind {
    WORD_END,    /* of the text */
    WORD_BROKEN, /* what is no word, or does not end */
    WORD_STOP,   /* the full stop at the end of a term */
    WORD_ATOM,   /* plain */
    WORD_QUOTED, /* an atom in quotes, which its bytes have */
    WORD_VARIABLE,
    WORD_NUMBER,
    WORD_CHARACTER, /* $ and what is behind it */
    WORD_STRING,    /* its bytes have the quotes */
    WORD_MARK,      /* one or more characters that are none of these */
};

struct word {
    enum word_kind kind;
    const char *data;
    size_t size;
    size_t line;
};

struct words {
    const char *next;
    const char *end;
    size_t line;
    bool is_utf8;
};

/* At the beginning of a text, whose encoding it looks for. */
void words_start(struct words *words, const char *text, size_t size);

/* Takes one. */
struct word words_next(struct words *words);

/* Whether it is this mark, or this atom. */
bool word_is(struct word word, const char *text);

/* The characters of an atom or string in quotes, or behind `$`, one after the other. `at` begins behind the
 * quote, and stands behind what was read afterwards. False at the end, or where an escape is none. */
bool words_take_character(const struct words *words, const char **at, const char *end, uint32_t *character);

#endif
