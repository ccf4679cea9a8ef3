/* The two encodings of a float. Private to this layer. */
#ifndef HARNESSD_TERM_TERM_FLOAT_H
#define HARNESSD_TERM_TERM_FLOAT_H

#include "term/term.h"

/* Decodes NEW_FLOAT_EXT or FLOAT_EXT, all of whose bytes are there. False when it is no finite number. */
MUST_CHECK bool term_float_decode(const uint8_t *data, double *value);

#endif
