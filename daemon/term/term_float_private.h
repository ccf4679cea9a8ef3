/* The two encodings of a float. Private to this layer. */
#ifndef HARNESSD_TERM_TERM_FLOAT_PRIVATE_H
#define HARNESSD_TERM_TERM_FLOAT_PRIVATE_H

#include "term/term.h"

/* Decodes NEW_FLOAT_EXT or FLOAT_EXT, all of whose bytes are there. False when it is no finite number. */
MUST_CHECK bool term_float_decode(const uint8_t *data, double *value);

/* A decimal of 15 digits, or of as many more (two at most) as it takes to read the same double from it, with
 * a point and a digit on each side of it, as Erlang and JSON have it: "0.1", "1.0e+300". Ends in NUL. */
#define TERM_FLOAT_TEXT_BYTES 40
void term_float_text(double value, char text[TERM_FLOAT_TEXT_BYTES]);

#endif
