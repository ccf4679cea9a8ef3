/* The terms of a message that is so long that reading it in one go would keep everybody waiting: they are
 * checked and made canonical in steps. */
#ifndef HARNESSD_DIST_MESSAGE_STEPS_PRIVATE_H
#define HARNESSD_DIST_MESSAGE_STEPS_PRIVATE_H

#include "base/buffer.h"
#include "term/term_check.h"

/* A term that is read. */
struct term_steps {
    struct term_walk *walk;
    struct term_rewrite *rewrite;
    struct buffer canonical; /* of one that was not */
    struct term term;        /* what it is now */
    bool looks_again;        /* `walk` goes through the canonical form */
};

/* All zero is none. What it is given lives until it has ended. */
struct message_steps {
    const uint8_t *at;
    size_t left;
    bool versioned;
    const struct term_atoms *atoms;
    struct term_steps terms[2];
    size_t count; /* terms that are there or being read */
    bool is_on;
};

void message_steps_begin(struct message_steps *steps, const uint8_t *data, size_t size, bool versioned,
                         const struct term_atoms *atoms);

/* Goes on for about so many values. True when it has ended: with both terms, or with a problem, of which
 * TERM_TOO_LARGE alone is none of the message itself. */
MUST_CHECK bool message_steps_go_on(struct message_steps *steps, size_t values, enum term_problem *found,
                                    const char **problem);
void message_steps_end(struct message_steps *steps);

#endif
