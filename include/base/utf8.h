/* UTF-8 as RFC 3629 has it, which is what nodes take in atoms: no overlong forms, no surrogates, nothing
 * above U+10FFFF. */
#ifndef HARNESSD_BASE_UTF8_H
#define HARNESSD_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* The bytes (1 to 4) of the first character of `text`, or 0 when there is none. */
MUST_CHECK size_t utf8_decode(const uint8_t *text, size_t size, uint32_t *character);

/* Writes a character and answers its length. `text` has room for four bytes. */
size_t utf8_encode(uint32_t character, uint8_t *text);

/* The number of characters; false when the text is not UTF-8. */
MUST_CHECK bool utf8_count(const uint8_t *text, size_t size, size_t *characters);

/* Whether all bytes are ASCII. */
MUST_CHECK bool utf8_is_ascii(const uint8_t *text, size_t size);

#endif
